"""Vectors as the registers of processors with AVX-512, and what is one instruction there: a product with a power of two that
may leave the range, and the exponent of a number. Vectors of more lanes go in parts; a number alone is the first of a small register.
"""

from __future__ import annotations

from symdl.backends.builder import BITS, Builder, Reg, vector_type

BYTES = 64
ALONE = 16  # of the register that a number goes in alone
INTRINSIC = "llvm.x86.avx512."


def in_parts(b: Builder, dtype: str = "float64") -> bool:
    """Whether vectors are such registers."""
    return b.permutes and b.lanes > 0 and b.lanes % lanes_of(dtype) == 0


def scales(b: Builder, dtype: str = "float64") -> bool:
    """Whether `scaled` and `exponent` are instructions."""
    return b.permutes and (not b.lanes or in_parts(b, dtype))


def lanes_of(dtype: str) -> int:
    """Numbers in a register."""
    return 8 * BYTES // BITS[dtype]


def scaled(b: Builder, x: Reg, power: Reg) -> Reg:
    """x 2^floor(power); right also when the result is subnormal or overflows."""
    return _instruction(b, "scalef", x, power)


def exponent(b: Builder, x: Reg) -> Reg:
    """floor(log2 |x|); minus infinity of 0, infinity of infinities."""
    return _instruction(b, "getexp", x) if b.lanes else _instruction(b, "getexp", x, x)


def _instruction(b: Builder, name: str, *operands: Reg) -> Reg:
    """What a masked instruction gives for whole registers, or for a number. That of a number has one operand more, where the rest of
    its register comes from."""
    dtype = operands[0].dtype
    width = "s" if dtype == "float32" else "d"
    if not b.lanes:
        lanes = 8 * ALONE // BITS[dtype]
        kind, function = vector_type(dtype, lanes), f"{INTRINSIC}mask.{name}.s{width}"
        number = b.type(dtype)
        held = [b.pure(f"insertelement {kind} poison, {number} {x.text}, i32 0", dtype).text for x in operands]
        given = ", ".join(f"{kind} {x}" for x in held)
        b.declarations.add(f"declare {kind} @{function}({', '.join([kind] * (len(held) + 1))}, i8, i32)")
        found = b.pure(f"call {kind} @{function}({given}, {kind} zeroinitializer, i8 -1, i32 4)", dtype)
        return b.pure(f"extractelement {kind} {found.text}, i32 0", dtype)
    lanes = lanes_of(dtype)
    kind, function = vector_type(dtype, lanes), f"{INTRINSIC}mask.{name}.p{width}.512"
    b.declarations.add(f"declare {kind} @{function}({', '.join([kind] * (len(operands) + 1))}, i{lanes}, i32)")
    calls = zip(*(parts(b, x) for x in operands), strict=True)
    texts = [", ".join(f"{kind} {x}" for x in (*each, "zeroinitializer")) for each in calls]
    return joined(b, [f"call {kind} @{function}({text}, i{lanes} -1, i32 4)" for text in texts], dtype)


def parts(b: Builder, x: Reg) -> list[str]:
    """The registers that a vector lies in."""
    lanes = lanes_of(x.dtype)
    if b.lanes == lanes:
        return [x.text]
    kind = b.type(x.dtype)
    orders = [", ".join(f"i32 {k}" for k in range(at, at + lanes)) for at in range(0, b.lanes, lanes)]
    return [
        b.pure(f"shufflevector {kind} {x.text}, {kind} poison, <{lanes} x i32> <{o}>", x.dtype).text for o in orders
    ]


def joined(b: Builder, calls: list[str], dtype: str) -> Reg:
    """The vector that lies in registers which are computed thus."""
    found, width = [b.pure(call, dtype).text for call in calls], lanes_of(dtype)
    while len(found) > 1:
        kind, order = vector_type(dtype, width), ", ".join(f"i32 {k}" for k in range(2 * width))
        texts = [
            f"shufflevector {kind} {x}, {kind} {y}, <{2 * width} x i32> <{order}>"
            for x, y in zip(found[::2], found[1::2], strict=True)
        ]
        found, width = [b.pure(text, dtype).text for text in texts], 2 * width
    return Reg(found[0], dtype)
