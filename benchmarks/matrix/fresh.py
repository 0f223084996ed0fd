"""Group C: what an engine needs before and beside the work: import, size, the first result, those of other batch sizes,
memory; in new processes.

symdl's first result is taken with an empty cache on disk ("cold") and with one that holds the function ("warm"); peers keep
none. "first" begins when all is imported, "start to first" with the import: whoever loads less at once loads it there. NumPy is
there before. Code is made by as many threads as the row has, where `benchmarks.first_call` takes all. Memory is the most that the
process ever held, its packages included.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.matrix import models
from benchmarks.matrix.cells import Cell
from benchmarks.matrix.engine import Differentiating, Engine
from benchmarks.matrix.engines import ENGINES, Plain

ROOT = Path(__file__).resolve().parents[2]
DEEP = Cell(
    "M", "MLP of 100 layers", models.perceptron, models.labelled(10, 128, 784),
    models.weights(models.dense((784, *[256] * 99, 10))), 0.01,
)  # fmt: skip
CELLS = {c.label: c for c in (*models.steps(), DEEP)}
FIRST = ("M M1 784-512-128-10 b256 Adam", "M M2 LeNet b128", "M M6 LSTM 128 T50 b32")
MEMORY = ("M M2 LeNet b128", DEEP.label)
MANY = "steps of 32 batch sizes in a row"  # of the first of FIRST
ROWS = range(7, 256, 8)
STATUS = Path("/proc/self/status")
STEPS = 3  # that are run before memory is read


def measured(engine: type[Engine], cell: Cell | None, threads: int) -> dict[str, float]:
    """In the process of its own: seconds to import, to the first result, and for both, and MiB after some."""
    begin = time.perf_counter()
    importlib.import_module("symdl" if engine.name.startswith("symdl") else engine.package)
    found = {"import": time.perf_counter() - begin}
    if cell is not None:
        if engine.name.startswith("symdl"):  # peers import their optimizers with all else
            importlib.import_module("symdl.nn")
        loaded = time.perf_counter() - begin
        rng = np.random.default_rng(0)
        batch, descent = cell.make(rng), cell.descent(rng)
        begin = time.perf_counter()
        made = engine(threads)
        assert isinstance(made, Differentiating)
        run = made.step(descent, batch)
        made.value(run())
        found["first"] = time.perf_counter() - begin
        found["start"] = loaded + found["first"]
        for _ in range(STEPS):
            run()
    return found | {"mib": peak()}


def in_a_row(engine: type[Engine], threads: int) -> dict[str, float]:
    """Seconds for a step of each size, none of which was seen before, after the first result of another."""
    cell, made = CELLS[FIRST[0]], engine(threads)
    assert isinstance(made, Differentiating)
    made.open_sizes = True
    rng = np.random.default_rng(0)
    batch, descent = cell.make(rng), cell.descent(rng)
    step = made.stepper(descent, batch)
    made.value(step(*made.given(batch)))
    begin = time.perf_counter()
    for n in ROWS:
        made.value(step(*made.given([a[:n] for a in batch])))
    return {"sizes": time.perf_counter() - begin}


def peak() -> float:
    """MiB that this process held at most, as far as the system tells: getrusage would count the parent's before it, too."""
    for said in STATUS.read_text().splitlines() if STATUS.exists() else ():
        if said.startswith("VmHWM:"):
            return int(said.split()[1]) / 1024
    return math.nan


def in_a_process(engine: type[Engine], label: str, threads: int, cache: str) -> dict[str, float] | None:
    """One measurement; None where the engine cannot do it."""
    environment = {**os.environ, "SYMDL_CACHE_DIR": cache, "SYMDL_FLAGS": "", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    environment["PYTENSOR_FLAGS"] = f"base_compiledir={cache}"
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is imported is what an installation would have
    command = [sys.executable, "-m", "benchmarks.matrix.fresh", engine.name, label, str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        if engine.name == "symdl":
            raise RuntimeError(done.stderr)
        return None
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def installed(requirements: Sequence[str]) -> float:
    """MiB of distributions and all that they require."""
    seen: set[str] = set()
    left, size = list(requirements), 0
    while left:
        name = re.split(r"[^A-Za-z0-9._-]", left.pop().strip())[0].lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # required elsewhere only
            continue
        size += sum(p.stat().st_size for f in found.files or () if (p := Path(str(f.locate()))).is_file())
        left += [r for r in found.requires or () if "extra ==" not in r]
    return size / (1 << 20)


def sizes(engines: Sequence[type[Engine]]) -> dict[str, float]:
    """MiB of each engine with what it requires."""
    own = sum(
        p.stat().st_size
        for top in ("symdl", "backends")
        for p in (ROOT / top).rglob("*")
        if p.suffix != ".pyc" and p.is_file()
    )
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found = {e.name: installed([e.package]) for e in engines if e.name != "symdl"}
    return {"symdl": own / (1 << 20) + installed(required)} | found


def row(cell: str, threads: int, unit: str, found: dict[str, list[float]]) -> dict[str, Any]:
    """A row of the matrix: the least of each engine."""
    best = {name: min(values) for name, values in found.items() if values}
    own = found["symdl"]
    out: dict[str, Any] = {"cell": cell, "group": "C", "threads": threads, "differs": [], "failed": {}}
    out |= {
        unit: {name: round(v, 3) for name, v in best.items()},
        "noise": round(sorted(own)[len(own) // 2] / min(own) - 1, 3),
    }
    peers = {name: v for name, v in best.items() if name != "symdl"}
    if peers:
        out["best_peer"] = min(peers, key=lambda name: peers[name])
        out["ratio"] = round(best["symdl"] / min(peers.values()), 3)
    return out


def rows(only: str, threads: int, repeats: int) -> Iterator[dict[str, Any]]:
    """The rows of group C."""
    engines = [e for e in ENGINES if issubclass(e, Differentiating) and e is not Plain and e.available()]
    runs: dict[tuple[str, str], list[dict[str, float]]] = {}

    def taken(engine: type[Engine], label: str, cache: str, times: int) -> list[dict[str, float]]:
        key = (f"{engine.name}{cache and ' warm'}", label)
        while len(runs.setdefault(key, [])) < times:
            with tempfile.TemporaryDirectory() as empty:
                found = in_a_process(engine, label, threads, cache or empty)
            if found is None:
                break
            runs[key].append(found)
        return runs[key]

    def of(label: str, name: str, scale: float, cache: str = "") -> dict[str, list[float]]:
        counts = {e: repeats if label == "" or e.name == "symdl" else 1 for e in engines}
        chosen = {e: taken(e, label, cache if e.name == "symdl" else "", n) for e, n in counts.items()}
        return {e.name: [scale * f[name] for f in found] for e, found in chosen.items()}

    if only in "C1 import":
        yield row("C1 import", threads, "us", of("", "import", 1e6))
    if only in "C1 installed":
        yield row("C1 installed", threads, "mib", {name: [size] for name, size in sizes(engines).items()})
    for label in FIRST:
        if any(only in f"C1 {what} {label}" for what in ("first", "start to first")):
            yield row(f"C1 first {label}, cold", threads, "us", of(label, "first", 1e6))
            yield row(f"C1 start to first {label}, cold", threads, "us", of(label, "start", 1e6))
            with tempfile.TemporaryDirectory() as cache:
                in_a_process(engines[0], label, threads, cache)
                yield row(f"C1 first {label}, warm", threads, "us", of(label, "first", 1e6, cache))
                yield row(f"C1 start to first {label}, warm", threads, "us", of(label, "start", 1e6, cache))
    if only in f"C3 {MANY}":
        yield row(f"C3 {MANY}", threads, "us", of(MANY, "sizes", 1e6))
    for label in MEMORY:
        if only in f"C memory {label}":
            yield row(f"C memory {label}", threads, "mib", of(label, "mib", 1.0))


def main() -> None:
    engine, label, threads = sys.argv[1:]
    chosen = next(e for e in ENGINES if e.name == engine)
    if label == MANY:
        print(json.dumps(in_a_row(chosen, int(threads))))
    else:
        print(json.dumps(measured(chosen, CELLS[label] if label else None, int(threads))))


if __name__ == "__main__":
    main()
