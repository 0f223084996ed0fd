"""sin, cos and tan: x = n pi/2 + r with four limbs of pi/2, then a table of sin and cos and two short series.

Arguments of 2^30 and more are reduced with integers of 320 bits (Payne and Hanek 1983), one lane after the other; beyond
the range of float64 there is no answer: NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import factorial

from symdl.backends.builder import Builder, Reg, hexadecimal
from symdl.backends.vmath.arithmetic import round_half_even
from symdl.backends.vmath.forms import Pair, any_lane, fast_two_sum, merge, polynomial, two_product, two_sum
from symdl.backends.wide import arithmetic as a
from symdl.backends.wide import numbers, pairs, tables
from symdl.backends.wide.numbers import MAGIC, Number

FAR = 2.0**30
TINY = -60.0  # an exponent below which x^3 is nothing beside x
SIN = tuple(Fraction((-1) ** k, factorial(2 * k + 1)) for k in range(1, 7))  # (sin d - d)/d^3 in d^2, |d| <= 1/64
COS = tuple(Fraction((-1) ** k, factorial(2 * k)) for k in range(1, 7))  # (cos d - 1)/d^2
WIDTH = 320  # bits of the product with 2/pi: two before the point

# {n, high, low, third} of h + l; the fraction is right to 2^-260
# (through memory: NVPTX of LLVM 20 returns no integer of more than 128 bits, and ends the process)
REDUCTION = """define internal void @symdl_turns(ptr %out, double %x) noinline nounwind {{
  %bits = bitcast double %x to i64
  %field = lshr i64 %bits, 52
  %exponent = and i64 %field, 2047
  %low = and i64 %bits, 4503599627370495
  %normal = or i64 %low, 4503599627370496
  %zero = icmp eq i64 %exponent, 0
  %m = select i1 %zero, i64 0, i64 %normal
  %k = sub i64 {first}, %exponent
  %byte = lshr i64 %k, 3
  %p = getelementptr i8, ptr @symdl_two_over_pi_bits, i64 %byte
  %word = load i{more}, ptr %p, align 1
  %rest = and i64 %k, 7
  %shift = zext i64 %rest to i{more}
  %moved = lshr i{more} %word, %shift
  %window = trunc i{more} %moved to i{w}
  %factor = zext i64 %m to i{w}
  %product = mul i{w} %window, %factor
  %minus = sub i{w} 0, %product
  %negative = icmp slt i64 %bits, 0
  %turns = select i1 %negative, i{w} %minus, i{w} %product
  store i{w} %turns, ptr %out, align 8
  ret void
}}
define internal {{ double, double, double, double }} @symdl_far_angle(double %h, double %l) noinline nounwind {{
  %ap = alloca i{w}, align 8
  %bp = alloca i{w}, align 8
  call void @symdl_turns(ptr %ap, double %h)
  call void @symdl_turns(ptr %bp, double %l)
  %a = load i{w}, ptr %ap, align 8
  %b = load i{w}, ptr %bp, align 8
  %turns = add i{w} %a, %b
  %fraction = shl i{w} %turns, 2
  %q = lshr i{w} %turns, {top}
  %up = lshr i{w} %fraction, {last}
  %quadrant = add i{w} %q, %up
  %n64 = trunc i{w} %quadrant to i64
  %n = uitofp i64 %n64 to double
  %negative = icmp slt i{w} %fraction, 0
  %minus = sub i{w} 0, %fraction
  %size = select i1 %negative, i{w} %minus, i{w} %fraction
  %zeros = call i{w} @llvm.ctlz.i{w}(i{w} %size, i1 false)
  %limit = call i{w} @llvm.umin.i{w}(i{w} %zeros, i{w} {last})
  %high = shl i{w} %size, %limit
  %sign = select i1 %negative, double -1.0, double 1.0
  %z = trunc i{w} %limit to i64
  %field = sub i64 1023, %z
  %pattern = shl i64 %field, 52
  %power = bitcast i64 %pattern to double
  %unit = fmul double %power, %sign
{parts}
  %r0 = insertvalue {{ double, double, double, double }} poison, double %n, 0
  %r1 = insertvalue {{ double, double, double, double }} %r0, double %v0, 1
  %r2 = insertvalue {{ double, double, double, double }} %r1, double %v1, 2
  %r3 = insertvalue {{ double, double, double, double }} %r2, double %v2, 3
  ret {{ double, double, double, double }} %r3
}}"""


def _far_function(b: Builder) -> None:
    """Declare the reduction of large arguments."""
    largest = tables.TURNS - 2 + 1075  # bits below the window for an exponent field of 0
    first = largest - (WIDTH - 4)
    data = tables.two_over_pi().to_bytes(first // 8 + (WIDTH + 64) // 8 + 8, "little")
    b.declarations.add(
        f"@symdl_two_over_pi_bits = internal constant [{len(data)} x i8] [{', '.join(f'i8 {x}' for x in data)}]"
    )
    parts = []
    for k in range(3):
        parts += [
            f"  %s{k} = lshr i{WIDTH} %high, {WIDTH - 53 * (k + 1)}",
            f"  %t{k} = trunc i{WIDTH} %s{k} to i64",
            f"  %m{k} = and i64 %t{k}, {(1 << 53) - 1}",
            f"  %f{k} = uitofp i64 %m{k} to double",
            f"  %u{k} = fmul double %f{k}, {hexadecimal(2.0 ** -(53 * (k + 1)), 'float64')}",
            f"  %v{k} = fmul double %u{k}, %unit",
        ]
    b.declarations.add(
        REDUCTION.format(w=WIDTH, more=WIDTH + 64, first=first, top=WIDTH - 2, last=WIDTH - 1, parts="\n".join(parts))
    )
    for name in ("ctlz", "umin"):
        second = "i1" if name == "ctlz" else f"i{WIDTH}"
        b.declarations.add(f"declare i{WIDTH} @llvm.{name}.i{WIDTH}(i{WIDTH}, {second})")


def _near(b: Builder, x: Pair) -> tuple[Reg, Pair]:
    """(n, r) for |x| < 2^30, r right to 2^-104 of itself as long as it is above 2^-75, else to 2^-180."""
    unit = tables.limbs(tables.pi() // 2, 4)
    n = round_half_even(b, b.mul(x[0], 1.0 / unit[0]))
    (p1, q1), (p2, q2), (p3, q3) = (two_product(b, n, b.const(u, "float64")) for u in unit[:3])
    s, e1 = two_sum(b, b.sub(x[0], p1), b.fneg(q1))
    s, e2 = two_sum(b, s, b.fneg(p2))
    s, e3 = two_sum(b, s, x[1])
    t, f1 = two_sum(b, e1, e2)
    t, f2 = two_sum(b, t, e3)
    t, f3 = two_sum(b, t, b.fneg(q2))
    t, f4 = two_sum(b, t, b.fneg(p3))
    rest = b.sub(b.add(b.add(f1, f2), b.add(f3, f4)), b.fma(n, unit[3], q3))
    high, low = two_sum(b, s, t)
    low, rest = two_sum(b, low, rest)
    high, low = fast_two_sum(b, high, low)
    return n, fast_two_sum(b, high, b.add(low, rest))


def _far(b: Builder, x: Pair) -> tuple[Reg, Pair]:
    """(n, r) for any x."""
    _far_function(b)
    kind = "{ double, double, double, double }"
    found = [Reg("poison", "float64")] * 4
    for k in range(max(b.lanes, 1)):
        high, low = x[0].text, x[1].text
        if b.lanes:
            vector = b.type("float64")
            high = b.emit(f"extractelement {vector} {high}, i32 {k}", "float64").text
            low = b.emit(f"extractelement {vector} {low}, i32 {k}", "float64").text
        result = b.emit(f"call {kind} @symdl_far_angle(double {high}, double {low})", "float64").text
        for limb in range(4):
            one = b.emit(f"extractvalue {kind} {result}, {limb}", "float64")
            if b.lanes:
                one = b.emit(
                    f"insertelement {b.type('float64')} {found[limb].text}, double {one.text}, i32 {k}", "float64"
                )
            found[limb] = one
    n, high_, low_, third = found
    fraction = fast_two_sum(b, high_, b.add(low_, third))
    half_pi = pairs.constant(b, tables.two(tables.pi() // 2))
    return n, pairs.times(b, fraction, half_pi)


def _reduced(b: Builder, x: Pair) -> tuple[Reg, Pair]:
    """(n, r): the reduction that fits, per lane; that of large arguments only if some lane needs it. Opens blocks."""
    start, far_label, join = b.fresh("start"), b.fresh("far"), b.fresh("join")
    b.line(f"br label %{start}")
    b.label(start)
    finite = b.compare("lt", b.fabs(x[0]), float("inf"))
    x = b.select(finite, x[0], 0.0), b.select(finite, x[1], 0.0)
    n, r = _near(b, x)
    far = b.compare("ge", b.fabs(x[0]), FAR)
    b.line(f"br i1 {any_lane(b, far).text}, label %{far_label}, label %{join}")
    b.label(far_label)
    m, s = _far(b, x)
    other = (b.select(far, m, n), *pairs.choose(b, far, s, r))
    b.line(f"br label %{join}")
    b.label(join)
    n, *r_ = (merge(b, "float64", (v, start), (w, far_label)) for v, w in zip((n, *r), other, strict=True))
    return n, (b.select(finite, r_[0], float("nan")), r_[1])


def turned(b: Builder, n: Reg, r: Pair, wanted: tuple[int, ...]) -> list[Pair]:
    """sin((n + k) pi/2 + r) for every k wanted, |r| <= 0.8."""
    size = a.pair_absolute(b, r)
    j = round_half_even(b, b.mul(size[0], float(tables.ANGLE)))
    d = fast_two_sum(b, b.sub(size[0], b.mul(j, 1.0 / tables.ANGLE)), size[1])
    index = b.and_(b.bits(b.add(b.select(b.compare("eq", j, j), j, 0.0), MAGIC)), 0x1F)
    sh, sl, ch, cl = tables.lookup(b, tables.table(b, "angles", tables.angles()), index, 4, 4)
    z = pairs.times(b, d, d)
    sine = pairs.horner(b, z, tuple(map(tables.pair, SIN[:3])), polynomial(b, z[0], tuple(map(float, SIN[3:]))))
    sine = pairs.plus(b, d, pairs.times(b, pairs.times(b, d, z), sine))
    less = pairs.horner(b, z, tuple(map(tables.pair, COS[:3])), polynomial(b, z[0], tuple(map(float, COS[3:]))))
    less = pairs.times(b, z, less)
    turns = b.bits(b.add(b.select(b.compare("lt", b.fabs(n), 2.0**50), n, 0.0), MAGIC))
    out = []
    for k in wanted:
        quadrant = b.add(turns, k) if k else turns
        odd = b.compare("ne", b.and_(quadrant, 1), 0)
        minus = b.compare("ne", b.and_(quadrant, 2), 0)
        u = pairs.choose(b, odd, (ch, cl), (sh, sl))
        v = pairs.choose(b, odd, pairs.negative(b, (sh, sl)), (ch, cl))
        rest = pairs.plus(b, pairs.times(b, u, less), pairs.times(b, v, sine))
        value = pairs.plus(b, u, rest)
        minus = b.xor(minus, b.and_(b.not_(odd), b.compare("lt", r[0], 0.0)))
        out.append(pairs.choose(b, minus, pairs.negative(b, value), value))
    return out


def _on_numbers(emit: Callable[[Builder, Pair], Pair], odd: bool) -> Callable[[Builder, Number], Number]:
    """The function on a number with an exponent; odd: x itself where it is tiny."""

    def call(b: Builder, x: Number) -> Number:
        argument = numbers.ordinary(b, x)
        value = emit(b, argument)
        found = numbers.normal(b, Number(*value, b.const(0.0, "float64"), 1), True)
        return a.choose(b, b.compare("lt", x.exponent, TINY), x, found) if odd else found

    return call


def _on_pairs(emit: Callable[[Builder, Pair], Pair], odd: bool) -> Callable[[Builder, Pair], Pair]:
    def call(b: Builder, x: Pair) -> Pair:
        value = pairs.settled(b, emit_plain(b, x), emit(b, x))
        return pairs.choose(b, b.compare("lt", b.fabs(x[0]), 2.0**-60), x, value) if odd else value

    def emit_plain(b: Builder, x: Pair) -> Reg:
        """What stands where the value is 0 or NaN."""
        return b.mul(b.sub(x[0], x[0]), 0.0)

    return call


def _sin(b: Builder, x: Pair) -> Pair:
    return turned(b, *_reduced(b, x), (0,))[0]


def _cos(b: Builder, x: Pair) -> Pair:
    return turned(b, *_reduced(b, x), (1,))[0]


def _tan(b: Builder, x: Pair) -> Pair:
    s, c = turned(b, *_reduced(b, x), (0, 1))
    return pairs.over(b, s, c)


sin, cos, tan = _on_numbers(_sin, True), _on_numbers(_cos, False), _on_numbers(_tan, True)
pair_sin, pair_cos, pair_tan = _on_pairs(_sin, True), _on_pairs(_cos, False), _on_pairs(_tan, True)
