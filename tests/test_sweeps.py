"""A sweep makes the calls that Python would make, in their order: the same bits, errors, interrupts."""

from __future__ import annotations

import signal
import threading
from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl import grad, shared
from symdl.errors import InputError, ShapeError
from symdl.functions import Function, function
from symdl.nn import Adam, Callback, Chain, Dense, Dropout, Trainer, fit, fit_iter, supervised
from symdl.random import RandomStream
from symdl.sweeps import AT_ONCE, Sweep

Array = np.ndarray[Any, np.dtype[Any]]


def stepper(mode: str | None = None) -> tuple[Function, list[Any]]:
    """A noisy step that measures a float64, a float32, an integer and a bool; what it changes."""
    noise = RandomStream(3)
    W, n = shared(np.linspace(-1, 1, 12).reshape(4, 3), "W"), shared(np.int64(0), "n")
    x, t = T.dmatrix("x"), T.fmatrix("t")
    error = x @ W + noise.normal((x.shape[0], 3)) - t
    cost = (error**2).mean()
    outputs = [cost, error.mean().astype("float32"), n + x.shape[0], cost > 5]
    return function([x, t], outputs, updates=[(W, W - 0.1 * grad(cost, W)), (n, n + 1)], mode=mode), [W, n]


def by_python(f: Function, arrays: tuple[Array, ...], size: int, order: Array) -> Array:
    """What a sweep is to give."""
    batches = (order[k : k + size] for k in range(0, len(order), size))
    return np.array([[float(v) for v in f(*(a[rows] for a in arrays))] for rows in batches])


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (7, 7), (7, 8), (200, 1), (3 * AT_ONCE + 1, 1), (100, 7), (96, 32)])
@pytest.mark.parametrize("mode", [None, "numpy"])
def test_a_sweep_is_its_calls(rng: np.random.Generator, rows: int, size: int, mode: str | None) -> None:
    arrays = rng.standard_normal((rows, 4)), rng.standard_normal((rows, 3), np.float32)
    (f, changed), (g, also) = stepper(mode), stepper(mode)
    order = rng.permutation(rows)
    for _ in range(2):
        assert np.array_equal(Sweep(f, arrays, size)(order), by_python(g, arrays, size, order))
    for one, other in zip(changed, also, strict=True):
        assert np.array_equal(one.get_value(), other.get_value())


def test_total_counts_each_batch_by_its_examples(rng: np.random.Generator) -> None:
    arrays = rng.standard_normal((20, 4)), rng.standard_normal((20, 3), np.float32)
    f, g = stepper()[0], stepper()[0]
    measured = by_python(g, arrays, 6, np.arange(20))
    total = np.zeros(4)
    for n, row in zip((6, 6, 6, 2), measured, strict=True):
        total += n * row
    assert np.array_equal(Sweep(f, arrays, 6).total(np.arange(20)), total)


def test_it_is_native(rng: np.random.Generator) -> None:
    """All whole batches are made by machine code, none by Python."""
    arrays = rng.standard_normal((50, 4)), rng.standard_normal((50, 3), np.float32)
    f, _ = stepper()
    sweep = Sweep(f, arrays, 5)
    asked = []

    def refused(*args: Any) -> Any:
        asked.append(args)
        return f(*args)

    sweep.f = refused  # type: ignore[assignment]
    sweep(np.arange(50))
    assert asked == []
    sweep(np.arange(49))
    assert len(asked) == 1


def test_values_in_use_are_waited_for(rng: np.random.Generator) -> None:
    """A sweep beside other calls of the same shared values: all of both are made."""
    arrays = rng.standard_normal((400, 4)), rng.standard_normal((400, 3), np.float32)
    f, (_, n) = stepper()
    threads = [threading.Thread(target=lambda: Sweep(f, arrays, 1)(np.arange(400))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert n.get_value() == 1200


def test_what_cannot_be_swept() -> None:
    x = T.dmatrix("x")
    with pytest.raises(InputError, match="list of numbers"):
        Sweep(function([x], x.sum()), (np.ones((3, 2)),), 1)
    with pytest.raises(InputError, match="list of numbers"):
        Sweep(function([x], [x]), (np.ones((3, 2)),), 1)
    f, _ = stepper()
    with pytest.raises(ShapeError, match="3, 4 rows"):
        Sweep(f, (np.ones((3, 4)), np.ones((4, 3), np.float32)), 1)
    sweep = Sweep(f, (np.ones((3, 4)), np.ones((3, 3), np.float32)), 1)
    for order in ([0, 3], [-1, 0]):
        with pytest.raises(IndexError, match="of 3"):
            sweep(np.array(order))


def test_a_failing_batch_raises_as_its_call_does(rng: np.random.Generator) -> None:
    """Batches before it have been made, it has changed nothing."""
    table, n, k = T.dvector("table"), shared(np.int64(0), "n"), T.lvector("k")
    f = function([k], [shared(np.arange(4.0), "table")[k].sum()], updates=[(n, n + 1)])
    with pytest.raises(IndexError, match="7"):
        Sweep(f, (np.array([0, 1, 2, 7, 3]),), 1)(np.arange(5))
    assert n.get_value() == 3
    assert table.name == "table"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer here")
def test_an_interrupt_ends_it_between_batches(rng: np.random.Generator) -> None:
    arrays = rng.standard_normal((2000, 4)), rng.standard_normal((2000, 3), np.float32)
    f, (_, n) = stepper()
    sweep = Sweep(f, arrays, 1)
    sweep(np.arange(10))

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    order = np.arange(1_000_000) % 2000

    def run() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        while True:
            sweep(order)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    done = int(n.get_value())
    sweep(np.arange(10))
    assert n.get_value() == done + 10


# ---- in the training loop ----


class Watching(Callback):
    """Looks at every batch, so that they are made one by one."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing."""


def trainer() -> Trainer:
    x, y = T.tensor("x", dtype="float32", shape=(None, 6)), T.lvector("y")
    model = Chain([Dense(8, "relu"), Dropout(0.2), Dense(3, "softmax")], rng=0)
    return Trainer(supervised(model, x, y, metrics={"accuracy": "categorical_accuracy"}), Adam(0.01), seed=1)


@pytest.mark.parametrize("weighted", [False, True])
def test_an_epoch_at_once_has_the_bits_of_its_batches(rng: np.random.Generator, weighted: bool) -> None:
    x, y = rng.standard_normal((77, 6)), rng.integers(0, 3, 77)
    weights = rng.random(77) if weighted else None
    one, other, third = trainer(), trainer(), trainer()
    fit(one, x, y, epochs=3, batch_size=10, weights=weights, validation=0.2, verbose=0)
    fit(other, x, y, epochs=3, batch_size=10, weights=weights, validation=0.2, verbose=0, callbacks=[Watching()])
    list(fit_iter(third, x, y, epochs=3, batch_size=10, weights=weights, validation=0.2, transform=lambda a, _: a))
    for again in (other, third):
        assert [r.metrics for r in one.history.records] == [r.metrics for r in again.history.records]
        for p, q in zip(one.shared, again.shared, strict=True):
            assert np.array_equal(p.get_value(), q.get_value())
