"""A table of 16 float64 from two registers, which processors with AVX-512 do in one instruction; elsewhere from memory, to
the same bits.
"""

from __future__ import annotations

from symdl.backends.builder import Builder, Reg, hexadecimal
from symdl.backends.vmath.registers import INTRINSIC, in_parts, joined, parts
from symdl.backends.wide import tables

LANES = 8


def of_sixteen(b: Builder, name: str, numbers: tuple[float, ...], index: Reg) -> Reg:
    """numbers[index mod 16], per lane. name: of the table, where it lies in memory."""
    if not in_parts(b):
        return tables.lookup(b, tables.table(b, name, numbers), b.and_(index, 15), 1, 1)[0]
    texts = [f"double {hexadecimal(x, 'float64')}" for x in numbers]
    first, second = (f"<8 x double> <{', '.join(half)}>" for half in (texts[:LANES], texts[LANES:]))
    function = f"{INTRINSIC}vpermi2var.pd.512"
    b.declarations.add(f"declare <8 x double> @{function}(<8 x double>, <8 x i64>, <8 x double>)")
    calls = [f"call <8 x double> @{function}({first}, <8 x i64> {i}, {second})" for i in parts(b, index)]
    return joined(b, calls, "float64")
