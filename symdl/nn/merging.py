"""Layers that make one of several: sums, products, the larger, side by side."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import Any

import symdl.tensor as T
from symdl.errors import ConfigError, ShapeError
from symdl.graph.expr import Expr
from symdl.nn.layer import Layer, Training, static


class Merge(Layer):
    """The base: a layer that is called with a list of at least two, whose shapes NumPy's broadcasting joins."""

    kind = "merge"

    def several(self, x: Any) -> list[Expr]:
        """The inputs. Raises ShapeError unless there are several of them that fit one another."""
        if not isinstance(x, list | tuple) or len(x) < 2:
            raise ShapeError(f"{self}: takes a list of at least two, as in {type(self).__name__}()([a, b])")
        self.fitting(list(x))
        return list(x)

    def fitting(self, x: Sequence[Expr]) -> None:
        """Raises ShapeError where shapes do not fit one another."""
        shapes = [static(one) for one in x]
        extents = zip(*shapes, strict=False)
        if len({len(s) for s in shapes}) > 1 or any(
            len({n for n in axis if n not in (None, 1)}) > 1 for axis in extents
        ):
            raise ShapeError(f"{self}: its inputs have different shapes", self.parts(x))

    def parts(self, x: Sequence[Expr]) -> list[tuple[str, str, str]]:
        """The inputs in a message."""
        return [*((f"input {k}", str(one.type), "") for k, one in enumerate(x)), (str(self), "", self.place)]


class _Fold(Merge):
    """A Merge that goes from the first two on to the next."""

    def call(self, x: Any, training: Training | None) -> Expr:
        return reduce(self.joined, self.several(x))

    @abstractmethod
    def joined(self, a: Expr, b: Expr) -> Expr:
        """What is made of the first two, and of that and the next."""


class Add(_Fold):
    """a + b + ..."""

    kind = "add"

    def joined(self, a: Expr, b: Expr) -> Expr:
        return a + b


class Subtract(_Fold):
    """a - b."""

    kind = "subtract"

    def several(self, x: Any) -> list[Expr]:
        if len(found := super().several(x)) != 2:
            raise ShapeError(f"{self}: takes two, not {len(found)}", self.parts(found))
        return found

    def joined(self, a: Expr, b: Expr) -> Expr:
        return a - b


class Multiply(_Fold):
    """a * b * ..., element by element."""

    kind = "multiply"

    def joined(self, a: Expr, b: Expr) -> Expr:
        return a * b


class Average(_Fold):
    """(a + b + ...) / how many there are."""

    kind = "average"

    def call(self, x: Any, training: Training | None) -> Expr:
        return super().call(x, training) / len(x)

    def joined(self, a: Expr, b: Expr) -> Expr:
        return a + b


class Maximum(_Fold):
    """The largest, element by element."""

    kind = "maximum"

    def joined(self, a: Expr, b: Expr) -> Expr:
        return T.maximum(a, b)


class Minimum(_Fold):
    """The smallest, element by element."""

    kind = "minimum"

    def joined(self, a: Expr, b: Expr) -> Expr:
        return T.minimum(a, b)


class Concatenate(Merge):
    """One behind the other along an axis, by default the last; all other extents must agree."""

    kind = "concatenate"

    def __init__(self, axis: int = -1, **settings: Any) -> None:
        super().__init__(**settings)
        self.axis = axis

    def call(self, x: Any, training: Training | None) -> Expr:
        return T.concatenate(self.several(x), axis=self.axis)

    def fitting(self, x: Sequence[Expr]) -> None:
        ndim = x[0].ndim
        if not -ndim <= self.axis < ndim or self.axis % ndim == 0:
            raise ShapeError(f"{self}: {self.axis} is no axis of examples with {ndim - 1} axes", self.parts(x))
        kept = [[n for k, n in enumerate(static(one)) if k != self.axis % ndim] for one in x]
        if any(one.ndim != ndim for one in x) or any(
            len({n for n in a if n is not None}) > 1 for a in zip(*kept, strict=True)
        ):
            raise ShapeError(f"{self}: its inputs differ in other axes than {self.axis}", self.parts(x))


class Dot(Merge):
    """sum over i of a[n, ..., i, ...] b[n, ..., i, ...], i being axis axes[0] of a and axes[1] of b, which may be one number.

    normalize: both are brought to length 1 along it first, so that vectors give the cosine of their angle.
    """

    kind = "dot"

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.axes, self.normalize = axes if isinstance(axes, int) else tuple(axes), normalize
        if isinstance(self.axes, tuple) and len(self.axes) != 2:
            raise ConfigError(f"Dot: axes {self.axes} are one number, or two")

    def fitting(self, x: Sequence[Expr]) -> None:
        if len(x) != 2:
            raise ShapeError(f"{self}: takes two, not {len(x)}", self.parts(x))
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        if any(not -a.ndim <= k < a.ndim or k % a.ndim == 0 for a, k in zip(x, pair, strict=True)):
            raise ShapeError(f"{self}: there is no axis {self.axes} in its inputs", self.parts(x))
        first, second = (static(a)[k] for a, k in zip(x, pair, strict=True))
        if None not in (first, second) and first != second:
            raise ShapeError(f"{self}: {first} numbers along the axis meet {second}", self.parts(x))

    def call(self, x: Any, training: Training | None) -> Expr:
        a, b = self.several(x)
        i, j = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        i, j = i % a.ndim, j % b.ndim
        if self.normalize:
            a, b = (v / T.sqrt((v * v).sum(axis=k, keepdims=True)) for v, k in ((a, i), (b, j)))
        # n, what a has besides i, what b has besides j, and i itself, which is summed over
        left = [k for k in range(1, a.ndim) if k != i]
        right = [k for k in range(1, b.ndim) if k != j]
        a = T.dimshuffle(a, 0, *left, *["x"] * len(right), i)
        b = T.dimshuffle(b, 0, *["x"] * len(left), *right, j)
        total = (a * b).sum(axis=-1)
        return total if left or right else T.dimshuffle(total, 0, "x")
