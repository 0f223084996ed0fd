"""Layers over images: convolution, pooling, and what leads from images to vectors.

Images are x[n, rows, columns, channels] ("channels_last", as files and Keras have them) or x[n, channels, rows, columns]
("channels_first", as formulas and Theano have them). Layers compute with channels first; where two of them meet, the
transposes between them cancel.
"""

from __future__ import annotations

from typing import Any

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.expr import Expr
from symdl.nn.activations import Activation, activation
from symdl.nn.initializers import Initializer, initializer
from symdl.nn.layers import Layer, Training, extent, regularized

Pair = int | tuple[int, int]


class Conv2D(Layer):
    """activation(correlate(x, W) + b): x of `channels` channels, W[filters, channels / groups, *kernel_size], b[filters].

    kernel_size, strides, dilation_rate: one number or (rows, columns). padding: "valid", "same" or a border_mode of
    T.conv2d. data_format: see the module. l1, l2: regularizers of W.
    Raises ShapeError for extents below 1 or channels that do not divide into groups, ConfigError for other settings.
    """

    kind = "conv2d"

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = 1,
        padding: Any = "valid",
        activation: str | Activation | None = None,
        initializer: str | Initializer = "glorot_uniform",
        *,
        data_format: str = "channels_last",
        dilation_rate: Pair = 1,
        groups: int = 1,
        use_bias: bool = True,
        l1: float = 0.0,
        l2: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        rows, columns = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        if min(filters, rows, columns, groups) < 1:
            raise ShapeError(f"Conv2D: {filters} filters of {rows} x {columns}; all must be at least 1")
        self.filters, self.kernel_size, self.groups = filters, (rows, columns), groups
        self.use_bias, self.l1, self.l2 = use_bias, l1, l2
        self.data_format = data_format_of(data_format)
        self.how = {
            "border_mode": padding,
            "subsample": strides,
            "filter_dilation": dilation_rate,
            "num_groups": groups,
        }
        self.activation, self.initializer = _activation(activation or "linear"), _initializer(initializer)

    def build(self, x: Expr) -> None:
        channels = extent(x, -1 if self.data_format == "channels_last" else 1, self)
        if channels % self.groups or self.filters % self.groups or channels < 1:
            raise ShapeError(
                f"Conv2D: {channels} channels and {self.filters} filters do not divide into {self.groups} groups"
            )
        self.W = self.parameter("W", (self.filters, channels // self.groups, *self.kernel_size), self.initializer)
        if self.use_bias:
            self.b = self.parameter("b", (self.filters,), "zeros")

    def output(self, x: Expr, training: Training | None) -> Expr:
        z = T.correlate(channels_first(x, self.data_format), self.W, **self.how)
        if self.use_bias:
            z = z + T.dimshuffle(self.b, "x", 0, "x", "x")
        if self.activation is _activation("softmax"):  # along the channels, which are not last yet
            return self.activation(given_back(z, self.data_format))
        return given_back(self.activation(z), self.data_format)

    def penalty(self) -> Expr | None:
        return regularized(self.W, self.l1, self.l2)

    def __repr__(self) -> str:
        rows, columns = self.kernel_size
        return f"Conv2D({self.filters}, ({rows}, {columns}){f', name={self.name!r}' if self.name else ''})"


class Pool2D(Layer):
    """The largest ("max"), the sum ("sum"), or the mean ("average_inc_pad", "average_exc_pad") of each window of rows and columns.

    The arguments are those of T.pool_2d. data_format: see the module.
    """

    kind = "pool2d"

    def __init__(
        self,
        pool_size: Pair = 2,
        mode: str = "max",
        *,
        strides: Pair | None = None,
        pad: Pair = 0,
        ignore_border: bool = True,
        data_format: str = "channels_last",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.pool_size, self.mode, self.data_format = pool_size, mode, data_format_of(data_format)
        self.how: dict[str, Any] = {"ignore_border": ignore_border, "stride": strides, "pad": pad, "mode": mode}

    def output(self, x: Expr, training: Training | None) -> Expr:
        return given_back(T.pool_2d(channels_first(x, self.data_format), self.pool_size, **self.how), self.data_format)

    def __repr__(self) -> str:
        return f"Pool2D({self.pool_size}, {self.mode!r})"


class Flatten(Layer):
    """x[n, ...] as rows x[n, numbers], which Dense takes."""

    kind = "flatten"

    def output(self, x: Expr, training: Training | None) -> Expr:
        return T.flatten(x, 2)


def data_format_of(choice: str) -> str:
    """The choice, if it is one. Raises ConfigError."""
    if choice not in ("channels_last", "channels_first"):
        raise ConfigError(f"data_format {choice!r} is neither channels_last nor channels_first")
    return choice


def channels_first(x: Expr, data_format: str) -> Expr:
    """Images x of this format with their channels first."""
    return x if data_format == "channels_first" else T.dimshuffle(x, 0, 3, 1, 2)


def given_back(x: Expr, data_format: str) -> Expr:
    """Images with channels first in this format."""
    return x if data_format == "channels_first" else T.dimshuffle(x, 0, 2, 3, 1)


# the parameters of Conv2D hide the functions of the same names
_activation, _initializer = activation, initializer
