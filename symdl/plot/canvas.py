"""Where pictures are drawn: the axes that a caller gives, or new ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from symdl import extras

Array = np.ndarray[Any, np.dtype[Any]]
Axes = Any  # matplotlib.axes.Axes, which is loaded when the first picture is drawn


def canvas(ax: Axes | None, size: tuple[float, float] = (6.0, 4.5)) -> Axes:
    """`ax` itself, or the axes of a new figure of `size` inches.

    Raises MissingDependencyError without matplotlib.
    """
    pyplot = extras.load("matplotlib.pyplot", "pictures")
    if ax is not None:
        return ax
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def shown(ax: Axes, picture: Array, title: str = "", **settings: Any) -> Axes:
    """A picture[rows, columns] or [rows, columns, 3] without ticks; 0 is black and 1 white unless told otherwise."""
    settings = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"} | settings
    ax.imshow(picture, **settings)
    ax.set_xticks([])
    ax.set_yticks([])
    if title:
        ax.set_title(title)
    return ax
