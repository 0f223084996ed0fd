"""Where a round of a loop makes use of a value: not in a branch of a `where` that it does not take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from symdl.loops import Apply, Value

ALWAYS = None
MOST = 3  # uses in different branches that are told apart


def uses(roots: Sequence[Value], known: Mapping[int, Value], op: Callable[..., Value]) -> dict[int, Value | None]:
    """By the id of each value, when it is used: a truth value, or ALWAYS. known: the counterparts of truth values, by id.
    op: makes an application."""
    found: dict[int, list[Value | None]] = {id(root): [ALWAYS] for root in roots}
    out: dict[int, Value | None] = {}
    for item in reversed(list(_in_order(roots))):
        when = out[id(item)] = either(found[id(item)], op)
        if item.primitive == "where" and id(item.args[0]) in known:
            condition = known[id(item.args[0])]
            sides = zip(item.args, (ALWAYS, condition, op("invert", condition)), strict=True)
            for x, more in sides:
                both = more if when is ALWAYS else when if more is ALWAYS else op("bitwise_and", when, more)
                found.setdefault(id(x), []).append(both)
        else:
            for x in item.args:
                found.setdefault(id(x), []).append(when)
    for key, given in found.items():
        out.setdefault(key, either(given, op))
    return out


def either(given: Sequence[Value | None], op: Callable[..., Value]) -> Value | None:
    """When one of these holds."""
    each = list(dict.fromkeys(given, None))
    if ALWAYS in each or len(each) > MOST:
        return ALWAYS
    total = each[0]
    for more in each[1:]:
        assert total is not None
        total = op("bitwise_or", total, more)
    return total


def _in_order(roots: Sequence[Value]) -> list[Apply]:
    """Applications, operands first."""
    done: dict[int, Apply] = {}
    stack: list[tuple[Value, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        item, ready = stack.pop()
        if id(item) in done or not isinstance(item, Apply):
            continue
        if ready:
            done[id(item)] = item
        else:
            stack.append((item, True))
            stack += [(x, False) for x in item.args]
    return list(done.values())
