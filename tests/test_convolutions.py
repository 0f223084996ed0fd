"""Convolutions against SciPy and against finite differences; what is refused, and how."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest
from agree import agree, check_gradient, leaf, same, value
from programs import golden
from scipy import signal

import symdl
import symdl.tensor as T
from symdl import convolution
from symdl.errors import ConfigError, ShapeError, SymdlError
from symdl.graph.expr import OPS, Expr, make, variable


def numbers(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def by_scipy(x: Any, f: Any, mode: str, flipped: bool) -> Any:
    """All pairs of images and filters, channel by channel."""
    slide = signal.convolve if flipped else signal.correlate
    return np.stack([[sum(slide(c, k, mode) for c, k in zip(n, o, strict=True)) for o in f] for n in x])


# ---- values ----


@pytest.mark.parametrize("mode", ["valid", "full"])
@pytest.mark.parametrize("flipped", [True, False])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_convolution_is_scipys(axes: int, flipped: bool, mode: str) -> None:
    x, f = numbers(2, 3, *(6, 5, 4)[:axes]), numbers(4, 3, *(3, 2, 2)[:axes])
    a, b = leaf("x", x), leaf("f", f)
    conv = (T.conv1d, T.conv2d, T.conv3d)[axes - 1]
    y = conv(a, b, border_mode=mode, filter_flip=flipped)
    np.testing.assert_allclose(value(y, {a: x, b: f}), by_scipy(x, f, mode, flipped), rtol=1e-12, atol=1e-13)
    if not flipped:
        assert T.correlate(a, b, border_mode=mode) is y


def test_borders() -> None:
    """Of 7 x 8 images and filters of 3 x 2 with holes along the first axis, which then reach over 5 places."""
    x, f = numbers(1, 1, 7, 8), numbers(1, 1, 3, 2)
    a, b = leaf("x", x), leaf("f", f)
    around: dict[Any, Any] = {
        "valid": ((0, 0), (0, 0)), "full": ((4, 4), (1, 1)), "half": ((2, 2), (1, 1)), "same": ((2, 2), (0, 1)),
        2: ((2, 2), (2, 2)), (1, 3): ((1, 1), (3, 3)), ((0, 1), (2, 0)): ((0, 1), (2, 0)),
    }  # fmt: skip
    for mode, pairs in around.items():
        y = T.conv2d(a, b, border_mode=mode, filter_dilation=(2, 1), filter_flip=False)
        wide = np.pad(x, ((0, 0), (0, 0), *pairs))
        expected = convolution.convolve(wide, f, (1, 1), (2, 1), 1)
        same(value(y, {a: x, b: f}), expected)
    for step in (1, 2, 3):
        y = T.conv2d(a, b, border_mode="same", subsample=step)
        assert value(y, {a: x, b: f}).shape[2:] == (-(-7 // step), -(-8 // step))


def test_steps_holes_and_groups_leave_out_what_they_say() -> None:
    x, f = numbers(2, 4, 9, 8), numbers(6, 2, 3, 2)
    a, b = leaf("x", x), leaf("f", f)
    dense = numbers(6, 2, 3, 2) * 0
    wide = np.zeros((6, 2, 5, 2))
    wide[:, :, ::2] = f
    halves = [by_scipy(x[:, 2 * g : 2 * g + 2], wide[3 * g : 3 * g + 3], "valid", True) for g in range(2)]
    expected = np.concatenate(halves, 1)[:, :, ::2, ::3]
    y = T.conv2d(a, b, subsample=(2, 3), filter_dilation=(2, 1), num_groups=2)
    np.testing.assert_allclose(value(y, {a: x, b: f}), expected, rtol=1e-12, atol=1e-13)
    assert not value(y, {a: x, b: dense}).any()


@pytest.mark.parametrize("flipped", [True, False])
def test_filters_of_each_place(flipped: bool) -> None:
    x, f = numbers(2, 4, 5, 6), numbers(6, 2, 5, 2, 3, 2)  # 2 x 5 places
    a, b = leaf("x", x), leaf("f", f)
    y = T.conv2d(a, b, subsample=(2, 1), num_groups=2, unshared=True, filter_flip=flipped)
    expected = np.zeros((2, 6, 2, 5))
    for o, p, q in itertools.product(range(6), range(2), range(5)):
        own = f[o, p, q, :, ::-1, ::-1] if flipped else f[o, p, q]
        channels = x[:, 2 * (o // 3) : 2 * (o // 3) + 2, 2 * p : 2 * p + 3, q : q + 2]
        expected[:, o, p, q] = (channels * own).sum((1, 2, 3))
    same_filters = np.broadcast_to(f[:, :1, :1], f.shape)
    np.testing.assert_allclose(value(y, {a: x, b: f}), expected, rtol=1e-12, atol=1e-13)
    shared = T.conv2d(a, b[:, 0, 0], subsample=(2, 1), num_groups=2, filter_flip=flipped)
    np.testing.assert_allclose(
        value(y, {a: x, b: same_filters}), value(shared, {a: x, b: same_filters}), rtol=1e-12, atol=1e-13
    )
    check_gradient([y], {a: x, b: f}, [a, b])


def test_a_transposed_convolution_is_the_gradient_of_the_convolution() -> None:
    y, f = numbers(2, 4, 3, 4), numbers(4, 3, 3, 2)
    a, b = leaf("y", y), leaf("f", f, known=True)
    for mode, step, holes, shape in (
        ("valid", 1, 1, (5, 5)), ("half", 2, 1, (5, 6)), ("half", 2, 1, (6, 7)), ((3, 1), 1, 2, (1, 4)), ((1, 0), 3, 1, (7, 11)),
    ):  # fmt: skip
        x = variable("x", (2, 3, *shape), "float64")
        forward = T.conv2d(x, b, border_mode=mode, subsample=step, filter_dilation=holes)
        assert forward.type.shape[2:] == (3, 4), mode
        (expected,) = symdl.derivatives.gradient.pull([forward], [a], [x])
        assert expected is not None
        back = T.conv2d_transpose(a, b, shape, border_mode=mode, input_dilation=step, filter_dilation=holes)
        values = {a: y, b: f, x: np.zeros((2, 3, *shape))}
        np.testing.assert_allclose(value(back, values), value(expected, values), rtol=1e-12, atol=1e-13)
        check_gradient([back], {a: y, b: f}, [a, b])
    assert value(T.conv2d_transpose(a, b, input_dilation=2), {a: y, b: f}).shape == (2, 3, 7, 8)
    known = T.conv2d_transpose(a, b, (2, 3, 8, 8), input_dilation=2)  # the place that no window covers is 0
    assert not value(known, {a: y, b: f})[:, :, 7].any()


def test_compositions() -> None:
    x = numbers(2, 3, 6, 5)
    a = leaf("x", x, known=True)
    deep, across = numbers(6, 1, 3, 3), numbers(4, 6, 1, 1)
    both = T.separable_conv2d(a, deep, across, 3, border_mode="half")
    each = np.concatenate([by_scipy(x[:, k : k + 1], deep[2 * k : 2 * k + 2], "same", True) for k in range(3)], 1)
    expected = np.einsum("ncyx,oc->noyx", each, across[:, :, 0, 0])
    np.testing.assert_allclose(value(both, {a: x}), expected, rtol=1e-12, atol=1e-12)
    same(
        value(T.depthwise_conv2d(a, deep, border_mode="half"), {a: x}),
        value(T.conv2d(a, deep, None, None, 1, num_groups=3), {a: x}),
    )
    row, f = numbers(2, 3, 7), numbers(4, 3, 2)
    b = leaf("b", row)
    y = value(T.causal_conv1d(b, f, filter_dilation=3), {b: row})
    late = row.copy()
    late[:, :, 4:] = 0
    assert y.shape == (2, 4, 7)
    same(value(T.causal_conv1d(b, f, filter_dilation=3), {b: late})[:, :, :4], y[:, :, :4])


# ---- gradients ----


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gradients_are_slopes_also_the_second(axes: int) -> None:
    x, f = numbers(2, 4, *(7, 5, 4)[:axes]), numbers(4, 2, *(3, 2, 2)[:axes])
    a, b = leaf("x", x), leaf("f", f)
    conv = (T.conv1d, T.conv2d, T.conv3d)[axes - 1]
    y = conv(a, b, border_mode="half", subsample=(2, 1, 1)[:axes], filter_dilation=(1, 2, 1)[:axes], num_groups=2)
    values = {a: x, b: f}
    check_gradient([y], values, [a, b])
    first = T.grad(T.sum(T.sqr(y) * y), [a, b])
    check_gradient(first, values, [a, b], rtol=1e-5)
    if axes == 2:
        second = T.grad(T.sum(T.sqr(first[0])) + T.sum(T.sqr(first[1])), [a, b])
        agree([y, *first, *second], values, ulps=200)


def test_jacobians_by_images_and_filters() -> None:
    """Rows are gradients: a batch of pulls, in which filters are groups."""
    x, f = numbers(1, 2, 4, 3), numbers(2, 1, 2, 2)
    a, b = leaf("x", x, known=True), leaf("f", f, known=True)
    y = T.flatten(T.sin(T.conv2d(a, b, num_groups=2)))
    for wrt in (a, b):
        rows = [value(g, {a: x, b: f}) for k in range(12) for g in T.grad(y[k], [wrt])]
        whole: Any = T.jacobian(y, wrt)
        np.testing.assert_allclose(value(whole, {a: x, b: f}), np.stack(rows), rtol=1e-12, atol=1e-14)
    (g,) = T.grad(T.sum(y), [b])
    whole = T.jacobian(T.flatten(g), b)
    curve = value(whole, {a: x, b: f})
    step = 1e-5 * (np.arange(8) == 3).reshape(f.shape)
    ahead, behind = (value(g, {a: x, b: f + s * step}).ravel() for s in (1, -1))
    np.testing.assert_allclose(curve.reshape(8, 8)[:, 3], (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-8)


def test_the_gradient_of_an_adjoint_keeps_places_that_no_window_reaches() -> None:
    """Images one place larger than windows need."""
    y, f, x = numbers(1, 2, 3), numbers(2, 1, 2), numbers(1, 1, 7)
    for shape, step in ((7, 2), (6, 2), (4, 1)):
        a, b = leaf("y", y), leaf("f", f)
        out = make(OPS["convolve_images"], (b, a), steps=(step,), spacing=(1,), groups=1, shape=(shape,))
        check_gradient([out], {a: y, b: f}, [a, b])
    a, b = leaf("x", x), leaf("y", y)
    out = make(OPS["convolve_filters"], (a, b), steps=(2,), spacing=(-1,), groups=1, shape=(2,))
    check_gradient([out], {a: x, b: y}, [a, b])


# ---- what is refused ----


def refusals() -> list[Any]:
    x, f = variable("x", (2, 3, 5, 6), "float32"), variable("f", (4, 3, 3, 3), "float32")
    return [
        lambda: T.conv2d(x[0], f),
        lambda: T.conv2d(x, f[0]),
        lambda: T.conv2d(x > 0, f > 0),
        lambda: T.conv2d(x, f[:, :2]),
        lambda: T.conv2d(x, f[:, :1], num_groups=3),
        lambda: T.conv2d(x[:, :, :2], f),
        lambda: T.conv2d(x, f, border_mode="around"),
        lambda: T.conv2d(x, f, border_mode=(1, 2, 3)),
        lambda: T.conv2d(x, f, border_mode=-1),
        lambda: T.conv2d(x, f, subsample=(1, 0)),
        lambda: T.conv2d(x, f, subsample=1.5),
        lambda: T.conv2d(x, f, filter_dilation=(1, 1, 1)),
        lambda: T.conv2d(x, f, num_groups=0),
        lambda: T.conv2d(x, f, input_shape=(2, 3, 5, 7)),
        lambda: T.conv2d(x, f, filter_shape=(4, 3)),
        lambda: T.conv2d(x, f, unshared=True),
        lambda: T.conv2d_transpose(x, f),
        lambda: T.conv2d_transpose(x[:, :, :2], f[:3], (9, 9)),
        lambda: T.conv1d_transpose(x[0], f[0], padding=3),
        lambda: T.correlate(x[0, 0], f),
        lambda: T.depthwise_conv2d(T.ftensor4("z"), f),
        lambda: T.conv2d(variable("y", (2, 3, 4, 4), "float32"), variable("w", (0, 3, 0, 1), "float32")),
    ]


def test_what_is_refused() -> None:
    lines = []
    for k, refused in enumerate(refusals()):
        with pytest.raises(SymdlError) as found:
            refused()
        text = re.sub(r" +test_convolutions\.py:\d+", "", str(found.value))
        lines.append(f"[{k}] {type(found.value).__name__}: {text}")
    golden("convolution_refusals", "\n".join(lines) + "\n")


def test_sizes_that_do_not_fit_when_called() -> None:
    x, f = T.dtensor4("x"), T.dtensor4("f")
    run = symdl.function([x, f], T.conv2d(x, f))
    with pytest.raises(ShapeError, match="3 channels of x meet filters f for 2 channels"):
        run(np.ones((1, 3, 4, 4)), np.ones((1, 2, 2, 2)))
    with pytest.raises(ShapeError, match="filters f reach over 5 places along axis 3 of x, which has 4"):
        run(np.ones((1, 2, 4, 4)), np.ones((1, 2, 2, 5)))
    stated = symdl.function([x, f], T.conv2d(x, f, input_shape=(None, 2, 4, None), filter_shape=(1, 2, 2, 2)))
    assert stated(np.ones((3, 2, 4, 5)), np.ones((1, 2, 2, 2))).shape == (3, 1, 3, 4)
    with pytest.raises(ShapeError):
        stated(np.ones((3, 2, 5, 5)), np.ones((1, 2, 2, 2)))


def test_integers_have_no_gradient_and_are_exact() -> None:
    x, f = T.ltensor4("x"), T.ltensor4("f")
    y = T.conv2d(x, f)
    assert isinstance(y, Expr)
    a, b = np.arange(2 * 5 * 5).reshape(1, 2, 5, 5), np.arange(3 * 2 * 4).reshape(3, 2, 2, 2)
    same(symdl.function([x, f], y)(a, b), convolution.convolve(a, b, (1, 1), (-1, -1), 1))
    with pytest.raises(ConfigError, match="takes either ratio or frac_ratio"):
        T.bilinear_upsampling(x)
