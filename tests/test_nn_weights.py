"""Weights files hold the very bits they were given, whatever the layout, and are written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl.extras
from symdl.errors import DataError, DtypeError, MissingDependencyError
from symdl.interop import safetensors
from symdl.nn.weights import assign, values
from symdl.runtime.storage import shared

needs_safetensors = pytest.mark.skipif(
    not symdl.extras.installed("safetensors"), reason="weights files need safetensors: pip install symdl[zoo]"
)
BASE = np.arange(12, dtype=np.float32).reshape(3, 4)
LAYOUTS: dict[str, Any] = {
    "C order": BASE,
    "Fortran order": np.asfortranarray(BASE),
    "transposed": BASE.T,
    "strided": BASE[::2, ::3],
    "reversed": BASE[::-1],
    "broadcast": np.broadcast_to(np.float32(7), (3, 4)),
    "big-endian": BASE.astype(">f4"),
    "scalar": np.float32(3),
    "0-d": np.array(5, np.int64),
    "empty": np.zeros((0, 4)),
    "bool": BASE > 3,
}


@needs_safetensors
def test_equal_weights_are_equal_files(tmp_path: Path) -> None:
    """safetensors writes metadata in an order drawn anew for every file."""
    weights = {"b": np.arange(3.0), "a": np.zeros(2, np.int64)}
    said = {f"name{k}": f"ü{k}" for k in range(20)}
    for k in range(3):
        safetensors.save(tmp_path / f"{k}", weights, dict(reversed(said.items())) if k else said)
    first, *others = ((tmp_path / f"{k}").read_bytes() for k in range(3))
    assert others == [first, first]
    assert int.from_bytes(first[:8], "little") % 8 == 0  # so that arrays begin where they are aligned
    arrays, metadata = safetensors.load(tmp_path / "0")
    assert {name: metadata[name] for name in said} == said
    assert {name: array.tolist() for name, array in arrays.items()} == {"a": [0, 0], "b": [0, 1, 2]}


@needs_safetensors
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_round_trips(tmp_path: Path, layout: str) -> None:
    value = np.asarray(LAYOUTS[layout])
    safetensors.save(tmp_path / "w.safetensors", {"W": value}, {"note": "ü"})
    arrays, metadata = safetensors.load(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(arrays["W"], value)
    assert arrays["W"].shape == value.shape
    assert arrays["W"].dtype == value.dtype.newbyteorder("=")
    assert metadata["note"] == "ü"
    assert metadata["symdl.version"]


@needs_safetensors
def test_special_values_keep_their_bits(tmp_path: Path) -> None:
    bits = np.array([0x7FC00001, 0xFF800000, 0x80000000, 1], np.uint32)  # NaN with payload, -inf, -0, subnormal
    safetensors.save(tmp_path / "w", {"W": bits.view(np.float32)})
    assert safetensors.load(tmp_path / "w")[0]["W"].view(np.uint32).tolist() == bits.tolist()


@needs_safetensors
@pytest.mark.parametrize("dtype", ["complex64", "float16", "datetime64[s]", "O"])
def test_dtypes_that_symdl_lacks_are_refused(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(DtypeError, match="save: W has dtype"):
        safetensors.save(tmp_path / "w", {"W": np.zeros(2).astype(dtype)})
    assert list(tmp_path.iterdir()) == []


@needs_safetensors
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "w.safetensors"
    safetensors.save(file, {"W": BASE})
    old = file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataError, match=r"cannot be written .disk full."):
        safetensors.save(file, {"W": BASE + 1})
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]
    assert file.read_bytes() == old


@needs_safetensors
def test_an_overwritten_file_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    safetensors.save(file, {"W": BASE})
    file.chmod(0o640)
    safetensors.save(file, {"W": BASE})
    assert file.stat().st_mode & 0o777 == 0o640


@needs_safetensors
@pytest.mark.parametrize("damage", ["truncated", "trailing", "text", "empty", "missing"])
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "w.safetensors"
    safetensors.save(file, {"W": BASE})
    data = file.read_bytes()
    changed = {"truncated": data[:-1], "trailing": data + b"\0", "text": b"hello, world", "empty": b""}
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(changed[damage])
    with pytest.raises(DataError, match=r"load: .*w\.safetensors"):
        safetensors.load(file)


def test_safetensors_missing_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symdl.extras, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'saving weights: .*\n  pip install "symdl\[zoo\]"'):
        safetensors.save(tmp_path / "w", {"W": BASE})


def test_assign_is_all_or_nothing() -> None:
    W, b = shared(np.zeros((2, 3), np.float32), "layer0.W"), shared(np.zeros(3, np.float32), "layer0.b")
    with pytest.raises(DataError) as caught:
        assign([W, b], {"layer0.W": np.ones((2, 3), np.float32), "layer0.c": np.ones(3)}, "w.safetensors")
    assert str(caught.value) == (
        "load: the arrays of w.safetensors do not fit the model\n"
        "  layer0.b  nothing in the file     float32[3] in the model\n"
        "  layer0.c  float64[3] in the file  nothing in the model"
    )
    assert not values([W])["layer0.W"].any()
    assign([W, b], {"layer0.W": np.ones((2, 3), np.float32), "layer0.b": np.ones(3, np.float32)}, "w.safetensors")
    assert values([W, b])["layer0.W"].all()


@needs_safetensors
def test_torch_reads_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="a comparison with torch's reader")
    from safetensors.torch import load_file  # only where torch is installed

    safetensors.save(tmp_path / "w.safetensors", {"W": BASE.T}, {"config": json.dumps({"a": 1})})
    assert load_file(tmp_path / "w.safetensors")["W"].tolist() == BASE.T.tolist()
