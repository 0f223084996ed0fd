"""The emitted functions against mpmath (largest error in ulp) and against the NumPy meaning (special values, integers).

`python -m tests.test_vmath` prints the table of errors.
"""

from __future__ import annotations

import ctypes
import re
import sys
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest
from float_errors import exact

from symdl.backends.builder import BITS, LLVM_TYPE, Builder, Reg
from symdl.backends.primitives import PRIMITIVES, kind, meaning
from symdl.backends.vmath import EMIT
from symdl.backends.vmath.bounds import BOUND as BOUNDS

INTEGERS = tuple(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u"))
LANES = (0, 4, 8)

BOUND = {name: bound for name, bound in BOUNDS.items() if name in EMIT}  # the others are made of these

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


def module_text(rows: list[Row]) -> str:
    """A module with one function per row."""
    parts, declarations = [], set()
    for row in rows:
        b = Builder(row[3], fma=row[4])
        parts.append(loop_text(b, row))
        declarations |= b.declarations
    return "\n".join([*sorted(declarations), *parts])


def compiled(rows: list[Row]) -> Any:
    """An execution engine with one function per row."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(module_text(rows))
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


def points(name: str, dtype: str, count: int = 40) -> tuple[Any, ...]:
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


# the tests

CELLS = [(name, dtype) for name in BOUND for dtype in ("float32", "float64")]


@pytest.mark.parametrize(("name", "dtype"), CELLS)
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
def test_largest_error(name: str, dtype: str, fused: bool) -> None:
    error, where = measured(name, dtype, fused)
    assert error <= BOUND[name][dtype == "float64"], f"(operands, got, NumPy): {where}"


def same(left: Any, right: Any) -> bool:
    """Equal with the sign of zero; a NaN equals a NaN."""
    equal = np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
    return bool(equal and np.array_equal(np.signbit(left[left == 0]), np.signbit(right[right == 0])))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BOUND)
def test_every_number_of_lanes_gives_the_same_bits(name: str, dtype: str) -> None:
    operands = points(name, dtype, 20)
    scalar, four, eight = (run_float(name, dtype, lanes, True, *operands) for lanes in LANES)
    assert same(scalar, four)
    assert same(scalar, eight)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name in FLOAT_NAMES if name not in BOUND])
def test_exact_float_primitives_equal_numpy(name: str, dtype: str, fused: bool) -> None:
    grid = [*SPECIAL, *EXTREME, 0.49999999999999994, 2.0**23 + 1, 2.0**52 + 1, 2.0**52 - 0.5, 1e9 + 0.5, -0.7, 7.3]
    with np.errstate(over="ignore"):
        values = np.array(grid, dtype)
    operands = tuple(v.ravel().copy() for v in np.meshgrid(*[values] * min(PRIMITIVES[name].arity, 2)))
    if name == "where":
        operands = (operands[0] > operands[1], *operands)
    got = run_float(name, dtype, 8, fused, *operands)
    expected = meaning(name, *operands, dtype=result_dtype(name, dtype))
    if name in ("maximum", "minimum"):  # NumPy leaves open which zero is the larger
        got, expected = got + np.array(0, dtype), expected + np.array(0, dtype)
    assert same(got, expected)


# float64 next to multiples of pi/2, the first nearer than any other (Muller 2006, Elementary Functions, 9.3)
HARD_ANGLES = (6381956970095103.0 * 2.0**797, 5319372648326541.0 * 2.0**651, 1e22, 2.0**1023, 1.6e6, 999999.9999999999)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_huge_angles(name: str, fused: bool) -> None:
    multiples = np.rint(10.0 ** np.random.default_rng(3).uniform(0, 6, 60)) * (np.pi / 2)
    angles = np.array([*HARD_ANGLES, *multiples, *-multiples])
    error, where = error_in_ulp(name, "float64", (angles,), run_float(name, "float64", 8, fused, angles))
    assert error <= BOUND[name][1], where
    short = np.array([16367173.0 * 2.0**72, 3.4e38, 1e5, 100000.01, *multiples], "float32")
    error, where = error_in_ulp(name, "float32", (short,), run_float(name, "float32", 8, fused, short))
    assert error <= BOUND[name][0], where


@pytest.mark.parametrize("name", ["gammaln", "digamma"])
def test_reflection(name: str) -> None:
    """Negative arguments: relative error where the value is not small, absolute near the roots between the poles."""
    rng = np.random.default_rng(5)
    x = -np.concatenate([rng.uniform(0, 30, 150), 10.0 ** rng.uniform(-300, 0, 40), 10.0 ** rng.uniform(1, 15, 20)])
    got = run_float(name, "float64", 8, True, x)
    for at, value in zip(x.tolist(), got.tolist(), strict=True):
        true = exact(name, at)
        assert true is not None
        assert abs(value - true) <= 8 * 2.0**-53 * max(1, abs(true), abs(at) * abs(np.log(-at))), at


def edges(dtype: str) -> Any:
    """Small numbers, the ends of the range and what lies beside them."""
    info = np.iinfo(dtype)
    numbers = {
        info.min,
        info.min + 1,
        info.max,
        info.max - 1,
        info.max // 2,
        *range(-9, 10),
        15,
        16,
        31,
        32,
        63,
        64,
        100,
    }
    return np.array(sorted(n for n in numbers if info.min <= n <= info.max), dtype)


@cache
def discrete_engine() -> Any:
    rows: list[Row] = []
    for dtype in (*INTEGERS, "bool"):
        accepting = [n for n, row in PRIMITIVES.items() if kind(dtype) in row.accepts and n != "cast"]
        rows += [(n, dtype, result_dtype(n, dtype), lanes, True) for n in accepting for lanes in (0, 8)]
    return compiled(rows)


@pytest.mark.parametrize("lanes", [0, 8])
@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_integers_and_bools_equal_numpy(dtype: str, lanes: int) -> None:
    values = np.array([False, True]) if dtype == "bool" else edges(dtype)
    for name, row in PRIMITIVES.items():
        if kind(dtype) in row.accepts and name != "cast":
            operands = tuple(v.ravel().copy() for v in np.meshgrid(*[values] * min(row.arity, 2)))
            if name == "where":
                operands = (operands[0] > operands[1], *operands)
            target = result_dtype(name, dtype)
            got = apply(discrete_engine(), (name, dtype, target, lanes, True), *operands)
            expected = meaning(name, *operands, dtype=target)
            wrong = np.flatnonzero(got != expected)
            assert wrong.size == 0, (name, [o[wrong[:3]] for o in operands], got[wrong[:3]], expected[wrong[:3]])


DTYPES = (*INTEGERS, "bool", "float32", "float64")


@cache
def cast_engine() -> Any:
    return compiled([("cast", s, t, lanes, True) for s in DTYPES for t in DTYPES for lanes in (0, 8)])


@pytest.mark.parametrize("lanes", [0, 8])
@pytest.mark.parametrize("source", DTYPES)
def test_casts_equal_numpy(source: str, lanes: int) -> None:
    if source == "bool":
        values = np.array([False, True])
    elif kind(source) == "integer":
        values = edges(source)
    else:
        values = np.array(
            [0.0, -0.0, 0.3, -0.7, 1.5, 100.9, -100.9, 1e10, -3e18, 1e300 if source == "float64" else 1e38], source
        )
    for target in DTYPES:
        inside = values
        if kind(source) == "float" and kind(target) == "integer":  # outside of the range NumPy says nothing
            info = np.iinfo(target)
            inside = values[(np.trunc(values) >= info.min) & (values < float(info.max))]
        got = apply(cast_engine(), ("cast", source, target, lanes, True), inside)
        assert same(got, np.asarray(meaning("cast", inside, dtype=target))), target


@pytest.mark.parametrize("lanes", [0, 8])
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_casts_of_floats_saturate(source: str, lanes: int) -> None:
    """Integers hold what lies at their ends and no more, whatever digits the float has."""
    ends = np.array([2.0**n for n in (7, 8, 15, 16, 31, 32, 63, 64)], source)
    beside = [np.nextafter(ends, np.array(to, source)) for to in (-np.inf, np.inf)]
    halves = ends[:, None] + np.array([-1.5, -1.0, -0.5, 0.5, 1.0], source)  # rounded to the end where it is large
    sizes = np.concatenate([ends, *beside, halves.ravel(), np.array([0.0, 0.9, 300.0, 1e30, np.inf], source)])
    values = np.concatenate([sizes, -sizes, np.array([np.nan], source)])
    for target in INTEGERS:
        info = np.iinfo(target)
        expected = [0 if v != v else int(min(max(v, -(2.0**70)), 2.0**70)) for v in values.tolist()]
        got = apply(cast_engine(), ("cast", source, target, lanes, True), values)
        assert got.tolist() == [min(max(e, info.min), info.max) for e in expected], target


def assembly(rows: list[Row], triple: str, cpu: str) -> str:
    """The text of a module with one function per row, for any processor."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module = llvm.parse_assembly(module_text(rows))
    target = llvm.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=cpu, opt=1, reloc="pic", codemodel="small")
    module.triple, module.data_layout = triple, str(machine.target_data)
    text: str = machine.emit_assembly(module)
    return text


X86 = "x86_64-unknown-linux-gnu"


@pytest.mark.parametrize(
    ("triple", "cpu", "lanes", "fused"),
    [
        (X86, "x86-64", 4, False),
        (X86, "haswell", 4, True),
        (X86, "skylake-avx512", 8, True),
        ("aarch64-unknown-linux-gnu", "", 4, True),
    ],
)
def test_nothing_calls_a_library(triple: str, cpu: str, lanes: int, fused: bool) -> None:
    """Only the internal functions of the module are called: no libm, no compiler run-time."""
    dtypes = ("float32", "float64", "int8", "uint64")
    rows = [
        (name, dtype, result_dtype(name, dtype), lanes, fused)
        for name, row in PRIMITIVES.items()
        for dtype in dtypes
        if kind(dtype) in row.accepts and name != "cast"
    ]
    text = assembly(rows, triple, cpu)
    called = set(re.findall(r"^\t(?:callq|bl|jmp|b)\t([A-Za-z_]\w*)", text, re.MULTILINE))
    assert any(name.startswith("symdl_") for name in called)
    assert {name for name in called if not name.startswith("symdl_")} == set()


@pytest.mark.parametrize(
    ("cpu", "vector_bytes", "fused"), [("x86-64", 16, False), ("haswell", 32, True), ("skylake-avx512", 64, True)]
)
def test_no_function_works_lane_by_lane(cpu: str, vector_bytes: int, fused: bool) -> None:
    """Arithmetic on single numbers in the code of a vector function means that LLVM has no such vector instruction."""
    rows = [
        (name, dtype, dtype, 8 * vector_bytes // BITS[dtype], fused)
        for name in BOUND
        if name not in ("floor_div", "mod")  # long division, one lane after the other where a quotient is huge
        for dtype in ("float32", "float64")
    ]
    single = r"^\tv?(?:add|sub|mul|div|sqrt|round|cvt|max|min|ucomi|fn?m)\w*s[sd](?:2si)?\t.*"
    assert re.findall(single, assembly(rows, X86, cpu), re.MULTILINE) == []


def test_constants_are_exact() -> None:
    scalar, vector = Builder(), Builder(8)
    assert scalar.const(0.1, "float64").text == "0x3FB999999999999A"
    assert scalar.const(0.1, "float32").text == "0x3FB99999A0000000"
    assert scalar.const(1e300, "float32").text == scalar.const(np.inf, "float64").text == "0x7FF0000000000000"
    assert scalar.const(-0.0, "float32").text == "0x8000000000000000"
    assert scalar.const(255, "int8").text == "-1"
    assert scalar.const(2**64 - 1, "uint64").text == "-1"
    assert vector.const(True, "bool").text == "splat (i1 true)"
    with pytest.raises(TypeError, match="no dtype"):
        scalar.add(1, 2)


def main() -> None:
    """Print the largest error of every function."""
    print(f"{'':12}{'float32':>9}{'float64':>9}   without fused multiply-add, and the worst points")
    for name in sys.argv[1:] or BOUND:
        cells = [measured(name, dtype, fused) for fused in (True, False) for dtype in ("float32", "float64")]
        print(f"{name:12}" + "".join(f"{error:9.3g}" for error, _ in cells), *(where for _, where in cells[:2]))


if __name__ == "__main__":
    main()
