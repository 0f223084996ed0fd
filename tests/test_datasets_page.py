"""docs/datasets.md and docs/pictures.md print what they show, and name every public function."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from test_readme import EXAMPLE, printed

from symdl import datasets, images, plot

DOCS = Path(__file__).resolve().parent.parent / "docs"
# matplotlib 3.9 meets newer versions of what it uses with names that these deprecate
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:matplotlib.*")


@pytest.mark.parametrize("page", ["datasets.md", "pictures.md"])
def test_every_block_prints_what_the_page_shows(page: str) -> None:
    for module in ("sklearn", "matplotlib", "PIL"):
        pytest.importorskip(module, reason="the examples use it: pip install symdl[zoo,plot]")
    import matplotlib

    matplotlib.use("Agg")
    text = (DOCS / page).read_text(encoding="utf-8")
    found = list(EXAMPLE.finditer(text))
    assert len(found) == text.count("```python") >= 2
    names: dict[str, Any] = {"__name__": "__main__"}
    assert [printed(e["code"], names) for e in found] == [e["output"] or "" for e in found]


def test_every_public_name_is_on_a_page() -> None:
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("datasets.md", "pictures.md"))
    types = {"AVOCADO", "FewLabels", "Split", "KaggleDigits", "ImageFolder", "Diagram", "Terrain", "TopPatches"}
    for module in (datasets, images, plot):
        missing = [n for n in module.__all__ if n not in types and not re.search(rf"\b{n}\b", text)]
        assert missing == []
