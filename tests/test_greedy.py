"""Greedy layer-wise training: each stage learns from the codes of the one below, once that is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.graph.expr import Expr
from symdl.nn.callbacks import LambdaCallback
from symdl.nn.objective import Objective
from symdl.nn.training import Trainer
from symdl.random import RandomStream
from symdl.runtime.storage import shared
from symdl.zoo.greedy import Stage, greedy

Array = np.ndarray[Any, np.dtype[Any]]
X = np.random.default_rng(0).standard_normal((24, 6)) @ np.diag([3, 2, 1, 0.5, 0.2, 0.1])


def linear(inputs: int, units: int, seed: int = 0, noise: bool = False) -> Stage:
    """A linear autoencoder with tied weights."""
    W = shared(0.3 * np.random.default_rng(seed).standard_normal((inputs, units)), f"W{seed}")
    x: Expr = T.tensor("x", dtype="float64", shape=(None, inputs))
    stream = RandomStream(seed)
    code = x @ W
    losses = ((x - code @ W.T) ** 2).sum(axis=1)
    objective = Objective([x], losses, [W], {"loss": losses}, {"loss": losses}, noise=stream)
    drawn = code + stream.normal(code.shape) if noise else code
    return Stage(Trainer(objective, "adam", seed=seed), drawn)


def test_every_stage_learns_from_the_codes_of_the_trained_one_below() -> None:
    stages = [linear(6, 4), linear(4, 2, seed=1)]
    histories = greedy(stages, X, epochs=[30, 20], batch_size=8, verbose=0)
    assert [len(h.records) for h in histories] == [30, 20]
    for history in histories:
        losses = history.history["loss"]
        assert losses[-1] < losses[0]
    below = linear(6, 4)
    greedy([below], X, epochs=30, batch_size=8, verbose=0)
    codes = below.encode(X)
    W = below.trainer.objective.parameters[0].get_value()
    np.testing.assert_allclose(codes, X @ W, atol=1e-12)
    above = linear(4, 2, seed=1)
    greedy([above], codes, epochs=20, batch_size=8, verbose=0)
    for alone, stacked in zip((below, above), stages, strict=True):
        for p, q in zip(alone.trainer.objective.parameters, stacked.trainer.objective.parameters, strict=True):
            np.testing.assert_array_equal(p.get_value(), q.get_value())


def test_a_stage_that_had_its_epochs_only_encodes() -> None:
    stages = [linear(6, 4), linear(4, 2, seed=1)]
    greedy(stages[:1], X, epochs=5, batch_size=8, verbose=0)
    before = stages[0].trainer.objective.parameters[0].get_value()
    histories = greedy(stages, X, epochs=5, batch_size=8, verbose=0)
    np.testing.assert_array_equal(stages[0].trainer.objective.parameters[0].get_value(), before)
    assert [len(h.records) for h in histories] == [5, 5]


def test_validation_goes_through_the_codes_and_callbacks_see_every_stage() -> None:
    records: list[int] = []
    stages = [linear(6, 4), linear(4, 2, seed=1)]
    histories = greedy(
        stages,
        X,
        epochs=2,
        batch_size=8,
        validation=X[:5],
        callbacks=[LambdaCallback(on_epoch_end=lambda epoch, logs: records.append(epoch))],
        verbose=0,
    )
    assert records == [0, 1, 0, 1]
    codes = stages[0].encode(X[:5])
    assert histories[1].history["val_loss"][-1] == pytest.approx(stages[1].trainer.evaluate(codes)["loss"], rel=1e-12)


def test_codes_may_be_draws() -> None:
    stage = linear(6, 4, noise=True)
    assert (stage.encode(X) != stage.encode(X)).all()


def test_an_interrupted_stage_ends_the_run() -> None:
    def interrupt(epoch: int, logs: object) -> None:
        raise KeyboardInterrupt

    stages = [linear(6, 4), linear(4, 2, seed=1)]
    with pytest.warns(UserWarning, match="interrupted"):
        histories = greedy(
            stages, X, epochs=2, batch_size=8, callbacks=[LambdaCallback(on_epoch_end=interrupt)], verbose=0
        )
    assert len(histories) == 1
    assert histories[0].interrupted


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ConfigError, match="2 numbers of epochs meet 1 stages"):
        greedy([linear(6, 4)], X, epochs=[1, 1], batch_size=8)
    with pytest.raises(ShapeError, match="makes 4 numbers of an example, the next takes 3"):
        greedy([linear(6, 4), linear(3, 2)], X, epochs=1, batch_size=8)
    x, y = T.tensor("x", dtype="float64", shape=(None, 2)), T.tensor("y", dtype="float64", shape=(None, 2))
    W = shared(np.eye(2), "W")
    loss = ((x @ W - y) ** 2).sum(axis=1)
    with pytest.raises(ConfigError, match="takes one input"):
        Stage(Trainer(Objective([x, y], loss, [W], {"loss": loss})), x)
