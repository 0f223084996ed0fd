"""The models of the zoo: they learn, they say what does not fit, and their weights survive a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
from symdl.datasets import digits_split
from symdl.errors import ConfigError, DataError, ShapeError
from symdl.graph.walks import topological
from symdl.interop import safetensors
from symdl.nn import confusion, confusion_text
from symdl.nn.weights import values
from symdl.zoo import DIGITS, MLP, MNIST, load

needs_safetensors = pytest.mark.skipif(
    not symdl.extras.installed("safetensors"), reason="weights files need safetensors: pip install symdl[zoo]"
)
needs_sklearn = pytest.mark.skipif(
    not symdl.extras.installed("sklearn"), reason="the digits come with scikit-learn: pip install symdl[zoo]"
)
Y = np.arange(60) % 3
X = np.random.default_rng(0).standard_normal((60, 4)) / 4 + 2 * np.eye(3, 4)[Y]


def small(**changes: Any) -> MLP:
    return MLP(**{"sizes": (4, 8, 3), "learning_rate": 0.05, "epochs": 10, **changes})


@pytest.fixture(scope="module")
def fitted() -> MLP:
    model = small()
    model.fit(X, Y, verbose=0)
    return model


def test_it_learns_three_clouds(fitted: MLP) -> None:
    assert fitted.score(X, Y) == 1
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (60, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(fitted.predict(X), Y)
    assert fitted.confusion(X, Y).tolist() == [[20, 0, 0], [0, 20, 0], [0, 0, 20]]


@needs_sklearn
def test_the_digits_default_learns_the_digits() -> None:
    """A quarter of the epochs, one seed; `symdl train mlp --seeds 0-4` measures the default itself."""
    split = digits_split(0)
    model = MLP(epochs=10)
    model.fit(split.x_train, split.y_train, verbose=0)
    assert model.config.sizes == (64, 100, 10)
    assert model.score(split.x_test, split.y_test) >= 0.96


def test_the_configurations_are_the_published_ones() -> None:
    assert (DIGITS.sizes, DIGITS.activation, DIGITS.optimizer) == ((64, 100, 10), "relu", "adam")
    assert (MNIST.sizes, MNIST.activation, MNIST.optimizer) == ((784, 512, 128, 10), "sigmoid", "adam")
    assert (MNIST.batch_size, MNIST.epochs) == (256, 20)
    shapes = [p.get_value().shape for p in MLP(MNIST).model.parameters]
    assert shapes == [(784, 512), (512,), (512, 128), (128,), (128, 10), (10,)]


def test_fit_starts_afresh_and_depends_on_its_seed_only(fitted: MLP) -> None:
    again, other = small(), small(seed=1)
    for _ in range(2):
        again.fit(X, Y, verbose=0)
    other.fit(X, Y, verbose=0)
    expected = values(fitted.model.parameters)
    assert all(np.array_equal(v, expected[n]) for n, v in values(again.model.parameters).items())
    assert not np.array_equal(values(other.model.parameters)["layer0.W"], expected["layer0.W"])


def test_dropout_and_depth_and_dtype() -> None:
    model = small(sizes=(4, 8, 6, 3), dropout=0.2, dtype="float64", activation="tanh", optimizer="rmsprop")
    history = model.fit(X, Y, validation=(X, Y), verbose=0)
    assert history.history["val_accuracy"][-1] > 0.9
    assert model.predict_proba(X).dtype == np.float64
    drawn = {n for n in topological(*model.trainer._step.graph.roots) if n.op.name == "random_word32"}
    assert len(drawn) == 2


def test_images_lists_and_a_single_example_are_taken(fitted: MLP) -> None:
    images = X.reshape(60, 2, 2)
    np.testing.assert_array_equal(fitted.predict(images), fitted.predict(X))
    np.testing.assert_array_equal(fitted.predict(X.tolist()), fitted.predict(X))
    np.testing.assert_array_equal(fitted.predict(np.asfortranarray(X)), fitted.predict(X))
    assert fitted.predict(X[7]).tolist() == [Y[7]]


def test_more_rows_than_one_evaluation_takes(fitted: MLP) -> None:
    many = np.tile(X, (40, 1))  # 2400 rows
    np.testing.assert_array_equal(fitted.predict(many), np.tile(Y, 40))


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            X[:, :3],
            ShapeError,
            "predict: 3 features of x meet 4 inputs of the model\n"
            "  x         float64[60, 3]\n  layer0.W  float32[4, 8]",
        ),
        (X[:0], ShapeError, "predict: x has no rows of 4 features"),
        (3.0, ShapeError, "predict: x has no rows of 4 features"),
        ([["a"] * 4], DataError, "predict: x holds <U1, not numbers"),
        (np.where(np.arange(240).reshape(60, 4) == 9, np.nan, X), DataError, "predict: x[2, 1] is nan"),
        (X * 100, DataError, "meet a model trained on"),
    ],
)
def test_inputs_that_do_not_fit_are_named(fitted: MLP, x: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        fitted.predict(x)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y + 1, "fit: labels from 1 to 3 meet 3 classes\n  Labels are 0 to 2."),
        (Y - 1, "fit: labels from -1 to 1 meet 3 classes"),
        (Y.astype(float), "fit: y is float64[60]; it must hold one integer label an example"),
        (np.eye(3, dtype=int)[Y], "fit: y is int64[60, 3]; it must hold one integer label an example"),
        (Y[:50], "60 rows of x meet 50 of y"),
    ],
)
def test_labels_that_do_not_fit_are_named(y: Any, message: str) -> None:
    with pytest.raises((DataError, ShapeError)) as caught:
        small().fit(X, y, verbose=0)
    assert message in str(caught.value)


def test_options_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError, match="no option layers\n  options: batch_size, epochs"):
        MLP(layers=3)
    with pytest.raises(ConfigError, match="no activation 'gaelu'"):
        small(activation="gaelu")
    with pytest.raises(ConfigError, match="no optimizer 'lbfgs'"):
        small(optimizer="lbfgs")
    with pytest.raises(ConfigError, match=r"sizes \(4,\)"):
        small(sizes=(4,))
    with pytest.raises(ConfigError, match="neither float32 nor float64"):
        small(dtype="int32")


def test_prediction_needs_training() -> None:
    with pytest.raises(DataError, match="has no trained weights yet\n  Call fit"):
        small().predict(X)


@needs_safetensors
def test_weights_round_trip(tmp_path: Path, fitted: MLP) -> None:
    file = tmp_path / "mlp.safetensors"
    fitted.save(file, data="clouds")
    arrays, metadata = safetensors.load(file)
    assert sorted(arrays) == ["layer0.W", "layer0.b", "layer1.W", "layer1.b"]
    assert metadata["symdl.model"] == "mlp"
    assert metadata["data"] == "clouds"
    assert json.loads(metadata["symdl.config"])["sizes"] == [4, 8, 3]
    for again in (load(file), MLP.load(file)):
        assert isinstance(again, MLP)
        assert again.config == fitted.config
        assert again.predict_proba(X).tobytes() == fitted.predict_proba(X).tobytes()


@needs_safetensors
def test_a_loaded_model_is_trained_from_fresh_weights(tmp_path: Path, fitted: MLP) -> None:
    fitted.save(tmp_path / "mlp.safetensors")
    again = MLP.load(tmp_path / "mlp.safetensors")
    again.fit(X, Y, verbose=0)
    expected = values(fitted.model.parameters)
    assert all(np.array_equal(v, expected[n]) for n, v in values(again.model.parameters).items())


@needs_safetensors
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, fitted: MLP) -> None:
    file = tmp_path / "mlp.safetensors"
    fitted.save(file)
    arrays, metadata = safetensors.load(file)

    def refused(arrays: dict[str, Any], **changes: str) -> str:
        safetensors.save(file, arrays, {**metadata, **changes})
        with pytest.raises(DataError) as caught:
            load(file)
        return str(caught.value)

    text = refused({**arrays, "layer0.W": arrays["layer0.W"].T, "layer1.b": arrays["layer1.b"].astype(float)})
    assert "layer0.W  float32[8, 4] in the file  float32[4, 8] in the model" in text
    assert "layer1.b  float64[3] in the file     float32[3] in the model" in text
    assert "nothing in the file" in refused({n: a for n, a in arrays.items() if n != "layer0.b"})
    assert "nothing in the model" in refused({**arrays, "layer2.W": arrays["layer0.W"]})
    assert "describe no mlp" in refused(arrays, **{"symdl.config": "{"})
    assert "describe no mlp" in refused(arrays, **{"symdl.config": '{"sizes": [4, "8", 3]}'})
    assert "describe no mlp" in refused(arrays, **{"symdl.config": '{"depth": 3}'})
    greedy = refused(arrays, **{"symdl.config": '{"sizes": [4, 1000000000, 3]}'})
    assert "is more than its 67 numbers are for" in greedy
    assert "of the model 'cnn'\n  models: perceptron" in refused(arrays, **{"symdl.model": "cnn"})
    assert "not written by symdl" in refused(arrays, **{"symdl.model": ""})
    assert "holds no weights of the model mlp" in refused(arrays, format="other")


def test_confusion_as_text() -> None:
    table = confusion(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), 3)
    assert table.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert confusion_text(table) == (
        "true\\predicted 0 1 2  recall\n"
        "             0 1 1 .   0.500\n"
        "             1 1 2 .   0.667\n"
        "             2 . . 0       -"
    )


def test_a_config_is_immutable_and_compares_by_value() -> None:
    assert replace(DIGITS, seed=3) == MLP(seed=3).config
    with pytest.raises(AttributeError):
        DIGITS.seed = 1  # type: ignore[misc]
