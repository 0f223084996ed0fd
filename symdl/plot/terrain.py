"""The loss as a terrain: its height over a plane through the trained weights, and the way that training took there.

Directions: random ones, each filter as long as the weights' own (Li, Xu, Taylor, Studer and Goldstein, 2018), or the two
principal ones of the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from symdl.errors import ConfigError, ShapeError
from symdl.plot.canvas import Array, Axes, canvas
from symdl.runtime.storage import SharedVariable

Directions = Literal["filters", "path"]
LEVELS = 24
BEYOND = 0.2  # of the way's extent, around it


@dataclass(frozen=True)
class Terrain:
    """loss[j, i] at weights + a[i] * first + b[j] * second; path[k]: the places (a, b) nearest to the weights of the way.

    explained: the share of the way's variance that lies in the plane, nan without a way.
    """

    a: Array
    b: Array
    loss: Array
    path: Array
    explained: float


def terrain(
    loss: Callable[[], Any],
    parameters: Sequence[SharedVariable],
    path: Sequence[Sequence[Any]] = (),
    directions: Directions | None = None,
    steps: int = 25,
    span: float = 1.0,
    seed: int = 0,
) -> Terrain:
    """The loss on a grid of steps by steps places around the present values of the parameters, which it leaves as they are.

    loss: computes the loss with the parameters as they stand. path: values of the parameters along training, first to
    last, as lists like `[p.get_value() for p in parameters]`. directions: "filters", random by `seed`, from -span to span;
    or "path" (if there is one): principal components of path minus present values, over all of the way.
    Raises ShapeError for a path that does not fit, ConfigError for other settings.
    """
    directions = directions or ("path" if len(path) else "filters")
    if directions not in ("filters", "path") or steps < 2 or not span > 0:
        raise ConfigError(
            f"terrain: directions {directions!r} must be filters or path, steps {steps} at least 2, span above 0"
        )
    weights = [np.array(p.get_value()) for p in parameters]
    way = np.array([_offset(one, weights) for one in path]).reshape(len(path), sum(w.size for w in weights))
    if directions == "path":
        first, second = principal(way)
    else:
        rng = np.random.default_rng(seed)
        first, second = (np.concatenate([d.ravel() for d in random_direction(weights, rng)]) for _ in range(2))
    plane = np.stack([first, second], axis=1)
    places = np.linalg.lstsq(plane, way.T, rcond=None)[0].T if len(path) else np.zeros((0, 2))
    scattered = float((way**2).sum())
    explained = 1 - float(((way - places @ plane.T) ** 2).sum()) / scattered if scattered else float("nan")
    low, high = np.full(2, -span), np.full(2, span)
    if directions == "path":
        low, high = np.minimum(places.min(axis=0), 0), np.maximum(places.max(axis=0), 0)
        room = BEYOND * np.maximum(high - low, 1e-3 * float((high - low).max()) or 1.0)
        low, high = low - room, high + room
    a, b = (np.linspace(low[k], high[k], steps) for k in (0, 1))
    heights = np.empty((steps, steps))
    try:
        for j, i in np.ndindex(steps, steps):
            _move(parameters, weights, a[i] * first + b[j] * second)
            heights[j, i] = loss()
    finally:
        for p, w in zip(parameters, weights, strict=True):
            p.set_value(w)
    return Terrain(a, b, heights, places, explained)


def random_direction(weights: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """Normal numbers, scaled so that each filter is as long as the weights'; 0 for vectors and numbers, as biases.

    A filter is a column of a matrix W[inputs, units], or W[filter] of an array with more axes.
    """
    out = []
    for w in weights:
        d = np.asarray(rng.standard_normal(w.shape))
        axes = (0,) if w.ndim == 2 else tuple(range(1, w.ndim))
        if w.ndim < 2:
            out.append(np.zeros(w.shape))
            continue
        length = np.sqrt((d * d).sum(axis=axes, keepdims=True))
        out.append(d * np.sqrt((w.astype(np.float64) ** 2).sum(axis=axes, keepdims=True)) / length)
    return out


def principal(way: Array) -> tuple[Array, Array]:
    """Two orthonormal directions that hold as much as two can of the squares of the way's rows.

    Raises ConfigError for a way in fewer than two dimensions.
    """
    if len(way) < 2 or way.shape[1] < 2:
        raise ConfigError(f"terrain: a path of {len(way)} places of {way.shape[1]} weights has no two directions")
    first, second = np.linalg.svd(way, full_matrices=False)[2][:2]
    return first, second


def loss_terrain(found: Terrain, ax: Axes | None = None) -> Axes:
    """A Terrain as a map with lines of equal loss, the way of training on it, a cross at the trained weights.

    Levels are equally far apart in the logarithm where all losses are positive.
    """
    ax = canvas(ax)
    heights = np.where(np.isfinite(found.loss), found.loss, np.nan)
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    if not high > low:
        levels = np.array([low - 0.5, low + 0.5])
    else:
        levels = np.geomspace(low, high, LEVELS) if low > 0 else np.linspace(low, high, LEVELS)
    levels = np.unique(levels)
    ax.contourf(found.a, found.b, heights, levels=levels, cmap="terrain", extend="both")
    lines = ax.contour(found.a, found.b, heights, levels=levels[::3], colors="black", linewidths=0.4)
    ax.clabel(lines, fontsize=7)
    if len(found.path):
        ax.plot(*found.path.T, "o-", color="black", markersize=2.5, linewidth=1)
    ax.plot(0, 0, "x", color="red", markersize=9)
    share = f", {found.explained:.0%} of the way in the plane" if np.isfinite(found.explained) else ""
    ax.set_title(f"loss{share}")
    ax.set_xlabel("first direction")
    ax.set_ylabel("second direction")
    return ax


def _offset(values: Sequence[Any], weights: Sequence[Array]) -> Array:
    arrays = [np.asarray(v) for v in values]
    if [v.shape for v in arrays] != [w.shape for w in weights]:
        raise ShapeError("terrain: a place of the path holds other shapes than the parameters")
    return np.concatenate([(v.astype(np.float64) - w).ravel() for v, w in zip(arrays, weights, strict=True)])


def _move(parameters: Sequence[SharedVariable], weights: Sequence[Array], offset: Array) -> None:
    begin = 0
    for p, w in zip(parameters, weights, strict=True):
        part = offset[begin : begin + w.size].reshape(w.shape)
        p.set_value((w + part).astype(w.dtype))
        begin += w.size
