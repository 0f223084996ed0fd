"""Models whose layers are a graph: several inputs and outputs, shared layers, models inside models, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symdl import nn
from symdl.errors import ConfigError, DataError, ShapeError, SymbolicError
from symdl.extras import installed
from symdl.nn import Dense, Dropout, Embedding, Flatten, Input, Model, Sequential, layers, load_model

rng = np.random.default_rng(0)
A, B = rng.standard_normal((20, 4)).astype(np.float32), rng.standard_normal((20, 3)).astype(np.float32)
Y, Z = np.arange(20) % 2, A[:, :1] - B[:, 1:2]
needs_safetensors = pytest.mark.skipif(not installed("safetensors"), reason="files need safetensors")


def two_by_two() -> Model:
    """A shared layer that is called twice, two inputs, two outputs."""
    a, b = Input((4,), name="a"), Input((3,), name="b")
    first, second = Dense(5, "tanh", name="first"), Dense(5, "tanh", name="second")
    shared = Dense(10, name="shared")
    x = layers.Concatenate(name="joined")([second(b), first(a)])
    y = shared(x)
    kind = Dense(2, "softmax", name="kind")(layers.Add(name="sum")([y, shared(y)]))
    size = Dense(1, name="size")(first(a))
    return Model([a, b], [kind, size], name="two_by_two")


@pytest.fixture(scope="module")
def fitted() -> Model:
    model = two_by_two()
    model.compile(
        nn.Adam(0.01),
        loss={"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"size": 0.5},
        metrics={"kind": ["accuracy"], "size": "mae"},
    )
    model.fit({"a": A, "b": B}, {"kind": Y, "size": Z}, epochs=3, batch_size=8, verbose=0, validation_split=0.2)
    return model


def test_layers_stand_and_the_table_reads_as_in_keras() -> None:
    model = two_by_two()
    names = [layer.name for layer in model.layers]
    assert names == ["second", "first", "joined", "shared", "sum", "kind", "size"]  # as Keras 3.15 has them
    assert model.count_params() == 183
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "Connected to" in lines[0]
    assert "first[0]" in lines[0]
    assert "shared[0], shared[1]" in lines[0]
    assert "a, a" in lines[0]
    assert (model.input_names, model.output_names) == (["a", "b"], ["kind", "size"])


def test_it_computes_what_numpy_does(fitted: Model) -> None:
    (V, c), (W, b), (S, s), (K, k), (R, r) = zip(fitted.get_weights()[::2], fitted.get_weights()[1::2], strict=True)
    first, second = np.tanh(A @ W + b), np.tanh(B @ V + c)
    y = np.concatenate([second, first], axis=1) @ S + s
    z = (y + y @ S + s) @ K + k
    kind, size = fitted.predict([A, B])
    np.testing.assert_allclose(kind, np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(size, first @ R + r, rtol=1e-3, atol=1e-5)


def test_losses_of_all_outputs_are_weighed_and_told_apart(fitted: Model) -> None:
    history = fitted.history
    assert history is not None
    names = ["loss", "kind_loss", "kind_accuracy", "size_loss", "size_mae"]
    assert list(history.history) == [*names, *(f"val_{name}" for name in names)]
    found = fitted.evaluate([A, B], [Y, Z], return_dict=True)
    assert found["loss"] == pytest.approx(found["kind_loss"] + 0.5 * found["size_loss"], rel=1e-5)
    kind, size = fitted.predict({"b": B, "a": A})
    assert found["kind_loss"] == pytest.approx(-np.log(kind[np.arange(20), Y]).mean(), rel=1e-4)
    assert found["size_loss"] == pytest.approx(((size - Z) ** 2).mean(), rel=1e-4)
    assert history.history["loss"][-1] < history.history["loss"][0]


@needs_safetensors
def test_a_file_holds_the_graph_and_goes_on(tmp_path: Path, fitted: Model) -> None:
    fitted.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    for a, b in zip(fitted.predict([A, B]), again.predict([A, B]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.output_names == ["kind", "size"]
    one, two = (m.train_on_batch([A, B], [Y, Z]) for m in (fitted, again))
    assert one == two
    for a, b in zip(fitted.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # the optimizer's state came along


def test_equal_scripts_give_equal_weights_and_layers_unequal_ones() -> None:
    def twins() -> Model:
        a, b = Input((4,)), Input((4,))
        return Model([a, b], layers.Subtract()([Dense(6)(a), Dense(6)(b)]))

    one, two = twins(), twins()
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    W, V = one.get_weights()[::2]
    assert not np.array_equal(W, V)
    assert [layer.name for layer in one.layers] == ["dense", "dense_1", "subtract"]


def test_parts_of_a_model_are_models_that_share_its_weights() -> None:
    x = Input((4,))
    code = Dense(2, "tanh")(x)
    again = Dense(4)(code)
    whole, encoder, decoder = Model(x, again), Model(x, code), Model(code, again)
    np.testing.assert_allclose(decoder.predict(encoder.predict(A)), whole.predict(A), rtol=1e-6)
    stacked = Model(x, decoder(encoder(x)))
    assert {id(p) for p in stacked.parameters} == {id(p) for p in whole.parameters}
    assert whole.layers[0].output is code
    assert whole.layers[1].input is code
    assert Model(whole.input, whole.output).count_params() == whole.count_params()


def test_models_inside_models_and_images_and_words(tmp_path: Path) -> None:
    tower = Sequential([layers.Dense(6, "relu"), Dropout(0.5), layers.Dense(3)], name="tower")
    image, words = Input((4, 1), name="image"), Input((5,), dtype="int32", name="words")
    meaning = Flatten()(Embedding(7, 2)(words))
    joined = layers.Concatenate()([tower(Flatten()(image)), meaning])
    model = Model([image, words], Dense(2, "softmax")(2 * joined - 1))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    numbers = rng.integers(0, 7, (20, 5))
    model.fit([A[..., None], numbers], Y, epochs=1, verbose=0, class_weight={0: 2.0})
    if installed("safetensors"):
        model.save(tmp_path / "m")
        inputs = {"image": A[..., None], "words": numbers}
        np.testing.assert_array_equal(load_model(tmp_path / "m").predict(inputs), model.predict(inputs))
    model.get_layer("tower").trainable = False
    before = model.get_layer("tower").get_weights()
    model.fit([A[..., None], numbers], Y, epochs=1, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_layer("tower").get_weights(), strict=True))


@pytest.mark.parametrize(
    ("layer", "oracle"),
    [
        (layers.Add(), lambda a, b: a + b),
        (layers.Subtract(), lambda a, b: a - b),
        (layers.Multiply(), lambda a, b: a * b),
        (layers.Average(), lambda a, b: (a + b) / 2),
        (layers.Maximum(), np.maximum),
        (layers.Minimum(), np.minimum),
        (layers.Concatenate(axis=1), lambda a, b: np.concatenate([a, b], axis=1)),
        (layers.Dot(axes=1), lambda a, b: np.einsum("nij,nik->njk", a, b)),
        (layers.Dot(axes=(2, 2)), lambda a, b: np.einsum("nij,nkj->nik", a, b)),
    ],
)
def test_merging_layers(layer: nn.Layer, oracle: Any) -> None:
    a, b = rng.standard_normal((2, 5, 3, 3))
    x, y = (nn.layers.Input((3, 3), dtype="float64") for _ in "ab")
    made = Model([x, y], layer([x, y])).predict([a, b])
    np.testing.assert_allclose(made, oracle(a, b), rtol=1e-12)


def test_what_does_not_fit_is_said() -> None:
    a, b = Input((4,), name="a"), Input((3,), name="b")
    joined = layers.Concatenate()([a, b])
    with pytest.raises(ConfigError, match="is not among the inputs, and an output depends on it"):
        Model(a, joined)
    with pytest.raises(ConfigError, match="among the outputs is not what Input or a layer gives"):
        Model(a, Dense(3))
    with pytest.raises(ShapeError, match="its inputs have different shapes"):
        layers.Add()([a, b])
    with pytest.raises(ShapeError, match="takes a list of at least two"):
        layers.Add()(a)
    with pytest.raises(SymbolicError, match="has no value"):
        bool(a)
    with pytest.raises(ConfigError, match="meets what stands for a layer's result"):
        a + np.ones(4)
    model = Model([a, b], [Dense(2, name="kind")(joined), Dense(1, name="size")(joined)])
    with pytest.raises(ConfigError, match="loss names no output sort"):
        model.compile("sgd", {"sort": "mse", "size": "mse"})
    with pytest.raises(ConfigError, match="the output size has no loss"):
        model.compile("sgd", {"kind": "mse"})
    with pytest.raises(ConfigError, match=r"metrics of 1 outputs meet 2: kind, size"):
        model.compile("sgd", "mse", metrics=["mae"])
    model.compile("sgd", "mse")
    with pytest.raises(DataError, match="x is one array, the model has 2: a, b"):
        model.predict(A)
    with pytest.raises(DataError, match="x has no b"):
        model.predict({"a": A})
    with pytest.raises(ShapeError, match="20 examples of a meet 19 of b"):
        model.predict([A, B[1:]])
    with pytest.raises(ShapeError, match=r"b has 4 features"):
        model.predict([A, A])
    with pytest.raises(ConfigError, match="class_weight is for models of one output"):
        model.fit([A, B], [A[:, :2], Z], class_weight={0: 1.0}, verbose=0)
