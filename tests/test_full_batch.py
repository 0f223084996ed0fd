"""Full-batch minimisation: the optimum of problems whose optimum is known, what it reports, how it stops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.nn import L2, Callback, Dense, Dropout, EarlyStopping, Objective, Sequential, Trainer, minimize, supervised
from symdl.nn.full_batch import METHODS, packed, place
from symdl.runtime.storage import shared

N, FEATURES, CLASSES = 60, 5, 3
_rng = np.random.default_rng(0)
X = _rng.standard_normal((N, FEATURES))
Y = (np.arange(N) % CLASSES).astype(np.int64)


def least_squares(dtype: str = "float64") -> tuple[Objective, Any, Any]:
    """x @ W + b to t, from zeros: the objective, W and b."""
    W, b = shared(np.zeros((FEATURES, 2), dtype), "W"), shared(np.zeros(2, dtype), "b")
    x, t = T.tensor("x", dtype=dtype, shape=(None, FEATURES)), T.tensor("t", dtype=dtype, shape=(None, 2))
    losses = ((x @ W + b - t) ** 2).sum(axis=1)
    return Objective([x, t], losses, [W, b], {"loss": losses}, quiet={"loss": losses}, prediction=x @ W + b), W, b


def classifier(dtype: str = "float64", l2: float = 0.01) -> tuple[Objective, Sequential]:
    model = Sequential([Dense(CLASSES, "softmax", kernel_regularizer=L2(l2), dtype=dtype)], rng=0)
    x, y = T.tensor("x", dtype=dtype, shape=(None, FEATURES)), T.tensor("y", dtype="int64", shape=(None,))
    return supervised(model, x, y, metrics={"accuracy": "categorical_accuracy"}), model


@pytest.mark.parametrize("method", METHODS)
def test_least_squares_comes_out(method: str) -> None:
    objective, W, b = least_squares()
    target = X @ np.arange(2.0 * FEATURES).reshape(FEATURES, 2) + [1, -2] + _rng.standard_normal((N, 2))
    history = minimize(objective, X, target, method=method, tolerance=1e-9, verbose=0)
    exact = np.linalg.lstsq(np.c_[X, np.ones(N)], target, rcond=None)[0]
    np.testing.assert_allclose(np.r_[W.get_value(), [b.get_value()]], exact, atol=1e-8)
    losses = history.history["loss"]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(((X @ exact[:-1] + exact[-1] - target) ** 2).sum(axis=1).mean(), rel=1e-12)
    assert "cost" not in history.history  # there is no penalty


def test_float32_parameters_come_near() -> None:
    objective, W, b = least_squares("float32")
    target = X @ np.ones((FEATURES, 2)) + 3
    minimize(objective, X, target, verbose=0)
    assert W.get_value(borrow=True).dtype == np.float32
    np.testing.assert_allclose(W.get_value(), np.ones((FEATURES, 2)), atol=2e-5)
    np.testing.assert_allclose(b.get_value(), [3, 3], atol=2e-5)


def test_logistic_regression_has_scikit_learns_optimum() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    l2 = 1 / (2 * N)  # C = 1
    objective, model = classifier(l2=l2)
    history = minimize(objective, X, Y, tolerance=1e-9, verbose=0)
    peer = linear_model.LogisticRegression(tol=1e-10, max_iter=1000).fit(X, Y)
    W = model.parameters[0].get_value()
    np.testing.assert_allclose(W - W.mean(axis=1, keepdims=True), peer.coef_.T, atol=1e-6)
    last = history.records[-1].metrics
    assert last["cost"] == pytest.approx(last["loss"] + l2 * (W**2).sum(), rel=1e-12)
    assert list(last) == ["loss", "accuracy", "cost"]


def test_weights_count_as_repeated_rows() -> None:
    weights = np.arange(N) % 3
    (once, model), (again, repeated) = classifier(), classifier()
    minimize(once, X, Y, weights=weights * N / weights.sum(), tolerance=1e-9, verbose=0)
    rows = np.repeat(np.arange(N), weights)
    minimize(again, X[rows], Y[rows], tolerance=1e-9, verbose=0)
    np.testing.assert_allclose(model.parameters[0].get_value(), repeated.parameters[0].get_value(), atol=1e-6)


def test_validation_is_measured_and_callbacks_end_it() -> None:
    objective, _model = classifier(l2=0)
    trainer = Trainer(objective)
    wrong = np.roll(Y, 1)  # the better it fits, the worse on these
    early = EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    history = minimize(trainer, X, Y, validation=(X, wrong), callbacks=[early], verbose=0)
    assert 3 < len(history.records) < 30
    assert "val_loss" in history.stopped
    assert list(history.records[0].metrics) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    best = min(history.history["val_loss"])
    assert trainer.evaluate(X, wrong)["loss"] == pytest.approx(best, abs=1e-12)  # restored


def test_a_frozen_layer_stays_and_reset_goes_back() -> None:
    hidden = Dense(4, "tanh", trainable=False)
    model = Sequential([hidden, Dense(CLASSES, "softmax")], rng=0)
    x, y = T.tensor("x", dtype="float64", shape=(None, FEATURES)), T.tensor("y", dtype="int64", shape=(None,))
    trainer = Trainer(supervised(model, x, y))
    start = [p.get_value() for p in model.parameters]
    minimize(trainer, X, Y, max_iterations=5, verbose=0)
    moved = [p.get_value() for p in model.parameters]
    assert [np.array_equal(a, b) for a, b in zip(start, moved, strict=True)] == [True, True, False, False]
    trainer.reset()
    assert all(np.array_equal(a, p.get_value()) for a, p in zip(start, model.parameters, strict=True))
    assert trainer.epoch == 0


def test_noise_is_drawn_once() -> None:
    """With dropout, each evaluation at one place gives one number, so that the search converges."""
    model = Sequential([Dropout(0.5), Dense(CLASSES, "softmax", kernel_regularizer=L2(0.1))], rng=0)
    x, y = T.tensor("x", dtype="float64", shape=(None, FEATURES)), T.tensor("y", dtype="int64", shape=(None,))
    history = minimize(supervised(model, x, y), X, Y, verbose=0)
    assert "CONVERGENCE" in history.stopped
    costs = history.history["cost"]
    assert costs == sorted(costs, reverse=True)


class Interrupting(Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 3:  # the fourth
            raise KeyboardInterrupt


def test_an_interrupt_keeps_what_was_done() -> None:
    objective, model = classifier()
    trainer = Trainer(objective)
    with pytest.warns(UserWarning, match="after iteration 4"):
        history = minimize(trainer, X, Y, callbacks=[Interrupting()], verbose=0)
    assert history.interrupted
    assert len(history.records) == 4
    assert trainer.evaluate(X, Y)["loss"] == pytest.approx(history.history["loss"][-1], rel=1e-12)
    shorter, other = classifier()
    minimize(shorter, X, Y, max_iterations=4, verbose=0)
    assert np.array_equal(model.parameters[0].get_value(), other.parameters[0].get_value())


def test_a_second_call_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = Trainer(classifier()[0])
    minimize(trainer, X, Y, max_iterations=3, verbose=0)
    history = minimize(trainer, X, Y, max_iterations=2, verbose=1)
    assert [r.epoch for r in history.records] == [1, 2, 3, 4, 5]
    assert history.stopped == ""
    assert "5/5" in capsys.readouterr().err


def test_no_iterations_change_nothing() -> None:
    objective, model = classifier()
    start = model.parameters[0].get_value()
    assert minimize(objective, X, Y, max_iterations=0, verbose=0).records == []
    assert np.array_equal(start, model.parameters[0].get_value())


def test_what_is_refused() -> None:
    objective, _ = classifier()
    with pytest.raises(ConfigError, match="no method 'newton'"):
        minimize(objective, X, Y, method="newton")
    with pytest.raises(ConfigError, match="below 0"):
        minimize(objective, X, Y, max_iterations=-1)
    with pytest.raises(ShapeError, match="60 rows of x meet 59"):
        minimize(objective, X, Y[:-1])
    chain = shared(np.zeros(3), "chain")
    objective.updates = [(chain, chain + 1)]
    with pytest.raises(ConfigError, match="chain"):
        minimize(objective, X, Y)


def test_packing_is_undone_by_placing() -> None:
    parts = [
        shared(np.arange(6.0).reshape(2, 3), "a"),
        shared(np.array([7, 8], np.float32), "b"),
        shared(np.float64(9), "c"),
    ]
    theta = packed(parts)
    assert theta.dtype == np.float64
    assert theta.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    place(theta[::-1].copy(), parts)
    assert packed(parts).tolist() == theta[::-1].tolist()
    assert parts[1].get_value().dtype == np.float32
