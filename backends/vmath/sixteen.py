"""A table of 16 float64 from two registers, which processors with AVX-512 do in one instruction; elsewhere from memory, to
the same bits.
"""

from __future__ import annotations

import struct

from symdl.backends.builder import Builder, Reg, hexadecimal
from symdl.backends.vmath.forms import lookup
from symdl.backends.vmath.registers import INTRINSIC, in_parts, joined, parts

LANES, STEPS = 8, 16


def of_sixteen(b: Builder, name: str, numbers: tuple[float, ...], index: Reg) -> Reg:
    """numbers[index mod 16], per lane. name: of the table, where it lies in memory."""
    if not in_parts(b):
        words = ", ".join(f"i64 {struct.unpack('<q', struct.pack('<d', x))[0]}" for x in numbers)
        b.declarations.add(f"@symdl_{name}_of_sixteen = internal constant [{STEPS} x i64] [{words}]")
        return b.unbits(lookup(b, f"symdl_{name}_of_sixteen", b.and_(index, STEPS - 1)))
    texts = [f"double {hexadecimal(x, 'float64')}" for x in numbers]
    first, second = (f"<8 x double> <{', '.join(half)}>" for half in (texts[:LANES], texts[LANES:]))
    function = f"{INTRINSIC}vpermi2var.pd.512"
    b.declarations.add(f"declare <8 x double> @{function}(<8 x double>, <8 x i64>, <8 x double>)")
    calls = [f"call <8 x double> @{function}({first}, <8 x i64> {i}, {second})" for i in parts(b, index)]
    return joined(b, calls, "float64")
