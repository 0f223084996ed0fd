"""What the families share: polynomials, pairs of floats, powers of two, and functions that stand out of line.

A pair (hi, lo) is the unevaluated sum of two floats, |lo| <= ulp(hi)/2 (Dekker 1971; Knuth, TAOCP 2, 4.2.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

from symdl.backends.builder import LLVM_TYPE, Builder, Reg
from symdl.backends.vmath.registers import scaled, scales
from symdl.records import record

Emit = Callable[..., Reg]
Pair = tuple[Reg, Reg]


@record(slots=True)
class Format:
    """One IEEE 754 binary format: stored fraction bits, exponent bias, and the dtype of its bit pattern."""

    fraction: int
    bias: int
    pattern: str

    @property
    def magic(self) -> float:
        """1.5 * 2^fraction: adding it to a small float leaves the nearest integer in the low bits of the sum."""
        return 1.5 * 2.0**self.fraction

    @property
    def magic_bits(self) -> int:
        """The bit pattern of `magic`."""
        return ((self.bias + self.fraction) << self.fraction) | (1 << (self.fraction - 1))


FORMAT = {"float32": Format(23, 127, "int32"), "float64": Format(52, 1023, "int64")}


def polynomial(b: Builder, x: Reg, coefficients: Sequence[float]) -> Reg:
    """sum of c[k] x^k: in pairs of terms for float32 (few instructions), Estrin for float64 (short chains for long sums)."""
    if x.dtype == "float32":
        return steady_polynomial(b, x, coefficients)
    terms: list[Reg | float] = list(coefficients)
    power = x
    while len(terms) > 1:
        pairs = [b.fma(terms[i + 1], power, terms[i]) for i in range(0, len(terms) - 1, 2)]
        terms = [*pairs, *terms[len(terms) - len(terms) % 2 :]]
        if len(terms) > 1:
            power = b.mul(power, power)
    assert isinstance(terms[0], Reg)
    return terms[0]


def steady_polynomial(b: Builder, x: Reg, coefficients: Sequence[float | Reg]) -> Reg:
    """The same by Horner's rule in x^2 on pairs of terms: slower for long sums, but rounded about once also where x is
    near 1 and the terms shrink slowly, since no high power of x is ever rounded."""
    terms = list(coefficients)
    pairs = [b.fma(x, terms[k + 1], terms[k]) if k + 1 < len(terms) else terms[k] for k in range(0, len(terms), 2)]
    square, total = b.mul(x, x), pairs[-1]
    for pair in reversed(pairs[:-1]):
        total = b.fma(square, total, pair)
    assert isinstance(total, Reg)
    return total


def horner(b: Builder, x: Reg, coefficients: Sequence[float | Reg]) -> Reg:
    """The same term by term: the fewest operations, each waiting for the one before."""
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = b.fma(x, total, c)
    assert isinstance(total, Reg)
    return total


def chosen(b: Builder, first: Reg, these: Sequence[float], those: Sequence[float], dtype: str) -> list[float | Reg]:
    """Coefficients of two polynomials, per lane. With AVX-512 that is any pipe's work, where products have two."""
    return [b.select(first, b.const(p, dtype), b.const(q, dtype)) for p, q in zip(these, those, strict=True)]


def with_sign(b: Builder, size: Reg, x: Reg, magnitude: Reg) -> Reg:
    """size >= 0 (or NaN) with the sign of x, whose magnitude is at hand: one instruction less than copysign."""
    return b.unbits(b.or_(b.bits(size), b.xor(b.bits(x), b.bits(magnitude))))


def clamp(b: Builder, x: Reg, low: float, high: float) -> Reg:
    """x within [low, high], which 0 is; NaN stays."""
    sign = b.signs.get(x.text, 0)
    if sign >= 0 and high < math.inf:
        x = b.select(b.compare("gt", x, high), high, x)
    if sign <= 0 and low > -math.inf:
        x = b.select(b.compare("lt", x, low), low, x)
    return x


# integers and powers of two


def nearest(b: Builder, x: Reg, factor: float = 1.0, offset: int = 0, steps: int = 1) -> Pair:
    """The multiple n of 1/steps, a power of 2, nearest to factor x as a float, and a word whose low bits are
    (n + offset) steps; |n| < 2^(fraction - 1)/steps."""
    magic = FORMAT[x.dtype].magic / steps + offset
    shifted = b.add(x, magic) if factor == 1.0 else b.fma(x, factor, magic)
    return b.sub(shifted, magic), b.bits(shifted)


def power_of_two(b: Builder, i: Reg) -> Reg:
    """2^i for an int32 or int64 in the normal range."""
    form = FORMAT["float32" if i.dtype == "int32" else "float64"]
    return b.unbits(b.shl(b.add(i, form.bias), form.fraction))


def biased_power(b: Builder, word: Reg) -> Reg:
    """2^n for a word whose low bits are n + bias, 2^n a normal number: they become its exponent."""
    return b.unbits(b.shl(word, FORMAT["float32" if word.dtype == "int32" else "float64"].fraction))


def halves(b: Builder, word: Reg) -> Pair:
    """Two normal powers of two, 2^floor(n / 2) and the rest of 2^n, for a word whose low bits are n + 2 bias."""
    form = FORMAT["float32" if word.dtype == "int32" else "float64"]
    half = b.and_(b.shl(word, form.fraction - 1), -(1 << form.fraction))
    return b.unbits(half), b.unbits(b.sub(b.shl(word, form.fraction), half))


def scale(b: Builder, x: Reg, n: Reg, word: Reg) -> Reg:
    """x 2^n for a word whose low bits are n + 2 bias, |n| < 2 bias, x in [1/2, 4]: right also when the result is
    subnormal or overflows."""
    if scales(b, x.dtype):
        return scaled(b, x, n)
    half, rest = halves(b, word)
    return b.mul(b.mul(x, half), rest)


# pairs


def fast_two_sum(b: Builder, x: Reg, y: Reg) -> Pair:
    """x + y exactly, if |x| >= |y| or x is 0."""
    total = b.add(x, y)
    return total, b.sub(y, b.sub(total, x))


def two_sum(b: Builder, x: Reg, y: Reg) -> Pair:
    """x + y exactly."""
    total = b.add(x, y)
    part = b.sub(total, x)
    return total, b.add(b.sub(x, b.sub(total, part)), b.sub(y, part))


def split(b: Builder, x: Reg) -> Pair:
    """x as a sum of two floats of half the precision (Veltkamp). Float64 only; |x| < 2^996."""
    wide = b.mul(x, 134217729.0)  # 2^27 + 1
    high = b.sub(wide, b.sub(wide, x))
    return high, b.sub(x, high)


def two_product(b: Builder, x: Reg, y: Reg) -> Pair:
    """x y exactly: one fused operation, or Dekker's product where the machine has none."""
    product = b.mul(x, y)
    if b.fused:
        return product, b.fma(x, y, b.fneg(product))
    (xh, xl), (yh, yl) = split(b, x), split(b, y)
    error = b.sub(b.mul(xh, yh), product)
    error = b.add(b.add(error, b.mul(xh, yl)), b.mul(xl, yh))
    return product, b.add(error, b.mul(xl, yl))


def multiply_pairs(b: Builder, x: Pair, y: Pair) -> Pair:
    """The product of two pairs, relative error below 2^-100 (float64)."""
    product, error = two_product(b, x[0], y[0])
    error = b.add(error, b.add(b.mul(x[0], y[1]), b.mul(x[1], y[0])))
    return fast_two_sum(b, product, error)


def divide_pairs(b: Builder, x: Pair, y: Pair) -> Pair:
    """The quotient of two pairs, relative error below 2^-97 (float64); one division."""
    inverse = b.div(b.const(1.0, x[0].dtype), y[0])
    quotient = b.mul(x[0], inverse)
    product, error = two_product(b, quotient, y[0])
    rest = b.sub(b.add(b.sub(b.sub(x[0], product), error), x[1]), b.mul(quotient, y[1]))
    return quotient, b.mul(rest, inverse)


# float32 by way of float64, and functions out of line


def through_double(emit: Emit) -> Emit:
    """The function for float32 operands computed in float64: for rare functions, where speed matters less."""

    def wide(b: Builder, *args: Reg) -> Reg:
        if args[0].dtype == "float64":
            return emit(b, *args)
        return b.convert("fptrunc", emit(b, *(b.convert("fpext", a, "float64") for a in args)), "float32")

    return wide


@cache
def _definition(
    name: str, emit: Emit, lanes: int, fused: bool, permutes: bool, spare: bool, dtypes: tuple[str, ...]
) -> tuple[str, str, frozenset[str]]:
    """The result dtype, the text of the internal function, and what its body declares."""
    inner = Builder(lanes, fused, permutes=permutes, spare=spare)
    inner.label("entry")
    parameters = [Reg(f"%x{k}", dtype) for k, dtype in enumerate(dtypes)]
    result = emit(inner, *parameters)
    signature = ", ".join(f"{inner.type(p.dtype)} {p.text}" for p in parameters)
    kind = inner.type(result.dtype)
    body = "\n".join(inner.lines)
    text = f"define internal {kind} @{name}({signature}) nounwind {{\n{body}\n  ret {kind} {result.text}\n}}"
    return result.dtype, text, frozenset(inner.declarations)


def outlined(name: str, emit: Emit) -> Emit:
    """The function as a call of an internal function of the module, whose text joins `Builder.declarations`.

    For long bodies, so that a kernel that uses them twice is compiled once (code generation is super-linear in the
    number of constants of a function), and for those whose rare path is a branch or a loop: the caller stays
    straight-line, and the first label of the body is `entry`.
    """

    def call(b: Builder, *args: Reg) -> Reg:
        symbol = (
            f"symdl_{name}_{b.suffix(args[0].dtype) if args[0].dtype.startswith('float') else _integer(b, args[0])}"
        )
        dtype, text, needs = _definition(
            symbol, emit, b.lanes, b.fused, b.permutes, b.spare, tuple(a.dtype for a in args)
        )
        b.declarations.add(text)
        b.declarations.update(needs)
        b.only_sums = False
        return b.call(symbol, *args, dtype=dtype, declare=False)

    return call


def _integer(b: Builder, x: Reg) -> str:
    """Signed and unsigned integers share an IR type but not a meaning, so the symbol spells the dtype."""
    return f"v{b.lanes}{x.dtype}" if b.lanes else x.dtype


@cache
def _template(
    emit: Emit, lanes: int, fused: bool, permutes: bool, spare: bool, dtypes: tuple[str, ...], signs: tuple[int, ...]
) -> tuple[Reg, str, frozenset[str]]:
    """The result, the text and the declarations of a function whose names all begin with %~."""
    inner = Builder(lanes, fused, "~", permutes, spare)
    inner.signs = {f"%~x{k}": sign for k, sign in enumerate(signs)}
    result = emit(inner, *(Reg(f"%~x{k}", dtype) for k, dtype in enumerate(dtypes)))
    return result, "\n".join(inner.lines), frozenset(inner.declarations)


def inlined(emit: Emit) -> Emit:
    """The same function: its text is made once and copied with fresh names, ten times quicker than to make it again.

    The result must be a value that the function computes, not an operand or a constant.
    """

    def call(b: Builder, *args: Reg) -> Reg:
        dtypes, signs = tuple(a.dtype for a in args), tuple(b.signs.get(a.text, 0) for a in args)
        result, text, needs = _template(emit, b.lanes, b.fused, b.permutes, b.spare, dtypes, signs)
        stem = f"%{b.fresh()}."
        text = text.replace("%~", stem)
        for k, a in enumerate(args):
            text = text.replace(f"{stem}x{k}", a.text)
        b.lines.append(text)
        b.declarations |= needs
        b.only_sums = False
        return Reg(result.text.replace("%~", stem), result.dtype)

    return call


def any_lane(b: Builder, condition: Reg) -> Reg:
    """Whether a condition holds in any lane: a scalar i1 to branch on."""
    if not b.lanes:
        return condition
    name = f"llvm.vector.reduce.or.v{b.lanes}i1"
    b.declarations.add(f"declare i1 @{name}({b.type('bool')})")
    return b.emit(f"call i1 @{name}({b.type('bool')} {condition.text})", "bool")


def merge(b: Builder, dtype: str, *sources: tuple[Reg, str]) -> Reg:
    """phi of (value, label) pairs."""
    return b.emit(f"phi {b.type(dtype)} " + ", ".join(f"[ {v.text}, %{label} ]" for v, label in sources), dtype)


def lookup(b: Builder, table: str, index: Reg) -> Reg:
    """table[index] of a constant array of int64 in the module, per lane."""
    if not b.lanes:
        address = b.fresh("address")
        b.line(f"%{address} = getelementptr {LLVM_TYPE['int64']}, ptr @{table}, i64 {index.text}")
        return b.emit(f"load i64, ptr %{address}, align 8", "int64")
    address, pointers = b.fresh("address"), f"<{b.lanes} x ptr>"
    b.line(f"%{address} = getelementptr i64, ptr @{table}, {b.type('int64')} {index.text}")
    name = f"llvm.masked.gather.v{b.lanes}i64.v{b.lanes}p0"
    kind, mask = b.type("int64"), b.type("bool")
    b.declarations.add(f"declare {kind} @{name}({pointers}, i32, {mask}, {kind})")
    return b.emit(f"call {kind} @{name}({pointers} %{address}, i32 8, {mask} splat (i1 true), {kind} poison)", "int64")
