"""RandomStream: what it draws is what it says, everywhere alike, and new at each call."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy import stats

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.derivatives.gradient import grad
from symdl.errors import DtypeError, GradientError, IndexRangeError, InputError, ShapeError
from symdl.functions import function
from symdl.ir.program import Kernel
from symdl.ops.random import draw
from symdl.philox import normal32, word32, word64
from symdl.pipeline.compilation import Graph, lowered
from symdl.random import MRG_RandomStreams, RandomStream, RandomStreams

VALUES = np.array([10.0, 20.0, 30.0])
PROBABILITIES = np.array([[0.2, 0.3, 0.5], [0.9, 0.05, 0.05]])
Draw = Callable[[RandomStream, Any], Any]
DRAWS: dict[str, Draw] = {
    "words": lambda r, n: r.words((n,)),
    "words of 64 bits": lambda r, n: r.words((n, 3), 64),
    "uniform": lambda r, n: r.uniform((n,)),
    "uniform float32": lambda r, n: r.uniform((2, n), dtype="float32"),
    "uniform in an interval": lambda r, n: r.uniform((n,), -3.0, 5.0, dtype="float32"),
    "uniform up to an array": lambda r, n: r.uniform((n, 3), 0, VALUES),
    "normal": lambda r, n: r.normal((n, 5)),
    "normal float32": lambda r, n: r.normal((n,), 2.0, 3.0, dtype="float32"),
    "truncated": lambda r, n: r.truncated_normal((n,), dtype="float32"),
    "bernoulli": lambda r, n: r.bernoulli((n,), 0.3),
    "bernoulli of an array": lambda r, n: r.bernoulli((n, 3), VALUES / 40, dtype="float32"),
    "binomial": lambda r, n: r.binomial((n,), 5, 0.3),
    "binomial of an array": lambda r, n: r.binomial((n, 3), 2, VALUES / 40),
    "binomial once": lambda r, n: r.binomial((n,), p=0.3),
    "integers": lambda r, n: r.integers((n,), -3, 4),
    "integers far apart": lambda r, n: r.integers((n,), -(2**62), 2**62),
    "integers up to an input": lambda r, n: r.integers((n,), 0, n),
    "both ends": lambda r, n: r.random_integers((n,), 1, 6, dtype="int8"),
    "multinomial": lambda r, n: r.multinomial((n,), pvals=[0.2, 0.3, 0.5]),
    "multinomial of several": lambda r, n: r.multinomial((n,), 10, [0.2, 0.3, 0.5]),
    "multinomial of rows": lambda r, n: r.multinomial(None, 3, PROBABILITIES),
    "choice": lambda r, n: r.choice((n,), 5),
    "choice of a vector": lambda r, n: r.choice((n,), VALUES, p=[0.1, 0.1, 0.8]),
    "choice without repeats": lambda r, n: r.choice((3,), 10, replace=False),
    "permutation": lambda r, n: r.permutation(n=n),
    "permutations": lambda r, n: r.permutation((3,), n),
    "shuffled rows": lambda r, n: r.shuffle_row_elements(T.arange(20).reshape((4, 5))),
    "one number": lambda r, n: r.uniform(()),
}


@cache
def every_draw(mode: str | None, n: int) -> dict[str, Any]:
    """All of them in one function of one stream, at its second call."""
    size, r = T.lscalar("n"), RandomStream(3)
    f = function([size], {name: build(r, size) for name, build in DRAWS.items()}, mode=mode)
    f(n)
    found: dict[str, Any] = f(n)
    return found


@pytest.mark.parametrize("name", DRAWS)
def test_every_machine_draws_the_same(name: str) -> None:
    """Equal bit by bit; normal numbers, which pass through sqrt, log, sin and erfinv, within a few ulp."""
    for n in (1, 70):
        machine, interpreted, oracle = (every_draw(mode, n)[name] for mode in (None, "interpreter", "numpy"))
        for got in (machine, interpreted):
            assert (got.dtype, got.shape) == (oracle.dtype, oracle.shape)
            if "normal" in name or "truncated" in name:
                np.testing.assert_allclose(got, oracle, rtol=10 * np.finfo(oracle.dtype).eps, atol=1e-6)
            else:
                np.testing.assert_array_equal(got, oracle)


@pytest.mark.parametrize("n", [3, 16, 63, 65, 512, 513, 5000])
def test_numbers_are_those_of_the_definition_at_every_length(n: int) -> None:
    r, size = RandomStream(11), T.lscalar("n")
    f = function([size], [r.words((n,)), r.words((size,)), r.words((n // 5 + 1, 5), 64), r.words((size, 2, 3))])
    fixed, open_, narrow, deep = f(n)
    np.testing.assert_array_equal(fixed, word32(11, 0, 0, np.arange(n)))
    np.testing.assert_array_equal(open_, word32(11, 0, 1, np.arange(n)))
    np.testing.assert_array_equal(narrow.ravel(), word64(11, 0, 2, np.arange(narrow.size)))
    np.testing.assert_array_equal(deep.ravel(), word32(11, 0, 3, np.arange(6 * n)))


@pytest.mark.parametrize("shape", [(700, 3), (3, 700), (40, 1, 30), (2, 3, 5, 7)])
def test_numbers_are_those_of_the_definition_in_every_shape(shape: tuple[int, ...]) -> None:
    """Also where rows are not gone through in order, or only in part."""
    r, sizes = RandomStream(11), [T.lscalar(f"n{k}") for k in range(len(shape))]
    x, y = r.words(shape), r.words(tuple(sizes), 64)
    f = function(sizes, [x, y, x.T + 0, y[..., ::-1], y[::2], T.cast(x, "int64").sum(axis=0), y.max(axis=-1)])
    found = f(*shape)
    place = np.arange(math.prod(shape)).reshape(shape)
    a, b = word32(11, 0, 0, place), word64(11, 0, 1, place)
    for got, true in zip(found, [a, b, a.T, b[..., ::-1], b[::2], a.sum(axis=0), b.max(axis=-1)], strict=True):
        np.testing.assert_array_equal(got, true)


def test_a_number_does_not_depend_on_how_it_is_used() -> None:
    r = RandomStream(2)
    x = r.words((40, 70))
    parts = [
        x[3:, ::2],
        x.T,
        x[::-1, 5],
        x.sum(axis=0),
        x.max(),
        T.cast(x, "float64").sum(axis=1),
        x + x.T[:1, 0],
        x[7],
    ]
    w = word32(2, 0, 0, np.arange(40 * 70)).reshape(40, 70)
    expected = [w[3:, ::2], w.T, w[::-1, 5], w.sum(axis=0), w.max(), w.astype(float).sum(axis=1), w + w[0, 0], w[7]]
    for got, true in zip(function([], parts)(), expected, strict=True):
        np.testing.assert_array_equal(got, true)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_million_numbers_are_those_of_the_definition(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to be shared out among threads."""
    monkeypatch.setattr(symdl.config, "threads", threads)
    r = RandomStream(5)
    n = 1_000_000
    words, row = function([], [r.words((n,)), r.bernoulli((1000, 1000), 0.5, dtype="int8").sum(axis=1)])()
    np.testing.assert_array_equal(words, word32(5, 0, 0, np.arange(n)))
    np.testing.assert_array_equal(row, (word32(5, 0, 1, np.arange(n)) < 2**31).reshape(1000, 1000).sum(axis=1))


def test_rows_that_are_added_up_are_drawn_in_vectors() -> None:
    """A row is cut into strips, but each strip is summed in lanes, as a row without draws is."""
    x = T.fmatrix("x")
    f = function([x], RandomStream(5).bernoulli(x.shape, T.sigmoid(x), dtype="float32").sum(axis=1))
    assert "reduce.fadd" not in f.source("llvm")  # lanes one after another
    rows = np.random.default_rng(0).normal(size=(9, 1301)).astype("f")
    chance = 1 / (1 + np.exp(-rows))
    expected = (word32(5, 0, 0, np.arange(rows.size)).reshape(rows.shape) < chance.astype(float) * 2.0**32).sum(axis=1)
    assert np.abs(f(rows) - expected).max() <= 1  # the sigmoid is another by a rounding


def test_samples_of_a_product_are_drawn_where_it_is_made() -> None:
    """Half a step of Gibbs sampling: one product, whose tiles become draws."""
    x, w = T.fmatrix("x"), T.fmatrix("w")
    p = T.sigmoid(x @ w)
    f = function([x, w], [p, RandomStream(4).bernoulli(p.shape, p)])
    rng = np.random.default_rng(0)
    chance, sample = f(rng.normal(size=(70, 40)).astype("f"), rng.normal(size=(40, 90)).astype("f"))
    limit = (np.clip(chance, 0, np.float32(1 - 2**-24)) * np.float32(2**32)).astype(np.uint32)
    expected = (word32(4, 0, 0, np.arange(6300)).reshape(70, 90) < limit) | (chance >= 1)
    assert np.mean(sample != expected) < 1e-3  # p is computed again for the samples, to a rounding


def test_a_mask_takes_one_loop_and_no_memory() -> None:
    """Dropout, as a user writes it: one kernel, beside that of the state."""
    x = T.matrix("x", dtype="float32")
    f = function([x], T.where(RandomStream(0).bernoulli(x.shape, 0.5), x * 2, 0))
    program = f.lowered.program
    assert [b.name for b in program.of_kind("temp") if b.shape and b.dtype != "uint64"] == []
    assert sum(isinstance(s, Kernel) for s in program.steps) <= 2
    value = f(np.ones((50, 30), np.float32))
    np.testing.assert_array_equal(value, np.where(word32(0, 0, 0, np.arange(1500)) < 2**31, 2, 0).reshape(50, 30))


# ---- the state ----


def test_it_advances_by_itself() -> None:
    r = RandomStream(1)
    f = function([], [r.uniform((4,)), r.uniform((4,))])
    one, two = f(), f()
    assert len({v for pair in (one, two) for row in pair for v in row.tolist()}) == 16
    assert r.get_state() == (1, 2)
    np.testing.assert_array_equal(one[0], (word64(1, 0, 0, np.arange(4)) >> np.uint64(11)) * 2.0**-53)
    np.testing.assert_array_equal(two[1], (word64(1, 1, 1, np.arange(4)) >> np.uint64(11)) * 2.0**-53)


def test_two_functions_share_a_stream() -> None:
    r = RandomStream(1)
    x = r.words((3,))
    f, g = function([], x), function([], x + 0)
    drawn = [f(), g(), f()]
    for count, got in enumerate(drawn):
        np.testing.assert_array_equal(got, word32(1, count, 0, np.arange(3)))


def test_equal_draws_are_one() -> None:
    r = RandomStream(1)
    x = r.uniform((3,))
    f = function([], x + x - 2 * x)
    assert f().tolist() == [0, 0, 0]


def test_no_default_updates_and_updates_by_hand() -> None:
    r = RandomStream(1)
    x = r.words((3,))
    still = function([], x, no_default_updates=True)
    named = function([], x, no_default_updates=[r.state])
    moved = function([], x, updates=r.state_updates)
    np.testing.assert_array_equal(still(), still())
    np.testing.assert_array_equal(still(), named())
    np.testing.assert_array_equal(still(), moved())
    assert r.get_state() == (1, 1)
    assert not np.array_equal(still(), word32(1, 0, 0, np.arange(3)))
    assert x.eval().tolist() == x.eval().tolist()  # eval leaves shared values alone


def test_givens_pin_the_state() -> None:
    r = RandomStream(1)
    x = r.words((3,))
    f = function([], x, givens=[(r.state, T.constant(np.array([9, 4], np.uint64)))])
    np.testing.assert_array_equal(f(), word32(9, 4, 0, np.arange(3)))
    np.testing.assert_array_equal(f(), word32(9, 4, 0, np.arange(3)))
    assert r.get_state() == (1, 0)


def test_seed_and_state_bring_numbers_back() -> None:
    r = RandomStream(1)
    f = function([], r.normal((3,)))
    first, second = f(), f()
    kept = r.get_state()
    third = f()
    r.set_state(kept)
    np.testing.assert_array_equal(f(), third)
    r.seed(1)
    np.testing.assert_array_equal(f(), first)
    np.testing.assert_array_equal(f(), second)
    r.seed(2**64 - 1)
    assert r.get_state() == (2**64 - 1, 0)
    assert not np.array_equal(f(), first)
    r.seed()
    assert RandomStream().get_state() != r.get_state()  # two numbers from the operating system
    assert repr(RandomStream(7)) == "RandomStream(seed=7, count=0)"


def test_pickles_carry_the_state() -> None:
    r = RandomStream(1)
    f = function([], r.words((3,)))
    f()
    s, g = pickle.loads(pickle.dumps((r, f)))
    expected = f()
    np.testing.assert_array_equal(g(), expected)
    assert s.get_state() == r.get_state() == (1, 2)
    # The next serial number.
    np.testing.assert_array_equal(function([], s.words((3,)))(), function([], r.words((3,)))())
    h = copy.deepcopy(f)
    np.testing.assert_array_equal(h(), f())


def test_threads_take_turns_in_the_counts() -> None:
    r = RandomStream(1)
    f = function([], r.words((100,)))
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: f().tobytes(), range(64)))
    assert r.get_state() == (1, 64)
    assert set(drawn) == {word32(1, k, 0, np.arange(100)).tobytes() for k in range(64)}


def test_theano_names() -> None:
    assert symdl.RandomStream is T.RandomStream is RandomStreams is MRG_RandomStreams is RandomStream
    assert T.shared_randomstreams.RandomStreams is T.random.RandomStream
    srng = RandomStreams(seed=234)
    uniform, normal = srng.uniform((2, 2)), srng.normal((2, 2))
    f = function([], uniform)
    g = function([], normal, no_default_updates=True)
    assert f().shape == g().shape == (2, 2)
    np.testing.assert_array_equal(g(), g())
    other = RandomStreams(seed=1)
    for (one, _), (two, _) in zip(srng.state_updates, other.state_updates, strict=True):
        two.set_value(one.get_value())
    assert other.get_state() == (234, 1)


# ---- gradients ----


def test_gradients_flow_through_loc_and_scale_only() -> None:
    mean, width = T.dscalar("mean"), T.dscalar("width")
    r = RandomStream(3)
    z = r.normal((50,), mean, width)
    f = function([mean, width], [z, *grad((z * z).sum(), [mean, width])])
    value, by_mean, by_width = f(0.5, 2.0)
    np.testing.assert_allclose(by_mean, 2 * value.sum(), rtol=1e-12)
    np.testing.assert_allclose(by_width, (2 * value * (value - 0.5) / 2).sum(), rtol=1e-12)
    high = T.dscalar("high")
    u = r.uniform((50,), 1.0, high)
    g = function([high], [u, grad(u.sum(), high)])
    value, slope = g(3.0)
    np.testing.assert_allclose(slope, ((value - 1) / 2).sum(), rtol=1e-12)
    p = T.dscalar("p")
    with pytest.raises(GradientError, match="the cost depends on p only in steps"):
        grad(T.cast(r.bernoulli((5,), p), "float64").sum(), p)


# ---- what the numbers look like ----


def drawn(build: Callable[[RandomStream], Any], seed: int = 12345) -> Any:
    return function([], build(RandomStream(seed)))()


CONTINUOUS: dict[str, tuple[Callable[[RandomStream], Any], Any]] = {
    "uniform": (lambda r: r.uniform((100_000,)), stats.uniform),
    "uniform float32": (lambda r: r.uniform((100_000,), -2, 6, dtype="float32"), stats.uniform(-2, 8)),
    "normal": (lambda r: r.normal((100_000,)), stats.norm),
    "normal float32": (lambda r: r.normal((100_000,), 3, 2, dtype="float32"), stats.norm(3, 2)),
    "truncated": (lambda r: r.truncated_normal((100_000,), 1.0, 3.0), stats.truncnorm(-2, 2, 1, 3)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_draws_have_their_distribution(name: str) -> None:
    """Kolmogorov and Smirnov, and the first four moments within 4.5 standard errors."""
    build, law = CONTINUOUS[name]
    x = drawn(build).astype(float)
    assert stats.kstest(x, law.cdf).pvalue > 1e-3
    z, grid = (x - law.mean()) / law.std(), np.linspace(-9, 9, 20_001)
    density = law.pdf(law.mean() + grid * law.std()) * law.std()
    for k in range(1, 5):
        own, double = (float(np.trapezoid(grid**m * density, grid)) for m in (k, 2 * k))
        assert abs((z**k).mean() - own) < 4.5 * math.sqrt((double - own**2) / len(z))


DISCRETE: dict[str, tuple[Callable[[RandomStream], Any], Any]] = {
    "bernoulli": (lambda r: r.bernoulli((60_000,), 0.3, dtype="int64"), [0.7, 0.3]),
    "rare": (lambda r: r.bernoulli((400_000,), 1e-3, dtype="int64"), [0.999, 0.001]),
    "binomial": (lambda r: r.binomial((60_000,), 4, 0.4), stats.binom(4, 0.4).pmf(np.arange(5))),
    "integers": (lambda r: r.integers((60_000,), 7), np.full(7, 1 / 7)),
    "choice": (lambda r: r.choice((60_000,), 4, p=[0.1, 0.2, 0.3, 0.4]), [0.1, 0.2, 0.3, 0.4]),
    "multinomial": (lambda r: r.multinomial((60_000,), pvals=[0.5, 0.2, 0.3]).argmax(axis=1), [0.5, 0.2, 0.3]),
    "first bits": (lambda r: r.words((60_000,)) >> 28, np.full(16, 1 / 16)),
    "last bits": (lambda r: r.words((60_000,)) & 15, np.full(16, 1 / 16)),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_draws_have_their_distribution(name: str) -> None:
    build, p = DISCRETE[name]
    x = drawn(build)
    counts = np.bincount(x.astype(np.int64), minlength=len(p))
    assert len(counts) == len(p)
    assert stats.chisquare(counts, np.asarray(p) * len(x)).pvalue > 1e-3


def test_all_orders_are_equally_likely() -> None:
    rows = drawn(lambda r: r.permutation((24_000,), 4))
    place = {order: k for k, order in enumerate(permutations(range(4)))}
    counts = np.bincount([place[tuple(row)] for row in rows.tolist()], minlength=24)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_multinomial_counts_add_up() -> None:
    rows = drawn(lambda r: r.multinomial((2000,), 30, [0.2, 0.3, 0.5]))
    assert (rows.sum(axis=1) == 30).all()
    np.testing.assert_allclose(rows.mean(axis=0), [6, 9, 15], atol=0.3)  # standard errors 0.05 to 0.06
    np.testing.assert_allclose(np.cov(rows.T)[0, 1], -30 * 0.2 * 0.3, atol=0.4)


@pytest.mark.parametrize("n", [0, 1, 2, 1000, 1_000_000])
def test_a_permutation_has_every_number_once(n: int) -> None:
    size = T.lscalar("n")
    order = function([size], RandomStream(1).permutation(n=size))(n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


def test_rows_are_shuffled_each_in_its_own_way() -> None:
    x = np.arange(200).reshape(2, 100)
    shuffled = drawn(lambda r: r.shuffle_row_elements(T.constant(x)))
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), x)
    assert not np.array_equal(shuffled[0], shuffled[1] - 100)
    assert sorted(drawn(lambda r: r.shuffle_row_elements(T.arange(9))).tolist()) == list(range(9))


def test_nothing_is_correlated() -> None:
    """Neighbours, the words of one block, two draws, two calls, and two seeds: all below 4.5 standard errors."""
    n = 40_000
    r, s = RandomStream(8), RandomStream(9)
    f = function([], [r.normal((n,)), r.normal((n,)), s.normal((n,)), r.uniform((n,), dtype="float32")])
    one, two, other, u = f()
    again = f()[0]
    pairs = [(one, two), (one, again), (one, other), (one**2, two**2), (one**2, again**2)]
    pairs += [(x[:-lag], x[lag:]) for x in (one, one**2, u) for lag in (1, 2, 8, 15, 16, 17, 32, 48, 64)]
    found = [np.corrcoef(a, b)[0, 1] * math.sqrt(len(a)) for a, b in pairs]
    assert np.abs(found).max() < 4.5


def test_intervals_are_half_open() -> None:
    """Where low + (high - low) u would round to high, the draw is not high."""
    r = RandomStream(1)
    x = r.uniform((1000,), 1.0, 1.0 + 2.0**-23, dtype="float32")  # two neighbours: u > 1/2 rounds up
    assert function([], x)().max() == 1
    assert (drawn(lambda r: r.uniform((2**18,), 0, 0.1, dtype="float32")) < np.float32(0.1)).all()


def test_sure_events() -> None:
    p = T.dvector("p")
    f = function([p], RandomStream(1).bernoulli((1000, 6), p).sum(axis=0))
    assert f(np.array([0, 1, -1, 2, np.nan, np.nextafter(1, 0)])).tolist() == [0, 1000, 0, 1000, 0, 1000]
    for sure, expected in ((1, True), (1.5, True), (0, False), (-1.0, False), (math.nan, False)):
        assert set(function([], RandomStream(1).bernoulli((50,), sure))().tolist()) == {expected}


def test_dtypes_follow_floatx_and_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    r = RandomStream(1)
    monkeypatch.setattr(symdl.config, "floatX", "float32")
    assert r.uniform((3,)).dtype == r.normal((3,), 1, 2).dtype == "float32"
    assert r.normal((3,), T.dvector("mean")).dtype == "float64"
    assert r.normal(None, T.fmatrix("mean"), 2.0).ndim == 2
    assert r.bernoulli((3,)).dtype == "bool"
    assert r.binomial((3,)).dtype == "int64"
    assert r.normal((2,), loc=1.0, scale=2.0).dtype == "float32"
    mean, z = function([], [r.normal((3,), loc=5.0, scale=0.0), r.normal((3,))])()
    assert mean.tolist() == [5, 5, 5]
    np.testing.assert_allclose(z, normal32(1, 0, r._serial - 1, np.arange(3)), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda r: RandomStream(-1), InputError, "the seed -1 is not in 0 <= seed < 2\\^64"),
        (lambda r: RandomStream(np.array(1.5).item()), InputError, "a seed is an integer, not the number 1.5"),
        (lambda r: r.uniform((2, 3), 0, T.dtensor3("a")), ShapeError, "a parameter of shape .* does not fit size"),
        (lambda r: r.normal((1, 3), T.dmatrix("a")), ShapeError, "a parameter of shape"),
        (lambda r: r.uniform((2,), ndim=1 + 1), ShapeError, "size has 1 axis, and ndim=2"),
        (lambda r: r.uniform((2,), dtype="int64"), DtypeError, "makes floats, not int64"),
        (lambda r: r.integers((2,), 5, 5), ShapeError, "there is no integer n with 5 <= n < 5"),
        (lambda r: r.integers((2,), 0.5), DtypeError, "takes integers, not float64"),
        (lambda r: r.choice((2,), 3, replace=False, p=[0.1, 0.2, 0.7]), ShapeError, "takes one axis and no p"),
        (lambda r: r.choice((4,), 3, replace=False), ShapeError, "4 of 3 elements"),
        (lambda r: r.choice((4,), 3, p=[0.5, 0.5]), ShapeError, r"3 elements have probabilities of shape \(2\)"),
        (lambda r: r.multinomial((2,), pvals=0.5), ShapeError, "stand along an axis"),
        (lambda r: r.shuffle_row_elements(T.dtensor3("a")), ShapeError, "a vector or a matrix"),
        (lambda r: r.words((2,), 16), DtypeError, "words have 32 or 64"),
        (lambda r: r.uniform((-2,)), ShapeError, "a size of -2"),
        (lambda r: r.binomial((2,), -1), InputError, "-1 is no number of trials"),
        (lambda r: r.permutation(50), InputError, "n, how many numbers are put in order, is missing"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[RandomStream], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call(RandomStream(0))


def test_a_negative_size_is_refused_at_the_call() -> None:
    n = T.lscalar("n")
    f = function([n], RandomStream(0).uniform((n,)))
    assert f(0).shape == (0,)
    with pytest.raises(ShapeError, match="draw: a size of -1"):
        f(-1)


def test_more_than_there_is_cannot_be_chosen() -> None:
    n = T.lscalar("n")
    f = function([n], RandomStream(0).choice((n,), 10, replace=False))
    assert sorted(f(10).tolist()) == list(range(10))
    with pytest.raises(IndexRangeError):
        f(11)


def test_older_processors_draw_the_same(lesser: CpuBackend) -> None:
    state = T.tensor("state", "uint64", (2,))
    words, pairs, normals = (draw(kind, state[0], state[1], 5, (3, 700)) for kind in ("uint32", "uint64", "float32"))
    form = lowered(Graph((state,), (), (words, pairs, normals, words[:, ::3]), ()))
    executable = lesser.compile(form.program, [])
    status, (one, two, three, some) = executable.execute(executable.bind([np.array([4, 2], np.uint64)], []))
    assert status == 0
    places = np.arange(2100).reshape(3, 700)
    np.testing.assert_array_equal(one, word32(4, 2, 5, places))
    np.testing.assert_array_equal(two, word64(4, 2, 5, places))
    np.testing.assert_allclose(three, normal32(4, 2, 5, places), rtol=5e-7)
    np.testing.assert_array_equal(some, one[:, ::3])
