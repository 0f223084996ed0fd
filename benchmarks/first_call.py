"""The first call of a training step in a fresh process: MLP 784-512-128-10 with Adam, batch 256, float32, beside the peers.

    python -m benchmarks.first_call [--repeats 5] [--store]

Each measurement is a process of its own: it imports the engine, makes the data, and then takes the time from nothing to
the loss of the first step (model, gradients, optimizer, compilation, the step itself); total is both. symdl runs with an empty cache
("cold"), with a cache that holds its libraries but not this function ("new function"), and with a cache that holds all
("warm"). Engines take turns; reported are the best and the median, in seconds by the clock and of processor time. Peers
that are not installed are left out; torch.compile, jax and pytensor run without a cache on disk, pytensor with the linker
that it chooses (numba's).
"""

from __future__ import annotations

import argparse
import importlib
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

from benchmarks.mlp_step import NETS, Net, Step, data, jax_step, pytensor_step, symdl_step, torch_step

ROOT = Path(__file__).resolve().parent.parent
NET = NETS["mnist"]
SYMDL = ("symdl cold", "symdl new function", "symdl warm")
FEW = {"torch.compile": 2, "pytensor": 1}  # runs: half a minute each, and some minutes


# name -> (what it imports, how it makes the step)
ENGINES: dict[str, tuple[str, Callable[[Net, str], Step]]] = {
    **dict.fromkeys(SYMDL, ("symdl", symdl_step)),
    "torch eager": ("torch", lambda net, optimizer: torch_step(net, optimizer, False)),
    "torch.compile": ("torch", lambda net, optimizer: torch_step(net, optimizer, True)),
    "jax.jit": ("jax", jax_step),
    "pytensor": ("pytensor", pytensor_step),
}


def measure(engine: str) -> dict[str, float]:
    """In the process of its own: seconds to import and to the first loss."""
    module, build = ENGINES[engine]
    begin = time.perf_counter()
    importlib.import_module(module)
    imported = time.perf_counter() - begin
    images, labels, _ = data(NET)
    begin, used = time.perf_counter(), time.process_time()
    loss = float(build(NET, "adam")(images, labels))
    return {
        "import_s": imported,
        "first_s": (first := time.perf_counter() - begin),
        "total_s": imported + first,
        "first_cpu_s": time.process_time() - used,
        "loss": loss,
    }


def in_a_process(engine: str, cache: str) -> dict[str, float]:
    """One measurement; cache is the folder that symdl keeps its code in."""
    environment = {**os.environ, "SYMDL_CACHE_DIR": cache, "SYMDL_FLAGS": "", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    environment["PYTENSOR_FLAGS"] = f"base_compiledir={cache}"
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
    runs: dict[str, list[dict[str, float]]] = {
        name: [] for name, (module, _) in ENGINES.items() if importlib.util.find_spec(module)
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        in_a_process("symdl cold", str(folder / "full"))  # fills the cache, and Python's own of compiled modules
        for k in range(repeats):
            for engine in list(runs):
                if k >= FEW.get(engine, repeats):
                    continue
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
        for name in ("import_s", "first_s", "total_s", "first_cpu_s"):
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
    print(f"{'engine':<20} {'import s':>9} {'first call s':>13} {'median':>8} {'total s':>8} {'processor s':>12}")
    for r in rows:
        print(f"{r['engine']:<20} {r['best_import_s']:>9.3f} {r['best_first_s']:>13.3f} {r['median_first_s']:>8.3f} "
              f"{r['best_total_s']:>8.3f} {r['best_first_cpu_s']:>12.3f}")  # fmt: skip
    if options.store:
        from benchmarks.machine import store

        print("record:", store("first_call", rows).name)


if __name__ == "__main__":
    main()
