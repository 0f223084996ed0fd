"""A network of dense layers as a diagram in SVG: circles for units, lines as thick as their weights are large.

No other program is needed: units stand in columns, a column for each layer.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symdl.errors import ConfigError, ShapeError
from symdl.plot.parts import layers_of

Array = np.ndarray[Any, np.dtype[Any]]
RADIUS, ROW, COLUMN, MARGIN = 13.0, 38.0, 150.0, 24.0
LETTER = 6.6  # width of a letter, in pixels
THINNEST, THICKEST = 0.2, 6.0
POSITIVE, NEGATIVE = "#c0392b", "#2471a3"
MOST = 16  # units of a layer that are drawn; of more, those at both ends


@dataclass(frozen=True)
class Diagram:
    """An SVG picture: shown in Jupyter, `str` of it is the text, `save` writes it."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file, which by convention ends in .svg."""
        Path(path).write_text(self.svg, encoding="utf-8")


def network(weights: Any, names: Sequence[Sequence[str]] | None = None, most: int = MOST) -> Diagram:
    """The diagram of a network with these weights, from left to right; red lines are positive weights, blue negative.

    weights: matrices W[inputs, units], one for each layer after the first; or a model, or layers, of which those with
    such a W are taken. names: of the units of each layer, beside the first and the last (none: x1, x2, ... and y1, ...).
    Lines are THINNEST to THICKEST pixels wide, in proportion to |weight| over the layer's largest; pointing at one shows
    its number. Of a layer with more than `most` units, those at both ends are drawn.
    Raises ShapeError for weights that do not follow each other or names that do not fit, ConfigError for most < 2.
    """
    matrices = matrices_of(weights)
    sizes = [len(matrices[0]), *(W.shape[1] for W in matrices)]
    for k, (W, after) in enumerate(zip(matrices, matrices[1:], strict=False)):
        if W.shape[1] != len(after):
            raise ShapeError(f"network: {W.shape[1]} units of layer {k + 1} meet {len(after)} rows of the next weights")
    if most < 2:
        raise ConfigError(f"network: most {most} must be at least 2")
    if names is None:
        ends = [[f"x{i + 1}" for i in range(sizes[0])], [f"y{i + 1}" for i in range(sizes[-1])]]
        names = [ends[0], *([""] * n for n in sizes[1:-1]), ends[1]]
    if [len(layer) for layer in names] != sizes:
        shown = "-".join(str(len(layer)) for layer in names)
        raise ShapeError(f"network: names of {shown} units meet a network of {'-'.join(map(str, sizes))}")
    return Diagram(_drawn(matrices, sizes, names, most))


def matrices_of(weights: Any) -> list[Array]:
    """The weight matrices in a list of arrays or shared variables, in layers, or in a model.

    Raises ShapeError when there are none, or arrays that are no matrices.
    """
    found = []
    for one in layers_of(weights) or weights:
        if layers_of(one) is not None:
            found += matrices_of(one)
            continue
        layer = hasattr(one, "output_shape") or hasattr(one, "W")
        value = getattr(one, "W", None) if layer else one
        if value is None:
            continue
        array = np.asarray(value.get_value() if hasattr(value, "get_value") else value, np.float64)
        if array.ndim == 2 and array.size:
            found.append(array)
        elif not layer:
            raise ShapeError(f"network: weights of shape {list(array.shape)} are no matrix [inputs, units]")
    if not found:
        raise ShapeError("network: there are no weights [inputs, units]", (), "A model has them after its first use.")
    return found


def _drawn(matrices: Sequence[Array], sizes: Sequence[int], names: Sequence[Sequence[str]], most: int) -> str:
    units = [_shown(n, most) for n in sizes]
    rows = max(len(column) for column in units)
    left = MARGIN + LETTER * max(len(name) for name in names[0])
    right = MARGIN + LETTER * max(len(name) for name in names[-1])
    width = left + COLUMN * (len(sizes) - 1) + 2 * RADIUS + right
    height = 2 * MARGIN + ROW * (rows - 1) + 2 * RADIUS

    def place(layer: int, row: int) -> tuple[float, float]:
        middle = (height - ROW * (len(units[layer]) - 1)) / 2
        return left + RADIUS + COLUMN * layer, middle + ROW * row

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
        ' font-family="sans-serif" font-size="11" role="img">',
        f"<title>{'-'.join(map(str, sizes))} network</title>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for k, W in enumerate(matrices):
        largest = float(np.abs(W[np.isfinite(W)]).max(initial=0)) or 1.0
        for a, i in enumerate(units[k]):
            for b, j in enumerate(units[k + 1]):
                if i is None or j is None:
                    continue
                w = float(W[i, j])
                (x, y), (u, v) = place(k, a), place(k + 1, b)
                thick = THINNEST + (THICKEST - THINNEST) * (abs(w) / largest if np.isfinite(w) else 0)
                parts.append(
                    f'<line x1="{x + RADIUS:g}" y1="{y:g}" x2="{u - RADIUS:g}" y2="{v:g}" stroke-width="{thick:.3f}"'
                    f' stroke="{POSITIVE if w >= 0 else NEGATIVE}" stroke-opacity="0.7">'
                    f"<title>{html.escape(_edge(names, k, i, j))}: {w:.4g}</title></line>"
                )
    for k, column in enumerate(units):
        for row, unit in enumerate(column):
            x, y = place(k, row)
            if unit is None:
                parts.append(f'<text x="{x:g}" y="{y + 4:g}" text-anchor="middle">⋮</text>')
                continue
            parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{RADIUS:g}" fill="#fdfefe" stroke="#333"/>')
            if names[k][unit]:
                at, anchor = (x - RADIUS - 6, "end") if k == 0 else (x + RADIUS + 6, "start")
                if 0 < k < len(units) - 1:
                    at, anchor = x, "middle"
                parts.append(
                    f'<text x="{at:g}" y="{y + 4:g}" text-anchor="{anchor}">{html.escape(names[k][unit])}</text>'
                )
    return "\n".join([*parts, "</svg>", ""])


def _shown(n: int, most: int) -> list[int | None]:
    """The units that are drawn; None stands for those left out."""
    if n <= most:
        return list(range(n))
    return [*range(most - most // 2), None, *range(n - most // 2, n)]


def _edge(names: Sequence[Sequence[str]], layer: int, i: int, j: int) -> str:
    start, end = names[layer][i] or f"unit {i + 1}", names[layer + 1][j] or f"unit {j + 1}"
    return f"{start} to {end}"
