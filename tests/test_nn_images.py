"""Layers over images say what their formulas say, and a small network over images learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import convolution, nn
from symdl.errors import ShapeError
from symdl.functions import function
from symdl.nn.initializers import fans


def test_a_convolution_layer_is_its_formula() -> None:
    layer = nn.Conv2D(6, (3, 2), (1, 2), 1, "relu", groups=2, data_format="channels_first", rng=1, name="first")
    a = T.tensor("x", dtype="float64", shape=(None, 4, None, None))
    y = layer(a)
    W, b = layer.parameters
    assert (W.name, b.name) == ("first.W", "first.b")
    assert W.get_value().shape == (6, 2, 3, 2)
    b.set_value(np.linspace(-1, 1, 6))
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 6))
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    z = convolution.convolve(wide, W.get_value(), (1, 2), (1, 1), 2) + b.get_value()[:, None, None]
    np.testing.assert_allclose(function([a], y)(x), np.maximum(z, 0), rtol=1e-12, atol=1e-13)
    pooled = nn.MaxPooling2D(2, data_format="channels_first")(a)
    np.testing.assert_array_equal(function([a], pooled)(x), x[:, :, :4].reshape(2, 4, 2, 2, 3, 2).max((3, 5)))
    assert function([a], nn.Flatten()(a))(x).shape == (2, 120)
    assert [str(v) for v in (layer, nn.MaxPooling2D(), nn.Flatten())] == [
        "Conv2D(6, (3, 2), name='first')", "MaxPooling2D((2, 2))", "Flatten()",
    ]  # fmt: skip


def test_fans_of_filters() -> None:
    assert fans((6, 2, 3, 2)) == (12, 36)
    with pytest.raises(ShapeError):
        fans((6, 2, 0, 2))


@pytest.mark.parametrize("wrong", [{"filters": 0}, {"groups": 3}, {"kernel_size": (0, 1)}])
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match="Conv2D"):
        nn.Conv2D(**{"filters": 4, "kernel_size": 3, **wrong})(T.tensor("x", shape=(None, 5, 5, 4)))


def test_a_network_over_images_learns() -> None:
    """Bars that lie against bars that stand, at random places."""
    rng = np.random.default_rng(0)
    x = rng.normal(scale=0.1, size=(64, 8, 8, 1)).astype("float32")
    y = np.arange(64, dtype="int32") % 2
    for k, lying in enumerate(y):
        at = rng.integers(0, 8)
        x[(k, at, slice(None), 0) if lying else (k, slice(None), at, 0)] += 1
    layers: list[nn.Layer] = [
        nn.Conv2D(4, 3, activation="relu"),
        nn.MaxPooling2D(2),
        nn.Flatten(),
        nn.Dense(2, "softmax"),
    ]
    net = nn.Sequential(layers, rng=1)
    a, b = T.tensor("x", dtype="float32", shape=(None, 8, 8, 1)), T.ivector("y")
    loss = nn.categorical_crossentropy(net(a), b).mean()
    step = function([a, b], loss, updates=nn.Adam(0.03).updates(loss, net.parameters))
    losses = [float(step(x, y)) for _ in range(40)]
    assert losses[-1] < 0.05 < 0.5 < losses[0]
