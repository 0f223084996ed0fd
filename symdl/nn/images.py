"""Layers over sequences and images: convolutions, borders, upsampling.

Images are x[n, rows, columns, channels] ("channels_last", as files and Keras have them) or x[n, channels, rows, columns]
("channels_first", as formulas and Theano have them); sequences likewise with one axis of places. Layers compute with
channels first; where two of them meet, the transposes between them cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.graph.expr import Expr
from symdl.nn.activations import Activation as Function
from symdl.nn.activations import activation as _activation
from symdl.nn.dense import penalty_of
from symdl.nn.initializers import Initializer
from symdl.nn.initializers import initializer as _initializer
from symdl.nn.layer import Array, Layer, Training, axes_needed, extent
from symdl.nn.regularizers import Regularizer
from symdl.nn.regularizers import regularizer as _regularizer
from symdl.ops.extents import extent_or_none

Pair = int | Sequence[int]
TAKEN = {1: "sequences[n, places, channels]", 2: "images[n, rows, columns, channels]"}


class _Convolution(Layer):
    """What convolutions have in common: their settings and their weights."""

    axes: ClassVar[int]

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = 1,
        padding: Any = "valid",
        activation: str | Function | None = None,
        kernel_initializer: str | Initializer = "glorot_uniform",
        *,
        data_format: str = "channels_last",
        dilation_rate: Pair = 1,
        groups: int = 1,
        use_bias: bool = True,
        bias_initializer: str | Initializer = "zeros",
        kernel_regularizer: str | Regularizer | None = None,
        bias_regularizer: str | Regularizer | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.filters, self.groups, self.use_bias = filters, groups, use_bias
        self.kernel_size = each(kernel_size, self.axes, "kernel_size", self)
        self.strides = each(strides, self.axes, "strides", self)
        self.dilation_rate = each(dilation_rate, self.axes, "dilation_rate", self)
        if min(filters, groups, *self.kernel_size) < 1:
            shown = " x ".join(map(str, self.kernel_size))
            raise ShapeError(f"{type(self).__name__}: {filters} filters of {shown}; all must be at least 1")
        self.data_format, self.padding = data_format_of(data_format), padding
        self.activation = _activation(activation or "linear")
        self.kernel_initializer, self.bias_initializer = (
            _initializer(kernel_initializer),
            _initializer(bias_initializer),
        )
        self.kernel_regularizer, self.bias_regularizer = (
            _regularizer(kernel_regularizer),
            _regularizer(bias_regularizer),
        )

    def build(self, x: Expr) -> None:
        axes_needed(x, self.axes + 2, self, TAKEN[self.axes])
        channels = extent(x, -1 if self.data_format == "channels_last" else 1, self)
        if channels % self.groups or self.filters % self.groups or channels < 1:
            raise ShapeError(
                f"{self}: {channels} channels and {self.filters} filters do not divide into {self.groups} groups",
                [(str(x), str(x.type), ""), (str(self), "", self.place)],
            )
        self.W = self.parameter("W", self.shape(channels), self.kernel_initializer)
        if self.use_bias:
            self.b = self.parameter("b", (self.filters,), self.bias_initializer)

    def shape(self, channels: int) -> tuple[int, ...]:
        """Of W."""
        return (self.filters, channels // self.groups, *self.kernel_size)

    def convolved(self, x: Expr) -> Expr:
        """x, channels first, under the filters."""
        border = self.padding
        if border == "causal":  # a result sees no later places
            border = [((k - 1) * d, 0) for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)]
        return T.correlate(
            x,
            self.W,
            border_mode=border,
            subsample=self.strides,
            filter_dilation=self.dilation_rate,
            num_groups=self.groups,
        )

    def call(self, x: Expr, training: Training | None) -> Expr:
        z = self.convolved(channels_first(x, self.data_format))
        if self.use_bias:
            z = z + T.dimshuffle(self.b, "x", 0, *"x" * self.axes)
        if self.activation is _activation("softmax"):  # along the channels, which are not last yet
            return self.activation(given_back(z, self.data_format))
        return given_back(self.activation(z), self.data_format)

    def penalty(self) -> Expr | None:
        return penalty_of(self)

    def to_keras(self, value: Array) -> Array:
        return value.transpose(*range(2, value.ndim), 1, 0) if value.ndim > 1 else value

    def from_keras(self, value: Array) -> Array:
        return value.transpose(value.ndim - 1, value.ndim - 2, *range(value.ndim - 2)) if value.ndim > 1 else value

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.filters}, {self.kernel_size}{f', name={self.name!r}' if self.name else ''})"
        )


class Conv1D(_Convolution):
    """activation(correlate(x, W) + b) over sequences x[n, places, channels]: W[filters, channels / groups, kernel_size].

    padding: "valid", "same", "causal" (a result sees no later places), or a border_mode of T.conv1d. Other settings as for Conv2D.
    """

    kind, axes = "conv1d", 1


class Conv2D(_Convolution):
    """activation(correlate(x, W) + b): x of `channels` channels, W[filters, channels / groups, *kernel_size], b[filters].

    kernel_size, strides, dilation_rate: one number or (rows, columns). padding: "valid", "same" or a border_mode of
    T.conv2d. data_format: see the module. Initializers and regularizers as for Dense.
    Raises ShapeError for extents below 1 or channels that do not divide into groups, ConfigError for other settings.
    """

    kind, axes = "conv2d", 2


class Conv2DTranspose(_Convolution):
    """The adjoint of Conv2D, as a layer: each number of x lays a filter, times itself, on the output.

    W[channels, filters, *kernel_size]. The result has (extent - 1) stride + kernel_size places ("valid", at least
    extent times stride), or extent times stride ("same"). (Zeiler, Krishnan, Taylor and Fergus, 2010.)
    """

    kind, axes = "conv2d_transpose", 2

    def shape(self, channels: int) -> tuple[int, ...]:
        if self.groups != 1 or self.padding not in ("valid", "same"):
            raise ConfigError(f"{self}: takes no groups, and valid or same as padding")
        return (channels, self.filters, *self.kernel_size)

    def convolved(self, x: Expr) -> Expr:
        whole: list[Any] = []
        for n, k, s, d in zip(x.shape[2:], self.kernel_size, self.strides, self.dilation_rate, strict=True):
            reach = (k - 1) * d + 1
            known = extent_or_none(n)
            size = n if known is None else known
            whole.append(size * s if self.padding == "same" else size * s + max(reach - s, 0))
        return T.conv2d_transpose(
            x,
            self.W,
            output_shape=whole,
            border_mode=self.padding,
            input_dilation=self.strides,
            filter_dilation=self.dilation_rate,
            filter_flip=False,
        )


class ZeroPadding2D(Layer):
    """Zeros around images: so many on every side, (rows, columns), or ((above, below), (left, right))."""

    kind = "zero_padding2d"

    def __init__(self, padding: Any = 1, *, data_format: str = "channels_last", **settings: Any) -> None:
        super().__init__(**settings)
        two = (padding, padding) if isinstance(padding, int) else tuple(padding)
        self.padding = tuple((p, p) if isinstance(p, int) else tuple(p) for p in two)
        if len(self.padding) != 2 or any(len(p) != 2 or min(p) < 0 for p in self.padding):
            raise ConfigError(f"ZeroPadding2D: {padding} is no number, pair, or pair of pairs, from 0 on")
        self.data_format = data_format_of(data_format)

    def call(self, x: Expr, training: Training | None) -> Expr:
        axes_needed(x, 4, self, TAKEN[2])
        none = (0, 0)
        if self.data_format == "channels_last":
            return T.pad(x, (none, *self.padding, none))
        return T.pad(x, (none, none, *self.padding))


class UpSampling2D(Layer):
    """Each place of an image `size` times, or (rows, columns) times."""

    kind = "up_sampling2d"

    def __init__(self, size: Pair = 2, *, data_format: str = "channels_last", **settings: Any) -> None:
        super().__init__(**settings)
        self.size, self.data_format = each(size, 2, "size", self), data_format_of(data_format)

    def call(self, x: Expr, training: Training | None) -> Expr:
        axes_needed(x, 4, self, TAKEN[2])
        return given_back(T.upsampling(channels_first(x, self.data_format), self.size), self.data_format)


def data_format_of(choice: str) -> str:
    """The choice, if it is one. Raises ConfigError."""
    if choice not in ("channels_last", "channels_first"):
        raise ConfigError(f"data_format {choice!r} is neither channels_last nor channels_first")
    return choice


def channels_first(x: Expr, data_format: str) -> Expr:
    """Images or sequences x of this format with their channels first."""
    return x if data_format == "channels_first" else T.dimshuffle(x, 0, x.ndim - 1, *range(1, x.ndim - 1))


def given_back(x: Expr, data_format: str) -> Expr:
    """Images or sequences with channels first in this format."""
    return x if data_format == "channels_first" else T.dimshuffle(x, 0, *range(2, x.ndim), 1)


def each(value: Pair, axes: int, what: str, layer: Layer) -> tuple[int, ...]:
    """One number for each axis. Raises ConfigError."""
    found = (value,) * axes if isinstance(value, int | np.integer) else tuple(value)
    if len(found) != axes or not all(isinstance(v, int | np.integer) for v in found):
        raise ConfigError(f"{type(layer).__name__}: {what} {value} does not give {axes} axes a number each")
    return tuple(map(int, found))
