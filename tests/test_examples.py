"""The examples of simple models, each run whole with tiny settings; those that are scripts as they stand."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from symdl.extras import installed

EXAMPLES = Path(__file__).parent.parent / "examples"
pytestmark = pytest.mark.skipif(
    not all(map(installed, ("sklearn", "matplotlib", "safetensors"))), reason="needs symdl[zoo,plot]"
)
# example -> settings, the least and the most of what main returns, and what it prints
RUNS: dict[str, tuple[dict[str, Any], float, float, str]] = {
    "perceptron": ({"epochs": 20}, 0.3, 0.75, "then an epoch without mistakes"),
    "linear_regression": ({}, 0.4, 0.6, "LAPACK"),
    "lenet": ({"epochs": 3}, 0.8, 1, "test accuracy"),
    "sentences": ({"epochs": 1}, 0, 1, "p(1)"),
    "keras_digits": ({"epochs": 5}, 0.85, 1, "Total params: 7,510"),
}
SCRIPTS = {"digits": "the first test digits are", "logistic_regression": "test accuracy 0.9"}
ELSEWHERE = {"autoencoder", "sparse_autoencoder", "variational_autoencoder", "stacked_autoencoder", "lstm", "transfer", "rbm", "dbn"}  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")


def test_every_example_is_run() -> None:
    assert {p.stem for p in EXAMPLES.glob("*.py")} == RUNS.keys() | SCRIPTS.keys() | ELSEWHERE


@pytest.mark.parametrize("name", RUNS)
def test_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings, least, most, said = RUNS[name]
    value = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)["main"](**settings)
    assert least <= value <= most
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("name", SCRIPTS)
def test_script(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert SCRIPTS[name] in capsys.readouterr().out
