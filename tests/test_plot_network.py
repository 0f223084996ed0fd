"""The diagram of a network: the golden one of 3-5-2 units, lines as thick as weights are large, and what it refuses."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import symdl
import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.nn import Sequential, layers
from symdl.plot import network
from symdl.plot.network import NEGATIVE, POSITIVE, THICKEST, THINNEST

GOLDEN = Path(__file__).parent / "golden" / "network_3_5_2.svg"
SPACE = "{http://www.w3.org/2000/svg}"
WEIGHTS = [np.linspace(-1, 1, 15).reshape(3, 5), np.array([[2.0, -1], [0, 0.5], [1, 1], [-2, 3], [0.25, -0.125]])]
NAMES = [["height", "squishiness", "colour"], [""] * 5, ["no avocado", "avocado"]]


def test_the_golden_network() -> None:
    """SYMDL_UPDATE_GOLDEN=1 pytest tests/test_plot_network.py writes it anew: look at it before you commit it."""
    text = str(network(WEIGHTS, NAMES))
    if os.environ.get("SYMDL_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_lines_are_as_thick_as_weights_are_large() -> None:
    root = ElementTree.fromstring(str(network(WEIGHTS, NAMES)))
    lines = list(root.iter(f"{SPACE}line"))
    assert len(lines) == 3 * 5 + 5 * 2
    thick = np.array([float(line.get("stroke-width", "")) for line in lines])
    for W, widths in ((WEIGHTS[0], thick[:15]), (WEIGHTS[1], thick[15:])):
        order = np.argsort(np.abs(W).ravel(), kind="stable")
        assert (np.diff(widths[order]) >= 0).all()
        np.testing.assert_allclose(
            widths, THINNEST + (THICKEST - THINNEST) * np.abs(W).ravel() / np.abs(W).max(), atol=1e-3
        )
    colours = [line.get("stroke") for line in lines]
    assert colours == [POSITIVE if w >= 0 else NEGATIVE for W in WEIGHTS for w in W.ravel()]
    hovers = [line.findtext(f"{SPACE}title") for line in lines]
    assert hovers[0] == "height to unit 1: -1"
    assert hovers[-1] == "unit 5 to avocado: -0.125"
    assert len(list(root.iter(f"{SPACE}circle"))) == 10
    assert root.findtext(f"{SPACE}title") == "3-5-2 network"


def test_everything_stands_inside() -> None:
    root = ElementTree.fromstring(str(network([np.ones((40, 3)), np.ones((3, 1))])))
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    circles = list(root.iter(f"{SPACE}circle"))
    assert len(circles) == 16 + 3 + 1  # of 40 units those at both ends
    assert [t.text for t in root.iter(f"{SPACE}text")].count("⋮") == 1
    for circle in circles:
        assert 13 <= float(circle.get("cx", "")) <= width - 13
        assert 13 <= float(circle.get("cy", "")) <= height - 13
    assert "x40 to unit 3" in str(network([np.ones((40, 3)), np.ones((3, 1))]))


def test_names_and_odd_weights_are_safe() -> None:
    text = str(network([np.array([[np.nan], [0.0]])], [["a<b", "c&d"], ["é"]]))
    root = ElementTree.fromstring(text)
    assert [t.text for t in root.iter(f"{SPACE}text")] == ["a<b", "c&d", "é"]
    assert root.find(f".//{SPACE}line/{SPACE}title") is not None


def test_models_layers_and_shared_variables() -> None:
    model = Sequential([layers.Dense(5, "tanh"), layers.Dropout(0.5), Sequential([layers.Dense(2)])])
    with pytest.raises(ShapeError, match="there are no weights"):
        network(model)
    model(T.tensor("x", shape=(None, 3)))
    W, V = model.parameters[0], model.parameters[2]
    assert str(network(model)) == str(network([W, V])) == str(network([W.get_value(), V.get_value()]))
    assert str(network(model.layers)) == str(network(model))
    convolution = layers.Conv2D(2, 3)
    convolution(T.tensor("x", shape=(None, 5, 5, 1)))
    assert str(network([convolution, symdl.shared(np.eye(2))])) == str(network([np.eye(2)]))


def test_it_refuses_what_does_not_fit() -> None:
    for weights, names, message in (
        ([np.ones((2, 3)), np.ones((4, 1))], None, "3 units of layer 1 meet 4 rows"),
        ([np.ones((2, 3))], [["a"], ["b"] * 3], "names of 1-3 units meet a network of 2-3"),
        ([np.ones(3)], None, r"weights of shape \[3\] are no matrix"),
        ([], None, "there are no weights"),
    ):
        with pytest.raises(ShapeError, match=message):
            network(weights, names)
    with pytest.raises(ConfigError):
        network([np.ones((2, 3))], most=1)


def test_it_is_shown_and_saved(tmp_path: Path) -> None:
    diagram = network(WEIGHTS)
    assert diagram._repr_svg_() == str(diagram)
    diagram.save(tmp_path / "network.svg")
    assert (tmp_path / "network.svg").read_text(encoding="utf-8") == str(diagram)
