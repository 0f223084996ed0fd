"""Functions of balls as straight LLVM IR: a Formula writes one, out of others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from symdl.backends.balls.numbers import BITS, BYTES, EXPONENT, words

CALLED = "ptr %out, ptr %x, ptr %y, ptr %z"
GUARD = 64  # bits of constants beyond those of a ball


def table(numbers: Sequence[Fraction], exact: bool = True) -> str:
    """The words of numbers as an LLVM constant."""
    each = [word for number in numbers for word in words(number, exact)]
    return f"[{len(each)} x i64] [{', '.join(f'i64 {word}' for word in each)}]"


class Formula:
    """One function. Balls are named by their addresses, whole numbers by their registers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.room: list[str] = []
        self.constants: dict[str, str] = {}
        self._count = 0

    def fresh(self, name: str) -> str:
        self._count += 1
        return f"{name}{self._count}"

    def line(self, text: str) -> None:
        self.lines.append(f"  {text}")

    def emit(self, text: str) -> str:
        name = f"%{self.fresh('v')}"
        self.line(f"{name} = {text}")
        return name

    def ball(self) -> str:
        """Room for a ball."""
        name = f"%{self.fresh('ball')}"
        self.room.append(f"  {name} = alloca [{BYTES} x i8], align 16")
        return name

    def constant(self, number: Fraction | int, exact: bool = True) -> str:
        """A number of this formula; exact: but for being rounded."""
        return self.numbers([Fraction(number)], exact)

    def numbers(self, numbers: Sequence[Fraction], exact: bool = True) -> str:
        text = table(numbers, exact)
        return self.constants.setdefault(text, f"@{self.name}.{len(self.constants)}")

    # operations

    def op(self, name: str, *balls: str) -> str:
        """A function of this library."""
        out = self.ball()
        given = ", ".join(f"ptr {b}" for b in (*balls, *("null",) * (3 - len(balls))))
        self.line(f"call void @ball.{name}(ptr {out}, {given})")
        return out

    def add(self, x: str, y: str) -> str:
        return self.op("add", x, y)

    def sub(self, x: str, y: str) -> str:
        return self.op("sub", x, y)

    def mul(self, x: str, y: str) -> str:
        return self.op("mul", x, y)

    def div(self, x: str, y: str) -> str:
        return self.op("true_div", x, y)

    def scale(self, x: str, n: str | int) -> str:
        """x 2^n"""
        out = self.ball()
        self.line(f"call void @ball.scale(ptr {out}, ptr {x}, i64 {n})")
        return out

    def polynomial(self, x: str, coefficients: Sequence[Fraction], positive: bool = False) -> str:
        """The sum of c_k x^k. positive: all of them are, and x."""
        out, numbers = self.ball(), self.numbers(coefficients)
        self.line(
            f"call void @{'positive' if positive else 'polynomial'}(ptr {out}, ptr {x}, ptr {numbers}, i64 {len(coefficients) - 1})"
        )
        return out

    # whole numbers and floats

    def whole(self, x: str) -> str:
        """The nearest whole number."""
        return self.emit(f"call i64 @whole(ptr {x})")

    def coarse(self, x: str, k: int) -> str:
        """The multiple of 2^k next to a ball's centre, toward 0, as an exact number."""
        out = self.ball()
        self.line(f"call void @ball.coarse(ptr {out}, ptr {x}, i64 {k})")
        return out

    def of_whole(self, n: str) -> str:
        out = self.ball()
        self.line(f"call void @ball.of_whole(ptr {out}, i64 {n})")
        return out

    def approximately(self, function: str, x: str) -> str:
        """A function in float64 of a ball's centre, as an exact number."""
        double = self.emit(f"call double @ball.to_double(ptr {x})")
        found = self.emit(f"call double @{function}(double {double})")
        out = self.ball()
        self.line(f"call void @ball.of_double(ptr {out}, double {found})")
        return out

    def exponent(self, x: str) -> str:
        place = self.emit(f"getelementptr i8, ptr {x}, i64 {EXPONENT}")
        return self.emit(f"load i64, ptr {place}")

    def order(self, x: str, y: str) -> str:
        return self.emit(f"call i64 @order(ptr {x}, ptr {y})")

    # control

    def only_if(self, condition: str) -> None:
        """What follows is done where a condition holds; else the result is unknown."""
        go, stop = self.fresh("go"), self.fresh("stop")
        self.line(f"br i1 {condition}, label %{go}, label %{stop}")
        self.lines.append(f"{stop}:")
        self.line(f"call void @ball.unknown({CALLED})")
        self.line("ret void")
        self.lines.append(f"{go}:")

    def within(self, x: str, exponent: int) -> None:
        """The result is unknown for larger x."""
        self.only_if(self.emit(f"icmp sle i64 {self.exponent(x)}, {exponent}"))

    def either(self, condition: str, x: Callable[[], str], y: Callable[[], str]) -> str:
        """x or y, by an i1; only the one is computed."""
        first, second, join = self.fresh("first"), self.fresh("second"), self.fresh("join")
        self.line(f"br i1 {condition}, label %{first}, label %{second}")
        out = self.ball()
        for label, compute in ((first, x), (second, y)):
            self.lines.append(f"{label}:")
            self.line(f"call void @ball.copy(ptr {out}, ptr {compute()}, ptr null, ptr null)")
            self.line(f"br label %{join}")
        self.lines.append(f"{join}:")
        return out

    def where(self, condition: str, x: str, y: str) -> str:
        """x or y, by an i1."""
        return self.emit(f"select i1 {condition}, ptr {x}, ptr {y}")

    def text(self, result: str) -> str:
        """The finished function."""
        self.line(f"call void @ball.copy(ptr %out, ptr {result}, ptr null, ptr null)")
        self.line("ret void")
        constants = [f"{at} = internal constant {text}, align 16" for text, at in self.constants.items()]
        head = f"define internal void @ball.{self.name}({CALLED}) noinline nounwind {{\nentry:"
        return "\n".join([*constants, head, *self.room, *self.lines, "}"])


Written = Callable[[Formula, str, str], str]


def _series(n: int, sign: int) -> Fraction:
    """arctanh(1/n), and with a sign of -1 arctan(1/n), to GUARD bits more than a constant has."""
    one = 2 ** (BITS + 2 * GUARD)
    total, power, k = 0, one // n, 0
    while power:
        total += sign**k * (power // (2 * k + 1))
        power //= n * n
        k += 1
    return Fraction(total, one)


def rounded(number: Fraction) -> Fraction:
    """A number to the digits of a constant."""
    return Fraction(round(number * 2 ** (BITS + GUARD)), 2 ** (BITS + GUARD))


LOG2 = rounded(2 * _series(3, 1))
LOG10 = rounded(6 * _series(3, 1) + 2 * _series(9, 1))
PI = rounded(16 * _series(5, -1) - 4 * _series(239, -1))
ROOT_OF_PI = rounded(Fraction(math.isqrt(int(PI * 4 ** (BITS + GUARD))), 2 ** (BITS + GUARD)))
IRRATIONALS = tuple(rounded(r) for x in (PI, ROOT_OF_PI, LOG2, LOG10) for r in (x, 1 / x))
