"""Pictures of graphs: well-formed, complete, and honest about what they leave out; and the layout behind them."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symdl
import symdl.tensor as T
from symdl.display.layout import GAP, layered, layers, spaced
from symdl.display.pictures import chart
from symdl.errors import InputError
from symdl.graph.walks import topological

SVG = "{http://www.w3.org/2000/svg}"
x = T.dmatrix("x")
W = symdl.shared(np.zeros((4, 3)), "W")
y = T.tanh(x @ W) * 2.0
step = symdl.function([x], {"y": y}, updates=[(W, W * 0.5)], name="step")


def titles(svg: str) -> list[str]:
    return [t.text or "" for t in ET.fromstring(svg).iter(f"{SVG}title")]


def texts(svg: str) -> list[str]:
    return [t.text or "" for t in ET.fromstring(svg).iter(f"{SVG}text")]


def test_a_picture_of_an_expression() -> None:
    svg = symdl.picture(y).svg()
    assert sorted(texts(svg)) == ["W", "dot", "mul(·, 2)", "tanh", "x"]
    assert any(re.search(r"float64\[\?, 3\]\ntanh\(x @ W\)\ntest_pictures.py:\d+", t) for t in titles(svg))
    assert len(list(ET.fromstring(svg).iter(f"{SVG}path"))) == 4 + 1  # the edges and the arrow's head


def test_a_function_has_three_charts(tmp_path: Path) -> None:
    picture = symdl.picture(step, tmp_path / "graph.html")
    assert [c.name for c in picture.charts] == ["as written", "as run", "steps"]
    page = (tmp_path / "graph.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # needs no other file
    assert "→ output &#x27;y&#x27;" in page
    assert "→ W" in page
    assert picture._repr_html_().count("<svg") == 3
    for c in picture.charts:
        ET.fromstring(c.svg())


def test_steps_are_joined_by_what_they_hand_on() -> None:
    found = chart(step, "steps", 100)
    labels = [b.label for b in found.boxes]
    assert labels[:2] == ["x", "W"]
    assert any("matmul x @ W" in label for label in labels)
    product = next(k for k, label in enumerate(labels) if "matmul" in label)
    assert {(a, b) for a, b, _ in found.edges} >= {(0, product), (1, product)}
    assert any(b.results == ["output 0"] for b in found.boxes)
    assert all(a < b for a, b, _ in found.edges)


@pytest.mark.parametrize("form", ["written", "run", "steps"])
def test_dot_text(form: Any) -> None:
    text = symdl.dot(step, form)
    assert text.startswith("digraph {")
    assert text.count("{") == text.count("}") == 1
    declared = set(re.findall(r"^  (n\d+) \[", text, re.M))
    assert {n for pair in re.findall(r"^  (n\d+) -> (n\d+)", text, re.M) for n in pair} <= declared
    if which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=text, text=True, check=True, capture_output=True)


def test_text_is_quoted() -> None:
    odd = T.dscalar('a "b" <c>\\ & d')
    assert r'label="a \"b\" <c>\\ & d"' in symdl.dot(odd * 2)
    assert 'a "b" <c>\\ & d' in texts(symdl.picture(odd * 2).svg())


def test_files_by_ending(tmp_path: Path) -> None:
    for name, begin in (("a.svg", "<svg"), ("a.html", "<!DOCTYPE"), ("a.dot", "digraph"), ("a.gv", "digraph")):
        symdl.picture([y, x], tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begin)
    assert symdl.pydotprint(step, tmp_path / "b.svg") == str(tmp_path / "b.svg")
    assert "tanh" in (tmp_path / "b.svg").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"must end in .svg, .html or .dot\n  `dot -Tpng` of Graphviz"):
        symdl.picture(y, tmp_path / "a.png")
    with pytest.raises(InputError, match="must end in"):
        symdl.picture(y, tmp_path / "a")


def test_what_has_no_picture() -> None:
    with pytest.raises(InputError, match="takes an expression, a list of them or a function, not the number 3"):
        symdl.picture(3)
    with pytest.raises(InputError, match="there is no form 'wild'"):
        symdl.picture(step, form="wild")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="only a function has the form 'steps'"):
        symdl.dot(y, "steps")


def test_of_a_large_graph_the_nodes_nearest_to_the_results_are_drawn() -> None:
    v = T.dvector("v")
    z: Any = v
    for k in range(400):
        z = T.tanh(z * (1 + k / 1000)) + v
    total = sum(1 for n in topological(z) if n.op.name != "constant")
    picture = symdl.picture(z, limit=100)
    assert len(picture.charts[0].boxes) == 100
    assert texts(picture.svg())[0] == f"{total - 100} nodes farther from the results are left out: limit=100"
    assert f"{total - 100} nodes" in picture.dot()
    assert len(symdl.picture(z).svg()) < 400_000
    f = symdl.function([v], z, mode="interpreter")
    assert len(chart(f, "steps", 5).boxes) == 1 + 5
    assert chart(f, "steps", 5).left_out == len(f.lowered.program.steps) - 5


# ---- the layout ----


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[float], list[tuple[int, int]]]:
    count = draw(st.integers(1, 25))
    edges = draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=50))
    widths = draw(st.lists(st.floats(5, 200), min_size=count, max_size=count))
    return widths, sorted((a, b) for a, b in edges if a < b)


@given(graphs())
def test_boxes_do_not_touch_and_edges_go_down(graph: tuple[list[float], list[tuple[int, int]]]) -> None:
    widths, edges = graph
    layout = layered(widths, edges)
    rows: dict[float, list[tuple[float, float]]] = {}
    for (a, b), wide in zip(layout.places, widths, strict=True):
        assert wide / 2 - 1e-6 <= a <= layout.width - wide / 2 + 1e-6
        assert 0 < b < layout.height
        rows.setdefault(b, []).append((a, wide))
    for row in rows.values():
        for (a, v), (b, w) in pairwise(sorted(row)):
            assert b - a >= (v + w) / 2 + GAP - 1e-6
    for (a, b), route in zip(edges, layout.routes, strict=True):
        assert (route[0], route[-1]) == (layout.places[a], layout.places[b])
        assert all(p[1] < q[1] for p, q in pairwise(route))


def test_layers_are_longest_paths_and_leaves_stand_over_their_users() -> None:
    assert layers(5, [(0, 1), (1, 2), (0, 2), (3, 2), (2, 4)]) == [0, 1, 2, 1, 3]


def test_crossings_are_undone() -> None:
    layout = layered([10.0] * 4, [(0, 3), (1, 2)])
    (a, _), (b, _), (c, _), (d, _) = layout.places
    assert (a < b) == (d < c)


def test_places_are_as_near_to_the_wanted_ones_as_room_allows() -> None:
    assert spaced([0.0, 0.0], [10.0, 10.0]) == [-(10 + GAP) / 2, (10 + GAP) / 2]
    assert spaced([0.0, 100.0], [10.0, 10.0]) == [0.0, 100.0]


def test_no_boxes() -> None:
    assert layered([], []).places == []
    assert symdl.picture(symdl.function([], [])).svg().startswith("<svg")
