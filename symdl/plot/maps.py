"""Pictures of why a model answers as it does, and of what its units see: over the image, in colour, 0 being white."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symdl.errors import ShapeError
from symdl.plot.attribution import integrated_gradients, occlusion_map, saliency_map
from symdl.plot.canvas import Array, Axes, canvas, shown
from symdl.plot.deconvnet import activities, deconvnet, top_patches
from symdl.plot.parts import one_example
from symdl.plot.tiles import as_images, tiled

Size = tuple[int, ...] | None


def heat(values: Any, size: Size = None, title: str = "", ax: Axes | None = None) -> Axes:
    """A map of signed numbers, one example without the axis of examples, with its colour bar: red for positive, blue for
    negative, white for 0.

    Of several channels, the number of largest magnitude at each place is shown. size: see `plot.samples`.
    """
    grid = as_images(np.asarray(values)[None], size)[0]
    if grid.ndim == 3:
        strongest = np.abs(grid).argmax(axis=-1)
        grid = np.take_along_axis(grid, strongest[..., None], axis=-1)[..., 0]
    most = float(np.abs(grid).max()) or 1.0
    ax = shown(canvas(ax, (4.6, 4.0)), grid, title, cmap="RdBu_r", vmin=-most, vmax=most)
    ax.figure.colorbar(ax.images[-1], ax=ax, shrink=0.85)
    return ax


def saliency(model: Any, x: Any, target: int, size: Size = None, ax: Axes | None = None) -> Axes:
    """How each pixel of one example moves the score of a class: its derivative (`saliency_map`)."""
    return heat(saliency_map(model, one_example(x, model), target)[0], size, f"saliency of class {target}", ax)


def integrated(model: Any, x: Any, target: int, baseline: Any = 0.0, size: Size = None, ax: Axes | None = None) -> Axes:
    """What each pixel of one example adds to the score of a class (`integrated_gradients`)."""
    values = integrated_gradients(model, one_example(x, model), target, baseline)[0]
    return heat(values, size, f"what adds to class {target}", ax)


def occlusion(
    predict: Callable[[Array], Any], image: Any, target: int = 0, ax: Axes | None = None, **settings: Any
) -> Axes:
    """By how much the score of a class falls when a place of the image is covered (`occlusion_map`, and its settings)."""
    return heat(occlusion_map(predict, image, target, **settings), None, f"what class {target} needs", ax)


def deconvolved(model: Any, x: Any, layer: Any, unit: int, size: Size = None, ax: Axes | None = None) -> Axes:
    """What a unit has seen in one example (`deconvnet`)."""
    return heat(deconvnet(model, one_example(x, model), layer, unit)[0], size, f"layer {_name(layer)}, unit {unit}", ax)


def activations(
    model: Any, x: Any, layer: Any, size: Size = None, columns: int | None = None, ax: Axes | None = None
) -> Axes:
    """What a layer makes of one example: a tile for each channel, or one picture of all units; each from black to white.

    size: (rows, columns) for the units of a dense layer, one row if not given.
    """
    values = activities(model, one_example(x, model), layer)[0]
    if values.ndim == 1:
        rows, across = size or (1, len(values))
        if rows * across != len(values):
            raise ShapeError(f"activations: {len(values)} units do not make {rows} rows of {across}")
        picture = tiled(values.reshape(1, rows, across))
    elif values.ndim == 3:
        picture = tiled(values, columns, scale="all")
    else:
        raise ShapeError(f"activations: {list(values.shape)} of one example is no picture")
    return shown(canvas(ax), picture, f"activations of {_name(layer)}")


def top_nine(model: Any, x: Any, layer: Any, unit: int, n: int = 9, ax: Axes | None = None) -> Axes:
    """The pieces of images x[n, ...] that excite a unit most, strongest first (`top_patches`)."""
    found = top_patches(model, x, layer, unit, n)
    return shown(canvas(ax, (4.0, 4.0)), tiled(found.patches, scale="all"), f"layer {_name(layer)}, unit {unit}")


def _name(layer: Any) -> str:
    return str(getattr(layer, "name", None) or layer)
