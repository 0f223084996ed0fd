"""Images taken apart into neighbourhoods and put together, and made larger."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from symdl.errors import ConfigError, ShapeError
from symdl.graph.expr import Expr, as_expr, described
from symdl.ops.convolutions import bordered, numbers
from symdl.ops.declare import cast_to, float_of
from symdl.ops.elementwise import cast, clip
from symdl.ops.extents import as_shape, exprs_of
from symdl.ops.indexing import take
from symdl.ops.shaping import concatenate, iota, repeat, reshape, transpose
from symdl.ops.windows import windows_of
from symdl.types import Extent, floor_divide, product

NEIGHBOURHOODS = ("valid", "ignore_borders", "wrap_centered", "half", "full")


def _image(x: Any, name: str) -> Expr:
    e = as_expr(x)
    if e.type.ndim != 4:
        raise ShapeError(
            f"{name}: {e!r} has {e.type.ndim} axes, not 4: images, channels, rows, columns", [described(e)]
        )
    return e


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Expr:
    """One row for each neighbourhood of neib_shape = (rows, columns) in ten4[n, channels, rows, columns]: its numbers.

    Rows are in the order of images, channels, neighbourhoods. neib_step: how far apart they begin, by default as wide as they
    are. mode: "valid" (they must fill the image, else ShapeError), "ignore_borders" (what does not fill one is left out),
    "wrap_centered" (one around every step-th place, of odd extents, the image being a torus), "half" and "full" (with
    zeros around the image, as conv2d has them).
    """
    name = "images2neibs"
    x = _image(ten4, name)
    size = numbers(neib_shape, 2, "neib_shape", name)
    step = size if neib_step is None else numbers(neib_step, 2, "neib_step", name)
    if mode not in NEIGHBOURHOODS:
        raise ConfigError(f"{name}: there is no mode {mode!r}", (), f"modes: {', '.join(NEIGHBOURHOODS)}")
    counts: list[Extent] = []
    if mode == "wrap_centered":
        if any(w % 2 == 0 for w in size):
            raise ConfigError(f"{name}: neighbourhoods around a place have odd extents, not {size}")
        counts = [floor_divide(n + k - 1, k) for n, k in zip(x.type.shape[2:], step, strict=True)]
        for axis, w in zip((2, 3), size, strict=True):
            if w > 1:
                lead = (slice(None),) * axis
                x = concatenate([x[(*lead, slice(-(w // 2), None))], x, x[(*lead, slice(None, w // 2))]], axis)
    else:
        if mode in ("half", "full"):
            around = tuple(w // 2 if mode == "half" else w - 1 for w in size)
            x = bordered(x, tuple((p, p) for p in around))
        for k, (n, w, s) in enumerate(zip(x.type.shape[2:], size, step, strict=True)):
            if isinstance(n, int) and (n < w or (mode == "valid" and (n - w) % s)):
                raise ShapeError(
                    f"{name}: neighbourhoods of {w} places, {s} apart, do not fill the {n} of axis {k + 2} of {x!r}",
                    [described(x)], 'mode="ignore_borders" leaves out what is left.' if n >= w else "",
                )  # fmt: skip
            counts.append(floor_divide(n - w, s) + 1)
    for k in range(2):
        x = windows_of(x, 2 + k, 0, step[k], 1, counts[k], size[k])
    lead_axes = exprs_of((product(x.type.shape[:4]),))[0]
    return reshape(x, (lead_axes, size[0] * size[1]))


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Expr:
    """The images of original_shape whose images2neibs, with neighbourhoods side by side, are neibs.

    mode: "valid", or "ignore_borders" (what no neighbourhood covers is 0).
    """
    name = "neibs2images"
    x = as_expr(neibs)
    if x.type.ndim != 2:
        raise ShapeError(f"{name}: {x!r} has {x.type.ndim} axes, not 2", [described(x)])
    size = numbers(neib_shape, 2, "neib_shape", name)
    shape = as_shape(original_shape, name)
    if len(shape) != 4:
        raise ShapeError(f"{name}: original_shape {tuple(original_shape)} does not have 4 extents", [described(x)])
    if mode not in ("valid", "ignore_borders"):
        raise ConfigError(f"{name}: there is no mode {mode!r}", (), "modes: valid, ignore_borders")
    for k, (n, w) in enumerate(zip(shape[2:], size, strict=True)):
        if mode == "valid" and isinstance(n, int) and n % w:
            raise ShapeError(
                f"{name}: neighbourhoods of {w} places do not fill the {n} of axis {k + 2}", [described(x)]
            )
    down, across = (floor_divide(n, w) for n, w in zip(shape[2:], size, strict=True))
    wide = reshape(x, exprs_of((shape[0], shape[1], down, across, size[0], size[1])))
    put = transpose(wide, (0, 1, 2, 4, 3, 5))
    out = reshape(put, exprs_of((shape[0], shape[1], down * size[0], across * size[1])))
    rest = tuple((0, n - m) for n, m in zip(shape[2:], out.type.shape[2:], strict=True))
    return bordered(out, rest) if mode == "ignore_borders" else out


def upsampling(x: Any, ratio: Any = 2) -> Expr:
    """Each place of the last two axes of x[..., rows, columns] repeated ratio times, or (down, across) times."""
    x = as_expr(x)
    if x.type.ndim < 2:
        raise ShapeError(f"upsampling: {x!r} has {x.type.ndim} axes, fewer than 2", [described(x)])
    down, across = numbers(ratio, 2, "ratio", "upsampling")
    return repeat(repeat(x, down, x.type.ndim - 2), across, x.type.ndim - 1)


def bilinear_upsampling(
    input: Any,
    ratio: Any = None,
    frac_ratio: Any = None,
    batch_size: Any = None,
    num_input_channels: Any = None,
    use_1D_kernel: bool = True,
) -> Expr:
    """input[n, channels, rows, columns] made ratio times larger, linearly between places, constant beyond the outer ones.

    Place p of the result is place (p - (ratio - 1) // 2) / ratio of the input. ratio: one int, or (down, across);
    frac_ratio: instead of it ((a, b), (c, d)), the result being a / b times as high, with rounded-down extents, and place
    p being place p * b / a. The other settings are Theano's and have no effect here. Raises ConfigError unless one of the
    two is given.
    """
    name = "bilinear_upsampling"
    x = _image(input, name)
    x = cast_to(x, float_of(x.type.dtype))
    if (ratio is None) == (frac_ratio is None):
        raise ConfigError(f"{name}: takes either ratio or frac_ratio")
    if ratio is not None:
        given = numbers(ratio, 2, "ratio", name)
        scales = [(Fraction(r), -((r - 1) // 2)) for r in given]
    else:
        pairs = tuple(frac_ratio)
        if len(pairs) == 2 and not isinstance(pairs[0], Sequence):
            pairs = (pairs, pairs)
        scales = [(Fraction(operator.index(a), operator.index(b)), 0) for a, b in pairs]
    for axis, (scale, shift) in zip((2, 3), scales, strict=True):
        x = _stretched(x, axis, scale, shift)
    return x


def _stretched(x: Expr, axis: int, scale: Fraction, shift: int) -> Expr:
    """x along an axis at the places (p + shift) / scale, linearly between neighbours."""
    if scale == 1 and shift == 0:
        return x
    n = x.type.shape[axis]
    count = floor_divide(n * scale.numerator, scale.denominator)
    at = (iota((count,), 0) + shift) * scale.denominator
    last = exprs_of((n - 1,))[0]
    whole = at // scale.numerator
    part = cast(at - whole * scale.numerator, x.type.dtype) / scale.numerator
    low, high = clip(whole, 0, last), clip(whole + 1, 0, last)
    pattern = (*("x" for _ in range(axis)), 0, *("x" for _ in range(x.type.ndim - axis - 1)))
    weight = part.dimshuffle(*pattern)
    return take(x, low, axis) * (1 - weight) + take(x, high, axis) * weight
