"""Comparisons of balls, truth values and choices by them as LLVM IR, in the way of `balls.arithmetic`.

A truth value is 1, 0 or unknown.
"""

from __future__ import annotations

from symdl.backends.balls.arithmetic import GIVEN, HEAD, read, write
from symdl.backends.balls.numbers import EXACT, INEXACT, LOST, UNKNOWN, ZERO


def _connective(name: str, deciding: str, comparison: str, otherwise: str) -> str:
    """Of two truth values, either of which decides alone where it is known and as the comparison with 0 says."""
    return f"""define internal void @ball.{name}{HEAD}
{read("x", "b")}
{read("y", "b")}
  %x.{deciding} = icmp {comparison} i256 %x.m, 0
  %y.{deciding} = icmp {comparison} i256 %y.m, 0
  %x.known = icmp slt i64 %x.b, {LOST}
  %y.known = icmp slt i64 %y.b, {LOST}
  %x.decides = and i1 %x.known, %x.{deciding}
  %y.decides = and i1 %y.known, %y.{deciding}
  %decided = or i1 %x.decides, %y.decides
  %by = select i1 %x.decides, ptr %x, ptr %y
  br i1 %decided, label %one, label %both
one:
  call void @ball.copy(ptr %out, ptr %by, ptr %y, ptr %z)
  ret void
both:
  call void @ball.{otherwise}(ptr %out, ptr %x, ptr %y, ptr %z)
  ret void
}}"""


TEXT = (
    f"""
; 1, 0, -1 as x is above, at or below y; 2 where that is not known.
define internal i64 @order(ptr %x, ptr %y) noinline nounwind {{
  %d = alloca [8 x i64], align 16
  call void @ball.sub(ptr %d, ptr %x, ptr %y, ptr null)
{read("d")}
  %exact = icmp slt i64 %d.b, {INEXACT}
  %zero = icmp eq i256 %d.m, 0
  %clear = icmp slt i64 %d.b, %d.e
  %twice = shl i64 %d.s, 1
  %sign = sub i64 1, %twice
  %away = select i1 %zero, i64 0, i64 %sign
  %known.0 = or i1 %exact, %clear
  %unequal = xor i1 %zero, true
  %near = and i1 %clear, %unequal
  %known = or i1 %exact, %near
  %out = select i1 %known, i64 %away, i64 2
  ret i64 %out
}}

; 1 or 0, of a truth value; or unknown.
define internal void @truth(ptr %out, i1 %yes, i1 %known) noinline nounwind {{
entry:
  %m = select i1 %yes, i256 {1 << 255}, i256 0
  %e = select i1 %yes, i64 0, i64 {ZERO}
  %b = select i1 %known, i64 {EXACT}, i64 {UNKNOWN}
{write("%m", "%e", "%b", "0")}
  ret void
}}

; One of the two, where both may be it: the error then spans the other.
define internal void @either(ptr %out, ptr %x, ptr %y) noinline nounwind {{
  %apart = alloca [8 x i64], align 16
  call void @ball.sub(ptr %apart, ptr %x, ptr %y, ptr null)
{read("apart", "e", "b")}
{read("x")}
  %more.0 = call i64 @llvm.smax.i64(i64 %apart.e, i64 %apart.b)
  %more = add i64 %more.0, 1
  %b = call i64 @both(i64 %x.b, i64 %more)
{write("%x.m", "%x.e", "%b", "%x.s")}
  ret void
}}

; What is false and unknown is false ...
{_connective("bitwise_and", "none", "eq", "mul")}

; ... and what is true or unknown is true.
{_connective("bitwise_or", "some", "ne", "maximum")}

define internal void @ball.invert{HEAD}
{read("x")}
  %none = icmp eq i256 %x.m, 0
  %known = icmp slt i64 %x.b, {LOST}
  call void @truth(ptr %out, i1 %none, i1 %known)
  ret void
}}

; Whether a number is none: what comes in is one, or unknown.
define internal void @ball.isnan{HEAD}
{read("x", "b")}
  %known = icmp slt i64 %x.b, {LOST}
  call void @truth(ptr %out, i1 false, i1 %known)
  ret void
}}
"""
    + "".join(
        f"""
define internal void @ball.{name}{HEAD}
{read("x")}
  %far = icmp sgt i64 %x.b, {LOST}
  %none = icmp eq i256 %x.m, 0
  %chosen = select i1 %none, ptr %z, ptr %y
  br i1 %far, label %unknown, label %known
unknown:
  call void @{unknown}
  ret void
known:
  call void @ball.copy(ptr %out, ptr %chosen, ptr %y, ptr %z)
  ret void
}}
"""
        for name, unknown in (("where", "either(ptr %out, ptr %y, ptr %z)"), ("where_bool", f"ball.unknown{GIVEN}"))
    )
    + "".join(
        f"""
define internal void @ball.{name}{HEAD}
  %order = call i64 @order(ptr %x, ptr %y)
  %known = icmp ne i64 %order, 2
  %yes = icmp {predicate} i64 %order, 0
  call void @truth(ptr %out, i1 %yes, i1 %known)
  ret void
}}
"""
        for name, predicate in (("eq", "eq"), ("ne", "ne"), ("lt", "slt"), ("le", "sle"), ("gt", "sgt"), ("ge", "sge"))
    )
    + "".join(
        f"""
define internal void @ball.{name}{HEAD}
  %order = call i64 @order(ptr %x, ptr %y)
  %unclear = icmp eq i64 %order, 2
  br i1 %unclear, label %either, label %clear
either:
  call void @either(ptr %out, ptr %x, ptr %y)
  ret void
clear:
  %first = icmp {predicate} i64 %order, 0
  %chosen = select i1 %first, ptr %x, ptr %y
  call void @ball.copy(ptr %out, ptr %chosen, ptr %y, ptr %z)
  ret void
}}
"""
        for name, predicate in (("maximum", "sge"), ("minimum", "sle"))
    )
)
