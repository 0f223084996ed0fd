"""The page "Coming from Theano", row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symdl
import symdl.tensor
import symdl.theano as module_under_test
from symdl.graph.expr import Expr
from symdl.theano.variables import take_off

theano: Any = module_under_test  # its names are made when it is loaded
TT: Any = theano.tensor
RNG = np.random.default_rng(0)
take_off()  # other tests meet symdl's own classes
pytestmark = pytest.mark.usefixtures("in_theanos_words")


PAGE = (Path(__file__).resolve().parent.parent / "docs" / "theano.md").read_text(encoding="utf-8")
ROWS = [tuple(c.strip() for c in line.split("|")[1:-1]) for line in PAGE.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][1:40])
def test_page(row: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Both columns of a row give the same numbers."""
    T = symdl.tensor
    x, y, v, k, n = T.dmatrix("x"), T.dmatrix("y"), T.dvector("v"), T.ivector("k"), T.lscalar("n")
    images, filters = T.dtensor4("images"), T.dtensor4("filters")
    W = symdl.shared(np.arange(6.0).reshape(2, 3))
    names = {
        "theano": theano,
        "TT": TT,
        "symdl": symdl,
        "T": T,
        "x": x,
        "y": y,
        "v": v,
        "k": k,
        "n": n,
        "W": W,
        "images": images,
        "filters": filters,
    }
    values = [RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), RNG.normal(size=4), np.array([0, 2, 1], "int32"), 2,
              RNG.normal(size=(2, 3, 5, 5)), RNG.normal(size=(4, 3, 3, 3))]  # fmt: skip
    found = [eval(cell.strip("`"), names) for cell in row[:2]]
    assert len(row) == 3
    assert all(isinstance(e, Expr) for e in found)
    old, new = symdl.function([x, y, v, k, n, images, filters], found, on_unused_input="ignore")(*values)
    np.testing.assert_allclose(old, new, rtol=1e-12, atol=1e-12)


def test_the_page_has_rows() -> None:
    assert len(ROWS) > 30
