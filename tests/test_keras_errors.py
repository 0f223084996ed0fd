"""What goes wrong at the face that Keras' users know is said with the layer, the shapes, the user's lines and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from symdl import nn
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.nn import L2, SGD, Adam, Conv2D, Dense, Dropout, Flatten, Input, LambdaCallback, Sequential, to_categorical

Y = np.arange(8) % 3
X = np.linspace(-1, 1, 8 * 64).reshape(8, 64)
SPARSE = "sparse_categorical_crossentropy"


def model(loss: Any = SPARSE, last: int = 3, shape: tuple[int, ...] = (64,)) -> Sequential:
    found = Sequential([Input(shape), Dense(5, "tanh"), Dense(last, "softmax" if last > 1 else "sigmoid")])
    found.compile("sgd", loss)
    return found


TEXT: Any = "10"
HALF: Any = 0.5
NOTHING: Any = None
ONE: Any = Dense(3)
HOLED = np.where(np.arange(512).reshape(8, 64) == 131, np.nan, X)

# name: (what is done, the error, its text with the lines of this file as LINE)
CASES: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "63 features": (
        lambda: model().fit(X[:, :63], Y),
        ShapeError,
        "fit: x has 63 features, the layer dense (Dense) takes 64\n"
        "  x        float64[8, 63]  LINE\n"
        "  dense.W  float32[64, 5]  LINE\n"
        "  Give x[n, 64], or a model whose first entry is Input((63,)).",
    ),
    "units that are text": (lambda: Dense(TEXT), ConfigError, "Dense: units is the text '10', not an integer"),
    "units that are a float": (lambda: Dense(HALF), ConfigError, "Dense: units is the number 0.5, not an integer"),
    "a rate that is None": (lambda: Dropout(NOTHING), ConfigError, "Dropout: rate is None, not a number"),
    "a kernel that is text": (
        lambda: Conv2D(4, TEXT), ConfigError, "Conv2D: kernel_size 10 does not give 2 axes a number each",
    ),
    "a learning rate that is text": (lambda: Adam(TEXT), ConfigError, "adam: learning_rate is the text '10', not a number"),
    "a decay that is a bool": (lambda: SGD(0.1, momentum=True), ConfigError, "sgd: momentum is the bool True, not a number"),
    "a penalty that is text": (lambda: L2(TEXT), ConfigError, "L1L2: l2 is the text '10', not a number"),
    "half an epoch": (lambda: model().fit(X, Y, epochs=HALF), ConfigError, "fit: epochs is the number 0.5, not an integer"),
    "a batch size that is text": (
        lambda: model().fit(X, Y, batch_size=TEXT), ConfigError, "fit: batch_size is the text '10', not an integer",
    ),
    "a split that is text": (
        lambda: model().fit(X, Y, validation_split=TEXT), ConfigError, "fit: validation_split is the text '10', not a number",
    ),
    "one layer for a list": (
        lambda: Sequential(ONE), ConfigError, "Sequential: Dense(3) is one layer, not a list of layers\n  Write Sequential([",
    ),
    "labels that are text": (lambda: to_categorical(["a"]), DataError, "to_categorical: labels are integers, not text"),
    "63 features to predict": (
        lambda: model().predict(X[:, :63]), ShapeError, "predict: x has 63 features, the layer dense (Dense) takes 64\n",
    ),
    "images": (
        lambda: model().fit(X.reshape(8, 8, 8), Y),
        ShapeError,
        "fit: examples of shape (8, 8) meet the layer dense (Dense), which takes (64,)\n"
        "  x        float64[8, 8, 8]  LINE\n"
        "  dense.W  float32[64, 5]    LINE\n"
        "  x.reshape(len(x), 64) would fit.",
    ),
    "one example": (
        lambda: model().predict(X[0]),
        ShapeError,
        "predict: examples of shape () meet the layer dense (Dense), which takes (64,)\n"
        "  x        float64[64]     LINE\n"
        "  dense.W  float32[64, 5]  LINE\n"
        "  x[None] is a batch of one.",
    ),
    "not compiled": (
        lambda: Sequential([Input((64,)), Dense(3)]).fit(X, Y),
        ConfigError,
        "fit: the model is not compiled\n"
        '  model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"]) comes first.',
    ),
    "no loss": (lambda: Sequential([Dense(3)]).compile("adam"), ConfigError, "compile: a loss is needed"),
    "unknown loss": (lambda: model("crossentropy"), ConfigError, "there is no loss 'crossentropy'\n  losses: categorical_"),
    "unknown metric": (
        lambda: Sequential([Dense(3)]).compile("adam", SPARSE, ["auk"]), ConfigError, "there is no metric 'auk'\n  metrics: accuracy, ",
    ),
    "unknown optimizer": (lambda: Sequential([]).compile("adan", SPARSE), ConfigError, "there is no optimizer 'adan'"),
    "text": (
        lambda: model().fit([["a"] * 64] * 8, Y),
        DataError,
        "fit: x holds text, not numbers\n  x  str32[8, 64]  LINE\n  Turn the text into numbers first.",
    ),
    "objects": (lambda: model().fit(np.full((8, 64), None), Y), DataError, "fit: x holds objects, not numbers"),
    "sparse rows": (
        lambda: model().fit(csr_array(X), Y), DataError, "fit: x is a csr_array of float64, not an array\n  x.toarray() is the array.",
    ),
    "sparse rows to predict": (lambda: model().predict(csr_array(X)), DataError, "predict: x is a csr_array of float64, not an array"),
    "ragged rows": (lambda: model().fit([[1.0], [1.0, 2.0]], Y), DataError, "fit: x is no array ("),
    "empty": (lambda: model().fit(X[:0], Y[:0]), ShapeError, "fit: x holds no examples\n  x  float64[0, 64]  LINE"),
    "a number": (lambda: model().fit(3.0, Y), ShapeError, "fit: x holds no examples"),
    "NaN": (
        lambda: model().fit(HOLED, Y),
        DataError,
        "fit: x[2, 3] is nan; so 1 of 8 examples cannot be learned from\n"
        "  x  float64[8, 64]  LINE\n"
        "  np.isfinite(x).all(axis=1) says which are whole.",
    ),
    "infinite target": (
        lambda: model("mse", 1).fit(X, np.where(Y == 2, np.inf, Y)), DataError, "fit: y[2] is inf; so 2 of 8 examples cannot",
    ),
    "lengths": (lambda: model().fit(X, Y[:7]), ShapeError, "fit: 8 examples of x meet 7 of y"),
    "no targets": (lambda: model().fit(X), DataError, "fit: y is missing"),
    "labels out of range": (
        lambda: model().fit(X, Y + 1),
        DataError,
        "fit: labels from 1 to 3 meet 3 classes of the layer dense_1 (Dense)\n"
        "  y           int64[8]       LINE\n"
        "  prediction  float32[?, 3]  LINE\n"
        "  Labels are 0 to 2. For more, the last layer needs 4 units.",
    ),
    "labels below 0": (lambda: model().fit(X, Y - 1), DataError, "fit: labels from -1 to 1 meet 3 classes"),
    "float labels": (
        lambda: model().fit(X, Y.astype(float)),
        DataError,
        "fit: sparse_categorical_crossentropy takes integer labels; y is float64\n"
        "  y           float64[8]     LINE\n"
        "  prediction  float32[?, 3]  LINE\n"
        '  y.astype("int64") has the same values.',
    ),
    "numbers as labels": (
        lambda: model().fit(X, Y + 0.5), DataError, 'y is float64\n  y           float64[8]     LINE\n  prediction  float32[?, 3]  LINE\n  For other numbers there is loss="mean_squared_error".',
    ),
    "one-hot labels": (
        lambda: model().fit(X, np.eye(3)[Y]),
        ShapeError,
        "fit: sparse_categorical_crossentropy takes one label an example\n"
        "  y           float64[8, 3]  LINE\n"
        "  prediction  float32[?, 3]  LINE\n"
        '  Rows of probabilities, or of 0 and 1, are for loss="categorical_crossentropy".',
    ),
    "labels without a loss for them": (
        lambda: model("mse").fit(X, Y),
        ShapeError,
        "fit: y does not have the shape of what the layer dense_1 (Dense) predicts\n"
        "  y           int64[8]       LINE\n"
        "  prediction  float32[?, 3]  LINE\n"
        '  Labels are for loss="sparse_categorical_crossentropy".',
    ),
    "binary targets": (
        lambda: model("binary_crossentropy", 1).fit(X, Y),
        DataError,
        "fit: binary_crossentropy takes targets from 0 to 1; y has 0 to 2",
    ),
    "a dense layer without a shape": (lambda: Sequential([Dense(3)]).save("nowhere"), ConfigError, "no parameters yet"),
    "a convolution over rows": (
        lambda: Sequential([Input((64,)), nn.Conv2D(4, 3)]),
        ShapeError,
        "Conv2D(4, (3, 3), name='conv2d'): takes images[n, rows, columns, channels]; x has 2 axes\n"
        "  x                                 float32[?, 64]\n"
        "  Conv2D(4, (3, 3), name='conv2d')                  LINE",
    ),
    "a shape that does not fill": (
        lambda: Sequential([Input((64,)), nn.Reshape((5, 13))]), ShapeError, "Reshape((5, 13)): 64 numbers of an example do not fill (5, 13)",
    ),
    "integers for an embedding": (
        lambda: Sequential([Input((64,)), nn.Embedding(9, 2), Flatten(), Dense(1)]).predict(X),
        DataError,
        "predict: the layer embedding (Embedding) takes integers, x holds float64",
    ),
    "a layer's class": (
        lambda: Sequential([Dense]),  # type: ignore[list-item]  # the mistake
        ConfigError, "is no layer\n  Layers are made first: Dense(10), not Dense.",
    ),
    "a callback's class": (
        lambda: model().fit(X, Y, callbacks=[nn.TerminateOnNaN]),  # type: ignore[list-item]  # as above
        ConfigError, "is no callback\n  Callbacks are objects of subclasses of symdl.nn.Callback.",
    ),
    "too much held out": (
        lambda: model().fit(X, Y, validation_split=0.99), ConfigError, "validation_split 0.99 of 8 examples leaves 0 to train on",
    ),
    "validation data alone": (
        lambda: model().fit(X, Y, validation_data=[X]), ConfigError, "fit: validation_data is (x, y), or (x, y, weights)",
    ),
    "weights of examples": (
        lambda: model().fit(X, Y, sample_weight=np.ones(7)), ShapeError, "fit: 8 examples meet weights float64[7]",
    ),
    "weights below 0": (
        lambda: model().fit(X, Y, sample_weight=-np.ones(8)), DataError, "fit: weights must be finite and not negative",
    ),
    "no such layer": (lambda: model().get_layer("top"), ConfigError, "there is no layer 'top'\n  layers: dense, dense_1"),
    "labels to rows": (lambda: nn.to_categorical([0, 3], 3), DataError, "to_categorical: labels from 0 to 3 meet 3 classes"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_messages(case: str) -> None:
    wrong, error, text = CASES[case]
    with pytest.raises(error) as caught:
        wrong()
    message = str(caught.value)
    lines = [
        part.strip() for line in message.splitlines() for part in line.split("  ") if "test_keras_errors.py:" in part
    ]
    for line in lines:
        message = message.replace(line, "LINE")
    assert text in message


def test_the_lines_are_the_users() -> None:
    net = Sequential([Input((64,)), Dense(5)])
    with pytest.raises(ShapeError) as caught:
        net.predict(X[:, :63])
    (_, _, of_x), (_, _, of_layer) = caught.value.parts
    here = test_the_lines_are_the_users.__code__.co_firstlineno
    assert (of_x, of_layer) == (f"test_keras_errors.py:{here + 3}", f"test_keras_errors.py:{here + 1}")


def test_class_weights_are_a_dict_and_one_callback_needs_no_list() -> None:
    model = Sequential([Input((4,)), Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.zeros((6, 4)), np.arange(6) % 3
    with pytest.raises(DataError, match="class_weight is 'balanced', not a dict"):
        model.fit(x, y, class_weight="balanced", verbose=0)  # type: ignore[arg-type]  # what scikit-learn takes
    seen: list[int] = []
    model.fit(x, y, epochs=1, verbose=0, callbacks=LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch)))
    assert seen == [0]
