"""Layers that fold windows of places, or all places, to one number a channel."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.images import TAKEN, Pair, channels_first, data_format_of, each, given_back
from symdl.nn.layer import Layer, Training, axes_needed
from symdl.ops.convolutions import bordered, borders


class _Pooling(Layer):
    """What pooling layers have in common."""

    axes: ClassVar[int]
    largest: ClassVar[bool]

    def __init__(
        self,
        pool_size: Pair = 2,
        strides: Pair | None = None,
        padding: str = "valid",
        *,
        data_format: str = "channels_last",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.pool_size = each(pool_size, self.axes, "pool_size", self)
        self.strides = self.pool_size if strides is None else each(strides, self.axes, "strides", self)
        if padding not in ("valid", "same"):
            raise ConfigError(f"{type(self).__name__}: padding {padding!r} is neither valid nor same")
        self.padding, self.data_format = padding, data_format_of(data_format)

    def call(self, x: Expr, training: Training | None) -> Expr:
        axes_needed(x, self.axes + 2, self, TAKEN[self.axes])
        x = channels_first(x, self.data_format)
        pool = T.pool_1d if self.axes == 1 else T.pool_2d
        how: dict[str, Any] = {"ws": self.pool_size, "stride": self.strides}
        mode = "max" if self.largest else "average_inc_pad"
        if self.padding == "valid":
            return given_back(pool(x, mode=mode, **how), self.data_format)
        room = borders("same", x.type.shape[2:], self.pool_size, self.strides, (1,) * self.axes, str(self))
        if self.largest:
            return given_back(pool(bordered(x, room, -math.inf), mode="max", **how), self.data_format)
        total = pool(bordered(x, room), mode="sum", **how)
        # Places that are not border.
        counts = pool(bordered(T.ones((1, 1, *x.shape[2:]), dtype=x.dtype), room), mode="sum", **how)
        return given_back(total / counts, self.data_format)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.pool_size})"


class MaxPooling1D(_Pooling):
    """The largest of each window of pool_size places, windows standing `strides` (by default pool_size) apart.

    padding: "valid" leaves out windows that do not fit, "same" has a result for each stride; places beyond the border do
    not count. data_format: see `symdl.nn.images`.
    """

    kind, axes, largest = "max_pooling1d", 1, True


class MaxPooling2D(_Pooling):
    """The largest of each window of rows and columns; settings as for MaxPooling1D, one number or (rows, columns)."""

    kind, axes, largest = "max_pooling2d", 2, True


class AveragePooling1D(_Pooling):
    """The mean of each window; settings as for MaxPooling1D."""

    kind, axes, largest = "average_pooling1d", 1, False


class AveragePooling2D(_Pooling):
    """The mean of each window of rows and columns; settings as for MaxPooling2D."""

    kind, axes, largest = "average_pooling2d", 2, False


class _GlobalPooling(Layer):
    """What layers have in common that fold all places."""

    axes: ClassVar[int]
    largest: ClassVar[bool]

    def __init__(self, *, data_format: str = "channels_last", keepdims: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.data_format, self.keepdims = data_format_of(data_format), keepdims

    def call(self, x: Expr, training: Training | None) -> Expr:
        axes_needed(x, self.axes + 2, self, TAKEN[self.axes])
        first = 1 if self.data_format == "channels_last" else 2
        over = tuple(range(first, first + self.axes))
        return (T.max if self.largest else T.mean)(x, axis=over, keepdims=self.keepdims)


class GlobalMaxPooling1D(_GlobalPooling):
    """The largest of all places of each channel: [n, places, channels] to [n, channels]."""

    kind, axes, largest = "global_max_pooling1d", 1, True


class GlobalMaxPooling2D(_GlobalPooling):
    """The largest of all rows and columns of each channel: [n, channels]."""

    kind, axes, largest = "global_max_pooling2d", 2, True


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of all places of each channel: [n, places, channels] to [n, channels]."""

    kind, axes, largest = "global_average_pooling1d", 1, False


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of all rows and columns of each channel: [n, channels]."""

    kind, axes, largest = "global_average_pooling2d", 2, False
