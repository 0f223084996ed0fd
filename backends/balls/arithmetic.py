"""Arithmetic of balls as LLVM IR: void @ball.NAME(ptr out, ptr x, ptr y, ptr z), errors carried along.

Results are truncated to 256 bits. An operation reads all of its operands before it writes, so out may be one of them.
"""

from __future__ import annotations

from symdl.backends.balls.numbers import BITS, ERROR, EXACT, EXPONENT, INEXACT, LOST, NEGATIVE, UNKNOWN, ZERO

GIVEN = "(ptr %out, ptr %x, ptr %y, ptr %z)"
HEAD = f"{GIVEN} noinline nounwind {{\nentry:"


def read(name: str, *fields: str) -> str:
    """Registers %NAME.m, .e, .b, .s of a ball: mantissa, exponent, error, sign."""
    at = {"e": EXPONENT, "b": ERROR, "s": NEGATIVE}
    lines = [f"  %{name}.m = load i256, ptr %{name}, align 8"]
    for field in fields or at:
        lines.append(f"  %{name}.p{field} = getelementptr i8, ptr %{name}, i64 {at[field]}")
        lines.append(f"  %{name}.{field} = load i64, ptr %{name}.p{field}")
    return "\n".join(lines)


def write(m: str, e: str, b: str, s: str, at: str = "w") -> str:
    """Store what a ball is made of in %out; at: begins the names of the places."""
    return f"""  store i256 {m}, ptr %out, align 8
  %{at}.e = getelementptr i8, ptr %out, i64 {EXPONENT}
  store i64 {e}, ptr %{at}.e
  %{at}.b = getelementptr i8, ptr %out, i64 {ERROR}
  store i64 {b}, ptr %{at}.b
  %{at}.s = getelementptr i8, ptr %out, i64 {NEGATIVE}
  store i64 {s}, ptr %{at}.s"""


# From the last of n + 1 constants at %c on, one for each round until %end; %one is where it stands.
HORNER = """  %start.at = mul i64 %n, 64
  %start = getelementptr i8, ptr %c, i64 %start.at
  call void @ball.copy(ptr %out, ptr %start, ptr null, ptr null)
  br label %next
next:
  %k = phi i64 [ %n, %entry ], [ %k1, %more ]
  %left = icmp sgt i64 %k, 0
  br i1 %left, label %more, label %end
more:
  %k1 = sub i64 %k, 1
  %at = mul i64 %k1, 64
  %one = getelementptr i8, ptr %c, i64 %at"""

TEXT = f"""
declare i512 @llvm.ctlz.i512(i512, i1)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare double @llvm.rint.f64(double)

; The error of a sum of two errors.
define internal i64 @both(i64 %a, i64 %b) nounwind {{
  %more = call i64 @llvm.smax.i64(i64 %a, i64 %b)
  %less = call i64 @llvm.smin.i64(i64 %a, i64 %b)
  %one = icmp slt i64 %less, {INEXACT}
  %next = add i64 %more, 1
  %sum = select i1 %one, i64 %more, i64 %next
  %far = icmp sgt i64 %sum, {LOST}
  %out = select i1 %far, i64 {UNKNOWN}, i64 %sum
  ret i64 %out
}}

; An error times what is below 2^by; none stays none.
define internal i64 @scaled(i64 %b, i64 %by) nounwind {{
  %none = icmp slt i64 %b, {INEXACT}
  %sum = add i64 %b, %by
  %out = select i1 %none, i64 {EXACT}, i64 %sum
  ret i64 %out
}}

define internal void @ball.unknown{HEAD}
{write("0", str(ZERO), str(UNKNOWN), "0")}
  ret void
}}

; The ball of a mantissa whose bit 511 is worth 2^top.
define internal void @finish(ptr %out, i512 %wide, i64 %top, i64 %b, i64 %s) noinline nounwind {{
entry:
  %none = icmp eq i512 %wide, 0
  br i1 %none, label %zero, label %some
zero:
{write("0", str(ZERO), "%b", "0", "z")}
  ret void
some:
  %gap = call i512 @llvm.ctlz.i512(i512 %wide, i1 true)
  %shifted = shl i512 %wide, %gap
  %high = lshr i512 %shifted, {BITS}
  %m = trunc i512 %high to i256
  %low = trunc i512 %shifted to i256
  %gap64 = trunc i512 %gap to i64
  %e = sub i64 %top, %gap64
  %exact = icmp eq i256 %low, 0
  %ulp = sub i64 %e, {BITS - 1}
  %with = call i64 @both(i64 %b, i64 %ulp)
  %error = select i1 %exact, i64 %b, i64 %with
{write("%m", "%e", "%error", "%s")}
  ret void
}}

define internal void @ball.copy{HEAD}
{read("x")}
{write("%x.m", "%x.e", "%x.b", "%x.s")}
  ret void
}}

; The centre of a ball, as an exact number.
define internal void @ball.centre{HEAD}
{read("x")}
{write("%x.m", "%x.e", str(EXACT), "%x.s")}
  ret void
}}

; x with the sign of y as a factor.
define internal void @ball.signed{HEAD}
{read("x")}
{read("y", "s")}
  %s = xor i64 %x.s, %y.s
{write("%x.m", "%x.e", "%x.b", "%s")}
  ret void
}}

; A root s = sqrt(y), 2^k at least, with the error that it has from y's and from being rounded.
define internal void @ball.blurred(ptr %out, ptr %x, ptr %y, i64 %k) noinline nounwind {{
{read("x")}
{read("y", "b")}
  %less = sub i64 0, %k
  %given = call i64 @scaled(i64 %y.b, i64 %less)
  %own = sub i64 %k, {BITS - 6}
  %b = call i64 @both(i64 %given, i64 %own)
{write("%x.m", "%x.e", "%b", "%x.s")}
  ret void
}}

define internal void @ball.neg{HEAD}
{read("x")}
  %s = xor i64 %x.s, 1
{write("%x.m", "%x.e", "%x.b", "%s")}
  ret void
}}

define internal void @ball.abs{HEAD}
{read("x")}
{write("%x.m", "%x.e", "%x.b", "0")}
  ret void
}}

; x 2^n
define internal void @ball.scale(ptr %out, ptr %x, i64 %n) noinline nounwind {{
{read("x")}
  %none = icmp eq i256 %x.m, 0
  %moved = add i64 %x.e, %n
  %e = select i1 %none, i64 {ZERO}, i64 %moved
  %b = call i64 @scaled(i64 %x.b, i64 %n)
{write("%x.m", "%e", "%b", "%x.s")}
  ret void
}}

define internal void @ball.add{HEAD}
{read("x")}
{read("y")}
  call void @sum(ptr %out, i256 %x.m, i64 %x.e, i64 %x.b, i64 %x.s, i256 %y.m, i64 %y.e, i64 %y.b, i64 %y.s)
  ret void
}}

define internal void @ball.sub{HEAD}
{read("x")}
{read("y")}
  %s = xor i64 %y.s, 1
  call void @sum(ptr %out, i256 %x.m, i64 %x.e, i64 %x.b, i64 %x.s, i256 %y.m, i64 %y.e, i64 %y.b, i64 %s)
  ret void
}}

define internal void @sum(ptr %out, i256 %p.m, i64 %p.e, i64 %p.b, i64 %p.s, i256 %q.m, i64 %q.e, i64 %q.b, i64 %q.s) noinline nounwind {{
entry:
  %b = call i64 @both(i64 %p.b, i64 %q.b)
  %less = icmp slt i64 %p.e, %q.e
  %x.m = select i1 %less, i256 %q.m, i256 %p.m
  %y.m = select i1 %less, i256 %p.m, i256 %q.m
  %x.e = select i1 %less, i64 %q.e, i64 %p.e
  %y.e = select i1 %less, i64 %p.e, i64 %q.e
  %x.s = select i1 %less, i64 %q.s, i64 %p.s
  %y.s = select i1 %less, i64 %p.s, i64 %q.s
  %alone = icmp eq i256 %y.m, 0
  br i1 %alone, label %one, label %two
one:
{write("%x.m", "%x.e", "%b", "%x.s", "o")}
  ret void
two:
  %apart = sub i64 %x.e, %y.e
  %near = icmp sle i64 %apart, {BITS - 1}
  %within = call i64 @llvm.smin.i64(i64 %apart, i64 511)
  %by = zext i64 %within to i512
  %x.w = zext i256 %x.m to i512
  %y.w = zext i256 %y.m to i512
  %x.h = shl i512 %x.w, {BITS - 1}
  %y.h = shl i512 %y.w, {BITS - 1}
  %y.t = lshr i512 %y.h, %by
  %lost = select i1 %near, i512 0, i512 1 ; what may have been shifted out
  %y.l = or i512 %y.t, %lost
  %same = icmp eq i64 %x.s, %y.s
  %minus = sub i512 0, %y.l
  %other = select i1 %same, i512 %y.l, i512 %minus
  %sum = add i512 %x.h, %other
  %below = icmp slt i512 %sum, 0
  %turn = select i1 %same, i1 false, i1 %below
  %opposite = sub i512 0, %sum
  %size = select i1 %turn, i512 %opposite, i512 %sum
  %turned = xor i64 %x.s, 1
  %s = select i1 %turn, i64 %turned, i64 %x.s
  %top = add i64 %x.e, 1
  call void @finish(ptr %out, i512 %size, i64 %top, i64 %b, i64 %s)
  ret void
}}

define internal void @ball.mul{HEAD}
{read("x")}
{read("y")}
  %worst = call i64 @both(i64 %x.b, i64 %y.b)
  %far = icmp sgt i64 %worst, {LOST}
  br i1 %far, label %unknown, label %known
unknown:
  call void @ball.unknown(ptr %out, ptr %x, ptr %y, ptr %z)
  ret void
known:
  %x.above = add i64 %x.e, 1
  %y.above = add i64 %y.e, 1
  %first = call i64 @scaled(i64 %x.b, i64 %y.above)
  %second = call i64 @scaled(i64 %y.b, i64 %x.above)
  %one = call i64 @both(i64 %first, i64 %second)
  %x.exact = icmp slt i64 %x.b, {INEXACT}
  %product = call i64 @scaled(i64 %y.b, i64 %x.b)
  %third = select i1 %x.exact, i64 {EXACT}, i64 %product
  %b = call i64 @both(i64 %one, i64 %third)
  %s = xor i64 %x.s, %y.s
  %x.w = zext i256 %x.m to i512
  %y.w = zext i256 %y.m to i512
  %w = mul i512 %x.w, %y.w
  %sum = add i64 %x.e, %y.e
  %top = add i64 %sum, 1
  call void @finish(ptr %out, i512 %w, i64 %top, i64 %b, i64 %s)
  ret void
}}

; Twice floor(x 2^256 / y) of mantissas, y's first bit being set, and 1 more where there is a rest: by r = 2^511 / y, from float64's digits
; on by Newton's iteration (LLVM's own division of 512 bits goes bit by bit), which ends a few units beside it.
define internal i512 @quotient(i256 %x.m, i256 %y.m) noinline nounwind {{
entry:
  %x = zext i256 %x.m to i512
  %y = zext i256 %y.m to i512
  %high = lshr i256 %y.m, 192
  %top = trunc i256 %high to i64
  %divisor = uitofp i64 %top to double
  %near = fdiv double 0x4730000000000000, %divisor ; 2^116
  %digits = fptoui double %near to i64
  %first = zext i64 %digits to i512
  %start = shl i512 %first, 203
  br label %newton
newton:
  %r = phi i512 [ %start, %entry ], [ %r1, %newton ]
  %k = phi i64 [ 3, %entry ], [ %k1, %newton ]
  %product = mul i512 %y, %r
  %e = sub i512 {1 << 511}, %product
  %e.high = ashr i512 %e, 256
  %step.0 = mul i512 %r, %e.high
  %step = ashr i512 %step.0, 255
  %r1 = add i512 %r, %step
  %k1 = sub i64 %k, 1
  %done = icmp eq i64 %k1, 0
  br i1 %done, label %guess, label %newton
guess:
  %q.0 = mul i512 %x, %r1
  %guessed = lshr i512 %q.0, 255
  %x.h = shl i512 %x, 256
  %back = mul i512 %guessed, %y
  %left = sub i512 %x.h, %back
  br label %settle
settle:
  %q = phi i512 [ %guessed, %guess ], [ %q.less, %less ], [ %q.more, %more ]
  %rest = phi i512 [ %left, %guess ], [ %rest.less, %less ], [ %rest.more, %more ]
  %below = icmp slt i512 %rest, 0
  br i1 %below, label %less, label %high.enough
less:
  %q.less = sub i512 %q, 1
  %rest.less = add i512 %rest, %y
  br label %settle
high.enough:
  %above = icmp sge i512 %rest, %y
  br i1 %above, label %more, label %end
more:
  %q.more = add i512 %q, 1
  %rest.more = sub i512 %rest, %y
  br label %settle
end:
  %uneven = icmp ne i512 %rest, 0
  %sticky = zext i1 %uneven to i512
  %twice = shl i512 %q, 1
  %out = or i512 %twice, %sticky
  ret i512 %out
}}

define internal void @ball.true_div{HEAD}
{read("x")}
{read("y")}
  %worst = call i64 @both(i64 %x.b, i64 %y.b)
  %far = icmp sgt i64 %worst, {LOST}
  %least = sub i64 %y.e, 1
  %wide = icmp sge i64 %y.b, %least
  %none = icmp eq i256 %y.m, 0
  %bad.0 = or i1 %far, %wide
  %bad = or i1 %bad.0, %none
  br i1 %bad, label %unknown, label %known
unknown:
  call void @ball.unknown(ptr %out, ptr %x, ptr %y, ptr %z)
  ret void
known:
  %quotient = sub i64 %x.e, %y.e
  %over = sub i64 1, %y.e
  %twice = add i64 %over, %quotient
  %times = add i64 %twice, 1
  %first = call i64 @scaled(i64 %x.b, i64 %over)
  %second = call i64 @scaled(i64 %y.b, i64 %times)
  %b = call i64 @both(i64 %first, i64 %second)
  %s = xor i64 %x.s, %y.s
  %w = call i512 @quotient(i256 %x.m, i256 %y.m)
  %top = add i64 %quotient, {BITS - 2}
  call void @finish(ptr %out, i512 %w, i64 %top, i64 %b, i64 %s)
  ret void
}}

; c_n x^n + ... + c_0, the constants one after another.
define internal void @polynomial(ptr %out, ptr %x, ptr %c, i64 %n) noinline nounwind {{
entry:
{HORNER}
  call void @ball.mul(ptr %out, ptr %out, ptr %x, ptr null)
  call void @ball.add(ptr %out, ptr %out, ptr %one, ptr null)
  br label %next
end:
  ret void
}}

; The same of less than 2^10 numbers and an x that are all positive: each step is right to its own roundings, so nothing is
; gained by bounding their sum one by one.
define internal void @positive(ptr %out, ptr %x, ptr %c, i64 %n) noinline nounwind {{
entry:
  %centre = alloca [8 x i64], align 16
  call void @ball.centre(ptr %centre, ptr %x, ptr null, ptr null)
{HORNER}
  call void @ball.mul(ptr %out, ptr %out, ptr %centre, ptr null)
  call void @ball.add(ptr %out, ptr %out, ptr %one, ptr null)
  call void @ball.centre(ptr %out, ptr %out, ptr null, ptr null)
  br label %next
end:
{read("out", "e", "b")}
{read("x", "e", "b")}
  %ratio = sub i64 %out.e, %x.e
  %grown = add i64 %ratio, 12
  %given = call i64 @scaled(i64 %x.b, i64 %grown)
  %own = sub i64 %out.e, {BITS - 1 - 13}
  %b = call i64 @both(i64 %given, i64 %own)
  store i64 %b, ptr %out.pb
  ret void
}}

; The multiple of 2^k next to a ball's centre, toward 0, as an exact number.
define internal void @ball.coarse(ptr %out, ptr %x, i64 %k) noinline nounwind {{
entry:
{read("x", "e", "s")}
  %unit = sub i64 %k, %x.e
  %place = add i64 %unit, {BITS - 1}
  %some = icmp slt i64 %place, {BITS}
  br i1 %some, label %kept, label %none
kept:
  %least = call i64 @llvm.smax.i64(i64 %place, i64 0)
  %wide = zext i64 %least to i256
  %shifted = lshr i256 %x.m, %wide
  %m = shl i256 %shifted, %wide
{write("%m", "%x.e", str(EXACT), "%x.s")}
  ret void
none:
{write("0", str(ZERO), str(EXACT), "0", "n")}
  ret void
}}

; The whole number nearest to a ball's centre, of at most 2^62.
define internal i64 @whole(ptr %x) noinline nounwind {{
  %d = call double @ball.to_double(ptr %x)
  %near = call double @llvm.rint.f64(double %d)
  %small = fcmp ole double %near, 0x43D0000000000000
  %large = fcmp oge double %near, 0xC3D0000000000000
  %fits = and i1 %small, %large
  %kept = select i1 %fits, double %near, double 0.0
  %out = fptosi double %kept to i64
  ret i64 %out
}}

define internal void @ball.of_whole(ptr %out, i64 %n) noinline nounwind {{
  %below = icmp slt i64 %n, 0
  %minus = sub i64 0, %n
  %size = select i1 %below, i64 %minus, i64 %n
  %w = zext i64 %size to i512
  %s = zext i1 %below to i64
  call void @finish(ptr %out, i512 %w, i64 511, i64 {EXACT}, i64 %s)
  ret void
}}

define internal void @ball.of_double(ptr %out, double %x) noinline nounwind {{
entry:
  %bits = bitcast double %x to i64
  %field.0 = lshr i64 %bits, 52
  %field = and i64 %field.0, 2047
  %fraction = and i64 %bits, 4503599627370495
  %s = lshr i64 %bits, 63
  %finite = icmp ne i64 %field, 2047
  br i1 %finite, label %number, label %none
none:
  call void @ball.unknown(ptr %out, ptr null, ptr null, ptr null)
  ret void
number:
  %normal = icmp ne i64 %field, 0
  %leading = select i1 %normal, i64 4503599627370496, i64 0
  %whole = or i64 %fraction, %leading
  %power = call i64 @llvm.smax.i64(i64 %field, i64 1)
  %top = sub i64 %power, {1075 - 511}
  %w = zext i64 %whole to i512
  call void @finish(ptr %out, i512 %w, i64 %top, i64 {EXACT}, i64 %s)
  ret void
}}

define internal double @power_of_two(i64 %n) nounwind {{
  %field = add i64 %n, 1023
  %bits = shl i64 %field, 52
  %out = bitcast i64 %bits to double
  ret double %out
}}

; The nearest float64.
define internal double @ball.to_double(ptr %x) noinline nounwind {{
{read("x")}
  %high.w = lshr i256 %x.m, 192
  %high = trunc i256 %high.w to i64
  %low = trunc i256 %x.m to i192
  %uneven = icmp ne i192 %low, 0
  %sticky = zext i1 %uneven to i64
  %top = or i64 %high, %sticky
  %scaled = uitofp i64 %top to double
  %shift.0 = sub i64 %x.e, 63
  %shift.1 = call i64 @llvm.smax.i64(i64 %shift.0, i64 -1200)
  %shift = call i64 @llvm.smin.i64(i64 %shift.1, i64 1200)
  %half = ashr i64 %shift, 1
  %rest = sub i64 %shift, %half
  %first = call double @power_of_two(i64 %half)
  %second = call double @power_of_two(i64 %rest)
  %one = fmul double %scaled, %first
  %size = fmul double %one, %second
  %minus = fneg double %size
  %below = icmp ne i64 %x.s, 0
  %out = select i1 %below, double %minus, double %size
  ret double %out
}}
"""
