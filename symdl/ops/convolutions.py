"""Convolutions over one to three spatial axes, in Theano's words, and the three products that all of them are.

A convolution is linear in the images x, in the filters f and, by its adjoints, in the results y: three ops, of which each
computes one of the three from the other two (`symdl.convolution` says how). The gradient of each is made of the other
two, to any order. Borders are views of the images, flips and holes of filters are the sign and size of `spacing`.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from symdl import convolution
from symdl.errors import ConfigError, DtypeError, ShapeError, SymdlError
from symdl.graph.expr import Expr, Inferred, Op, as_expr, described, make, register
from symdl.ops.contractions import contract
from symdl.ops.declare import cast_to, common_dtype, differentiable, spread
from symdl.ops.extents import as_extent, as_shape
from symdl.ops.shaping import flip
from symdl.ops.views import PAD, SLICE, reshape_to
from symdl.ops.windows import windows_of
from symdl.types import Extent, Fact, Shape, TensorType, equal, floor_divide, largest, require_at_most

Pairs = tuple[tuple[Extent, Extent], ...]
Numbers = tuple[int, ...]


# ---- the three products ----


def _reach(filters: Shape, spacing: Numbers) -> Shape:
    """Over how many places a filter reaches along each axis."""
    return tuple((u - 1) * abs(d) + 1 for u, d in zip(filters, spacing, strict=True))


def _within(images: Shape, filters: Shape, results: Shape, steps: Numbers, spacing: Numbers, facts: list[Fact]) -> None:
    """The facts that a filter has as many places within an image as there are results."""
    name = f"conv{len(images)}d"
    rows = zip(images, _reach(filters, spacing), results, steps, strict=True)
    for k, (i, reach, y, step) in enumerate(rows):
        why = (
            f"{name}: along axis {k + 2} filters have {{left}} places within an image, and there are {{right}} results"
        )
        equal(floor_divide(i - reach, step) + 1, y, why, facts)


def _whole_groups(n: Extent, groups: int, what: str, facts: list[Fact]) -> Extent:
    """n over groups, which must divide it."""
    each = floor_divide(n, groups)
    equal(n, each * groups, f"{what}, {{left}}, do not divide into {groups} groups", facts)
    return each


def _result(x: TensorType, f: TensorType, *, steps: Numbers, spacing: Numbers, groups: int) -> Inferred:
    facts: list[Fact] = []
    name = f"conv{len(steps)}d"
    each = f"{{right}} channels{'' if groups == 1 else f' in {groups} groups'}"
    equal(x.shape[1], f.shape[1] * groups, f"{name}: {{left}} channels of {{0}} meet filters {{1}} for {each}", facts)
    _whole_groups(f.shape[0], groups, f"{name}: the outputs of {{1}}", facts)
    out: list[Extent] = []
    rows = zip(x.shape[2:], f.shape[2:], _reach(f.shape[2:], spacing), steps, strict=True)
    for k, (i, u, reach, step) in enumerate(rows):
        require_at_most(1, u, f"{name}: axis {k + 2} of {{1}} is empty", facts)
        why = f"{name}: filters {{1}} reach over {{left}} places along axis {k + 2} of {{0}}, which has {{right}}"
        require_at_most(reach, i, why, facts)
        out.append(floor_divide(i - reach, step) + 1)
    return TensorType(x.dtype, (x.shape[0], f.shape[0], *out)), tuple(facts)


def _filters(x: TensorType, y: TensorType, *, steps: Numbers, spacing: Numbers, groups: int, shape: Shape) -> Inferred:
    facts: list[Fact] = []
    name = f"conv{len(steps)}d"
    equal(x.shape[0], y.shape[0], f"{name}: {{left}} images of {{0}} meet {{right}} of {{1}}", facts)
    channels = _whole_groups(x.shape[1], groups, f"{name}: the channels of {{0}}", facts)
    _whole_groups(y.shape[1], groups, f"{name}: the channels of {{1}}", facts)
    _within(x.shape[2:], shape, y.shape[2:], steps, spacing, facts)
    return TensorType(x.dtype, (y.shape[1], channels, *shape)), tuple(facts)


def _images(f: TensorType, y: TensorType, *, steps: Numbers, spacing: Numbers, groups: int, shape: Shape) -> Inferred:
    facts: list[Fact] = []
    name = f"conv{len(steps)}d"
    equal(f.shape[0], y.shape[1], f"{name}: {{left}} outputs of {{0}} meet {{right}} channels of {{1}}", facts)
    _whole_groups(f.shape[0], groups, f"{name}: the outputs of {{0}}", facts)
    _within(shape, f.shape[2:], y.shape[2:], steps, spacing, facts)
    return TensorType(f.dtype, (y.shape[0], f.shape[1] * groups, *shape)), tuple(facts)


def _spatial(x: Expr) -> Shape:
    return tuple(x.type.shape[2:])


def _pull_result(g: Expr, y: Expr, x: Expr, f: Expr, **how: Any) -> tuple[Expr | None, ...]:
    to_images = make(CONVOLVE_IMAGES, (f, g), shape=_spatial(x), **how) if differentiable(x) else None
    return to_images, make(CONVOLVE_FILTERS, (x, g), shape=_spatial(f), **how) if differentiable(f) else None


def _pull_filters(g: Expr, f: Expr, x: Expr, y: Expr, *, shape: Shape, **how: Any) -> tuple[Expr | None, ...]:
    to_images = make(CONVOLVE_IMAGES, (g, y), shape=_spatial(x), **how) if differentiable(x) else None
    return to_images, make(CONVOLVE, (x, g), **how) if differentiable(y) else None


def _pull_images(g: Expr, x: Expr, f: Expr, y: Expr, *, shape: Shape, **how: Any) -> tuple[Expr | None, ...]:
    to_filters = make(CONVOLVE_FILTERS, (g, y), shape=_spatial(f), **how) if differentiable(f) else None
    return to_filters, make(CONVOLVE, (g, f), **how) if differentiable(y) else None


CONVOLVE = register(
    Op(
        "convolve", "contraction", ("x", "f"), _result, "Results of images and filters, summed over windows.",
        reference=convolution.convolve, pullback=_pull_result, meaning="Sum(x*f)",
    )
)  # fmt: skip
CONVOLVE_FILTERS = register(
    Op(
        "convolve_filters", "contraction", ("x", "y"), _filters, "The adjoint of convolve for its filters.",
        reference=convolution.convolve_filters, pullback=_pull_filters, meaning="Sum(x*y)",
    )
)  # fmt: skip
CONVOLVE_IMAGES = register(
    Op(
        "convolve_images", "contraction", ("f", "y"), _images, "The adjoint of convolve for its images.",
        reference=convolution.convolve_images, pullback=_pull_images, meaning="Sum(f*y)",
    )
)  # fmt: skip


# ---- what users pass ----


def numbers(value: Any, axes: int, what: str, name: str) -> Numbers:
    """One int for each spatial axis, each at least 1."""
    given = (value,) * axes if isinstance(value, int) or not isinstance(value, Sequence) else tuple(value)
    try:
        out = tuple(operator.index(v) for v in given)
    except TypeError:
        raise ConfigError(f"{name}: {what} {value!r} is not made of ints") from None
    if len(out) != axes or any(v < 1 for v in out):
        raise ConfigError(f"{name}: {what} {value!r} does not give each of the {axes} axes a number from 1 on")
    return out


def _groups(value: Any, name: str) -> int:
    if not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name}: num_groups is {value!r}, not an int from 1 on")
    return value


def borders(mode: Any, images: Shape, filters: Shape, steps: Numbers, spacing: Numbers, name: str) -> Pairs:
    """How many places of zeros are put before and behind each spatial axis.

    mode: "valid", "full", "half" (Theano's: half the filter on either side), "same" (as many results as images have
    places, over step, rounded up; of an odd number of zeros the last is behind), a number, one an axis, or a pair an axis.
    """
    reach = _reach(filters, spacing)
    if isinstance(mode, str):
        if mode == "valid":
            return ((0, 0),) * len(reach)
        if mode == "full":
            return tuple((r - 1, r - 1) for r in reach)
        if mode == "half":
            return tuple((floor_divide(r, 2), floor_divide(r, 2)) for r in reach)
        if mode == "same":
            out: list[tuple[Extent, Extent]] = []
            for i, r, k in zip(images, reach, steps, strict=True):
                total = largest((floor_divide(i + (k - 1), k) - 1) * k + r - i, 0)
                out.append((floor_divide(total, 2), total - floor_divide(total, 2)))
            return tuple(out)
        modes = '"valid", "full", "half", "same", a number, one an axis, or a pair an axis'
        raise ConfigError(f"{name}: there is no border mode {mode!r}", (), f"Border modes: {modes}.")
    each = tuple(mode) if isinstance(mode, Sequence) else (mode,) * len(reach)
    if len(each) != len(reach):
        raise ConfigError(f"{name}: the border mode {mode!r} does not speak of {len(reach)} axes")
    pairs = []
    for p in each:
        two = tuple(p) if isinstance(p, Sequence) else (p, p)
        if len(two) != 2:
            raise ConfigError(f"{name}: the border {p!r} is neither a number nor a pair")
        pairs.append((as_extent(two[0], name), as_extent(two[1], name)))
    if any(isinstance(n, int) and n < 0 for pair in pairs for n in pair):
        raise ConfigError(f"{name}: the border mode {mode!r} has a number below 0")
    return tuple(pairs)


def bordered(x: Expr, pairs: Pairs, fill: float = 0) -> Expr:
    """x with so many places of `fill` before and behind each of its last axes."""
    if all(pair == (0, 0) for pair in pairs):
        return x
    lead = x.type.ndim - len(pairs)
    starts = (0,) * lead + tuple(before for before, _ in pairs)
    wide = tuple(n + before + after for n, (before, after) in zip(x.type.shape[lead:], pairs, strict=True))
    return make(PAD, (x,), starts=starts, steps=(1,) * x.type.ndim, shape=(*x.type.shape[:lead], *wide), fill=fill)


def _operands(name: str, axes: int, x: Any, filters: Any, more: int = 0) -> tuple[Expr, Expr]:
    """Both as Exprs of one dtype and the right numbers of axes."""
    x, filters = as_expr(x), as_expr(filters)

    def refused(kind: type[SymdlError], what: str) -> SymdlError:
        return kind(f"{name}: {what}", [described(x), described(filters)])

    dtype = common_dtype([x, filters])
    if dtype == "bool":
        raise refused(DtypeError, "takes numbers, not bool")
    if x.type.ndim != axes + 2:
        raise refused(ShapeError, f"{x!r} has {x.type.ndim} axes, not {axes + 2}: images, channels and places")
    if filters.type.ndim != axes + 2 + more:
        wanted = f"{axes + 2 + more}: outputs, {'places, ' if more else ''}channels and places of the filter"
        raise refused(ShapeError, f"the filters {filters!r} have {filters.type.ndim} axes, not {wanted}")
    return cast_to(x, dtype), cast_to(filters, dtype)


def stated(x: Expr, shape: Any, what: str, name: str) -> Expr:
    """x, its extents those that the user states (None where nothing is stated); checked when the function is called."""
    if shape is None:
        return x
    given = [n if s is None else as_extent(s, name) for s, n in zip(shape, x.type.shape, strict=False)]
    if len(given) != x.type.ndim or len(tuple(shape)) != x.type.ndim:
        raise ShapeError(f"{name}: {what} {tuple(shape)} does not fit the {x.type.ndim} axes of {x!r}", [described(x)])
    for k, (n, m) in enumerate(zip(x.type.shape, given, strict=True)):
        if isinstance(n, int) and isinstance(m, int) and n != m:
            raise ShapeError(f"{name}: {what} says {m} for axis {k} of {x!r}, which has {n}", [described(x)])
    return spread(x, tuple(given), tuple(range(x.type.ndim)))


def _convolution(
    axes: int,
    name: str,
    input: Any,
    filters: Any,
    input_shape: Any,
    filter_shape: Any,
    border_mode: Any,
    subsample: Any,
    filter_flip: bool,
    filter_dilation: Any,
    num_groups: int,
    unshared: bool,
) -> Expr:
    x, f = _operands(name, axes, input, filters, axes if unshared else 0)
    x, f = stated(x, input_shape, "input_shape", name), stated(f, filter_shape, "filter_shape", name)
    steps = numbers(subsample, axes, "subsample", name)
    spacing = numbers(filter_dilation, axes, "filter_dilation", name)
    groups = _groups(num_groups, name)
    pairs = borders(border_mode, x.type.shape[2:], f.type.shape[-axes:], steps, spacing, name)
    x = bordered(x, pairs)
    if unshared:
        return _untied(x, f, steps, spacing, groups, bool(filter_flip), axes)
    signed = tuple(-d for d in spacing) if filter_flip else spacing
    return make(CONVOLVE, (x, f), steps=steps, spacing=signed, groups=groups)


def _untied(x: Expr, f: Expr, steps: Numbers, spacing: Numbers, groups: int, turned: bool, axes: int) -> Expr:
    """A filter of its own for each place of the result: f[outputs, places, channels, filter]."""
    name = f"conv{axes}d"
    facts: list[Fact] = []
    each = _whole_groups(f.type.shape[0], groups, f"{name}: the outputs of {{0}}", facts)
    lead, places, sizes = f.type.shape[0], f.type.shape[1 : 1 + axes], f.type.shape[-axes:]
    w = x
    for k in range(axes):
        w = windows_of(w, 2 + k, 0, steps[k], spacing[k], places[k], sizes[k])
    if turned:
        f = flip(f, tuple(range(-axes, 0)))
    y, u = tuple(f"y{k}" for k in range(axes)), tuple(f"u{k}" for k in range(axes))
    w = reshape_to(w, (w.type.shape[0], groups, floor_divide(w.type.shape[1], groups), *w.type.shape[2:]))
    f = reshape_to(f, (groups, each, *f.type.shape[1:]))
    left, right = ("n", "g", "c", *y, *u), ("g", "o", *y, "c", *u)
    out = contract(w, f, notation=f"{' '.join(left)}, {' '.join(right)} -> {' '.join(('n', 'g', 'o', *y))}")
    return reshape_to(out, (x.type.shape[0], lead, *out.type.shape[3:]))


def conv1d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = 1,
    filter_flip: bool = True,
    filter_dilation: Any = 1,
    num_groups: int = 1,
    unshared: bool = False,
) -> Expr:
    """conv2d over one spatial axis: input[n, channels, places], filters[outputs, channels / num_groups, places]."""
    how = (input_shape, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return _convolution(1, "conv1d", input, filters, *how)


def conv2d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Expr:
    """Images against filters: out[n, o, p] = sum over c, u of input[n, c, p * subsample + u * filter_dilation] f[o, c, u].

    input[n, channels, rows, columns], filters[outputs, channels / num_groups, rows, columns]; p and u are places (row,
    column). f is filters with both spatial axes reversed, as convolution has it; with filter_flip=False it is filters
    itself, which makes it `correlate`. Extents of out: (extent + zeros - reach) // subsample + 1, a filter of k places
    reaching over (k - 1) * filter_dilation + 1.

    border_mode: the zeros around an image: "valid" none; "full" reach - 1 on either side; "half" reach // 2; "same" as
    many as give ceil(extent / subsample) results; a number, (rows, columns), or ((above, below), (left, right)).
    num_groups: outputs and channels are cut into so many parts, each of which meets its own. unshared: every place of the
    result has filters of its own, filters[outputs, *places, channels / num_groups, rows, columns].
    input_shape, filter_shape: extents that are known beforehand (None where not); checked when called.

    float32 is summed as float32, in an order that depends on the extents alone. Raises ShapeError for operands of other
    numbers of axes or channels, and for filters that reach beyond the image; ConfigError for other settings.
    """
    how = (input_shape, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return _convolution(2, "conv2d", input, filters, *how)


def conv3d(
    input: Any,
    filters: Any,
    input_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1),
    num_groups: int = 1,
    unshared: bool = False,
) -> Expr:
    """conv2d over three spatial axes: input[n, channels, depth, rows, columns]."""
    how = (input_shape, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return _convolution(3, "conv3d", input, filters, *how)


def correlate(input: Any, filters: Any, **settings: Any) -> Expr:
    """conv1d, conv2d or conv3d, by the axes of the input, with the filters as they are: filter_flip=False."""
    x = as_expr(input)
    if not 3 <= x.type.ndim <= 5:
        raise ShapeError(f"correlate: {x!r} has {x.type.ndim} axes, not 3 to 5", [described(x)])
    return (conv1d, conv2d, conv3d)[x.type.ndim - 3](x, filters, filter_flip=False, **settings)


def _transposed(
    axes: int,
    input: Any,
    filters: Any,
    output_shape: Any,
    filter_shape: Any,
    border_mode: Any,
    input_dilation: Any,
    filter_flip: bool,
    filter_dilation: Any,
    num_groups: int,
) -> Expr:
    name = f"conv{axes}d_transpose"
    y, f = _operands(name, axes, input, filters)
    f = stated(f, filter_shape, "filter_shape", name)
    steps = numbers(input_dilation, axes, "input_dilation", name)
    spacing = numbers(filter_dilation, axes, "filter_dilation", name)
    groups = _groups(num_groups, name)
    reach = _reach(f.type.shape[2:], spacing)
    rows = zip(y.type.shape[2:], steps, reach, strict=True)
    least = tuple((m - 1) * k + r for m, k, r in rows)  # the places that windows cover
    if output_shape is None:
        pairs = borders(border_mode, (), f.type.shape[2:], steps, spacing, name)
        extents = tuple(n - before - after for n, (before, after) in zip(least, pairs, strict=True))
    else:
        whole = tuple(output_shape)
        if len(whole) not in (axes, axes + 2):
            raise ShapeError(f"{name}: output_shape {whole} does not speak of {axes} places", [described(y)])
        extents = as_shape([n if s is None else s for s, n in zip(whole[-axes:], least, strict=True)], name)
        pairs = borders(border_mode, extents, f.type.shape[2:], steps, spacing, name)
    padded = tuple(n + before + after for n, (before, after) in zip(extents, pairs, strict=True))
    signed = tuple(-d for d in spacing) if filter_flip else spacing
    wide = make(CONVOLVE_IMAGES, (f, y), steps=steps, spacing=signed, groups=groups, shape=padded)
    if all(pair == (0, 0) for pair in pairs):
        return wide
    starts = (0, 0, *(before for before, _ in pairs))
    return make(SLICE, (wide,), starts=starts, steps=(1,) * (axes + 2), lengths=(*wide.type.shape[:2], *extents))


def conv2d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any = None,
    filter_shape: Any = None,
    border_mode: Any = "valid",
    input_dilation: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
    num_groups: int = 1,
) -> Expr:
    """The adjoint of conv2d for its images, as a layer: each number of the input lays a filter, times itself, on the output.

    input[n, inputs, rows, columns], filters[inputs, outputs / num_groups, rows, columns]. It is the gradient, for an input
    of output_shape, of the conv2d with these filters, this border_mode, filter_flip and filter_dilation, and with
    subsample = input_dilation. output_shape: (rows, columns), or all four extents, of which the first two are not looked
    at; by default the smallest that fits. (Zeiler, Krishnan, Taylor and Fergus, 2010.)
    """
    how = (output_shape, filter_shape, border_mode, input_dilation, filter_flip, filter_dilation, num_groups)
    return _transposed(2, input, filters, *how)


def conv1d_transpose(input: Any, filters: Any, output_shape: Any = None, **settings: Any) -> Expr:
    """conv2d_transpose over one spatial axis; the settings are its own."""
    return _axes_of_transpose(1, input, filters, output_shape, settings)


def conv3d_transpose(input: Any, filters: Any, output_shape: Any = None, **settings: Any) -> Expr:
    """conv2d_transpose over three spatial axes; the settings are its own."""
    return _axes_of_transpose(3, input, filters, output_shape, settings)


def _axes_of_transpose(axes: int, input: Any, filters: Any, output_shape: Any, settings: dict[str, Any]) -> Expr:
    known = {"filter_shape": None, "border_mode": "valid", "input_dilation": 1, "filter_flip": True,
             "filter_dilation": 1, "num_groups": 1}  # fmt: skip
    if unknown := sorted(set(settings) - set(known)):
        raise ConfigError(f"conv{axes}d_transpose: there is no setting {', '.join(unknown)}")
    return _transposed(axes, input, filters, output_shape, *{**known, **settings}.values())


def causal_conv1d(
    input: Any,
    filters: Any,
    filter_shape: Any = None,
    input_shape: Any = None,
    subsample: int = 1,
    filter_flip: bool = True,
    filter_dilation: int = 1,
    num_groups: int = 1,
) -> Expr:
    """conv1d whose result at a place depends on that place and those before it: all zeros of the border come first."""
    f = as_expr(filters)
    before = ((f.type.shape or (1,))[-1] - 1) * numbers(filter_dilation, 1, "filter_dilation", "causal_conv1d")[0]
    how = (input_shape, filter_shape, ((before, 0),), subsample, filter_flip, filter_dilation, num_groups, False)
    return _convolution(1, "causal_conv1d", input, f, *how)


def separable_conv2d(
    input: Any,
    depthwise_filters: Any,
    pointwise_filters: Any,
    num_channels: int,
    depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    filter_flip: bool = True,
    filter_dilation: Any = (1, 1),
) -> Expr:
    """Each channel against filters of its own, then all results of a place mixed (Chollet, 2017).

    depthwise_filters[channels * multiplier, 1, rows, columns]; pointwise_filters[outputs, channels * multiplier, 1, 1].
    """
    deep = conv2d(
        input, depthwise_filters, None, depthwise_filter_shape, border_mode, subsample, filter_flip, filter_dilation,
        num_channels,
    )  # fmt: skip
    return conv2d(deep, pointwise_filters, filter_shape=pointwise_filter_shape)


def depthwise_conv2d(input: Any, filters: Any, **settings: Any) -> Expr:
    """conv2d of each channel with filters[channels * multiplier, 1, rows, columns] of its own."""
    x = as_expr(input)
    if x.type.ndim != 4 or not isinstance(x.type.shape[1], int):
        raise ShapeError(
            f"depthwise_conv2d: {x!r} does not say how many channels it has", [described(x)],
            "Reshape it, or use conv2d with num_groups.",
        )  # fmt: skip
    return conv2d(x, filters, num_groups=x.type.shape[1], **settings)
