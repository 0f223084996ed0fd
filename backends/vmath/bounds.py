"""The largest errors, in units of the last place, that the functions promise on every machine; kept by the tests.

One table, (float32, float64) per function; 0.5 is correct rounding. The docstrings of the ops name the same numbers, and
`python -m benchmarks.accuracy` measures them beside those of other libraries.
"""

from __future__ import annotations

BOUND: dict[str, tuple[float, float]] = {
    "exp": (1.1, 1.2),
    "expm1": (1.4, 1.5),
    "exp2": (1.1, 1.2),
    "log": (0.9, 0.9),
    "log1p": (1.0, 1.0),
    "log2": (0.51, 0.9),
    "log10": (0.51, 0.9),
    "sqrt": (0.5, 0.5),
    "sin": (1.6, 0.9),
    "cos": (1.6, 0.9),
    "tan": (0.51, 1.1),
    "arcsin": (1.9, 1.7),
    "arccos": (1.4, 1.3),
    "arctan": (1.3, 1.3),
    "sinh": (1.7, 1.7),
    "cosh": (1.4, 1.4),
    "tanh": (1.3, 1.4),
    "logistic_tail": (1.5, 1.5),
    "sigmoid": (1.5, 1.5),
    "softplus": (1.7, 1.7),
    "arcsinh": (0.51, 1.8),
    "arccosh": (0.51, 2.0),
    "arctanh": (0.51, 2.0),
    "erf": (1.4, 1.6),
    "erfc": (0.51, 3.5),
    "erfcx": (0.51, 3.0),
    "erfinv": (0.51, 3.5),
    "gammaln": (0.51, 3.0),
    "digamma": (0.51, 4.0),
    "arctan2": (1.8, 1.8),
    "pow": (0.51, 1.1),
    "floor_div": (0.5, 0.5),
    "mod": (0.5, 0.5),
}
# below 0 these have a root between any two poles, and no series for each: there the error counts in units of 1
ABSOLUTE_BELOW_ZERO = ("gammaln", "digamma")


def sentence(name: str) -> str:
    """What the docstring of the op says of its error."""
    single, double = BOUND[name]
    text = f"Error at most {single} ulp" + ("." if single == double else f" in float32, {double} in float64.")
    return text + (" Below 0 it is that of the reflection formula's terms." if name in ABSOLUTE_BELOW_ZERO else "")
