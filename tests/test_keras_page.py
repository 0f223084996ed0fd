"""The page for those who come from Keras: its examples run, and the names in its tables are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import symdl.extras
from symdl import nn

PAGE = (Path(__file__).parent.parent / "docs" / "keras.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not symdl.extras.installed("safetensors"), reason="it saves a model: pip install symdl[zoo]")
def test_the_examples_run() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 6
    for k, block in enumerate(blocks):
        exec(compile(block, f"keras.md, example {k + 1}", "exec"), names)


def test_the_names_are_there() -> None:
    same = PAGE[PAGE.index("## The same") : PAGE.index("## Different")]
    cells = [line.split("|")[1] for line in same.splitlines() if line.startswith("| ") and "`" in line]
    names = {
        n for cell in cells for n in re.findall(r"\b[A-Z][A-Za-z0-9]+(?:/2D)?\b", cell) if cell.strip()[:4] != "`fit"
    }
    wanted = {
        part
        for name in names - {"History", "True"}
        for part in ([name[:-3], name[:-5] + "2D"] if "/" in name else [name])
    }
    assert len(wanted) > 50
    known = {
        *vars(nn),
        *vars(nn.layers),
        *vars(nn.losses),
        *vars(nn.callbacks),
        *vars(nn.metrics),
        *vars(nn.optimizers),
    }
    assert wanted - known - {"Keras"} == set()


def test_the_modules_of_keras_are_there() -> None:
    script = "from symdl.nn.models import Model, Sequential, load_model\nfrom symdl.nn.layers import Dense\nfrom symdl.nn import to_categorical"
    names: dict[str, Any] = {}
    exec(script, names)
    assert all(names[n] is getattr(nn, n) for n in nn.models.__all__)
