"""Formulas as textbooks print them, each with points at which floats lose them: what symdl was scored on at first sight.

Every formula is public knowledge: Hamming (1962) chapter 3 and what FPBench collects from the literature, distribution
functions and their tails, statistics, physics, geometry, finance, steps of differential equations. `m` is a namespace of
functions, symdl.tensor or, for the truth, REALS; leaves are vectors over the points, or matrices of which rows are summed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    where=np.where,
    sum=_over_rows(mpmath.fsum),
    mean=_over_rows(lambda row: mpmath.fsum(row) / len(row)),
    prod=_over_rows(mpmath.fprod),
)  # fmt: skip


def _reals(array: Any) -> Any:
    out = np.empty(array.shape, object)
    for at in np.ndindex(array.shape):
        out[at] = mpmath.mpf(float(array[at]))
    return out


def truth(one: Case, arrays: Sequence[Any]) -> list[Any]:
    """The value at every point and the derivative of the sum in each leaf of wrt, by two precisions that agree.

    Raises ArithmeticError where 5,000 bits do not settle one.
    """
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
