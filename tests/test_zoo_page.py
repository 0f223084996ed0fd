"""docs/zoo.md tells the truth: its Python runs, its commands are commands, its recipes exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import symdl.extras
from symdl.cli import make_parser
from symdl.zoo import RECIPES, recipe

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "zoo.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    command.split("#")[0].strip()
    for kind, block in BLOCKS
    if kind == "sh"
    for line in block.splitlines()
    for command in line.split("&&")
    if "symdl " in command and "pip install" not in command
]


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    words = shlex.split(command)
    arguments = words[words.index("symdl") + 1 :]
    found = make_parser().parse_args(arguments)
    if found.command.__name__ in ("train", "show"):
        assert recipe(found.model).name in RECIPES


@pytest.mark.skipif(
    not (symdl.extras.installed("sklearn") and symdl.extras.installed("safetensors")), reason="pip install symdl[zoo]"
)
def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    exec(compile(code, "zoo.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("(3,) ")
