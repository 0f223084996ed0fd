"""docs/stability.md holds what its command prints, and symdl's numbers on it are the true ones."""

from __future__ import annotations

import re

import mpmath
import numpy as np
import pytest
from stability_formulas import PAGE, ROWS, Shown, filled, numbers
from ulps import distance


def test_the_page_is_what_the_command_prints() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page


def test_there_are_enough_formulas() -> None:
    assert len(ROWS) >= 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.text)
def test_numpy_loses_what_symdl_keeps(row: Shown) -> None:
    written, got, true = numbers(row)
    assert distance(np.float64(got), true) <= 4
    assert not distance(np.float64(written), true) <= 1000
    assert mpmath.isfinite(true)


def test_its_blocks_run(capsys: pytest.CaptureFixture[str]) -> None:
    """In order and in one interpreter: facts, a report and reasons."""
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    printed = []
    for k, block in enumerate(blocks):
        exec(compile(block, f"stability.md, example {k + 1}", "exec"), names)
        printed.append(capsys.readouterr().out)
    _, report, why = printed
    assert "sqrt(x + 1) - sqrt(x)" in report
    assert "stability.md, example 2:2" in report
    assert "symdl.assume(x, lower=" in why
    assert "stability.md, example 3:1" in why
