"""Batches that come from outside: generators, objects with len and [], what can be iterated again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from symdl.errors import ConfigError, DataError
from symdl.nn import Callback, Dense, Input, Sequential
from symdl.nn.sources import Batches

Y = np.arange(12) % 3
X = (np.random.default_rng(0).standard_normal((12, 4)) / 4 + np.eye(3, 4)[Y]).astype(np.float32)
PARTS = [slice(0, 5), slice(5, 10), slice(10, 12)]


class Again:
    """Can be iterated anew for every epoch, as torch's DataLoader can."""

    def __iter__(self) -> Iterator[Any]:
        return (([X[rows], Y[rows]]) for rows in PARTS)


class Listed:
    """As Keras' Sequence: len, [], on_epoch_end."""

    ends = 0

    def __len__(self) -> int:
        return 3

    def __getitem__(self, k: int) -> Any:
        return X[PARTS[k]], Y[PARTS[k]]

    def on_epoch_end(self) -> None:
        self.ends += 1


def for_ever() -> Iterator[Any]:
    while True:
        yield from ((X[rows], Y[rows]) for rows in PARTS)


@pytest.fixture(scope="module")
def model() -> Sequential:
    model = Sequential([Input((4,)), Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.start = model.get_weights()  # type: ignore[attr-defined]  # of this test
    return model


def trained(
    model: Sequential, *data: Any, **settings: Any
) -> tuple[list[np.ndarray[Any, Any]], dict[str, list[float]]]:
    model.set_weights(model.start)  # type: ignore[attr-defined]  # as above
    x, y = (*data, None)[:2]
    history = model.fit(x, y, epochs=2, shuffle=False, verbose=0, **settings)
    return model.get_weights(), history.history


def test_batches_from_outside_are_those_of_arrays(model: Sequential) -> None:
    listed = Listed()
    wanted, history = trained(model, X, Y, batch_size=5, validation_data=(X, Y))
    cases: list[tuple[Any, Any, dict[str, int]]] = [
        (Again(), Again(), {}),
        (listed, Listed(), {}),
        (for_ever(), for_ever(), {"steps_per_epoch": 3, "validation_steps": 3}),
    ]
    for data, held, more in cases:
        found, told = trained(model, data, validation_data=held, **more)
        for a, b in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(a, b)
        assert told.keys() == history.keys()
        assert all(told[name] == pytest.approx(history[name], rel=1e-6) for name in history)
    assert listed.ends == 2
    assert model.evaluate(Again()) == pytest.approx(model.evaluate(X, Y), rel=1e-6)
    np.testing.assert_array_equal(model.predict(Again()), model.predict(X))


def test_weights_come_with_the_batches(model: Sequential) -> None:
    weights = np.linspace(0, 2, 12)
    wanted, history = trained(model, X, Y, batch_size=5, sample_weight=weights, class_weight={1: 3.0})
    parts = [(X[rows], Y[rows], weights[rows]) for rows in PARTS]
    found, told = trained(model, iter(parts * 2), steps_per_epoch=3, class_weight={1: 3.0})
    for a, b in zip(wanted, found, strict=True):
        np.testing.assert_array_equal(a, b)
    assert told["loss"] == pytest.approx(history["loss"])


def test_the_order_of_a_list_is_drawn_anew(model: Sequential) -> None:
    taken: list[int] = []

    class Watched(Listed):
        def __getitem__(self, k: int) -> Any:
            taken.append(k)
            return super().__getitem__(k)

    model.fit(Watched(), epochs=4, verbose=0)
    orders = [tuple(taken[1 + 3 * e : 4 + 3 * e]) for e in range(4)]
    assert all(sorted(order) == [0, 1, 2] for order in orders)
    assert len(set(orders)) > 1


def test_callbacks_learn_the_number_of_batches_when_it_is_known(model: Sequential) -> None:
    seen: list[Any] = []

    class Watching(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append((self.params["steps"], self.run.batches))

    model.fit(Again(), epochs=1, verbose=0, callbacks=[Watching()])
    model.fit(Listed(), epochs=1, verbose=0, callbacks=[Watching()])
    assert seen == [(None, 3), (3, 3)]


def test_what_gives_no_batches_is_said(model: Sequential) -> None:
    with pytest.raises(DataError, match="the data ended after 3 batches") as told:
        model.fit(((X[rows], Y[rows]) for rows in PARTS), epochs=2, verbose=0)
    assert "steps_per_epoch" in str(told.value)
    with pytest.raises(DataError, match="the data have no batches"):
        model.fit(iter([]), verbose=0)
    with pytest.raises(DataError, match=r"a batch is \(x, y\)"):
        model.fit(iter([X]), verbose=0)
    with pytest.raises(ConfigError, match="y, batch_size are for arrays"):
        model.fit(Again(), Y, batch_size=3, verbose=0)
    with pytest.raises(ConfigError, match="steps_per_epoch is for data that come batch by batch"):
        model.fit(X, Y, steps_per_epoch=3, verbose=0)
    with pytest.raises(ConfigError, match="gives no batches"):
        Batches(3, lambda item: item)
