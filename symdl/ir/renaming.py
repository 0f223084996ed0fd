"""The steps inside a step, and steps again on other buffers."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace

from symdl.ir.loops import View
from symdl.ir.program import Call, If, Kernel, Loop, Step, inner
from symdl.ir.rebuilding import rebuilt


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
    name = names.get(view.buffer)
    return view if name is None else View(name, view.dtype, view.shape, view.strides, view.offset)


def rename(step: Step, names: Mapping[str, str]) -> Step:
    """The step on other buffers of the same shapes."""
    match step:
        case Kernel(body, sources):
            return Kernel(rebuilt(body, views=lambda v: renamed_view(v, names)), sources)
        case Call():
            epilogue = rebuilt(step.epilogue, views=lambda v: renamed_view(v, names))
            return replace(step, views=tuple(renamed_view(v, names) for v in step.views), epilogue=epilogue)
        case Loop(counter, extent, steps):
            stop = None if step.stop is None else renamed_view(step.stop, names)
            return Loop(counter, extent, tuple(rename(s, names) for s in steps), stop)
        case If(condition, then, other):
            branches = [tuple(rename(s, names) for s in branch) for branch in (then, other)]
            return If(renamed_view(condition, names), *branches)


def unused(stem: str, names: Container[str]) -> str:
    """The first of stem0, stem1, ... that is no name yet."""
    return next(name for k in itertools.count() if (name := f"{stem}{k}") not in names)
