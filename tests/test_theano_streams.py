"""Theano's random numbers: RandomStreams beside NumPy's RandomState, MRG_RandomStreams beside the recurrences step by step."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

import symdl.theano as module_under_test
from symdl.theano import mrg
from symdl.theano.variables import take_off

theano: Any = module_under_test
TT: Any = theano.tensor
RandomStreams: Any = TT.shared_randomstreams.RandomStreams
MRG: Any = theano.sandbox.rng_mrg.MRG_RandomStreams
take_off()
pytestmark = pytest.mark.usefixtures("in_theanos_words")


def generators(seed: int, count: int) -> list[np.random.RandomState]:
    """Those of the first draws of RandomStreams(seed), by Theano's rule."""
    seeds = np.random.RandomState(seed)
    return [np.random.RandomState(int(seeds.randint(2**30))) for _ in range(count)]


DRAWS: dict[str, tuple[Any, Any]] = {
    "uniform": (lambda s: s.uniform((2, 3), -1, 2), lambda r: r.uniform(-1, 2, (2, 3))),
    "normal, an odd number": (lambda s: s.normal((3,), 1.0, 2.0), lambda r: r.normal(1, 2, (3,))),
    "binomial": (lambda s: s.binomial((50,), n=9, p=0.3), lambda r: r.binomial(9, 0.3, (50,))),
    "binomial of many p": (
        lambda s: s.binomial(n=1, p=np.linspace(0, 1, 5)),
        lambda r: r.binomial(1, np.linspace(0, 1, 5)),
    ),
    "poisson": (lambda s: s.poisson((4,), lam=2.5), lambda r: r.poisson(2.5, (4,))),
    "random_integers": (lambda s: s.random_integers((20,), 3, 7), lambda r: [r.randint(3, 8) for _ in range(20)]),
    "choice": (lambda s: s.choice((6,), 9, replace=False), lambda r: r.choice(9, 6, False)),
    "choice with p": (lambda s: s.choice((6,), 3, p=[0.2, 0.3, 0.5]), lambda r: r.choice(3, 6, p=[0.2, 0.3, 0.5])),
    "permutation": (lambda s: s.permutation((2,), 5), lambda r: [r.permutation(5) for _ in range(2)]),
    "multinomial": (
        lambda s: s.multinomial((3,), 5, [0.2, 0.3, 0.5]),
        lambda r: [r.multinomial(5, [0.2, 0.3, 0.5]) for _ in range(3)],
    ),
    "a borrowed extent": (
        lambda s: s.uniform((4, -1), np.zeros(3), np.ones(3)),
        lambda r: r.uniform(np.zeros(3), np.ones(3), (4, 3)),
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_has_the_numbers_of_numpy(name: str) -> None:
    """The second draw of a stream, in two calls."""
    build, wanted = DRAWS[name]
    stream = RandomStreams(7)
    stream.uniform((1,))
    f = theano.function([], build(stream))
    machine = generators(7, 2)[1]
    for _ in range(2):
        np.testing.assert_array_equal(f(), wanted(machine))


def test_rows_are_shuffled() -> None:
    x = TT.matrix()
    f = theano.function([x], RandomStreams(5).shuffle_row_elements(x))
    machine, values = generators(5, 1)[0], np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(f(values), np.array([row[machine.permutation(4)] for row in values]))


def test_states_are_generators() -> None:
    """A draw's state may be seeded, copied to another stream, and begins anew with the streams."""
    stream = RandomStreams(seed=234)
    u, v = stream.uniform((2, 2)), stream.normal((2, 2))
    f, g = theano.function([], [u, v]), theano.function([], v, no_default_updates=True)
    first = f()
    np.testing.assert_array_equal(g(), g())
    state = u.rng.get_value(borrow=True)
    assert isinstance(state, np.random.RandomState)
    state.seed(89234)
    u.rng.set_value(state, borrow=True)
    np.testing.assert_array_equal(f()[0], np.random.RandomState(89234).uniform(size=(2, 2)))
    stream.seed(234)
    np.testing.assert_array_equal(f(), first)
    other = RandomStreams(1)
    h = theano.function([], [other.uniform((2, 2)), other.normal((2, 2))])
    for (theirs, _), (ours, _) in zip(other.state_updates, stream.state_updates, strict=True):
        theirs.set_value(ours.get_value())
    np.testing.assert_array_equal(h(), f())
    assert isinstance(u.rng, TT.shared_randomstreams.RandomStateSharedVariable)
    assert pickle.loads(pickle.dumps(u.rng)).get_value().get_state()[2] == u.rng.get_value().get_state()[2]


def test_a_state_as_an_input() -> None:
    raw = TT.raw_random
    state = raw.random_state_type()
    after, u = raw.uniform(state, (3,))
    f = theano.function([theano.In(state, value=np.random.RandomState(3), update=after, mutable=True)], u)
    machine = np.random.RandomState(3)
    for _ in range(2):
        np.testing.assert_array_equal(f(), machine.uniform(size=3))


def test_a_draw_of_unknown_size_and_its_gradient() -> None:
    x = TT.matrix("x")
    noise = RandomStreams(1).normal(x.shape)
    f = theano.function([x], [noise, theano.grad((x * noise).sum(), x)])
    value, slope = f(np.ones((2, 5)))
    np.testing.assert_array_equal(value, generators(1, 1)[0].normal(size=(2, 5)))
    np.testing.assert_array_equal(slope, value)


def test_a_draw_outside_of_a_loop_is_drawn_anew_in_each_step() -> None:
    """It belongs to the step, unless it is handed to it as an argument. The updates move the state on."""
    u = RandomStreams(9).uniform((2,))
    rows, updates = theano.scan(lambda: u * 1, n_steps=3)
    assert list(updates) == [u.rng]
    f = theano.function([], rows, updates=updates)
    machine = generators(9, 1)[0]
    for _ in range(2):
        np.testing.assert_array_equal(f(), machine.uniform(size=(3, 2)))
    held, updates = theano.scan(lambda h: h * 1, non_sequences=u, n_steps=3)
    assert list(updates) == []
    found = theano.function([], held, updates=updates)()
    np.testing.assert_array_equal(found, np.repeat(machine.uniform(size=(1, 2)), 3, 0))


def test_draws_in_a_loop_whose_step_is_called_more_than_once() -> None:
    """The state grows from a number to a row, which symdl finds by calling the step again; seeds are taken once."""
    stream = RandomStreams(2)
    total, updates = theano.scan(
        lambda s: s + stream.uniform((2,)), outputs_info=TT.as_tensor_variable(np.float32(0)), n_steps=3
    )
    last = stream.uniform((2,))
    f = theano.function([], [total, last], updates=updates)
    first, second = generators(2, 2)
    np.testing.assert_allclose(f()[0], first.uniform(size=(3, 2)).cumsum(0))
    np.testing.assert_array_equal(f()[1], [second.uniform(size=2), second.uniform(size=2)][1])


# ---- MRG31k3p ----


def stepped(states: Any, count: int) -> list[int]:
    """The next numbers, element i of stream i modulo their number, by the recurrences; states move on."""
    made = []
    for i in range(count):
        x1, x2, x3, y1, y2, y3 = map(int, states[i % len(states)])
        x, y = (2**22 * x2 + 129 * x3) % mrg.PRIMES[0], (2**15 * y1 + 32769 * y3) % mrg.PRIMES[1]
        states[i % len(states)] = x, x1, x2, y, y1, y2
        made.append(x - y + (mrg.PRIMES[0] if x <= y else 0))
    return made


@pytest.mark.parametrize("size", [(1,), (4, 5), (23,), (40, 31)])
def test_numbers_of_the_recurrences(size: tuple[int, ...]) -> None:
    stream = MRG(seed=3)
    f = theano.function([], stream.uniform(size))
    count = int(np.prod(size))
    states = mrg.streams_from([3] * 6, count // 6 if count > 6 else count)
    for _ in range(2):
        np.testing.assert_array_equal(f(), np.reshape(stepped(states, count), size) * 2.0**-31)
    np.testing.assert_array_equal(stream.state_updates[0][0].get_value(), states)
    stream.seed(3)
    np.testing.assert_array_equal(stream.state_updates[0][0].get_value(), mrg.streams_from([3] * 6, len(states)))


def test_numbers_of_unknown_size() -> None:
    """15360 streams, and more than one step of some."""
    x = TT.matrix()
    stream = MRG(seed=[1, 2, 3, 4, 5, 6])
    stream.uniform((3,))
    f = theano.function([x], stream.uniform(x.shape, dtype="float32"))
    states = mrg.streams_from(mrg.next_draw([1, 2, 3, 4, 5, 6]), mrg.MOST)
    for shape in ((130, 120), (2, 3), (0, 4)):
        wanted = np.array(stepped(states, shape[0] * shape[1]), "int32").astype("float32") * np.float32(4.6566126e-10)
        np.testing.assert_array_equal(f(np.zeros(shape)), wanted.reshape(shape))
    np.testing.assert_array_equal(stream.state_updates[1][0].get_value(), states)


def test_distances_of_streams() -> None:
    """2^72 steps, and 2^134 from draw to draw: by powers of the matrices, in Python's integers."""
    for k, prime in enumerate(mrg.PRIMES):
        matrix = np.array(mrg.STEPS[k], object)
        for doubling in range(1, 135):
            matrix = matrix.dot(matrix) % prime
            if doubling == 72:
                one = matrix
        begin = np.array([12345] * 3, object)
        np.testing.assert_array_equal(
            mrg.streams_from([12345] * 6, 6)[5, 3 * k : 3 * k + 3], _far(one, begin, 5, prime)
        )
        np.testing.assert_array_equal(mrg.next_draw([12345] * 6)[3 * k : 3 * k + 3], matrix.dot(begin) % prime)


def _far(matrix: Any, state: Any, times: int, prime: int) -> Any:
    for _ in range(times):
        state = matrix.dot(state) % prime
    return state


def test_normal_numbers_of_mrg() -> None:
    """Box and Muller: cosines first, then sines, of halves of one uniform draw; an odd number leaves one out."""
    stream = MRG(seed=11)
    z = theano.function([], stream.normal((3,), 1.0, 2.0))()
    u = np.array(stepped(mrg.streams_from([11] * 6, 4), 4)) * 2.0**-31
    radius, angle = np.sqrt(-2 * np.log(u[:2])), 2 * np.pi * u[2:]
    np.testing.assert_allclose(
        z, 1 + 2 * np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:3], rtol=1e-14
    )


def test_truncated_numbers_of_mrg() -> None:
    """As Theano packs them: each half's good numbers, then the radii that were drawn anew. So many count as drawn."""
    stream = MRG(seed=11)
    z = theano.function([], stream.truncated_normal((60,)))() * 0.87962566103423978
    u = np.array(stepped(mrg.streams_from([11] * 6, 60), 60)) * 2.0**-31
    radius, angle = np.sqrt(-2 * np.log(u[:30])), 2 * np.pi * u[30:]
    again, wanted, drawn = mrg.streams_from(mrg.next_draw([11] * 6), 60), [], 0
    fresh = np.array(stepped(again.copy(), 60)) * 2.0**-31 * (1 - np.exp(-2)) + np.exp(-2)
    for turned in (np.cos(angle), np.sin(angle)):
        bad = abs(radius * turned) > 2
        wanted += [(radius * turned)[~bad], np.sqrt(-2 * np.log(fresh[drawn : drawn + bad.sum()])) * turned[bad]]
        drawn += bad.sum()
    assert drawn > 0
    np.testing.assert_allclose(z, np.concatenate(wanted), rtol=1e-13)
    stepped(again, drawn)
    np.testing.assert_array_equal(stream.state_updates[1][0].get_value()[:60], again)


def test_categories_of_mrg() -> None:
    p = np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])
    u = np.array(stepped(mrg.streams_from([3] * 6, 4), 4)) * 2.0**-31
    counts = theano.function([], MRG(3).multinomial(pvals=p, n=2))()
    wanted = np.zeros((2, 3), "int64")
    for k in range(4):
        wanted[k % 2, np.searchsorted(p[k % 2].cumsum(), u[k], "right")] += 1
    np.testing.assert_array_equal(counts, wanted)
    chosen = theano.function([], MRG(3).choice(size=2, p=p, replace=False))()
    assert all(len(set(row)) == 2 for row in chosen.tolist())
    np.testing.assert_array_equal(chosen[:, 0], [np.searchsorted(p[k].cumsum(), u[k], "right") for k in range(2)])


def test_mrg_in_a_loop() -> None:
    """A mask that is drawn outside of a loop is another in each step."""
    stream = MRG(5)
    mask = stream.binomial((4,), p=0.5)
    rows, updates = theano.scan(lambda x: x * mask, sequences=TT.as_tensor_variable(np.ones((20, 4))))
    found = theano.function([], rows, updates=updates)()
    states = mrg.streams_from([5] * 6, 4)
    wanted = [[n * 2.0**-31 < 0.5 for n in stepped(states, 4)] for _ in range(20)]
    np.testing.assert_array_equal(found, np.array(wanted, "float64"))


@pytest.mark.parametrize("seed", [0, 2**31 - 21069, [0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, -1, 1, 1, 1]])
def test_seeds_that_are_none(seed: Any) -> None:
    with pytest.raises(ValueError, match="not all 0"):
        MRG(seed)


def units(seed: int, count: int, streams: int) -> Any:
    """The first numbers of a draw of MRG in (0, 1)."""
    return np.array(stepped(mrg.streams_from([seed] * 6, streams), count)) * 2.0**-31


def test_trials_of_mrg_are_summed() -> None:
    """n > 1: as many draws as trials, one after the other; again from the same seed, the same."""
    p = np.array([0.1, 0.5, 0.9])
    found = theano.function([], MRG(7).binomial((4, 3), n=5, p=p))
    np.testing.assert_array_equal(found(), (units(7, 60, 10).reshape(5, 4, 3) < p).sum(0))
    np.testing.assert_array_equal(
        theano.function([], MRG(7).binomial(n=2, p=p))(), (units(7, 6, 6).reshape(2, 3) < p).sum(0)
    )
    n = TT.iscalar()
    counts = theano.function([n], MRG(1).binomial((20000,), n=n, p=0.3))(6)
    shares = np.bincount(counts, minlength=7) / 20000
    wanted = [math.comb(6, k) * 0.3**k * 0.7 ** (6 - k) for k in range(7)]
    np.testing.assert_allclose(shares, wanted, atol=4 * np.sqrt(0.25 / 20000))
    assert counts.dtype == "int64"


def test_one_row_of_probabilities_serves_a_size() -> None:
    p = np.array([0.2, 0.3, 0.5])
    found = theano.function([], MRG(3).multinomial((4, 5), n=10, pvals=p))()
    assert found.shape == (4, 5, 3)
    u = units(3, 200, 200).reshape(10, 4, 5)
    wanted = [(np.searchsorted(p.cumsum(), u, "right") == k).sum(0) for k in range(3)]
    np.testing.assert_array_equal(found, np.stack(wanted, -1))
    assert theano.function([], MRG(3).multinomial(n=7, pvals=p))().sum() == 7
    rows = theano.function([], MRG(3).multinomial((6, 2), pvals=np.array([[1.0, 0.0], [0.0, 1.0]])))()
    np.testing.assert_array_equal(rows, np.broadcast_to(np.eye(2, dtype="int64"), (6, 2, 2)))


def test_choice_with_replacement() -> None:
    """Of a row for a size, of each row of a matrix, of equal chances, of values."""
    p = np.array([0.2, 0.3, 0.5])
    u, found = units(3, 12, 12), theano.function([], MRG(3).choice((3, 4), p=p))()
    np.testing.assert_array_equal(found, np.searchsorted(p.cumsum(), u, "right").reshape(3, 4))
    two = np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])
    each = theano.function([], MRG(3).choice(6, p=two))()
    places = [np.searchsorted(two[k].cumsum(), u.reshape(6, 2)[:, k], "right") for k in range(2)]
    np.testing.assert_array_equal(each, places)
    rows = theano.tensor.matrix()  # of unknown extents
    np.testing.assert_array_equal(theano.function([rows], MRG(3).choice(6, p=rows))(two), places)
    equal = theano.function([], MRG(3).choice((12,), a=5))()
    np.testing.assert_array_equal(equal, (u * 5).astype("int64"))
    np.testing.assert_array_equal(theano.function([], MRG(3).choice((12,), a=np.arange(5) * 7))(), equal * 7)
    shares = np.bincount(theano.function([], MRG(9).choice((30000,), p=p))()) / 30000
    np.testing.assert_allclose(shares, p, atol=4 * np.sqrt(0.25 / 30000))


def test_choice_of_one_row_without_replacement() -> None:
    found = theano.function([], MRG(3).choice((2, 3), a=6, replace=False))()
    assert found.shape == (2, 3)
    assert sorted(found.ravel().tolist()) == list(range(6))


@pytest.mark.parametrize(
    ("draw", "error", "match"),
    [
        (lambda: MRG(1).uniform((2, 0)), ValueError, "leaves nothing to draw"),
        (lambda: MRG([1, 2]), TypeError, "seed: 2 numbers"),
        (lambda: MRG(1).binomial((2,), n=np.ones(2)), TypeError, "n is one number"),
        (lambda: MRG(1).multinomial(), TypeError, "pvals is missing"),
        (lambda: MRG(1).multinomial(pvals=0.5), ValueError, "one number"),
        (lambda: MRG(1).multinomial((2,), pvals=np.ones((2, 3, 4)) / 4), ValueError, "its parameters 2"),
        (lambda: MRG(1).choice(), TypeError, "nothing to choose from"),
        (lambda: MRG(1).choice(p=np.ones((2, 2, 2)) / 2), ValueError, "3 axes"),
        (lambda: MRG(1).choice((2, 2), p=np.ones((2, 2)) / 2), ValueError, "number of its columns"),
        (lambda: MRG(1).choice(3, a=2, replace=False), ValueError, "3 of 2"),
        (lambda: MRG(1).choice(TT.iscalar(), a=2, replace=False), TypeError, "while the function is built"),
    ],
)
def test_what_mrg_does_not_draw(draw: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        draw()
