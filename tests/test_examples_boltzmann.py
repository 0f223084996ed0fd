"""The examples of Boltzmann machines, each run whole with tiny settings."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from symdl.extras import installed

EXAMPLES = Path(__file__).parent.parent / "examples"
pytestmark = pytest.mark.skipif(not all(map(installed, ("sklearn", "matplotlib"))), reason="needs symdl[zoo,plot]")


def run(name: str, **settings: Any) -> Any:
    """What main of an example returns."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)["main"](**settings)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path


def test_rbm(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert -40 < run("rbm", epochs=3, runs=20) < -18
    assert "annealed   log Z" in capsys.readouterr().out
    assert (elsewhere / "rbm.png").stat().st_size > 1000


def test_dbn(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 <= run("dbn", pretraining=1, epochs=2, per_class=2) <= 1
    assert "20 labels" in capsys.readouterr().out
    assert (elsewhere / "dbn.png").stat().st_size > 1000
