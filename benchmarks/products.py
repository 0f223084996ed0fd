"""Products of matrices in Gflop/s by shape, beside NumPy and torch.

    python -m benchmarks.products [--threads 1 2] [--seconds 0.3] [--dtypes float32 float64] [--store]

Each number of threads is a process of its own. The engines take turns, and the best of their calls counts; each call
makes a new result. Letters after a shape M x N x K say how the operands lie: t for one that is transposed.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.processes import keep_to, report, rows_from

Array = Any
Engine = Callable[[str, str], Callable[..., Array]]
SQUARES = (32, 64, 128, 256, 512, 1024, 2048)
SHAPES = {
    "layer": [(256, 512, 784), (256, 128, 512), (20, 500, 784), (128, 500, 800)],
    "small M": [(1, 512, 512), (4, 512, 512), (8, 512, 512)],
    "thin K": [(512, 512, 1), (512, 512, 4), (512, 512, 16)],
    "narrow N": [(256, 10, 128), (1024, 10, 64), (1024, 1, 1024)],
}
CASES = [f"{n}x{n}x{n} {order}" for n in SQUARES for order in ("nn", "nt", "tn", "tt")]
CASES += [f"{m}x{n}x{k} {order}" for group in SHAPES.values() for m, n, k in group for order in ("nn", "nt", "tn")]
CASES += ["64 of 32x32x32 batch", "16 of 128x128x128 batch", "256x512x784 dense", "256x128x512 dense", "64x64x64 dense"]


def sizes(case: str) -> tuple[int, int, int, int]:
    """(products, M, N, K)."""
    shape, _, rest = case.partition(" of ") if " of " in case else ("1", "", case)
    m, n, k = (int(s) for s in rest.split()[0].split("x"))
    return int(shape), m, n, k


def operands(case: str, dtype: str) -> list[Array]:
    """The arrays that every engine is given, in C order."""
    rng = np.random.default_rng(0)
    batch, m, n, k = sizes(case)
    shapes = [(m, k), (k, n)]
    if case.endswith("batch"):
        shapes = [(batch, *s) for s in shapes]
    elif case.endswith("dense"):
        shapes.append((n,))
    else:
        shapes = [s[::-1] if letter == "t" else s for s, letter in zip(shapes, case.split()[-1], strict=True)]
    return [rng.standard_normal(s).astype(dtype) for s in shapes]


def formula(case: str, maximum: Callable[..., Array]) -> Callable[..., Array]:
    """The product in the words that all engines share; a dense layer is max(x w + b, 0)."""
    kind = case.split()[-1]
    if kind == "dense":
        return lambda x, w, b: maximum(x @ w + b)
    if kind == "batch":
        return lambda a, b: a @ b
    return lambda a, b: (a.T if kind[0] == "t" else a) @ (b.T if kind[1] == "t" else b)


def symdl_engine(case: str, dtype: str) -> Callable[..., Array]:
    import symdl
    import symdl.tensor as T

    leaves = [T.tensor(f"x{k}", dtype, (None,) * a.ndim) for k, a in enumerate(operands(case, dtype))]
    return symdl.function(leaves, formula(case, lambda h: T.maximum(h, 0))(*leaves))


def numpy_engine(case: str, dtype: str) -> Callable[..., Array]:
    return formula(case, lambda h: np.maximum(h, 0, out=h))


def torch_engine(case: str, dtype: str) -> Callable[..., Array]:
    import torch

    run = formula(case, torch.relu_)
    if case.endswith("dense"):
        run = lambda x, w, b: torch.relu_(torch.addmm(b, x, w))  # noqa: E731
    given = [torch.from_numpy(a) for a in operands(case, dtype)]
    return lambda *_: run(*given)


def engines() -> dict[str, Engine]:
    found: dict[str, Engine] = {"symdl": symdl_engine, "numpy": numpy_engine}
    if importlib.util.find_spec("torch"):
        found["torch"] = torch_engine
    return found


def measured(threads: int, seconds: float, dtypes: list[str]) -> list[dict[str, Any]]:
    """One row a case and dtype: Gflop/s of the best call of each engine, the results being compared."""
    import symdl

    symdl.config.threads = threads
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(threads)
    rows = []
    for dtype in dtypes:
        for case in CASES:
            arrays = operands(case, dtype)
            calls = {engine: build(case, dtype) for engine, build in engines().items()}
            expected = np.asarray(calls["numpy"](*arrays))
            for call in calls.values():
                scale = np.finfo(dtype).eps * sizes(case)[3] * 4
                np.testing.assert_allclose(np.asarray(call(*arrays)), expected, rtol=scale, atol=scale * 4)
            best = dict.fromkeys(calls, float("inf"))
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                for engine, call in calls.items():
                    for _ in range(3):
                        start = time.perf_counter()
                        call(*arrays)
                        best[engine] = min(best[engine], time.perf_counter() - start)
            flops = 2 * np.prod([float(n) for n in sizes(case)])
            rows.append(
                {"case": case, "dtype": dtype, "threads": threads}
                | {engine: round(flops / t / 1e9, 1) for engine, t in best.items()}
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--seconds", type=float, default=0.3, help="for each case")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/products.json")
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)  # what rows_from asks for
    options = parser.parse_args()
    if options.rows:
        keep_to(options.rows)
        report(measured(options.rows, options.seconds, options.dtypes))
        return
    given = ("--seconds", str(options.seconds), "--dtypes", *options.dtypes)
    rows = [row for threads in options.threads for row in rows_from("benchmarks.products", threads, *given)]
    names = [name for name in rows[0] if name not in ("case", "dtype", "threads")]
    print(f"{'Gflop/s':<26}{'dtype':<9}{'threads':>7}" + "".join(f"{name:>9}" for name in names))
    for row in rows:
        print(
            f"{row['case']:<26}{row['dtype']:<9}{row['threads']:>7}" + "".join(f"{row[name]:>9.1f}" for name in names)
        )
    if options.store:
        from benchmarks.machine import store

        print("record:", store("products", rows).name)


if __name__ == "__main__":
    main()
