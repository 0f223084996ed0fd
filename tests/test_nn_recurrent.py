"""Layers over sequences and the other small layers say what their formulas say, written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import symdl.tensor as T
from symdl import nn
from symdl.errors import ConfigError, IndexRangeError, ShapeError
from symdl.functions import function
from symdl.nn.layer import Layer, Training
from symdl.random import RandomStream

RNG = np.random.default_rng(0)
SEQUENCES = RNG.standard_normal((3, 7, 4))
IMAGES = RNG.standard_normal((2, 5, 6, 3))


def run(layer: Layer, x: Any) -> Any:
    """What a layer makes of an array, its weights drawn anew so that no bias is 0."""
    v: Any = T.tensor("x", dtype=x.dtype.name, shape=(None, *x.shape[1:]))
    y = layer(v)
    for p in layer.parameters:
        p.set_value(RNG.standard_normal(p.get_value().shape) / 2)
    return function([v], y)(x)


def weights(layer: Any) -> tuple[Any, Any, Any]:
    return layer.W.get_value(), layer.U.get_value(), layer.b.get_value()


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", [nn.SimpleRNN, nn.LSTM, nn.GRU])
def test_recurrent_layers_are_their_formulas(kind: Any, backwards: bool) -> None:
    layer = kind(5, return_sequences=True, go_backwards=backwards)
    found = run(layer, SEQUENCES)
    W, U, b = weights(layer)
    h = c = np.zeros((3, 5))
    states = []
    for row in SEQUENCES.transpose(1, 0, 2)[:: -1 if backwards else 1]:
        if kind is nn.SimpleRNN:
            h = np.tanh(row @ W + h @ U + b)
        elif kind is nn.LSTM:
            i, f, g, o = np.split(row @ W + h @ U + b, 4, axis=1)
            c = special.expit(f) * c + special.expit(i) * np.tanh(g)
            h = special.expit(o) * np.tanh(c)
        else:
            (xz, xr, xg), (hz, hr, hg) = np.split(row @ W + b[0], 3, axis=1), np.split(h @ U + b[1], 3, axis=1)
            z = special.expit(xz + hz)
            h = z * h + (1 - z) * np.tanh(xg + special.expit(xr + hr) * hg)
        states.append(h)
    np.testing.assert_allclose(found, np.stack(states, axis=1), rtol=1e-11, atol=1e-13)
    layer.return_sequences = False
    v = T.dtensor3("x")
    np.testing.assert_allclose(function([v], layer(v))(SEQUENCES), states[-1], rtol=1e-11, atol=1e-13)


def test_weights_of_recurrent_layers_begin_as_they_should() -> None:
    layer = nn.LSTM(4)
    layer(T.tensor("x", shape=(None, None, 3)))
    W, U, b = weights(layer)
    assert (W.shape, U.shape) == ((3, 16), (4, 16))
    np.testing.assert_allclose(U @ U.T, np.eye(4), atol=1e-12)
    assert b.tolist() == [0] * 4 + [1] * 4 + [0] * 8  # the forget gate is open
    plain = nn.GRU(4, use_bias=False)
    plain(T.tensor("x", shape=(None, None, 3)))
    assert [str(p.name) for p in plain.parameters] == ["gru.W", "gru.U"]
    with pytest.raises(ShapeError, match=r"LSTM\(4\): takes sequences\[n, steps, features\]; x has 2 axes"):
        nn.LSTM(4)(T.tensor("x", shape=(None, 3)))


def test_a_recurrent_network_learns_what_came_first() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, (96, 6))
    model = nn.Sequential([nn.Input((6,)), nn.Embedding(4, 5), nn.GRU(12), nn.Dense(4, "softmax")])
    model.compile(nn.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, x[:, 0], epochs=60, verbose=0).history
    assert history["accuracy"][0] < 0.6 < 0.95 < history["accuracy"][-1]


# ---- convolutions and pooling ----


def test_a_convolution_that_sees_no_later_places() -> None:
    layer = nn.Conv1D(2, 3, padding="causal", dilation_rate=2)
    found = run(layer, SEQUENCES)
    W, b = layer.W.get_value(), layer.b.get_value()
    wide = np.concatenate([np.zeros((3, 4, 4)), SEQUENCES], axis=1)
    expected = sum(wide[:, 2 * k : 2 * k + 7] @ W[:, :, k].T for k in range(3)) + b
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("padding", "places"), [("valid", (11, 13)), ("same", (10, 12))])
def test_the_transposed_convolution_is_the_adjoint_of_the_convolution(padding: str, places: tuple[int, int]) -> None:
    """<conv(u), v> = <u, transposed(v)> for all u and v."""
    layer = nn.Conv2DTranspose(2, 3, strides=2, padding=padding, use_bias=False)
    out = run(layer, IMAGES)
    assert out.shape == (2, *places, 2)
    u = RNG.standard_normal(out.shape)
    forward = nn.Conv2D(3, 3, strides=2, padding=padding, use_bias=False)
    run(forward, u)
    forward.W.set_value(layer.W.get_value())
    v = T.tensor("v", dtype="float64", shape=(None, *places, 2))
    np.testing.assert_allclose((function([v], forward(v))(u) * IMAGES).sum(), (u * out).sum(), rtol=1e-11)


def test_pooling_with_a_border() -> None:
    """5 by 6 places in windows of 2 by 4: a place of border below, 0 and 2 places on the sides."""
    wide = np.full((2, 6, 8, 3), np.nan)
    wide[:, :5, 1:7] = IMAGES
    windows = wide.reshape(2, 3, 2, 2, 4, 3)
    np.testing.assert_array_equal(run(nn.MaxPooling2D((2, 4), padding="same"), IMAGES), np.nanmax(windows, axis=(2, 4)))
    np.testing.assert_allclose(
        run(nn.AveragePooling2D((2, 4), padding="same"), IMAGES), np.nanmean(windows, axis=(2, 4)), rtol=1e-12
    )
    cut = IMAGES[:, :4, :4].reshape(2, 2, 2, 1, 4, 3)
    np.testing.assert_allclose(run(nn.AveragePooling2D((2, 4)), IMAGES), cut.mean(axis=(2, 4)), rtol=1e-12)
    np.testing.assert_array_equal(run(nn.MaxPooling1D(3), SEQUENCES), SEQUENCES[:, :6].reshape(3, 2, 3, 4).max(axis=2))
    with pytest.raises(ConfigError, match="padding 'half' is neither valid nor same"):
        nn.MaxPooling2D(2, padding="half")


def test_pooling_everything() -> None:
    np.testing.assert_array_equal(run(nn.GlobalMaxPooling2D(), IMAGES), IMAGES.max(axis=(1, 2)))
    np.testing.assert_allclose(
        run(nn.GlobalAveragePooling2D(keepdims=True), IMAGES), IMAGES.mean(axis=(1, 2), keepdims=True)
    )
    np.testing.assert_array_equal(run(nn.GlobalMaxPooling1D(), SEQUENCES), SEQUENCES.max(axis=1))
    first = run(nn.GlobalAveragePooling1D(data_format="channels_first"), SEQUENCES)
    np.testing.assert_allclose(first, SEQUENCES.mean(axis=2))


# ---- shapes, tables, normalization, noise ----


def test_layers_without_weights() -> None:
    rows = SEQUENCES[:, 0]
    cases: list[tuple[Layer, Any, Any]] = [
        (nn.Flatten(), IMAGES, IMAGES.reshape(2, 90)),
        (nn.Reshape((3, -1)), IMAGES, IMAGES.reshape(2, 3, 30)),
        (nn.Permute((3, 1, 2)), IMAGES, IMAGES.transpose(0, 3, 1, 2)),
        (nn.RepeatVector(2), rows, np.stack([rows, rows], axis=1)),
        (nn.Rescaling(0.5, 1), rows, rows / 2 + 1),
        (nn.Activation("tanh"), rows, np.tanh(rows)),
        (nn.UpSampling2D((1, 2)), IMAGES, IMAGES.repeat(2, axis=2)),
        (nn.ZeroPadding2D(((1, 0), (0, 2))), IMAGES, np.pad(IMAGES, ((0, 0), (1, 0), (0, 2), (0, 0)))),
        (nn.ZeroPadding2D(1, data_format="channels_first"), IMAGES, np.pad(IMAGES, ((0, 0), (0, 0), (1, 1), (1, 1)))),
    ]
    for layer, x, expected in cases:
        np.testing.assert_allclose(run(layer, x), expected, rtol=1e-13, err_msg=str(layer))
    with pytest.raises(ShapeError, match=r"Permute: \(1, 3\) is no order of the axes 1 to 2"):
        nn.Permute((1, 3))
    with pytest.raises(ConfigError, match="ZeroPadding2D"):
        nn.ZeroPadding2D((1, 2, 3))


def test_tables_and_the_largest_of_a_few() -> None:
    integers = RNG.integers(0, 9, (4, 5))
    table = nn.Embedding(9, 3)
    found = run(table, integers)
    np.testing.assert_array_equal(found, table.W.get_value()[integers])
    x = T.lmatrix("x")
    rows = function([x], table(x))
    with pytest.raises(IndexRangeError):
        rows(integers + 5)
    largest = nn.Maxout(3, pieces=4)
    found = run(largest, SEQUENCES)
    wide = SEQUENCES @ largest.W.get_value() + largest.b.get_value()
    np.testing.assert_allclose(found, wide.reshape(3, 7, 3, 4).max(axis=-1), rtol=1e-12)


def test_normalization_of_each_example() -> None:
    for axis, shape in ((-1, (4,)), ((1, 2), (7, 4))):
        layer = nn.LayerNormalization(axis)
        found = run(layer, SEQUENCES)
        over = (2,) if axis == -1 else (1, 2)
        mean, var = SEQUENCES.mean(axis=over, keepdims=True), SEQUENCES.var(axis=over, keepdims=True)
        gamma, beta = (p.get_value() for p in layer.parameters)
        assert gamma.shape == beta.shape == shape
        np.testing.assert_allclose(found, (SEQUENCES - mean) / np.sqrt(var + 1e-3) * gamma + beta, rtol=1e-11)


def test_gaussian_noise_is_in_training_only() -> None:
    x = T.dmatrix("x")
    assert nn.GaussianNoise(0.5)(x) is x
    noisy = function([x], nn.GaussianNoise(0.5)(x, Training(RandomStream(0))))(np.full((300, 100), 2.0))
    assert (noisy.mean(), noisy.std()) == (pytest.approx(2, abs=0.02), pytest.approx(0.5, rel=0.02))
    with pytest.raises(ConfigError, match="stddev -1 is below 0"):
        nn.GaussianNoise(-1)
