"""Values of two limbs that are only wanted in one: computed in one limb as far as that loses nothing.

cast(f(x), float64) with x of two limbs becomes f(cast(x)) where f does not magnify the error of x, a function of `wide.mixed`
where it does, and stays where digits may cancel: the error is then that of the functions of float64, an ulp each. Loop IR
to Loop IR; with an exponent beside the limbs likewise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from symdl.backends.wide.mixed import MIXED, SUMS
from symdl.ir.loops import Apply, Assign, Const, For, Guard, Load, Local, Ref, Store, Value, parts, walk
from symdl.number_forms import WIDE, limbs_of

THIN = {"float64x2": "float64", "float64x2e": "float64e"}
STEADY = frozenset(
    ["neg", "abs", "maximum", "minimum", "where", "mul", "true_div", "sqrt", "tanh", "arctan", "erf", "arcsinh"]
)
SINGLE = {"float64": "float32e", "float64e": "float32e"}
MIXED32 = frozenset(["exp", "exp2", "expm1", "erfc", "logistic_tail"])  # right, too, of what is infinite as a float32
MANY_ROUNDINGS = 7  # half ulps from which on a result may be 4 ulp off
SIGNS: dict[str, int] = {"exp": 1, "exp2": 1, "abs": 1, "sqrt": 1, "erfc": 1, "erfcx": 1, "logistic_tail": 1, "cosh": 1}


def thinned(body: tuple[Any, ...]) -> tuple[Any, ...]:
    """Statements that compute the same with fewer second limbs; the same object where there is nothing to gain."""
    if not any(_leaves(x, THIN) for x in walk(*body)):
        return body
    pass_ = _Thinning(body, THIN)
    return tuple(pass_.statement(s) for s in body)


def _leaves(item: Any, forms: Mapping[str, str]) -> bool:
    """Whether a value goes from two limbs to one, or from float64 to float32."""
    if not isinstance(item, Apply) or item.primitive != "cast" or item.args[0].dtype not in forms:
        return False
    if forms is SINGLE:
        return item.dtype == "float32"
    return item.dtype in ("float32", "float64", "float64e") and not (
        item.args[0].dtype == "float64x2" and item.dtype == "float64e"
    )


def single(loop: For) -> For | None:
    """The loop with float32 results of float64 computed in "float32e", where that is as good but for its range; None where
    nothing is. This dtype exists in attempts only: it stands for a float64 that shall be tried as a float32."""
    body = inlined(loop.body)
    if not any(_leaves(x, SINGLE) for x in walk(*body)):
        return None
    found: For = _Thinning(body, SINGLE).statement(For(loop.index, loop.extent, body, loop.schedule))
    gained = (x for x in walk(*found.body) if isinstance(x, Apply) and x.dtype == "float32e" and x.primitive != "cast")
    return found if any(gained) else None


@lru_cache(maxsize=4)  # the attempts at a loop ask one after another for the same
def inlined(body: tuple[Any, ...]) -> tuple[Any, ...]:
    """Statements without loops, their variables replaced by values; what declared them declares a trifle."""
    values: dict[str, Any] = {}
    out: list[Any] = []
    done: dict[int, Any] = {}
    replaced: list[int] = []  # ids of what did not stay itself, in order: it may have read any variable that was known
    since: dict[str, int] = {}  # from where on a variable was known
    for statement in body:
        stack = [statement]
        while stack:
            item = stack[-1]
            if id(item) in done:
                stack.pop()
                continue
            missing = [p for p in (item.args if type(item) is Apply else parts(item)) if id(p) not in done]
            if missing:
                stack += missing
                continue
            stack.pop()
            done[id(item)] = values.get(item.name, item) if isinstance(item, Ref) else _replaced(item, done)
            if done[id(item)] is not item:
                replaced.append(id(item))
        made = done[id(statement)]
        if isinstance(made, Local):
            for stale in replaced[since[made.name] :] if made.name in since else ():
                done.pop(stale, None)
            since[made.name] = len(replaced)
            values[made.name] = made.value
            made = Local(made.name, Const(0, "bool"))
        out.append(made)
    return tuple(out)


def _replaced(item: Any, done: Mapping[int, Any]) -> Any:
    """An item with what has become of its parts."""
    for p in item.args if type(item) is Apply else parts(item):
        if done[id(p)] is not p:
            break
    else:
        return item
    match item:
        case Apply(primitive, args, dtype):
            return Apply(primitive, tuple(done[id(a)] for a in args), dtype)
        case For(index, extent, body, schedule):
            return For(index, extent, tuple(done[id(s)] for s in body), schedule)
        case Local(name, value) | Assign(name, value):
            return type(item)(name, done[id(value)])
        case Store(view, at, value):
            return Store(view, tuple(done.get(id(i), i) for i in at), done[id(value)])
        case Load(view, at):
            return Load(view, tuple(done.get(id(i), i) for i in at))
        case Guard(bounds, value, other):
            return Guard(bounds, done[id(value)], done[id(other)])
    return type(item)(done[id(item.value)], item.extent, item.code, item.dtype)  # Checked


def _as_float(item: Const) -> float:
    """A constant of float64 or float64e; beyond the range of float64 some number near its ends, which no float32 is."""
    if item.dtype == "float64":
        return float(item.number)
    high, exponent = limbs_of(item.number, item.dtype)
    if not high or not math.isfinite(high):
        return high
    return math.ldexp(high, int(min(max(exponent, -1000), 1000)))


def settled(body: tuple[Any, ...]) -> set[int]:
    """Ids of values that a largest or least one is taken of, or that are asked whether they equal one, and of what these are
    computed from: another loop that computes them has to come to the same bits, so they keep all digits."""
    found: set[int] = set()
    items = walk(*body)
    declared = {item.name: item.value for item in items if isinstance(item, Local)}
    stack: list[Any] = []
    for item in items:
        if isinstance(item, Apply) and item.primitive in ("eq", "ne") and not isinstance(item.args[1], Const):
            stack += item.args
        elif isinstance(item, Store | Assign) and (kept := extreme_of(item)) is not None:
            stack.append(kept)
    while stack:
        item = stack.pop()
        if id(item) not in found:
            found.add(id(item))
            stack += (declared[item.name],) if isinstance(item, Ref) and item.name in declared else parts(item)
    return found


def extreme_of(statement: Store | Assign) -> Value | None:
    """What a statement makes the largest or least of where it stands, if it does."""
    match statement.value:
        case Apply("maximum" | "minimum", (x, y)):
            return next((one for total, one in ((x, y), (y, x)) if is_total(statement, total)), None)
    return None


def is_total(statement: Store | Assign, value: Value) -> bool:
    """Whether a value is what a statement will replace."""
    if isinstance(statement, Assign):
        return isinstance(value, Ref) and value.name == statement.name
    return isinstance(value, Load) and (value.view, value.at) == (statement.view, statement.at)


def plain(primitive: str, *args: Value) -> Value:
    """An operation on float64."""
    return Apply(primitive, args, "float64")


class _Thinning:
    def __init__(self, body: tuple[Any, ...], forms: Mapping[str, str]) -> None:
        self.forms = forms
        self.mixed = MIXED.keys() | SUMS.keys() if forms is THIN else MIXED32
        self.free: set[int] = set()  # ids of values that nobody wants with more digits
        self.through: set[int] = set()  # of those that are computed from parts with fewer
        self.done: dict[int, Any] = {}
        self.thin: dict[int, Value] = {}
        self.signs: dict[int, int] = {}
        self.settled = settled(body)
        order = self.find(body)
        if many := self.of_many_roundings(order):  # which are why these digits were asked for
            self.settled |= many
            self.free.clear()
            self.through.clear()
            self.find(body)
        self.sums = self.plain_sums(body) if forms is THIN else {}

    def leaves(self, item: Any) -> bool:
        """Whether a value goes to fewer digits, and may be computed with these."""
        return _leaves(item, self.forms) and id(item) not in self.settled

    def statement(self, root: Any) -> Any:
        """A statement or value with what is in it thinned, innermost first."""
        stack = [root]
        while stack:
            item = stack[-1]
            if id(item) in self.done:
                stack.pop()
                continue
            if missing := [p for p in parts(item) if id(p) not in self.done]:
                stack += missing
                continue
            stack.pop()
            self.done[id(item)] = self.rebuilt(item)
        return self.done[id(root)]

    def rebuilt(self, item: Any) -> Any:
        if self.leaves(item) and (self.forms is THIN or self.gains(item.args[0])):
            source = item.args[0]
            dtype = self.forms[source.dtype]
            found = self.in_one(source)
            return found if item.dtype == dtype else Apply("cast", (found,), item.dtype)
        return _replaced(item, self.done)

    def gains(self, root: Value) -> bool:
        """Whether more is computed in one limb than is rounded to it first."""
        stack, seen, balance = [root], set(), 0
        while stack:
            item = stack.pop()
            if id(item) in seen:
                continue
            seen.add(id(item))
            if id(item) in self.through:
                assert isinstance(item, Apply)
                balance += item.primitive != "cast"
                stack += [x for x in item.args if x.dtype in self.forms]
            elif isinstance(item, Apply) and item.primitive in self.mixed and id(item) in self.free:
                balance += 1
            elif not isinstance(item, Const) and not self.exact(item):
                balance -= 1
        return balance > 0

    def in_one(self, root: Value) -> Value:
        """A value of two limbs, its parts being done, in one."""
        stack = [root]
        while stack:
            item = stack[-1]
            if id(item) in self.thin:
                stack.pop()
                continue
            through = item.args if isinstance(item, Apply) and id(item) in self.through else ()
            missing = [x for x in through if x.dtype in self.forms and id(x) not in self.thin]
            if missing:
                stack += missing
                continue
            stack.pop()
            self.thin[id(item)] = self.one(item, bool(through))
        return self.thin[id(root)]

    def one(self, item: Value, through: bool) -> Value:
        dtype = self.forms[item.dtype]
        if id(item) in self.sums:
            return self.errors_apart(self.sums[id(item)])
        if isinstance(item, Const) and dtype == "float32e":
            return Const(_as_float(item), dtype)
        if isinstance(item, Const):
            limbs = limbs_of(item.number, item.dtype)
            return Const(limbs[0] if len(limbs) == 2 else (limbs[0], limbs[2]), dtype)
        if isinstance(item, Apply):
            if through and item.primitive == "cast":
                found = self.thin[id(item.args[0])]
                return found if found.dtype == dtype else Apply("cast", (found,), dtype)
            if through:
                args = tuple(self.thin[id(x)] if x.dtype in self.forms else self.done[id(x)] for x in item.args)
                return Apply(item.primitive, args, dtype)
            if item.primitive == "cast" and item.args[0].dtype == dtype:
                return self.done[id(item.args[0])]  # type: ignore[no-any-return]  # a value
            if item.primitive == "cast" and dtype == "float32e" and item.args[0].dtype == "float32":
                return Apply("cast", (self.done[id(item.args[0])],), dtype)
            if self.is_power(item):
                return self.power(item, dtype)
            if item.primitive in self.mixed and id(item) in self.free:
                return Apply(item.primitive, tuple(self.done[id(x)] for x in item.args), dtype)
        return Apply("cast", (self.done[id(item)],), dtype)

    def is_power(self, item: Value) -> bool:
        """Whether a value is a power of a number of one limb, of which no more than that is wanted."""
        if self.forms is not THIN or id(item) not in self.free:
            return False
        match item:
            case Apply("pow", (Apply("cast", (x,)), _)):
                return x.dtype == "float32" or x.dtype in SINGLE
        return False

    def power(self, item: Apply, dtype: str) -> Value:
        """x^(h + l) = x^h (1 + l log(x)), an ulp and a half: l is less than 2^-53 of h. As x^h where x has no logarithm, and where h is
        infinite."""
        base, exponent = (self.done[id(x)] for x in item.args)
        x = Apply("cast", (base,), dtype)
        high = Apply("cast", (exponent,), dtype)
        rest = Apply("sub", (exponent, Apply("cast", (high,), exponent.dtype)), exponent.dtype)
        log = Apply("log", (x,), dtype)
        more = Apply("mul", (Apply("cast", (rest,), dtype), log), dtype)
        known = Apply("lt", (Apply("abs", (more,), dtype), Const(1.0, dtype)), "bool")  # not of infinities
        factor = Apply("add", (Const(1.0, dtype), Apply("where", (known, more, Const(0.0, dtype)), dtype)), dtype)
        return Apply("mul", (Apply("pow", (x, high), dtype), factor), dtype)

    def plain_sums(self, body: tuple[Any, ...]) -> dict[int, list[tuple[Value, bool]]]:
        """Sums of three or more numbers of one limb that are rounded to a float64, by their ids: the terms, and whether they
        are taken away. None where a body computes more than these in two limbs: who tries it with fewer looks at all of it."""
        items = walk(*body)
        counts: dict[int, int] = {}
        for item in items:
            for part in parts(item):
                counts[id(part)] = counts.get(id(part), 0) + 1
        found: dict[int, list[tuple[Value, bool]]] = {}
        inside: set[int] = set()
        for root in items:
            if not self.leaves(root) or root.dtype != "float64" or root.args[0].dtype != "float64x2":
                continue
            terms: list[tuple[Value, bool]] = []
            stack = [(root.args[0], False)]
            while stack:
                item, minus = stack.pop()
                inside.add(id(item))
                if self.exact(item) or (isinstance(item, Const) and not limbs_of(item.number, item.dtype)[1]):
                    terms.append((item, minus))
                elif isinstance(item, Apply) and item.primitive in ("add", "sub") and counts[id(item)] == 1:
                    stack += (item.args[1], minus != (item.primitive == "sub")), (item.args[0], minus)
                else:
                    return {}
            if len(terms) > 2 and id(root.args[0]) not in self.through:
                found[id(root.args[0])] = terms
        return found if all(id(x) in inside for x in items if getattr(x, "dtype", "") in WIDE) else {}

    def errors_apart(self, terms: list[tuple[Value, bool]]) -> Value:
        """The sum of numbers of one limb, rounded once: what each addition loses is added up beside (Knuth, TAOCP 2, 4.2.2;
        Ogita, Rump and Oishi 2005), so that an addition waits for one before it, not for seven. For n terms it is
        wrong by half an ulp and some log2(n) 2^-106 of the sizes of the partial sums."""
        total, *rest = (self.plain_term(*term) for term in terms)
        lost: list[Value] = []
        for x in rest:
            s = plain("add", total, x)
            v = plain("sub", s, total)
            lost.append(plain("add", plain("sub", total, plain("sub", s, v)), plain("sub", x, v)))
            total = s
        while len(lost) > 1:  # half of them to the other half, neighbours together
            odd = lost[len(lost) & ~1 :]
            lost = [plain("add", *lost[k : k + 2]) for k in range(0, len(lost) - 1, 2)] + odd
        error = lost[0]  # 0 may have the wrong sign, and NaN stands beside infinities
        some = Apply("lt", (Const(0.0, "float64"), plain("abs", error)), "bool")
        return plain("add", Apply("where", (some, error, Const(-0.0, "float64")), "float64"), total)

    def plain_term(self, item: Value, minus: bool) -> Value:
        """A term of a sum, or what is opposite to it, as a float64."""
        if isinstance(item, Const):
            high = limbs_of(item.number, item.dtype)[0]
            return Const(-high if minus else high, "float64")
        assert isinstance(item, Apply)
        x = self.done[id(item.args[0])]
        x = x if x.dtype == "float64" else Apply("cast", (x,), "float64")
        return plain("neg", x) if minus else x

    def of_many_roundings(self, order: Sequence[Any]) -> set[int]:
        """Ids of values that products, quotients and roots in one limb would put 4 ulp off."""
        halves: dict[int, float] = {}  # half ulps that a value in one limb is wrong by
        found = set()
        for item in order:
            if id(item) in self.through:
                inside = [halves[id(x)] for x in item.args if x.dtype in self.forms]
                match item.primitive:
                    case "mul" | "true_div":
                        halves[id(item)] = sum(inside) + 1
                    case "sqrt":
                        halves[id(item)] = inside[0] / 2 + 1
                    case "neg" | "abs" | "maximum" | "minimum" | "where" | "cast":
                        halves[id(item)] = max(inside, default=0)
                    case _:
                        halves[id(item)] = max(inside, default=0) + 1
            elif getattr(item, "dtype", "") in self.forms:
                halves[id(item)] = 0 if self.exact(item) or isinstance(item, Const) else 3 if self.is_power(item) else 1
            elif self.leaves(item) and halves[id(item.args[0])] >= MANY_ROUNDINGS:
                found.add(id(item))
        return found

    def find(self, body: tuple[Any, ...]) -> list[Any]:
        """Users before what they use: who is free, and who is computed from thinner parts. Returns all there is, parts first."""
        order: list[Any] = []
        users: dict[int, list[Any]] = {}
        stack = [(s, False) for s in body]
        seen: set[int] = set()
        while stack:
            item, left = stack.pop()
            if left:
                order.append(item)
            elif id(item) not in seen:
                seen.add(id(item))
                stack.append((item, True))
                for part in parts(item):
                    users.setdefault(id(part), []).append(item)
                    stack.append((part, False))
        for item in reversed(order):
            if getattr(item, "dtype", "") in self.forms and all(
                id(u) in self.through or self.leaves(u) for u in users.get(id(item), ())
            ):
                self.free.add(id(item))
                if self.steady(item):
                    self.through.add(id(item))
        return order

    def steady(self, item: Value) -> bool:
        """Whether the value is as well computed from its operands in one limb."""
        if not isinstance(item, Apply):
            return False
        if item.primitive in ("add", "sub"):
            x, y = map(self.sign, item.args)
            return x * y == (1 if item.primitive == "add" else -1) or all(map(self.exact, item.args))
        if item.primitive == "cast":
            return item.args[0].dtype in self.forms and item.dtype in self.forms
        if item.primitive == "log1p":
            return self.sign(item.args[0]) > 0
        return item.primitive in STEADY

    def exact(self, item: Value) -> bool:
        """Whether the value has no more digits than one limb, or a float32."""
        if not isinstance(item, Apply) or item.primitive != "cast":
            return False
        return item.args[0].dtype == "float32" or (self.forms is THIN and item.args[0].dtype == "float64")

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
            return 1 if number >= 0 else -1
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
