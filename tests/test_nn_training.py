"""The training loop: what it visits, what it reports, how it stops, and that a resumed run has the bits of a whole one."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
import symdl.tensor as T
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.interop import safetensors
from symdl.nn import (
    SGD,
    Adam,
    Callback,
    Checkpoint,
    Dense,
    Dropout,
    EarlyStopping,
    LambdaCallback,
    Layer,
    ProgbarLogger,
    Sequential,
    Trainer,
    fit,
    fit_iter,
    supervised,
)
from symdl.nn.weights import values

needs_safetensors = pytest.mark.skipif(
    not symdl.extras.installed("safetensors"), reason="checkpoints need safetensors: pip install symdl[zoo]"
)
N, FEATURES, CLASSES = 50, 6, 3
_rng = np.random.default_rng(0)
Y = np.arange(N) % CLASSES
X = (_rng.standard_normal((N, FEATURES)) + 2 * np.eye(CLASSES, FEATURES)[Y]).astype(np.float32)


def make_trainer(optimizer: Any = "adam", dropout: float = 0.2, seed: int = 0) -> Trainer:
    layers: list[Layer] = [
        Dense(8, "tanh", name="layer0"),
        Dropout(dropout),
        Dense(CLASSES, "softmax", name="layer1"),
    ]
    x = T.tensor("x", dtype="float32", shape=(None, FEATURES))
    y = T.tensor("y", dtype="int64", shape=(None,))
    objective = supervised(Sequential(layers, rng=7), x, y, metrics={"accuracy": "categorical_accuracy"})
    return Trainer(objective, optimizer, seed=seed)


class Spy:
    """Replaces Trainer.step and Trainer.evaluate: records batches, moves nothing. Loss is given by `losses`."""

    def __init__(self, trainer: Trainer, monkeypatch: pytest.MonkeyPatch, val_losses: tuple[float, ...] = ()) -> None:
        self.batches: list[tuple[list[float], list[int]]] = []
        self.val_losses = iter(val_losses)
        monkeypatch.setattr(trainer, "step", self.step)
        monkeypatch.setattr(trainer, "sweep", lambda plan, batch_size: None)  # one step after another
        monkeypatch.setattr(trainer, "evaluate", lambda x, y: {"loss": next(self.val_losses), "accuracy": 0.5})

    def step(self, x: Any, y: Any) -> Any:
        self.batches.append((x[:, 0].tolist(), y.tolist()))
        return np.array([float(len(x)), 1.0])


def test_training_learns_and_reports() -> None:
    trainer = make_trainer(Adam(0.02), dropout=0.0)
    before = trainer.evaluate(X, Y)
    history = fit(trainer, X, Y, epochs=30, batch_size=16, validation=(X, Y), verbose=0)
    after = trainer.evaluate(X, Y)
    assert after["loss"] < before["loss"] / 2
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.epoch == list(range(30))  # as Keras counts
    assert [r.epoch for r in history.records] == list(range(1, 31))
    assert history.params == {"verbose": 0, "epochs": 30, "steps": 4}
    assert history.history["val_loss"][-1] == after["loss"]
    assert history.history["val_accuracy"][-1] == after["accuracy"]
    predicted = trainer.predict(X)
    np.testing.assert_allclose(predicted.sum(axis=1), 1, rtol=1e-6)
    assert (predicted.argmax(axis=1) == Y).mean() == pytest.approx(after["accuracy"])
    assert not history.stopped


def test_every_example_once_an_epoch_in_a_new_order_and_a_short_last_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer()
    spy = Spy(trainer, monkeypatch)
    records = list(fit_iter(trainer, X, Y, epochs=2, batch_size=16))
    sizes = [len(y) for _, y in spy.batches]
    assert sizes == [16, 16, 16, 2] * 2
    one, two = ([x for xs, _ in spy.batches[k : k + 4] for x in xs] for k in (0, 4))
    assert sorted(one) == sorted(two) == sorted(X[:, 0].tolist())
    assert one != two
    pairs = {(x, y) for xs, ys in spy.batches for x, y in zip(xs, ys, strict=True)}
    assert pairs == set(zip(X[:, 0].tolist(), Y.tolist(), strict=True))
    # the step reported its batch's size as its loss: the mean weighs each batch by its examples
    assert records[0].metrics["loss"] == pytest.approx((3 * 16 * 16 + 2 * 2) / 50)


def test_without_shuffling_the_order_is_that_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer()
    spy = Spy(trainer, monkeypatch)
    list(fit_iter(trainer, X, Y, epochs=1, batch_size=7, shuffle=False))
    assert [x for xs, _ in spy.batches for x in xs] == X[:, 0].tolist()


def test_a_fraction_holds_out_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer()
    spy = Spy(trainer, monkeypatch, val_losses=(1.0,))
    seen: list[Any] = []

    def evaluate(x: Any, y: Any) -> dict[str, float]:
        seen.append((x, y))
        return {"loss": 0.0, "accuracy": 0.0}

    monkeypatch.setattr(trainer, "evaluate", evaluate)
    list(fit_iter(trainer, X, Y, epochs=1, validation=0.2))
    assert sum(len(y) for _, y in spy.batches) == 40
    np.testing.assert_array_equal(seen[0][0], X[40:])


def test_one_seed_gives_the_same_bits() -> None:
    runs = []
    for seed in (3, 3, 4):
        trainer = make_trainer(seed=seed)
        fit(trainer, X, Y, epochs=3, verbose=0)
        runs.append(values(trainer.shared))
    assert all(np.array_equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert not np.array_equal(runs[0]["layer0.W"], runs[2]["layer0.W"])


def test_reset_goes_back_to_the_start() -> None:
    trainer = make_trainer()
    first = fit(trainer, X, Y, epochs=2, verbose=0).history
    end = values(trainer.shared)
    trainer.reset()
    assert trainer.epoch == 0
    assert fit(trainer, X, Y, epochs=2, verbose=0).history == first
    assert all(np.array_equal(end[name], value) for name, value in values(trainer.shared).items())


def test_the_generator_may_be_left_and_taken_up_again() -> None:
    whole, parts = make_trainer(), make_trainer()
    list(fit_iter(whole, X, Y, epochs=4))
    for record in fit_iter(parts, X, Y, epochs=4):
        if record.epoch == 2:
            break
    assert [r.epoch for r in fit_iter(parts, X, Y, epochs=4)] == [3, 4]
    assert all(np.array_equal(v, values(parts.shared)[name]) for name, v in values(whole.shared).items())


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (X[:10], Y, {}, "10 rows of x meet 50 of y"),
        (X[0], Y[:1], {}, r"x has 2 axes and at least one row, its value has shape \(6,\)"),
        (X[:0], Y[:0], {}, "at least one row"),
        (X, Y.astype(float), {}, "y is int64, its value float64: labels are integers"),
        (X, Y, {"batch_size": 0}, "batch_size 0 must be at least 1"),
        (X, Y, {"validation": 0.999}, "leaves 0 to train on"),
        (X, Y, {"validation": 0.001}, "leaves 50 to train on"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_call(x: Any, y: Any, options: dict[str, Any], message: str) -> None:
    trainer = make_trainer()
    with pytest.raises((ShapeError, DataError, ConfigError), match=message):
        fit_iter(trainer, x, y, epochs=1, **options)
    with pytest.raises((ShapeError, DataError, ConfigError), match=message):
        fit(trainer, x, y, epochs=1, verbose=0, **options)


# ---- callbacks ----


def test_early_stopping_stops_and_restores_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer()
    losses = iter([3.0, 2.0, 2.5, 1.9, 2.0, float("nan"), 2.1, 0.0])
    monkeypatch.setattr(trainer, "evaluate", lambda x, y: {"loss": next(losses), "accuracy": 0.0})
    kept: dict[int, Any] = {}
    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.update({epoch + 1: values(trainer.shared)}))
    stopping = EarlyStopping(patience=3, restore_best_weights=True)
    history = fit(trainer, X, Y, epochs=8, validation=(X, Y), callbacks=[stopping, watch], verbose=0)
    assert history.epoch == [0, 1, 2, 3, 4, 5, 6]
    assert history.stopped == "val_loss has not improved since epoch 4"
    now = values(trainer.shared)
    assert all(np.array_equal(now[name], kept[4][name]) for name in now)
    assert not np.array_equal(now["layer0.W"], kept[7]["layer0.W"])


def test_early_stopping_on_accuracy_and_without_restoring(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer()
    accuracies = iter([0.1, 0.5, 0.55, 0.5, 0.9])
    monkeypatch.setattr(trainer, "evaluate", lambda x, y: {"loss": 0.0, "accuracy": next(accuracies)})
    stopping = EarlyStopping("val_accuracy", patience=2, min_delta=0.1)
    history = fit(trainer, X, Y, epochs=5, validation=(X, Y), callbacks=[stopping], verbose=0)
    assert history.epoch == [0, 1, 2, 3]
    assert history.stopped == "val_accuracy has not improved since epoch 2"


def test_early_stopping_needs_its_metric() -> None:
    with pytest.raises(ConfigError, match="val_loss is not measured\n  measured: loss, accuracy"):
        fit(make_trainer(), X, Y, epochs=1, callbacks=[EarlyStopping()], verbose=0)
    with pytest.raises(ConfigError, match="patience -1"):
        EarlyStopping(patience=-1)


class Interrupt(Callback):
    """Ctrl-C in the given epoch, after its first batch."""

    def __init__(self, epoch: int) -> None:
        self.when = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.trainer.epoch == self.when - 1:
            raise KeyboardInterrupt


OPTIMIZERS: dict[str, Callable[[], Any]] = {"adam": lambda: "adam", "momentum": lambda: SGD(0.1, momentum=0.9)}


@needs_safetensors
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_run_has_the_bits_of_a_whole_one(tmp_path: Path, optimizer: str) -> None:
    """Dropout and shuffling draw from the generator, the optimizer has state, the run is broken in the middle of an
    epoch, and everything but the file is made anew."""
    file = tmp_path / "run.safetensors"
    choice = OPTIMIZERS[optimizer]
    plan: dict[str, Any] = {"epochs": 6, "batch_size": 16, "validation": 0.2, "verbose": 0}
    whole = make_trainer(choice())
    expected = fit(whole, X, Y, callbacks=[EarlyStopping(patience=100)], **plan)

    with pytest.warns(UserWarning, match="interrupted after epoch 3; history and weights so far are kept"):
        broken = fit(
            make_trainer(choice()),
            X,
            Y,
            callbacks=[Checkpoint(file), EarlyStopping(patience=100), Interrupt(4)],
            **plan,
        )
    assert broken.interrupted
    assert broken.epoch == [0, 1, 2]

    resumed = make_trainer(choice())
    history = fit(resumed, X, Y, callbacks=[Checkpoint(file, resume=True), EarlyStopping(patience=100)], **plan)
    assert history.epoch == [0, 1, 2, 3, 4, 5]
    assert history.history == expected.history
    for name, value in values(whole.shared).items():
        assert value.tobytes() == values(resumed.shared)[name].tobytes(), name
    assert whole.rng.bit_generator.state == resumed.rng.bit_generator.state
    assert whole.noise.get_state() == resumed.noise.get_state()


@needs_safetensors
def test_a_resumed_run_keeps_the_best_and_its_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.safetensors"
    losses = [3.0, 1.0, 2.0, 2.0, 2.0, 0.0]

    def run(first: int, epochs: int, resume: bool) -> tuple[Trainer, Any]:
        trainer = make_trainer()
        source = iter(losses[first:])
        monkeypatch.setattr(trainer, "evaluate", lambda x, y: {"loss": next(source), "accuracy": 0.0})
        stopping = EarlyStopping(patience=3, restore_best_weights=True)
        callbacks = [stopping, Checkpoint(file, resume=resume)]
        return trainer, fit(trainer, X, Y, epochs=epochs, validation=(X, Y), callbacks=callbacks, verbose=0)

    best = values(run(0, 2, resume=False)[0].shared)
    run(0, 3, resume=False)
    trainer, history = run(3, 6, resume=True)
    assert history.epoch == [0, 1, 2, 3, 4]
    assert history.stopped == "val_loss has not improved since epoch 2"
    assert all(np.array_equal(value, best[name]) for name, value in values(trainer.shared).items())
    again, history = run(6, 6, resume=True)  # of a run that had stopped: nothing is left to do
    assert history.stopped == "val_loss has not improved since epoch 2"
    assert all(np.array_equal(value, best[name]) for name, value in values(again.shared).items())


@needs_safetensors
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    fit(make_trainer(), X, Y, epochs=1, callbacks=[Checkpoint(file)], verbose=0)
    resume = [Checkpoint(file, resume=True)]
    with pytest.raises(DataError, match=r"is of another run\n  batch_size  32 then  16 now"):
        fit(make_trainer(), X, Y, epochs=2, batch_size=16, callbacks=resume, verbose=0)
    with pytest.raises(DataError, match=r"is of another run\n  data "):
        fit(make_trainer(), X + 1, Y, epochs=2, callbacks=resume, verbose=0)
    with pytest.raises(DataError, match=r"optimizer  Adam.* then  *SGD\(.*\) now"):
        fit(make_trainer(SGD()), X, Y, epochs=2, callbacks=resume, verbose=0)
    arrays, metadata = safetensors.load(file)
    safetensors.save(file, arrays, {**metadata, "0/rng": "{"})
    with pytest.raises(DataError, match=r"the metadata of .* are damaged"):
        fit(make_trainer(), X, Y, epochs=2, callbacks=resume, verbose=0)
    safetensors.save(file, {"a": X}, {"format": "other"})
    with pytest.raises(DataError, match="no checkpoint: its format is 'other'"):
        fit(make_trainer(), X, Y, epochs=2, callbacks=resume, verbose=0)


@needs_safetensors
def test_checkpoints_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    written: list[int] = []

    def look(epoch: int, logs: dict[str, float]) -> None:
        if file.exists():
            written.append(len(json.loads(safetensors.load(file)[1]["0/records"])))

    fit(
        make_trainer(),
        X,
        Y,
        epochs=5,
        callbacks=[LambdaCallback(on_epoch_end=look), Checkpoint(file, every=2)],
        verbose=0,
    )
    assert written == [2, 2, 4]  # seen before that epoch's own checkpoint
    assert len(json.loads(safetensors.load(file)[1]["0/records"])) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


# ---- progress ----


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_into_a_log_is_one_plain_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    fit(make_trainer(), X, Y, epochs=3, validation=0.2)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 3
    assert "\r" not in err
    assert "\x1b" not in err
    assert lines[0].startswith("epoch 1/3 - ")
    assert all(name in lines[2] for name in (" - loss: ", " - acc: ", " - val_loss: ", " - val_acc: "))


def test_progress_on_a_terminal_is_a_bar() -> None:
    pytest.importorskip("rich", reason="the progress bar is rich's: pip install symdl[zoo]")
    stream = Terminal()
    fit(make_trainer(), X, Y, epochs=3, callbacks=[ProgbarLogger(stream)], verbose=0)
    assert "epoch 3/3" in stream.getvalue()
    assert "loss: " in stream.getvalue()
    assert "\x1b[" in stream.getvalue()


def test_progress_on_a_terminal_without_rich_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symdl.extras, "find_spec", lambda name: None)
    stream = Terminal()
    fit(make_trainer(), X, Y, epochs=2, callbacks=[ProgbarLogger(stream)], verbose=0)
    assert len(stream.getvalue().splitlines()) == 2


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    fit(make_trainer(), X, Y, epochs=2, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_keeps_the_history_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = make_trainer()
    history = fit(trainer, X, Y, epochs=5, callbacks=[Interrupt(3)])
    assert history.interrupted
    assert history.epoch == [0, 1]
    assert capsys.readouterr().err.splitlines()[-1] == (
        "interrupted after epoch 2 of 5; history and weights so far are kept"
    )
    assert fit(trainer, X, Y, epochs=3, verbose=0).epoch == [0, 1, 2]
    assert not trainer.history.stopped
