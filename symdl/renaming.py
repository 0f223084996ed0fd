"""The steps inside a step, and steps again on other buffers, with other views and other values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from symdl.loops import Apply, Assign, Checked, For, Guard, Load, Local, Stmt, Store, Value, View, is_value, parts
from symdl.program import Call, If, Kernel, Loop, Step, inner


def within(step: Step) -> Iterator[Step]:
    """A step and all steps inside it."""
    yield step
    for body in inner(step):
        for s in body:
            yield from within(s)


def all_within(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps and all steps inside them."""
    for s in steps:
        yield from within(s)


def renamed_view(view: View, names: Mapping[str, str]) -> View:
    """The view, on another buffer where its own has a new name."""
    return replace(view, buffer=names[view.buffer]) if view.buffer in names else view


def rename(step: Step, names: Mapping[str, str]) -> Step:
    """The step on other buffers of the same shapes."""
    match step:
        case Kernel(body, sources):
            return Kernel(rebuild(body, lambda v: renamed_view(v, names), {}), sources)
        case Call():
            epilogue = rebuild(step.epilogue, lambda v: renamed_view(v, names), {})
            return replace(step, views=tuple(renamed_view(v, names) for v in step.views), epilogue=epilogue)
        case Loop(counter, extent, steps):
            stop = None if step.stop is None else renamed_view(step.stop, names)
            return Loop(counter, extent, tuple(rename(s, names) for s in steps), stop)
        case If(condition, then, other):
            branches = [tuple(rename(s, names) for s in branch) for branch in (then, other)]
            return If(renamed_view(condition, names), *branches)


def rebuild(body: tuple[Stmt, ...], change: Callable[[View], View], replaced: Mapping[int, Value]) -> tuple[Stmt, ...]:
    """The statements with other views, and with Values replaced by identity. What is shared stays shared, and what does
    not change stays itself."""
    done: dict[int, Any] = dict(replaced)

    def at(item: Load | Store) -> tuple[Any, ...]:
        return tuple(done[id(i)] if is_value(i) else i for i in item.at)

    stack: list[Any] = list(reversed(body))
    while stack:
        item = stack[-1]
        if id(item) in done:
            stack.pop()
            continue
        kind = type(item)
        inside = item.args if kind is Apply else parts(item)
        waiting, same = len(stack), True
        for p in inside:
            made = done.get(id(p))
            if made is None:
                stack.append(p)
            elif made is not p:
                same = False
        if len(stack) > waiting:
            stack[waiting:] = stack[: waiting - 1 : -1]
            continue
        stack.pop()
        done[id(item)] = item
        if same and not ((kind is Load or kind is Store) and change(item.view) is not item.view):
            continue
        match item:
            case For(index, extent, statements, schedule):
                done[id(item)] = For(index, extent, tuple(done[id(s)] for s in statements), schedule)
            case Local(name, value) | Assign(name, value):
                done[id(item)] = type(item)(name, done[id(value)])
            case Store(view, _, value):
                done[id(item)] = Store(change(view), at(item), done[id(value)])
            case Load(view, _):
                done[id(item)] = Load(change(view), at(item))
            case Apply(primitive, args, dtype):
                done[id(item)] = Apply(primitive, tuple(done[id(a)] for a in args), dtype)
            case Guard(bounds, value, other):
                done[id(item)] = Guard(bounds, done[id(value)], done[id(other)])
            case Checked(value, extent, code, dtype):
                done[id(item)] = Checked(done[id(value)], extent, code, dtype)
    return tuple(done[id(s)] for s in body)


def unused(stem: str, names: Container[str]) -> str:
    """The first of stem0, stem1, ... that is no name yet."""
    return next(name for k in itertools.count() if (name := f"{stem}{k}") not in names)
