"""What processors with AVX-512 do in one instruction on 8 float64: a table of 16 from two registers, and a product with a
power of two that may leave the range. Vectors of more lanes in parts, scalars by other ways to the same bits.
"""

from __future__ import annotations

from symdl.backends.builder import Builder, Reg, hexadecimal
from symdl.backends.wide import tables

LANES = 8
INTRINSIC = "llvm.x86.avx512."


def in_parts(b: Builder) -> bool:
    """Whether vectors are such registers."""
    return b.permutes and b.lanes > 0 and b.lanes % LANES == 0


def of_sixteen(b: Builder, name: str, numbers: tuple[float, ...], index: Reg) -> Reg:
    """numbers[index mod 16], per lane. name: of the table, where it lies in memory."""
    if not in_parts(b):
        return tables.lookup(b, tables.table(b, name, numbers), b.and_(index, 15), 1, 1)[0]
    texts = [f"double {hexadecimal(x, 'float64')}" for x in numbers]
    first, second = (f"<8 x double> <{', '.join(half)}>" for half in (texts[:LANES], texts[LANES:]))
    function = f"{INTRINSIC}vpermi2var.pd.512"
    b.declarations.add(f"declare <8 x double> @{function}(<8 x double>, <8 x i64>, <8 x double>)")
    return _joined(b, [f"call <8 x double> @{function}({first}, <8 x i64> {i}, {second})" for i in _parts(b, index)])


def scaled(b: Builder, x: Reg, power: Reg) -> Reg:
    """x 2^floor(power), of vectors; right also when the result is subnormal or overflows."""
    function = f"{INTRINSIC}mask.scalef.pd.512"
    kind = "<8 x double>"
    b.declarations.add(f"declare {kind} @{function}({kind}, {kind}, {kind}, i8, i32)")
    calls = zip(_parts(b, x), _parts(b, power), strict=True)
    return _joined(
        b, [f"call {kind} @{function}({kind} {v}, {kind} {p}, {kind} zeroinitializer, i8 -1, i32 4)" for v, p in calls]
    )


def _parts(b: Builder, x: Reg) -> list[str]:
    """The registers that a vector lies in."""
    if b.lanes == LANES:
        return [x.text]
    kind = b.type(x.dtype)
    orders = [", ".join(f"i32 {k}" for k in range(at, at + LANES)) for at in range(0, b.lanes, LANES)]
    return [b.emit(f"shufflevector {kind} {x.text}, {kind} poison, <8 x i32> <{o}>", x.dtype).text for o in orders]


def _joined(b: Builder, calls: list[str]) -> Reg:
    """The vector that lies in registers which are computed thus."""
    found, width = [b.emit(call, "float64").text for call in calls], LANES
    while len(found) > 1:
        kind, order = f"<{width} x double>", ", ".join(f"i32 {k}" for k in range(2 * width))
        joined = [
            f"shufflevector {kind} {x}, {kind} {y}, <{2 * width} x i32> <{order}>"
            for x, y in zip(found[::2], found[1::2], strict=True)
        ]
        found, width = [b.emit(text, "float64").text for text in joined], 2 * width
    return Reg(found[0], "float64")
