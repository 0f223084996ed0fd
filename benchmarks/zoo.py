"""Every recipe of the zoo, trained over seeds, beside its gate and what scikit-learn's own model reaches in the same run.

python -m benchmarks.zoo --seeds 0-4 --store                # and what else is asked: see benchmarks.gates
python -m benchmarks.zoo --only mlp bounds
python -m benchmarks.zoo --path DIR --seeds 0 --store       # those of MNIST, whose files lie there; an hour
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.boltzmann import table
from benchmarks.gates import GATES
from symdl import extras
from symdl.cli.options import seeds
from symdl.datasets import Split
from symdl.zoo import RECIPES, Recipe
from symdl.zoo.data import SOURCES, read


def judged(make: Callable[[int], Any]) -> Callable[[Split, int], float]:
    """How well scikit-learn's model of a seed does on the test part."""

    def run(split: Split, seed: int) -> float:
        return float(make(seed).fit(split.x_train, split.y_train).score(split.x_test, split.y_test))

    return run


def perceptron(seed: int) -> Any:
    return extras.load("sklearn.linear_model", "a peer").Perceptron(random_state=seed)


def least_squares(seed: int) -> Any:
    return extras.load("sklearn.linear_model", "a peer").LinearRegression()


def logistic(seed: int) -> Any:
    return extras.load("sklearn.linear_model", "a peer").LogisticRegression(max_iter=2000)


def mlp(seed: int) -> Any:
    networks = extras.load("sklearn.neural_network", "a peer")
    return networks.MLPClassifier((100,), max_iter=200, random_state=seed)


PEERS: dict[str, Callable[[Split, int], float]] = {
    "perceptron-digits": judged(perceptron),
    "linear-diabetes": judged(least_squares),
    "logistic-digits": judged(logistic),
    "mlp-digits": judged(mlp),
}


def row(recipe: Recipe, chosen: list[int], path: Path | None, verbose: bool) -> dict[str, Any]:
    """A recipe's measures over seeds, its peer's, and whether the gate is met by the mean."""
    found, peer = [], []
    started = time.perf_counter()
    for seed in chosen:
        split = read(recipe.data, seed, path if SOURCES[recipe.data].needs_path else None)
        model = recipe.make(seed=seed)
        model.fit(split.x_train, split.y_train, verbose=1 if verbose else 0)
        found.append(model.evaluate(split.x_test, split.y_test)[recipe.measure])
    seconds = (time.perf_counter() - started) / len(chosen)
    if recipe.name in PEERS:
        peer = [PEERS[recipe.name](read(recipe.data, seed), seed) for seed in chosen]
    mean = float(np.mean(found))
    return {
        "recipe": recipe.name,
        "measure": recipe.measure,
        "seeds": chosen,
        "values": [round(v, 4) for v in found],
        "mean": round(mean, 4),
        "gate": recipe.gate,
        "met": recipe.reached(mean),
        "scikit-learn": round(float(np.mean(peer)), 4) if peer else None,
        "anchor": recipe.anchor,
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=seeds, default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", nargs="+", default=[], help="recipes and gates whose names begin so")
    parser.add_argument("--path", type=Path, help="the folder of MNIST's files: its recipes, and no others")
    parser.add_argument("--verbose", action="store_true", help="show each run's progress")
    parser.add_argument(
        "--store", action="store_true", help="write benchmarks/records/zoo.json; with --path mnist.json"
    )
    options = parser.parse_args()
    print(f"{'recipe':<26}{'measure':<18}{'mean':>9}{'least':>9}{'gate':>9}  met  {'sklearn':>8} {'s':>7}  anchor")
    rows = []

    def wanted(name: str) -> bool:
        return not options.only or any(name.startswith(start) for start in options.only)

    for name, recipe in RECIPES.items():
        if not wanted(name) or SOURCES[recipe.data].needs_path != (options.path is not None):
            continue
        r = row(recipe, options.seeds, options.path, options.verbose)
        rows.append(r)
        gate = "" if r["gate"] is None else f"{r['gate']:g}"
        met = "" if r["gate"] is None else "yes" if r["met"] else "NO"
        peer = "" if r["scikit-learn"] is None else f"{r['scikit-learn']:.4f}"
        numbers = f"{r['mean']:>9.4f}{min(r['values']):>9.4f}{gate:>9}"
        print(
            f"{name:<26}{recipe.measure:<18}{numbers}  {met:<4} {peer:>8} {r['seconds']:>7}  {r['anchor']}", flush=True
        )
    gates = [r for r in rows if r["gate"] is not None]
    if rows:
        print(f"{sum(r['met'] for r in gates)} of {len(gates)} gates met")
    if options.path is None and (further := [part for name, part in GATES.items() if wanted(name)]):
        rows += [one.plain() for one in table(further, options.seeds)]
    if options.store:
        from benchmarks.machine import store

        print("record:", store("mnist" if options.path else "zoo", rows).name)


if __name__ == "__main__":
    main()
