"""True values of the elementwise functions, arguments on which to try them, and the largest errors found.

The truth for float32 is float64, for float64 it is 80 bits, for single points mpmath. The 80-bit functions are those of
glibc on x86-64, good to a few thousandths of an ulp of float64, which `benchmarks.accuracy` confirms with mpmath at the
worst points; elsewhere only mpmath remains.
"""

from __future__ import annotations

import ctypes
import importlib
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np

from symdl.backends.vmath.bounds import ABSOLUTE_BELOW_ZERO

Array = np.ndarray[Any, Any]
Truth = Callable[..., Any]
Run = Callable[..., Any]
WIDE = np.finfo(np.longdouble).nmant == 63 and platform.libc_ver()[0] == "glibc"
BINARY = ("pow", "arctan2")
CHUNK = 1 << 16  # arguments at a time: what is computed on the way stays in the cache
BITS = {"sin": 1200, "cos": 1200, "tan": 1200}  # of mpmath: the argument's exponent and some more


def _scipy(name: str) -> Truth:
    return lambda x: getattr(importlib.import_module("scipy.special"), name)(x)


def sigmoid(x: Array) -> Any:
    """1 / (1 + e^-x) in the precision of x."""
    return 1 / (1 + np.exp(-x))


def logistic_tail(x: Array) -> Any:
    """1 / (1 + e^|x|) in the precision of x."""
    return 1 / (1 + np.exp(np.abs(x)))


def softplus(x: Array) -> Any:
    """log(1 + e^x) in the precision of x."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


_OTHERS: dict[str, Truth] = {"pow": np.power, "sigmoid": sigmoid, "logistic_tail": logistic_tail, "softplus": softplus}
_SPECIAL = ("erf", "erfc", "erfcx", "erfinv", "gammaln", "digamma")


def _inside_unit(x: Array) -> Any:
    """erfinv; SciPy takes a microsecond to refuse a number beyond 1."""
    out = np.full_like(x, np.nan)
    inside = np.abs(x) <= 1
    out[inside] = _scipy("erfinv")(x[inside])
    return np.where(x == 0, x, out)  # SciPy drops the sign of zero


def for_float32(name: str) -> Truth:
    """The function on float64 arrays, good to a few ulp of float64: the truth for float32."""
    if name == "erfinv":
        return _inside_unit
    if name in _SPECIAL:
        return _scipy(name)
    found: Truth = _OTHERS[name] if name in _OTHERS else getattr(np, name)
    return found


# 80 bits


@cache
def _library(name: str) -> Any:
    """A function of the C library on arrays of 80-bit floats: NumPy has only some of them."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.load_library_permanently("libm.so.6")
    text = f"""
declare x86_fp80 @{name}(x86_fp80)
define void @run(ptr %out, ptr %x, i64 %n) {{
start:
  br label %loop
loop:
  %i = phi i64 [ 0, %start ], [ %next, %loop ]
  %from = getelementptr [16 x i8], ptr %x, i64 %i
  %to = getelementptr [16 x i8], ptr %out, i64 %i
  %a = load x86_fp80, ptr %from, align 16
  %b = call x86_fp80 @{name}(x86_fp80 %a)
  store x86_fp80 %b, ptr %to, align 16
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}}"""
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), machine)
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    return kind(engine.get_function_address("run")), engine


def _from_library(name: str) -> Truth:
    def call(x: Array) -> Array:
        x = np.ascontiguousarray(x, np.longdouble)
        out = np.empty_like(x)
        if x.size:
            _library(name)[0](out.ctypes.data, x.ctypes.data, x.size)
        return out

    return call


_erf, _erfc, _lgamma = _from_library("erfl"), _from_library("erfcl"), _from_library("lgammal")
_PI = np.pi + np.longdouble(1.2246467991473532e-16)


def _wide_gammaln(x: Array) -> Any:
    """log|Gamma(x)|; SciPy, which defines the function here, has -inf at -inf, the C library inf."""
    return np.where(x == -np.inf, -np.inf, _lgamma(x))


def _wide_digamma(x: Array) -> Any:
    """Recurrence up to 24, the asymptotic series, reflection below 0; by mpmath near the positive root."""
    y = np.where(x < 0, 1 - x, x)
    shift = np.zeros_like(y)
    for _ in range(24):
        low = y < 24
        shift, y = np.where(low, shift + 1 / y, shift), np.where(low, y + 1, y)
    u = 1 / (y * y)
    total: Any = np.longdouble(0)
    for numerator, denominator in reversed(_DIGAMMA_SERIES):
        total = u * (np.longdouble(numerator) / denominator + total)
    value = np.log(y) - 1 / (2 * y) - total - shift
    turn = x - np.rint(x)
    value = np.where(x < 0, value - _PI / np.tan(_PI * turn), value)
    value = np.where((x < 0) & (turn == 0) | (x == -np.inf), np.nan, value)
    value = np.where(x == 0, np.copysign(np.inf, -x), value)
    near = np.abs(x - 1.4616321449683623) < 0.01
    value[near] = [wide(exact("digamma", one)) for one in np.asarray(x[near], np.float64).tolist()]
    return value


# B(2k)/(2k), Abramowitz and Stegun 6.3.18
_DIGAMMA_SERIES = (
    (1, 12),
    (-1, 120),
    (1, 252),
    (-1, 240),
    (1, 132),
    (-691, 32760),
    (1, 12),
    (-3617, 8160),
    (43867, 14364),
)


def wide(true: Any) -> Any:
    """A number of mpmath as 80 bits."""
    high = float(true)
    with mpmath.workprec(120):
        return np.longdouble(high) + float(true - high) if np.isfinite(high) else np.longdouble(high)


def _wide_erfcx(x: Array) -> Any:
    """e^(x^2) erfc(x) for values of float64: the square as a sum of two exact parts; beyond 100 the asymptotic series."""
    high = np.asarray(x, np.float64).astype(np.float32).astype(np.longdouble)
    low = x - high
    growth = np.exp(high * high) * np.exp((2 * high + low) * low)
    inverse = 1 / (2 * x * x)
    series = 1 - inverse * (1 - 3 * inverse * (1 - 5 * inverse * (1 - 7 * inverse)))
    far = series / (x * np.sqrt(_PI))
    return np.where(x > 100, far, np.where(x < -110, np.inf, growth * _erfc(np.minimum(x, 100))))


def _wide_erfinv(x: Array) -> Any:
    """One Newton step from float64, on erf or near 1 on erfc; exact at 0 and at the ends."""
    rough = np.asarray(_inside_unit(np.asarray(x, np.float64)), np.longdouble)
    size = np.abs(rough)
    miss = np.where(np.abs(x) < 0.5, _erf(size) - np.abs(x), (1 - np.abs(x)) - _erfc(size))
    slope = 2 / np.sqrt(_PI) * np.exp(-size * size)
    better = np.copysign(size - miss / slope, x)
    return np.where((x == 0) | ~np.isfinite(rough), np.where(x == 0, x, rough), better)


_WIDE: dict[str, Truth] = {
    "erf": _erf,
    "erfc": _erfc,
    "erfcx": _wide_erfcx,
    "erfinv": _wide_erfinv,
    "gammaln": _wide_gammaln,
    "digamma": _wide_digamma,
}


def for_float64(name: str) -> Truth:
    """The function on 80-bit arrays that hold values of float64."""
    return _WIDE[name] if name in _WIDE else for_float32(name)


# single points


def _exact_erfcx(x: mpmath.mpf) -> mpmath.mpf:
    if x > 30:  # asymptotic series
        total, term = mpmath.mpf(0), mpmath.mpf(1)
        for k in range(30):
            total, term = total + term, -term * (2 * k + 1) / (2 * x * x)
        return total / (x * mpmath.sqrt(mpmath.pi))
    if x < -30:  # beyond every float
        return mpmath.inf
    with mpmath.workprec(300):
        return mpmath.exp(x * x) * mpmath.erfc(x)


EXACT: dict[str, Truth] = {
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "log2": lambda x: mpmath.log(x, 2),
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "arctan2": mpmath.atan2,
    "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh,
    "arctanh": mpmath.atanh,
    "gammaln": lambda x: mpmath.loggamma(x).real,
    "pow": mpmath.power,
    "mod": lambda x, y: x - y * mpmath.floor(x / y),
    "floor_div": lambda x, y: mpmath.floor(x / y),
    "erfcx": _exact_erfcx,
    "logistic_tail": lambda x: 1 / (1 + mpmath.exp(abs(x))),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}


def exact(name: str, *numbers: float) -> mpmath.mpf | None:
    """The true value at finite operands inside the domain, else None."""
    if not all(np.isfinite(numbers)):
        return None
    if name == "arctan2" and 0.0 in numbers:  # mpmath knows no signed zeros
        return None
    if (
        name in ("exp", "exp2", "expm1", "sinh", "cosh", "sigmoid", "softplus", "logistic_tail")
        and abs(numbers[0]) > 1e6
    ):
        return None
    with mpmath.workprec({**BITS, "mod": 4400, "floor_div": 4400}.get(name, 220)):
        try:
            value = (EXACT.get(name) or getattr(mpmath, name))(*map(mpmath.mpf, numbers))
        except (ValueError, ZeroDivisionError, OverflowError, mpmath.libmp.NoConvergence):
            return None
        return None if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value) else value


# errors


@dataclass
class Worst:
    """The largest error so far, and where it is. Values that are the rounded truth, bit for bit, count as 1/2."""

    ulp: float = 0.5
    at: tuple[float, ...] = ()
    points: int = 0

    def see(self, name: str, got: Array, true: Array, arrays: Sequence[Array]) -> None:
        """Measure the function's results where they are not the rounded truth."""
        self.points += got.size
        bits = f"i{got.itemsize}"
        with np.errstate(all="ignore"):
            rounded = true.astype(got.dtype)
        (odd,) = np.nonzero(got.view(bits) != rounded.view(bits))
        odd = odd[~(np.isnan(got[odd]) & np.isnan(rounded[odd]))]
        if not odd.size:
            return
        there = [a[odd] for a in arrays]
        error = error_in_ulp(got[odd], true[odd], floor_for(name, there))
        k = int(np.argmax(error))
        if error[k] > self.ulp:
            self.ulp, self.at = float(error[k]), tuple(float(a[k]) for a in there)


def error_in_ulp(got: Array, true: Array, floor: Array | None = None) -> Array:
    """|got - true| in units of the last place of true, per element; inf for a wrong NaN, infinity or sign of zero.

    An infinity that stands for a number counts as the power of two beyond the largest. floor: sizes below which an
    error is measured as if the true value were so large.
    """
    info = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        wide = true.astype(np.longdouble)
        size = np.abs(wide) if floor is None else np.maximum(np.abs(wide), floor)
        unit = np.ldexp(np.longdouble(1), np.maximum(np.frexp(size)[1] - 1, info.minexp) - info.nmant)
        value = np.where(np.isinf(got), np.copysign(np.longdouble(2) ** info.maxexp, got), got)
        error = np.abs(value - wide) / unit
        rounded = true.astype(got.dtype)
    error = np.where(np.isfinite(wide) & ~np.isnan(got), error, np.inf)
    error = np.where((got == 0) & (np.signbit(got) != np.signbit(wide)), np.inf, error)
    same = ~np.isfinite(rounded) & ((got == rounded) | (np.isnan(got) & np.isnan(rounded)))
    return np.where(same, 0.0, error).astype(np.float64)


def floor_for(name: str, arrays: Sequence[Array]) -> Array | None:
    """The sizes below which errors are absolute: that of the terms of the reflection formula, of which one is log Gamma
    or digamma of 1 - x."""
    if name not in ABSOLUTE_BELOW_ZERO:
        return None
    with np.errstate(all="ignore"):
        x = np.nan_to_num(np.maximum(1.0, -arrays[0].astype(np.float64)), nan=1.0, posinf=1.0)
        size = np.maximum(1.0, np.log(x) * (x if name == "gammaln" else 1.0))
    return np.where((arrays[0] < 0) & np.isfinite(size), size, 0.0)


# arguments


def every_float32(stride: int) -> Iterator[list[Array]]:
    """Every stride-th float32, in chunks."""
    steps = np.arange(CHUNK, dtype=np.uint32) * np.uint32(stride)  # modulo 2^32
    for start in range(0, 1 << 32, CHUNK * stride):
        count = min(CHUNK, -(-((1 << 32) - start) // stride))
        yield [(steps[:count] + np.uint32(start)).view(np.float32)]


RANGES = {
    "exp": (-750.0, 712.0),
    "exp2": (-1080.0, 1026.0),
    "expm1": (-40.0, 712.0),
    "sinh": (-25.0, 25.0),
    "cosh": (-25.0, 25.0),
    "tanh": (-20.0, 20.0),
    "sigmoid": (-750.0, 40.0),
    "softplus": (-750.0, 40.0),
    "log": (0.5, 2.0),
    "log2": (0.5, 2.0),
    "log10": (0.5, 2.0),
    "log1p": (-1.0, 2.0),
    "sqrt": (0.5, 2.0),
    "arcsin": (-1.0, 1.0),
    "arccos": (-1.0, 1.0),
    "arctanh": (-1.0, 1.0),
    "erfinv": (-1.0, 1.0),
    "arccosh": (1.0, 3.0),
    "gammaln": (-5.0, 12.0),
    "digamma": (-5.0, 12.0),
    "erf": (-6.5, 6.5),
    "erfc": (-6.5, 28.0),
    "erfcx": (-27.0, 30.0),
}
SPECIAL = (
    0.0,
    1.0,
    0.5,
    2.0,
    3.0,
    2.5,
    1.5,
    np.inf,
    np.nan,
    5e-324,
    1e-310,
    2.2250738585072014e-308,
    1.7976931348623157e308,
)
# next to multiples of pi/2, the first nearer than any other float64 (Muller 2006, Elementary Functions, 9.3)
HARD_ANGLES = (6381956970095103.0 * 2.0**797, 5319372648326541.0 * 2.0**651, 1e22, 2.0**1023, 1.6e6, 999999.9999999999)
# where a function changes its form, has a root, or ends
EDGES = (
    *HARD_ANGLES,
    *(0.2, 0.25, 0.3, 0.35, 0.4, 0.55, 0.6, 0.625, 0.75, 0.945, 0.995, 1.25, 1.4616321449683623, 7.5, 8.0, 30.0),
    *(
        0.5463024898437905,
        708.3964185322641,
        709.782712893384,
        745.1332191019412,
        710.4758600739439,
        19.06,
        6.0,
        26.54,
        27.23,
        1e18,
        2.0**60,
    ),
)


def hard_points(dtype: str) -> Array:
    """Special values, multiples of ln 2 and pi/2, edges, each with its neighbours and both signs."""
    steps = np.arange(1, 2000)
    with np.errstate(over="ignore"):
        centers = np.concatenate(
            [
                SPECIAL,
                EDGES,
                steps * (np.log(2) / 2),
                steps * (np.pi / 2),
                steps,
                steps / 32,
                2.0 ** np.arange(-1074, 1024),
            ]
        ).astype(dtype)
        near = np.concatenate([centers * (1 + k * np.finfo(dtype).eps) for k in range(-2, 3)]).astype(dtype)
    return np.concatenate([near, -near])


def sampled(name: str, dtype: str, count: int) -> Iterator[list[Array]]:
    """Points over all bit patterns, over the range where the function bends, around 1, and the hard ones."""
    rng = np.random.default_rng(len(name))
    low, high = RANGES.get(name, (-12.0, 12.0))
    pattern = f"u{np.dtype(dtype).itemsize}"

    def one(turn: int) -> Array:
        spread = rng.uniform(low, high, count // 3)
        sizes = 10.0 ** rng.uniform(-3, 3, count // 3) * rng.choice([-1.0, 1.0], count // 3)
        bits = rng.integers(0, np.iinfo(pattern).max, count // 3, pattern, endpoint=True).view(dtype)
        return np.concatenate([spread.astype(dtype), sizes.astype(dtype), bits, rng.permutation(hard_points(dtype))])

    arrays = [one(k) for k in range(2 if name in BINARY else 1)]
    if name == "pow":  # results in range, and whole exponents
        x, y = arrays
        third = x.size // 3
        x[:third] = np.abs(x[:third])
        with np.errstate(all="ignore"):
            y[: third // 2] = (rng.uniform(-745, 709, third // 2) / np.log(x[: third // 2])).astype(dtype)
            y[third : 2 * third] = np.rint(y[third : 2 * third])
    for start in range(0, arrays[0].size, CHUNK):
        yield [a[start : start + CHUNK] for a in arrays]


def arguments(name: str, dtype: str, stride: int, count: int) -> Iterator[list[Array]]:
    """What a function is tried on."""
    if dtype == "float32" and name not in BINARY:
        yield from every_float32(stride)
    if stride > 1 or name in BINARY or dtype == "float64":
        yield from sampled(name, dtype, count)


# measuring


def measured(
    name: str, dtype: str, runs: Mapping[str, Run], stride: int, count: int, truth: Truth | None = None
) -> dict[str, Worst]:
    """The largest error of each engine, on every stride-th float32 and on `count` points beside the hard ones."""
    worst = {engine: Worst() for engine in runs}
    single = dtype == "float32"
    truth = truth or (for_float32(name) if single else for_float64(name))
    for arrays in arguments(name, dtype, stride, count):
        with np.errstate(all="ignore"):
            true = truth(*(a.astype(np.float64 if single else np.longdouble) for a in arrays))
            for engine, run in runs.items():
                worst[engine].see(name, np.asarray(run(*arrays)), true, arrays)
    return worst
