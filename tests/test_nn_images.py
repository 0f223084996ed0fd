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
    layer = nn.Conv2D(
        4, 6, (3, 2), "relu", stride=(1, 2), groups=2, border_mode=1, rng=1, dtype="float64", name="first"
    )
    W, b = layer.parameters
    assert (W.name, b.name) == ("first.W", "first.b")
    assert W.get_value().shape == (6, 2, 3, 2)
    b.set_value(np.linspace(-1, 1, 6))
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 6))
    a = T.dtensor4("x")
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    z = convolution.convolve(wide, W.get_value(), (1, 2), (1, 1), 2) + b.get_value()[:, None, None]
    np.testing.assert_allclose(function([a], layer(a))(x), np.maximum(z, 0), rtol=1e-12, atol=1e-13)
    pooled = nn.Pool2D(2, "max")(a)
    np.testing.assert_array_equal(function([a], pooled)(x), x[:, :, :4].reshape(2, 4, 2, 2, 3, 2).max((3, 5)))
    assert function([a], nn.Flatten()(a))(x).shape == (2, 120)
    assert [str(v) for v in (layer, nn.Pool2D(), nn.Flatten())] == [
        "Conv2D(4, 6, (3, 2), name='first')", "Pool2D(2, 'max')", "Flatten()",
    ]  # fmt: skip


def test_fans_of_filters() -> None:
    assert fans((6, 2, 3, 2)) == (12, 36)
    with pytest.raises(ShapeError):
        fans((6, 2, 0, 2))


@pytest.mark.parametrize("wrong", [{"channels": 0}, {"groups": 3}, {"size": (0, 1)}])
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match="Conv2D"):
        nn.Conv2D(**{"channels": 4, "filters": 4, "size": 3, **wrong})


def test_a_network_over_images_learns() -> None:
    """Bars that lie against bars that stand, at random places."""
    rng = np.random.default_rng(0)
    x = rng.normal(scale=0.1, size=(64, 1, 8, 8)).astype("float32")
    y = np.arange(64, dtype="int32") % 2
    for k, lying in enumerate(y):
        at = rng.integers(0, 8)
        x[(k, 0, at, slice(None)) if lying else (k, 0, slice(None), at)] += 1
    layers: list[nn.Layer] = [
        nn.Conv2D(1, 4, 3, "relu", rng=1, dtype="float32"),
        nn.Pool2D(2),
        nn.Flatten(),
        nn.Dense(36, 2, "softmax", dtype="float32"),
    ]
    net = nn.Sequential(layers)
    a, b = T.ftensor4("x"), T.ivector("y")
    loss = nn.categorical_crossentropy(net(a), b)
    step = function([a, b], loss, updates=nn.Adam(0.03).updates(loss, net.parameters))
    losses = [float(step(x, y)) for _ in range(40)]
    assert losses[-1] < 0.05 < 0.5 < losses[0]
