"""Everything that needs a real GPU, in one command: the tests marked gpu, bandwidths, products, training steps.

    python -m benchmarks.gpu [--no-tests] [--seconds 1] [--only LSTM] [--store]

Exits with 1, saying why, where no GPU can be used, and where a test fails. Times are between events on the device's own
stream, the best of several rounds; inputs lie on the device. Elementwise, softmax and transpose are told as shares of the
bandwidth of a copy within the device, in the same run; products and training steps stand beside torch (eager and
torch.compile with CUDA graphs) and jax where these are installed and see the GPU. --emulated runs small sizes on the emulated
GPU: it shows that the benchmark works, and its times mean nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import symdl
import symdl.tensor as T
from benchmarks.gpu_peers import jax_seconds, jax_step, jax_with_gpu, torch_seconds, torch_step, torch_with_gpu
from benchmarks.machine import store
from benchmarks.training_steps import SMALL_STEPS, STEPS
from symdl.errors import CudaUnavailableError
from symdl.runtime.devices import gpu_backend

Row = dict[str, Any]
ROUNDS = 5
PERCEPTRON = "perceptron 784-512-128-10, SGD"


class Bench:
    """A device, how large things are, and how long each is measured."""

    def __init__(self, device: str, seconds: float, only: str = "") -> None:
        self.name, self.seconds, self.real, self.only = device, seconds, device == "cuda", only
        self.backend = gpu_backend(device)
        self.place: Any = self.backend.place

    def extent(self, real: int, emulated: int) -> int:
        return real if self.real else emulated

    def wants(self, case: str) -> bool:
        return self.only in case

    def torch(self) -> Any:
        return torch_with_gpu() if self.real else None

    def jax(self) -> Any:
        return jax_with_gpu() if self.real else None

    def function(self, inputs: Any, output: Any) -> Callable[..., Any]:
        return symdl.function(inputs, symdl.Out(output, on_device=True), device=self.name)

    def seconds_of(self, run: Callable[[], Any]) -> float:
        """Of one run, by events, when the device is kept busy: the best round of several."""
        driver, stream = self.place.driver, self.place.stream
        for _ in range(4 if self.real else 1):
            run()
        start, stop = driver.event(), driver.event()
        count, best = 1, math.inf
        for _ in range(ROUNDS if self.real else 1):
            start.record(stream)
            for _ in range(count):
                run()
            stop.record(stream)
            stop.synchronize()
            each = driver.elapsed(start, stop) / 1e3 / count
            best = min(best, each)
            count = min(max(1, int(self.seconds / ROUNDS / max(each, 1e-7))), 10_000)
        return best

    def uploaded(self, array: Any) -> Any:
        return self.place.uploaded(np.ascontiguousarray(array))


# ---- bandwidth ----


def bandwidths(bench: Bench) -> Iterator[Row]:
    """Bytes read and written in a second, and the share of a copy's."""
    count = bench.extent(1 << 26, 1 << 10)
    a, b = (bench.place.array((count,), "float32") for _ in range(2))
    driver, stream = bench.place.driver, bench.place.stream
    driver.fill(a.address, 0, a.nbytes, stream)
    copied = 8 * count / bench.seconds_of(lambda: driver.copy(b.address, a.address, a.nbytes, stream))
    yield {"case": "copy", "gigabytes_per_second": copied / 1e9, "share_of_copy": 1.0}
    rng = np.random.default_rng(0)
    flat = bench.uploaded(rng.standard_normal(count, np.float32))
    rows = bench.uploaded(rng.standard_normal((count // 1024 or 1, min(count, 1024)), np.float32))
    side = bench.extent(8192, 32)
    square = bench.uploaded(rng.standard_normal((side, side), np.float32))
    x, m = T.fvector("x"), T.fmatrix("m")
    cases: list[tuple[str, Any, Any, Any]] = [
        ("elementwise tanh(2x + 0.3) exp(-x^2)", x, T.tanh(2 * x + np.float32(0.3)) * T.exp(-x * x), flat),
        ("softmax of rows of 1024", m, T.softmax(m), rows),
        ("transpose", m, m.T, square),
    ]
    for name, variable, output, data in cases:
        if not bench.wants(name):
            continue
        f = bench.function([variable], output)
        rate = 2 * data.nbytes / bench.seconds_of(lambda f=f, data=data: f(data))  # type: ignore[misc]  # defaults have no types
        yield {"case": name, "gigabytes_per_second": rate / 1e9, "share_of_copy": rate / copied}


# ---- products ----


def products(bench: Bench) -> Iterator[Row]:
    """float32 products, in 10^12 operations a second: as they come, by our own kernels, and in tf32."""
    for side in (1024, 4096, 8192) if bench.real else (64,):
        if not bench.wants(f"product {side}"):
            continue
        x = np.random.default_rng(1).standard_normal((side, side), np.float32)
        there = bench.uploaded(x)
        row: Row = {"case": f"product {side}"}
        for how in ("full", "own", "tf32"):
            with symdl.config.change(gpu_products=how):
                a, b = T.fmatrices("a", "b")
                f = bench.function([a, b], a @ b)
            seconds = bench.seconds_of(lambda f=f, there=there: f(there, there))  # type: ignore[misc]  # likewise
            row[f"teraflops, {how}"] = 2 * side**3 / seconds / 1e12
        if (torch := bench.torch()) is not None:
            peer = torch.from_numpy(x).cuda()
            row["torch"] = 2 * side**3 / torch_seconds(torch, lambda peer=peer: peer @ peer) / 1e12  # type: ignore[misc]  # likewise
        yield row


# ---- training steps ----


def training(bench: Bench) -> Iterator[Row]:
    """Microseconds of whole training steps, launched again and again on data that lies on the device."""
    for name, make in (STEPS if bench.real else SMALL_STEPS).items():
        if not bench.wants(name):
            continue
        step = make()
        f = symdl.function(
            step.inputs,
            symdl.Out(step.loss, on_device=True),
            updates=step.updates,
            precision="plain",
            device=bench.name,
        )
        data = [bench.uploaded(a) for a in step.arguments]
        f(*data)
        yield {"case": name, "microseconds": 1e6 * bench.seconds_of(lambda f=f, data=data: f(*data))}  # type: ignore[misc]  # likewise
    if bench.wants(PERCEPTRON):
        yield mlp_beside_peers(bench)


def mlp_beside_peers(bench: Bench) -> Row:
    """784-512-128-10 with 256 rows, relu, cross-entropy, SGD: the same formulas in every engine."""
    sizes, rows, rate = ((784, 512, 128, 10), 256, 0.05) if bench.real else ((12, 8, 6, 3), 5, 0.05)
    rng = np.random.default_rng(2)
    x0 = rng.standard_normal((rows, sizes[0]), np.float32)
    y0 = rng.integers(0, sizes[-1], rows).astype(np.int32)
    weights = [
        (rng.standard_normal(s) / math.sqrt(s[0])).astype(np.float32) for s in zip(sizes, sizes[1:], strict=False)
    ]
    x, y = T.fmatrix("x"), T.ivector("y")
    loss, updates = perceptron(x, y, weights, rate)
    f = symdl.function([x, y], symdl.Out(loss, on_device=True), updates=updates, device=bench.name)
    data = bench.uploaded(x0), bench.uploaded(y0)
    row: Row = {"case": PERCEPTRON, "microseconds": 1e6 * bench.seconds_of(lambda: f(*data))}
    if (torch := bench.torch()) is not None:
        eager = torch_step(torch, weights, x0, y0, rate)
        row["torch eager"] = 1e6 * torch_seconds(torch, eager)
        row["torch.compile reduce-overhead"] = 1e6 * torch_seconds(torch, torch.compile(eager, mode="reduce-overhead"))
    if (jax := bench.jax()) is not None:
        row["jax.jit"] = 1e6 * jax_seconds(jax, jax_step(jax, weights, x0, y0, rate))
    return row


def perceptron(x: Any, y: Any, weights: Any, rate: float) -> tuple[Any, list[tuple[Any, Any]]]:
    """The loss of relu layers with a softmax, and the updates of gradient descent."""
    params = [p for w in weights for p in (symdl.shared(w), symdl.shared(np.zeros(w.shape[1], np.float32)))]
    h: Any = x
    for k in range(0, len(params), 2):
        h = h @ params[k] + params[k + 1]
        h = T.where(h > 0, h, 0) if k < len(params) - 2 else h
    loss = -T.log(T.softmax(h)[T.arange(y.shape[0]), y]).mean()
    return loss, [(p, p - np.float32(rate) * g) for p, g in zip(params, symdl.grad(loss, params), strict=True)]


# ---- the command ----


def tests() -> Row:
    """The tests that are marked gpu, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    return {"case": "tests", "passed": done.returncode == 0, "summary": lines[-1] if lines else done.stderr[-500:]}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--no-tests", action="store_true", help="measure only")
    parser.add_argument("--emulated", action="store_true", help="small sizes on the emulated GPU: no measurement")
    parser.add_argument("--only", default="", help="cases whose names hold this text")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement, about")
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/gpu.json")
    arguments = parser.parse_args()
    try:
        bench = Bench("cuda-emulated" if arguments.emulated else "cuda", arguments.seconds, arguments.only)
    except CudaUnavailableError as error:
        print(f"no GPU, nothing was run\n{error}", file=sys.stderr)
        return 1
    attributes = dict(bench.place.driver.attributes)
    rows: list[Row] = [{"case": "device", "driver": bench.backend.described(), **attributes}]
    print(json.dumps(rows[0]))
    if bench.real and not arguments.no_tests:
        rows.append(tests())
        print(json.dumps(rows[-1]))
    for part in (bandwidths, products, training):
        for row in part(bench):
            rows.append({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
            print(json.dumps(rows[-1]), flush=True)
    if arguments.store and bench.real:
        print(store("gpu", rows))
    return 0 if all(row.get("passed", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
