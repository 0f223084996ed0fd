"""What every model of the zoo shares in training: callbacks see the model, an interrupt of pretraining ends all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symdl.errors import ConfigError
from symdl.extras import installed
from symdl.nn.callbacks import Callback, ModelCheckpoint
from symdl.nn.history import INTERRUPTED, History
from symdl.zoo import DBN, MLP, LinearRegression
from symdl.zoo.base import Model

X, Y = np.random.default_rng(0).random((40, 4)).astype(np.float32), np.arange(40) % 3


def small_dbn() -> DBN:
    return DBN(sizes=(4, 3, 3), pretraining_epochs=1, epochs=1)


def test_an_interrupt_in_pretraining_of_a_belief_network_ends_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_dbn()
    monkeypatch.setattr("symdl.zoo.greedy.fit", lambda *args, **settings: History(stopped=INTERRUPTED))
    assert model.fit(X, Y, verbose=0).interrupted
    assert model.trainer.epoch == 0


def test_wrong_validation_is_said_before_pretraining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symdl.zoo.layerwise.greedy", lambda *args, **settings: pytest.fail("pretraining began"))
    with pytest.raises(ConfigError, match="validation is a fraction"):
        small_dbn().fit(X, Y, validation=(X, Y, Y), verbose=0)


class Seen(Callback):
    """Keeps the model that it is shown, and ends the run at once."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.found = self.model
        self.model.learning_rate = 0.25
        self.model.stop_training = True


@pytest.mark.parametrize(
    ("model", "y"), [(MLP(sizes=(4, 3)), Y), (LinearRegression(features=4, epochs=9), X @ np.arange(4.0))]
)
def test_callbacks_see_the_model_and_end_its_training(model: Model, y: Any) -> None:
    seen = Seen()
    history = model.fit(X, y, callbacks=[seen], verbose=0)
    assert seen.found is model
    assert len(history.records) == 1
    assert model.learning_rate == 0.25


@pytest.mark.skipif(not installed("safetensors"), reason="files need safetensors")
def test_a_checkpoint_of_a_zoo_model_is_the_model(tmp_path: Path) -> None:
    model = MLP(sizes=(4, 3), epochs=2)
    model.fit(X, Y, callbacks=[ModelCheckpoint(tmp_path / "epoch{epoch}.safetensors", "loss")], verbose=0)
    np.testing.assert_array_equal(MLP.load(tmp_path / "epoch2.safetensors").predict_proba(X), model.predict_proba(X))
