"""Every case in sizes other than its own: none, one, and an odd number; by the oracle and by machine code."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from agree import FLOATS, Case, check_gradient, pulled
from cases import CASES

import symdl
from symdl.errors import SymdlError
from symdl.graph.expr import Expr, variable
from symdl.ops.declare import is_float
from symdl.passes.evaluate import evaluate

# Cases that mean something in their own sizes alone: a parameter of the op, or the NumPy beside it, counts on them.
OWN_SIZES = {"convolve_filters", "convolve_images", "covering", "interleave", "unshared"}
# What symdl refuses and NumPy does not, or gives in another shape.
REFUSED = {
    "broadcast_to": "an extent that is not known to be 1 never stretches",
    "convolve": "filters without places, and groups of no channels",
    "inc": "as broadcast_to",
    "linspace": "as broadcast_to",
    "mask set": "an index that is outside",
    "median": "of nothing: NumPy warns and gives NaN",
    "pool": "windows larger than what they slide over: NumPy's shapes happen to fit",
    "scatter set": "as broadcast_to",
    "set": "as broadcast_to",
    "squeeze": "drops the axes that are known to be 1",
}
# Cases with no empty form, in NumPy neither.
NEVER_EMPTY = {
    "average": "weights of nothing",
    "bilinear_upsampling": "nothing between no places",
    "compress": "its conditions are a row and a column",
    "grids": "no operand of the ops",
    "ifelse": "its condition is an element",
    "index": "an element",
    "linspace": "its length is a number",
    "max all": "the largest of none",
    "matrix norms": "the largest column of none",
    "min_and_argmin": "as max all",
    "pad edge": "repeats elements",
    "pad reflect": "as pad edge",
    "pad symmetric": "as pad edge",
    "pad wrap": "as pad edge",
    "sizes from data": "reads a first element",
    "solve_triangular turned": "beside NumPy's 3 x 3 unit matrix",
    "softmax all": "beside NumPy's formula, which takes the largest",
    "vdot": "its operands have different numbers of axes",
}  # fmt: skip


def resized(case: Case) -> Iterator[Case]:
    """The case with all extents of one number replaced by another; an axis of 1 stays, since it stretches."""
    for old in sorted({n for shape in case.shapes for n in shape} - {1}):
        for new in (0, 1, 5):
            if new != old:
                yield replace(case, shapes=[tuple(new if n == old else n for n in s) for s in case.shapes])


def by_numpy(case: Case, arrays: list[Any]) -> list[Any] | None:
    """What NumPy computes; None where it has no answer in these sizes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing, divisions of 0
            found = case.numpy(*arrays)
    except (ValueError, IndexError, TypeError, ZeroDivisionError, np.linalg.LinAlgError):
        return None
    return list(found) if isinstance(found, list | tuple) else [found]


def built(case: Case, dtype: str) -> tuple[list[Expr], list[Expr]]:
    """(variables of unknown extents, but for those that are 1; the outputs)."""
    leaves = [
        variable(f"{case.name} {k}", tuple(n if n == 1 else None for n in shape), array.dtype.name)
        for k, (array, shape) in enumerate(zip(case.arrays(dtype), case.shapes, strict=True))
    ]
    found = case.build(*leaves)
    return leaves, list(found) if isinstance(found, list | tuple) else [found]


def dtypes_of(case: Case) -> tuple[str, ...]:
    return FLOATS if case.floats else ("int64",)


def alike(got: list[Any], expected: list[Any], message: str) -> None:
    for g, e in zip(got, expected, strict=True):
        assert g.shape == np.shape(e), message
        rtol = 1e-4 if g.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(g, e, rtol=rtol, atol=rtol, err_msg=message)


def answered(case: Case, dtype: str) -> Iterator[tuple[Case, dict[Expr, Any], list[Expr]]]:
    """The sizes that NumPy and symdl both have an answer for, which is the same."""
    leaves, outputs = built(case, dtype)
    for other in resized(case):
        arrays = other.arrays(dtype)
        expected = by_numpy(other, arrays)
        values = dict(zip(leaves, arrays, strict=True))
        if expected is None:
            continue
        try:
            got = evaluate(outputs, values)
            if case.name in REFUSED and any(g.shape != np.shape(e) for g, e in zip(got, expected, strict=True)):
                continue
        except SymdlError:
            assert case.name in REFUSED, (case.name, other.shapes)
            continue
        alike(got, expected, f"{case.name} {other.shapes}")
        yield other, values, outputs


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in OWN_SIZES], ids=repr)
def test_other_sizes_are_numpys_and_gradients_slopes(case: Case) -> None:
    empty = False
    for dtype in dtypes_of(case):
        for other, values, outputs in answered(case, dtype):
            empty |= any(0 in s for s in other.shapes)
            floats = [v for v in values if is_float(v.type.dtype)]
            if dtype != "float64" or not floats or not any(is_float(y.type.dtype) for y in outputs):
                continue
            if all(np.isfinite(a).all() for a in evaluate(outputs, values)):
                check_gradient(outputs, values, floats)
    if case.name not in REFUSED:
        assert empty != (case.name in NEVER_EMPTY)


SIXTHS = [[c for c in CASES[k::6] if c.name not in OWN_SIZES] for k in range(6)]


@pytest.mark.parametrize("sixth", range(6))
def test_machine_code_of_other_sizes(sixth: int) -> None:
    """One function of many cases, values and gradients, called with one case at a time in other sizes."""
    dtype = FLOATS[sixth % 2]
    leaves: list[Expr] = []
    usual: dict[Expr, Any] = {}
    outputs: list[Expr] = []
    slots: list[tuple[Case, list[Expr], slice]] = []
    for case in SIXTHS[sixth]:
        own, values = built(case, dtype)
        floats = [v for v in own if is_float(v.type.dtype)]
        if floats and any(is_float(y.type.dtype) for y in values):
            values = values + pulled(values, floats)[1]
        slots.append((case, own, slice(len(outputs), len(outputs) + len(values))))
        leaves += own
        outputs += values
        usual |= dict(zip(own, case.arrays(dtype), strict=True))
    f = symdl.function(leaves, outputs, precision="plain")
    for case, own, mine in slots:
        for other in resized(case):
            values_of = dict(zip(own, other.arrays(dtype), strict=True))
            if by_numpy(other, list(values_of.values())) is None:
                continue
            try:
                expected = evaluate(outputs[mine], values_of)
            except SymdlError:
                continue
            got = f(*(values_of.get(v, usual[v]) for v in leaves))
            alike(got[mine], expected, f"{case.name} {other.shapes}")
