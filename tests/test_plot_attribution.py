"""Saliency, integrated gradients, occlusion and deconvnet maps against their definitions, on small networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl import plot
from symdl.errors import ConfigError, ShapeError
from symdl.graph.expr import Expr
from symdl.nn import Input, Sequential, layers
from symdl.plot import deconvnet, integrated_gradients, occlusion_map, saliency_map, top_patches
from symdl.plot.deconvnet import activities
from symdl.plot.parts import activation_name, flat, logits, position
from symdl.zoo import LeNet

Array = np.ndarray[Any, np.dtype[Any]]


def _built(model: Any, x: Array, seed: int = 0) -> Any:
    """The model with parameters for x, drawn anew: biases, too."""
    model(T.tensor("x", dtype=x.dtype.name, shape=(None, *x.shape[1:])))
    rng = np.random.default_rng(seed)
    for p in model.parameters:
        value = p.get_value()
        p.set_value(
            (rng.standard_normal(value.shape) / np.sqrt(max(value.size / value.shape[-1], 1))).astype(value.dtype)
        )
    return model


def _dense(activation: str, last: str = "softmax") -> tuple[Any, Array]:
    x = np.random.default_rng(1).standard_normal((4, 6))
    return _built(Sequential([layers.Dense(5, activation), layers.Dense(3, last)]), x), x


def _conv(activation: str = "linear", data_format: str = "channels_last", pool: bool = True) -> tuple[Any, Array]:
    how: dict[str, Any] = {"data_format": data_format}
    parts = [
        layers.Conv2D(3, 3, padding="same", activation=activation, **how),
        *([layers.MaxPooling2D(2, **how)] if pool else []),
        layers.Conv2D(4, 3, activation=activation, **how),
        layers.Flatten(),
        layers.Dense(2, "softmax"),
    ]
    x = np.random.default_rng(2).standard_normal((3, 10, 8, 2) if data_format == "channels_last" else (3, 2, 10, 8))
    return _built(Sequential(parts), x), x


def _evaluate(f: Any, x: Array) -> Array:
    variable = T.tensor("x", dtype=x.dtype.name, shape=(None, *x.shape[1:]))
    return np.asarray(symdl.function([variable], f(variable))(x))


# ---- parts ----


def test_parts_of_models() -> None:
    model, x = _dense("relu")
    inner = Sequential([model, layers.Dense(2, "sigmoid", name="end")])
    assert [getattr(one, "name", "") for one in flat(inner)] == ["dense", "dense_1", "end"]
    assert [activation_name(one) for one in flat(inner)] == ["relu", "softmax", "sigmoid"]
    for choice in (2, -1, "end", flat(inner)[2]):
        assert position(flat(inner), choice) == 2
    with pytest.raises(ConfigError, match="there is no layer 'conv' in the model\n  layers: dense, dense_1, end"):
        position(flat(inner), "conv")
    with pytest.raises(ConfigError):
        position(flat(inner), 3)
    before = _evaluate(logits(model), x)
    np.testing.assert_allclose(
        _evaluate(model, x), np.exp(before) / np.exp(before).sum(axis=1, keepdims=True), rtol=1e-12
    )
    assert activation_name(flat(model)[1]) == "softmax"  # the model itself has kept it
    function = lambda z: z * 2  # noqa: E731
    assert logits(function) is function

    class OfTheZoo:
        """It has a network, and a method of the name."""

        model = Sequential([inner])

        def layers(self) -> None:
            raise NotImplementedError

    assert flat(OfTheZoo()) == flat(inner)
    plain = Sequential([layers.Dense(2, "tanh")])
    plain(T.tensor("x", dtype="float64", shape=(None, 6)))
    np.testing.assert_allclose(_evaluate(logits(plain), x), _evaluate(plain, x))  # tanh is part of it


# ---- gradients ----


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_saliency_is_the_derivative_of_the_evidence(activation: str) -> None:
    model, x = _dense(activation)
    (W, b), (V, _) = ([np.asarray(p.get_value()) for p in layer.parameters] for layer in model.layers)
    target = np.array([2, 0, 1, 1])
    z = x @ W + b
    slope = 1 - np.tanh(z) ** 2 if activation == "tanh" else (z > 0).astype(float)
    wanted = (slope * V.T[target]) @ W.T
    found = saliency_map(model, x, target)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(saliency_map(model, x, 1)[3], wanted[3], rtol=1e-12)
    with pytest.raises(ShapeError, match="4 examples meet 2 targets"):
        saliency_map(model, x, [0, 1])


def test_a_batch_of_one_and_rows_of_pixels_are_what_the_model_takes() -> None:
    model = LeNet(image=(1, 4, 4), filters=(2,), kernel=2, hidden=3, classes=3)
    rows = np.random.default_rng(0).random((2, 16)).astype(np.float32)
    images = rows.reshape(2, 1, 4, 4)
    whole = saliency_map(model, images, 1)
    np.testing.assert_array_equal(saliency_map(model, rows, 1), whole.reshape(2, 16))
    np.testing.assert_array_equal(integrated_gradients(model, rows, 1, steps=2).shape, rows.shape)
    for one in (rows[0], rows[:1], images[0], images[:1], images[0, 0]):
        np.testing.assert_array_equal(plot.saliency(model, one, 1).images[0].get_array(), whole[0, 0])
    keras = Sequential([Input((16,)), layers.Dense(3, "softmax")])
    assert plot.saliency(keras, rows[:1], 0).images[0].get_array().shape == (4, 4)
    with pytest.raises(ShapeError, match=r"^one example is wanted.*\n  x  +\[2, 16\]\n  example  \[1, 4, 4\]"):
        plot.saliency(model, rows, 1)
    with pytest.raises(ShapeError, match=r"^data do not fit the model\n  x  +\[2, 15\]\n  examples  \[n, 1, 4, 4\]"):
        saliency_map(model, rows[:, 1:], 1)
    with pytest.raises(ShapeError, match="data do not fit the model"):
        activities(model, images.reshape(2, 4, 4, 1), 0)  # channels last


def test_saliency_of_a_function_and_of_a_single_score() -> None:
    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_allclose(saliency_map(lambda v: (v**2).sum(axis=1), x), 2 * x)
    with pytest.raises(ShapeError, match="scores have 3 axes"):
        saliency_map(lambda v: v.dimshuffle(0, 1, "x"), x)


@pytest.mark.parametrize(("activation", "error"), [("tanh", 1e-10), ("relu", 2e-2)])
def test_integrated_gradients_are_complete(activation: str, error: float) -> None:
    """Their sum is what the score gains from the baseline to the example."""
    model, x = _dense(activation)
    for baseline in (0.0, np.full(6, 0.5)):
        parts = integrated_gradients(model, x, 1, baseline)
        start = np.broadcast_to(np.asarray(baseline, float), x.shape).copy()
        gain = _evaluate(logits(model), x)[:, 1] - _evaluate(logits(model), start)[:, 1]
        np.testing.assert_allclose(parts.sum(axis=1), gain, atol=error)
    with pytest.raises(ConfigError, match="steps 0"):
        integrated_gradients(model, x, steps=0)


def test_integrated_gradients_of_a_linear_score_are_exact() -> None:
    x, w = np.arange(8.0).reshape(2, 4), np.array([1.0, -2, 0, 4])
    found = integrated_gradients(lambda v: v @ T.as_tensor(w), x, baseline=1.0, steps=1)
    np.testing.assert_allclose(found, (x - 1) * w, rtol=1e-14)


# ---- occlusion ----


@pytest.mark.parametrize("stride", [1, 2, 5])
def test_occlusion_finds_the_planted_square(stride: int) -> None:
    image = 0.1 * np.random.default_rng(0).random((14, 12))
    image[6:9, 4:7] = 1

    def predict(x: Array) -> Array:
        inside = x[:, 6:9, 4:7].sum(axis=(1, 2))
        return np.stack([-inside, inside], axis=1)

    found = occlusion_map(predict, image, 1, window=(3, 3), stride=stride)
    assert found.shape == image.shape
    assert found[7, 5] == found.max() > 0  # inside of the square
    assert found[0, 0] == 0
    np.testing.assert_allclose(occlusion_map(predict, image, 0, (3, 3), stride), -found)
    colour = np.repeat(image[None], 3, axis=0)
    first = occlusion_map(lambda x: x[:, :, 6:9, 4:7].sum(axis=(1, 2, 3)), colour, stride=stride)
    last = occlusion_map(
        lambda x: x[:, 6:9, 4:7].sum(axis=(1, 2, 3)), colour.transpose(1, 2, 0), stride=stride, channels_last=True
    )
    np.testing.assert_allclose(first, 3 * found, rtol=1e-5)
    np.testing.assert_allclose(first, last, rtol=1e-5)


def test_occlusion_is_a_mean_over_windows() -> None:
    image = np.arange(1.0, 7.0).reshape(2, 3)
    found = occlusion_map(lambda x: x.sum(axis=(1, 2)), image, window=(2, 2))
    left, right = 1 + 2 + 4 + 5, 2 + 3 + 5 + 6
    np.testing.assert_allclose(found, [[left, (left + right) / 2, right]] * 2)
    with pytest.raises(ConfigError, match="do not fit an image of 2 x 3"):
        occlusion_map(lambda x: x, image, window=(3, 1))
    with pytest.raises(ShapeError, match="is no image"):
        occlusion_map(lambda x: x, np.zeros(4))


# ---- deconvnet ----


@pytest.mark.parametrize(("data_format", "layer"), [("channels_last", 1), ("channels_last", 2), ("channels_first", 2)])
def test_the_deconvnet_of_a_linear_network_is_the_exact_vjp(data_format: str, layer: int) -> None:
    """With max pooling, whose derivative leads to where the maximum was."""
    model, x = _conv("linear", data_format)
    values = activities(model, x, layer)
    strongest = values[:, 1].reshape(3, -1).max(axis=1)

    def peak(v: Expr) -> Expr:
        for one in model.layers[: layer + 1]:
            v = one(v)
        if data_format == "channels_last":
            v = v.dimshuffle(0, 3, 1, 2)
        return v[:, 1].max(axis=(1, 2))

    found = deconvnet(model, x, layer, 1)
    assert found.shape == x.shape
    wanted = _evaluate(lambda v: symdl.grad(peak(v).sum(), v), x) * strongest[:, None, None, None]
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


def test_the_deconvnet_rectifies_what_comes_back() -> None:
    """Back through relu goes what is positive, whatever was positive on the way up."""
    model, x = _dense("relu", "linear")
    (W, b), (V, c) = ([np.asarray(p.get_value()) for p in layer.parameters] for layer in model.layers)
    scores = np.maximum(x @ W + b, 0) @ V + c
    for unit in range(3):
        signal = scores[:, [unit]] * V[:, unit]
        np.testing.assert_allclose(deconvnet(model, x, -1, unit), np.maximum(signal, 0) @ W.T, rtol=1e-12)
    with pytest.raises(ConfigError, match="there is no unit 3: the layer has 3"):
        deconvnet(model, x, -1, 3)


# ---- patches ----


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_top_patches_are_what_the_unit_sees(data_format: str) -> None:
    """Changing the image outside of the box changes nothing; and everything is counted within the box."""
    model, x = _conv("relu", data_format)
    rng = np.random.default_rng(5)
    for layer, size in ((0, (3, 3)), (1, (4, 4)), (2, (8, 8))):
        found = top_patches(model, x, layer, 1, n=2)
        values = activities(model, x, layer)[:, 1].reshape(3, -1)
        np.testing.assert_array_equal(found.images, np.argsort(-values.max(axis=1), kind="stable")[:2])
        np.testing.assert_allclose(found.activities, np.sort(values.max(axis=1))[::-1][:2])
        assert found.patches.shape == (2, *size, 2)
        for k, row in enumerate(found.images):
            top, left, bottom, right = found.boxes[k]
            image = x[row] if data_format == "channels_last" else x[row].transpose(1, 2, 0)
            other = rng.standard_normal(image.shape)
            inside = np.s_[max(top, 0) : bottom, max(left, 0) : right]
            other[inside] = image[inside]
            batch = (other if data_format == "channels_last" else other.transpose(2, 0, 1))[None]
            place = values[row].argmax()
            np.testing.assert_allclose(
                activities(model, batch, layer)[0, 1].ravel()[place], values[row].max(), rtol=1e-9
            )
            rows, columns = slice(max(-top, 0), min(bottom, 10) - top), slice(max(-left, 0), min(right, 8) - left)
            wanted = np.zeros((*size, 2))
            wanted[rows, columns] = image[inside]
            np.testing.assert_array_equal(found.patches[k], wanted)
            assert (bottom - top, right - left) == size


def test_top_patches_of_dense_units_and_of_other_layers() -> None:
    model, x = _conv("relu")
    found = top_patches(model, x, -1, 0, n=5)
    assert found.patches.shape == (3, 10, 8, 2)
    np.testing.assert_array_equal(found.patches, x[found.images])
    padded = _built(
        Sequential(
            [
                layers.ZeroPadding2D(2),
                layers.UpSampling2D(2),
                layers.Conv2D(2, 3, strides=2, dilation_rate=2),
                layers.Activation("relu"),
                layers.AveragePooling2D(2, strides=1),
            ]
        ),
        x,
    )
    # pooling sees 2 results, these 2 + 5 upsampled places 2 apart: 7, which are 4 places, before padding
    assert top_patches(padded, x, -1, 0, n=3).patches.shape == (3, 4, 4, 2)
    with pytest.raises(ShapeError, match="are no images with channels"):
        top_patches(model, x[..., 0], 0, 0)
    with pytest.raises(ConfigError, match="there is no unit 9"):
        top_patches(model, x, 0, 9)
