"""A cell of the matrix: one piece of work, the same for all engines, with what it must move and compute at least."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.matrix.engine import Descent

Array = Any
WANTED = 0.85  # of the bandwidth of copies, or of the peak of operations


@dataclass(frozen=True)
class Cell:
    """group, name: where it stands. formula(m, *arrays) is the work; with `rate` it is loss(m, parameters, *arrays), and the
    work is a step of gradient descent, or of Adam; with `size` an epoch of such steps in batches of so many rows of the
    arrays, whose order is drawn anew. make: the arrays; parameters, states: what steps change (see `Descent`). bytes: read and written
    at least, flops: added and multiplied at least, where one of them bounds the time; wanted: the share of that bound which
    the work should come to, 0 for none. random: results cannot be compared.
    """

    group: str
    name: str
    formula: Callable[..., Any]
    make: Callable[[np.random.Generator], Sequence[Array]]
    parameters: Callable[[np.random.Generator], Sequence[Array]] | None = None
    rate: float = 0.0
    adam: bool = False
    size: int = 0
    bytes: int = 0
    flops: int = 0
    wanted: float = 0.0
    random: bool = False
    states: Callable[[np.random.Generator], Sequence[Array]] | None = None

    @property
    def label(self) -> str:
        return f"{self.group} {self.name}"

    def descent(self, rng: np.random.Generator) -> Descent:
        """The steps of a cell that has parameters."""
        assert self.parameters is not None
        states = self.states(rng) if self.states else ()
        return Descent(self.formula, self.parameters(rng), self.rate, self.adam, states)


def normal(*shape: int, dtype: str = "float32", scale: float = 1.0) -> Callable[[np.random.Generator], Array]:
    """A maker of normal numbers."""
    return lambda rng: (scale * rng.standard_normal(shape)).astype(dtype)


def several(*makers: Callable[[np.random.Generator], Array]) -> Callable[[np.random.Generator], list[Array]]:
    """A maker of several arrays."""
    return lambda rng: [make(rng) for make in makers]
