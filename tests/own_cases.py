"""Formulas as textbooks print them, each with points at which floats lose them: what symdl was scored on at first sight.

Every formula is public knowledge: Hamming (1962) chapter 3 and what FPBench collects from the literature, distribution
functions and their tails, statistics, physics, geometry, finance, steps of differential equations. `m` is a namespace of
functions, symdl.tensor or, for the truth, REALS; leaves are vectors over the points, or matrices of which rows are summed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np

PI, ROOT2, HALF_LOG_2PI = 3.141592653589793, 1.4142135623730951, 0.9189385332046727
BITS = ((500, 800), (1600, 2400), (4000, 5000))  # pairs of precisions whose truths must agree


@dataclass(frozen=True)
class Case:
    """A formula, its points, and the leaves that it is differentiated in."""

    name: str
    batch: int
    formula: Callable[..., Any]
    leaves: dict[str, Sequence[Any]]
    wrt: tuple[str, ...]

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]

    def arrays(self, dtype: str) -> list[Any]:
        """The leaves' values; points that a dtype does not hold are left out."""
        with np.errstate(over="ignore"):
            made = [np.array(v, dtype) for v in self.leaves.values()]
        given = [np.array(v, "float64") for v in self.leaves.values()]
        inside = np.ones(len(made[0]), bool)
        for array, asked in zip(made, given, strict=True):
            held = (
                np.isfinite(array)
                & ((array != 0) | (asked == 0))
                & ((np.abs(array) >= np.finfo(dtype).tiny) | (asked == 0))
            )
            inside &= held if held.ndim == 1 else held.all(axis=1)
        return [array[inside] for array in made]


CASES: list[Case] = []


def case(
    name: str, formula: Callable[..., Any], wrt: str | None = None, batch: int = 1, **leaves: Sequence[Any]
) -> None:
    CASES.append(Case(name, batch, formula, leaves, tuple(leaves) if wrt is None else tuple(wrt.split())))


# ---- the truth ----


class _Reals(np.ndarray[Any, Any]):
    """Reals beside which a Python number is what it is beside an array of the case's dtype."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(i, object) if isinstance(i, _Reals) else _typed(i) for i in inputs]
        out = getattr(ufunc, method)(*plain, **options)
        return out.view(_Reals) if isinstance(out, np.ndarray) and out.dtype == object else out


DTYPE: ContextVar[str] = ContextVar("the dtype of the case", default="float64")


def _typed(number: Any) -> Any:
    return float(np.dtype(DTYPE.get()).type(number)) if type(number) is float else number


def _elementwise(function: Callable[..., Any], operands: int = 1) -> Callable[..., Any]:
    """On arrays; NaN outside of its domain."""

    def one(*arguments: Any) -> Any:
        try:
            found = function(*arguments)
        except (ValueError, ZeroDivisionError):
            return mpmath.nan
        return mpmath.nan if isinstance(found, mpmath.mpc) else found

    found: Callable[..., Any] = np.frompyfunc(one, operands, 1)
    return found


def _over_rows(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def reduced(x: Any, axis: int = -1, keepdims: bool = False) -> Any:
        out = np.empty(len(x), object)
        for k, row in enumerate(x):
            out[k] = function(row)
        return out[:, None] if keepdims else out

    return reduced


REALS = SimpleNamespace(
    **{name: _elementwise(getattr(mpmath, name)) for name in "exp log sqrt sin cos tan sinh cosh tanh log1p expm1 erf erfc digamma".split()},
    **{name: _elementwise(getattr(mpmath, f"a{name[3:]}")) for name in "arctan arcsin arccos".split()},
    arctan2=_elementwise(mpmath.atan2, 2),
    gammaln=_elementwise(mpmath.loggamma),
    sigmoid=_elementwise(lambda x: 1 / (1 + mpmath.exp(-x))),
    where=lambda condition, *branches: np.where(condition, *(_typed(b) for b in branches)),
    concatenate=np.concatenate,
    sum=_over_rows(mpmath.fsum),
    mean=_over_rows(lambda row: mpmath.fsum(row) / len(row)),
    prod=_over_rows(mpmath.fprod),
)  # fmt: skip


def _reals(array: Any) -> Any:
    out = np.empty(array.shape, object)
    for at in np.ndindex(array.shape):
        out[at] = mpmath.mpf(float(array[at]))
    return out.view(_Reals)


def truth(one: Case, arrays: Sequence[Any]) -> list[Any]:
    """The value at every point and the derivative of the sum in each leaf of wrt, by two precisions that agree.

    Raises ArithmeticError where 5,000 bits do not settle one.
    """
    DTYPE.set(str(arrays[0].dtype))
    for pair in BITS:
        coarse, fine = (_truth(one, arrays, bits) for bits in pair)
        flat = [
            (u, v) for a, b in zip(coarse, fine, strict=True) for u, v in zip(a.reshape(-1), b.reshape(-1), strict=True)
        ]
        settled = all(abs(u - v) <= max(abs(v) * mpmath.mpf(10) ** -25, mpmath.ldexp(1, -1200)) for u, v in flat)
        if settled and (pair is BITS[-1] or all(v != 0 for _, v in flat)):  # a 0 may be a number that few bits lose
            return fine
    raise ArithmeticError(f"{one.name} is not settled by {BITS[-1][1]} bits")


def _truth(one: Case, arrays: Sequence[Any], bits: int) -> list[Any]:
    with mpmath.workprec(bits):
        given = [_reals(a) for a in arrays]
        out = [one.formula(REALS, *given)]
        step = mpmath.ldexp(1, -bits // 5)
        for name in one.wrt:
            k = list(one.leaves).index(name)
            slope = np.empty(given[k].shape, object)
            for column in range(given[k].shape[1]) if given[k].ndim == 2 else (None,):
                sides = []
                for sign in (1, -1):
                    moved = given[k].copy()
                    where = (slice(None), column) if column is not None else slice(None)
                    moved[where] = np.array([v * (1 + sign * step) if v else sign * step for v in moved[where]], object)
                    sides.append((one.formula(REALS, *given[:k], moved, *given[k + 1 :]), moved[where]))
                (above, x), (below, y) = sides
                slope[where] = (above - below) / (x - y)
            out.append(slope)
        return out


# ---- points ----


def geo(a: float, b: float, n: int = 8) -> list[float]:
    """n points from a to b in equal ratios."""
    return [float(a * (b / a) ** (k / (n - 1))) for k in range(n)]


def both(points: Sequence[float]) -> list[float]:
    return [*points, *(-v for v in points)]


def lin(a: float, b: float, n: int = 8) -> list[float]:
    return [float(a + (b - a) * k / (n - 1)) for k in range(n)]


def cyc(n: int, *values: float) -> list[float]:
    return [float(values[k % len(values)]) for k in range(n)]


def rows(shifts: Sequence[float], spread: float = 1.0, n: int = 5, scale: bool = False) -> list[list[float]]:
    """One row of n numbers a shift (scale: a factor), spread about it, the same on every machine."""
    pattern = [0.7310, -0.4217, 0.1129, -0.9043, 0.5661, 0.3307, -0.2298]
    return [[s * (1.5 + spread * v) if scale else s + spread * v for v in pattern[:n]] for s in shifts]


WIDE = [
    *geo(1e-300, 1e-160, 3),
    *geo(1e-10, 1e10, 5),
    *geo(1e155, 1e300, 3),
    *geo(1e-36, 1e-22, 3),
    *geo(1e20, 1e37, 3),
]
SMALL = both(geo(1e-12, 0.3, 8))
TINY = both(geo(1e-5, 0.5, 7))
BIG = geo(10, 1e15, 8)

# ---- batch 1 ----

case("hamming.sqrt_cube", lambda m, x: m.sqrt(x + 1) / x - 1 / m.sqrt(x), x=BIG)
case("hamming.log_gap", lambda m, x: m.log(x + 1) - m.log(x - 1), x=geo(3, 1e15))
case("hamming.cos_gap", lambda m, x, e: m.cos(x + e) - m.cos(x), x=cyc(8, 0.5, 1.25, 2, -3), e=geo(2**-40, 0.1))
case("hamming.arctan_gap", lambda m, x: m.arctan(x + 1) - m.arctan(x), x=BIG)
case("hamming.tan_minus_sin", lambda m, x: m.tan(x) - m.sin(x), x=TINY)
case("hamming.one_minus_cos_over_sin", lambda m, x: (1 - m.cos(x)) / m.sin(x), x=SMALL)
case("hamming.exp_gap", lambda m, x: m.exp(x) - 2 + m.exp(-x), x=TINY)
case("hamming.cube_root_sum", lambda m, x: (x + 1) ** 0.25 - x**0.25, x=BIG)
case("hamming.inverse_root_gap", lambda m, x: 1 / m.sqrt(x) - 1 / m.sqrt(x + 1), x=BIG)
case("hamming.log_ratio_mean", lambda m, x: (x + 1) * m.log(x + 1) - x * m.log(x) - m.log(x) - 1, x=geo(2, 1e7))

case(
    "fpbench.doppler",
    lambda m, u, v, t: -(331.4 + 0.6 * t) * v / ((331.4 + 0.6 * t + u) ** 2),
    u=lin(-100, 100, 6),
    v=geo(20, 2e4, 6),
    t=lin(-30, 50, 6),
)
case(
    "fpbench.turbine",
    lambda m, v, w, r: 3 + 2 / (r * r) - 0.125 * (3 - 2 * v) * (w * w * r * r) / (1 - v) - 4.5,
    v=lin(-4.5, -0.3, 6),
    w=lin(0.4, 0.9, 6),
    r=lin(3.8, 7.8, 6),
)
case("fpbench.predator", lambda m, x: 4 * x * x / (1 + (x / 1.11) ** 2), x=lin(0.1, 0.3, 5))
case("fpbench.verhulst", lambda m, x: 4 * x / (1 + x / 1.11), x=lin(0.1, 0.3, 5))
case(
    "fpbench.carbon_gas",
    lambda m, v: (3.5e7 + 0.401 * (1000 / v) ** 2) * (v - 1000 * 42.7e-6) - 1.3806503e-23 * 1000 * 300,
    v=lin(0.1, 0.5, 5),
)
case("fpbench.nmse_sqrt_abs", lambda m, x: m.sqrt(m.exp(x) - 1), x=geo(1e-15, 1))
case("fpbench.intro_ratio", lambda m, t: t / (t + 1), t=geo(1e-9, 1e18))
case("fpbench.sec4", lambda m, x: (x - 1) / (x * x - 1), x=[1 + 2.0**-k for k in range(2, 22, 2)])
case("fpbench.x_by_xy", lambda m, x, y: (x + y) / (x - y), x=[1 + 2.0**-k for k in range(2, 22, 2)], y=cyc(10, 1))
case("fpbench.logexp2", lambda m, x: m.log(1 - m.exp(-x)), x=[*geo(1e-20, 1), *geo(2, 900, 5)])
case("fpbench.asymptote", lambda m, x: (x / (x - 1)) - (x + 1) / x, x=BIG)
case("fpbench.root_pair", lambda m, x: m.sqrt(x + 1) - m.sqrt(x) - 1 / (2 * m.sqrt(x)), x=geo(10, 1e8))
case("fpbench.sinh_over", lambda m, x: m.sinh(x) / x - 1, x=TINY)
case("fpbench.hypot_minus", lambda m, x, y: m.sqrt(x * x + y * y) - x, x=geo(1, 1e150), y=cyc(8, 1, 1e-5, 3))
case("fpbench.cos_squares", lambda m, x: (1 - m.cos(x)) / (x * x), x=SMALL)
case("fpbench.exp_minus_cos", lambda m, x: m.exp(x) - m.cos(x), x=SMALL)

case(
    "tail.survival_logistic",
    lambda m, x, u, s: 1 - 1 / (1 + m.exp(-(x - u) / s)),
    x=[-40, 0, 37, 90, 400, 3, 1500],
    u=cyc(7, 1, 0.5, -2),
    s=cyc(7, 1, 0.5, 2),
)
case(
    "tail.log_survival_exponential",
    lambda m, x, r: m.log(1 - (1 - m.exp(-r * x))),
    x=geo(1e-3, 2000),
    r=cyc(8, 0.5, 1, 2),
)
case("tail.gumbel_survival", lambda m, x: 1 - m.exp(-m.exp(-x)), x=lin(-2, 700, 9))
case("tail.gumbel_logpdf", lambda m, x: m.log(m.exp(-x) * m.exp(-m.exp(-x))), x=lin(-5, 800, 9))
case(
    "tail.log_normal_hazard",
    lambda m, x: m.log(m.exp(-x * x / 2) / (m.erfc(x / ROOT2) / 2)),
    x=[-5, -1, 0.1, 2, 6, 20, 39, 100, 1000.0],
)
case(
    "tail.mills_ratio",
    lambda m, x: m.erfc(x / ROOT2) / m.exp(-x * x / 2),
    x=[-3, -0.5, 0.25, 2, 8, 20, 37, 39, 200, 1e4],
)
case(
    "tail.rice_log",
    lambda m, x, v: m.log(x) - (x * x + v * v) / 2 + x * v,
    x=geo(0.1, 1000, 6),
    v=[0.1, 1.3, 6, 40, 150, 1000.5],
)
case("tail.normal_interval", lambda m, a: m.erf(a + 0.125) - m.erf(a), a=lin(-6, 6, 9))
case("tail.log_interval", lambda m, a: m.log(m.erfc(a) - m.erfc(a + 1)), a=[0.5, 3, 8, 20, 26, 30, 100])
case(
    "tail.inverse_gaussian_log",
    lambda m, x: m.log(m.sqrt(1 / (x**3)) * m.exp(-((x - 1) ** 2) / (2 * x))),
    x=geo(1e-100, 1e100, 9),
)
case("tail.weibull_survival", lambda m, x, k: 1 - m.exp(-(x**k)), x=geo(1e-8, 3), k=cyc(8, 0.5, 1, 2))
case("tail.pareto_log", lambda m, x, a: m.log(a * 2**a / x ** (a + 1)), x=geo(2, 1e300), a=cyc(8, 3, 40, 0.5))
case("tail.beta_binomial", lambda m, a, k: m.gammaln(a + k) - m.gammaln(a), a=geo(0.5, 1e9), k=cyc(8, 3, 0.5, 10))
case("tail.gamma_ratio", lambda m, x: m.exp(m.gammaln(x + 0.5) - m.gammaln(x)), x=geo(0.5, 1e6))
case("tail.stirling_rest", lambda m, x: m.gammaln(x) - (x - 0.5) * m.log(x) + x - HALF_LOG_2PI, x=geo(1, 1e4, 6))
case("tail.digamma_minus_log", lambda m, x: m.log(x) - m.digamma(x), x=geo(1, 1e6, 6))

case(
    "stat.log_odds_ratio",
    lambda m, p, q: m.log(p * (1 - q) / (q * (1 - p))),
    p=[*geo(1e-30, 0.4, 5), 0.5, 1 - 2**-20],
    q=[*geo(1e-25, 0.45, 5), 0.5 + 2**-20, 1 - 2**-18],
)
case(
    "stat.arcsine_gap",
    lambda m, p, q: m.arcsin(m.sqrt(p)) - m.arcsin(m.sqrt(q)),
    p=lin(0.1, 0.9, 6),
    q=[v + 2**-18 for v in lin(0.1, 0.9, 6)],
)
case(
    "stat.correlation",
    lambda m, x, y: (
        m.mean((x - m.mean(x, axis=-1, keepdims=True)) * (y - m.mean(y, axis=-1, keepdims=True)), axis=-1)
        / m.sqrt(
            m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1)
            * m.mean((y - m.mean(y, axis=-1, keepdims=True)) ** 2, axis=-1)
        )
    ),
    x=rows([0, 100, 1e4]),
    y=[r[::-1] for r in rows([3, -50, 2e4])],
)
case(
    "stat.standard_error",
    lambda m, x: m.sqrt((m.sum(x * x, axis=-1) - m.sum(x, axis=-1) ** 2 / 5) / 4),
    x=rows([0, 100, 1e4, 1e6]),
)
case("stat.log_mean_exp", lambda m, x: m.log(m.mean(m.exp(x), axis=-1)), x=rows([0, 700, -800, 1e4, 50], 30))
case(
    "stat.variance_ratio",
    lambda m, x: (m.mean(x * x, axis=-1) - m.mean(x, axis=-1) ** 2) / m.mean(x, axis=-1) ** 2,
    x=rows([1, 100, 1e5]),
)
case(
    "stat.entropy_weights",
    lambda m, w: -m.sum(w / m.sum(w, axis=-1, keepdims=True) * m.log(w / m.sum(w, axis=-1, keepdims=True)), axis=-1),
    w=rows([1, 1e200, 1e-200, 5], 0.9, scale=True),
)
case(
    "stat.geometric_mean",
    lambda m, x: m.prod(x, axis=-1) ** 0.2,
    x=rows([1, 1e100, 1e-100, 1e30, 1e-30], 0.9, scale=True),
)
case("stat.harmonic", lambda m, x: 5 / m.sum(1 / x, axis=-1), x=rows([1, 1e305, 1e-305, 1e30], 0.9, scale=True))
case("stat.power_mean", lambda m, x: m.mean(x**8, axis=-1) ** 0.125, x=rows([1, 1e100, 1e-100, 1e30], 0.9, scale=True))
case("stat.perplexity", lambda m, x: m.exp(-m.mean(m.log(x), axis=-1)), x=rows([0.5, 1e-30, 1e-200], 0.9, scale=True))

# ---- batch 2 ----

case("physics.lorentz_energy", lambda m, b: 1 / m.sqrt(1 - b * b) - 1, b=[*geo(1e-12, 0.9), 1 - 2**-20], batch=2)
case("physics.planck", lambda m, x: x**3 / (m.exp(x) - 1), x=[*geo(1e-10, 10), 100, 650, 800], batch=2)
case("physics.fermi", lambda m, e: 1 / (m.exp((e - 0.5) / 0.025) + 1), e=lin(-20, 20, 9), batch=2)
case("physics.bose", lambda m, x: 1 / (m.exp(x) - 1), x=[*geo(1e-14, 1), 40, 700, 800], batch=2)
case("physics.langevin", lambda m, x: 1 / m.tanh(x) - 1 / x, x=[*both(geo(1e-4, 1, 6)), 5, 40, 800], batch=2)
case(
    "physics.debye_energy",
    lambda m, x: x * x * m.exp(x) / (m.exp(x) - 1) ** 2,
    x=[*geo(1e-8, 10), 100, 720, 1500],
    batch=2,
)
case("physics.two_level", lambda m, e: -m.log(1 + m.exp(-e)), e=[*both(geo(1e-3, 40, 6)), 800, -800], batch=2)
case("physics.relativistic_momentum", lambda m, p: m.sqrt(p * p + 1) - 1, p=WIDE, batch=2)
case("physics.doppler_shift", lambda m, b: m.sqrt((1 + b) / (1 - b)) - 1, b=both(geo(1e-14, 0.9)), batch=2)
case(
    "physics.lens",
    lambda m, f, d: 1 / (1 / f - 1 / d),
    f=cyc(5, 1, 2, 0.5),
    d=[v * (1 + 2.0 ** -(3 + 4 * k)) for k, v in enumerate(cyc(5, 1, 2, 0.5))],
    batch=2,
)
case("physics.barometric", lambda m, h: 1 - (1 - 2.25577e-5 * h) ** 5.25588, h=geo(1e-8, 1e4), batch=2)
case("physics.rocket", lambda m, r: m.log((1 + r) / 1) - r, r=both(geo(1e-4, 0.5, 7)), batch=2)
case("physics.screened", lambda m, r: (1 - m.exp(-r)) / r, r=[*geo(1e-14, 1), 40, 900], batch=2)
case(
    "physics.bethe",
    lambda m, g: m.log(g * g - 1) - (1 - 1 / (g * g)),
    g=[1 + 2.0**-k for k in range(1, 22, 4)] + [30, 1e9, 1e200],
    batch=2,
)
case(
    "physics.lennard_jones",
    lambda m, r: 4 * ((1 / r) ** 12 - (1 / r) ** 6),
    r=[*geo(0.02, 0.9, 4), 1 + 2**-20, 2, 100, 1e30],
    batch=2,
)

case(
    "geometry.heron",
    lambda m, a, b, c: m.sqrt((a + b + c) / 2 * ((a + b + c) / 2 - a) * ((a + b + c) / 2 - b) * ((a + b + c) / 2 - c)),
    a=cyc(6, 2),
    b=[1 + 2.0**-k for k in (3, 6, 9, 12, 15, 18)],
    c=cyc(6, 1),
    batch=2,
)
case(
    "geometry.haversine",
    lambda m, x, y: 2 * m.arcsin(m.sqrt(m.sin((x - y) / 2) ** 2)),
    x=lin(0.3, 1.4, 6),
    y=[v - 2.0 ** -(4 + 3 * k) for k, v in enumerate(lin(0.3, 1.4, 6))],
    batch=2,
)
case(
    "geometry.central_angle",
    lambda m, x, y: m.arccos(m.sin(x) * m.sin(y) + m.cos(x) * m.cos(y)),
    x=lin(0.3, 1.4, 5),
    y=[v - 2.0 ** -(2 + 3 * k) for k, v in enumerate(lin(0.3, 1.4, 5))],
    batch=2,
)
case("geometry.sagitta", lambda m, r, c: r - m.sqrt(r * r - c * c), r=geo(1, 1e8), c=cyc(8, 0.5, 0.75, 0.125), batch=2)
case("geometry.cap_area", lambda m, t: 2 * PI * (1 - m.cos(t)), t=geo(1e-10, 3), batch=2)
case("geometry.segment", lambda m, t: (t - m.sin(t)) / 2, t=geo(1e-4, 3), batch=2)
case("geometry.circumradius", lambda m, a, b: a * b / m.sqrt(a * a + b * b), a=WIDE, b=WIDE[::-1], batch=2)
case(
    "geometry.angle_between",
    lambda m, x, y: m.sum(x * y, axis=-1) / m.sqrt(m.sum(x * x, axis=-1) * m.sum(y * y, axis=-1)),
    x=rows([1, 1e180, 1e-180], 1.4, scale=True),
    y=rows([1e-170, 1e170, 1], -1.4, scale=True),
    batch=2,
)
case("geometry.horizon", lambda m, h: m.arccos(1 / (1 + h)), h=geo(1e-14, 10), batch=2)
case(
    "geometry.ellipse_flattening",
    lambda m, a, b: 1 - m.sqrt(1 - ((a - b) / a) * (2 - (a - b) / a)),
    a=cyc(7, 1, 3),
    b=[v * (1 - 2.0 ** -(2 + 3 * k)) for k, v in enumerate(cyc(7, 1, 3))],
    batch=2,
)
case("geometry.polar", lambda m, x, y: m.arctan2(y, x), x=WIDE, y=WIDE[::-1], batch=2)

case("finance.annuity", lambda m, r, n: r / (1 - (1 + r) ** -n), r=geo(1e-14, 0.2), n=cyc(8, 12, 360, 60), batch=2)
case("finance.effective_rate", lambda m, r: (1 + r / 365) ** 365 - 1, r=both(geo(1e-12, 0.3)), batch=2)
case("finance.present_value_gap", lambda m, r: 1 / (1 + r) - 1 / (1 + r) ** 2, r=geo(1e-14, 0.5), batch=2)
case(
    "finance.black_scholes_tail",
    lambda m, d: 0.5 * (1 + m.erf(d / ROOT2)),
    d=[-38.0, -30, -20, -8, -2, 0.5, 3],
    batch=2,
)
case(
    "finance.log_return",
    lambda m, p, q: m.log(q) - m.log(p),
    p=cyc(8, 100, 73.25),
    q=[v * (1 + 2.0 ** -(3 + 5 * k)) for k, v in enumerate(cyc(8, 100, 73.25))],
    batch=2,
)
case(
    "finance.forward_rate",
    lambda m, r, s: (1 + r) ** 2 / (1 + s) - 1,
    r=geo(1e-12, 0.1),
    s=[v * 1.5 for v in geo(1e-12, 0.1)],
    batch=2,
)
case("finance.duration_gap", lambda m, y, t: (1 - m.exp(-y * t)) / y, y=geo(1e-14, 1), t=cyc(8, 1, 10, 30), batch=2)

case("ode.exponential_euler", lambda m, z: (m.exp(z) - 1) / z, z=[*both(geo(1e-12, 1)), 30, -200, 700], batch=2)
case("ode.phi2", lambda m, z: (m.exp(z) - 1 - z) / (z * z), z=both(geo(1e-4, 5)), batch=2)
case("ode.phi3", lambda m, z: (m.exp(z) - 1 - z - z * z / 2) / (z * z * z), z=both(geo(1e-3, 5, 6)), batch=2)
case("ode.logistic_growth", lambda m, t: 1 / (1 + (1 / 1e-12 - 1) * m.exp(-t)), t=lin(0, 800, 9), batch=2)
case("ode.relaxation", lambda m, x, h: x * m.exp(-h) + (1 - m.exp(-h)), x=cyc(8, 0.5, -1, 2), h=geo(1e-14, 50), batch=2)
case(
    "ode.damped",
    lambda m, t, w: m.exp(-t) * (m.cosh(w * t) + m.sinh(w * t) / w),
    t=geo(1e-3, 900),
    w=cyc(8, 0.5, 0.999, 0.25),
    batch=2,
)
case("ode.cayley", lambda m, h: (1 - h / 2) / (1 + h / 2) - m.exp(-h), h=geo(1e-2, 3, 6), batch=2)
case(
    "ode.pendulum_energy",
    lambda m, q, p: p * p / 2 + (1 - m.cos(q)),
    q=both(geo(1e-9, 1, 5)),
    p=cyc(10, 1e-9, 1e-4, 0),
    wrt="q",
    batch=2,
)
case(
    "ode.crossing",
    lambda m, a, b: a / (a - b),
    a=cyc(6, 1, 2.5),
    b=[v * (1 - 2.0 ** -(2 + 3 * k)) for k, v in enumerate(cyc(6, 1, 2.5))],
    batch=2,
)
case("ode.michaelis", lambda m, s: s / (1 + s) - 1, s=geo(1, 1e18), batch=2)

case("learning.gelu", lambda m, x: 0.5 * x * (1 + m.erf(x / ROOT2)), x=[-37.0, -20, -8, -3, -0.5, 1e-8, 2, 9], batch=2)
case(
    "learning.log_gelu_gate",
    lambda m, x: m.log(0.5 * (1 + m.erf(x / ROOT2)) * m.sigmoid(x)),
    x=[-40.0, -37, -8, -0.5, 2, 9],
    batch=2,
)
case(
    "learning.selu_tail", lambda m, x: m.where(x > 0, 1.05 * x, 1.75 * (m.exp(x) - 1)), x=both(geo(1e-16, 40)), batch=2
)
case("learning.softsign_gap", lambda m, x: 1 - x / (1 + m.where(x > 0, x, -x)), x=geo(1e-3, 1e16), batch=2)
case(
    "learning.attention",
    lambda m, q, v: m.sum(m.exp(q) * v, axis=-1) / m.sum(m.exp(q), axis=-1),
    q=rows([0, 700, -900], 20),
    v=rows([1, 2, 3], 0.5),
    batch=2,
)
case(
    "learning.normalised_logit",
    lambda m, x: m.log(m.sigmoid(x)) - m.log(1 - m.sigmoid(x)),
    x=[*both(geo(1e-9, 30, 6)), 40, 800, -800],
    batch=2,
)
case(
    "learning.gumbel_softmax",
    lambda m, u: -m.log(-m.log(u)),
    u=[*geo(1e-300, 0.3, 5), 0.75, 1 - 2**-10, 1 - 2**-22],
    batch=2,
)
case("learning.softplus_inverse", lambda m, y: m.log(m.exp(y) - 1), y=[*geo(1e-15, 1), 20, 100, 900], batch=2)
case(
    "learning.tanh_gaussian",
    lambda m, x: -x * x / 2 - m.log(1 - m.tanh(x) ** 2),
    x=[0.5, 2, 8, 19, 40, -30, 400],
    batch=2,
)
case(
    "learning.rms_norm",
    lambda m, x: x / m.sqrt(m.mean(x * x, axis=-1, keepdims=True)),
    x=rows([1, 1e200, 1e-200, 1e25], 1.4, scale=True),
    wrt="",
    batch=2,
)
case("learning.huber_soft", lambda m, x: m.log(m.cosh(x)) / x, x=[*geo(1e-6, 10), 100, 800], batch=2)

# ---- batch 3 ----

NEAR1 = [1 - 2.0**-k for k in range(2, 22, 3)]


def shifted(points: Sequence[float], first: int = 3, step: int = 3) -> list[float]:
    """Each point a little above itself, less and less so."""
    return [v * (1 + 2.0 ** -(first + step * k)) for k, v in enumerate(points)]


case("hamming.sine_by_tangent", lambda m, x: (x - m.sin(x)) / (x - m.tan(x)), batch=3, x=TINY)
case(
    "hamming.exp_quotient",
    lambda m, a, b, e: e * (m.exp((a + b) * e) - 1) / ((m.exp(a * e) - 1) * (m.exp(b * e) - 1)),
    batch=3,
    a=cyc(8, 1.5, -2, 0.5),
    b=cyc(8, 0.25, 3),
    e=geo(1e-12, 1),
)
case("hamming.log_quotient", lambda m, x: m.log(1 - x) / m.log(1 + x), batch=3, x=both(geo(1e-12, 0.9)))
case(
    "hamming.sqrt_exp", lambda m, x: m.sqrt((m.exp(2 * x) - 1) / (m.exp(x) - 1)), batch=3, x=[*both(geo(1e-14, 5)), 300]
)
case("hamming.three_fractions", lambda m, x: 1 / (x + 1) - 2 / x + 1 / (x - 1), batch=3, x=BIG)
case("hamming.cot_gap", lambda m, x: 1 / x - 1 / m.tan(x), batch=3, x=TINY)
case("hamming.nth_root", lambda m, x, n: (x + 1) ** (1 / n) - x ** (1 / n), batch=3, x=BIG, n=cyc(8, 2, 3, 7), wrt="x")
case(
    "hamming.tan_gap", lambda m, x, e: m.tan(x + e) - m.tan(x), batch=3, x=cyc(8, 0.5, 1.25, 2, -3), e=geo(2**-40, 0.1)
)
case("hamming.log_of_ratio", lambda m, x: m.log((1 - x) / (1 + x)), batch=3, x=[*both(geo(1e-14, 0.9)), *NEAR1])
case(
    "hamming.quadratic_minus",
    lambda m, a, b, c: (-b - m.sqrt(b * b - 4 * a * c)) / (2 * a),
    batch=3,
    a=cyc(8, 1, 0.5, 2),
    b=[3, -3, 1e4, -1e4, 1e9, -1e9, 1e150, -1e150],
    c=cyc(8, 1, 0.75),
)
case("hamming.cube_root_gap", lambda m, x: (x + 1) ** (1 / 3) - x ** (1 / 3), batch=3, x=BIG)
case(
    "fpbench.complex_root",
    lambda m, x, y: 0.5 * m.sqrt(2 * (m.sqrt(x * x + y * y) + x)),
    batch=3,
    x=[*both(geo(1e-3, 1e4, 5)), -1e150, 1e180],
    y=cyc(12, 1, 1e-4, -3),
)
case(
    "fpbench.complex_sine",
    lambda m, x, y: 0.5 * m.cos(x) * (m.exp(-y) - m.exp(y)),
    batch=3,
    x=cyc(16, 0.5, 1.5, 3),
    y=SMALL,
)
case("fpbench.exp_by_log", lambda m, x: (m.exp(x) - 1) / m.log(m.exp(x)), batch=3, x=[*both(geo(1e-14, 1)), 30])
case("fpbench.inverse_sinh", lambda m, x: m.log(x + m.sqrt(x * x + 1)), batch=3, x=both([*geo(1e-14, 1e14), 1e200]))
case(
    "fpbench.logistic_cost",
    lambda m, x, y: m.log(1 + m.exp(x)) - x * y,
    batch=3,
    x=[*both(geo(1e-3, 40, 6)), 800, -800],
    y=cyc(14, 1, 0, 0.25),
    wrt="x",
)
case(
    "fpbench.lambert_newton",
    lambda m, w, x: w - (w * m.exp(w) - x) / (m.exp(w) + w * m.exp(w)),
    batch=3,
    w=[0.25, 1, 2.5, 10, 100, 600],
    x=[0.3, 3, 30, 2e5, 1e40, 1e250],
)
case(
    "fpbench.rigid_body",
    lambda m, x, y, z: -x * y - 2 * y * z - x - z,
    batch=3,
    x=lin(-15, 15, 7),
    y=[2.5, -0.75, 14, 1.0625, -3, 8, -15],
    z=lin(12, -14, 7),
)
case("fpbench.jet_ratio", lambda m, x: (3 * x * x + 2 - x) / (x * x + 1) - 3, batch=3, x=both(geo(1, 1e12)))
case("fpbench.union", lambda m, p, q: m.log(1 - (1 - p) * (1 - q)), batch=3, p=geo(1e-20, 0.9), q=geo(1e-17, 0.5))

case(
    "stat.beta_logpdf",
    lambda m, x, a, b: (a - 1) * m.log(x) + (b - 1) * m.log(1 - x) + m.gammaln(a + b) - m.gammaln(a) - m.gammaln(b),
    batch=3,
    x=[*geo(1e-12, 0.4, 4), *NEAR1[:4]],
    a=cyc(8, 0.5, 2.5, 40),
    b=cyc(8, 3, 0.75),
)
case(
    "stat.log_beta",
    lambda m, a, b: m.gammaln(a) + m.gammaln(b) - m.gammaln(a + b),
    batch=3,
    a=cyc(8, 0.5, 2.5, 10),
    b=geo(0.5, 1e9),
)
case(
    "stat.binomial_logpmf",
    lambda m, n, k, p: (
        m.gammaln(n + 1) - m.gammaln(k + 1) - m.gammaln(n - k + 1) + k * m.log(p) + (n - k) * m.log(1 - p)
    ),
    batch=3,
    n=[5, 20, 100, 1000, 1e5, 1e6],
    k=[2, 0, 50, 3, 49000, 10],
    p=[0.4, 1e-12, 0.5, 0.003, 0.49, 1e-5],
    wrt="p",
)
case(
    "stat.student_logpdf",
    lambda m, t, v: (
        m.gammaln((v + 1) / 2) - m.gammaln(v / 2) - 0.5 * m.log(v * PI) - (v + 1) / 2 * m.log(1 + t * t / v)
    ),
    batch=3,
    t=cyc(8, 0.5, 3, 1e-6, 100),
    v=geo(1, 1e7),
)
case(
    "stat.normal_kl",
    lambda m, u, s, v, r: m.log(r / s) + (s * s + (u - v) ** 2) / (2 * r * r) - 0.5,
    batch=3,
    u=cyc(6, 1, 2.5),
    s=cyc(6, 1, 0.5, 3),
    v=shifted(cyc(6, 1, 2.5)),
    r=shifted(cyc(6, 1, 0.5, 3), 4),
)
case(
    "stat.poisson_deviance",
    lambda m, y, u: 2 * (y * m.log(y / u) - (y - u)),
    batch=3,
    y=cyc(8, 1, 30, 1000),
    u=[0.125, 4, *shifted(cyc(6, 1000, 1, 30))],
)
case(
    "stat.negative_binomial_deviance",
    lambda m, y, u, r: 2 * (y * m.log(y / u) - (y + r) * m.log((y + r) / (u + r))),
    batch=3,
    y=cyc(8, 1, 30, 1000),
    u=[0.125, 4, *shifted(cyc(6, 1000, 1, 30))],
    r=cyc(8, 2, 0.5, 50),
    wrt="u",
)
case(
    "stat.gamma_deviance",
    lambda m, y, u: 2 * (-m.log(y / u) + (y - u) / u),
    batch=3,
    y=cyc(8, 1, 30, 1e-3),
    u=[0.125, 4, *shifted(cyc(6, 1e-3, 1, 30))],
)
case(
    "stat.bernoulli_kl",
    lambda m, p, q: p * m.log(p / q) + (1 - p) * m.log((1 - p) / (1 - q)),
    batch=3,
    p=[0.5, 0.25, 1e-10, 1e-3, 0.75],
    q=shifted([0.5, 0.25, 1e-10, 1e-3, 0.75]),
)
case(
    "stat.cloglog_cost",
    lambda m, x, y: -(y * m.log(1 - m.exp(-m.exp(x))) - (1 - y) * m.exp(x)),
    batch=3,
    x=[-700.0, -60, -30, -3, 0.5, 3, 4.5, 6],
    y=cyc(8, 1, 0, 0.5),
    wrt="x",
)
case(
    "stat.logistic_hazard",
    lambda m, x: (m.exp(-x) / (1 + m.exp(-x)) ** 2) / (1 - 1 / (1 + m.exp(-x))),
    batch=3,
    x=both([1e-6, 0.5, 5, 37, 80, 300]),
)
case("stat.cauchy_tail", lambda m, x: 0.5 - m.arctan(x) / PI, batch=3, x=geo(0.1, 1e9))
case(
    "stat.z_score",
    lambda m, x: (
        (x - m.mean(x, axis=-1, keepdims=True))
        / m.sqrt(m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1, keepdims=True) + 1e-5)
    ),
    batch=3,
    x=rows([0, 100, 1e4, 1e6]),
    wrt="",
)
case(
    "stat.skewness",
    lambda m, x: (
        m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 3, axis=-1)
        / m.mean((x - m.mean(x, axis=-1, keepdims=True)) ** 2, axis=-1) ** 1.5
    ),
    batch=3,
    x=rows([0, 100, 1e4]),
)
case(
    "stat.softmax_entropy",
    lambda m, x: (
        -m.sum(
            m.exp(x)
            / m.sum(m.exp(x), axis=-1, keepdims=True)
            * m.log(m.exp(x) / m.sum(m.exp(x), axis=-1, keepdims=True)),
            axis=-1,
        )
    ),
    batch=3,
    x=[*rows([0, 800, -900]), *rows([3], 40)],
)
case(
    "stat.log_mixture",
    lambda m, x, w: m.log(w * m.exp(-((x - 1) ** 2) / 2) + (1 - w) * m.exp(-((x + 2) ** 2) / 8)),
    batch=3,
    x=[-200.0, -40, -3, 0.5, 2, 30, 500],
    w=[0.25, 0.5, 1 - 2**-20, 1e-12, 0.75, 0.125, 0.5],
)
case(
    "stat.skellam_step",
    lambda m, a, b: m.sqrt(a) - m.sqrt(b),
    batch=3,
    a=cyc(6, 2, 100, 1e20),
    b=shifted(cyc(6, 2, 100, 1e20)),
)
case(
    "stat.dirichlet_log",
    lambda m, a, x: m.gammaln(m.sum(a, axis=-1)) - m.sum(m.gammaln(a), axis=-1) + m.sum((a - 1) * m.log(x), axis=-1),
    batch=3,
    a=rows([0.7, 3, 40, 1000], 0.4, scale=True),
    x=rows([0.05, 1e-8, 0.2, 0.125], 0.9, scale=True),
)

C = 299792458.0
case(
    "physics.kinetic",
    lambda m, u, v: u * C**2 * (1 / m.sqrt(1 - v**2 / C**2) - 1),
    batch=3,
    u=cyc(7, 1, 9.1e-31, 80),
    v=[*geo(1e-3, 1e8, 6), 2.99e8],
)
case(
    "physics.planck_wavelength",
    lambda m, x: 1 / (x**5 * (m.exp(1 / x) - 1)),
    batch=3,
    x=[1.25e-3, 1.6e-3, 0.01, *geo(0.1, 1e12, 6)],
)
case(
    "physics.brillouin",
    lambda m, x: 1.5 / m.tanh(1.5 * x) - 0.5 / m.tanh(0.5 * x),
    batch=3,
    x=both([*geo(1e-4, 1, 5), 10, 500]),
)
case(
    "physics.kepler",
    lambda m, a, e: a - e * m.sin(a),
    batch=3,
    a=[*geo(1e-8, 1, 6), 3, 6],
    e=[0.9, 1 - 2**-20, 0.999, 1, 0.5, 0.99, 0.1, 0.97],
)
case(
    "physics.lensmaker",
    lambda m, n, r, s, d: (n - 1) * (1 / r - 1 / s + (n - 1) * d / (n * r * s)),
    batch=3,
    n=[1.5, 1 + 2**-12, 1.000293, 1.33],
    r=[2.0, 10, 3, 0.5],
    s=shifted([2.0, 10, 3, 0.5]),
    d=[0.01, 1e-6, 0.125, 1e-9],
)
case(
    "physics.gravity_gap",
    lambda m, r, h: 1 / r**2 - 1 / (r + h) ** 2,
    batch=3,
    r=cyc(7, 6.371e6, 1, 1e-3),
    h=[1e-2, 1e-8, 1e-9, 100, 0.5, 1e-12, 1e5],
)
case("physics.velocity_addition", lambda m, u, v: 1 - (u + v) / (1 + u * v), batch=3, u=NEAR1, v=NEAR1[::-1])
case("physics.ionisation", lambda m, x: x / 2 * (m.sqrt(1 + 4 / x) - 1), batch=3, x=geo(1e-30, 1e20))
case(
    "physics.schottky",
    lambda m, x: x**2 * m.exp(x) / (1 + m.exp(x)) ** 2,
    batch=3,
    x=both([1e-8, 0.5, 30, 300, 800, 1500]),
)
case("physics.coth_gap", lambda m, x: m.cosh(x) / m.sinh(x) - 1, batch=3, x=[*geo(1e-8, 10, 6), 100, 370])
case("physics.reduced_mass", lambda m, a, b: a * b / (a + b), batch=3, a=WIDE, b=WIDE[::-1])
case(
    "physics.interference",
    lambda m, a, b, t: m.sqrt(a * a + b * b - 2 * a * b * m.cos(t)),
    batch=3,
    a=cyc(6, 2, 1),
    b=shifted(cyc(6, 2, 1)),
    t=geo(1e-6, 1, 6),
)

case(
    "geometry.angle_of_vectors",
    lambda m, x, y: m.arccos(m.sum(x * y, axis=-1) / (m.sqrt(m.sum(x * x, axis=-1)) * m.sqrt(m.sum(y * y, axis=-1)))),
    batch=3,
    x=rows([1, 2, 3], 1.4, 3),
    y=[
        [v * (1 + 2.0**-e * s) for v, s in zip(r, (1, -1, 0.5), strict=True)]
        for r, e in zip(rows([1, 2, 3], 1.4, 3), (2, 8, 10), strict=True)
    ],
)
case(
    "geometry.haversine_full",
    lambda m, a, b, l: 2 * m.arcsin(m.sqrt(m.sin((b - a) / 2) ** 2 + m.cos(a) * m.cos(b) * m.sin(l / 2) ** 2)),
    batch=3,
    a=lin(-1.4, 1.3, 6),
    b=[v + 2.0 ** -(2 + 3 * k) for k, v in enumerate(lin(-1.4, 1.3, 6))],
    l=geo(1e-9, 1, 6),
)
case(
    "geometry.orientation",
    lambda m, a, b, c, d, x, y: (c - a) * (y - b) - (x - a) * (d - b),
    batch=3,
    a=cyc(5, 0.5, 12),
    b=cyc(5, 0.5, 12),
    c=cyc(5, 1.5, 24),
    d=[v * (1 + 2.0**-k) for v, k in zip(cyc(5, 1.5, 24), (3, 8, 12, 16, 20), strict=True)],
    x=cyc(5, 4.25, 100),
    y=cyc(5, 4.25, 100),
)
case(
    "geometry.bearing",
    lambda m, a, b, l: m.arctan2(m.sin(l) * m.cos(b), m.cos(a) * m.sin(b) - m.sin(a) * m.cos(b) * m.cos(l)),
    batch=3,
    a=lin(-1.2, 1.3, 6),
    b=[v + 2.0 ** -(2 + 3 * k) for k, v in enumerate(lin(-1.2, 1.3, 6))],
    l=geo(1e-7, 1, 6),
)
case(
    "geometry.arc_minus_chord",
    lambda m, r, t: r * t - 2 * r * m.sin(t / 2),
    batch=3,
    r=cyc(8, 1, 6.4e6),
    t=geo(1e-4, 2),
)
case(
    "geometry.normalised",
    lambda m, x: x / m.sqrt(m.sum(x * x, axis=-1, keepdims=True)),
    batch=3,
    x=rows([1, 1e200, 1e-200, 1e-30], 1.4, scale=True),
    wrt="",
)
case(
    "geometry.unit_gap",
    lambda m, x, y: 1 - m.sqrt(x * x + y * y),
    batch=3,
    x=[0.6, 0.75, 1 - 2**-20, 1e-3, 0.8],
    y=[0.8, 0.625, 2**-12, 1, 0.6 + 2**-18],
)

case(
    "finance.mortgage",
    lambda m, r, n: r * (1 + r) ** n / ((1 + r) ** n - 1),
    batch=3,
    r=geo(1e-14, 0.2),
    n=cyc(8, 12, 360, 60),
    wrt="r",
)
case(
    "finance.call_price",
    lambda m, s, k, v: (
        s * 0.5 * m.erfc(-(m.log(s / k) + v * v / 2) / v / ROOT2)
        - k * 0.5 * m.erfc(-(m.log(s / k) - v * v / 2) / v / ROOT2)
    ),
    batch=3,
    s=[100.0, 100, 90, 50, 100, 120],
    k=[100.0, 101, 100, 100, 100.0625, 100],
    v=[0.2, 0.05, 0.1, 0.125, 1e-3, 0.3],
)
case(
    "finance.compound_gap",
    lambda m, r, n: (1 + r / n) ** n - m.exp(r),
    batch=3,
    r=geo(1e-3, 0.5, 6),
    n=cyc(6, 12, 365),
    wrt="r",
)
case(
    "finance.growing_annuity",
    lambda m, r, g, n: (1 - ((1 + g) / (1 + r)) ** n) / (r - g),
    batch=3,
    r=cyc(6, 0.05, 0.01, 0.1),
    g=shifted(cyc(6, 0.05, 0.01, 0.1), 2),
    n=cyc(6, 10, 360),
    wrt="r g",
)
case("finance.log_return_rest", lambda m, r: m.log(1 + r) - r + r * r / 2, batch=3, r=both(geo(1e-4, 0.5, 6)))

case(
    "learning.masked_attention",
    lambda m, q, v, k: (
        m.sum(m.exp(m.where(k > 0, q, -1e9)) * v, axis=-1) / m.sum(m.exp(m.where(k > 0, q, -1e9)), axis=-1)
    ),
    batch=3,
    q=rows([0, 700, -900], 20),
    v=rows([1, 2, 3], 0.5),
    k=[[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [1, 0, 0, 0, 0]],
    wrt="q v",
)
case(
    "learning.contrastive",
    lambda m, x: -m.log(m.exp(x[:, 0] / 0.07) / m.sum(m.exp(x / 0.07), axis=-1)),
    batch=3,
    x=[[1, -1, 0.5, 0.25], [0.9375, 0.875, -1, 0.5], [60, -60, 30, 1], [-60, 60, 30, 1]],
)
case(
    "learning.chain_score",
    lambda m, a, b, t: (
        m.log(m.exp(m.log(m.exp(a) + m.exp(b)) + t) + m.exp(m.log(m.exp(a - t) + m.exp(b + t)))) - (a + t)
    ),
    batch=3,
    a=[0.5, 800, -700, 40, 3, 900],
    b=[-0.5, 20, -800, 39, -40, 899.5],
    t=cyc(6, 0.25, -3, 20),
)
case(
    "learning.log_determinant",
    lambda m, a, b, c, d: m.log(a * d - b * c),
    batch=3,
    a=[2, 1e200, 1e-200, 1, 3],
    b=[1, 1e-200, 1e-180, 1, 2],
    c=[1, 1e100, 1e-200, 1, 1],
    d=[3, 1e200, 1e-150, 1 + 2**-20, 0.75],
)
case(
    "learning.cosine_distance",
    lambda m, x, y: 1 - m.sum(x * y, axis=-1) / m.sqrt(m.sum(x * x, axis=-1) * m.sum(y * y, axis=-1)),
    batch=3,
    x=rows([1, 2, 3], 1.4, 3),
    y=[
        [v * (1 + 2.0**-e * s) for v, s in zip(r, (1, -1, 0.5), strict=True)]
        for r, e in zip(rows([1, 2, 3], 1.4, 3), (2, 8, 10), strict=True)
    ],
)
case(
    "learning.vae_kl",
    lambda m, u, l: -0.5 * (1 + l - u * u - m.exp(l)),
    batch=3,
    u=cyc(12, 0, 1e-6, 0.5, 3),
    l=both(geo(1e-4, 40, 6)),
)
case(
    "learning.gumbel_sample",
    lambda m, x, u: (
        m.exp((x - m.log(-m.log(u))) / 0.1) / m.sum(m.exp((x - m.log(-m.log(u))) / 0.1), axis=-1, keepdims=True)
    ),
    batch=3,
    x=rows([0, 50, -300], 5, 3),
    u=[[0.5, 1 - 2**-20, 1e-30], [0.25, 0.75, 0.125], [1e-10, 0.999, 0.5]],
    wrt="",
)
case(
    "learning.log_cosh", lambda m, x: m.log((m.exp(x) + m.exp(-x)) / 2), batch=3, x=both([*geo(1e-9, 10, 5), 100, 800])
)
case(
    "learning.mish",
    lambda m, x: x * m.tanh(m.log(1 + m.exp(x))),
    batch=3,
    x=[-700.0, -100, -20, -3, -1.1924, 1e-8, 2, 20, 800],
)
case("learning.swish", lambda m, x: x / (1 + m.exp(-x)), batch=3, x=[-700.0, -100, -20, -3, -1.2784, 1e-8, 2, 20, 800])
case("learning.softsign", lambda m, x: x / (1 + abs(x)), batch=3, x=both(geo(1e-10, 1e18)))
case(
    "learning.pseudo_huber",
    lambda m, x, d: d**2 * (m.sqrt(1 + (x / d) ** 2) - 1),
    batch=3,
    x=[*both(geo(1e-10, 1e3)), 1e200],
    d=cyc(17, 1, 0.1),
)
case(
    "learning.quantile",
    lambda m, e: 0.9 * e + 0.01 * m.log(1 + m.exp(-e / 0.01)),
    batch=3,
    e=[*both(geo(1e-4, 10, 6)), 100, -100],
)
case(
    "learning.focal",
    lambda m, x: -((1 - 1 / (1 + m.exp(-x))) ** 2) * m.log(1 / (1 + m.exp(-x))),
    batch=3,
    x=both([1e-6, 0.5, 5, 37, 200, 345]),
)
case(
    "learning.gelu_tanh",
    lambda m, x: 0.5 * x * (1 + m.tanh(0.7978845608 * (x + 0.044715 * x**3))),
    batch=3,
    x=[-20.0, -12, -8, -3, -0.75, 1e-8, 2, 9],
)
case("learning.arc_margin", lambda m, c: m.cos(m.arccos(c) + 0.5), batch=3, c=[*both([1e-6, 0.25, 0.5, 0.75]), *NEAR1])
case(
    "learning.jensen_shannon",
    lambda m, p, q: p * m.log(2 * p / (p + q)) + q * m.log(2 * q / (p + q)),
    batch=3,
    p=[0.5, 0.25, 1e-10, 1e-3, 0.75],
    q=shifted([0.5, 0.25, 1e-10, 1e-3, 0.75]),
)
case(
    "learning.sigmoid_gap",
    lambda m, x, d: m.sigmoid(x + d) - m.sigmoid(x),
    batch=3,
    x=[-800.0, -100, -3, 0, 0.5, 20, 300],
    d=[0.5, 1e-10, 1e-6, 1e-12, 0.125, 1e-3, 4],
)
case(
    "learning.softplus_gap",
    lambda m, x, d: m.log(1 + m.exp(x + d)) - m.log(1 + m.exp(x)),
    batch=3,
    x=[-600.0, -100, -3, 0, 0.5, 20, 300, 900],
    d=[0.5, 1e-10, 1e-6, 1e-12, 0.125, 1e-3, 4, 1e-9],
)
case(
    "learning.bradley_terry",
    lambda m, a, b: -m.log(m.exp(a) / (m.exp(a) + m.exp(b))),
    batch=3,
    a=[0.5, 800, -800, 3, 40],
    b=[0.25, -800, 800, 3, 0],
)
case(
    "learning.temperature",
    lambda m, x, t: m.log(m.sum(m.exp(x / m.where(t > 0, t, 1.0)[:, None]), axis=-1)) * t,
    batch=3,
    x=rows([1, 5, -3]),
    t=[1.0, 1e-3, 1e3],
)
case(
    "learning.parts_joined",
    lambda m, x, y: m.log(m.sum(m.exp(m.concatenate([x, 2 * y], axis=-1)), axis=-1)) - m.log(m.sum(m.exp(x), axis=-1)),
    batch=3,
    x=rows([1, 700, -900, 40], 3, 3),
    y=rows([1, 350, -460, 2], 1, 2),
)
case("learning.elu_slope", lambda m, x: m.where(x > 0, x, m.exp(x) - 1) / x, batch=3, x=both(geo(1e-12, 40)))
