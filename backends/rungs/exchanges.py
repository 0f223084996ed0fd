"""Values of Loop IR in which some functions have given way to others, each value looked at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from symdl.backends.builder import FLOATS
from symdl.backends.wide.brief import ERROR
from symdl.backends.wide.brief import PREFIX as BRIEF_PREFIX
from symdl.backends.wide.ranges import FARTHEST
from symdl.backends.wide.short import FUNCTIONS, PREFIX, SHORT, SUMS
from symdl.ir.loops import Apply, Const, Load, Value, walk
from symdl.number_forms import limbs_of

BY_LIMBS = frozenset([
    "eq", "ne", "lt", "le", "gt", "ge", "maximum", "minimum", "floor", "ceil", "trunc", "round_half_even", "mod", "floor_div",
])  # fmt: skip
ARITHMETIC = frozenset(["add", "sub", "mul", "true_div"])
LOOSENED = frozenset(PREFIX + name for name in ("mul", "true_div", *FUNCTIONS))  # leave limbs as they fall
CHOSEN = frozenset(["where", "neg", "abs"])
OPEN = {"exp": "open_exp", **{BRIEF_PREFIX + name: f"{BRIEF_PREFIX}open_{name}" for name in ("exp", "decay")}}
SIGMOID = f"{BRIEF_PREFIX}sigmoid"
FUSED = "fused"  # x y + z, rounded once where the processor does


def shortened(roots: Sequence[Value], conditions: Sequence[Value] = ()) -> list[Value]:
    """Values, and conditions on them, with the functions and the arithmetic of `wide.short` in the place of those of two
    limbs. Sums of numbers that are as in full stay so: what they lose where they cancel, nobody has asked about. They, and
    what compares, are given limbs as they are in full: of 1 and 1 + 2^-53 - 2^-53, limb by limb, 2^-53 would be left. A product of
    numbers that have one limb is as in full."""
    kept = {id(x) for x in walk(*roots)}
    inexact: set[int] = set()
    loose: set[int] = set()

    def settled(x: Value, name: str) -> Value:
        exact = name in SUMS and _is_product(x)
        return Apply(f"{PREFIX}settled", (x,), x.dtype) if id(x) in loose and not exact else x

    def short(made: Apply, item: Apply) -> Value:
        name = made.primitive
        if name == "cast" and made.dtype == "float64" and _loose(made.args[0]):
            return Apply(PREFIX + name, made.args, made.dtype) if id(item) in kept else made
        if PREFIX + name not in SHORT or any(x.dtype != "float64x2" for x in (made, *made.args)):
            found = made
        elif name == "sub" and _is_complement(made):
            found = Apply(f"{PREFIX}complement", made.args[1:], made.dtype)
        elif name not in SUMS or any(id(x) in inexact for x in made.args) or all(map(_is_plain, made.args)):
            found = Apply(PREFIX + name, made.args, made.dtype)
        else:
            found = made
        # other sums round what they add, or are a step of a polynomial
        by_limbs = name in BY_LIMBS or (
            name in SUMS and made.dtype == "float64x2" and not any(map(_is_known, made.args))
        )
        if found is made and by_limbs and any(id(x) in loose for x in made.args):
            found = Apply(name, tuple(settled(x, name) for x in made.args), made.dtype)
        if name in FUNCTIONS or any(id(x) in inexact for x in made.args):
            inexact.add(id(found))
        if found.primitive in LOOSENED or (name in CHOSEN and any(id(x) in loose for x in made.args)):
            loose.add(id(found))
        return found

    return changed([*roots, *conditions], short)


def loosened(roots: Sequence[Value], conditions: Sequence[Value] = (), exact: bool = False) -> list[Value]:
    """Values, and conditions on them, with all arithmetic of two limbs that of `wide.short`. exact: but for sums of numbers that
    are known exactly, which have all digits even where they cancel."""
    kept = {id(x) for x in walk(*roots)}

    def settled(x: Value) -> Value:
        return Apply(f"{PREFIX}settled", (x,), x.dtype) if _loose(x) else x

    def loose(made: Apply, item: Apply) -> Value:
        name = made.primitive
        if name == "cast" and made.dtype == "float64" and _loose(made.args[0]):
            return Apply(PREFIX + name, made.args, made.dtype) if id(item) in kept else made
        if name in BY_LIMBS and any(map(_loose, made.args)):
            return Apply(name, tuple(map(settled, made.args)), made.dtype)
        if name not in ARITHMETIC or any(x.dtype != "float64x2" for x in (made, *made.args)):
            return made
        if exact and name in SUMS and all(map(_is_exact, made.args)) and not all(map(_is_plain, made.args)):
            return made
        return Apply(PREFIX + name, made.args, made.dtype)

    return changed([*roots, *conditions], loose)


def abbreviated(roots: Sequence[Value], conditions: Sequence[Value] = ()) -> list[Value]:
    """Values, and conditions on them, with the functions of `wide.brief` in the place of those of float64."""
    uses = used([*roots, *conditions])
    casts = {(id(x.args[0]), x.dtype): x for x in walk(*roots) if isinstance(x, Apply) and x.primitive == "cast"}

    def brief(made: Apply, item: Apply) -> Value:
        if _of_sigmoid(item, uses):
            tail = made.args[1]
            assert isinstance(tail, Apply)
            return Apply(SIGMOID, tail.args, made.dtype)
        match made:
            case Apply("exp", (Apply("neg", (x,)),), "float64"):
                return Apply(f"{BRIEF_PREFIX}decay", (x,), made.dtype)
            case Apply("exp", (Apply("cast", (Apply("neg", (x,)),), "float64"),), "float64"):
                same = casts.get((id(x), "float64")) or Apply("cast", (x,), "float64")
                return Apply(f"{BRIEF_PREFIX}decay", (same,), made.dtype)
        known = made.dtype == made.args[0].dtype == "float64" and made.primitive in ERROR
        return Apply(BRIEF_PREFIX + made.primitive, made.args, made.dtype) if known else made

    return changed([*roots, *conditions], brief)


def opened(roots: Sequence[Value], conditions: Sequence[Value]) -> list[Value]:
    """Values, and conditions on them, of which the first says when they are wrong, with exponentials that are not right either where
    that says so, since their argument is too large: it looks at this, or at a float32 which then is not finite. Likewise with sigmoids
    that are no number there: sums of theirs, which shall not be small, count as too small if they are none."""
    arguments: set[tuple[int, bool]] = set()  # ids, and whether negative
    sizes: list[Value] = []
    sigmoids: set[int] = set()  # ids, and those of the conditions that look at them
    asked: set[int] = set()
    for c in walk(conditions[0]):
        match c:
            case Apply("invert", (Apply("gt", (Const(number), x)),)) if number == FARTHEST:
                if isinstance(x, Apply) and x.primitive == "abs":
                    arguments |= {(id(x.args[0]), negative) for negative in (True, False)}
                else:
                    y, negative = _unsigned(x)
                    arguments.add((id(y), negative))
            case Apply("invert", (Apply("le", (size, Const())),)) if size.dtype == "float32":
                sizes.append(size)
            case Apply("lt", (Apply("mul", (Apply("abs", (Apply("cast", (total,), "float32"),)), Const())), _)):
                inside = [x for x in _behind([total]) if isinstance(x, Apply) and x.primitive == SIGMOID]
                sigmoids |= set(map(id, inside))
                asked |= {id(c)} if inside else set()
    looked_at = {id(x) for x in _behind(sizes)}

    def open_one(made: Apply, item: Apply) -> Value:
        if id(item) in sigmoids:
            return Apply(f"{BRIEF_PREFIX}open_sigmoid", made.args, made.dtype)
        if id(item) in asked:
            return Apply("invert", (Apply("ge", made.args, made.dtype),), made.dtype)
        name = OPEN.get(made.primitive)
        if name is None or made.dtype not in ("float32", "float64"):
            return made
        (x,) = made.args
        if isinstance(x, Apply) and x.primitive == "cast" and x.args[0].dtype == "float32":
            x = x.args[0]
        y, negative = _unsigned(x)
        negative ^= made.primitive == f"{BRIEF_PREFIX}decay"
        if id(item) not in looked_at and (id(y), negative) not in arguments:
            return made
        if made.dtype == made.args[0].dtype:
            return Apply(name, made.args, made.dtype)
        return Apply(name, (x,), made.dtype) if made.dtype == x.dtype else made

    return changed([*roots, *conditions], open_one)


def _unsigned(x: Value) -> tuple[Value, bool]:
    """What a value is but for its sign, and whether that is another."""
    return (x.args[0], True) if isinstance(x, Apply) and x.primitive == "neg" else (x, False)


def _behind(sizes: Sequence[Value]) -> list[Value]:
    """What values are not finite with, or no number, of the same dtype."""
    found: dict[int, Value] = {}
    stack = list(sizes)
    while stack:
        x = stack.pop()
        if id(x) not in found and isinstance(x, Apply) and x.primitive in ("abs", "neg", "add", "sub", "mul"):
            stack += [a for a in x.args if a.dtype == x.dtype]
        found[id(x)] = x
    return [*found.values()]


def _of_sigmoid(item: Apply, uses: Counter[int]) -> bool:
    """Whether a float64 is where(x < 0, t, 1 - t) with t = 1/(1 + e^|x|), which nothing else wants."""
    match item:
        case Apply("where", (Apply("lt", (x, Const(0))), Apply("logistic_tail", (same,), "float64") as t, other)):
            pass
        case _:
            return False
    match other:
        case Apply("sub", (Const(1), tail)) if tail is t and same is x:
            return uses[id(t)] == 2 and uses[id(other)] == 1
    return False


def fused(roots: Sequence[Value], conditions: Sequence[Value] = ()) -> list[Value]:
    """Values, and conditions on them, in which a product of float64 that is only added to something is rounded together with
    the sum."""
    uses = used([*roots, *conditions])

    def fuse(made: Apply, item: Apply) -> Value:
        if made.primitive not in ("add", "sub") or made.dtype != "float64":
            return made
        for k, (x, before) in enumerate(zip(made.args, item.args, strict=True)):
            if isinstance(x, Apply) and x.primitive == "mul" and uses[id(before)] == 1:
                first, second = x.args
                other = made.args[1 - k]
                if made.primitive == "sub":
                    first, other = (Apply("neg", (first,), "float64"), other) if k else (first, _negative(other))
                return Apply(FUSED, (first, second, other), "float64")
        return made

    return changed([*roots, *conditions], fuse)


def _negative(x: Value) -> Value:
    return Const(-x.number, x.dtype) if isinstance(x, Const) else Apply("neg", (x,), "float64")


def used(roots: Sequence[Value]) -> Counter[int]:
    """How often values are used, by their ids."""
    return Counter([id(x) for x in roots] + [id(part) for x in walk(*roots) if isinstance(x, Apply) for part in x.args])


def _is_complement(x: Apply) -> bool:
    """Whether a number is 1 less one that is at most a half."""
    one, other = x.args
    return (
        isinstance(one, Const)
        and tuple(limbs_of(one.number, one.dtype)) == (1.0, 0.0)
        and isinstance(other, Apply)
        and other.primitive == f"{PREFIX}logistic_tail"
    )


def _is_known(x: Value) -> bool:
    """Whether a value is a constant, or a sum of constants."""
    return isinstance(x, Const) or (isinstance(x, Apply) and x.primitive == "add" and all(map(_is_known, x.args)))


def _is_plain(x: Value) -> bool:
    """Whether a number of two limbs has one."""
    return isinstance(x, Apply) and x.primitive == "cast" and x.args[0].dtype in FLOATS


def _is_product(x: Value) -> bool:
    """Whether a number of two limbs is a product of two of one: rounded, and what that leaves (no number beside infinities)."""
    return isinstance(x, Apply) and x.primitive == f"{PREFIX}mul" and all(map(_has_one_limb, x.args))


def _has_one_limb(x: Value) -> bool:
    return _is_plain(x) or (isinstance(x, Const) and not limbs_of(x.number, x.dtype)[1])


def _is_exact(x: Value) -> bool:
    """Whether a number of two limbs is known exactly: what is given, and products of plain numbers."""
    match x:
        case Apply("neg" | "abs", (y,)):
            return _is_exact(y)
        case Apply("mul" | "short_mul", (y, z)):
            return _is_plain(y) and _is_plain(z)
    return not isinstance(x, Apply) or _is_plain(x)


def _loose(x: Value) -> bool:
    """Whether the high limb of a number of two may not be what both are, rounded."""
    return (
        x.dtype == "float64x2"
        and not isinstance(x, Const | Load)
        and not (isinstance(x, Apply) and x.primitive == "cast")
    )


def once(roots: Sequence[Value]) -> list[Value]:
    """Values in which no function is computed both as a float64 and, of the same float64, as a float32, and none twice."""
    functions = [x for x in walk(*roots) if isinstance(x, Apply) and len(x.args) == 1 and x.args[0].dtype == "float64"]
    doubles = {(x.primitive, id(x.args[0])): x for x in functions if x.dtype == "float64"}
    found = {id(x): doubles.get((x.primitive, id(x.args[0]))) for x in functions if x.dtype == "float32"}

    equal: dict[tuple[object, ...], Value] = {}

    def cast(item: Apply, _: Apply) -> Value:
        double = found.get(id(item))
        made = item if double is None else Apply("cast", (double,), item.dtype)
        return equal.setdefault((made.primitive, made.dtype, *map(id, made.args)), made)

    return changed(roots, cast)


def changed(roots: Sequence[Value], change: Callable[[Apply, Apply], Value]) -> list[Value]:
    """Values of which each application has become another, made of it with its operands changed already and of itself."""
    done: dict[int, Value] = {}
    stack = list(roots)
    while stack:
        item = stack[-1]
        if id(item) in done:
            stack.pop()
            continue
        if not isinstance(item, Apply):
            done[id(item)] = item
            continue
        if missing := [x for x in item.args if id(x) not in done]:
            stack += missing
            continue
        args = tuple([done[id(x)] for x in item.args])
        same = args == item.args  # values are equal to themselves alone
        done[id(item)] = change(item if same else Apply(item.primitive, args, item.dtype), item)
    return [done[id(x)] for x in roots]
