"""What is asked of the zoo beside its recipes' measures: networks with others' settings, bounds on likelihoods.

`python -m benchmarks.zoo` prints these below the recipes, with those of `benchmarks.boltzmann`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.boltzmann import PARTS, Row
from symdl import extras
from symdl.datasets import binary_digits, digits_split
from symdl.zoo import MLP, RECIPES, VariationalAutoencoder
from symdl.zoo.mlp import MLPConfig

# what is trained, scikit-learn's settings, the gate
NETWORKS = {
    "MLP 64 sigmoid, SGD .5, momentum .9, 100 epochs": (
        MLPConfig(sizes=(64, 64, 10), activation="sigmoid", optimizer="sgd", learning_rate=0.5, momentum=0.9,
                  batch_size=200, epochs=100),
        {"hidden_layer_sizes": (64,), "activation": "logistic", "solver": "sgd", "learning_rate_init": 0.5,
         "max_iter": 100},
        0.972,
    ),
    "MLP 512-128 sigmoid, Adam, batches of 32, 40 epochs": (
        MLPConfig(sizes=(64, 512, 128, 10), activation="sigmoid", learning_rate=0.001, batch_size=32, epochs=40),
        {"hidden_layer_sizes": (512, 128), "activation": "logistic", "batch_size": 32, "max_iter": 40},
        0.960,
    ),
}  # fmt: skip


def networks(chosen: list[int]) -> Iterator[Row]:
    """Networks of digits with the settings for which scikit-learn's and torch's numbers are known."""
    kind = extras.load("sklearn.neural_network", "a peer").MLPClassifier
    for name, (config, settings, gate) in NETWORKS.items():
        found = []
        for seed in chosen:
            split = digits_split(seed)
            ours, theirs = MLP(config, seed=seed), kind(random_state=seed, **settings)
            ours.fit(split.x_train, split.y_train, verbose=0)
            theirs.fit(split.x_train, split.y_train)
            found.append([model.score(split.x_test, split.y_test) for model in (ours, theirs)])
        ours_mean, theirs_mean = np.mean(found, axis=0)
        yield Row(f"{name}: accuracy", ours_mean, theirs_mean, f">= {gate:.3f}", ours_mean >= gate)


def bounds(chosen: list[int]) -> Iterator[Row]:
    """A variational autoencoder with a code of two numbers: its bounds below the likelihood, exact by a grid of codes."""
    gaps = []
    for seed in chosen:
        split = binary_digits(seed)
        model = RECIPES["variational-bits-2"].make(seed=seed)
        assert isinstance(model, VariationalAutoencoder)
        model.fit(split.x_train, verbose=0)
        x = split.x_test
        weighted = model.importance_bound(x, 500).mean()
        gaps.append([weighted - model.evaluate(x)["elbo"], model.exact_log_likelihood(x).mean() - weighted])
    below, above = np.min(gaps, axis=0)
    yield Row("VAE, code of 2: least bound of 500 draws - ELBO, nats", below, np.nan, ">= 0", below >= 0)
    yield Row("  least exact - bound of 500 draws", above, np.nan, ">= -.01", above >= -0.01)


GATES: dict[str, Callable[[list[int]], Iterator[Row]]] = {
    **{name: part for name, part in PARTS.items() if name != "speed"},
    "networks": networks,
    "bounds": bounds,
}
