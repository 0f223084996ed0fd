"""What a layer does to its weighted sums: functions of one expression, by name or as they are."""

from __future__ import annotations

from collections.abc import Callable

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.graph.expr import Expr

Activation = Callable[[Expr], Expr]


def linear(z: Expr) -> Expr:
    """z itself."""
    return z


def softmax(z: Expr) -> Expr:
    """exp(z) / sum(exp(z)) along the last axis."""
    return T.softmax(z, axis=-1)


ACTIVATIONS: dict[str, Activation] = {
    "linear": linear,
    "sigmoid": T.sigmoid,
    "tanh": T.tanh,
    "relu": T.relu,
    "softplus": T.softplus,
    "softmax": softmax,
    "elu": T.elu,
    "selu": T.selu,
    "leaky_relu": T.leaky_relu,
    "gelu": T.gelu,
    "silu": T.silu,
    "mish": T.mish,
    "softsign": T.softsign,
    "hard_sigmoid": T.hard_sigmoid,
}


def activation(choice: str | Activation) -> Activation:
    """An activation by its name, or the function itself. Raises ConfigError for an unknown name."""
    if callable(choice):
        return choice
    if choice not in ACTIVATIONS:
        raise ConfigError(f"there is no activation {choice!r}", (), f"activations: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[choice]
