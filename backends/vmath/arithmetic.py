"""Arithmetic, comparison, bits, selection, casts and rounding, with the meaning that NumPy gives them."""

from __future__ import annotations

from symdl.backends.builder import BITS, FLOATS, UNSIGNED, Builder, Reg
from symdl.backends.vmath.forms import FORMAT, any_lane, merge, outlined, power_of_two, through_double, two_product


def add(b: Builder, x: Reg, y: Reg) -> Reg:
    """x + y; on bool: or."""
    return b.or_(x, y) if x.dtype == "bool" else b.add(x, y)


def mul(b: Builder, x: Reg, y: Reg) -> Reg:
    """x y; on bool: and."""
    return b.and_(x, y) if x.dtype == "bool" else b.mul(x, y)


def absolute(b: Builder, x: Reg) -> Reg:
    """|x|; the smallest signed integer stays as it is."""
    if x.dtype in FLOATS:
        return b.fabs(x)
    return x if x.dtype in UNSIGNED else b.select(b.compare("lt", x, 0), b.neg(x), x)


def maximum(b: Builder, x: Reg, y: Reg) -> Reg:
    """The larger; NaN if either is."""
    larger = b.select(b.compare("gt", x, y), x, y)  # y if unordered: one maxps
    return b.select(b.compare("uno", x, x), x, larger) if x.dtype in FLOATS else larger


def minimum(b: Builder, x: Reg, y: Reg) -> Reg:
    """The smaller; NaN if either is."""
    smaller = b.select(b.compare("lt", x, y), x, y)
    return b.select(b.compare("uno", x, x), x, smaller) if x.dtype in FLOATS else smaller


# division


def _truncated(b: Builder, x: Reg, y: Reg) -> tuple[Reg, Reg, Reg]:
    """Quotient and remainder of integers, toward zero, and whether y is 0; never traps, and 0 for y = 0."""
    zero = b.compare("eq", y, 0)
    if x.dtype in UNSIGNED:
        safe = b.select(zero, 1, y)
        return b.select(zero, 0, b.div(x, safe)), b.select(zero, 0, b.rem(x, safe)), zero
    minus = b.compare("eq", y, -1)  # smallest / -1 would trap: negate instead
    safe = b.select(b.or_(zero, minus), 1, y)
    quotient, remainder = b.div(x, safe), b.rem(x, safe)
    return b.select(zero, 0, b.select(minus, b.neg(x), quotient)), remainder, zero


def _floored(b: Builder, x: Reg, y: Reg) -> tuple[Reg, Reg]:
    """Quotient toward minus infinity of integers and the remainder with the sign of y; both 0 for y = 0."""
    quotient, remainder, _ = _truncated(b, x, y)
    if x.dtype in UNSIGNED:
        return quotient, remainder
    differ = b.compare("lt", b.xor(remainder, y), 0)
    adjust = b.and_(b.compare("ne", remainder, 0), differ)
    return b.select(adjust, b.sub(quotient, 1), quotient), b.select(adjust, b.add(remainder, y), remainder)


def _long_division(b: Builder, x: Reg, y: Reg) -> Reg:
    """x mod y for float64 x, y > 0 on the integers that their fractions are: exact for every ratio of exponents.

    A loop that appends 11 bits a turn, as many as fit above a fraction of 53 bits.
    """
    start, turn, done = b.fresh("start"), b.fresh("turn"), b.fresh("done")

    def parts(v: Reg) -> tuple[Reg, Reg]:
        bits = b.bits(v)
        exponent, fraction = b.lshr(bits, 52), b.and_(bits, (1 << 52) - 1)
        normal = b.compare("ne", exponent, 0)
        whole = b.select(normal, b.or_(fraction, 1 << 52), fraction)
        return b.select(normal, exponent, 1), whole

    (ex, mx), (ey, my) = parts(x), parts(y)
    my = Reg(b.select(b.compare("eq", my, 0), 1, my).text, "uint64")
    left = b.sub(ex, ey)
    first = b.rem(Reg(mx.text, "uint64"), my)
    b.line(f"br label %{start}")
    b.label(start)
    b.line(f"br label %{turn}")
    b.label(turn)
    step_rest, step_left = b.fresh("rest"), b.fresh("left")
    rest = merge(b, "uint64", (first, start), (Reg(f"%{step_rest}", "uint64"), turn))
    todo = merge(b, "int64", (left, start), (Reg(f"%{step_left}", "int64"), turn))
    count = b.select(b.compare("lt", todo, 11), todo, 11)
    count = b.select(b.compare("lt", count, 0), 0, count)
    shifted = b.shl(rest, Reg(count.text, "uint64"))
    b.line(f"%{step_rest} = urem {b.type('uint64')} {shifted.text}, {my.text}")
    b.line(f"%{step_left} = sub {b.type('int64')} {todo.text}, {count.text}")
    more = any_lane(b, b.compare("gt", Reg(f"%{step_left}", "int64"), 0))
    b.line(f"br i1 {more.text}, label %{turn}, label %{done}")
    b.label(done)
    value = b.convert("sitofp", Reg(f"%{step_rest}", "int64"), "float64")
    exponent = b.sub(ey, 1075)
    half = b.ashr(exponent, 1)
    value = b.mul(b.mul(value, power_of_two(b, half)), power_of_two(b, b.sub(exponent, half)))
    # x < y: the remainder is x itself, and the loop above has not shifted it down to the exponent of y
    return b.select(b.compare("lt", x, y), x, value)


def _remainder(b: Builder, x: Reg, y: Reg) -> Reg:
    """C's fmod, exact, in float64: x - trunc(x/y) y with one correction, or long division where the quotient is huge."""
    fast, slow, join = b.fresh("fast"), b.fresh("slow"), b.fresh("join")
    n, d = b.fabs(x), b.fabs(y)
    quotient = b.div(n, d)
    whole = trunc(b, quotient)
    hi, lo = two_product(b, whole, d)
    rest = b.sub(b.sub(n, hi), lo)
    rest = b.select(b.compare("lt", rest, 0.0), b.add(rest, d), rest)
    rest = b.select(b.compare("ge", rest, d), b.sub(rest, d), rest)
    rest = b.select(b.compare("lt", n, d), n, rest)
    hard = b.compare("ge", quotient, 2.0**52)
    # products this small or large lose their low part
    hard = b.or_(hard, b.or_(b.compare("lt", d, 2.0**-900), b.compare("gt", n, 2.0**990)))
    b.line(f"br label %{fast}")
    b.label(fast)
    b.line(f"br i1 {any_lane(b, hard).text}, label %{slow}, label %{join}")
    b.label(slow)
    long = b.select(hard, _long_division(b, n, d), rest)
    last = next(line[:-1] for line in reversed(b.lines) if line.endswith(":"))
    b.line(f"br label %{join}")
    b.label(join)
    rest = merge(b, "float64", (rest, fast), (long, last))
    undefined = b.or_(b.compare("eq", n, float("inf")), b.compare("eq", d, 0.0))
    rest = b.select(b.or_(undefined, b.compare("uno", x, y)), float("nan"), rest)
    return b.copysign(rest, x)


remainder = through_double(outlined("remainder", _remainder))


def mod(b: Builder, x: Reg, y: Reg) -> Reg:
    """x - floor(x/y) y: the sign of y, exact for floats except for the last addition."""
    if x.dtype not in FLOATS:
        return _floored(b, x, y)[1]
    rest = remainder(b, x, y)
    differ = b.xor(b.compare("lt", rest, 0.0), b.compare("lt", y, 0.0))
    moved = b.select(differ, b.add(rest, y), rest)
    zero = b.compare("eq", rest, 0.0)
    result = b.select(zero, b.copysign(b.const(0.0, x.dtype), y), moved)
    return b.select(b.compare("eq", y, 0.0), float("nan"), result)


def floor_div(b: Builder, x: Reg, y: Reg) -> Reg:
    """floor(x/y), for floats in the steps of NumPy (and Python): (x - fmod(x, y)) / y, corrected and rounded."""
    if x.dtype not in FLOATS:
        return _floored(b, x, y)[0]
    rest = remainder(b, x, y)
    quotient = b.div(b.sub(x, rest), y)
    differ = b.xor(b.compare("lt", rest, 0.0), b.compare("lt", y, 0.0))
    differ = b.and_(differ, b.compare("une", rest, 0.0))
    quotient = b.select(differ, b.sub(quotient, 1.0), quotient)
    low = floor(b, quotient)
    low = b.select(b.compare("gt", b.sub(quotient, low), 0.5), b.add(low, 1.0), low)
    ratio = b.div(x, y)
    low = b.select(b.compare("eq", quotient, 0.0), b.copysign(b.const(0.0, x.dtype), ratio), low)
    return b.select(b.compare("eq", y, 0.0), ratio, low)


# shifts: a count outside 0 .. width-1 shifts everything out, as in NumPy


def _inside(b: Builder, x: Reg, count: Reg) -> tuple[Reg, Reg]:
    unsigned = Reg(count.text, f"uint{BITS[x.dtype]}")
    inside = b.compare("lt", unsigned, BITS[x.dtype])
    return inside, b.select(inside, count, 0)


def left_shift(b: Builder, x: Reg, count: Reg) -> Reg:
    """x 2^count modulo 2^bits."""
    inside, safe = _inside(b, x, count)
    return b.select(inside, b.shl(x, safe), 0)


def right_shift(b: Builder, x: Reg, count: Reg) -> Reg:
    """floor(x / 2^count)."""
    inside, safe = _inside(b, x, count)
    if x.dtype in UNSIGNED:
        return b.select(inside, b.lshr(x, safe), 0)
    return b.select(inside, b.ashr(x, safe), b.ashr(x, BITS[x.dtype] - 1))


# conversion


def cast(b: Builder, x: Reg, dtype: str) -> Reg:
    """x as another dtype: floats to integers truncate and saturate (NaN gives 0), anything to bool is != 0."""
    if x.dtype == dtype:
        return x
    if dtype == "bool":
        return b.compare("ne", x, 0)
    source, target = x.dtype in FLOATS, dtype in FLOATS
    if source and target:
        return b.convert("fpext" if dtype == "float64" else "fptrunc", x, dtype)
    if target and x.dtype == "bool" and b.lanes:  # of vectors with masks LLVM would convert an integer
        return b.select(x, b.const(1.0, dtype), b.const(0.0, dtype))
    if target:
        return b.convert("uitofp" if x.dtype in UNSIGNED else "sitofp", x, dtype)
    if source:
        return _saturated(b, x, dtype)
    if BITS[dtype] <= BITS[x.dtype]:
        return b.convert("trunc", x, dtype)
    return b.convert("zext" if x.dtype in UNSIGNED else "sext", x, dtype)


def _saturated(b: Builder, x: Reg, dtype: str) -> Reg:
    """x toward 0, but no less and no more than an integer of the dtype; 0 for NaN."""
    name = "fptoui" if dtype in UNSIGNED else "fptosi"
    if not b.lanes:
        return b.intrinsic(f"llvm.{name}.sat.{b.suffix(dtype)}.{b.suffix(x.dtype)}", x, dtype=dtype)
    # of vectors LLVM would take lane by lane, with branches
    size = BITS[dtype] - (dtype not in UNSIGNED)
    least, end, digits = 0.0 if dtype in UNSIGNED else -(2.0**size), 2.0**size, FORMAT[x.dtype].fraction + 1
    most = end - max(1.0, 2.0 ** (size - digits))  # the last float whose integer there is
    held = b.select(b.compare("gt", x, least), x, least)  # least if NaN
    found = b.convert(name, b.select(b.compare("lt", held, most), held, most), dtype)
    if size > digits:
        found = b.select(b.compare("ge", x, end), 2**size - 1, found)
    return found if dtype in UNSIGNED else b.select(b.compare("uno", x, x), 0, found)


# rounding: one instruction where `fused` promises one, else by adding 2^fraction, which leaves no room for a fraction


def _rounded(b: Builder, x: Reg) -> tuple[Reg, Reg, Reg]:
    """|x| and its nearest integer, and whether x has a fraction at all."""
    limit = 2.0**52 if x.dtype == "float64" else 2.0**23
    size = b.fabs(x)
    return size, b.sub(b.add(size, limit), limit), b.compare("lt", size, limit)


def round_half_even(b: Builder, x: Reg) -> Reg:
    """The nearest integer, of two equally near the even one."""
    if b.fused:
        return b.intrinsic("rint", x)
    _, near, small = _rounded(b, x)
    return b.select(small, b.copysign(near, x), x)


def trunc(b: Builder, x: Reg) -> Reg:
    """The nearest integer toward 0."""
    if b.fused:
        return b.intrinsic("trunc", x)
    size, near, small = _rounded(b, x)
    near = b.select(b.compare("gt", near, size), b.sub(near, 1.0), near)
    return b.select(small, b.copysign(near, x), x)


def floor(b: Builder, x: Reg) -> Reg:
    """The largest integer <= x."""
    if b.fused:
        return b.intrinsic("floor", x)
    near = round_half_even(b, x)
    return b.copysign(b.select(b.compare("gt", near, x), b.sub(near, 1.0), near), x)


def ceil(b: Builder, x: Reg) -> Reg:
    """The smallest integer >= x."""
    if b.fused:
        return b.intrinsic("ceil", x)
    near = round_half_even(b, x)
    return b.copysign(b.select(b.compare("lt", near, x), b.add(near, 1.0), near), x)


def isnan(b: Builder, x: Reg) -> Reg:
    """Whether x is not a number."""
    return b.compare("uno", x, x)
