"""Keras' scripts beside Keras: `fit` of the same lines, once with `import symdl.nn as keras`, once with `import keras` on JAX.

    KERAS_BACKEND=jax python -m benchmarks.keras_scripts [--rounds 5] [--only NAME] [--store]

Needs keras and jax. Both train on the same random images, in turn in one process on one core, from models that have been
fitted before, so that nothing is compiled; the best of the rounds counts, seconds of the processor. Last, the losses after
training from equal weights and rows in their order: that both have trained the same network.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np

import symdl
import symdl.nn
from benchmarks.machine import store

EPOCHS = 3
ROWS = {"talk": 5400, "mlp": 5400, "cnn": 600, "autoencoder": 5400, "dropout": 5400}


def model(keras: Any, name: str) -> Any:
    """A network as its script makes it, by one Keras or the other."""
    layers, Sequential = keras.layers, keras.Sequential
    Dense = layers.Dense
    if name == "cnn":  # its `Conv2D` takes channels last
        made = Sequential([keras.Input((28, 28, 1))])
        for filters in (32, 64):
            made.add(layers.Conv2D(filters, 3, activation="relu"))
            made.add(layers.MaxPooling2D(2))
        made.add(layers.Flatten())
    elif name == "talk":  # of MNIST, pixels 0 to 255
        made = Sequential([keras.Input((784,)), Dense(512, "sigmoid"), Dense(128, "sigmoid")])
    elif name == "mlp":
        made = Sequential([keras.Input((784,)), Dense(100, "relu")])
    elif name == "dropout":
        made = Sequential([keras.Input((784,))])
        for _ in range(2):
            made.add(Dense(512, "relu"))
            made.add(layers.Dropout(0.2))
    else:
        made = Sequential([keras.Input((784,)), Dense(32, "relu"), Dense(784, "sigmoid")])
        made.compile(optimizer="adam", loss="binary_crossentropy")
        return made
    made.add(Dense(10, "softmax"))
    made.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return made


def data(name: str) -> tuple[Any, Any]:
    """Rows of random images with labels that they show."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, ROWS[name])
    x = (0.3 * rng.random((len(y), 784)) + 0.7 * (np.arange(784) // 79 == y[:, None])).astype(np.float32)
    if name == "autoencoder":
        return x, x
    if name == "talk":
        x *= 255
    return (x.reshape(-1, 28, 28, 1) if name == "cnn" else x), y


def measure(name: str, keras: Any, rounds: int) -> dict[str, Any]:
    """One row: seconds of the processor of a `fit`, and the loss at its end."""
    x, y = data(name)
    how = {"batch_size": 64 if name == "cnn" else 256, "epochs": EPOCHS, "verbose": 0}
    models = [model(symdl.nn, name), model(keras, name)]
    start = models[0].get_weights()
    losses = []
    for one in models:
        one.set_weights(start)
        losses.append(one.fit(x, y, shuffle=False, **how).history["loss"][-1])
    best = [np.inf, np.inf]
    for _ in range(rounds):
        for k, one in enumerate(models):
            began = time.process_time()
            one.fit(x, y, **how)
            best[k] = min(best[k], time.process_time() - began)
    row = {"script": name, "rows": len(x), "epochs": EPOCHS, "symdl_s": round(best[0], 4), "keras_s": round(best[1], 4)}
    row |= {"ratio": round(best[0] / best[1], 3), "symdl_loss": losses[0], "keras_loss": losses[1]}
    print(
        f"{name:<12} symdl {best[0]:.3f} s  Keras {best[1]:.3f} s  ratio {row['ratio']:.2f}"
        f"   loss {losses[0]:.6f} and {losses[1]:.6f}",
        flush=True,
    )
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=sorted(ROWS))
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])  # before JAX counts the cores
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    symdl.config.threads = 1
    rows = [measure(name, keras, options.rounds) for name in ([options.only] if options.only else ROWS)]
    if options.store:
        print("record:", store("keras_scripts", rows).name)


if __name__ == "__main__":
    main()
