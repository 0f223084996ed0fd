"""The examples of autoencoders, sequences and transfer, each run whole with tiny settings."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symdl.extras import installed

EXAMPLES = Path(__file__).parent.parent / "examples"
pytestmark = pytest.mark.skipif(
    not all(map(installed, ("sklearn", "PIL", "matplotlib", "safetensors"))), reason="needs symdl[zoo,plot]"
)


def run(name: str, **settings: Any) -> Any:
    """What main of an example returns."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)["main"](**settings)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path


def test_autoencoder(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("autoencoder", iterations=5, epochs=2).shape == (100, 64)
    assert "denoising autoencoder, 40 % of the pixels lost" in capsys.readouterr().out
    assert (elsewhere / "autoencoder.png").stat().st_size > 1000


def test_sparse_autoencoder(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sparse_autoencoder", examples=200, units=9, iterations=5).shape == (9, 100)
    assert "before: 0% of the units are edges" in capsys.readouterr().out
    assert (elsewhere / "sparse_autoencoder.png").stat().st_size > 1000


def test_variational_autoencoder(elsewhere: Path) -> None:
    plane = run("variational_autoencoder", epochs=2, samples=10)
    assert plane.shape == (225, 64)
    assert np.isfinite(plane).all()
    assert (elsewhere / "variational_autoencoder.png").stat().st_size > 1000


def test_stacked_autoencoder(elsewhere: Path) -> None:
    assert 0 <= run("stacked_autoencoder", pretraining=1, epochs=2, per_class=2) <= 1
    assert (elsewhere / "stacked_autoencoder.png").stat().st_size > 1000


def test_lstm(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 <= run("lstm", epochs=1, units=8) <= 1
    assert capsys.readouterr().out.count("likeliest") == 8


def test_transfer(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 <= run("transfer", epochs=1, fine_tuning=2) <= 1
    assert "conv0 moved: False" in capsys.readouterr().out
