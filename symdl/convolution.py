"""Convolutions defined, in NumPy: a sum over windows, and its two adjoints. The oracle and the Program's interpreter run these.

    y[n, o, p] = sum over c, u of x[n, c, p*step + place(u)] * f[o, c, u]

over images x[n, channels, ...], filters f[outputs, channels of a group, ...] and results y[n, outputs, ...] of one to
three spatial axes. Along an axis of `size` places a filter is u * spacing away from its first place; a negative spacing
counts from the last one, which is the convolution of mathematics, while a positive one is the correlation. In g groups
each part of the outputs sees its own part of the channels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def place(u: int, size: int, spacing: int) -> int:
    """How far the u-th number of a filter stands from the first place that the filter covers."""
    return u * spacing if spacing > 0 else (size - 1 - u) * -spacing


def _columns(x: Array, filters: Sequence[int], results: Sequence[int], steps: Any, spacing: Any, groups: int) -> Array:
    """[n, group, channel and place in the filter, place in the result] of the images' numbers."""
    n, channels = x.shape[:2]
    places = itertools.product(*map(range, filters))
    rows = [x[(slice(None), slice(None), *_window(u, filters, results, steps, spacing))] for u in places]
    each = np.stack(rows, 2) if rows else np.zeros((n, channels, 0, *results), x.dtype)
    return each.reshape(n, groups, channels // groups * len(rows), int(np.prod(results)))


def _window(u: Any, filters: Any, results: Any, steps: Any, spacing: Any) -> tuple[slice, ...]:
    """Where in an image the u-th number of the filter meets the places of the result."""
    starts = [place(k, m, d) for k, m, d in zip(u, filters, spacing, strict=True)]
    return tuple(
        slice(start, start + (many - 1) * step + 1 if many else start, step)
        for start, many, step in zip(starts, results, steps, strict=True)
    )


def result_extents(images: Sequence[int], filters: Sequence[int], steps: Any, spacing: Any) -> tuple[int, ...]:
    """How many places a filter has within an image, along each axis."""
    rows = zip(images, filters, steps, spacing, strict=True)
    return tuple((i - (u - 1) * abs(d) - 1) // k + 1 for i, u, k, d in rows)


def bordered(
    x: Array, before: Sequence[int], filters: Sequence[int], results: Sequence[int], steps: Any, spacing: Any
) -> Array:
    """x with so many zeros before each spatial axis, and as many behind it as the results ask for, if any; or cut off there."""
    rows = zip(filters, results, steps, spacing, strict=True)
    seen = [max(y - 1, 0) * k + (u - 1) * abs(d) + 1 for u, y, k, d in rows]
    out = np.zeros((*x.shape[:2], *seen), x.dtype)
    inside: Any = (..., *(slice(b, b + n) for b, n in zip(before, x.shape[2:], strict=True)))
    target = out[inside]
    target[...] = x[tuple(slice(n) for n in target.shape)]
    return out


def convolve(x: Array, f: Array, steps: Any, spacing: Any, groups: int) -> Array:
    """y of x and f."""
    results = result_extents(x.shape[2:], f.shape[2:], steps, spacing)
    columns = _columns(x, f.shape[2:], results, steps, spacing, groups)
    weights = f.reshape(groups, f.shape[0] // groups, columns.shape[2])
    return np.asarray(np.matmul(weights, columns), x.dtype).reshape(x.shape[0], f.shape[0], *results)


def convolve_filters(x: Array, y: Array, steps: Any, spacing: Any, groups: int, shape: Sequence[int]) -> Array:
    """The adjoint for f: sum over n, p of y[n, o, p] x[n, c, p*step + place(u)], for filters of this spatial shape."""
    columns = _columns(x, shape, y.shape[2:], steps, spacing, groups)
    n, outputs = y.shape[:2]
    parts = y.reshape(n, groups, outputs // groups, columns.shape[3])
    total = np.matmul(parts, columns.swapaxes(2, 3)).sum(0, dtype=x.dtype)
    return np.asarray(total, x.dtype).reshape(outputs, x.shape[1] // groups, *shape)


def convolve_images(f: Array, y: Array, steps: Any, spacing: Any, groups: int, shape: Sequence[int]) -> Array:
    """The adjoint for x: each y[n, o, p] f[o, c, u] added at x[n, c, p*step + place(u)], for images of this shape."""
    n, outputs = y.shape[:2]
    channels, filters, results = f.shape[1] * groups, f.shape[2:], y.shape[2:]
    size, many = int(np.prod(filters)), int(np.prod(results))
    weights = f.reshape(groups, outputs // groups, f.shape[1] * size).swapaxes(1, 2)
    columns = np.matmul(weights, y.reshape(n, groups, outputs // groups, many))
    columns = columns.reshape(n, channels, size, *results)
    out = np.zeros((n, channels, *shape), f.dtype)
    for k, u in enumerate(itertools.product(*map(range, filters))):
        out[(slice(None), slice(None), *_window(u, filters, results, steps, spacing))] += columns[:, :, k]
    return out


# Of each product the operands and what it makes: images x, filters f, results y.
ROLES = {"convolve": "xfy", "convolve_filters": "xyf", "convolve_images": "fyx"}
PRODUCTS: dict[str, Callable[..., Any]] = {
    "convolve": convolve,
    "convolve_filters": convolve_filters,
    "convolve_images": convolve_images,
}


def met(
    name: str, operand: int, at: int, shapes: Sequence[Sequence[int]], steps: Any, spacing: Any, groups: int
) -> Array:
    """The numbers of the elements of an operand that an element of a product is made of: what the adjoint makes of ones
    there. shapes: those of the operands and of the product."""
    roles = ROLES[name]
    arrays = {role: np.ones(shape) for role, shape in zip(roles, shapes, strict=True)}
    arrays[roles[-1]] = (np.arange(math.prod(shapes[-1])) == at).astype(float).reshape(shapes[-1])
    wanted = roles[operand]
    adjoint = next(n for n, r in ROLES.items() if r[-1] == wanted)
    shape = [] if wanted == "y" else [arrays[wanted].shape[2:]]
    return np.flatnonzero(PRODUCTS[adjoint](*(arrays[r] for r in ROLES[adjoint][:-1]), steps, spacing, groups, *shape))
