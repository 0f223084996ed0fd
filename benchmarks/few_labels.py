"""Few labels: networks that began with what they learned without them, beside the same networks from scratch.

python -m benchmarks.few_labels                 # all, seeds 0-4
python -m benchmarks.few_labels --only stacked --seeds 0-9

Every number is the fraction of test digits that are recognized. One seed decides split, labelled digits and weights; both
networks of a seed are trained by the same settings for as long, on the same labelled digits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symdl.cli.options import seeds
from symdl.datasets import digits_halves, digits_split, few_labels
from symdl.zoo import LeNet, transferred
from symdl.zoo.dbn import DBN
from symdl.zoo.stacked import StackedAutoencoder

Pair = tuple[int, float, float]  # labelled digits, accuracy after pretraining, accuracy from scratch
FEW: dict[str, Any] = {"epochs": 100, "batch_size": 10}


def stacked(seed: int) -> Iterator[Pair]:
    """A stacked denoising autoencoder 64-256-256-10, pretrained on all 1,437 training digits without labels."""
    split = digits_split(seed)
    model = StackedAutoencoder(seed=seed, **FEW)
    scratch = StackedAutoencoder(seed=seed, pretraining_epochs=0, **FEW)
    model.pretrain(split.x_train, verbose=0)
    for per_class in (5, 10, 20):
        few = few_labels(split.x_train, split.y_train, per_class, seed)
        model.fine_tune(few.x, few.y, verbose=0)
        scratch.fit(few.x, few.y, verbose=0)
        yield 10 * per_class, model.score(split.x_test, split.y_test), scratch.score(split.x_test, split.y_test)


def belief(seed: int) -> Iterator[Pair]:
    """A deep belief network 64-256-256-10, pretrained on all 1,437 training digits without labels."""
    split = digits_split(seed)
    model, scratch = DBN(seed=seed, **FEW), DBN(seed=seed, pretraining_epochs=0, **FEW)
    model.pretrain(split.x_train, verbose=0)
    for per_class in (5, 10, 20):
        few = few_labels(split.x_train, split.y_train, per_class, seed)
        model.fine_tune(few.x, few.y, verbose=0)
        scratch.fit(few.x, few.y, verbose=0)
        yield 10 * per_class, model.score(split.x_test, split.y_test), scratch.score(split.x_test, split.y_test)


def classes(seed: int) -> Iterator[Pair]:
    """A LeNet trained on digits 0 to 4; its convolutions, the first frozen, then learn 5 to 9."""
    split = digits_split(seed)
    known, asked = split.y_train < 5, split.y_test >= 5
    source = LeNet(classes=5, activation="relu", epochs=20, seed=seed)
    source.fit(split.x_train[known], split.y_train[known], verbose=0)
    for per_class in (5, 10):
        few = few_labels(split.x_train[~known], split.y_train[~known] - 5, per_class, seed)
        yield (
            5 * per_class,
            *_fine_tuned(source, ["conv0"], 2, few.x, few.y, split.x_test[asked], split.y_test[asked] - 5),
        )


def writers(seed: int) -> Iterator[Pair]:
    """A LeNet trained on the first half of the digits; with a new head, its convolutions frozen, it learns other hands'."""
    split = digits_halves()
    source = LeNet(activation="relu", epochs=20, seed=seed)
    source.fit(split.x_train, split.y_train, verbose=0)
    for per_class in (5, 10, 20):
        few = few_labels(split.x_test, split.y_test, per_class, seed)
        seen = {row.tobytes() for row in few.x}
        asked = np.array([row.tobytes() not in seen for row in split.x_test])
        yield (
            10 * per_class,
            *_fine_tuned(source, ["conv0", "conv1"], 1, few.x, few.y, split.x_test[asked], split.y_test[asked]),
        )


def _fine_tuned(
    source: LeNet, frozen: list[str], head: int, x: np.ndarray, y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray
) -> tuple[float, float]:
    """The accuracies of a network that begins with the source's layers, and of one that does not."""
    model, scratch = transferred(source, frozen=frozen, head=head, **FEW), LeNet(source.config, **FEW)
    for one in (model, scratch):
        one.fit(x, y, verbose=0)
    return model.score(test_x, test_y), scratch.score(test_x, test_y)


RUNS: dict[str, Callable[[int], Iterator[Pair]]] = {
    "stacked": stacked,
    "dbn": belief,
    "lenet-classes": classes,
    "lenet-writers": writers,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seeds", type=seeds, default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", choices=RUNS, action="append")
    options = parser.parse_args()
    print(f"{'':<14} {'labels':>6}  {'pretrained':>10}  {'scratch':>8}  {'gain':>7}  better in")
    for name in options.only or RUNS:
        found: dict[int, list[tuple[float, float]]] = {}
        for seed in options.seeds:
            for labels, pretrained, scratch in RUNS[name](seed):
                found.setdefault(labels, []).append((pretrained, scratch))
        for labels, pairs in found.items():
            pretrained, scratch = np.mean(pairs, axis=0)
            wins = sum(a > b for a, b in pairs)
            print(
                f"{name:<14} {labels:>6}  {pretrained:>10.4f}  {scratch:>8.4f}  {pretrained - scratch:>+7.4f}  "
                f"{wins} of {len(pairs)} seeds",
                flush=True,
            )


if __name__ == "__main__":
    main()
