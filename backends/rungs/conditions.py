"""What must hold when a round of a loop runs, so that fewer digits are enough (`digits`): sizes that sums are not to fall below.

Values, and applications of primitives to them, are made only once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace
from typing import Any

from symdl.backends.rungs.tiers import ONE_LIMB
from symdl.ir.loops import Apply, Const, Load, Value
from symdl.records import mutable, record

OPPOSITE = {"ge": "lt", "le": "gt"}
BESIDE_ONE = 2.0625  # 2^-k of an operand, which a sum of two is not to fall below


@record
class Condition:
    """What must hold when the program runs: value test bound, or bound times so many 2^-k.

    total, single: the sum whose size the value is, and the float32 whose size the bound is a multiple of, if they are such.
    """

    test: str
    value: Value
    bound: Value
    scaled: float = 0.0
    total: Value | None = None
    single: Value | None = None


@mutable
class Conditions:
    """Conditions of one loop."""

    conditions: dict[tuple[str, int, int, float], Condition] = field(default_factory=dict, init=False)
    sizes: dict[int, Value] = field(default_factory=dict, init=False)
    known: dict[tuple[Any, ...], Value] = field(default_factory=dict, init=False)

    def one(self, value: Value) -> Value:
        """The value, or an equal one met before: statements compute anew what others have overwritten since."""
        match value:
            case Apply(primitive, args, dtype):
                return self.known.setdefault((primitive, dtype, *map(id, args)), value)
            case Const(number, dtype):
                return self.known.setdefault((repr(number), dtype), value)
            case Load(view, at):
                return self.known.setdefault((view, at), value)
        return value

    def op(self, name: str, *args: Value, dtype: str = "") -> Value:
        """A primitive of operands of one dtype, which is its own unless another is given."""
        return self.one(Apply(name, args, dtype or args[0].dtype))

    def constant(self, number: float, dtype: str) -> Value:
        return self.one(Const(number, dtype))

    def magnitude(self, value: Value) -> Value:
        """|value|, of one limb."""
        found = self.sizes.get(id(value))
        if found is None:
            found = value
            if value.dtype in ONE_LIMB:
                found = self.op("cast", value, dtype=ONE_LIMB[value.dtype])
            if not _is_magnitude(value):
                found = self.op("abs", found)
            self.sizes[id(value)] = found
        return found

    def asked(self, value: Value, size: Value) -> None:
        """The value shall not be too small beside a size. Beside the size of one operand alone, if it is a sum and that is
        what went into it: |x| + |y| <= |x + y| + 2 |y|, so |x + y| >= 2/(2^k - 1) |y| will do, and k is at least 6."""
        if isinstance(value, Apply) and value.primitive in ("add", "sub"):
            x, y = value.args
            if self.op("add", self.magnitude(x), self.magnitude(y)) is size:
                self.beside_one(value, x if self.rank(x) > self.rank(y) else y)
                return
        self.must("ge", self.magnitude(value), size, 1.0)

    def rank(self, x: Value) -> int:
        """How little it costs to look at the size of an operand."""
        return 2 if single_of(x) is not None else int(_is_magnitude(x))

    def beside_one(self, total: Value, x: Value) -> None:
        """A sum shall not be too small beside an operand of it; as float32 where the operand is one."""
        found = Condition("ge", self.magnitude(total), self.magnitude(x), BESIDE_ONE)
        if total.dtype == "float64" and (single := single_of(x)) is not None:
            found = replace(found, total=total, single=single)
        self.note(found)

    def note(self, found: Condition) -> None:
        """Ask for a condition."""
        self.conditions.setdefault((found.test, id(found.value), id(found.bound), found.scaled), found)

    def must(self, test: str, value: Value, bound: Value, scaled: float = 0.0) -> None:
        """A condition, see `Condition`."""
        self.note(Condition(test, value, bound, scaled))

    def lost(self, scale: Value, conditions: Iterable[Condition]) -> Value | None:
        """Whether any of the conditions does not hold. scale: 2^-k, a float64. Of what is no number all do: it has no digits, and
        what is none for lack of range is asked for that."""
        found: Value | None = None
        for c in conditions:
            if c.total is not None and c.single is not None and isinstance(scale, Const):
                one = self.is_small(c.total, c.single, float(scale.number))
            else:
                bound = c.bound
                if c.scaled:
                    bound = self.op("mul", bound, self.in_dtype(self.times(scale, c.scaled), bound.dtype))
                one = self.op(OPPOSITE[c.test], c.value, bound, dtype="bool")
            found = one if found is None else self.op("bitwise_or", found, one)
        return found

    def is_small(self, total: Value, x: Value, scale: float) -> Value:
        """Whether |total| < BESIDE_ONE scale |x|, asked in float32: of all lanes at once. A total below the normal numbers is
        rounded to at most twice itself, one beyond them is large enough."""
        size = self.op("abs", self.op("cast", total, dtype="float32"))
        far = self.op("mul", size, self.constant(0.5 / (BESIDE_ONE * scale), "float32"))
        return self.op("lt", far, self.op("abs", x), dtype="bool")

    def times(self, scale: Value, factor: float) -> Value:
        """So many times a power of two."""
        if isinstance(scale, Const):
            return self.constant(float(scale.number) * factor, scale.dtype)
        return scale if factor == 1.0 else self.op("mul", scale, self.constant(factor, scale.dtype))

    def in_dtype(self, value: Value, dtype: str) -> Value:
        """A power of 2 in a dtype."""
        if isinstance(value, Const):
            return self.constant(value.number, dtype)
        return value if value.dtype == dtype else self.op("cast", value, dtype=dtype)


def _is_magnitude(x: Value) -> bool:
    """Whether a value is never negative, as its primitive tells."""
    return isinstance(x, Apply) and x.primitive in ("abs", "exp", "logistic_tail")


def single_of(x: Value) -> Value | None:
    """The float32 that a value is."""
    if isinstance(x, Apply) and x.primitive == "cast":
        return x.args[0] if x.args[0].dtype == "float32" else None
    return None
