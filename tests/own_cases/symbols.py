"""The functions of which cases are made, as symdl's expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import symdl
import symdl.tensor as T
from symdl.graph.expr import Expr, variable


def slope(f: Callable[[Expr], Expr], x: Expr) -> Expr:
    """The derivative of f at the numbers x, each by itself."""
    found: Expr = symdl.grad(f(x).sum(), x)
    return found


def rounds(step: Callable[[Expr, Expr], Expr], state: Expr, given: Sequence[Expr]) -> Expr:
    """The state after one step for each of the arrays given, by a loop."""
    states: Expr
    states, _ = symdl.scan(lambda row, before: step(before, row), T.stack(list(given)), state)
    return states[-1]


def given(f: Callable[[Expr], Expr], like: Expr, value: Expr) -> Expr:
    """f of a leaf like this one, which is then replaced by the value."""
    leaf = variable("given", like.type.shape, like.type.dtype)
    return symdl.clone(f(leaf), {leaf: value})


SYMBOLS = SimpleNamespace(**{name: getattr(T, name) for name in dir(T)}, slope=slope, rounds=rounds, given=given)
