"""The Keras script of a hundred talks: twelve lines that run with only their imports changed, on raw integers 0 to 255."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
from symdl.datasets import digits, mnist

# What stood here: from keras.models import Sequential, from keras.layers import Dense, Dropout. The rest is as printed.
SCRIPT = """
from symdl.nn import Sequential
from symdl.nn.layers import Dense, Dropout

model = Sequential([
    Dense(512, activation='sigmoid', input_shape=({inputs},)),
    Dense(128, activation='sigmoid'),
    Dense(10, activation='softmax')
])
model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])
history = model.fit(trX, trY, batch_size=256, epochs=20, validation_split=.1)
loss, accuracy = model.evaluate(teX, teY)
predicted = model.predict(teX[:1])
"""


def run(trX: Any, trY: Any, teX: Any, teY: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"trX": trX, "trY": trY, "teX": teX, "teY": teY}
    exec(compile(SCRIPT.replace("{inputs}", str(trX.shape[1])), "script.py", "exec"), names)
    return names


def magnified() -> tuple[Any, Any]:
    """Digits like MNIST's: 28 by 28 pixels of integers 0 to 255, from the 8 by 8 ones."""
    x, y = digits()
    images = np.kron(np.asarray(x).reshape(-1, 8, 8), np.ones((3, 3)))
    whole = np.zeros((len(images), 28, 28), np.uint8)
    whole[:, 2:26, 2:26] = np.round(images / images.max() * 255)
    return whole.reshape(-1, 784), y


@pytest.mark.skipif(not symdl.extras.installed("sklearn"), reason="the digits come with scikit-learn: symdl[zoo]")
def test_the_script_runs_as_printed(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = magnified()
    found = run(x[:1437], y[:1437], x[1437:], y[1437:])
    history = found["history"]
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.epoch == list(range(20))
    assert history.params == {"verbose": 1, "epochs": 20, "steps": 6}  # 1293 of 1437, 256 at a time
    assert history.history["loss"][-1] < 0.4 * history.history["loss"][0]
    assert found["accuracy"] > 0.85  # 120 steps only; the published 20 epochs of MNIST are 3,800
    assert found["predicted"].shape == (1, 10)
    assert found["predicted"].sum() == pytest.approx(1, abs=1e-6)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 20
    assert all(name in lines[-1] for name in (" loss: ", " - acc: ", " - val_loss: ", " - val_acc: "))
    found["model"].summary()
    table = capsys.readouterr().out
    assert " Total params: 468,874 (1.79 MB)\n Trainable params: 468,874 (1.79 MB)\n" in table
    assert "│ dense_1 (Dense) │ (None, 128)  │  65,664 │" in table


@pytest.mark.slow
@pytest.mark.skipif("SYMDL_MNIST" not in os.environ, reason="SYMDL_MNIST names the folder of MNIST's four files")
def test_the_script_on_mnist() -> None:
    split = mnist(Path(os.environ["SYMDL_MNIST"]), raw=True)
    x_train, x_test = (np.asarray(x).reshape(len(x), -1) for x in (split.x_train, split.x_test))
    found = run(x_train, split.y_train, x_test, split.y_test)
    assert found["accuracy"] >= 0.9552
