"""Numbers that derivatives name are what they say, to more digits than a float, and reach the digits that are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy
from quick_code import quickly
from ulps import distance

import symdl
import symdl.tensor as T
from symdl.graph.expr import variable
from symdl.graph.irrationals import IRRATIONALS
from symdl.verify import exact


@pytest.mark.parametrize("name", IRRATIONALS)
def test_160_digits_after_the_point(name: str) -> None:
    kept = IRRATIONALS[name]
    gap = sympy.sympify(name) - sympy.Rational(kept.numerator, kept.denominator)
    assert abs(sympy.N(gap, 60)) <= 2.0**-161


FORMULAS: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "erf(x) / x": (lambda x: T.erf(x) / x, [-0.065, 0.001, 2.0]),
    "log(erfcx(x)^2)": (lambda x: T.log(T.erfcx(x) ** 2), [1000.0, 30.0, 0.5]),
    "erfcx by its neighbour": (lambda x: T.erfcx(x) - T.log(x), [401.25, 8.0, 0.25]),
    "exp of degrees": (lambda x: T.exp(T.rad2deg(x)), [-2.005, 3.0, 0.1]),
    "log10 cubed": (lambda x: T.log10(x * x - x) ** 3 + x, [-6.036, 3.0, 20.0]),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_constant_has_the_digits_that_are_asked(name: str) -> None:
    write, points = FORMULAS[name]
    x = variable("x", (3,), "float64")
    y = write(x)
    outputs = [y, symdl.grad(y.sum(), x)]
    at = np.array(points)
    truth = exact(outputs, {x: at})
    got = quickly([x], outputs)([at])
    assert max(float(np.max(distance(g, t))) for g, t in zip(got, truth, strict=True)) <= 4


@pytest.mark.parametrize("f", [T.sin, T.cos, T.tan])
def test_angles_whose_second_limb_is_no_small_angle(f: Callable[[Any], Any]) -> None:
    x = variable("x", (3,), "float64")
    y = f(T.exp(x))
    at = np.array([34.78393094217252, 30.5, 20.25])
    (truth,) = exact([y], {x: at})
    (got,) = quickly([x], [y])([at])
    assert float(np.max(distance(got, truth))) <= 4
