"""Callbacks by Keras' names: when they are called, with what, and what they do."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
from symdl import nn
from symdl.errors import ConfigError, MissingDependencyError
from symdl.interop import safetensors
from symdl.nn import (
    SGD,
    Adam,
    BackupAndRestore,
    CSVLogger,
    Dense,
    Dropout,
    EarlyStopping,
    Input,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    Patience,
    ReduceLROnPlateau,
    Sequential,
    TensorBoard,
    TerminateOnNaN,
    load_model,
)
from symdl.nn.layers import Layer

needs_safetensors = pytest.mark.skipif(
    not symdl.extras.installed("safetensors"), reason="files need safetensors: pip install symdl[zoo]"
)
Logs = dict[str, float] | None
N = 40
Y = np.arange(N) % 3
X = (np.random.default_rng(0).standard_normal((N, 4)) + 2 * np.eye(3, 4)[Y]).astype(np.float32)


def make(optimizer: Any = None, dropout: float = 0.0) -> Sequential:
    layers: list[Layer | Input] = [Input((4,)), Dense(6, "tanh"), Dropout(dropout), Dense(3, "softmax")]
    model = Sequential(layers)
    model.compile(optimizer or Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(model: Sequential, *callbacks: nn.Callback, epochs: int = 3, **options: Any) -> nn.History:
    return model.fit(X, Y, epochs=epochs, batch_size=16, callbacks=list(callbacks), verbose=0, **options)


class Losses(nn.Callback):
    """Puts numbers into the logs, as if they had been measured."""

    def __init__(self, *values: float, name: str = "loss") -> None:
        self.values, self.name = values, name

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        assert logs is not None
        logs[self.name] = self.values[epoch]


def test_a_users_class_is_called_as_in_keras() -> None:
    calls: list[Any] = []

    class Watch(nn.Callback):
        def __init__(self) -> None:  # without a call of the base's, as many are written
            self.seen = 0

        def on_train_begin(self, logs: Logs = None) -> None:
            calls.append(("begin", self.params))

        def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
            calls.append(("epoch", epoch))

        def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
            calls.append(("batch", batch))

        def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
            assert logs is not None
            calls.append((batch, sorted(logs)))

        def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
            assert logs is not None
            assert self.model is model
            calls.append((f"end {epoch}", list(logs)))

        def on_train_end(self, logs: Logs = None) -> None:
            calls.append(("end", logs))

    model = make()
    history = train(model, Watch(), epochs=2, validation_split=0.25)  # 30 of 40, 16 at a time
    names = ["loss", "accuracy", "val_loss", "val_accuracy"]
    batches = [("batch", 0), (0, ["accuracy", "loss"]), ("batch", 1), (1, ["accuracy", "loss"])]
    assert calls == [
        ("begin", {"verbose": 0, "epochs": 2, "steps": 2}),
        ("epoch", 0), *batches, ("end 0", names),
        ("epoch", 1), *batches, ("end 1", names),
        ("end", {name: values[-1] for name, values in history.history.items()}),
    ]  # fmt: skip


def test_means_over_the_epoch_so_far_end_as_the_epochs_means() -> None:
    last: dict[str, float] = {}
    history = train(make(), LambdaCallback(on_train_batch_end=lambda batch, logs: last.update(logs)), epochs=1)
    assert last == {name: values[0] for name, values in history.history.items()}


def test_watching_batches_changes_no_bit() -> None:
    quiet, watched = make(dropout=0.3), make(dropout=0.3)
    train(quiet)
    train(watched, LambdaCallback(on_train_batch_end=lambda batch, logs: None))
    for a, b in zip(quiet.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_stop_training_and_what_is_put_into_logs() -> None:
    class Stop(nn.Callback):
        def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
            assert logs is not None
            logs["extra"] = float(epoch)
            self.model.stop_training = epoch == 1

    history = train(make(), Stop(), epochs=5)
    assert history.epoch == [0, 1]
    assert history.history["extra"] == [0, 1]
    assert history.stopped == "stop_training was set"
    assert train(make(), epochs=2).stopped == ""


@pytest.mark.parametrize(
    ("stopping", "values", "expected"),
    [
        (EarlyStopping("loss", patience=2), (3, 2, 2.5, 1, 2, 2, 0), 6),
        (EarlyStopping("loss"), (3, 2, 2.5, 1, 2, 2, 0), 3),
        (EarlyStopping("loss", min_delta=0.5, patience=2), (3, 2.8, 2.7, 1, 1, 1, 0), 3),
        (EarlyStopping("loss", mode="max", patience=1), (3, 4, 5, 1, 2, 2, 0), 4),
        (EarlyStopping("loss", patience=2, baseline=2.5), (5, 4, 3, 2, 2, 2, 0), 2),
        (EarlyStopping("loss", start_from_epoch=4), (1, 2, 3, 4, 3, 4, 0), 6),
        (Patience("loss", patience=3, patience_increase=2), (3, 2, 2.5, 2.5, 1, 1, 1), 4),
        (Patience("loss", patience=9, improvement_threshold=0.5), (3, 2.9, 2.8, 2.7, 1, 1, 1), 3),
    ],
)
def test_when_it_stops(stopping: nn.Callback, values: tuple[float, ...], expected: int) -> None:
    """There are three batches in an epoch: Patience(3, 2) allows 6 batches after the first epoch, 12 after the second."""
    history = train(make(), Losses(*values), stopping, epochs=7)
    assert len(history.records) == expected


def test_an_early_stop_restores_the_best_weights() -> None:
    kept: dict[int, list[Any]] = {}
    model = make()
    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.update({epoch: model.get_weights()}))
    history = train(
        model, Losses(3, 1, 2, 2), EarlyStopping("loss", patience=2, restore_best_weights=True), watch, epochs=9
    )
    assert len(history.records) == 4
    for w, best, last in zip(model.get_weights(), kept[1], kept[3], strict=True):
        np.testing.assert_array_equal(w, best)
        assert not np.array_equal(w, last)


def test_learning_rates_by_epoch() -> None:
    rates: list[float] = []
    model = make(SGD(0.5))
    watch = LambdaCallback(on_train_batch_begin=lambda batch, logs: rates.append(model.learning_rate))
    history = train(model, LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate), watch)
    assert rates == [0.5] * 3 + [0.25] * 3 + [0.125] * 3
    assert history.history["learning_rate"] == [0.5, 0.25, 0.125]
    history = train(model, LearningRateScheduler(lambda epoch: 0.1 * epoch))
    assert history.history["learning_rate"] == pytest.approx([0, 0.1, 0.2])
    model.learning_rate = 0.75
    assert model.learning_rate == 0.75
    scheduled = make(SGD(nn.ExponentialDecay(0.1, 10, 0.5)))
    with pytest.raises(ConfigError, match="the optimizer has a schedule of its own"):
        train(scheduled, LearningRateScheduler(lambda epoch: 0.1))


def test_the_rate_falls_on_a_plateau() -> None:
    reduce = ReduceLROnPlateau("loss", factor=0.5, patience=2, cooldown=1, min_lr=0.2)
    history = train(make(SGD(1.0)), Losses(3, 2, 2, 2, 2, 2, 2, 2, 2), reduce, epochs=9)
    assert history.history["learning_rate"] == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2]  # as Keras has it


def test_nan_ends_a_run_in_the_middle_of_an_epoch() -> None:
    model = Sequential([Input((4,)), Dense(1)])
    model.compile(SGD(1e30), "mse")
    batches: list[int] = []
    watch = LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    with np.errstate(all="ignore"):
        history = model.fit(X, X[:, :1], epochs=4, batch_size=4, callbacks=[TerminateOnNaN(), watch], verbose=0)
    assert len(history.records) == 1
    assert len(batches) < 10
    assert history.stopped.startswith(f"the loss is {history.history['loss'][0]} after batch {len(batches)} of epoch 1")


def test_a_table_of_commas(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    model = make()
    history = train(model, CSVLogger(file), epochs=2)
    more = train(model, CSVLogger(file, append=True), initial_epoch=2, epochs=3)
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["epoch", "accuracy", "loss"]
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    assert [float(row["loss"]) for row in rows] == history.history["loss"] + more.history["loss"]
    train(model, CSVLogger(file, separator=";"), epochs=1)
    assert file.read_text(encoding="utf-8").startswith("epoch;accuracy;loss\n")


@needs_safetensors
def test_models_saved_on_the_way(tmp_path: Path) -> None:
    model = make()
    every = ModelCheckpoint(tmp_path / "{epoch:02d}-{loss:.1f}.safetensors")
    best = ModelCheckpoint(tmp_path / "best.safetensors", monitor="loss", save_best_only=True)
    weights = ModelCheckpoint(tmp_path / "w.safetensors", save_weights_only=True)
    kept: dict[int, list[Any]] = {}
    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.update({epoch: model.get_weights()}))
    train(model, Losses(2, 1, 3), every, best, weights, watch)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [
        "01-2.0.safetensors",
        "02-1.0.safetensors",
        "03-3.0.safetensors",
        "best.safetensors",
        "w.safetensors",
    ]
    for found, expected in (("best", 1), ("03-3.0", 2)):
        for a, b in zip(load_model(tmp_path / f"{found}.safetensors").get_weights(), kept[expected], strict=True):
            np.testing.assert_array_equal(a, b)
    assert set(safetensors.load(tmp_path / "w.safetensors")[0]) == {str(p.name) for p in model.parameters}
    with pytest.raises(ConfigError, match="cannot be filled in with epoch, loss, accuracy"):
        train(model, ModelCheckpoint(tmp_path / "{val_loss}"), epochs=1)
    with pytest.raises(ConfigError, match="val_loss is not measured\n  measured: loss, accuracy"):
        train(model, ModelCheckpoint(tmp_path / "x", save_best_only=True), epochs=1)


class Interrupt(nn.Callback):
    """Ctrl-C in the second batch of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.when = epoch

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        if (self.trainer.epoch, batch) == (self.when, 1):
            raise KeyboardInterrupt


@needs_safetensors
def test_a_script_that_was_interrupted_is_started_again_and_has_the_bits_of_a_whole_run(tmp_path: Path) -> None:
    def script(*more: nn.Callback) -> tuple[Sequential, nn.History]:
        model = make(dropout=0.3)
        reduce = ReduceLROnPlateau("val_loss", patience=1, min_delta=10)
        return model, train(model, reduce, *more, epochs=5, validation_split=0.25)

    whole, expected = script()
    folder = tmp_path / "backup"
    with pytest.warns(UserWarning, match="interrupted after epoch 3"):
        _, broken = script(BackupAndRestore(folder), Interrupt(3))
    assert broken.interrupted
    assert (folder / "training.safetensors").exists()
    again, history = script(BackupAndRestore(folder))
    assert history.history == expected.history
    assert history.epoch == [0, 1, 2, 3, 4]
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert not (folder / "training.safetensors").exists()  # the run has come to its end
    with pytest.raises(ConfigError, match="save_freq is 10"):
        BackupAndRestore(folder, save_freq=10)


def test_tensorboards_files_are_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="pip install symdl[tensorboard]")
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="reads what was written: pip install tensorboard",
    )
    board = TensorBoard(tmp_path, histogram_freq=1, update_freq="batch")
    history = train(make(), board, epochs=3, validation_split=0.25).history
    for part, prefix in (("train", ""), ("validation", "val_")):
        found = accumulators.EventAccumulator(str(tmp_path / part)).Reload()
        for name in ("loss", "accuracy"):
            events = found.Scalars(f"epoch_{name}")
            assert [e.step for e in events] == [0, 1, 2]
            np.testing.assert_allclose([e.value for e in events], history[prefix + name], rtol=1e-6)
    found = accumulators.EventAccumulator(str(tmp_path / "train")).Reload()
    assert len(found.Scalars("batch_loss")) == 6
    assert "dense.W" in found.Tags()["histograms"]


def test_tensorboard_missing_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symdl.extras, "find_spec", lambda name: None)
    with pytest.raises(
        MissingDependencyError, match=r'tensorboardX is not installed\n  pip install "symdl\[tensorboard\]"'
    ):
        train(make(), TensorBoard(tmp_path), epochs=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: EarlyStopping(mode="best"), "EarlyStopping: mode 'best' is none of auto, min, max"),
        (lambda: ReduceLROnPlateau(factor=1), "factor 1 is not between 0 and 1"),
        (lambda: Patience(patience=0), "patience 0"),
        (lambda: ModelCheckpoint("x", save_freq=5), "save_freq is 5"),
        (lambda: train(make(), LearningRateScheduler(lambda e: "fast")), "gave 'fast', which is no number"),  # type: ignore[arg-type, return-value]
        (lambda: train(make(), EarlyStopping("val_loss")), "val_loss is not measured"),
    ],
)
def test_wrong_settings(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wrong()
