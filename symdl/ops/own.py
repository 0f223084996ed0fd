"""Ops of the user's own: Python functions of arrays, and parts of a graph with gradients of their own."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symdl.errors import GradientError, InputError, kind_of
from symdl.graph.bodies import dependent
from symdl.graph.expr import Expr, Inferred, Op, described, make, register, results
from symdl.ops.declare import differentiable, filled_like
from symdl.records import record
from symdl.types import Results, TensorType

Rule = Callable[[Sequence[Expr], Sequence[Expr], Sequence[Expr]], Sequence[Expr | None]]


@record(eq=False)
class PythonFunction:
    """A function of arrays, the types of its results, and how its gradient is made."""

    name: str
    function: Callable[..., Any]
    types: Callable[..., Sequence[TensorType]]  # of the operands' types; not asked where sizes are known only from data
    gradient: Rule | None = None

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        where = self.function.__module__, self.function.__qualname__
        if (found := _found(*where)) is not self:
            raise pickle.PicklingError(f"{'.'.join(where)} is not the op that it names here: {found!r}")
        return _found, where

    def run(self, *arrays: Any) -> tuple[Any, ...]:
        """What it returns, as a tuple of arrays."""
        found = self.function(*arrays)
        return tuple(found) if isinstance(found, tuple | list) else (found,)


def _found(module: str, name: str) -> Any:
    """The Python function of the op of this name."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return getattr(found, "call", None)


@record(eq=False)
class GradientRule:
    """(inputs, outputs, gradients of the outputs) -> a gradient, or None, for each input. No part of what code depends on."""

    rule: Rule


def _python_infer(*types: TensorType, call: PythonFunction) -> Inferred:
    return Results(tuple(call.types(*types))), ()


def _python_pullback(
    g: tuple[Expr | None, ...], y: Expr, *inputs: Expr, call: PythonFunction, **_: Any
) -> tuple[Expr | None, ...]:
    if call.gradient is None:
        raise GradientError(
            f"{call.name} has no gradient",
            [described(y)],
            "as_op(..., gradient=lambda inputs, outputs, gradients: [...])",
        )
    outputs = results(y)
    whole = [filled_like(0, o) if h is None else h for h, o in zip(g, outputs, strict=True)]
    return _checked(call.name, call.gradient(inputs, outputs, whole), inputs)


def _checked(name: str, found: Any, inputs: Sequence[Expr]) -> tuple[Expr | None, ...]:
    if not isinstance(found, tuple | list) or len(found) != len(inputs):
        raise GradientError(f"{name}: its gradient must be a list of {len(inputs)}, one for each input, not {found!r}")
    return tuple(h if differentiable(x) else None for h, x in zip(found, inputs, strict=True))


PYTHON = register(
    Op(
        "python", "routine", ("*xs",), _python_infer, "A Python function of arrays.",
        reference=lambda *xs, call: call.run(*xs), pullback=_python_pullback,
    )
)  # fmt: skip


def _sized_infer(*types: TensorType, call: PythonFunction, count: Any, kinds: tuple[tuple[str, int], ...]) -> Inferred:
    extents = iter(count)
    return Results(tuple(TensorType(dtype, tuple(next(extents) for _ in range(ndim))) for dtype, ndim in kinds)), ()


def _sized_numpy(*xs: Any, call: PythonFunction, kinds: tuple[tuple[str, int], ...]) -> tuple[Any, ...]:
    found = tuple(map(np.asarray, call.run(*xs)))
    if len(found) != len(kinds):
        raise ValueError(f"{call.name} returned {len(found)} arrays, not {len(kinds)}")
    for k, (array, (dtype, ndim)) in enumerate(zip(found, kinds, strict=True)):
        if array.ndim != ndim or array.dtype != dtype:
            raise ValueError(f"{call.name}: result {k} is {array.dtype} of {array.ndim} axes, not {dtype} of {ndim}")
    return found


PYTHON_SIZED = register(
    Op(
        "python_sized", "counted", ("*xs",), _sized_infer, "A Python function of arrays whose results have any sizes.",
        reference=_sized_numpy, pullback=_python_pullback,
    )
)  # fmt: skip


def sized_like(node: Expr, patterns: Sequence[Expr]) -> tuple[Expr, ...]:
    """The results of a python_sized node, which must come in the sizes of these expressions, one for each."""
    call, kinds, count = node.params["call"], node.params["kinds"], len(node.inputs)

    def types(*given: TensorType) -> list[TensorType]:
        return [TensorType(dtype, t.shape) for (dtype, _), t in zip(kinds, given[count:], strict=True)]

    def rule(inputs: Sequence[Expr], outputs: Sequence[Expr], gradients: Sequence[Expr]) -> Sequence[Expr | None]:
        return [*call.gradient(inputs[:count], outputs, gradients), *(None for _ in patterns)]

    sized = PythonFunction(
        call.name, lambda *arrays: call.function(*arrays[:count]), types, rule if call.gradient else None
    )
    return results(make(PYTHON, (*node.inputs, *patterns), call=sized))


def _guided_infer(y: TensorType, *rest: TensorType, rule: GradientRule, place: int, count: int) -> Inferred:
    return y, ()


def _guided_pullback(
    g: Expr, whole: Expr, y: Expr, *rest: Expr, rule: GradientRule, place: int, count: int
) -> tuple[Expr | None, ...]:
    outputs, inputs = rest[:count], rest[count:]
    gradients = [g if k == place else filled_like(0, o) for k, o in enumerate(outputs)]
    return (None,) * (1 + count) + _checked("custom_gradient", rule.rule(inputs, outputs, gradients), inputs)


GUIDED = register(
    Op(
        "custom_gradient", "composite", ("y", "*rest"), _guided_infer, "y, whose gradient a rule gives.",
        expand=lambda y, *rest, **_: y, pullback=_guided_pullback,
    )
)  # fmt: skip


def custom_gradient(outputs: Sequence[Expr], inputs: Sequence[Expr], rule: Rule) -> list[Expr]:
    """The outputs, whose gradients with respect to the inputs are what rule(inputs, outputs, gradients) gives.

    gradients: one for each output, in its shape; the rule returns one for each input, or None where nothing flows. It is
    called once for each output that a gradient reaches, the others' gradients being zeros, and must be linear in them.
    What the outputs depend on besides the inputs gets no gradient through them.

        (y,) = symdl.custom_gradient([T.round(x)], [x], lambda inputs, outputs, gradients: gradients)

    Raises InputError for what are no lists of expressions, or where no output depends on an input.
    """
    for name, given in (("outputs", outputs), ("inputs", inputs)):
        if not isinstance(given, list | tuple) or not all(isinstance(e, Expr) for e in given):
            raise InputError(f"custom_gradient: {name} is {kind_of(given)}, not a list of expressions")
    if dependent(outputs, inputs).isdisjoint(outputs):
        parts = [described(e) for e in (*outputs, *inputs)]
        raise InputError(
            "custom_gradient: no output depends on an input", parts, "custom_gradient(outputs, inputs, rule)"
        )
    kept = GradientRule(rule)
    return [make(GUIDED, (y, *outputs, *inputs), rule=kept, place=k, count=len(outputs)) for k, y in enumerate(outputs)]
