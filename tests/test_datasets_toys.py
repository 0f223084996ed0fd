"""Data sets that are made: each by its documented rule, the same for the same seed, and of the published numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from symdl.datasets import (
    AVOCADO,
    avocado,
    bars_and_stripes,
    binary_digits,
    bumps,
    circle,
    digits,
    digits_halves,
    few_labels,
    gauss,
    logic_gates,
    nudged_digits,
    patches,
    plane,
    pooled_digits,
    spiral,
    whitened,
    xor,
)
from symdl.datasets.split import Array
from symdl.errors import ConfigError, DataError, ShapeError

CLASSES = [circle, xor, gauss, spiral, avocado]
TOYS = [*CLASSES, plane, bumps]
Toy = Callable[..., tuple[Array, Array]]


@pytest.mark.parametrize("toy", TOYS)
def test_the_seed_decides(toy: Toy) -> None:
    (x, y), (again, _), (other, _) = toy(101, seed=3), toy(101, seed=3), toy(101, seed=4)
    assert x.shape == (101, 3 if toy is avocado else 2)
    assert [x.dtype.name, len(y)] == ["float32", 101]
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, other)
    for n, noise in ((0, 0.0), (5, -1.0), (5, float("nan"))):
        with pytest.raises(ConfigError, match=f"{toy.__name__}: n {n} must be at least 1"):
            toy(n, noise=noise)


@pytest.mark.parametrize("toy", CLASSES)
def test_classes_are_0_and_1_and_mixed(toy: Toy) -> None:
    _, y = toy(1000)
    assert y.dtype.name == "int64"
    assert set(y[-100:]) == {0, 1}  # whoever holds out the end holds out both
    _, noisy = toy(1000, noise=0.3)
    assert set(noisy) == {0, 1}


def test_circle_and_xor_are_as_written() -> None:
    x, y = circle(400)
    r = np.hypot(*x.T)
    assert y.sum() == 200
    assert r[y == 1].max() <= 2.5
    assert 3.5 <= r[y == 0].min() <= r[y == 0].max() <= 5.0001
    x, y = xor(400)
    np.testing.assert_array_equal(y, (x[:, 0] * x[:, 1] >= 0).astype(int))
    assert 0.3 <= np.abs(x).min() <= np.abs(x).max() <= 5.3001
    noisy_x, noisy_y = xor(4000, noise=0.5)  # the label is that of another point than the one shown
    assert 0.1 < np.mean(noisy_y != (noisy_x.prod(axis=1) >= 0)) < 0.4


def test_gauss_has_its_variance() -> None:
    for noise, variance in ((0.0, 0.5), (0.5, 4.0)):
        x, y = gauss(20_000, noise=noise)
        for label, middle in ((1, 2), (0, -2)):
            np.testing.assert_allclose(x[y == label].mean(axis=0), middle, atol=0.07)
            np.testing.assert_allclose(x[y == label].var(axis=0), variance, rtol=0.05)


def test_spiral_is_two_arms_of_one_curve() -> None:
    x, y = spiral(200)
    for label, turn in ((1, 0.0), (0, np.pi)):
        arm = x[y == label].astype(float)
        r = np.sort(np.hypot(*arm.T))
        np.testing.assert_allclose(r, 5 * np.arange(100) / 100, atol=1e-6)
        t = 3.5 * np.pi * np.hypot(*arm.T) / 5 + turn
        np.testing.assert_allclose(arm, np.hypot(*arm.T)[:, None] * np.stack([np.sin(t), np.cos(t)], 1), atol=1e-5)


def test_regressions_are_as_written() -> None:
    x, y = plane(300)
    np.testing.assert_allclose(y, x.sum(axis=1) / 10, atol=1e-6)
    assert np.abs(x).max() <= 6
    x, y = bumps(3000)
    for k, (p, q) in enumerate([(-4, 2.5), (0, 2.5), (4, 2.5), (-4, -2.5), (0, -2.5), (4, -2.5)]):
        near = np.hypot(x[:, 0] - p, x[:, 1] - q) < 1  # no other cone is higher there
        expected = (1 - np.hypot(x[near, 0] - p, x[near, 1] - q) / 2) * (1, -1, 1, -1, 1, -1)[k]
        np.testing.assert_allclose(y[near], expected, atol=1e-6)
    far = np.abs(x[:, 1]) > 4.5
    np.testing.assert_array_equal(y[far], 0)


def test_avocados_are_ripe_by_the_rule() -> None:
    x, y = avocado(2000)
    height, squishiness, colour = x.T
    assert AVOCADO == ("height", "squishiness", "colour")
    np.testing.assert_array_equal(y, (squishiness > 0.35) & (squishiness < 0.8) & (colour > 0.45))
    assert 0.7 <= height.min() <= height.max() <= 1.3
    same, noisy = avocado(2000, noise=0.1)
    np.testing.assert_array_equal(x, same)
    assert 0.07 < np.mean(y != noisy) < 0.13


def test_gates_are_truth_tables() -> None:
    x, gates = logic_gates()
    assert list(gates) == ["and", "or", "nand", "nor", "xor", "xnor"]
    for k, (a, b) in enumerate(x.tolist()):
        row = [a and b, a or b, not (a and b), not (a or b), a != b, a == b]
        assert [bool(y[k]) for y in gates.values()] == [bool(v) for v in row]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_bars_and_stripes_are_all_of_them(n: int) -> None:
    patterns, p = bars_and_stripes(n)
    everything = ((np.arange(2 ** (n * n))[:, None] >> np.arange(n * n)) & 1).reshape(-1, n, n)
    same_rows = (everything == everything[:, :, :1]).all(axis=(1, 2))
    same_columns = (everything == everything[:, :1, :]).all(axis=(1, 2))
    wanted = {tuple(v.ravel()) for v in everything[same_rows | same_columns]}
    assert {tuple(v) for v in patterns.astype(int)} == wanted
    assert len(patterns) == len(wanted) == 2 ** (n + 1) - 2
    probability = (same_rows / 2**n + same_columns / 2**n) / 2
    by_pattern = {tuple(v.ravel()): q for v, q in zip(everything, probability, strict=True)}
    np.testing.assert_allclose(p, [by_pattern[tuple(v)] for v in patterns.astype(int)], rtol=1e-15)
    entropy = -(p * np.log(p)).sum()
    np.testing.assert_allclose(entropy, (n + 1) * np.log(2) - 2 ** (1 - n) * np.log(2), atol=1e-12)


def test_bars_and_stripes_has_bounds() -> None:
    for n in (0, 13):
        with pytest.raises(ConfigError):
            bars_and_stripes(n)


# ---- digits and photographs: those of scikit-learn ----

sklearn = pytest.mark.usefixtures("_sklearn")


@pytest.fixture
def _sklearn() -> None:
    pytest.importorskip("sklearn", reason="the digits come with scikit-learn: pip install symdl[zoo]")


@sklearn
def test_halves_and_binary_digits_are_those_of_the_anchors() -> None:
    x, y = digits()
    halves = digits_halves()
    assert (len(halves.x_train), len(halves.x_test)) == (898, 899)
    np.testing.assert_array_equal(np.concatenate([halves.y_train, halves.y_test]), y)
    split = binary_digits()
    order = np.random.default_rng(0).permutation(1797)
    np.testing.assert_array_equal(split.x_train, (x * 16 > 7)[order[:1437]])
    np.testing.assert_array_equal(split.x_test, (x * 16 > 7)[order[1437:]])
    np.testing.assert_array_equal(split.y_test, y[order[1437:]])
    # the log likelihood of independent pixels, of the design's table
    p = np.clip(split.x_train.mean(axis=0, dtype=float), 1e-3, 1 - 1e-3)
    test = (split.x_test * np.log(p) + (1 - split.x_test) * np.log(1 - p)).sum(axis=1).mean()
    assert abs(test - -25.248) < 0.05


@sklearn
def test_pooled_digits_are_means() -> None:
    x, y = digits()
    pooled, labels = pooled_digits()
    assert pooled.shape == (1797, 16)
    np.testing.assert_array_equal(labels, y)
    np.testing.assert_array_equal(pooled[7].reshape(4, 4)[1, 2], x[7].reshape(8, 8)[2:4, 4:6].mean())
    binary, _ = pooled_digits(threshold=0.5)
    np.testing.assert_array_equal(binary, pooled > 0.5)
    assert binary.dtype == np.float32


@sklearn
def test_nudged_digits_are_those_of_the_example() -> None:
    """The five directions, by SciPy's convolution as scikit-learn's example has it, then its minmax_scale."""
    from scipy.ndimage import convolve
    from sklearn.preprocessing import minmax_scale

    x, y = digits()
    kernels = [[[0, 1, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [1, 0, 0], [0, 0, 0]]]
    kernels += [[[0, 0, 0], [0, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 1, 0]]]
    moved = [convolve(x.reshape(-1, 8, 8), np.array([k]), mode="constant").reshape(-1, 64) for k in kernels]
    wanted = minmax_scale(np.concatenate([x, *moved]), feature_range=(0, 1))
    nudged, labels = nudged_digits()
    np.testing.assert_allclose(nudged, wanted, atol=1e-7)
    np.testing.assert_array_equal(labels, np.tile(y, 5))
    assert nudged.shape == (8985, 64)


@sklearn
def test_patches_are_small_white_and_the_same_again() -> None:
    pytest.importorskip("PIL", reason="scikit-learn reads its photographs through Pillow: pip install symdl[zoo]")
    x = patches(2000, seed=5)
    assert x.shape == (2000, 100)
    np.testing.assert_array_equal(x, patches(2000, seed=5))
    assert x.min() == pytest.approx(0.1)
    assert x.max() == pytest.approx(0.9)
    assert abs(x.mean() - 0.5) < 0.01  # each patch lost its mean
    spectrum = np.linalg.eigvalsh(np.cov(x.T))[::-1]
    assert spectrum[0] / spectrum[40] < 20  # photographs as they are: some hundreds
    with pytest.raises(ConfigError, match=r"size in 1\.\.|size 500 in 1\.\."):
        patches(10, size=500)


def test_whitening_makes_a_one_over_f_spectrum_flat() -> None:
    rng = np.random.default_rng(0)
    f = 512 * np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    pink = np.fft.ifft2(np.fft.fft2(rng.standard_normal((256, 256))) / np.where(f > 0, f, np.inf)).real
    white = whitened(pink)
    assert white.std() == pytest.approx(1)
    power = np.abs(np.fft.fft2(white)) ** 2
    low, middle = power[(f > 5) & (f < 50)].mean(), power[(f > 50) & (f < 100)].mean()
    assert 0.8 < low / middle < 1.25
    assert power[f > 300].mean() < 1e-2 * low


# ---- few labels ----


def test_few_labels_keeps_so_many_of_each() -> None:
    y = np.repeat([0, 1, 2], [5, 9, 4])
    x = np.arange(18.0)[:, None]
    few = few_labels(x, y, 3, seed=1)
    np.testing.assert_array_equal(few.y, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(y[few.x[:, 0].astype(int)], few.y)
    assert sorted(np.concatenate([few.x, few.unlabelled])[:, 0]) == list(range(18))
    np.testing.assert_array_equal(few.x, few_labels(x, y, 3, seed=1).x)
    assert not np.array_equal(few.x, few_labels(x, y, 3, seed=2).x)
    with pytest.raises(DataError, match="class 2 has 4 examples, per_class is 5"):
        few_labels(x, y, 5)
    with pytest.raises(ConfigError):
        few_labels(x, y, 0)
    with pytest.raises(ShapeError, match="18 rows of x meet 17 labels"):
        few_labels(x, y[1:], 1)
