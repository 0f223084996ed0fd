"""Stacked denoising autoencoders: layer by layer without labels, then together with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symdl.datasets import digits_split, few_labels
from symdl.errors import ConfigError, DataError
from symdl.extras import installed
from symdl.nn.history import INTERRUPTED, History
from symdl.zoo.stacked import StackedAutoencoder

pytestmark = pytest.mark.skipif(not installed("sklearn"), reason="the digits need symdl[zoo]")
SMALL = StackedAutoencoder.Config(sizes=(64, 32, 24, 10), pretraining_epochs=4, epochs=4)


def test_pretraining_sees_no_labels_and_moves_hidden_layers_only() -> None:
    split = digits_split()
    model = StackedAutoencoder(SMALL)
    before = [p.get_value() for p in model.parameters]
    histories = model.pretrain(split.x_train, verbose=0)
    after = [p.get_value() for p in model.parameters]
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [False] * 4 + [True] * 2
    for history in histories:
        losses = history.history["loss"]
        assert len(losses) == 4
        assert losses[-1] < losses[0]


def test_each_layer_learns_from_the_one_below() -> None:
    """The second stage is given what the trained first layer makes of x."""
    split = digits_split()
    model = StackedAutoencoder(SMALL)
    model.pretrain(split.x_train, verbose=0)
    W, b = (p.get_value() for p in model.parameters[:2])
    codes = 1 / (1 + np.exp(-(split.x_train @ W + b)))
    np.testing.assert_allclose(model.stages[0].encode(split.x_train), codes, rtol=1e-5)
    assert model.stages[1].trainer.evaluate(codes)["loss"] < 0.7  # less than a coin's log 2


def test_fit_is_pretraining_and_fine_tuning_and_repeats_itself() -> None:
    split = digits_split()
    model, other = StackedAutoencoder(SMALL), StackedAutoencoder(SMALL)
    model.fit(split.x_train, split.y_train, verbose=0)
    first = [p.get_value() for p in model.parameters]
    model.fit(split.x_train, split.y_train, verbose=0)
    other.pretrain(split.x_train, verbose=0)
    other.fine_tune(split.x_train[:50], split.y_train[:50], verbose=0)  # goes back to what pretraining left
    other.fine_tune(split.x_train, split.y_train, verbose=0)
    for a, b, c in zip(first, model.parameters, other.parameters, strict=True):
        assert np.array_equal(a, b.get_value())
        assert np.array_equal(a, c.get_value())


def test_rows_without_labels_are_pretrained_on_only() -> None:
    split = digits_split()
    few = few_labels(split.x_train, split.y_train, 5)
    y = np.r_[few.y, np.full(len(few.unlabelled), -1)]
    together, apart = StackedAutoencoder(SMALL), StackedAutoencoder(SMALL)
    x = np.concatenate([few.x, few.unlabelled])
    together.fit(x, y, verbose=0)
    apart.pretrain(x, verbose=0)
    apart.fine_tune(few.x, few.y, verbose=0)
    assert all(
        np.array_equal(a.get_value(), b.get_value()) for a, b in zip(together.parameters, apart.parameters, strict=True)
    )


def test_an_interrupt_in_pretraining_ends_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    model = StackedAutoencoder(SMALL)
    x, y = np.random.default_rng(0).random((40, 64)), np.arange(40) % 10
    monkeypatch.setattr("symdl.zoo.greedy.fit", lambda *args, **settings: History(stopped=INTERRUPTED))
    history = model.fit(x, y, verbose=0)
    assert history.interrupted
    assert model.trainer.epoch == 0  # fine-tuning has not begun


def test_it_learns_the_digits() -> None:
    split = digits_split()
    model = StackedAutoencoder(sizes=(64, 64, 10), pretraining_epochs=5, epochs=12, learning_rate=0.01)
    model.fit(split.x_train, split.y_train, verbose=0)
    assert model.score(split.x_test, split.y_test) >= 0.94


@pytest.mark.skipif(not installed("safetensors"), reason="weights files need safetensors")
def test_a_file_brings_it_back(tmp_path: Path) -> None:
    split = digits_split()
    model = StackedAutoencoder(SMALL)
    model.fit(split.x_train[:200], split.y_train[:200], verbose=0)
    model.save(tmp_path / "sda.safetensors")
    again = StackedAutoencoder.load(tmp_path / "sda.safetensors")
    assert np.array_equal(again.predict_proba(split.x_test), model.predict_proba(split.x_test))


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="sizes"):
        StackedAutoencoder(sizes=(64, 10))
    with pytest.raises(ConfigError, match="corruptions"):
        StackedAutoencoder(corruption=(0.1, 0.2, 0.3))
    with pytest.raises(DataError, match="labels from 0 to 10"):
        StackedAutoencoder(SMALL).fit(np.zeros((2, 64)), np.array([0, 10]), verbose=0)


@pytest.mark.slow
def test_the_gate_of_the_digits() -> None:
    found = []
    for seed in range(3):
        split = digits_split(seed)
        model = StackedAutoencoder(seed=seed)
        model.fit(split.x_train, split.y_train, verbose=0)
        found.append(model.score(split.x_test, split.y_test))
    assert np.mean(found) >= 0.970
