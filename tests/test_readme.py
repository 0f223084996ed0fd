"""README.md tells the truth: its Python blocks print what stands below them, its commands, links and versions exist."""

from __future__ import annotations

import contextlib
import io
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import symdl
from symdl.errors import SymdlError

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# a block of code, and the block of text right below it: what it prints, or the error that it ends with
EXAMPLE = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def printed(code: str, names: dict[str, Any]) -> str:
    """What a block prints; an error of symdl ends it as Python would show it, without the traceback."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(code, "example.py", "exec"), names)
        except SymdlError as error:
            print(f"{type(error).__name__}: {error}")
    return out.getvalue()


def test_every_block_prints_what_the_page_shows() -> None:
    """In order and in one interpreter, as a reader would paste them."""
    pytest.importorskip("sklearn", reason="the first example uses the digits of scikit-learn: pip install symdl[zoo]")
    examples = list(EXAMPLE.finditer(TEXT))
    assert len(examples) == TEXT.count("```python") >= 3
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [e["output"] or "" for e in examples]
    assert [printed(e["code"], names) for e in examples] == shown


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 150


def test_its_links_lead_somewhere() -> None:
    links = [target for target in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in target]
    assert links
    assert [target for target in links if not (ROOT / target).exists()] == []


def test_its_two_commands_set_themselves_up() -> None:
    """One line each, for a machine that has only Python: .ci/run takes them from here and runs them."""
    commands = re.findall(r"^python3 -m venv .*$", TEXT, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        extra = re.search(r'"\.\[(\w+)\]"', command)
        assert extra
        assert extra[1] in PROJECT["optional-dependencies"]
    assert ".venv/bin/symdl train" in commands[0]
    assert commands[1].endswith(".venv/bin/python -m pytest -q")


def test_the_versions_it_names_are_the_projects() -> None:
    assert f"version {symdl.__version__}," in TEXT
    named = set(re.findall(r"\b3\.\d+\b", TEXT))
    assert named == {c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)}
