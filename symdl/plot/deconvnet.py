"""What a unit inside a network has seen: its activity led back to the input, and the patches that excite it most.

Zeiler and Fergus, 2014. Layers: see `parts`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.functions import function
from symdl.ops.convolutions import borders
from symdl.plot.canvas import Array
from symdl.plot.parts import (
    Layer,
    activation_name,
    applied,
    channels_first,
    channels_last,
    examples,
    flat,
    forward,
    like,
    position,
    unactivated,
)

RECTIFIERS = ("relu",)


def activities(model: Any, x: Any, layer: Any) -> Array:
    """What a layer makes of examples x[n, ...]: [n, units], or [n, channels, rows, columns] whatever the layer's order.

    layer: itself, its name or its number. Raises ConfigError when the model has no such layer.
    """
    layers = flat(model)
    upto = position(layers, layer)
    *_, last = forward(layers[: upto + 1], examples(x, model))
    return channels_first(last, channels_last(layers, upto))


def deconvnet(model: Any, x: Any, layer: Any, unit: int) -> Array:
    """The strongest activity of a unit for each example, led back through the network to the input; of x's shape.

    Back through a convolution or a dense layer goes by its transpose, through max pooling to where the maximum was, and
    through relu by relu itself; all else by its derivative. So without relu it is the derivative of the activity, times
    it. unit: of a dense layer, or a channel, whose place is that of its largest activity.
    Raises ConfigError for a layer or unit that is not there.
    """
    given, x = np.shape(x), examples(x, model)
    layers = flat(model)
    upto = position(layers, layer)
    values = [x, *forward(layers[: upto + 1], x)]
    signal = _strongest(values[-1], unit, channels_last(layers, upto))
    for one, before in zip(layers[upto::-1], values[upto::-1], strict=True):
        if activation_name(one) in RECTIFIERS:
            signal, one = np.maximum(signal, 0), unactivated(one)
        signal = _pulled(one, before, signal)
    return signal.reshape(given)


class TopPatches(NamedTuple):
    """images: their rows in x; activities: of the unit; boxes: (top, left, bottom, right) of what it sees, perhaps beyond
    the image; patches: these pieces of the images, with 0 beyond, [n, rows, columns] or [n, rows, columns, channels]."""

    images: Array
    activities: Array
    boxes: Array
    patches: Array


def top_patches(model: Any, x: Any, layer: Any, unit: int, n: int = 9) -> TopPatches:
    """The n images that excite a unit most, strongest first, and the patch of each that the unit sees at its strongest.

    x: images as the model takes them, [n, rows, columns, channels] or [n, channels, rows, columns]. A dense unit sees
    the whole image. Raises ConfigError for a layer or unit that is not there, ShapeError for data that are no images.
    """
    x = examples(x, model)
    if x.ndim != 4:
        raise ShapeError(f"top_patches: {list(x.shape)} are no images with channels")
    layers = flat(model)
    upto = position(layers, layer)
    values = activities(layers, x, upto)
    _existing(unit, values.shape[1])
    of_unit = values[:, unit].reshape(len(x), -1)
    strongest = of_unit.argmax(axis=1)
    order = np.argsort(-of_unit.max(axis=1), kind="stable")[:n]
    images = channels_first(x, channels_last(layers, -1))
    size = images.shape[2:]
    shapes = [images[:1].shape[2:], *_extents(layers[: upto + 1], x[:1])]
    boxes = []
    for k in order.tolist():
        place = np.unravel_index(int(strongest[k]), values.shape[2:]) if values.ndim == 4 else None
        spans = field_of(layers[: upto + 1], shapes, place) or tuple((0, n) for n in size)
        boxes.append([spans[0][0], spans[1][0], spans[0][1], spans[1][1]])
    corners = np.array(boxes, np.int64).reshape(-1, 4)
    corners[:, 2:] = corners[:, :2] + (corners[:, 2:] - corners[:, :2]).max(axis=0, initial=1)  # all of one size
    room = max(int(np.abs(corners).max(initial=0)), 1) + max(size)
    framed = np.pad(images[order], ((0, 0), (0, 0), (room, room), (room, room)))
    patches = [
        framed[k, :, top + room : bottom + room, left + room : right + room]
        for k, (top, left, bottom, right) in enumerate(corners.tolist())
    ]
    pieces = np.moveaxis(np.array(patches), 1, -1)
    peaks = of_unit[order].max(axis=1)
    return TopPatches(order, peaks, corners, pieces[..., 0] if pieces.shape[-1] == 1 else pieces)


def field_of(
    layers: list[Layer], shapes: list[tuple[int, ...] | None], place: Iterable[Any] | None
) -> tuple[tuple[int, int], ...] | None:
    """What the unit at `place` of the last layer sees of the input: (from, to) for rows and columns; None for all of it.

    shapes: the rows and columns of the input and of what each layer makes, None where it has none.
    """
    if place is None:
        return None
    spans = [(int(p), int(p) + 1) for p in place]
    for layer, before, after in zip(layers[::-1], shapes[-2::-1], shapes[:0:-1], strict=True):
        if before is None or after is None:
            return None
        windows = _windows(layer, before)
        if windows is None:
            if before != after:
                return None  # a layer that mixes places in a way of its own
            continue
        spans = [
            (low * step - margin, (high - 1) * step - margin + reach)
            if step > 0
            else (low // -step, (high - 1) // -step + 1)
            for (low, high), (reach, step, margin) in zip(spans, windows, strict=True)
        ]
    return tuple(spans)


def _windows(layer: Any, before: tuple[int, ...]) -> list[tuple[int, int, int]] | None:
    """For rows and columns: how far a window of the layer reaches, how far apart windows are, zeros before the first.

    Upsampling has windows a negative number apart: so many results see one place.
    """
    extents = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    kind = type(layer).__name__
    if extents is None:
        if kind == "UpSampling2D":
            return [(1, -n, 0) for n in _pair(layer.size)]
        if kind == "ZeroPadding2D":
            return [(1, 1, pair[0]) for pair in layer.padding]
        return None
    if len(_pair(extents)) != 2 or kind.endswith("Transpose"):
        return None
    steps, spacing = _pair(layer.strides), _pair(getattr(layer, "dilation_rate", 1))
    margins: Any = borders(layer.padding, before, _pair(extents), steps, spacing, kind)
    return [((k - 1) * d + 1, s, int(m[0])) for k, d, s, m in zip(_pair(extents), spacing, steps, margins, strict=True)]


def _pair(n: Any) -> tuple[int, ...]:
    return (int(n), int(n)) if isinstance(n, int) else tuple(int(one) for one in n)


def _extents(layers: list[Layer], x: Array) -> list[tuple[int, ...] | None]:
    """The rows and columns of what each layer makes of x, None where there are none."""
    found: list[tuple[int, ...] | None] = []
    for k, value in enumerate(forward(layers, x)):
        shape = channels_first(value, channels_last(layers, k)).shape
        found.append(tuple(shape[2:]) if len(shape) == 4 else None)
    return found


def _strongest(values: Array, unit: int, last: bool) -> Array:
    """Zeros, but for the largest activity of a unit in each example."""
    moved = channels_first(values, last)
    _existing(unit, moved.shape[1])
    signal = np.zeros_like(moved)
    for one, value in zip(signal, moved, strict=True):
        place = np.unravel_index(int(np.argmax(value[unit])), value.shape[1:])
        one[(unit, *place)] = value[(unit, *place)]
    return np.ascontiguousarray(np.moveaxis(signal, 1, -1) if last and signal.ndim > 2 else signal)


def _existing(unit: int, count: int) -> None:
    if not 0 <= unit < count:
        raise ConfigError(f"there is no unit {unit}: the layer has {count}")


def _pulled(layer: Layer, before: Array, signal: Array) -> Array:
    """The transpose of a layer's derivative at `before`, applied to a signal."""
    x, s = like(before), like(signal, "signal")
    return applied(function([x, s], T.Lop(layer(x), x, s), on_unused_input="ignore"), before, signal)
