"""The same Program on the CPU and on a GPU, emulated with its checks on, or real: what the tests of CUDA compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symdl.graph.expr import Expr
from symdl.pipeline.compilation import Graph, compiled, lowered
from symdl.runtime.devices import backend
from symdl.runtime.runs import native
from symdl.runtime.segments import Segment, segmented

Array = np.ndarray[Any, Any]


def on_both(
    gpu: str, outputs: Sequence[Expr], values: Mapping[Expr, Any], stable: bool = False
) -> tuple[list[Array], list[Array]]:
    """The outputs by the CPU and by the GPU of that name; stable=False leaves stage 3 out."""
    inputs = tuple(values)
    arrays = [np.asarray(v, leaf.type.dtype) for leaf, v in values.items()]
    cuts, graph = segmented(Graph(inputs, (), tuple(outputs), ()))
    for cut in cuts:
        arrays += Segment(cut, "numpy")(arrays, [])
    form = lowered(graph, stable=stable, blocks=False)
    found = []
    for machine in (native(), backend(gpu)):
        executable = compiled(form, machine)
        bound = executable.bind(arrays, [])
        assert bound.status == 0, form.program.checks[bound.status - 1]
        status, results = executable.execute(bound)
        assert status == 0, form.program.failures
        found.append([np.asarray(r) for r in results])
    return found[0], found[1]


def alike(
    gpu: str,
    outputs: Sequence[Expr],
    values: Mapping[Expr, Any],
    ulps: float | Mapping[int, float] = 4,
    stable: bool = False,
) -> None:
    """The GPU's results are the CPU's: floats within so many ulps (or as many as stated for an output) of the larger of an
    element and a sixteenth of the largest of its array, all else exactly."""
    for k, (expected, got) in enumerate(zip(*on_both(gpu, outputs, values, stable), strict=True)):
        limit = ulps.get(k, 4) if isinstance(ulps, Mapping) else ulps
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape), (k, outputs[k])
        said = f"output {k}: {outputs[k]!r}"
        if expected.dtype.kind != "f":
            np.testing.assert_array_equal(got, expected, err_msg=said)
            continue
        finite = np.abs(expected[np.isfinite(expected)])
        eps = float(limit * np.finfo(expected.dtype).eps)
        np.testing.assert_allclose(
            got, expected, rtol=eps, atol=float(finite.max(initial=0.0)) / 16 * eps, err_msg=said
        )
