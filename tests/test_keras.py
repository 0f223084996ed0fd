"""The face that Keras' users know: compile, fit, evaluate, predict, freezing, weights, files, a custom loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
import symdl.tensor as T
from symdl import nn
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.interop import safetensors
from symdl.nn import (
    SGD,
    Adam,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    Sequential,
    load_model,
)

needs_safetensors = pytest.mark.skipif(
    not symdl.extras.installed("safetensors"), reason="files need safetensors: pip install symdl[zoo]"
)
Y = np.arange(60) % 3
X = (np.random.default_rng(0).standard_normal((60, 4)) / 4 + 2 * np.eye(3, 4)[Y]).astype(np.float32)


def clouds(**compiled: Any) -> Sequential:
    model = Sequential([Input((4,)), Dense(8, "tanh"), Dense(3, "softmax")])
    model.compile(
        **{"optimizer": Adam(0.05), "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **compiled}
    )
    return model


@pytest.fixture(scope="module")
def fitted() -> Sequential:
    model = clouds()
    model.fit(X, Y, epochs=8, batch_size=16, verbose=0)
    return model


def test_it_learns_and_reports(fitted: Sequential) -> None:
    loss, accuracy = fitted.evaluate(X, Y)
    p = fitted.predict(X)
    assert p.dtype == np.float32
    assert accuracy == (p.argmax(axis=1) == Y).mean() == 1
    assert loss == pytest.approx(-np.log(p[np.arange(60), Y]).mean(), rel=1e-5)
    assert fitted.evaluate(X, Y, return_dict=True) == {"loss": loss, "accuracy": accuracy}
    assert fitted.metrics_names == ["loss", "accuracy"]
    np.testing.assert_array_equal(fitted.predict(X[:1]), p[:1])
    np.testing.assert_array_equal(fitted(X), p)
    np.testing.assert_array_equal(fitted.predict(np.tile(X, (40, 1))), np.tile(p, (40, 1)))  # more than one piece


def test_layers_one_at_a_time_and_shapes_from_the_first_data() -> None:
    model = Sequential()
    model.add(Dense(8, activation="tanh", input_dim=4))
    model.add(Dense(3, activation="softmax"))
    assert (model.input_shape, model.output_shape) == ((4,), (None, 3))
    late = Sequential([Dense(8, "tanh"), Dense(3, "softmax")])
    with pytest.raises(ConfigError, match="no parameters yet"):
        late.save_weights("nowhere")
    late.compile("sgd", "sparse_categorical_crossentropy")
    assert isinstance(late.evaluate(X, Y), float)  # the loss alone
    for a, b in zip(model.get_weights(), late.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # one seed


@pytest.mark.parametrize(
    ("loss", "last", "y", "metric"),
    [
        ("sparse_categorical_crossentropy", Dense(3, "softmax"), Y, "categorical"),
        ("sparse_categorical_crossentropy", Dense(3, "softmax"), Y[:, None], "categorical"),
        ("categorical_crossentropy", Dense(3, "softmax"), nn.to_categorical(Y), "categorical"),
        (nn.losses.SparseCategoricalCrossentropy(from_logits=True), Dense(3), Y, "categorical"),
        (nn.losses.CategoricalCrossentropy(from_logits=True), Dense(3), nn.to_categorical(Y), "categorical"),
        ("binary_crossentropy", Dense(1, "sigmoid"), Y == 1, "binary"),
        ("binary_crossentropy", Dense(1, "sigmoid"), (Y == 1)[:, None].astype(float), "binary"),
        (nn.losses.BinaryCrossentropy(from_logits=True), Dense(1), Y == 1, "logits"),
    ],
)
def test_losses_targets_and_the_accuracy_that_fits(loss: Any, last: Dense, y: Any, metric: str) -> None:
    model = Sequential([Dense(8, "tanh"), Dense(**{**last.given, "name": "last"})])
    model.compile(Adam(0.05), loss, metrics=["accuracy"])
    history = model.fit(X, y, epochs=15, batch_size=16, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 2
    p = model.predict(X)
    if metric == "categorical":
        right = p.argmax(axis=1) == Y
    else:
        right = (p[:, 0] > (0 if metric == "logits" else 0.5)) == (Y == 1)
    assert model.evaluate(X, y)[1] == pytest.approx(right.mean())


def test_regression_with_regularizers_reports_what_is_made_small() -> None:
    target = X @ np.array([1.0, -2, 0.5, 0]) + 0.25
    model = Sequential([Input((4,)), Dense(1, kernel_regularizer=nn.regularizers.l2(0.1), bias_regularizer="l1")])
    model.compile(Adam(0.1), "mse", metrics=["mae"])
    loss, mae = model.evaluate(X, target)
    W, b = model.get_weights()
    r = X @ W[:, 0] + b - target
    assert loss == pytest.approx((r**2).mean() + 0.1 * (W**2).sum() + 0.01 * np.abs(b).sum(), rel=1e-5)
    assert mae == pytest.approx(np.abs(r).mean(), rel=1e-5)
    first = model.train_on_batch(X, target, return_dict=True)
    assert first == {"loss": pytest.approx(loss, rel=1e-5), "mae": pytest.approx(mae, rel=1e-5)}
    assert model.train_on_batch(X, target)[0] < loss


def test_validation_split_is_the_end_before_shuffling() -> None:
    model = clouds(optimizer=SGD(0.0))
    history = model.fit(X, Y, epochs=1, validation_split=0.25, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(X[45:], Y[45:])[0], rel=1e-6)
    assert history["loss"][0] == pytest.approx(model.evaluate(X[:45], Y[:45])[0], rel=1e-6)


def test_weights_of_examples_and_classes() -> None:
    weights = np.linspace(0, 2, 60)
    model = clouds(optimizer=SGD(0.0))
    p = model.predict(X)
    losses = -np.log(p[np.arange(60), Y])
    common: dict[str, Any] = {"epochs": 1, "batch_size": 60, "verbose": 0}
    history = model.fit(X, Y, sample_weight=weights, validation_data=(X, Y, weights), **common).history
    expected = (weights * losses).mean()
    assert history["loss"] == history["val_loss"] == [pytest.approx(expected, rel=1e-5)]
    assert history["accuracy"] == [pytest.approx((p.argmax(axis=1) == Y).mean())]
    assert model.evaluate(X, Y, sample_weight=weights)[0] == pytest.approx(expected, rel=1e-5)
    history = model.fit(X, Y, class_weight={0: 3.0, 2: 0.5}, **common).history
    assert history["loss"] == [pytest.approx((np.array([3, 1, 0.5])[Y] * losses).mean(), rel=1e-5)]


def test_fits_follow_one_another_as_in_keras() -> None:
    one, two = clouds(), clouds()
    whole = one.fit(X, Y, epochs=4, verbose=0)
    first = two.fit(X, Y, epochs=1, verbose=0)
    rest = two.fit(X, Y, initial_epoch=1, epochs=4, verbose=0)
    assert (whole.epoch, first.epoch, rest.epoch) == ([0, 1, 2, 3], [0], [1, 2, 3])
    assert first.history["loss"] + rest.history["loss"] == whole.history["loss"]
    assert two.history is rest
    assert two.fit(X, Y, epochs=2, verbose=0).epoch == [0, 1]  # two more


def test_a_frozen_layer_keeps_its_bits_and_is_taken_up_again() -> None:
    model = Sequential([Input((4,)), Dense(8, "tanh"), BatchNormalization(), Dense(3, "softmax")])
    model.compile(Adam(0.05), "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=1, verbose=0)
    for layer in model.layers[:2]:
        layer.trainable = False
    before = [w.tobytes() for w in model.get_weights()]
    model.fit(X, Y, epochs=2, verbose=0)
    after = [w.tobytes() for w in model.get_weights()]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True] * 6 + [False] * 2
    assert [str(w.name) for w in model.trainable_weights] == ["dense_1.W", "dense_1.b"]
    assert len(model.non_trainable_weights) == 6
    model.trainable = True
    model.fit(X, Y, epochs=1, verbose=0)
    assert all(a != b.tobytes() for a, b in zip(after, model.get_weights(), strict=True))


def test_batch_normalization_moves_its_means_in_training_only() -> None:
    model = Sequential([Input((4,)), BatchNormalization(momentum=0.5)])
    model.compile(SGD(0.0), "mse")
    model.fit(X, X, epochs=1, batch_size=60, verbose=0)
    gamma, beta, mean, variance = model.get_weights()
    np.testing.assert_allclose(mean, 0.5 * X.mean(axis=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(variance, 0.5 + 0.5 * X.var(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.predict(X), (X - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-5)
    assert (gamma.tolist(), beta.tolist()) == ([1] * 4, [0] * 4)


def test_weights_in_and_out() -> None:
    model = Sequential([Input((6, 6, 2)), Conv2D(3, (2, 4)), Flatten(), Dense(2)])
    weights = model.get_weights()
    assert [w.shape for w in weights] == [(2, 4, 2, 3), (3,), (45, 2), (2,)]  # Keras' axes
    other = Sequential([Input((6, 6, 2)), Conv2D(3, (2, 4)), Flatten(), Dense(2)], rng=7)
    x = np.random.default_rng(1).standard_normal((3, 6, 6, 2))
    assert not np.array_equal(other.predict(x), model.predict(x))
    other.set_weights(weights)
    np.testing.assert_array_equal(other.predict(x), model.predict(x))
    with pytest.raises(ShapeError, match=r"do not fit the layer dense \(Dense\)\n  dense\.W  takes \[45, 2\]"):
        other.set_weights([*weights[:2], weights[2].T, weights[3]])
    with pytest.raises(ShapeError, match="3 arrays meet the 4"):
        other.set_weights(weights[:3])
    np.testing.assert_array_equal(other.predict(x), model.predict(x))  # all or nothing


def test_models_inside_models_and_a_loss_of_ones_own() -> None:
    def my_loss(y_true: Any, y_pred: Any) -> Any:
        return T.mean((y_true - y_pred) ** 4, axis=-1)

    encoder = Sequential([Dense(2, "tanh")], name="encoder")
    model = Sequential([Input((4,)), encoder, Sequential([Dense(4)], name="decoder")])
    model.compile(Adam(0.02), my_loss, metrics=[my_loss])
    assert [p.name for p in model.parameters] == [f"{part}.dense.{w}" for part in ("encoder", "decoder") for w in "Wb"]
    history = model.fit(X, X, epochs=20, verbose=0).history
    assert list(history) == ["loss", "my_loss"]
    assert history["loss"][-1] < history["loss"][0] / 2
    np.testing.assert_array_equal(encoder.predict(X), encoder(X))
    assert encoder(X).shape == (60, 2)


def test_a_loss_of_ones_own_takes_labels_and_columns() -> None:
    def looked_up(y_true: Any, y_pred: Any) -> Any:
        return -T.log(y_pred[T.arange(y_pred.shape[0]), y_true])

    def squared(y_true: Any, y_pred: Any) -> Any:
        return T.mean((y_true - y_pred) ** 2, axis=-1)

    labels = np.argmax(X, axis=1)
    found = []
    for loss in (looked_up, "sparse_categorical_crossentropy"):
        model = Sequential([Input((4,)), Dense(4, "softmax")])
        model.compile(Adam(0.05), loss)
        found.append(model.fit(X, labels, epochs=4, verbose=0).history["loss"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    for targets in (labels, labels[:, None]):
        model = Sequential([Input((4,)), Dense(1)])
        model.compile("adam", squared, metrics=[squared])
        model.fit(X, targets, verbose=0)
        right = ((model.predict(X)[:, 0] - labels) ** 2).mean()
        np.testing.assert_allclose(model.evaluate(X, targets), [right, right], rtol=1e-5)


def test_a_summary_before_and_after_there_are_shapes(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential([Dense(3), Dropout(0.5)], name="small")
    model.summary()
    assert "dense (Dense)     │ ?            │ 0 (unbuilt)" in capsys.readouterr().out
    model.predict(X)
    model.layers[0].trainable = False
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert lines[0] == (
        'Model: "small"\n'
        "┏━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━┓\n"
        "┃ Layer (type)      ┃ Output Shape ┃ Param # ┃\n"
        "┡━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━┩\n"
        "│ dense (Dense)     │ (None, 3)    │      15 │\n"
        "├───────────────────┼──────────────┼─────────┤\n"
        "│ dropout (Dropout) │ (None, 3)    │       0 │\n"
        "└───────────────────┴──────────────┴─────────┘\n"
        " Total params: 15 (60.00 B)\n"
        " Trainable params: 0 (0.00 B)\n"
        " Non-trainable params: 15 (60.00 B)"
    )
    assert model.count_params() == 15


# ---- files ----


@needs_safetensors
def test_a_saved_model_comes_back_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    layers: list[nn.Layer | Input] = [
        Input((6, 6, 1)),
        Conv2D(4, 3, padding="same", activation="relu", kernel_regularizer=nn.L1L2(0, 1e-3)),
        MaxPooling2D(2),
        Flatten(),
        Sequential([Dense(5, kernel_initializer=nn.RandomNormal(0, 0.1)), BatchNormalization(), Dropout(0.1)]),
        Dense(3, "softmax", trainable=False, name="top"),
    ]
    x = np.random.default_rng(0).standard_normal((60, 6, 6, 1))
    model = Sequential(layers, name="net")
    model.compile(Adam(nn.ExponentialDecay(0.01, 10, 0.9)), nn.losses.SparseCategoricalCrossentropy(), ["accuracy"])
    model.fit(x, Y, epochs=2, verbose=0)
    model.save(file)
    again = load_model(file)
    assert (again.name, again.input_shape, repr(again)) == ("net", (6, 6, 1), repr(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.evaluate(x, Y) == model.evaluate(x, Y)
    assert [p.name for p in again.trainable_weights] == [p.name for p in model.trainable_weights]
    assert again.optimizer == model.optimizer
    whole = safetensors.load(file)[0]
    again.save(file)  # the optimizer's state, too
    assert all(np.array_equal(whole[name], value) for name, value in safetensors.load(file)[0].items())
    first, second = (m.fit(x, Y, epochs=1, batch_size=60, shuffle=False, verbose=0).history for m in (model, again))
    assert first["loss"][0] == pytest.approx(second["loss"][0], rel=0.2)  # the masks of dropout differ


@needs_safetensors
def test_a_trained_model_is_the_beginning_of_another(tmp_path: Path, fitted: Sequential) -> None:
    """Its layers in a new model, or itself as a layer; frozen, they keep their bits, and both models can be saved."""
    fitted.save(tmp_path / "base")
    for nested in (False, True):
        base = load_model(tmp_path / "base")
        base.trainable = False
        before = [w.tobytes() for w in base.get_weights()]
        model = Sequential([Input((4,)), *([base] if nested else base.layers[:-1]), Dense(2, "softmax")])
        model.compile(Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
        stopping = nn.EarlyStopping("loss", restore_best_weights=True)
        history = model.fit(X, Y % 2, epochs=10, callbacks=[stopping], verbose=0).history
        assert history["loss"][-1] < history["loss"][0]
        assert [w.tobytes() for w in base.get_weights()] == before
        names = [name for name, _ in model.named()]
        assert names == [str(p.name) for p in model.parameters]
        assert len(set(names)) == len(names)
        for one, path in ((model, tmp_path / "whole"), (base, tmp_path / "part")):
            one.save(path)
            np.testing.assert_array_equal(load_model(path).predict(X), one.predict(X))
            one.load_weights(path)


@needs_safetensors
def test_weights_alone(tmp_path: Path, fitted: Sequential) -> None:
    fitted.save_weights(tmp_path / "w.safetensors")
    other = clouds()
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other.predict(X), fitted.predict(X))
    with pytest.raises(DataError, match="is no saved model: its format is 'symdl model 1 weights'"):
        load_model(tmp_path / "w.safetensors")


@needs_safetensors
def test_files_from_strangers_are_checked(tmp_path: Path, fitted: Sequential) -> None:
    file = tmp_path / "m.safetensors"
    fitted.save(file)
    arrays, metadata = safetensors.load(file)
    config = json.loads(metadata["symdl.config"])
    model = config["model"]

    def refused(**changes: Any) -> str:
        changed = config | {"model": model | {"settings": model["settings"] | changes}}
        safetensors.save(file, arrays, {**metadata, "symdl.config": json.dumps(changed)})
        with pytest.raises(DataError) as caught:
            load_model(file)
        return str(caught.value)

    def first(**settings: Any) -> list[Any]:
        entry, last = model["settings"]["layers"]
        return [entry | {"settings": entry["settings"] | settings}, last]

    assert "there is no layer 'os.system'" in refused(layers=[{"class": "os.system", "settings": {}}])
    assert "dense.W  float32[4, 8] in the file  float32[4, 1000000000000] in the model" in refused(
        layers=first(units=10**12)
    )
    assert "describe no model" in refused(layers=first(units="8"))
    assert "describe no model" in refused(layers=first(activation="eval"))
    assert "describe no model" in refused(layers=first(command="rm"))
    assert "there is no 'Popen' among" in refused(layers=first(kernel_regularizer={"class": "Popen", "settings": {}}))
    assert "dtype 'object'" in refused(layers=first(dtype="object"))
    assert "examples of shape [-4]" in refused(input=[[-4], "float32"])
    assert "no list of layers" in refused(layers=[{"class": "Sequential", "settings": {"layers": 3}}])
    nest: Any = {"class": "Sequential", "settings": {"layers": []}}
    for _ in range(30):
        nest = {"class": "Sequential", "settings": {"layers": [nest]}}
    assert "too deep" in refused(layers=[nest])
    assert "dense_1.W  float32[8, 3] in the file  nothing in the model" in refused(
        layers=model["settings"]["layers"][:1]
    )
    del model["settings"]["layers"][0]["class"]
    assert "there is no layer None" in refused()
    safetensors.save(file, arrays, {**metadata, "symdl.config": "{"})
    with pytest.raises(DataError, match="describe no model"):
        load_model(file)


@needs_safetensors
def test_what_a_file_cannot_hold(tmp_path: Path) -> None:
    model = Sequential([Input((4,)), Dense(3, T.tanh), Dense(3, lambda z: z * z)])
    with pytest.raises(ConfigError, match=r"save: the layer dense_1 \(Dense\): activation is <function"):
        model.save(tmp_path / "m")
    model = Sequential([Input((4,)), Dense(3, T.tanh)])
    model.compile("sgd", lambda prediction, target: (prediction - target) ** 2)
    with pytest.warns(UserWarning, match="save: the loss is <function .* compile the model again"):
        model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    with pytest.raises(ConfigError, match="the model is not compiled"):
        again.fit(X, X)


class Doubled(nn.Layer):
    """2 x."""

    kind = "doubled"

    def call(self, x: Any, training: Any) -> Any:
        return 2 * x


@needs_safetensors
def test_layers_of_ones_own_are_named_when_a_file_is_read(tmp_path: Path) -> None:
    model = Sequential([Input((4,)), Dense(3), Doubled()])
    model.save(tmp_path / "m")
    with pytest.raises(DataError, match="there is no layer 'Doubled'"):
        load_model(tmp_path / "m")
    again = load_model(tmp_path / "m", custom_objects={"Doubled": Doubled})
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
