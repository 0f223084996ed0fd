"""Every layer beside Keras' own, where Keras is installed: equal shapes, outputs and training from equal weights."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from symdl import nn

os.environ.setdefault("KERAS_BACKEND", "jax")
keras: Any = pytest.importorskip("keras", reason="a comparison with Keras, on JAX")

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(6, 8, 9, 4)).astype(np.float32)
SEQUENCES = RNG.normal(size=(6, 10, 4)).astype(np.float32)
ROWS = RNG.normal(size=(6, 12)).astype(np.float32)
WORDS = RNG.integers(0, 20, (6, 7))

Spec = tuple[str, tuple[Any, ...], dict[str, Any]]


def layer(name: str, *args: Any, **settings: Any) -> Spec:
    return name, args, settings


# data and layers
CASES: list[tuple[Any, list[Spec]]] = [
    (ROWS, [layer("Dense", 5, activation="tanh")]),
    (SEQUENCES, [layer("Dense", 5, activation="softmax")]),
    (ROWS, [layer("Activation", "relu")]),
    (SEQUENCES, [layer("Conv1D", 5, 3, padding="same", strides=2)]),
    (SEQUENCES, [layer("Conv1D", 5, 3, padding="causal", dilation_rate=2)]),
    (IMAGES, [layer("Conv2D", 5, 3, activation="relu")]),
    (IMAGES, [layer("Conv2D", 5, (3, 2), padding="same", strides=2)]),
    (IMAGES, [layer("Conv2D", 6, 3, groups=2, dilation_rate=2)]),
    (IMAGES, [layer("Conv2DTranspose", 5, 3, strides=2)]),
    (IMAGES, [layer("Conv2DTranspose", 5, 2, strides=3)]),
    (IMAGES, [layer("Conv2DTranspose", 5, 4, strides=2, padding="same")]),
    (IMAGES, [layer("Conv2DTranspose", 5, 2, strides=3, padding="same")]),
    (SEQUENCES, [layer("MaxPooling1D", 3)]),
    (SEQUENCES, [layer("AveragePooling1D", 3, padding="same")]),
    (IMAGES, [layer("MaxPooling2D", 2, padding="same")]),
    (IMAGES, [layer("MaxPooling2D", (2, 3), strides=1)]),
    (IMAGES, [layer("AveragePooling2D", 3, padding="same", strides=2)]),
    (SEQUENCES, [layer("GlobalMaxPooling1D")]),
    (SEQUENCES, [layer("GlobalAveragePooling1D")]),
    (IMAGES, [layer("GlobalMaxPooling2D")]),
    (IMAGES, [layer("GlobalAveragePooling2D")]),
    (IMAGES, [layer("ZeroPadding2D", ((1, 2), (0, 3)))]),
    (IMAGES, [layer("UpSampling2D", (2, 3))]),
    (ROWS, [layer("BatchNormalization")]),
    (IMAGES, [layer("BatchNormalization", momentum=0.8)]),
    (SEQUENCES, [layer("LayerNormalization", axis=(1, 2))]),
    (WORDS, [layer("Embedding", 20, 5)]),
    (SEQUENCES, [layer("SimpleRNN", 5)]),
    (SEQUENCES, [layer("LSTM", 5, return_sequences=True)]),
    (SEQUENCES, [layer("GRU", 5, return_sequences=True, go_backwards=True)]),
    (IMAGES, [layer("Flatten")]),
    (ROWS, [layer("Reshape", (3, -1))]),
    (IMAGES, [layer("Permute", (3, 1, 2))]),
    (ROWS, [layer("RepeatVector", 3)]),
    (ROWS, [layer("Rescaling", 1 / 255, -0.5)]),
    (IMAGES, [layer("Conv2D", 5, 3), layer("BatchNormalization"), layer("Flatten"),
              layer("Dense", 3, activation="softmax", kernel_regularizer="l2")]),
    (WORDS, [layer("Embedding", 20, 5), layer("LSTM", 6), layer("Dense", 3, activation="softmax")]),
]  # fmt: skip


def built(source: Any, specs: list[Spec]) -> list[Any]:
    return [getattr(source, name)(*args, **settings) for name, args, settings in specs]


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda k: "-".join(name for name, _, _ in CASES[k][1]))
@pytest.mark.filterwarnings("ignore")
def test_layers_are_keras_own(case: int) -> None:
    x, specs = CASES[case]
    theirs = keras.Sequential([keras.Input(x.shape[1:], dtype=str(x.dtype)), *built(keras.layers, specs)])
    ours = nn.Sequential([nn.Input(x.shape[1:]), *built(nn.layers, specs)])
    weights = [RNG.normal(size=w.shape, scale=0.4).astype(np.float32) for w in theirs.get_weights()]
    weights = [w**2 if "variance" in v.path else w for w, v in zip(weights, theirs.weights, strict=True)]
    theirs.set_weights(weights)
    ours.set_weights(weights)
    expected = np.asarray(theirs(x))
    assert ours.output_shape == tuple(theirs.output_shape)
    np.testing.assert_allclose(ours.predict(x), expected, rtol=1e-4, atol=1e-5)
    if not weights:
        return
    y = np.arange(6) % 3 if len(specs) > 1 else RNG.normal(size=expected.shape).astype(np.float32)
    loss = "sparse_categorical_crossentropy" if len(specs) > 1 else "mse"
    common: dict[str, Any] = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0}
    theirs.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss)
    ours.compile(nn.SGD(0.05, momentum=0.9), loss)
    found, wanted = ours.fit(x, y, **common).history, theirs.fit(x, y, **common).history
    np.testing.assert_allclose(found["loss"], wanted["loss"], rtol=2e-4)
    np.testing.assert_allclose(ours.predict(x), np.asarray(theirs(x)), rtol=1e-3, atol=1e-4)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
