"""Values of Loop IR in which some functions have given way to others, each value looked at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symdl.backends.wide.short import PREFIX, SHORT
from symdl.loops import Apply, Value, walk


def shortened(roots: Sequence[Value]) -> list[Value]:
    """Values with the functions of `wide.short` in the place of those of two limbs."""

    def short(item: Apply) -> Value:
        name = PREFIX + item.primitive
        usual = name not in SHORT or not item.dtype == item.args[0].dtype == "float64x2"
        return item if usual else Apply(name, item.args, item.dtype)

    return changed(roots, short)


def once(roots: Sequence[Value]) -> list[Value]:
    """Values in which no function is computed both as a float64 and, of the same float64, as a float32, and none twice."""
    functions = [x for x in walk(*roots) if isinstance(x, Apply) and len(x.args) == 1 and x.args[0].dtype == "float64"]
    doubles = {(x.primitive, id(x.args[0])): x for x in functions if x.dtype == "float64"}
    found = {id(x): doubles.get((x.primitive, id(x.args[0]))) for x in functions if x.dtype == "float32"}

    equal: dict[tuple[object, ...], Value] = {}

    def cast(item: Apply) -> Value:
        double = found.get(id(item))
        made = item if double is None else Apply("cast", (double,), item.dtype)
        return equal.setdefault((made.primitive, made.dtype, *map(id, made.args)), made)

    return changed(roots, cast)


def changed(roots: Sequence[Value], change: Callable[[Apply], Value]) -> list[Value]:
    """Values of which each application, its operands changed already, has become another."""
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
        args = tuple(done[id(x)] for x in item.args)
        same = all(x is y for x, y in zip(args, item.args, strict=True))
        done[id(item)] = change(item if same else Apply(item.primitive, args, item.dtype))
    return [done[id(x)] for x in roots]
