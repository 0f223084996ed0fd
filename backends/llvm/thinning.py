"""Values of two limbs that are only wanted in one: computed in one limb as far as that loses nothing.

cast(f(x), float64) with x of two limbs becomes f(cast(x)) where f does not magnify the error of x, a function of `wide.mixed`
where it does, and stays where digits may cancel: the error is then that of the functions of float64, an ulp each. Loop IR
to Loop IR; with an exponent beside the limbs likewise.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from symdl.backends.wide.mixed import MIXED
from symdl.loops import Apply, Assign, Const, For, Guard, Load, Local, Store, Value, parts, walk
from symdl.number_forms import limbs_of

THIN = {"float64x2": "float64", "float64x2e": "float64e"}
STEADY = frozenset(["neg", "abs", "maximum", "minimum", "where", "mul", "true_div", "sqrt", "tanh", "arctan", "erf", "arcsinh"])
SIGNS: dict[str, int] = {"exp": 1, "exp2": 1, "abs": 1, "sqrt": 1, "erfc": 1, "erfcx": 1, "logistic_tail": 1, "cosh": 1}


def thinned(body: tuple[Any, ...]) -> tuple[Any, ...]:
    """Statements that compute the same with fewer second limbs; the same object where there is nothing to gain."""
    items = walk(*body)
    wanted = [x for x in items if _leaves(x)]
    if not wanted:
        return body
    uses = Counter(id(part) for item in items for part in parts(item))
    casts = Counter(id(x.args[0]) for x in wanted)
    pass_ = _Thinning(uses, casts)
    return tuple(pass_.statement(s) for s in body)


def _leaves(item: Any) -> bool:
    """Whether a value goes from two limbs to one."""
    if not isinstance(item, Apply) or item.primitive != "cast" or item.args[0].dtype not in THIN:
        return False
    return item.dtype in ("float32", "float64", "float64e") and not (
        item.args[0].dtype == "float64x2" and item.dtype == "float64e"
    )


class _Thinning:
    def __init__(self, uses: Counter[int], casts: Counter[int]) -> None:
        self.uses, self.casts = uses, casts
        self.done: dict[int, Any] = {}
        self.thin: dict[int, Value] = {}
        self.signs: dict[int, int] = {}

    def statement(self, root: Any) -> Any:
        """A statement or value with what is in it thinned, innermost first."""
        stack = [root]
        while stack:
            item = stack[-1]
            if id(item) in self.done:
                stack.pop()
                continue
            inside = (*parts(item),)
            if missing := [p for p in inside if id(p) not in self.done]:
                stack += missing
                continue
            stack.pop()
            self.done[id(item)] = self.rebuilt(item, inside)
        return self.done[id(root)]

    def rebuilt(self, item: Any, inside: tuple[Any, ...]) -> Any:
        if _leaves(item):
            source = item.args[0]
            dtype = THIN[source.dtype]
            found = self.in_one(source)
            return found if item.dtype == dtype else Apply("cast", (found,), item.dtype)
        if all(self.done[id(p)] is p for p in inside):
            return item
        match item:
            case Apply(primitive, args, dtype):
                return Apply(primitive, tuple(self.done[id(a)] for a in args), dtype)
            case For(index, extent, body, schedule):
                return For(index, extent, tuple(self.done[id(s)] for s in body), schedule)
            case Local(name, value) | Assign(name, value):
                return type(item)(name, self.done[id(value)])
            case Store(view, at, value):
                return Store(view, self.at(at), self.done[id(value)])
            case Load(view, at):
                return Load(view, self.at(at))
            case Guard(bounds, value, other):
                return Guard(bounds, self.done[id(value)], self.done[id(other)])
        return type(item)(self.done[id(item.value)], item.extent, item.code, item.dtype)  # Checked

    def at(self, indices: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(self.done.get(id(i), i) for i in indices)

    def in_one(self, root: Value) -> Value:
        """A value of two limbs, its parts being done, in one."""
        stack = [root]
        while stack:
            item = stack[-1]
            if id(item) in self.thin:
                stack.pop()
                continue
            through = item.args if self.steady(item) else ()
            missing = [x for x in through if x.dtype in THIN and id(x) not in self.thin]  # type: ignore[attr-defined]  # an Apply
            if missing:
                stack += missing
                continue
            stack.pop()
            self.thin[id(item)] = self.one(item, bool(through))
        return self.thin[id(root)]

    def one(self, item: Value, through: bool) -> Value:
        dtype = THIN[item.dtype]
        if isinstance(item, Const):
            limbs = limbs_of(item.number, item.dtype)
            return Const(limbs[0] if len(limbs) == 2 else (limbs[0], limbs[2]), dtype)
        if isinstance(item, Apply):
            if through:
                args = tuple(self.thin[id(x)] if x.dtype in THIN else self.done[id(x)] for x in item.args)
                return Apply(item.primitive, args, dtype)
            if item.primitive == "cast" and item.args[0].dtype == dtype:
                return self.done[id(item.args[0])]  # type: ignore[no-any-return]  # a value
            if item.primitive in MIXED and self.alone(item):
                return Apply(item.primitive, (self.done[id(item.args[0])],), dtype)
        return Apply("cast", (self.done[id(item)],), dtype)

    def alone(self, item: Value) -> bool:
        """Whether nobody wants both limbs of a value that is wanted in one."""
        return self.uses[id(item)] <= max(self.casts[id(item)], 1)

    def steady(self, item: Value) -> bool:
        """Whether the value is as well computed from its operands in one limb, and not needed in two anyway."""
        if not isinstance(item, Apply) or not self.alone(item):
            return False
        if item.primitive in ("add", "sub"):
            x, y = map(self.sign, item.args)
            return x * y == (1 if item.primitive == "add" else -1)
        if item.primitive == "log1p":
            return self.sign(item.args[0]) > 0
        return item.primitive in STEADY

    def sign(self, root: Value) -> int:
        """1 for what is never below 0, -1 for what is never above, else 0."""
        stack = [root]
        while stack:
            item = stack[-1]
            if id(item) in self.signs:
                stack.pop()
                continue
            inside = item.args if isinstance(item, Apply) else ()
            if missing := [x for x in inside if id(x) not in self.signs]:
                stack += missing
                continue
            stack.pop()
            self.signs[id(item)] = self.sign_of(item)
        return self.signs[id(root)]

    def sign_of(self, item: Value) -> int:
        if isinstance(item, Const) and item.dtype != "bool":
            number = item.number[0] if isinstance(item.number, tuple) else item.number
            return (number >= 0) - (number < 0)
        if not isinstance(item, Apply):
            return 0
        if item.primitive in SIGNS:
            return SIGNS[item.primitive]
        signs = [self.signs[id(x)] for x in item.args]
        match item.primitive:
            case "neg":
                return -signs[0]
            case "cast" | "log1p" | "expm1":
                return signs[0]
            case "mul":
                return 1 if item.args[0] is item.args[1] else signs[0] * signs[1]
            case "true_div":
                return signs[0] * signs[1]
            case "add":
                return signs[0] if signs[0] == signs[1] else 0
            case "maximum":
                return 1 if 1 in signs else -1 if signs == [-1, -1] else 0
            case "minimum":
                return -1 if -1 in signs else 1 if signs == [1, 1] else 0
            case "where":
                return signs[1] if signs[1] == signs[2] else 0
        return 0
