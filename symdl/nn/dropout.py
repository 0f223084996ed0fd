"""Noise in training: masks that enter a compiled step as inputs, drawn on the host before every call.

This module is the one place that knows where random numbers in a graph come from. Layers ask a Noise for a mask; who
draws it does not concern them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.errors import ShapeError
from symdl.expr import Expr

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Noise:
    """The masks of one training step, in the order in which layers asked for them."""

    inputs: list[Expr] = field(default_factory=list)
    keep: list[float] = field(default_factory=list)

    def mask(self, x: Expr, keep: float) -> Expr:
        """An input of x's shape and dtype whose elements are 1 / keep with probability keep, else 0.

        The mean is 1, so that nothing has to be scaled at prediction (inverted dropout).
        Raises ShapeError when an extent of x other than the batch is unknown: the host could not draw it.
        """
        extents = x.shape[1:]
        if not all(isinstance(n, int) for n in extents):
            raise ShapeError(f"dropout: {x} has unknown extents besides the batch", [(str(x), str(x.type), "")])
        mask = T.tensor(f"mask{len(self.inputs)}", dtype=x.dtype, shape=(None, *extents))
        self.inputs.append(mask)
        self.keep.append(keep)
        return mask

    def draw(self, rng: np.random.Generator, batch: int) -> list[Array]:
        """The values of all masks for a batch of this many examples."""
        values = []
        for mask, keep in zip(self.inputs, self.keep, strict=True):
            kept = rng.random((batch, *mask.shape[1:]), dtype=np.float32) < keep
            values.append(kept.astype(mask.dtype) / np.dtype(mask.dtype).type(keep))
        return values
