"""Convolutions with both gradients, pooling and batch normalization (float32), beside torch and JAX.

    python -m benchmarks.convolutions [--cases lenet2 resnet3x3 ...] [--threads 1 2] [--seconds 3] [--store]

A case is one function: of a convolution the result and, from a gradient of it that is given, those of filters and images;
of pooling and normalization the result and the gradient of the images. Engines run in turn; their results must agree.
Reported is the best time, and for convolutions what they multiply and add in it. Each number of threads is a process of its
own. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.processes import Rows, keep_to, report, rows_from

Run = Callable[..., Sequence[Any]]


@dataclass(frozen=True)
class Case:
    """images[n, channels, side, side] against filters[outputs, channels / groups, size, size]; or another kind of layer."""

    n: int
    channels: int
    side: int
    outputs: int = 0
    size: int = 3
    step: int = 1
    holes: int = 1
    pad: int = 0
    groups: int = 1
    kind: str = "convolution"  # or "max", "mean", "norm"

    @property
    def results(self) -> int:
        """The side of the results."""
        return (self.side + 2 * self.pad - (self.size - 1) * self.holes - 1) // self.step + 1

    @property
    def flops(self) -> int:
        """Of the three products."""
        each = self.channels // self.groups * self.size**2
        return 6 * self.n * self.outputs * self.results**2 * each if self.kind == "convolution" else 0


CASES = {
    "lenet1": Case(128, 1, 28, 20, 5),
    "lenet2": Case(128, 20, 12, 50, 5),
    "vgg64": Case(8, 64, 56, 64, 3, pad=1),
    "vgg256": Case(8, 256, 14, 256, 3, pad=1),
    "resnet7x7": Case(4, 3, 112, 64, 7, step=2, pad=3),
    "resnet1x1": Case(8, 256, 28, 64, 1),
    "resnet1x1/2": Case(8, 128, 28, 256, 1, step=2),
    "resnet3x3/2": Case(8, 128, 28, 128, 3, step=2, pad=1),
    "holes": Case(8, 64, 28, 64, 3, holes=2, pad=2),
    "groups": Case(8, 128, 28, 128, 3, pad=1, groups=32),
    "depthwise": Case(8, 64, 56, 64, 3, pad=1, groups=64),
    "max2x2": Case(128, 20, 24, size=2, step=2, kind="max"),
    "max3x3/2": Case(8, 64, 56, size=3, step=2, pad=1, kind="max"),
    "mean2x2": Case(128, 20, 24, size=2, step=2, kind="mean"),
    "batchnorm": Case(32, 64, 28, kind="norm"),
}


def arrays(case: Case) -> tuple[Any, ...]:
    """Images, the gradient of the result, and filters or a scale."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((case.n, case.channels, case.side, case.side), np.float32)
    if case.kind == "norm":
        return x, rng.standard_normal(x.shape, np.float32), rng.standard_normal(case.channels, np.float32)
    g = rng.standard_normal((case.n, case.outputs or case.channels, case.results, case.results), np.float32)
    if case.kind != "convolution":
        return x, g
    return x, g, rng.standard_normal((case.outputs, case.channels // case.groups, case.size, case.size), np.float32)


def symdl_run(case: Case) -> Run:
    import symdl
    import symdl.tensor as T

    x, g = T.ftensor4("x"), T.ftensor4("g")
    f = T.tensor("f", dtype="float32", shape=arrays(case)[-1].shape)  # filters are known where images are not
    if case.kind == "convolution":
        settings = {
            "border_mode": case.pad,
            "subsample": case.step,
            "filter_dilation": case.holes,
            "num_groups": case.groups,
        }
        y = T.correlate(x, f, **settings)
        return symdl.function([x, g, f], [y, *T.Lop(y, [f, x], g)])
    if case.kind == "norm":
        y = T.batch_normalization_train(x, f, T.zeros_like(f), "spatial", 1e-5)[0]
        return symdl.function([x, g, f], [y, *T.Lop(y, [x], g)])
    mode = "max" if case.kind == "max" else "average_inc_pad"
    y = T.pool_2d(x, case.size, stride=case.step, pad=case.pad, mode=mode)
    return symdl.function([x, g], [y, *T.Lop(y, [x], g)])


def torch_run(case: Case) -> Run:
    import torch
    from torch.nn import functional

    def layer(x: Any, f: Any) -> Any:
        if case.kind == "convolution":
            return functional.conv2d(x, f, None, case.step, case.pad, case.holes, case.groups)
        if case.kind == "norm":
            return functional.batch_norm(x, None, None, f, None, True)
        pool = functional.max_pool2d if case.kind == "max" else functional.avg_pool2d
        return pool(x, case.size, case.step, case.pad)

    def run(*given: Any) -> Sequence[Any]:
        x, g, *rest = (torch.from_numpy(v) for v in given)
        wrt = [x.requires_grad_(), *(f.requires_grad_() for f in rest if case.kind == "convolution")]
        y = layer(x, rest[0] if rest else None)
        return [v.detach().numpy() for v in (y, *torch.autograd.grad(y, wrt[::-1], g))]

    return run


def jax_run(case: Case) -> Run:
    import jax
    import jax.numpy as jnp
    from jax import lax

    around = [(case.pad, case.pad)] * 2
    window, steps = (1, 1, case.size, case.size), (1, 1, case.step, case.step)

    def layer(x: Any, f: Any) -> Any:
        if case.kind == "convolution":
            return lax.conv_general_dilated(
                x, f, steps[2:], around, rhs_dilation=(case.holes,) * 2, feature_group_count=case.groups
            )
        if case.kind == "norm":
            mean, var = jnp.mean(x, (0, 2, 3), keepdims=True), jnp.var(x, (0, 2, 3), keepdims=True)
            return (x - mean) / jnp.sqrt(var + 1e-5) * f[:, None, None]
        start, fold = (-jnp.inf, lax.max) if case.kind == "max" else (0.0, lax.add)
        y = lax.reduce_window(x, start, fold, window, steps, [(0, 0), (0, 0), *around])
        return y if case.kind == "max" else y / case.size**2

    def both(x: Any, g: Any, f: Any) -> Any:
        y, back = jax.vjp(layer, x, f)
        found = back(g)
        return (y, *found[::-1]) if case.kind == "convolution" else (y, found[0])

    compiled = jax.jit(both)
    none = np.zeros(1, np.float32)

    def run(*given: Any) -> Sequence[Any]:
        return [np.asarray(v) for v in compiled(*given, *([none] if len(given) == 2 else []))]

    return run


def engines() -> dict[str, Callable[[Case], Run]]:
    """What is installed, by name."""
    found: dict[str, Callable[[Case], Run]] = {"symdl": symdl_run}
    if importlib.util.find_spec("torch"):
        found["torch"] = torch_run
    if importlib.util.find_spec("jax"):
        found["jax"] = jax_run
    return found


def measured(name: str, threads: int, seconds: float) -> Rows:
    """One row an engine: the best time."""
    import symdl

    symdl.config.threads = threads
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(threads)
    case = CASES[name]
    given = arrays(case)
    runs: dict[str, Run] = {}
    expected: list[Any] = []
    for engine, build in engines().items():
        try:
            run = build(case)
            found = [np.array(v) for v in run(*given)]
        except Exception as error:  # noqa: BLE001  # a peer that does not run here is reported, not fatal
            print(f"{engine}: not measured: {type(error).__name__}: {str(error)[:100]}", file=sys.stderr)
            continue
        expected = expected or found
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=float(1e-4 * np.abs(b).max()))
        runs[engine] = run
    best = dict.fromkeys(runs, np.inf)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for engine, run in runs.items():
            for _ in range(2):
                start = time.perf_counter()
                run(*given)
                best[engine] = min(best[engine], time.perf_counter() - start)
    return [
        {
            "case": name,
            "threads": threads,
            "engine": e,
            "best_ms": round(1e3 * t, 3),
            "gflops": round(case.flops / t / 1e9, 1),
        }
        for e, t in best.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=3, help="for each case")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/convolutions.json")
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # what rows_from asks for
    options = parser.parse_args()
    if options.rows:
        keep_to(options.rows)
        report([r for n in options.cases for r in measured(n, options.rows, options.seconds)])
        return
    given = ("--cases", *options.cases, "--seconds", str(options.seconds))
    rows = [row for threads in options.threads for row in rows_from("benchmarks.convolutions", threads, *given)]
    print(f"{'case':<13}{'threads':>7}  {'engine':<8}{'best ms':>10}{'Gflop/s':>9}{'ratio':>7}")
    for r in rows:
        here = [q for q in rows if (q["case"], q["threads"]) == (r["case"], r["threads"])]
        peers = [q["best_ms"] for q in here if q["engine"] != "symdl"]
        ratio = f"{r['best_ms'] / min(peers):.2f}" if peers and r["engine"] == "symdl" else ""
        print(f"{r['case']:<13}{r['threads']:>7}  {r['engine']:<8}{r['best_ms']:>10}{r['gflops'] or '':>9}{ratio:>7}")
    if options.store:
        from benchmarks.machine import store

        print("record:", store("convolutions", rows).name)


if __name__ == "__main__":
    main()
