"""Starting from a trained network: what is taken over, what stays, what moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from symdl.datasets import digits_split, few_labels
from symdl.errors import ConfigError
from symdl.extras import installed
from symdl.zoo import MLP, LeNet, load
from symdl.zoo.transfer import ALL, transferred, weights

pytestmark = pytest.mark.skipif(
    not (installed("sklearn") and installed("safetensors")), reason="digits and weights files need symdl[zoo]"
)


@pytest.fixture(scope="module")
def source() -> LeNet:
    """A LeNet that has seen zeros to fours."""
    split = digits_split()
    low = split.y_train < 5
    model = LeNet(classes=5, filters=(4, 6), hidden=16, activation="relu", epochs=6)
    model.fit(split.x_train[low], split.y_train[low], verbose=0)
    return model


def high() -> tuple[np.ndarray, np.ndarray]:
    split = digits_split()
    few = few_labels(split.x_train[split.y_train >= 5], split.y_train[split.y_train >= 5] - 5, 8)
    return few.x, few.y


def bits(model: LeNet) -> dict[str, list[bytes]]:
    return {str(layer.name): [w.get_value().tobytes() for w in weights(layer)] for layer in model.model.layers}


def test_frozen_layers_stay_bit_equal_and_the_others_move(source: LeNet) -> None:
    model = transferred(source, frozen=["conv0", "conv1"], epochs=3)
    before, of_source = bits(model), bits(source)
    assert {name for name in before if before[name] and before[name] == of_source[name]} == {"conv0", "conv1", "hidden"}
    model.fit(*high(), verbose=0)
    after = bits(model)
    assert {name for name in after if after[name] and after[name] == before[name]} == {"conv0", "conv1"}
    assert bits(source) == of_source
    assert [layer.trainable for layer in source.model.layers] == [True] * len(source.model.layers)


def test_all_but_the_head_frozen_is_a_linear_classifier_of_features(source: LeNet) -> None:
    model = transferred(source, frozen=ALL, epochs=3)
    before = bits(model)
    model.fit(*high(), verbose=0)
    after = bits(model)
    assert [name for name in after if after[name] != before[name]] == ["top"]


def test_a_longer_head_begins_anew(source: LeNet) -> None:
    model = transferred(source, head=2)
    taken = [name for name, own in bits(model).items() if own and own == bits(source)[name]]
    assert taken == ["conv0", "conv1"]


def test_other_classes_and_a_model_from_a_file(source: LeNet, tmp_path: Path) -> None:
    source.save(tmp_path / "lenet.safetensors")
    loaded = load(tmp_path / "lenet.safetensors")
    assert isinstance(loaded, LeNet)
    model = transferred(loaded, classes=3, frozen="conv0", epochs=2)
    x, y = high()
    model.fit(x[y < 3], y[y < 3], verbose=0)
    assert model.predict_proba(x).shape == (40, 3)
    assert bits(model)["conv0"] == bits(source)["conv0"]
    model.save(tmp_path / "fine.safetensors")
    again = load(tmp_path / "fine.safetensors")
    assert isinstance(again, LeNet)
    assert np.array_equal(again.predict_proba(x), model.predict_proba(x))


def test_two_fits_give_the_same_bits(source: LeNet) -> None:
    model = transferred(source, epochs=2)
    model.fit(*high(), verbose=0)
    first = bits(model)
    model.fit(*high(), verbose=0)
    assert bits(model) == first


def test_what_is_refused(source: LeNet) -> None:
    with pytest.raises(ConfigError, match="no layer top is taken over"):
        transferred(source, frozen=["conv0", "top"])
    with pytest.raises(ConfigError, match="do not fit the new model"):
        transferred(source, filters=(4, 7))


def test_it_serves_other_networks() -> None:
    source = MLP(sizes=(64, 12, 8, 10))
    model = transferred(source, sizes=(64, 12, 8, 3), frozen="layer0")
    assert [p.get_value().shape for p in model.trainer.objective.parameters] == [(12, 8), (8,), (8, 3), (3,)]
    np.testing.assert_array_equal(model.parameters[0].get_value(), source.parameters[0].get_value())
