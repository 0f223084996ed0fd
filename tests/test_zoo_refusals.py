"""What models of the zoo are given in error is named in their own words, not in NumPy's or a file system's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symdl.errors import ConfigError, DataError, ShapeError, SymdlError
from symdl.extras import installed
from symdl.interop import safetensors
from symdl.zoo import DBN, MLP, RBM, VariationalAutoencoder, load
from symdl.zoo.registry import model_in

X = np.random.default_rng(0).random((4, 6)).astype(np.float32)
needs_safetensors = pytest.mark.skipif(not installed("safetensors"), reason="pip install symdl[zoo]")


def mlp(**changes: Any) -> MLP:
    return MLP(**{"sizes": (6, 3), "epochs": 1, **changes})


CASES: dict[str, tuple[Callable[[], object], type[SymdlError], str]] = {
    "rows of different lengths": (
        lambda: mlp().fit([[1, 2], [3]], [0, 1], verbose=0), DataError, "fit: x has rows of different lengths"),
    "a number that is no count": (lambda: mlp(batch_size=1.5), ConfigError, "MLPConfig: batch_size is 1.5, no integer"),
    "a text for a count": (lambda: mlp(epochs="3"), ConfigError, "MLPConfig: epochs is '3', no integer"),
    "a truth for a count": (lambda: mlp(epochs=True), ConfigError, "MLPConfig: epochs is True, no integer"),
    "a text for a number": (lambda: mlp(learning_rate="a"), ConfigError, "MLPConfig: learning_rate is 'a', no number"),
    "a number for a text": (lambda: mlp(activation=3), ConfigError, "MLPConfig: activation is 3, no text"),
    "a number for several": (lambda: mlp(sizes=64), ConfigError, "MLPConfig: sizes is 64, no tuple"),
    "a number for a truth": (lambda: DBN(frozen=2), ConfigError, "DBNConfig: frozen is 2, neither True nor False"),
    "a seed below 0": (lambda: mlp(seed=-1), ConfigError, "MLPConfig: seed -1 is below 0"),
    "a rate that is no number": (
        lambda: mlp(learning_rate=float("nan")), ConfigError, "adam: learning_rate is NaN"),
    "no samples": (
        lambda: RBM(sizes=(6, 2)).sample(-1), ConfigError, "sample: -1 samples; there must be at least 1"),
    "no samples of a belief network": (
        lambda: DBN(sizes=(6, 2, 2, 2)).sample(0), ConfigError, "sample: 0 samples; there must be at least 1"),
    "no images": (
        lambda: VariationalAutoencoder(features=6).sample(0), ConfigError, "sample: 0 samples; there must be at least 1"),
    "codes of another length": (
        lambda: VariationalAutoencoder(features=6, code=2).inverse_transform(X), ShapeError,
        "inverse_transform: codes of shape (4, 6) are not [n, 2]"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_named(case: str) -> None:
    do, kind, message = CASES[case]
    with pytest.raises(kind) as caught:
        do()
    assert str(caught.value).splitlines()[0] == message


def test_numbers_of_numpy_are_numbers() -> None:
    model = mlp(sizes=(np.int64(6), np.int32(3)), batch_size=np.int64(2), learning_rate=np.float32(0.5))
    assert model.config == mlp(batch_size=2, learning_rate=0.5).config
    assert type(model.config.batch_size) is type(model.config.sizes[0]) is int


@needs_safetensors
def test_files(tmp_path: Path) -> None:
    model = mlp()
    with pytest.raises(DataError, match=r"^save: there is no folder .*nowhere to write x to"):
        model.save(tmp_path / "nowhere" / "x")
    model.save(tmp_path / "x")
    arrays, metadata = safetensors.load(tmp_path / "x")
    safetensors.save(tmp_path / "y", arrays, metadata | {"symdl.range": json.dumps([1])})
    with pytest.raises(DataError, match=r"the metadata of .* describe no mlp"):
        model_in(tmp_path / "y")
    with pytest.raises(DataError, match=r"load: there is no file mlp\n  shipped: .*mlp-digits"):
        load("mlp")
