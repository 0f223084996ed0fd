"""Where the boxes of a layered graph go: what is computed from something stands below it, with few crossings.

Layers by the longest path, crossings reduced by sweeps over the barycenters of neighbours, places within a layer by
least squares (Sugiyama, Tagawa and Toda, 1981). Long edges are led through points of their own in the layers between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP, HEIGHT, DISTANCE = 18.0, 26.0, 62.0  # between boxes side by side; of a box; from layer to layer
SWEEPS = 6  # down and up again
MOST_POINTS = 6000  # on long edges; with more of them all edges are straight


@dataclass(frozen=True)
class Layout:
    """Centers of the boxes, the points that each edge goes through from box to box, and the size of the whole."""

    places: list[tuple[float, float]]
    routes: list[list[tuple[float, float]]]
    width: float
    height: float


def layered(widths: Sequence[float], edges: Sequence[tuple[int, int]]) -> Layout:
    """A layout of boxes with these widths; edges (a, b) with a < b: b stands below a."""
    layer = layers(len(widths), edges)
    spans = sum(max(layer[b] - layer[a] - 1, 0) for a, b in edges)
    wide, chains = list(widths), []
    for a, b in edges:
        chain = [a]
        if spans <= MOST_POINTS:
            for k in range(layer[a] + 1, layer[b]):
                chain.append(len(wide))
                wide.append(2.0)
                layer.append(k)
        chains.append([*chain, b])
    rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for n, k in enumerate(layer):
        rows[k].append(n)
    above: list[list[int]] = [[] for _ in wide]
    below: list[list[int]] = [[] for _ in wide]
    for chain in chains:
        for a, b in zip(chain, chain[1:], strict=False):
            above[b].append(a)
            below[a].append(b)
    x = [0.0] * len(wide)
    for row in rows:
        at = 0.0
        for n in row:
            x[n] = at + wide[n] / 2
            at += wide[n] + GAP
    for sweep in range(2 * SWEEPS):
        near = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = {n: sum(x[m] for m in near[n]) / len(near[n]) if near[n] else x[n] for n in row}
            row.sort(key=wanted.__getitem__)
            for n, at in zip(row, spaced([wanted[n] for n in row], [wide[n] for n in row]), strict=True):
                x[n] = at
    left = min((x[n] - wide[n] / 2 for n in range(len(wide))), default=0.0)
    places = [(x[n] - left, HEIGHT / 2 + layer[n] * DISTANCE) for n in range(len(wide))]
    width = max((p + w / 2 for (p, _), w in zip(places, wide, strict=True)), default=0.0)
    return Layout(
        places[: len(widths)], [[places[n] for n in c] for c in chains], width, len(rows) * DISTANCE - DISTANCE + HEIGHT
    )


def layers(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box: one more than the lowest above it; what has nothing above it stands right over its users."""
    layer = [0] * count
    for a, b in sorted(edges, key=lambda e: e[1]):
        layer[b] = max(layer[b], layer[a] + 1)
    fed = {b for _, b in edges}
    highest: dict[int, int] = {}
    for a, b in edges:
        if a not in fed:
            highest[a] = min(highest.get(a, layer[b] - 1), layer[b] - 1)
    for a, k in highest.items():
        layer[a] = k
    return layer


def spaced(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The places nearest to the wanted ones, in the sense of least squares, at which boxes in this order do not touch.

    Minus the room that the boxes before need, places must not decrease: a monotone regression, by pooling neighbours.
    """
    room = [0.0]
    for a, b in zip(widths, widths[1:], strict=False):
        room.append(room[-1] + (a + b) / 2 + GAP)
    pools: list[tuple[float, int]] = []  # (mean, how many)
    for want, before in zip(wanted, room, strict=False):
        mean, many = want - before, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, many = (mean * many + other * count) / (many + count), many + count
        pools.append((mean, many))
    flat = [mean for mean, many in pools for _ in range(many)]
    return [mean + before for mean, before in zip(flat, room, strict=False)]
