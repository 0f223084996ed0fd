"""Normalizations, neighbourhoods, upsampling and the newer activations against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agree import agree, check_gradient, leaf, same, value
from programs import golden
from scipy import ndimage, special

import symdl
import symdl.tensor as T
from symdl.errors import SymdlError
from symdl.graph.expr import variable


def numbers(*shape: int, dtype: str = "float64") -> Any:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(dtype)


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


def standardized(x: Any, axes: Any, epsilon: float) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("axes", ["per-activation", "spatial", (0, 2)])
def test_batch_normalization(axes: Any) -> None:
    x = numbers(5, 3, 4, 2) * 2 + 1
    over = {"per-activation": (0,), "spatial": (0, 2, 3)}.get(axes, axes)
    full = tuple(1 if k in over else n for k, n in enumerate(x.shape))
    short = tuple(n for k, n in enumerate(x.shape) if k not in over)
    m = np.prod([x.shape[k] for k in over])
    for shape in (full, short):
        gamma, beta, means, variances = (np.random.default_rng(k).random(shape) + 0.5 for k in range(4))
        leaves = [leaf(n, v, known=True) for n, v in zip("xgbmv", (x, gamma, beta, means, variances), strict=True)]
        values = dict(zip(leaves, (x, gamma, beta, means, variances), strict=True))
        a, g, b, rm, rv = leaves
        out, mean, invstd, new_mean, new_var = T.batch_normalization_train(a, g, b, axes, 1e-3, 0.25, rm, rv)
        average, variance = x.mean(over, keepdims=True).reshape(shape), x.var(over, keepdims=True).reshape(shape)
        close(value(out, values), standardized(x, over, 1e-3) * gamma.reshape(full) + beta.reshape(full))
        close(value(mean, values), average)
        close(value(invstd, values), 1 / np.sqrt(variance + 1e-3))
        close(value(new_mean, values), 0.75 * means + 0.25 * average)
        close(value(new_var, values), 0.75 * variances + 0.25 * variance * m / (m - 1))
        check_gradient([out], values, [a, g, b], rtol=1e-5)
        agree([out, *T.grad(T.sum(T.sqr(out) * out), [a, g, b])], values, ulps=2000, stable=True)
        tested = T.batch_normalization_test(a, g, b, rm, rv, axes, 1e-3)
        spread = np.sqrt(variances.reshape(full) + 1e-3)
        close(value(tested, values), (x - means.reshape(full)) / spread * gamma.reshape(full) + beta.reshape(full))
    three = T.batch_normalization_train(leaf("x", x), 1.0 * np.ones(full), np.zeros(full), axes)
    assert len(three) == 3
    simple = T.batch_normalization(leaves[0], gamma.reshape(full), 0.0, means.reshape(full), spread)
    close(value(simple, values), (x - means.reshape(full)) * gamma.reshape(full) / spread)


def test_running_averages_are_updates() -> None:
    x = T.fmatrix("x")
    gamma, beta, mean, var = (
        symdl.shared(np.full(3, v, "float32"), n) for n, v in (("g", 1), ("b", 0), ("m", 0), ("v", 1))
    )
    out, *_, new_mean, new_var = T.batch_normalization_train(x, gamma, beta, running_mean=mean, running_var=var)
    run = symdl.function([x], out, updates=[(mean, new_mean), (var, new_var)])
    batch = numbers(8, 3, dtype="float32") + 2
    for _ in range(3):
        run(batch)
    np.testing.assert_allclose(mean.get_value(), batch.mean(0) * (1 - 0.9**3), rtol=1e-5)
    np.testing.assert_allclose(var.get_value(), 0.9**3 + batch.var(0, ddof=1) * (1 - 0.9**3), rtol=1e-5)


def test_normalization_of_each_example() -> None:
    x = numbers(4, 6, 3, 2) + 3
    gamma, beta = numbers(6), numbers(6) * 2
    a = leaf("x", x, known=True)

    def wide(p: Any) -> Any:
        return p[None, :, None, None]

    close(value(T.layer_normalization(a, axes=(1, 2, 3)), {a: x}), standardized(x, (1, 2, 3), 1e-5))
    close(value(T.layer_normalization(a, numbers(2), 0.5), {a: x}), standardized(x, -1, 1e-5) * numbers(2) + 0.5)
    grouped = standardized(x.reshape(4, 3, 2, 3, 2), (2, 3, 4), 1e-5).reshape(x.shape)
    close(value(T.group_normalization(a, 3, gamma, beta), {a: x}), grouped * wide(gamma) + wide(beta))
    single = standardized(x, (2, 3), 1e-5)
    close(value(T.instance_normalization(a, gamma, beta), {a: x}), single * wide(gamma) + wide(beta))
    outputs = [T.layer_normalization(a), T.group_normalization(a, 2), T.instance_normalization(a)]
    check_gradient(outputs, {a: x}, [a], rtol=1e-5)
    agree(outputs, {a: x}, ulps=200, stable=True)


def test_local_response_and_maxout() -> None:
    x = numbers(2, 7, 3, 2)
    a = leaf("x", x)
    squares = np.pad(x**2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    around = squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]
    y = T.local_response_normalization(a, 3, 1.5, 0.1, 0.6)
    close(value(y, {a: x}), x / (1.5 + 0.1 * around) ** 0.6)
    check_gradient([y], {a: x}, [a])
    z = leaf("z", numbers(2, 6, 3), known=True)
    same(value(T.maxout(z, 3), {z: numbers(2, 6, 3)}), numbers(2, 6, 3).reshape(2, 2, 3, 3).max(2))
    same(value(T.maxout(z, 3, axis=-1), {z: numbers(2, 6, 3)}), numbers(2, 6, 3).max(2, keepdims=True))


def test_an_embedding_adds_up_the_gradients_of_a_row() -> None:
    table, at = numbers(5, 3), np.array([[1, 4], [1, 1]])
    w, n = leaf("w", table), leaf("n", at)
    y = T.embedding(n, w)
    same(value(y, {w: table, n: at}), table[at])
    (g,) = T.grad(T.sum(y), [w])
    same(value(g, {w: table, n: at}), np.repeat([[0.0], [3], [0], [0], [1]], 3, 1))


# ---- images ----


def neighbourhoods(x: Any, size: Any, step: Any) -> Any:
    """One row each, in the order of images, channels, places."""
    rows = []
    for image in x:
        for c in image:
            for i in range(0, c.shape[0] - size[0] + 1, step[0]):
                rows += [
                    c[i : i + size[0], j : j + size[1]].ravel() for j in range(0, c.shape[1] - size[1] + 1, step[1])
                ]
    return np.array(rows)


def test_neighbourhoods() -> None:
    x = numbers(2, 3, 6, 8)
    a = leaf("x", x)

    def find(*s: Any, **k: Any) -> Any:
        return value(T.images2neibs(a, *s, **k), {a: x})

    same(find((2, 4)), neighbourhoods(x, (2, 4), (2, 4)))
    same(find((4, 4), (1, 2)), neighbourhoods(x, (4, 4), (1, 2)))
    same(find((4, 3), mode="ignore_borders"), neighbourhoods(x, (4, 3), (4, 3)))
    around = np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)), mode="wrap")
    same(find((3, 5), (2, 3), mode="wrap_centered"), neighbourhoods(around, (3, 5), (2, 3)))
    zeros = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    same(find((3, 3), (1, 1), mode="half"), neighbourhoods(zeros, (3, 3), (1, 1)))
    same(find((2, 2), (1, 1), mode="full"), neighbourhoods(zeros, (2, 2), (1, 1)))
    check_gradient([T.images2neibs(a, (3, 5), (1, 3), mode="ignore_borders")], {a: x}, [a])
    back = T.neibs2images(T.images2neibs(a, (2, 4)), (2, 4), x.shape)
    same(value(back, {a: x}), x)
    rest = T.neibs2images(T.images2neibs(a, (4, 3), mode="ignore_borders"), (4, 3), x.shape, "ignore_borders")
    expected = x.copy()
    expected[:, :, 4:] = expected[:, :, :, 6:] = 0
    same(value(rest, {a: x}), expected)


def test_upsampling() -> None:
    x = numbers(2, 3, 4, 5)
    a = leaf("x", x)
    same(value(T.upsampling(a, (2, 3)), {a: x}), x.repeat(2, 2).repeat(3, 3))
    for ratio in (2, 3, 4):
        y = T.bilinear_upsampling(a, ratio)
        expected = x
        for axis in (2, 3):
            at = (np.arange(x.shape[axis] * ratio) - (ratio - 1) // 2) / ratio
            places = np.clip(at, 0, x.shape[axis] - 1)
            expected = ndimage.map_coordinates(
                np.moveaxis(expected, axis, 0).reshape(x.shape[axis], -1),
                np.meshgrid(places, np.arange(expected.size // x.shape[axis]), indexing="ij"), order=1,
            ).reshape(len(places), *np.delete(expected.shape, axis))  # fmt: skip
            expected = np.moveaxis(expected, 0, axis)
        close(value(y, {a: x}), expected)
        check_gradient([y], {a: x}, [a])
    same(value(T.bilinear_upsampling(a, frac_ratio=((3, 2), (1, 1))), {a: x})[:, :, ::3], x[:, :, ::2])


# ---- activations ----


def test_activations() -> None:
    x = np.concatenate([np.linspace(-6, 6, 49), [-40.0, 40.0]])
    a = leaf("x", x)
    true: dict[str, Any] = {
        "gelu": x * special.ndtr(x), "silu": x * special.expit(x), "swish": x * special.expit(x),
        "mish": x * np.tanh(np.logaddexp(0, x)), "hard_tanh": np.clip(x, -1, 1), "relu6": np.clip(x, 0, 6),
        "leaky_relu": np.where(x > 0, x, 0.01 * x),
    }  # fmt: skip
    for name, expected in true.items():
        np.testing.assert_allclose(value(getattr(T, name)(a), {a: x}), expected, rtol=1e-13, atol=1e-300, err_msg=name)
    near = value(T.gelu(a, approximate=True), {a: x})
    assert np.abs(near - true["gelu"]).max() < 5e-4
    assert np.abs(value(T.ultra_fast_sigmoid(a), {a: x}) - special.expit(x)).max() < 0.03
    t = np.linspace(0, 1, 51)
    expected = -(t * -np.logaddexp(0, -x) + (1 - t) * -np.logaddexp(0, x))
    np.testing.assert_allclose(value(T.sigmoid_binary_crossentropy(a, t), {a: x}), expected, rtol=1e-12, atol=1e-15)


def test_what_is_refused() -> None:
    x = variable("x", (2, 6, 4, 4), "float32")
    refused: list[Callable[[], Any]] = [
        lambda: T.batch_normalization_train(x, np.ones(6), np.ones(6), "channels"),
        lambda: T.batch_normalization_train(x, np.ones(6), np.ones(6)),
        lambda: T.batch_normalization_test(x, np.ones((1, 6, 4, 4)), np.ones((2, 6, 4, 4)), 0, 0),
        lambda: T.group_normalization(x, 4),
        lambda: T.instance_normalization(x[:, :, 0, 0]),
        lambda: T.local_response_normalization(x, 4),
        lambda: T.maxout(x, 4),
        lambda: T.images2neibs(x[0], (2, 2)),
        lambda: T.images2neibs(x, (3, 2)),
        lambda: T.images2neibs(x, (2, 2), mode="same"),
        lambda: T.images2neibs(x, (2, 2), mode="wrap_centered"),
        lambda: T.neibs2images(x, (2, 2), (2, 6, 4, 4)),
        lambda: T.neibs2images(x[:, :, 0, 0], (2, 2), (6, 4)),
        lambda: T.neibs2images(x[:, :, 0, 0], (2, 2), (2, 6, 4, 5)),
        lambda: T.upsampling(x[0, 0, 0], 2),
        lambda: T.bilinear_upsampling(x),
    ]
    lines = []
    for k, call in enumerate(refused):
        with pytest.raises(SymdlError) as found:
            call()
        lines.append(f"[{k}] {type(found.value).__name__}: {str(found.value).splitlines()[0]}")
    golden("layers_refusals", "\n".join(lines) + "\n")
