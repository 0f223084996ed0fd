"""Estimators of symdl.sklearn beside scikit-learn's own on the bundled digits: accuracy, and time of `fit` and `predict`.

    python -m benchmarks.estimators [--seeds 5] [--only accuracy|speed|prediction] [--store]

Accuracy: 80 % for training, 20 % for testing, stratified, the mean over seeds 0 to 4, each of which splits and starts the
estimators anew, beside the least that is asked for. Speed: `fit` with equal settings, in turn in one process, all on one thread,
seconds of the processor, the best of several; compiled code is in the cache, as from the second fit on. Then one row and all
rows are predicted by what was fitted, microseconds a call.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import linear_model, neural_network
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import symdl
import symdl.sklearn as own
from benchmarks.machine import store

Make = Callable[[int], Any]
MLP64: dict[str, Any] = {
    "hidden_layer_sizes": (64,),
    "activation": "logistic",
    "solver": "sgd",
    "learning_rate_init": 0.5,
    "max_iter": 100,
}
RBM: dict[str, Any] = {"n_components": 100, "learning_rate": 0.06, "n_iter": 20}

# name -> (what is asked for at least, symdl's, scikit-learn's or None)
ACCURACY: dict[str, tuple[float | None, Make, Make | None]] = {
    "Perceptron": (0.930, lambda s: own.Perceptron(random_state=s), lambda s: linear_model.Perceptron(random_state=s)),
    "LogisticRegression": (
        0.962, lambda s: own.LogisticRegression(max_iter=1000), lambda s: linear_model.LogisticRegression(max_iter=1000),
    ),
    "MLP 64 logistic, SGD": (
        0.972, lambda s: own.MLPClassifier(**MLP64, random_state=s),
        lambda s: neural_network.MLPClassifier(**MLP64, random_state=s),
    ),
    "MLP 100 relu, Adam": (
        0.974, lambda s: own.MLPClassifier(random_state=s), lambda s: neural_network.MLPClassifier(random_state=s),
    ),
    "CNN 8-16, 64": (0.968, lambda s: own.CNNClassifier((8, 8), random_state=s), None),
    "RBM 100, logistic regression": (
        0.940,
        lambda s: make_pipeline(own.BernoulliRBM(**RBM, random_state=s), own.LogisticRegression(100, max_iter=1000)),
        lambda s: make_pipeline(
            neural_network.BernoulliRBM(**RBM, random_state=s), linear_model.LogisticRegression(C=100, max_iter=1000)
        ),
    ),
    "DBN 100-100": (None, lambda s: own.DBNClassifier(random_state=s), None),
}  # fmt: skip


def _mlp(module: Any, units: int, batch: int) -> Callable[[], Any]:
    return lambda: module.MLPClassifier((units,), batch_size=batch, max_iter=5, tol=0.0, random_state=0)


def _rbm(module: Any, units: int) -> Callable[[], Any]:
    return lambda: module.BernoulliRBM(units, n_iter=2, random_state=0)


SPEED: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    **{f"MLP {u} units, batches of {b}": (_mlp(own, u, b), _mlp(neural_network, u, b))
       for u, b in ((16, 32), (64, 32), (100, 200), (256, 200))},
    **{f"RBM {u} units, batches of 10": (_rbm(own, u), _rbm(neural_network, u)) for u in (16, 64, 256)},
    "logistic regression": (
        lambda: own.LogisticRegression(max_iter=1000), lambda: linear_model.LogisticRegression(max_iter=1000),
    ),
    "Perceptron, 10 epochs": (
        lambda: own.Perceptron(max_iter=10, tol=None), lambda: linear_model.Perceptron(max_iter=10, tol=None),
    ),
}  # fmt: skip


def accuracy(seeds: int) -> list[dict[str, Any]]:
    """One row an estimator."""
    X, y = load_digits(return_X_y=True)
    rows = []
    for name, (gate, ours, theirs) in ACCURACY.items():
        scores: dict[str, list[float]] = {"symdl": [], "scikit-learn": []}
        for seed in range(seeds):
            x, x_test, t, t_test = train_test_split(X / 16, y, test_size=0.2, stratify=y, random_state=seed)
            for engine, make in (("symdl", ours), ("scikit-learn", theirs)):
                if make is not None:
                    scores[engine].append(make(seed).fit(x, t).score(x_test, t_test))
        row: dict[str, Any] = {"estimator": name, "gate": gate}
        for engine, found in scores.items():
            if found:
                row |= {engine: round(float(np.mean(found)), 4), f"{engine}_least": round(min(found), 4)}
        rows.append(row)
        asked = "      " if gate is None else f">={gate:.3f}"
        verdict = "" if gate is None else ("ok" if row["symdl"] >= gate else "BELOW")
        peer = f"{row['scikit-learn']:.4f} ({row['scikit-learn_least']:.4f})" if theirs else "-"
        print(
            f"{name:30} {asked}  symdl {row['symdl']:.4f} ({row['symdl_least']:.4f})  scikit-learn {peer}  {verdict}",
            flush=True,
        )
    return rows


def speed(repeats: int = 5) -> list[dict[str, Any]]:
    """One row a setting: seconds of the processor."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    rows = []
    for name, (ours, theirs) in SPEED.items():
        ours().fit(X, y)  # compiles
        best = [np.inf, np.inf]
        for _ in range(repeats):
            for k, make in enumerate((ours, theirs)):
                start = time.process_time()
                make().fit(X, y)
                best[k] = min(best[k], time.process_time() - start)
        ratio = best[0] / best[1]
        rows.append(
            {"fit": name, "symdl_s": round(best[0], 4), "scikit-learn_s": round(best[1], 4), "ratio": round(ratio, 3)}
        )
        print(f"{name:30} symdl {best[0]:.3f} s  scikit-learn {best[1]:.3f} s  ratio {ratio:.2f}", flush=True)
    return rows


def prediction(calls: int = 200) -> list[dict[str, Any]]:
    """One row an estimator and number of images: microseconds of the processor."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    rows = []
    for name in ("MLP 100 units, batches of 200", "logistic regression", "Perceptron, 10 epochs"):
        fitted = [make().fit(X, y) for make in SPEED[name]]
        for images in (1, len(X)):
            best = [np.inf, np.inf]
            for _ in range(7):
                for k, model in enumerate(fitted):
                    start = time.process_time()
                    for _ in range(calls):
                        model.predict(X[:images])
                    best[k] = min(best[k], (time.process_time() - start) / calls)
            ratio = best[0] / best[1]
            rows.append(
                {"predict": name.split(",")[0], "images": images, "symdl_us": round(1e6 * best[0], 1),
                 "scikit-learn_us": round(1e6 * best[1], 1), "ratio": round(ratio, 3)}
            )  # fmt: skip
            print(
                f"{name.split(',')[0] + f', {images} images':30} symdl {1e6 * best[0]:.0f} us  scikit-learn {1e6 * best[1]:.0f} us  "
                f"ratio {ratio:.2f}",
                flush=True,
            )
    return rows


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=("accuracy", "speed", "prediction"))
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    symdl.config.threads = 1
    rows: list[dict[str, Any]] = []
    with threadpool_limits(1):
        rows += accuracy(options.seeds) if options.only in (None, "accuracy") else []
        rows += speed() if options.only in (None, "speed") else []
        rows += prediction() if options.only in (None, "prediction") else []
    if options.store:
        store("estimators", rows)


if __name__ == "__main__":
    main()
