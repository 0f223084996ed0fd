"""The library that computes an element in balls: `balls`, which reads a tape (see `tapes`)."""

from __future__ import annotations

from functools import cache

from symdl.backends import vmath
from symdl.backends.balls import arithmetic, choices
from symdl.backends.balls.formula import Formula
from symdl.backends.balls.functions import FUNCTIONS
from symdl.backends.balls.numbers import BYTES, ERROR, EXPONENT, INEXACT
from symdl.backends.builder import Builder, Reg

ARITHMETIC = (
    "copy", "add", "sub", "mul", "true_div", "neg", "abs", "maximum", "minimum", "where", "where_bool", "eq", "ne", "lt", "le", "gt",
    "ge", "isnan", "bitwise_and", "bitwise_or", "invert",
)  # fmt: skip
NAMES = (*ARITHMETIC, *FUNCTIONS)  # by their numbers on a tape
KINDS = ("float64", "float32", "float64x2", "float64e", "float64x2e")  # of results
WANTED = {"float64": 58, "float32": 30, "float64x2": 80, "float64e": 58, "float64x2e": 80}  # digits that must be known
NEAR = ("log1p", "sqrt", "arctan", "erfinv")  # functions of float64 that formulas begin with
LIMB_COUNT = 3  # of a leaf: two limbs and an exponent
ENTRY = "symdl_balls"  # the name by which kernels know it
SIGNATURE = "(ptr %tape, ptr %leaves, i64 %leaf.lane, i64 %leaf.lanes, ptr %area, i64 %lane, i64 %lanes)"


@cache
def balls_text(triple: str = "", layout: str = "") -> str:
    """The module. A leaf is three vectors of `leaf.lanes` float64 (two limbs and an exponent), of which one lane is looked at;
    results stand in a lane of the area, limb after limb in vectors of `lanes`, and are replaced where their digits are known, or where
    they lie outside their balls: by the centre, or 0 if that is in the ball."""
    head = [f'target {name} = "{value}"' for name, value in (("triple", triple), ("datalayout", layout)) if value]
    near, declarations = [], set()
    for name in NEAR:
        b = Builder(fma=False)
        found = vmath.EMIT[name](b, Reg("%x", "float64"), dtype="float64")
        body = "\n".join(b.lines)
        near.append(
            f"define internal double @near.{name}(double %x) noinline nounwind {{\nentry:\n{body}\n  ret double {found.text}\n}}"
        )
        declarations |= b.declarations
    formulas = []
    for name, write in FUNCTIONS.items():
        f = Formula(name)
        formulas.append(f.text(write(f, "%x", "%y")))
    table = ", ".join(f"ptr @ball.{name}" for name in NAMES)
    names = f"@functions = internal constant [{len(NAMES)} x ptr] [{table}]"
    own = {line for line in arithmetic.TEXT.splitlines() if line.startswith("declare")}
    return (
        "\n".join(
            [
                *head,
                *sorted(declarations - own),
                names,
                arithmetic.TEXT,
                choices.TEXT,
                *near,
                *formulas,
                _storing(),
                _running(),
            ]
        )
        + "\n"
    )


def _storing() -> str:
    """void @stored(ball, kind, place, bytes between limbs): a result, if its digits are known or what stands there is wrong."""
    wanted = ", ".join(f"i64 {WANTED[kind]}" for kind in KINDS)
    return f"""
@wanted = internal constant [{len(KINDS)} x i64] [{wanted}]
@kinds = internal constant [{len(KINDS)} x ptr] [{", ".join(f"ptr @as.{kind}" for kind in KINDS)}]

define internal void @stored(ptr %x, i64 %kind, ptr %place, i64 %apart) noinline nounwind {{
entry:
  %e.at = getelementptr i8, ptr %x, i64 {EXPONENT}
  %e = load i64, ptr %e.at
  %b.at = getelementptr i8, ptr %x, i64 {ERROR}
  %b = load i64, ptr %b.at
  %digits.at = getelementptr i64, ptr @wanted, i64 %kind
  %digits = load i64, ptr %digits.at
  %most = sub i64 %e, %digits
  %exact = icmp slt i64 %b, {INEXACT}
  %enough = icmp sle i64 %b, %most
  %tiny.0 = icmp sle i64 %b, -1150
  %plain = icmp ule i64 %kind, 1
  %tiny = and i1 %tiny.0, %plain
  %known.0 = or i1 %exact, %enough
  %known = or i1 %known.0, %tiny
  br i1 %known, label %store, label %compare
compare:
  %kept = alloca [{BYTES} x i8], align 16
  call void @kept(ptr %kept, i64 %kind, ptr %place, i64 %apart)
  %order = call i64 @order(ptr %kept, ptr %x)
  %outside = icmp ne i64 %order, 2
  br i1 %outside, label %replace, label %end
replace:
  %clear = icmp slt i64 %b, %e
  br i1 %clear, label %store, label %nothing
nothing:
  call void @ball.of_double(ptr %kept, double 0.0)
  br label %store
store:
  %found = phi ptr [ %x, %entry ], [ %x, %replace ], [ %kept, %nothing ]
  %as.at = getelementptr ptr, ptr @kinds, i64 %kind
  %as = load ptr, ptr %as.at
  call void %as(ptr %found, ptr %place, i64 %apart)
  br label %end
end:
  ret void
}}

; What stands where a result is kept.
define internal void @kept(ptr %out, i64 %kind, ptr %place, i64 %apart) noinline nounwind {{
entry:
  %limbs = alloca [{LIMB_COUNT} x double], align 8
  store [{LIMB_COUNT} x double] zeroinitializer, ptr %limbs
  %single = icmp eq i64 %kind, 1
  br i1 %single, label %float32, label %float64
float32:
  %s = load float, ptr %place, align 4
  %d = fpext float %s to double
  store double %d, ptr %limbs
  br label %end
float64:
  %high = load double, ptr %place, align 8
  store double %high, ptr %limbs
  %low.at = getelementptr double, ptr %limbs, i64 1
  %exponent.at = getelementptr double, ptr %limbs, i64 2
  switch i64 %kind, label %end [ i64 2, label %pair  i64 3, label %wide  i64 4, label %both ]
pair:
  call void @copied(ptr %low.at, ptr %place, i64 %apart)
  br label %end
wide:
  call void @copied(ptr %exponent.at, ptr %place, i64 %apart)
  br label %end
both:
  %twice = shl i64 %apart, 1
  call void @copied(ptr %low.at, ptr %place, i64 %apart)
  call void @copied(ptr %exponent.at, ptr %place, i64 %twice)
  br label %end
end:
  %first = load double, ptr %limbs
  %number = fcmp ord double %first, 0.0
  br i1 %number, label %known, label %none
known:
  call void @of_limbs(ptr %out, ptr %limbs, i64 8)
  ret void
none:
  call void @ball.of_double(ptr %out, double %first)
  ret void
}}

define internal void @copied(ptr %to, ptr %place, i64 %apart) noinline nounwind {{
  %from = getelementptr i8, ptr %place, i64 %apart
  %limb = load double, ptr %from, align 8
  store double %limb, ptr %to
  ret void
}}

define internal void @as.float64(ptr %x, ptr %place, i64 %apart) noinline nounwind {{
  %d = call double @ball.to_double(ptr %x)
  store double %d, ptr %place, align 8
  ret void
}}

define internal void @as.float32(ptr %x, ptr %place, i64 %apart) noinline nounwind {{
  %d = call double @ball.to_double(ptr %x)
  %s = fptrunc double %d to float
  store float %s, ptr %place, align 4
  ret void
}}

define internal void @as.float64x2(ptr %x, ptr %place, i64 %apart) noinline nounwind {{
  %high = call double @ball.to_double(ptr %x)
  %one = alloca [{BYTES} x i8], align 16
  %rest = alloca [{BYTES} x i8], align 16
  call void @ball.of_double(ptr %one, double %high)
  call void @ball.sub(ptr %rest, ptr %x, ptr %one, ptr null)
  %low = call double @ball.to_double(ptr %rest)
  store double %high, ptr %place, align 8
  %next = getelementptr i8, ptr %place, i64 %apart
  store double %low, ptr %next, align 8
  ret void
}}

; What is between 1 and 2, and the exponent: -2^60 of zero.
define internal double @apart(ptr %out, ptr %x) noinline nounwind {{
  %e.at = getelementptr i8, ptr %x, i64 {EXPONENT}
  %e = load i64, ptr %e.at
  %less = sub i64 0, %e
  call void @ball.scale(ptr %out, ptr %x, i64 %less)
  %d = sitofp i64 %e to double
  ret double %d
}}

define internal void @as.float64e(ptr %x, ptr %place, i64 %apart) noinline nounwind {{
  %one = alloca [{BYTES} x i8], align 16
  %exponent = call double @apart(ptr %one, ptr %x)
  call void @as.float64(ptr %one, ptr %place, i64 %apart)
  %next = getelementptr i8, ptr %place, i64 %apart
  store double %exponent, ptr %next, align 8
  ret void
}}

define internal void @as.float64x2e(ptr %x, ptr %place, i64 %apart) noinline nounwind {{
  %one = alloca [{BYTES} x i8], align 16
  %exponent = call double @apart(ptr %one, ptr %x)
  call void @as.float64x2(ptr %one, ptr %place, i64 %apart)
  %twice = shl i64 %apart, 1
  %next = getelementptr i8, ptr %place, i64 %twice
  store double %exponent, ptr %next, align 8
  ret void
}}
"""


def _running() -> str:
    return f"""
; A ball of three limbs: (high + low) 2^exponent.
define internal void @of_limbs(ptr %out, ptr %place, i64 %apart) noinline nounwind {{
  %low.at = getelementptr i8, ptr %place, i64 %apart
  %twice = shl i64 %apart, 1
  %exponent.at = getelementptr i8, ptr %place, i64 %twice
  %high = load double, ptr %place, align 8
  %low = load double, ptr %low.at, align 8
  %exponent = load double, ptr %exponent.at, align 8
  %e = fptosi double %exponent to i64
  %first = alloca [{BYTES} x i8], align 16
  %second = alloca [{BYTES} x i8], align 16
  call void @ball.of_double(ptr %first, double %high)
  call void @ball.of_double(ptr %second, double %low)
  call void @ball.add(ptr %first, ptr %first, ptr %second, ptr null)
  call void @ball.scale(ptr %out, ptr %first, i64 %e)
  ret void
}}

define internal ptr @operand(i64 %k, ptr %balls, ptr %constants) noinline nounwind {{
  %constant = icmp slt i64 %k, 0
  %number = xor i64 %k, -1
  %place = select i1 %constant, i64 %number, i64 %k
  %base = select i1 %constant, ptr %constants, ptr %balls
  %bytes = mul i64 %place, {BYTES}
  %out = getelementptr i8, ptr %base, i64 %bytes
  ret ptr %out
}}

define void @{ENTRY}{SIGNATURE} nounwind {{
entry:
  %count.1 = getelementptr i64, ptr %tape, i64 1
  %count.2 = getelementptr i64, ptr %tape, i64 2
  %count.3 = getelementptr i64, ptr %tape, i64 3
  %leaf.count = load i64, ptr %tape
  %operation.count = load i64, ptr %count.1
  %result.count = load i64, ptr %count.2
  %ball.count = load i64, ptr %count.3
  %room = mul i64 %ball.count, {BYTES}
  %balls = alloca i8, i64 %room, align 16
  %operations = getelementptr i64, ptr %tape, i64 4
  %operation.words = mul i64 %operation.count, 5
  %results = getelementptr i64, ptr %operations, i64 %operation.words
  %result.words = mul i64 %result.count, 3
  %constants = getelementptr i64, ptr %results, i64 %result.words
  %apart = shl i64 %lanes, 3
  %leaf.apart = shl i64 %leaf.lanes, 3
  br label %leaf
leaf:
  %l = phi i64 [ 0, %entry ], [ %l1, %take ]
  %given = icmp slt i64 %l, %leaf.count
  br i1 %given, label %take, label %operation
take:
  %three = mul i64 %l, 3
  %vectors = mul i64 %three, %leaf.lanes
  %place = add i64 %vectors, %leaf.lane
  %limbs = getelementptr double, ptr %leaves, i64 %place
  %ball.at = call ptr @operand(i64 %l, ptr %balls, ptr %constants)
  call void @of_limbs(ptr %ball.at, ptr %limbs, i64 %leaf.apart)
  %l1 = add i64 %l, 1
  br label %leaf
operation:
  %k = phi i64 [ 0, %leaf ], [ %k1, %compute ]
  %open = icmp slt i64 %k, %operation.count
  br i1 %open, label %compute, label %result
compute:
  %first = mul i64 %k, 5
  %row = getelementptr i64, ptr %operations, i64 %first
  %row.1 = getelementptr i64, ptr %row, i64 1
  %row.2 = getelementptr i64, ptr %row, i64 2
  %row.3 = getelementptr i64, ptr %row, i64 3
  %row.4 = getelementptr i64, ptr %row, i64 4
  %name = load i64, ptr %row
  %o = load i64, ptr %row.1
  %a = load i64, ptr %row.2
  %b = load i64, ptr %row.3
  %c = load i64, ptr %row.4
  %out = call ptr @operand(i64 %o, ptr %balls, ptr %constants)
  %x = call ptr @operand(i64 %a, ptr %balls, ptr %constants)
  %y = call ptr @operand(i64 %b, ptr %balls, ptr %constants)
  %z = call ptr @operand(i64 %c, ptr %balls, ptr %constants)
  %function.at = getelementptr ptr, ptr @functions, i64 %name
  %function = load ptr, ptr %function.at
  call void %function(ptr %out, ptr %x, ptr %y, ptr %z)
  %k1 = add i64 %k, 1
  br label %operation
result:
  %r = phi i64 [ 0, %operation ], [ %r1, %keep ]
  %left = icmp slt i64 %r, %result.count
  br i1 %left, label %keep, label %end
keep:
  %at = mul i64 %r, 3
  %kept = getelementptr i64, ptr %results, i64 %at
  %kept.1 = getelementptr i64, ptr %kept, i64 1
  %kept.2 = getelementptr i64, ptr %kept, i64 2
  %number = load i64, ptr %kept
  %kind = load i64, ptr %kept.1
  %offset = load i64, ptr %kept.2
  %single = icmp eq i64 %kind, 1
  %size = select i1 %single, i64 4, i64 8
  %within = mul i64 %lane, %size
  %there = add i64 %offset, %within
  %target = getelementptr i8, ptr %area, i64 %there
  %value = call ptr @operand(i64 %number, ptr %balls, ptr %constants)
  call void @stored(ptr %value, i64 %kind, ptr %target, i64 %apart)
  %r1 = add i64 %r, 1
  br label %result
end:
  ret void
}}
"""
