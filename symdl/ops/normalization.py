"""Normalization of layers' values: over a batch, a layer, groups of channels, or neighbouring channels. Compositions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symdl.errors import ConfigError, ShapeError
from symdl.graph.expr import Expr, as_expr, described
from symdl.ops.declare import cast_to, float_of
from symdl.ops.elementwise import cast, sqr
from symdl.ops.extents import axes_in, expr_of
from symdl.ops.functions import sqrt
from symdl.ops.pooling import pool_1d
from symdl.ops.reductions import mean, var
from symdl.ops.shaping import dimshuffle, moveaxis, reshape
from symdl.types import floor_divide, product


def _normalized_axes(axes: Any, x: Expr, name: str) -> tuple[int, ...]:
    """The axes that mean and variance run over."""
    if axes == "per-activation":
        return axes_in(x, (0,), name)
    if axes == "spatial":
        return axes_in(x, (0, *range(2, x.type.ndim)), name)
    if isinstance(axes, str):
        raise ConfigError(f"{name}: there are no axes {axes!r}", (), 'Axes: "per-activation", "spatial", or numbers.')
    return axes_in(x, axes, name)


def _aligned(p: Any, x: Expr, axes: tuple[int, ...], what: str, name: str) -> Expr:
    """A parameter with an axis of 1 for each normalized axis, which it may have or skip."""
    e = as_expr(p)
    if e.type.ndim == x.type.ndim:
        if any(e.type.shape[k] != 1 for k in axes):
            parts = [described(x), described(e)]
            raise ShapeError(f"{name}: {what} {e!r} must have extent 1 along the normalized axes {axes}", parts)
        return e
    if e.type.ndim != x.type.ndim - len(axes):
        wanted = f"{x.type.ndim - len(axes)} axes, or {x.type.ndim}"
        raise ShapeError(f"{name}: {what} {e!r} has {e.type.ndim} axes, not {wanted}", [described(x), described(e)])
    rest = iter(range(e.type.ndim))
    return dimshuffle(e, *("x" if k in axes else next(rest) for k in range(x.type.ndim)))


def _without(e: Expr, axes: tuple[int, ...], like: Any) -> Expr:
    """A statistic in the layout of a parameter that skips the normalized axes, or has them."""
    if as_expr(like).type.ndim == e.type.ndim:
        return e
    return dimshuffle(e, *(k for k in range(e.type.ndim) if k not in axes))


def batch_normalization_train(
    inputs: Any,
    gamma: Any,
    beta: Any,
    axes: Any = "per-activation",
    epsilon: float = 1e-4,
    running_average_factor: float = 0.1,
    running_mean: Any = None,
    running_var: Any = None,
) -> tuple[Expr, ...]:
    """(out, mean, invstd): out = (inputs - mean) * invstd * gamma + beta, invstd = 1 / sqrt(variance + epsilon).

    Mean and variance are those of the batch, over axes: "per-activation" (the first), "spatial" (all but the second), or
    numbers. gamma, beta and the running averages have extent 1 along these axes, or skip them; so do the statistics
    returned. With running averages two more results follow, with f = running_average_factor and m values a mean:

        (1 - f) running_mean + f mean,    (1 - f) running_var + f m / (m - 1) variance

    which are meant as updates. (Ioffe and Szegedy, 2015.) Raises ShapeError for parameters of other axes.
    """
    name = "batch_normalization_train"
    x = as_expr(inputs)
    x = cast_to(x, float_of(x.type.dtype))
    over = _normalized_axes(axes, x, name)
    scale, shift = _aligned(gamma, x, over, "gamma", name), _aligned(beta, x, over, "beta", name)
    average, spread = mean(x, axis=over, keepdims=True), var(x, axis=over, keepdims=True)
    invstd = 1 / sqrt(spread + epsilon)
    out = (x - average) * (scale * invstd) + shift
    results = [out, _without(average, over, gamma), _without(invstd, over, gamma)]
    f = running_average_factor
    if running_mean is not None:
        old = as_expr(running_mean)
        results.append(cast_to((1 - f) * old + f * _without(average, over, old), old.type.dtype))
    if running_var is not None:
        old = as_expr(running_var)
        m = cast(expr_of(product(x.type.shape[k] for k in over)), x.type.dtype)
        unbiased = _without(spread, over, old) * (m / (m - 1))
        results.append(cast_to((1 - f) * old + f * unbiased, old.type.dtype))
    return tuple(results)


def batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Any = "per-activation", epsilon: float = 1e-4
) -> Expr:
    """(inputs - mean) / sqrt(var + epsilon) * gamma + beta, with averages that training has left."""
    name = "batch_normalization_test"
    x = as_expr(inputs)
    over = _normalized_axes(axes, x, name)
    given = {"gamma": gamma, "beta": beta, "mean": mean, "var": var}
    scale, shift, average, spread = (_aligned(p, x, over, what, name) for what, p in given.items())
    return (x - average) * (scale / sqrt(spread + epsilon)) + shift


def batch_normalization(inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem") -> Expr:
    """(inputs - mean) * gamma / std + beta, for parameters that broadcast. mode has no effect here."""
    out: Expr = (as_expr(inputs) - mean) * (gamma / as_expr(std)) + beta
    return out


def _standardized(x: Expr, axes: Any, epsilon: float) -> Expr:
    centred = x - mean(x, axis=axes, keepdims=True)
    return centred / sqrt(mean(sqr(centred), axis=axes, keepdims=True) + epsilon)


def layer_normalization(x: Any, gamma: Any = None, beta: Any = None, axes: Any = -1, epsilon: float = 1e-5) -> Expr:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and variance over axes of each example alone.

    gamma and beta broadcast; None leaves them out. (Ba, Kiros and Hinton, 2016.)
    """
    x = as_expr(x)
    out = _standardized(cast_to(x, float_of(x.type.dtype)), axes, epsilon)
    out = out if gamma is None else out * gamma
    return out if beta is None else out + beta


def group_normalization(x: Any, groups: int, gamma: Any = None, beta: Any = None, epsilon: float = 1e-5) -> Expr:
    """layer_normalization within each of so many groups of the channels of x[n, channels, ...] (Wu and He, 2018).

    gamma[channels], beta[channels]. Raises ShapeError where the channels do not divide into groups.
    """
    x = as_expr(x)
    n = x.type.ndim
    if n < 2:
        raise ShapeError(f"group_normalization: {x!r} has no channels", [described(x)])
    channels = x.type.shape[1]
    if not isinstance(groups, int) or groups < 1 or (isinstance(channels, int) and channels % groups):
        raise ShapeError(
            f"group_normalization: the channels of {x!r} do not divide into {groups} groups", [described(x)]
        )
    shape = tuple(expr_of(m) for m in x.type.shape)
    each = expr_of(floor_divide(channels, groups))
    x = cast_to(x, float_of(x.type.dtype))
    wide = reshape(x, (shape[0], groups, each, *shape[2:]))
    out = reshape(_standardized(wide, tuple(range(2, n + 1)), epsilon), shape)
    pattern = ("x", 0, *("x" for _ in range(n - 2)))
    out = out if gamma is None else out * dimshuffle(gamma, *pattern)
    return out if beta is None else out + dimshuffle(beta, *pattern)


def instance_normalization(x: Any, gamma: Any = None, beta: Any = None, epsilon: float = 1e-5) -> Expr:
    """layer_normalization of each channel of each example of x[n, channels, ...] (Ulyanov, Vedaldi and Lempitsky, 2016)."""
    x = as_expr(x)
    n = x.type.ndim
    if n < 3:
        raise ShapeError(f"instance_normalization: {x!r} has no places beside channels", [described(x)])
    out = _standardized(cast_to(x, float_of(x.type.dtype)), tuple(range(2, n)), epsilon)
    pattern = ("x", 0, *("x" for _ in range(n - 2)))
    out = out if gamma is None else out * dimshuffle(gamma, *pattern)
    return out if beta is None else out + dimshuffle(beta, *pattern)


def local_response_normalization(
    x: Any, n: int = 5, k: float = 2, alpha: float = 1e-4, beta: float = 0.75, axis: int = 1
) -> Expr:
    """x / (k + alpha * (sum of squares of the n channels around)) ** beta, n being odd.

    Krizhevsky, Sutskever and Hinton, 2012. Raises ConfigError for an even n.
    """
    if n % 2 == 0:
        raise ConfigError(f"local_response_normalization: n must be odd, not {n}")
    x = as_expr(x)
    x = cast_to(x, float_of(x.type.dtype))
    squares = moveaxis(sqr(x), axis, -1)
    around = moveaxis(pool_1d(squares, n, stride=1, pad=n // 2, mode="sum"), -1, axis)
    out: Expr = x / (k + alpha * around) ** beta
    return out


def maxout(x: Any, pieces: int, axis: int = 1) -> Expr:
    """The largest of each run of so many neighbours along an axis (Goodfellow et al., 2013).

    Raises ShapeError where they do not divide the axis.
    """
    x = as_expr(x)
    (k,) = axes_in(x, axis, "maxout")
    n = x.type.shape[k]
    if not isinstance(pieces, int) or pieces < 1 or (isinstance(n, int) and n % pieces):
        raise ShapeError(f"maxout: axis {k} of {x!r} does not divide into runs of {pieces}", [described(x)])
    shape: Sequence[Any] = [expr_of(m) for m in x.type.shape]
    wide = reshape(x, (*shape[:k], expr_of(floor_divide(n, pieces)), pieces, *shape[k + 1 :]))
    return wide.max(axis=k + 1)
