"""Where values of an attempt matter to what is kept of it: not behind a branch that is not taken, nor where a result is NaN whatever
the range, as it is of NaN and outside of a function's domain.

What is finite is right but for its digits: what has left the range is infinite or NaN, or was looked at (`wide.ranges`). So a
negative number below a root is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from symdl.backends.rungs.digits import without_noise
from symdl.backends.wide.ranges import Attempt
from symdl.ir.loops import Apply, Load, Ref, Value

STRICT = frozenset([
    "add", "sub", "mul", "true_div", "neg", "abs", "sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "erf",
    "erfc", "erfcx", "erfinv", "tanh", "sinh", "cosh", "sin", "cos", "tan", "arctan", "arcsin", "arccos", "arcsinh", "arccosh",
    "arctanh", "logistic_tail", "cast", "gammaln", "digamma",
])  # fmt: skip
LEAST = {**dict.fromkeys(["sqrt", "log", "log2", "log10"], 0.0), "log1p": -1.0, "arccosh": 1.0}  # where a domain begins
INSIDE = frozenset(["arcsin", "arccos", "arctanh", "erfinv"])  # it lies between -1 and 1
DOMAINS = {*LEAST, *INSIDE, "pow"}
FALSE = frozenset(["eq", "lt", "le", "gt", "ge"])  # of NaN
MOST_MASKS = 32  # in a loop: a condition takes a few operations for each


class Wanted:
    """Conditions, by the ids of values, under which they matter; none where they always may."""

    def __init__(self, attempt: Attempt, roots: Sequence[Value]) -> None:
        self.attempt = attempt
        self.known: dict[tuple[str, tuple[int, ...]], Value] = {}
        self.masks: dict[int, Value | None] = {}
        order = _users_first(roots)
        beside = _users_first([*roots, *(value for value, _ in attempt.troubles)])  # sizes of errors, too
        self.sources = _sources(beside)
        shared = reduce(lambda x, y: x & y, (self.sources[id(root)] for root in roots))
        leaves = [x for x in order if id(x) in shared and not isinstance(x, Apply)]
        self.not_a_number = self.any_of([self.op("isnan", x) for x in leaves])
        self.undefined = {id(x): c for x in beside if (c := self.outside(x)) is not None}
        for root in roots:
            self.want(root, None)
        for item in order:
            if isinstance(item, Apply):
                self.hand_on(item, self.masks[id(item)])

    def op(self, name: str, *args: Value) -> Value:
        """A truth value, made once."""
        return self.known.setdefault((name, tuple(map(id, args))), Apply(name, args, "bool"))

    def any_of(self, conditions: Sequence[Value]) -> Value | None:
        return reduce(lambda x, y: self.op("bitwise_or", x, y), conditions) if conditions else None

    def all_of(self, x: Value | None, y: Value) -> Value:
        return y if x is None or x is y else self.op("bitwise_and", x, y)

    def want(self, x: Value, mask: Value | None) -> None:
        """A use of a value, where it matters."""
        if id(x) not in self.masks:
            self.masks[id(x)] = mask
            return
        before = self.masks[id(x)]
        if before is not mask:
            self.masks[id(x)] = None if before is None or mask is None else self.op("bitwise_or", before, mask)

    def hand_on(self, item: Apply, mask: Value | None) -> None:
        """To the operands."""
        if item.primitive != "where" or len(item.args) != 3:
            for x in item.args:
                self.want(x, mask)
            return
        condition, x, y = item.args
        self.want(condition, mask)
        self.want(x, self.all_of(mask, condition))
        self.want(y, mask if _is_rare(item) else self.all_of(mask, self.op("invert", condition)))

    def mask(self, value: Value) -> Value | None:
        """Where a value matters, and is not NaN for sure."""
        wanted = self.masks.get(id(value))
        sources = self.sources.get(id(value), frozenset())
        undefined = self.any_of([c for k, c in self.undefined.items() if k in sources])  # in one order in every process
        return wanted if undefined is None else self.all_of(wanted, self.op("invert", undefined))

    def outside(self, item: Value) -> Value | None:
        """Whether a function has no value, of a finite argument; None of others."""
        if not isinstance(item, Apply):
            return None
        if item.primitive in LEAST:
            x = self.attempt.high_limb(item.args[0])
            below = self.op("lt", x, self.attempt.constant(LEAST[item.primitive], x.dtype))
            return self.op("bitwise_and", below, self.op("gt", x, self.attempt.constant(float("-inf"), x.dtype)))
        if item.primitive in INSIDE:
            x = self.attempt.high_limb(item.args[0])
            size = Apply("abs", (x,), x.dtype)
            beyond = self.op("gt", size, self.attempt.constant(1.0, x.dtype))
            return self.op("bitwise_and", beyond, self.op("lt", size, self.attempt.constant(float("inf"), x.dtype)))
        if item.primitive == "pow":
            x, y = map(self.attempt.high_limb, item.args)
            below = self.op("lt", x, self.attempt.constant(0.0, x.dtype))
            negative = self.op("bitwise_and", below, self.op("gt", x, self.attempt.constant(float("-inf"), x.dtype)))
            return self.op("bitwise_and", negative, self.op("ne", y, Apply("round_half_even", (y,), y.dtype)))
        return None

    def failed(self, otherwise: Value | None) -> Value | None:
        """Whether the attempt has failed where that matters; None where it always does. otherwise: it has failed, too, but of NaN."""
        groups: dict[int, tuple[Value | None, list[Value]]] = {}
        for value, condition in self.attempt.troubles:
            mask = self.mask(value)
            groups.setdefault(id(mask), (mask, []))[1].append(condition)
        if len(groups) > MOST_MASKS or (
            self.not_a_number is None and not any(mask is not None for mask, _ in groups.values())
        ):
            return None
        found = [otherwise] if otherwise is not None else []
        for mask, conditions in groups.values():
            one = self.attempt.any_of(conditions)
            assert one is not None
            found.append(one if mask is None else self.op("bitwise_and", one, mask))
        failed = self.any_of(found)
        if failed is not None and self.not_a_number is not None:
            failed = self.op("bitwise_and", failed, self.op("invert", self.not_a_number))
        return failed


def _is_rare(item: Apply) -> bool:
    """Whether the first of two branches is only taken at some points."""
    condition = item.args[0]
    if without_noise(item) is not None:
        return True
    parts = condition.args if isinstance(condition, Apply) and condition.primitive == "bitwise_and" else (condition,)
    return any(isinstance(c, Apply) and c.primitive == "eq" for c in parts)


def _sources(order: Sequence[Value]) -> dict[int, frozenset[int]]:
    """The ids of floats that are leaves, and of functions with a domain, that make values NaN when they are."""
    found: dict[int, frozenset[int]] = {}
    no: dict[int, frozenset[int]] = {}  # likewise that make conditions false
    for item in reversed(order):
        below = [found[id(x)] for x in item.args] if isinstance(item, Apply) else []
        name = item.primitive if isinstance(item, Apply) else ""
        sources: frozenset[int] = frozenset()
        if not isinstance(item, Apply):
            sources = frozenset(
                [id(item)] if isinstance(item, Load | Ref) and item.dtype in ("float32", "float64") else []
            )
        elif name in FALSE:
            no[id(item)] = sources.union(*below)
        elif name in ("bitwise_and", "bitwise_or"):
            x, y = (no.get(id(x), sources) for x in item.args)
            no[id(item)] = x | y if name == "bitwise_and" else x & y
        elif name == "where":
            sources = (below[1] & below[2]) | (no.get(id(item.args[0]), sources) & below[2])
        elif name in STRICT:
            sources = sources.union(*below)
        found[id(item)] = sources | {id(item)} if name in DOMAINS else sources
    return found


def _users_first(roots: Sequence[Value]) -> list[Value]:
    """Values, each before its operands."""
    found: dict[int, Value] = {}
    stack = [(root, False) for root in roots]
    while stack:
        item, ready = stack.pop()
        if ready:
            found.setdefault(id(item), item)
        elif id(item) not in found:
            stack.append((item, True))
            stack += [(x, False) for x in item.args] if isinstance(item, Apply) else []
    return [*reversed(found.values())]
