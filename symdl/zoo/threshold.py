"""A threshold unit with weights by hand (McCulloch and Pitts, 1943): the logic gates, and networks of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import symdl.tensor as T
from symdl.errors import ConfigError
from symdl.functions import function
from symdl.graph.expr import Expr
from symdl.zoo.base import Array

# gate -> (w1, w2, b): 1 where w1 x1 + w2 x2 + b > 0. Xor has none (Minsky and Papert, 1969).
GATES: dict[str, tuple[float, float, float]] = {
    "and": (1, 1, -1.5),
    "or": (1, 1, -0.5),
    "nand": (-1, -1, 1.5),
    "nor": (-1, -1, 0.5),
}


def threshold(x: Expr, weights: Any, bias: Any) -> Expr:
    """1 where x @ weights + bias > 0, else 0: float, of x's rows. Its gradient is 0 everywhere."""
    return T.switch(x @ weights + bias > 0, 1.0, 0.0)


def gate(name: str, x: Expr) -> Expr:
    """The gate of this name for each row (x1, x2) of x. "xor" and "xnor" are two layers of the others.

    Raises ConfigError for a gate that there is not.
    """
    if name == "xor":
        return gate("and", T.stack([gate("or", x), gate("nand", x)], axis=1))
    if name == "xnor":
        return 1 - gate("xor", x)
    if name not in GATES:
        raise ConfigError(f"there is no gate {name!r}", (), f"gates: {', '.join([*GATES, 'xor', 'xnor'])}")
    w1, w2, bias = GATES[name]
    return threshold(x, T.as_tensor([w1, w2]), bias)


def truth_table(name: str, pairs: Sequence[Sequence[float]] = ((0, 0), (0, 1), (1, 0), (1, 1))) -> Array:
    """What a gate makes of pairs of inputs: int64, one number a pair."""
    x = T.dmatrix("x")
    compiled = function([x], gate(name, x), name=name)
    table: Array = compiled([list(map(float, p)) for p in pairs]).astype("int64")
    return table
