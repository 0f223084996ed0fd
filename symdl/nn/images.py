"""Layers over images x[n, channels, rows, columns]: convolution, pooling, and what leads from images to vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.config import config
from symdl.errors import ShapeError
from symdl.expr import Expr
from symdl.nn.activations import Activation, activation
from symdl.nn.initializers import Initializer, initializer
from symdl.random import RandomStream
from symdl.storage import SharedVariable, shared


class Conv2D:
    """activation(correlate(x, W) + b): x[n, channels, rows, columns], W[filters, channels / groups, *size], b[filters].

    size: extents of a filter, one number or (rows, columns). border_mode, stride, dilation, groups: those of T.conv2d.
    rng: a generator, or a seed of one, from which W is drawn; b begins at 0. dtype: config.floatX if not given.
    name: the parameters are called name.W and name.b.
    Raises ShapeError for extents below 1 or channels that do not divide into groups, ConfigError for other settings.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        size: int | tuple[int, int],
        activation: str | Activation = "linear",
        initializer: str | Initializer = "glorot_uniform",
        *,
        border_mode: Any = "valid",
        stride: int | tuple[int, int] = 1,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        rng: np.random.Generator | int = 0,
        dtype: str | None = None,
        name: str = "conv",
    ) -> None:
        rows, columns = (size, size) if isinstance(size, int) else size
        if min(channels, filters, rows, columns, groups) < 1:
            raise ShapeError(
                f"Conv2D: {filters} filters of {rows} x {columns} for {channels} channels; all must be at least 1"
            )
        if channels % groups or filters % groups:
            raise ShapeError(f"Conv2D: {channels} channels and {filters} filters do not divide into {groups} groups")
        self.channels, self.filters, self.size, self.name = channels, filters, (rows, columns), name
        self.settings = {
            "border_mode": border_mode,
            "subsample": stride,
            "filter_dilation": dilation,
            "num_groups": groups,
        }
        self.activation = _activation(activation)
        dtype = dtype or config.floatX
        shape = (filters, channels // groups, rows, columns)
        weights = _initializer(initializer)(np.random.default_rng(rng), shape)
        self.W = shared(weights.astype(dtype), f"{name}.W")
        self.b = shared(np.zeros(filters, dtype), f"{name}.b")

    @property
    def parameters(self) -> list[SharedVariable]:
        return [self.W, self.b]

    def __call__(self, x: Expr, noise: RandomStream | None = None) -> Expr:
        z = T.correlate(x, self.W, **self.settings)
        return self.activation(z + T.dimshuffle(self.b, "x", 0, "x", "x"))

    def __repr__(self) -> str:
        return f"Conv2D({self.channels}, {self.filters}, {self.size}, name={self.name!r})"


class Pool2D:
    """T.pool_2d as a layer: the largest ("max"), the sum, or the mean of each window of the last two axes."""

    def __init__(
        self,
        size: int | tuple[int, int] = 2,
        mode: str = "max",
        *,
        stride: int | tuple[int, int] | None = None,
        pad: int | tuple[int, int] = 0,
        ignore_border: bool = True,
    ) -> None:
        self.size, self.mode = size, mode
        self.settings: dict[str, Any] = {"ignore_border": ignore_border, "stride": stride, "pad": pad, "mode": mode}

    @property
    def parameters(self) -> list[SharedVariable]:
        return []

    def __call__(self, x: Expr, noise: RandomStream | None = None) -> Expr:
        return T.pool_2d(x, self.size, **self.settings)

    def __repr__(self) -> str:
        return f"Pool2D({self.size}, {self.mode!r})"


class Flatten:
    """x[n, ...] as rows x[n, numbers], which Dense takes."""

    @property
    def parameters(self) -> list[SharedVariable]:
        return []

    def __call__(self, x: Expr, noise: RandomStream | None = None) -> Expr:
        return T.flatten(x, 2)

    def __repr__(self) -> str:
        return "Flatten()"


# the parameters of Conv2D hide the functions of the same names
_activation, _initializer = activation, initializer
