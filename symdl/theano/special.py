"""Theano's special functions that symdl does not compute itself, by SciPy, as Theano had them, with more of their gradients.

gamma, incomplete gamma functions, the tail of chi squared, Bessel functions, erfcinv: SciPy's accuracy, through Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import symdl.tensor as T
from symdl.graph.expr import Expr, as_expr, make, results
from symdl.ops.declare import cast_to, is_float
from symdl.ops.own import PYTHON, PythonFunction
from symdl.theano.values import as_tensor_variable
from symdl.types import TensorType, broadcast

Slope = Callable[..., Expr]  # of the operands and the result
Function = Callable[..., Expr]


def _types(*given: TensorType) -> Sequence[TensorType]:
    return [TensorType(given[0].dtype, broadcast("", [t.shape for t in given])[0])]


def _special(name: str, compute: Callable[..., Any], *slopes: Slope | None, doc: str) -> Callable[..., Expr]:
    """compute(scipy.special, *arrays) as an elementwise function; a slope for each operand, or None where there is none."""

    def run(*arrays: Any) -> Any:
        from scipy import special  # noqa: PLC0415  # it takes longer to load than all of symdl

        return np.asarray(compute(special, *arrays), arrays[0].dtype)

    def rule(inputs: Any, outputs: Any, gradients: Any) -> list[Expr | None]:
        found: list[Expr | None] = []
        for x, slope in zip(inputs, slopes, strict=True):
            g = None if slope is None else gradients[0] * slope(*inputs, outputs[0])
            found.append(None if g is None else _summed(g, x))
        return found

    call = PythonFunction(name, run, _types, rule)

    def function(*operands: Any) -> Expr:
        given = [as_tensor_variable(x) for x in operands]
        dtype = str(np.result_type(*(x.type.dtype for x in given)).name)
        dtype = dtype if is_float(dtype) else "float64"
        return results(make(PYTHON, tuple(cast_to(x, dtype) for x in given), call=call))[0]

    function.__name__, function.__doc__ = name, doc
    return function


def _summed(g: Expr, x: Expr) -> Expr:
    """A gradient in the shape of an operand that was stretched."""
    extra = g.type.ndim - x.type.ndim
    g = g.sum(axis=tuple(range(extra))) if extra else g
    axes = tuple(k for k, (n, m) in enumerate(zip(x.type.shape, g.type.shape, strict=True)) if n == 1 != m)
    return as_expr(g.sum(axis=axes, keepdims=True)) if axes else g


def _tail(k: Expr, x: Expr, sign: float) -> Expr:
    """sign x^(k-1) e^-x / gamma(k)."""
    return sign * T.exp(T.xlogy(k - 1, x) - x - T.gammaln(k))


gamma: Function = _special("gamma", lambda s, x: s.gamma(x), lambda x, y: y * T.psi(x), doc="The gamma function.")
erfcinv: Function = _special(
    "erfcinv", lambda s, x: s.erfcinv(x), lambda x, y: -0.5 * math.sqrt(math.pi) * T.exp(y * y),
    doc="The x of which erfc is the operand.",
)  # fmt: skip
gammainc: Function = _special(
    "gammainc", lambda s, k, x: s.gammainc(k, x), None, lambda k, x, y: _tail(k, x, 1.0),
    doc="The lower incomplete gamma function over gamma(k).",
)  # fmt: skip
gammaincc: Function = _special(
    "gammaincc", lambda s, k, x: s.gammaincc(k, x), None, lambda k, x, y: _tail(k, x, -1.0),
    doc="The upper incomplete gamma function over gamma(k).",
)  # fmt: skip
gammal: Function = _special(
    "gammal", lambda s, k, x: s.gammainc(k, x) * s.gamma(k), None, lambda k, x, y: x ** (k - 1) * T.exp(-x),
    doc="The lower incomplete gamma function.",
)  # fmt: skip
gammau: Function = _special(
    "gammau", lambda s, k, x: s.gammaincc(k, x) * s.gamma(k), None, lambda k, x, y: -(x ** (k - 1)) * T.exp(-x),
    doc="The upper incomplete gamma function.",
)  # fmt: skip
chi2sf: Function = _special(
    "chi2sf", lambda s, x, k: s.chdtrc(k, x), lambda x, k, y: 0.5 * _tail(k / 2, x / 2, -1.0), None,
    doc="The probability that chi squared of k degrees of freedom is above x.",
)  # fmt: skip
jv: Function = _special(
    "jv", lambda s, v, x: s.jv(v, x), None, lambda v, x, y: (jv(v - 1, x) - jv(v + 1, x)) / 2,
    doc="The Bessel function of the first kind and order v.",
)  # fmt: skip
j1: Function = _special("j1", lambda s, x: s.j1(x), lambda x, y: (j0(x) - jv(2.0, x)) / 2, doc="jv of order 1.")
j0: Function = _special("j0", lambda s, x: s.j0(x), lambda x, y: -j1(x), doc="jv of order 0.")
iv: Function = _special(
    "iv", lambda s, v, x: s.iv(v, x), None, lambda v, x, y: (iv(v - 1, x) + iv(v + 1, x)) / 2,
    doc="The modified Bessel function of the first kind and order v.",
)  # fmt: skip
i1: Function = _special("i1", lambda s, x: s.i1(x), lambda x, y: (i0(x) + iv(2.0, x)) / 2, doc="iv of order 1.")
i0: Function = _special("i0", lambda s, x: s.i0(x), lambda x, y: i1(x), doc="iv of order 0.")
