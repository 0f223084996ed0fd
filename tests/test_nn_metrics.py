"""Metrics that are no means over examples: precision, recall, the area under a curve, against counting and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.extras import installed, load
from symdl.nn import AUC, Dense, Input, Precision, Recall, Sequential
from symdl.nn.metrics import TopKCategoricalAccuracy
from symdl.nn.stopping import Monitor

Y = np.array([0, 1, 1, 0, 1, 0, 0, 1])
P = np.array([0.1, 0.9, 0.4, 0.6, 0.7, 0.2, 0.55, 0.3])


def measured(metric: Any, p: Any, y: Any) -> float:
    p, y = np.asarray(p), np.asarray(y)
    prediction, target = (T.tensor(n, dtype=str(a.dtype), shape=(None, *a.shape[1:])) for n, a in (("p", p), ("y", y)))
    rows = symdl.function([prediction, target], metric(prediction, target), mode="numpy")(p, y)
    found: float = metric.finish(rows.mean(axis=0)) if hasattr(metric, "finish") else rows.mean()
    return found


@pytest.mark.parametrize("column", [False, True])
def test_of_two_classes(column: bool) -> None:
    p = P[:, None] if column else P
    assert measured(Precision(), p, Y) == pytest.approx(2 / 4)
    assert measured(Recall(), p, Y) == pytest.approx(2 / 4)
    assert measured(Recall(thresholds=0.25), p, Y) == 1
    assert measured(AUC(), p, Y) == pytest.approx(0.75)  # 12 of the 16 pairs stand in the right order
    assert measured(AUC(curve="PR"), p, Y) == pytest.approx(0.79726744, abs=1e-7)  # as Keras 3.15 has it
    assert measured(AUC(from_logits=True), np.log(p / (1 - p)), Y) == pytest.approx(0.75)


@pytest.mark.skipif(not installed("sklearn"), reason="compares with scikit-learn")
def test_the_area_is_that_of_scikit_learn() -> None:
    theirs = load("sklearn.metrics", "a test")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    p = np.round(np.clip(0.3 * y + rng.random(400) * 0.7, 0, 1), 2) + 0.001  # ties, none at a threshold
    assert measured(AUC(2000), p, y) == pytest.approx(theirs.roc_auc_score(y, p), abs=1e-12)
    assert measured(Precision(), p, y) == pytest.approx(theirs.precision_score(y, p > 0.5), abs=1e-12)


def test_of_several_classes() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3]])
    y = np.array([0, 1, 1, 2])
    rows = np.eye(3)[y]
    for targets in (y, rows):
        assert measured(Precision(thresholds=0.45), p, targets) == pytest.approx(2 / 4)
        assert measured(Recall(class_id=1), p, targets) == pytest.approx(1 / 2)
        assert measured(TopKCategoricalAccuracy(2), p, targets) == pytest.approx(4 / 4)
        assert measured(TopKCategoricalAccuracy(1), p, targets) == pytest.approx(2 / 4)


def test_nothing_to_divide_by() -> None:
    assert measured(Precision(), np.zeros(3), np.ones(3)) == 0
    assert measured(Recall(), np.ones(3), np.zeros(3)) == 0
    assert measured(AUC(), P, np.ones(8)) == 0


def test_an_epoch_reports_them_of_all_its_batches() -> None:
    """Not the mean over batches of what each batch has."""
    model = Sequential([Input((1,)), Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["AUC", "precision", Recall(name="found")])
    x = P[:, None]
    history = model.fit(x, Y, batch_size=3, epochs=1, shuffle=False, verbose=0, validation_data=(x, Y)).history
    assert list(history)[:4] == ["loss", "AUC", "precision", "found"]
    found = model.evaluate(x, Y, return_dict=True)
    assert {k: v[-1] for k, v in history.items() if k.startswith("val")} == {f"val_{k}": v for k, v in found.items()}
    p = model.predict(x)[:, 0]
    assert found["found"] == pytest.approx(((p > 0.5) & (Y == 1)).sum() / 4)
    assert found["AUC"] in (pytest.approx(0.75), pytest.approx(0.25))  # by the sign of the weight
    batch = model.train_on_batch(x, Y, return_dict=True)
    assert batch == pytest.approx(found, rel=1e-5)


def test_two_of_one_name_and_unknown_ones_are_refused() -> None:
    model = Sequential([Input((1,)), Dense(1, "sigmoid")])
    with pytest.raises(ConfigError, match="two metrics are called recall"):
        model.compile("sgd", "binary_crossentropy", metrics=[Recall(), Recall(thresholds=0.9)])
    with pytest.raises(ConfigError, match="there is no metric 'auk'"):
        model.compile("sgd", "binary_crossentropy", metrics=["auk"])
    with pytest.raises(ConfigError, match="curve 'RoC'"):
        AUC(curve="RoC")


def test_callbacks_know_which_way_is_better() -> None:
    assert [Monitor("test", f"val_{name}").grows for name in ("AUC", "auc", "recall", "loss")] == [1, 1, 1, 0]
