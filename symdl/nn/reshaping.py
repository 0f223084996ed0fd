"""Layers without weights that give numbers another shape or another scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import symdl.tensor as T
from symdl.errors import ShapeError
from symdl.graph.expr import Expr
from symdl.nn.layer import Layer, Training, static


class Flatten(Layer):
    """x[n, ...] as rows x[n, numbers], which Dense takes."""

    kind = "flatten"

    def call(self, x: Expr, training: Training | None) -> Expr:
        return T.flatten(x, 2) if x.ndim != 2 else x

    def __repr__(self) -> str:
        return "Flatten()"


class Reshape(Layer):
    """Each example in the shape target_shape, one of whose extents may be -1: whatever is left.

    Raises ShapeError where an example has another number of elements.
    """

    kind = "reshape"

    def __init__(self, target_shape: Sequence[int], **settings: Any) -> None:
        super().__init__(**settings)
        self.target_shape = tuple(target_shape)

    def call(self, x: Expr, training: Training | None) -> Expr:
        target, given = self.target_shape, static(x)[1:]
        if all(n is not None for n in given):
            whole = math.prod(n for n in given if n is not None)
            known = math.prod(n for n in target if n != -1)
            if target.count(-1) > 1 or (known != whole if -1 not in target else known < 1 or whole % known):
                parts = [(str(x), str(x.type), ""), (str(self), "", self.place)]
                raise ShapeError(f"{self}: {whole} numbers of an example do not fill {target}", parts)
            target = tuple(whole // known if n == -1 else n for n in target)
        return T.reshape(x, (x.shape[0], *target))

    def __repr__(self) -> str:
        return f"Reshape({self.target_shape})"


class Permute(Layer):
    """The axes of each example in another order: dims[k] is the axis, counted from 1, that comes to place k + 1."""

    kind = "permute"

    def __init__(self, dims: Sequence[int], **settings: Any) -> None:
        super().__init__(**settings)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ShapeError(f"Permute: {self.dims} is no order of the axes 1 to {len(self.dims)}")

    def call(self, x: Expr, training: Training | None) -> Expr:
        return T.transpose(x, (0, *self.dims))


class RepeatVector(Layer):
    """Each row of x[n, features] n times: [n, times, features]."""

    kind = "repeat_vector"

    def __init__(self, n: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.n = n

    def call(self, x: Expr, training: Training | None) -> Expr:
        return T.repeat(T.expand_dims(x, 1), self.n, axis=1)


class Rescaling(Layer):
    """x * scale + offset: pixels 0..255 to 0..1 by Rescaling(1 / 255)."""

    kind = "rescaling"

    def __init__(self, scale: float, offset: float = 0.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.scale, self.offset = scale, offset

    def call(self, x: Expr, training: Training | None) -> Expr:
        x = x if x.dtype.startswith("float") else x.astype(self.dtype)
        return x * self.scale + self.offset
