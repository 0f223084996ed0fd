"""Vectors as the registers of processors with AVX-512, and what is one instruction there: a product with a power of two that
may leave the range, and the exponent of a number. Vectors of more lanes go in parts.
"""

from __future__ import annotations

from symdl.backends.builder import BITS, Builder, Reg, vector_type

BYTES = 64
INTRINSIC = "llvm.x86.avx512."


def in_parts(b: Builder, dtype: str = "float64") -> bool:
    """Whether vectors are such registers."""
    return b.permutes and b.lanes > 0 and b.lanes % lanes_of(dtype) == 0


def lanes_of(dtype: str) -> int:
    """Numbers in a register."""
    return 8 * BYTES // BITS[dtype]


def scaled(b: Builder, x: Reg, power: Reg) -> Reg:
    """x 2^floor(power), of vectors; right also when the result is subnormal or overflows."""
    lanes, short = lanes_of(x.dtype), "ps" if x.dtype == "float32" else "pd"
    function, kind = f"{INTRINSIC}mask.scalef.{short}.512", vector_type(x.dtype, lanes)
    b.declarations.add(f"declare {kind} @{function}({kind}, {kind}, {kind}, i{lanes}, i32)")
    calls = zip(parts(b, x), parts(b, power), strict=True)
    texts = [f"{kind} {v}, {kind} {p}, {kind} zeroinitializer, i{lanes} -1, i32 4" for v, p in calls]
    return joined(b, [f"call {kind} @{function}({text})" for text in texts], x.dtype)


def exponent(b: Builder, x: Reg) -> Reg:
    """floor(log2 |x|), of float64 vectors; minus infinity of 0, infinity of infinities."""
    lanes = lanes_of(x.dtype)
    function, kind = f"{INTRINSIC}mask.getexp.pd.512", vector_type(x.dtype, lanes)
    b.declarations.add(f"declare {kind} @{function}({kind}, {kind}, i{lanes}, i32)")
    texts = [f"{kind} {v}, {kind} zeroinitializer, i{lanes} -1, i32 4" for v in parts(b, x)]
    return joined(b, [f"call {kind} @{function}({text})" for text in texts], x.dtype)


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
