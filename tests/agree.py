"""Agreement: how tests compare a graph with NumPy, with finite differences and with itself on other machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.backends.interpreter.backend import interpret
from symdl.derivatives.gradient import pull
from symdl.graph.expr import Expr, constant, variable
from symdl.passes.evaluate import evaluate
from symdl.pipeline.compilation import Graph, compiled, lowered, routines_of
from symdl.runtime.runs import native
from symdl.runtime.segments import Segment, segmented
from symdl.types import Results

FLOATS = ("float32", "float64")
DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
)  # fmt: skip


def result_type_of(expr: Expr, array: Any) -> None:
    """The array has the dtype, the axes and the known extents that the expression promises."""
    assert not isinstance(expr.type, Results)
    assert array.dtype.name == expr.type.dtype
    assert array.ndim == expr.type.ndim
    for known, n in zip(expr.type.shape, array.shape, strict=True):
        assert not isinstance(known, int) or known == n


def value(expr: Expr, values: Mapping[Expr, Any]) -> Any:
    """The oracle's array, whose type is checked on the way."""
    (array,) = evaluate([expr], values)
    result_type_of(expr, array)
    return array


def same(got: Any, expected: Any, dtype: str | None = None) -> None:
    """Equal bit by bit but for the sign of zero; NaN equals NaN; dtype and shape too."""
    expected = np.asarray(expected)
    assert got.dtype == (dtype or expected.dtype)
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)


def close(got: Any, expected: Any, ulps: float = 4) -> None:
    """Within so many units in the last place of the largest of the expected numbers' axis-free neighbourhood."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    eps = np.finfo(got.dtype).eps if got.dtype.kind == "f" else 0.0
    np.testing.assert_allclose(got, expected, rtol=float(ulps * eps), atol=float(ulps * eps) * 1e-3)


def leaf(name: str, array: Any, known: bool = False) -> Expr:
    """A variable for this array. known: its extents are known, else only that an axis of 1 is 1."""
    array = np.asarray(array)
    return variable(name, tuple(n if known or n == 1 else None for n in array.shape), array.dtype.name)


@dataclass(frozen=True)
class Case:
    """One use of an op, on arrays: build in symdl and the same in NumPy. ops: what it is meant to reach."""

    name: str
    build: Callable[..., Any]
    numpy: Callable[..., Any]
    shapes: Sequence[tuple[int, ...]]
    integers: tuple[int, ...] = ()  # operands that are small whole numbers, in 0..2
    floats: bool = True  # whether it runs on floats and has a gradient
    exact: bool = True  # whether the oracle must equal NumPy bit by bit

    def __repr__(self) -> str:
        return self.name

    def arrays(self, dtype: str, seed: int = 0) -> list[Any]:
        rng = np.random.default_rng([seed, *map(ord, self.name)])
        return [
            rng.integers(0, 3, s) if k in self.integers else number_array(rng, s, dtype)
            for k, s in enumerate(self.shapes)
        ]


def number_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    """Numbers of any dtype, of magnitude about 1, none closer than 1/16 to another by more than chance."""
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith("float"):
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0 if dtype.startswith("u") else -9, 10, shape).astype(dtype)


def pulled(outputs: Sequence[Expr], wrt: Sequence[Expr], seed: int = 0) -> tuple[Expr, list[Expr]]:
    """(a weighted sum of all float outputs, its gradients): the weights are irregular and the same each time."""
    parts = []
    for k, y in enumerate(outputs):
        if y.type.dtype.startswith("float"):
            weights = T.cos(T.cast(T.reshape(T.arange(T.size(y)), y.shape), y.type.dtype) * 1.7 + float(k + seed))
            parts.append((y * weights).sum().astype("float64"))
    total = parts[0]
    for p in parts[1:]:
        total = total + p
    found = pull([total], [constant(1.0)], wrt)
    return total, [T.zeros_like(w) if g is None else g for w, g in zip(wrt, found, strict=True)]


def check_gradient(
    outputs: Sequence[Expr], values: Mapping[Expr, Any], wrt: Sequence[Expr], step: float = 1e-6, rtol: float = 1e-6
) -> None:
    """Reverse-mode gradients against central differences of the oracle along random directions, in float64."""
    total, gradients = pulled(outputs, wrt)
    found = evaluate(gradients, values)
    rng = np.random.default_rng(7)
    for w, g in zip(wrt, found, strict=True):
        assert g.dtype.name == w.type.dtype
        assert g.shape == np.shape(values[w])
        if not g.size:
            continue
        for _ in range(2):
            direction = rng.normal(size=g.shape)
            moved = [evaluate([total], {**values, w: values[w] + s * step * direction})[0] for s in (1, -1)]
            slope = (moved[0] - moved[1]) / (2 * step)
            scale = np.sum(np.abs(g * direction)) + np.abs(slope) + np.abs(moved[0]) * 1e-3 + 1e-3
            assert abs(slope - np.sum(g * direction)) <= rtol * scale, (w, slope, np.sum(g * direction))


# ---- the same graph on every machine ----


def three_ways(outputs: Sequence[Expr], values: Mapping[Expr, Any], stable: bool = False) -> list[list[Any]]:
    """The outputs by the oracle, by the loops' interpreter and by machine code; stable=False leaves stage 3 out."""
    inputs = tuple(values)
    arrays = [np.asarray(v, leaf.type.dtype) for leaf, v in values.items()]
    cuts, graph = segmented(Graph(inputs, (), tuple(outputs), ()))
    for cut in cuts:
        arrays += Segment(cut, "numpy")(arrays, [])
    form = lowered(graph, stable=stable)
    executable = compiled(form, native())
    bound = executable.bind(arrays, [])
    status, machine = bound.status, tuple[Any, ...]()
    if not status:
        status, machine = executable.execute(bound)
    assert status == 0, form.program.failures
    held = form.program.of_kind("input", "constant")
    given = [*arrays, *(c.params["value"].array for c in form.constants)]
    named = {b.name: np.asarray(a, order="C") for b, a in zip(held, given, strict=True)}
    result = interpret(form.program, named, routines=routines_of(form))
    assert result.status == 0
    interpreted = [result.outputs[b.name] for b in form.program.of_kind("output")]
    return [evaluate(outputs, values), interpreted, list(machine)]


def agree(
    outputs: Sequence[Expr], values: Mapping[Expr, Any], ulps: float | Mapping[int, float] = 4, stable: bool = False
) -> None:
    """The three ways agree: floats within so many ulps (or as many as stated for an output), all else exactly.

    Ulps are those of the larger of an element and a sixteenth of the largest of its array: sums may run in any order.
    """
    oracle, interpreted, machine = three_ways(outputs, values, stable)
    for k, (expected, *others) in enumerate(zip(oracle, interpreted, machine, strict=True)):
        limit = ulps.get(k, 4) if isinstance(ulps, Mapping) else ulps
        for way, got in zip(("interpreter", "machine code"), others, strict=True):
            assert (got.dtype, got.shape) == (expected.dtype, expected.shape), (way, k, outputs[k])
            if expected.dtype.kind == "f":
                finite = np.abs(expected[np.isfinite(expected)])
                atol = finite.max(initial=0.0) / 16 * limit * np.finfo(expected.dtype).eps
                rtol = float(limit * np.finfo(expected.dtype).eps)
                np.testing.assert_allclose(
                    got, expected, rtol=rtol, atol=float(atol), err_msg=f"{way}, output {k}: {outputs[k]!r}"
                )
            else:
                np.testing.assert_array_equal(got, expected, err_msg=f"{way}, output {k}: {outputs[k]!r}")
