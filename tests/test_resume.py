"""A run that was cut off and taken up again ends with the bits of one that was not: every model of the zoo, wherever it was cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symdl.errors import DataError
from symdl.extras import installed
from symdl.nn.callbacks import BackupAndRestore, Checkpoint, EarlyStopping
from symdl.nn.weights import values
from symdl.zoo import MODELS
from symdl.zoo.base import Model

pytestmark = pytest.mark.skipif(not installed("safetensors"), reason="checkpoints need safetensors")

_rng = np.random.default_rng(0)
X = _rng.random((30, 16)).astype(np.float32)
Y = np.arange(30) % 3
CNN: dict[str, Any] = {"image": (1, 4, 4), "filters": (2, 2), "kernel": 2, "hidden": 4, "classes": 3}
# a small form of each model, and its labels where it wants some
SMALL: dict[str, tuple[dict[str, Any], Any]] = {
    "perceptron": ({"features": 16, "classes": 3}, Y),
    "linear": ({"features": 16}, X @ np.arange(16.0)),
    "logistic": ({"features": 16, "classes": 3}, Y),
    "mlp": ({"sizes": (16, 5, 3)}, Y),
    "lenet": (CNN, Y),
    "vgg": ({"image": (1, 4, 4), "filters": (2, 2), "hidden": 4, "classes": 3}, Y),
    "autoencoder": ({"sizes": (16, 4)}, None),
    "denoising": ({"sizes": (16, 4)}, None),
    "contractive": ({"sizes": (16, 4)}, None),
    "sparse": ({"sizes": (16, 4)}, None),
    "variational": ({"features": 16, "hidden": (5,), "code": 2}, None),
    "stacked": ({"sizes": (16, 5, 4, 3), "pretraining_epochs": 3}, Y),
    "rbm": ({"sizes": (16, 4), "particles": 5}, None),
    "gaussian_rbm": ({"sizes": (16, 4), "particles": 5}, None),
    "dbn": ({"sizes": (16, 5, 4, 3), "pretraining_epochs": 3, "particles": 5}, Y),
    "lstm": ({"steps": 4, "inputs": 4, "units": 3, "classes": 3}, Y),
    "sentences": ({"words": 9, "length": 16, "dimensions": 3, "widths": (2,), "filters": 3}, Y % 2),
}


class Cut(Checkpoint):
    """A checkpoint after whose saving in a stage and epoch (from 1) the user presses Ctrl-C, or a signal is raised."""

    def __init__(self, path: Path, stage: int, epoch: int, by: signal.Signals | None = None, **how: Any) -> None:
        super().__init__(path, **how)
        self.when, self.by = (stage, epoch), by

    def save(self) -> None:
        super().save()
        if (self.run.stage[0], self.trainer.epoch) == self.when:
            if self.by is None:
                raise KeyboardInterrupt
            signal.raise_signal(self.by)


def small(name: str, **changes: Any) -> tuple[Model, Any]:
    config, y = SMALL[name]
    return MODELS[name](**{"epochs": 4, "batch_size": 10, **config, **changes}), y


def examples(name: str) -> Any:
    return (9 * X).astype(np.int64) if name == "sentences" else X


def same(one: Model, other: Model) -> None:
    """The weights of both, bit for bit, and what their machines and particles hold."""
    for a, b in zip(one.parameters, other.parameters, strict=True):
        assert a.get_value().tobytes() == b.get_value().tobytes(), a.name
    assert {n: v.tobytes() for n, v in values(one.trainer.shared).items()} == {
        n: v.tobytes() for n, v in values(other.trainer.shared).items()
    }


@pytest.mark.parametrize("name", SMALL)
def test_every_model_has_the_bits_of_a_whole_run(tmp_path: Path, name: str) -> None:
    file, x = tmp_path / "state", examples(name)
    stages = 2 if "pretraining_epochs" in SMALL[name][0] else 0
    whole, y = small(name)
    expected = whole.fit(x, y, verbose=0)
    cut, y = small(name)
    with pytest.warns(UserWarning, match="interrupted after"):
        assert cut.fit(x, y, callbacks=[Cut(file, stages, 2)], verbose=0).interrupted
    resumed, y = small(name)
    history = resumed.fit(x, y, callbacks=[Checkpoint(file, resume=True)], verbose=0)
    assert history.history == expected.history
    same(whole, resumed)


def test_no_model_is_forgotten() -> None:
    assert SMALL.keys() == MODELS.keys()


@pytest.mark.parametrize("name", ["dbn", "stacked"])
@pytest.mark.parametrize(("stage", "epoch"), [(0, 3), (1, 2), (2, 1)])
def test_pretraining_goes_on_where_it_was(tmp_path: Path, name: str, stage: int, epoch: int) -> None:
    """Cut at the end of the first layer, in the second, and in fine-tuning: no epoch is made twice."""
    file, made = tmp_path / "state", []

    class Counting(Checkpoint):
        def save(self) -> None:
            super().save()
            made.append((self.run.stage[0], self.trainer.epoch))

    whole, y = small(name)
    whole.fit(X, y, verbose=0)
    with pytest.warns(UserWarning, match=f"interrupted after epoch {epoch}"):
        small(name)[0].fit(X, y, callbacks=[Cut(file, stage, epoch)], verbose=0)
    resumed, y = small(name)
    resumed.fit(X, y, callbacks=[Counting(file, resume=True)], verbose=0)
    every = [(k, n) for k, epochs in enumerate((3, 3, 4)) for n in range(1, epochs + 1)]
    assert made == every[every.index((stage, epoch)) + 1 :]
    same(whole, resumed)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills no process by a signal")
@pytest.mark.parametrize(("stage", "epoch"), [(1, 2), (2, 2)])
def test_a_process_that_was_killed(tmp_path: Path, stage: int, epoch: int) -> None:
    file = tmp_path / "state"
    script = f"""
import sys; sys.path.insert(0, {os.fspath(Path(__file__).parent)!r})
from test_resume import *
model, y = small("dbn")
model.fit(X, y, callbacks=[Cut(Path({os.fspath(file)!r}), {stage}, {epoch}, signal.SIGKILL)], verbose=0)
"""
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir()] == ["state"]
    whole, y = small("dbn")
    whole.fit(X, y, verbose=0)
    resumed, y = small("dbn")
    resumed.fit(X, y, callbacks=[Checkpoint(file, resume=True)], verbose=0)
    same(whole, resumed)


def test_a_backup_holds_pretraining_until_all_is_done(tmp_path: Path) -> None:
    whole, y = small("stacked")
    whole.fit(X, y, verbose=0)
    saved: list[int] = []

    class Broken(BackupAndRestore):
        def save(self) -> None:
            super().save()
            saved.append(self.run.stage[0])
            if len(saved) == 4:
                raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted after epoch 1"):
        small("stacked")[0].fit(X, y, callbacks=[Broken(tmp_path)], verbose=0)
    assert saved == [0, 0, 0, 1]
    again, y = small("stacked")
    again.fit(X, y, callbacks=[BackupAndRestore(tmp_path)], verbose=0)
    same(whole, again)
    assert not list(tmp_path.iterdir())


def test_what_is_taken_up_must_be_of_such_a_run(tmp_path: Path) -> None:
    file = tmp_path / "state"
    small("mlp")[0].fit(X, Y, callbacks=[Checkpoint(file)], verbose=0)
    with pytest.raises(DataError, match="of another run"):
        small("dbn")[0].fit(X, Y, callbacks=[Checkpoint(file, resume=True)], verbose=0)
    model, y = small("dbn")
    model.fine_tune(X, y, callbacks=[Checkpoint(file)], verbose=0)  # type: ignore[attr-defined]  # a DBN
    with pytest.raises(DataError, match="of another run"):
        small("dbn")[0].fit(X, y, callbacks=[Checkpoint(file, resume=True)], verbose=0)


def test_callbacks_of_fine_tuning_do_not_judge_pretraining(tmp_path: Path) -> None:
    model, y = small("dbn")
    stopping = EarlyStopping("accuracy", patience=1)  # which pretraining does not measure
    model.fit(X, y, callbacks=[stopping, Checkpoint(tmp_path / "state")], verbose=0)
    assert model.trainer.epoch >= 2
