"""Number forms in tests: their emitted primitives compiled on arrays, and how far a result lies from the exact one."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np

from symdl import form_arithmetic
from symdl.backends.builder import BITS, Builder, Reg
from symdl.backends.primitives import PRIMITIVES
from symdl.backends.wide import numbers
from symdl.backends.wide.primitives import EMIT
from symdl.number_forms import LIMBS, WIDE, array_dtype

Row = tuple[str, str, str, int, bool]  # primitive, operands' dtype, result's dtype, lanes, fused
REGISTER = 8  # lanes of a register with AVX-512: of such vectors the text is that for these processors
HAS_REGISTERS = bool(llvm.get_host_cpu_features().get("avx512f"))


def operand_dtypes(name: str, dtype: str) -> tuple[str, ...]:
    return ("bool", dtype, dtype) if name == "where" else (dtype,) * PRIMITIVES[name].arity


def columns(dtype: str) -> tuple[str, ...]:
    return LIMBS.get(dtype, (dtype,))


def symbol(row: Row) -> str:
    return "_".join(map(str, row)).replace("True", "fused").replace("False", "split")


def function_text(row: Row) -> tuple[str, set[str]]:
    """A function over columns, one pointer a limb, whose length is a multiple of the lanes."""
    name, source, target, lanes, fused = row
    b = Builder(lanes, fma=fused, permutes=lanes == REGISTER)
    b.line("br label %loop")
    b.label("loop")
    b.line("%i = phi i64 [ 0, %start ], [ %next, %again ]")
    values, parameters = [], []
    for k, dtype in enumerate(operand_dtypes(name, source)):
        limbs = []
        for limb in columns(dtype):
            kind = "float64" if dtype in WIDE else "int8" if dtype == "bool" else dtype
            p = f"%a{k}{limb}"
            parameters.append(f"ptr {p}")
            at = b.emit(f"getelementptr {Builder().type(kind)}, ptr {p}, i64 %i", "int64")
            limbs.append(b.emit(f"load {b.type(kind)}, ptr {at.text}, align {BITS[kind] // 8}", kind))
        value = numbers.join(b, dtype, *limbs) if dtype in WIDE else limbs[0]
        values.append(b.compare("ne", value, 0) if dtype == "bool" else value)
    result = EMIT[name](b, *values, dtype=target)
    results = numbers.split(b, result) if target in WIDE else (result,)
    outputs = []
    for k, found in enumerate(results):
        found = b.convert("zext", found, "int8") if found.dtype == "bool" else found
        at = b.emit(f"getelementptr {Builder().type(found.dtype)}, ptr %out{k}, i64 %i", "int64")
        b.line(f"store {b.type(found.dtype)} {found.text}, ptr {at.text}, align {BITS[found.dtype] // 8}")
        outputs.append(f"ptr %out{k}")
    b.line("br label %again")
    b.label("again")
    b.line(f"%next = add i64 %i, {lanes or 1}")
    b.line("%more = icmp ult i64 %next, %n")
    b.line("br i1 %more, label %loop, label %end")
    body = "\n".join(b.lines)
    signature = ", ".join([*outputs, *parameters, "i64 %n"])
    return f"define void @{symbol(row)}({signature}) {{\nstart:\n{body}\nend:\n  ret void\n}}\n", b.declarations


def compiled(rows: Sequence[Row]) -> Any:
    """An execution engine with one function per row."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    declarations: set[str] = set()
    parts = []
    for row in rows:
        text, needs = function_text(row)
        parts.append(text)
        declarations |= needs
    module = llvm.parse_assembly("\n".join([*sorted(declarations), *parts]))
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=1
    )
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


def run(engine: Any, row: Row, *arrays: Any) -> Any:
    """The row's function on arrays of one length (records for number forms)."""
    name, source, target, lanes, _ = row
    size = arrays[0].size
    padded = -(-size // (lanes or 1)) * (lanes or 1)
    given = []
    for array, dtype in zip(arrays, operand_dtypes(name, source), strict=True):
        whole = np.concatenate([array, np.repeat(array[-1:], padded - size)])
        given += [np.ascontiguousarray(whole[limb]) for limb in LIMBS[dtype]] if dtype in WIDE else [whole]
    kinds = [np.float64] * len(LIMBS[target]) if target in WIDE else [np.dtype(target)]
    outputs = [np.empty(padded, kind) for kind in kinds]
    pointers = [a.ctypes.data for a in (*outputs, *given)]
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(pointers), ctypes.c_int64)
    signature(engine.get_function_address(symbol(row)))(*pointers, padded)
    if target not in WIDE:
        return outputs[0][:size]
    out = np.empty(size, array_dtype(target))
    for limb, column in zip(LIMBS[target], outputs, strict=True):
        out[limb] = column[:size]
    return out


def error(got: Any, expected: Any, dtype: str, unit: float = 0.0) -> float:
    """log2 of the largest |got - expected|/max(|expected|, unit) of two arrays of a float dtype; inf where zeros,
    infinities or NaN differ."""
    worst = mpmath.mpf(0)
    for g, e in zip(form_arithmetic.elements(got, dtype), form_arithmetic.elements(expected, dtype), strict=True):
        worst = max(worst, _distance(g, e, dtype, unit))
    return float(mpmath.log(worst, 2)) if worst else -mpmath.inf


def _distance(got: Any, expected: Any, dtype: str, unit: float) -> Any:
    if not mpmath.isfinite(expected) or not mpmath.isfinite(got):
        same = got == expected or (got != got and expected != expected)
        edge = dtype == "float64x2" and abs(expected) > mpmath.mpf(2) ** 1020
        return mpmath.mpf(0) if same or edge else mpmath.inf
    if expected == 0:
        same = type(got) is float and np.signbit(got) == np.signbit(float(expected))
        return mpmath.mpf(0) if same else mpmath.mpf(abs(got) / unit) if unit else mpmath.inf
    with mpmath.workprec(3000):
        apart = abs(mpmath.mpf(got) - expected)
    if dtype == "float64x2":  # no room for more
        apart = max(mpmath.mpf(0), apart - mpmath.mpf(2) ** -1068)
    return mpmath.mpf(apart / max(abs(expected), unit))


__all__ = ["Reg", "Row", "compiled", "error", "operand_dtypes", "run"]
