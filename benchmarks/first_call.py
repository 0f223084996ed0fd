"""The first call of a training step in a fresh process: MLP 784-512-128-10 with Adam, batch 256, float32, beside the peers.

    python -m benchmarks.first_call [--repeats 5] [--store]

Each measurement is a process of its own: it imports the engine, makes the data, and then takes the time from nothing to
the loss of the first step (model, gradients, optimizer, compilation, the step itself). symdl runs with an empty cache
("cold"), with a cache that holds its libraries but not this function ("new function"), and with a cache that holds all
("warm"). Engines take turns; reported are the best and the median, in seconds by the clock and of processor time. Peers
that are not installed are left out; torch.compile and jax run without a cache on disk.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SIZES = (784, 512, 128, 10)
BATCH, RATE = 256, 1e-3
SYMDL = ("symdl cold", "symdl new function", "symdl warm")


def data() -> tuple[Any, Any, list[Any]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, SIZES[0])).astype(np.float32)
    y = rng.integers(0, SIZES[-1], BATCH).astype(np.int32)
    weights = []
    for a, b in zip(SIZES, SIZES[1:], strict=False):
        weights += [(rng.standard_normal((a, b)) / np.sqrt(a)).astype(np.float32), np.zeros(b, np.float32)]
    return x, y, weights


# Each loads its engine and returns what is then timed: from data to the loss of the first step.
First = Callable[[Any, Any, list[Any]], float]


def symdl_first() -> First:
    import symdl  # noqa: PLC0415  # each engine is loaded only in the process that measures it
    import symdl.tensor as T  # noqa: PLC0415
    from symdl.nn.optimizers import Adam  # noqa: PLC0415

    def first(images: Any, labels: Any, weights: list[Any]) -> float:
        x, y = T.fmatrix("x"), T.ivector("y")
        params = [symdl.shared(w, f"w{k}") for k, w in enumerate(weights)]
        h: Any = x
        for k in range(0, len(params), 2):
            h = h @ params[k] + params[k + 1]
            h = T.softmax(h) if k == len(params) - 2 else T.where(h > 0, h, 0)
        loss = -T.log(h[T.arange(y.shape[0]), y]).mean()
        step = symdl.function([x, y], loss, updates=Adam(RATE).updates(loss, params))
        return float(step(images, labels))

    return first


def torch_first(compiled: bool) -> First:
    import torch  # noqa: PLC0415

    def first(images: Any, labels: Any, weights: list[Any]) -> float:
        x, y = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
        params = [torch.from_numpy(w.copy()).requires_grad_() for w in weights]
        adam = torch.optim.Adam(params, RATE)

        def forward(x: Any, y: Any, params: Any) -> Any:
            h = x
            for k in range(0, len(params), 2):
                h = torch.addmm(params[k + 1], h, params[k])
                if k < len(params) - 2:
                    h = torch.relu(h)
            return torch.nn.functional.cross_entropy(h, y)

        loss = (torch.compile(forward) if compiled else forward)(x, y, params)
        loss.backward()
        adam.step()
        return float(loss.detach())

    return first


def jax_first() -> First:
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        h = x
        for k in range(0, len(params), 2):
            h = h @ params[k] + params[k + 1]
            if k < len(params) - 2:
                h = jax.nn.relu(h)
        return -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(y.shape[0]), y])

    def update(state: Any, x: Any, y: Any) -> Any:
        params, means, squares, t = state
        loss, gradients = jax.value_and_grad(loss_of)(params, x, y)
        t = t + 1
        rate = RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        means = [0.9 * m + 0.1 * g for m, g in zip(means, gradients, strict=True)]
        squares = [0.999 * v + 0.001 * g * g for v, g in zip(squares, gradients, strict=True)]
        params = [p - rate * m / (jnp.sqrt(v) + 1e-8) for p, m, v in zip(params, means, squares, strict=True)]
        return loss, (params, means, squares, t)

    def first(images: Any, labels: Any, weights: list[Any]) -> float:
        params = [jnp.asarray(w) for w in weights]
        zeros = [jnp.zeros_like(p) for p in params]
        loss, _ = jax.jit(update)((params, zeros, zeros, jnp.float32(0)), jnp.asarray(images), jnp.asarray(labels))
        return float(loss)

    return first


ENGINES: dict[str, Callable[[], First]] = {
    **dict.fromkeys(SYMDL, symdl_first),
    "torch eager": lambda: torch_first(False),
    "torch.compile": lambda: torch_first(True),
    "jax.jit": jax_first,
}


def measure(engine: str) -> dict[str, float]:
    """In the process of its own: seconds to import and to the first loss."""
    begin = time.perf_counter()
    first = ENGINES[engine]()
    imported = time.perf_counter() - begin
    images, labels, weights = data()
    begin, used = time.perf_counter(), time.process_time()
    loss = first(images, labels, weights)
    return {
        "import_s": imported,
        "first_s": time.perf_counter() - begin,
        "first_cpu_s": time.process_time() - used,
        "loss": loss,
    }


def in_a_process(engine: str, cache: str) -> dict[str, float]:
    """One measurement; cache is the folder that symdl keeps its code in."""
    environment = {**os.environ, "SYMDL_CACHE_DIR": cache, "SYMDL_FLAGS": "", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is imported is what an installation would have
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_call", "--measure", engine],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it failed"])[-1][:120])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def prepared(engine: str, folder: Path) -> str:
    """A cache folder in the state that the engine's name says."""
    cache = folder / engine.replace(" ", "-")
    shutil.rmtree(cache, ignore_errors=True)
    if engine == "symdl warm":
        shutil.copytree(folder / "full", cache)
    elif engine == "symdl new function":
        shutil.copytree(folder / "full", cache)
        for file in cache.iterdir():
            if b"function " in file.read_bytes()[:200]:  # the key, in clear
                file.unlink()
    return str(cache)


def measured(repeats: int) -> list[dict[str, Any]]:
    """One row an engine."""
    there = {name: name.split(".")[0].split()[0] for name in ENGINES}
    runs: dict[str, list[dict[str, float]]] = {n: [] for n, module in there.items() if importlib.util.find_spec(module)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        in_a_process("symdl cold", str(folder / "full"))  # fills the cache, and Python's own of compiled modules
        for k in range(repeats):
            for engine in list(runs):
                if engine == "torch.compile" and k >= 2:
                    continue  # half a minute each
                try:
                    runs[engine].append(in_a_process(engine, prepared(engine, folder)))
                except RuntimeError as error:  # a peer that does not run here is reported, not fatal
                    print(f"{engine}: not measured: {error}")
                    if engine in SYMDL:
                        raise
                    del runs[engine]
    rows = []
    for engine, found in runs.items():
        row: dict[str, Any] = {"engine": engine, "runs": len(found)}
        for name in ("import_s", "first_s", "first_cpu_s"):
            values = [f[name] for f in found]
            row[f"best_{name}"], row[f"median_{name}"] = round(min(values), 4), round(statistics.median(values), 4)
        np.testing.assert_allclose(found[0]["loss"], runs["symdl cold"][0]["loss"], rtol=2e-4)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--store", action="store_true", help="write benchmarks/records/first_call.json")
    parser.add_argument("--measure", choices=list(ENGINES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    rows = measured(options.repeats)
    print(f"{'engine':<20} {'import s':>9} {'first call s':>13} {'median':>8} {'processor s':>12}")
    for r in rows:
        print(f"{r['engine']:<20} {r['best_import_s']:>9.3f} {r['best_first_s']:>13.3f} {r['median_first_s']:>8.3f} "
              f"{r['best_first_cpu_s']:>12.3f}")  # fmt: skip
    if options.store:
        from benchmarks.machine import store  # noqa: PLC0415  # loads symdl

        print("record:", store("first_call", rows).name)


if __name__ == "__main__":
    main()
