"""The emitted functions against mpmath (largest error in ulp) and against the NumPy meaning (special values, integers).

`python -m tests.test_vmath` prints the table of errors.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest
import scipy.special

from symdl.backends.builder import BITS, FLOATS, LLVM_TYPE, Builder, Reg
from symdl.backends.primitives import PRIMITIVES, kind, meaning
from symdl.backends.vmath import EMIT

INTEGERS = tuple(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u"))
LANES = (0, 4, 8)

# largest error in ulp that is allowed, (float32, float64), on the points below; 0.5 is correct rounding
BOUND: dict[str, tuple[float, float]] = {
    "exp": (1.1, 1.4),
    "expm1": (1.5, 1.5),
    "exp2": (1.1, 1.5),
    "log": (1.0, 1.0),
    "log1p": (1.5, 1.5),
    "log2": (0.51, 1.0),
    "log10": (0.51, 1.0),
    "sqrt": (0.5, 0.5),
    "sin": (1.6, 1.0),
    "cos": (1.6, 1.0),
    "tan": (3.0, 2.0),
    "arcsin": (1.5, 1.5),
    "arccos": (1.5, 1.5),
    "arctan": (1.6, 1.6),
    "sinh": (2.0, 2.0),
    "cosh": (1.8, 1.8),
    "tanh": (2.2, 2.2),
    "arcsinh": (0.51, 2.5),
    "arccosh": (0.51, 3.0),
    "arctanh": (0.51, 2.5),
    "erf": (1.4, 1.2),
    "erfc": (0.51, 4.0),
    "erfcx": (0.51, 4.0),
    "erfinv": (0.51, 4.0),
    "gammaln": (0.51, 3.0),
    "digamma": (0.51, 4.0),
    "arctan2": (2.0, 2.0),
    "pow": (0.51, 1.0),
    "floor_div": (0.5, 0.5),
    "mod": (0.5, 0.5),
}

# per function: (low, high) of the points that are spread evenly, and whether the sign of the others is free
DOMAIN: dict[str, tuple[float, float, bool]] = {
    "log": (0.5, 2.0, False),
    "log2": (0.5, 2.0, False),
    "log10": (0.5, 2.0, False),
    "sqrt": (0.5, 2.0, False),
    "log1p": (-0.999, 2.0, True),
    "arcsin": (-1.0, 1.0, True),
    "arccos": (-1.0, 1.0, True),
    "arctanh": (-1.0, 1.0, True),
    "erfinv": (-1.0, 1.0, True),
    "arccosh": (1.0, 3.0, False),
    "gammaln": (0.0, 12.0, False),
    "digamma": (0.0, 12.0, False),
    "exp": (-760.0, 715.0, True),
    "exp2": (-1080.0, 1025.0, True),
    "expm1": (-2.0, 2.0, True),
    "sinh": (-25.0, 25.0, True),
    "cosh": (-25.0, 25.0, True),
    "tanh": (-20.0, 20.0, True),
    "erf": (-6.5, 6.5, True),
    "erfc": (-6.5, 28.0, True),
    "erfcx": (-27.0, 30.0, True),
}

SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, 1.5, -1.5, np.inf, -np.inf, np.nan)
EXTREME = (5e-324, -5e-324, 1e-310, -1e-310, 1e-45, 1e-40, -1e-40, 1e-30, 1e30, -1e30, 3e38, 1e300, -1e300, 1.7e308)

REFERENCE: dict[str, Callable[..., Any]] = {
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
}


def _erfcx(x: mpmath.mpf) -> mpmath.mpf:
    if x > 30:  # asymptotic series
        total, term = mpmath.mpf(0), mpmath.mpf(1)
        for k in range(30):
            total, term = total + term, -term * (2 * k + 1) / (2 * x * x)
        return total / (x * mpmath.sqrt(mpmath.pi))
    if x < -30:  # beyond every float
        return mpmath.inf
    with mpmath.workprec(200 + int(4 * x * x)):
        return mpmath.exp(x * x) * mpmath.erfc(x)


REFERENCE["erfcx"] = _erfcx


# compiling


Row = tuple[str, str, str, int, bool]  # primitive, operand dtype, result dtype, lanes, fused


def symbol(row: Row) -> str:
    name, source, target, lanes, fused = row
    return f"test_{name}_{source}_{target}_{lanes}_{int(fused)}"


def result_dtype(name: str, dtype: str) -> str:
    return "bool" if PRIMITIVES[name].result == "bool" else dtype


def operand_dtypes(name: str, dtype: str) -> tuple[str, ...]:
    return ("bool", dtype, dtype) if name == "where" else (dtype,) * PRIMITIVES[name].arity


def loop_text(b: Builder, row: Row) -> str:
    """A function over arrays whose length is a multiple of the lanes: (out, operands.., n)."""
    name, source, target, _, _ = row
    dtypes = operand_dtypes(name, source)
    step = b.lanes or 1
    b.line("br label %loop")
    b.label("loop")
    b.line("%i = phi i64 [ 0, %start ], [ %next, %loop ]")
    values = []
    for k, dtype in enumerate(dtypes):
        memory = "i8" if dtype == "bool" else LLVM_TYPE[dtype]
        b.line(f"%p{k} = getelementptr {memory}, ptr %a{k}, i64 %i")
        if dtype == "bool":
            b.line(f"%b{k} = load {b.type('int8')}, ptr %p{k}, align 1")
            values.append(b.compare("ne", Reg(f"%b{k}", "int8"), 0))
        else:
            b.line(f"%r{k} = load {b.type(dtype)}, ptr %p{k}, align {BITS[dtype] // 8}")
            values.append(Reg(f"%r{k}", dtype))
    result = EMIT[name](b, *values, dtype=target)
    stored = b.convert("zext", result, "int8") if result.dtype == "bool" else result
    b.line(f"%to = getelementptr {LLVM_TYPE[stored.dtype]}, ptr %out, i64 %i")
    b.line(f"store {b.type(stored.dtype)} {stored.text}, ptr %to, align {BITS[stored.dtype] // 8}")
    b.line(f"%next = add i64 %i, {step}")
    b.line("%more = icmp ult i64 %next, %n")
    b.line("br i1 %more, label %loop, label %end")
    parameters = ", ".join(f"ptr %a{k}" for k in range(len(dtypes)))
    body = "\n".join(b.lines)
    return f"define void @{symbol(row)}(ptr %out, {parameters}, i64 %n) {{\nstart:\n{body}\nend:\n  ret void\n}}\n"


def compiled(rows: list[Row]) -> Any:
    """An execution engine with one function per row."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    parts, declarations = [], set()
    for row in rows:
        name, source, target, lanes, fused = row
        b = Builder(lanes, fma=fused)
        parts.append(loop_text(b, row))
        declarations |= b.declarations
    module = llvm.parse_assembly("\n".join([*sorted(declarations), *parts]))
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=1
    )
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def apply(engine: Any, row: Row, *arrays: Any) -> Any:
    """Run a row on arrays of one length."""
    _, _, target, lanes, _ = row
    step = lanes or 1
    size = arrays[0].size
    padded = -(-size // step) * step
    full = [np.concatenate([a, np.repeat(a[-1:], padded - size)]) for a in arrays]
    out = np.empty(padded, target)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (1 + len(full)), ctypes.c_int64)(
        engine.get_function_address(symbol(row))
    )
    run(out.ctypes.data, *(a.ctypes.data for a in full), padded)
    return out[:size]


FLOAT_NAMES = tuple(name for name, row in PRIMITIVES.items() if "float" in row.accepts and name not in ("cast",))


@cache
def float_engine(dtype: str, fused: bool) -> Any:
    lanes = LANES if fused else (0, 8)
    return compiled([(n, dtype, result_dtype(n, dtype), k, fused) for n in FLOAT_NAMES for k in lanes])


def run_float(name: str, dtype: str, lanes: int, fused: bool, *arrays: Any) -> Any:
    return apply(float_engine(dtype, fused), (name, dtype, result_dtype(name, dtype), lanes, fused), *arrays)


# measuring


def points(name: str, dtype: str, count: int = 160) -> tuple[Any, ...]:
    """Operands: evenly spread, of all magnitudes, near integers and multiples of pi/2, and extreme."""
    rng = np.random.default_rng(len(name) * 7 + 1)
    low, high, signed = DOMAIN.get(name, (-10.0, 10.0, True))
    top = 38.0 if dtype == "float32" else 308.0

    def one() -> Any:
        sizes = 10.0 ** np.concatenate([rng.uniform(-3, 3, count), rng.uniform(-top, top, count // 2)])
        if signed:
            sizes *= rng.choice([-1.0, 1.0], sizes.size)
        spread = rng.uniform(low, high, 2 * count)
        near = np.concatenate([np.arange(1, 12), np.arange(1, 12) * (np.pi / 2), [0.4, 0.945, 0.995, 1.46163214496836]])
        near = np.concatenate([near, near * (1 + 1e-7), near - 1e-10])
        if signed:
            near = np.concatenate([near, -near])
        return np.concatenate([spread, sizes, near, SPECIAL, EXTREME])

    with np.errstate(over="ignore"):
        arrays = tuple(one().astype(dtype) for _ in range(PRIMITIVES[name].arity))
    if name == "pow":
        x, y = arrays
        y[: 2 * count] *= 30
        return np.where(np.arange(x.size) % 5 == 0, x, np.abs(x)), np.where(np.arange(x.size) % 5 == 0, np.rint(y), y)
    if len(arrays) == 2:  # all pairs of special values too
        pairs = np.array([(p, q) for p in SPECIAL for q in SPECIAL], dtype)
        return np.concatenate([arrays[0], pairs[:, 0]]), np.concatenate([arrays[1], pairs[:, 1]])
    return arrays


def exact(name: str, *numbers: float) -> mpmath.mpf | None:
    """The true value at finite operands inside the domain, else None."""
    if not all(np.isfinite(numbers)):
        return None
    if name == "arctan2" and 0.0 in numbers:  # mpmath knows no signed zeros
        return None
    with mpmath.workprec({"sin": 1200, "cos": 1200, "tan": 1200, "mod": 4400, "floor_div": 4400}.get(name, 220)):
        try:
            value = (REFERENCE.get(name) or getattr(mpmath, name))(*map(mpmath.mpf, numbers))
        except (ValueError, ZeroDivisionError, OverflowError, mpmath.libmp.NoConvergence):
            return None
        return None if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value) else value


def error_in_ulp(name: str, dtype: str, operands: tuple[Any, ...], results: Any) -> tuple[float, Any]:
    """The largest error and where it is; results at points without a true finite value are compared with NumPy."""
    worst, where = 0.0, None
    expected = meaning(name, *operands, dtype=dtype)
    largest = float(np.finfo(dtype).max)
    for k, got in enumerate(results):
        numbers = [float(a[k]) for a in operands]
        true = exact(name, *numbers)
        if name == "erfinv" and numbers[0] == 0:  # erfinv(-0.0): SciPy drops the sign, we keep it
            true = None
            expected[k] = numbers[0]
        if true is None or abs(true) > largest or (true == 0):
            same = bool(got == expected[k] or (np.isnan(got) and np.isnan(expected[k])))
            same = same and (np.isnan(got) or got != 0 or np.signbit(got) == np.signbit(expected[k]))
            error = 0.0 if same else 1e30
        elif not np.isfinite(got):
            error = 1e30
        else:
            unit = max(
                float(np.spacing(np.abs(np.array(float(true), dtype)))), float(np.finfo(dtype).smallest_subnormal)
            )
            error = float(abs(mpmath.mpf(float(got)) - true) / unit)
        if error > worst:
            worst, where = error, (numbers, float(got), float(expected[k]))
    return worst, where


@cache
def measured(name: str, dtype: str, fused: bool) -> tuple[float, Any]:
    operands = points(name, dtype)
    return error_in_ulp(name, dtype, operands, run_float(name, dtype, 8, fused, *operands))


def main() -> None:
    """Print the largest error of every function."""
    print(f"{'':12}{'float32':>9}{'float64':>9}   without fused multiply-add, and the worst points")
    for name in sys.argv[1:] or BOUND:
        cells = [measured(name, dtype, fused) for fused in (True, False) for dtype in ("float32", "float64")]
        print(f"{name:12}" + "".join(f"{error:9.3g}" for error, _ in cells), *(where for _, where in cells[:2]))


if __name__ == "__main__":
    main()
