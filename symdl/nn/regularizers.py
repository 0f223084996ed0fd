"""What weights add to the cost, so that they stay small or few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr
from symdl.nn.settings import checked

Regularizer = Callable[[Expr], Expr | None]


@dataclass(frozen=True)
class L1L2:
    """l1 sum|W| + l2 sum W**2; None where both are 0."""

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        checked("L1L2", {"l1": self.l1, "l2": self.l2}, {f.name: f.type for f in fields(self)})

    def __call__(self, W: Expr) -> Expr | None:
        terms = [self.l1 * T.abs(W).sum()] if self.l1 else []
        terms += [self.l2 * (W * W).sum()] if self.l2 else []
        return sum(terms[1:], terms[0]) if terms else None


def L1(l1: float = 0.01) -> L1L2:
    """l1 sum|W|."""
    return L1L2(l1=l1)


def L2(l2: float = 0.01) -> L1L2:
    """l2 sum W**2."""
    return L1L2(l2=l2)


l1, l2, l1_l2 = L1, L2, L1L2  # Keras has both spellings

REGULARIZERS: dict[str, Regularizer] = {"l1": L1(), "l2": L2(), "l1_l2": L1L2(0.01, 0.01)}


def regularizer(choice: str | Regularizer | None) -> Regularizer | None:
    """A regularizer by its name, or the function itself. Raises ConfigError for an unknown name."""
    if choice is None or callable(choice):
        return choice
    if choice not in REGULARIZERS:
        raise ConfigError(f"there is no regularizer {choice!r}", (), f"regularizers: {', '.join(REGULARIZERS)}")
    return REGULARIZERS[choice]
