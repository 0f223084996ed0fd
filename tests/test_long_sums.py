"""Long sums of vectors: units that are spare compute the same numbers, bit for bit."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from symdl.backends.builder import Builder, Reg
from symdl.backends.cpu.assembler import Machine, together, translated
from symdl.backends.cpu.engine import Engine
from symdl.backends.vmath.forms import two_sum

LANES = 4
SPECIAL = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e308, -1e308, 5e-324, 1e-17, 3.5)


def text_of(terms: int, spare: bool) -> str:
    """A function f(ptr terms, ptr out): the sum, and what it has lost."""
    b = Builder(LANES, fma=True, spare=spare)
    b.label("entry")
    kind = b.type("float64")

    def place(base: str, k: int) -> str:
        name = f"%{b.fresh('at')}"
        b.line(f"{name} = getelementptr {kind}, ptr {base}, i64 {k}")
        return name

    total, *rest = [b.emit(f"load {kind}, ptr {place('%terms', k)}, align 8", "float64") for k in range(terms)]
    lost: Reg | None = None
    for x in rest:
        total, error = two_sum(b, total, x)
        lost = error if lost is None else b.add(lost, error)
    assert lost is not None
    for k, out in enumerate((total, lost)):
        b.line(f"store {kind} {out.text}, ptr {place('%out', k)}, align 8")
    body = "\n".join(b.lines)
    return "\n".join([*sorted(b.declarations), f"define void @f(ptr %terms, ptr %out) {{\n{body}\n  ret void\n}}\n"])


def loaded(text: str) -> Engine:
    machine = Machine()
    head = f'target triple = "{machine.triple}"\ntarget datalayout = "{machine.layout}"\n'
    return Engine(together([translated(head + text, machine)]), machine)


def bits(engine: Engine, terms: Any) -> Any:
    out = np.zeros((2, LANES))
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(engine.address("f"))(terms.ctypes.data, out.ctypes.data)
    return np.where(np.isnan(out), np.nan, out).view(np.int64)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_spare_units_compute_the_same(count: int) -> None:
    plain, spare = text_of(count, False), text_of(count, True)
    assert "fma" not in plain
    assert ("fma" in spare) == (count > 4)  # a short one gains nothing
    engines = loaded(plain), loaded(spare)
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((count, LANES)) * 2.0 ** rng.integers(-60, 60, (count, LANES)) for _ in range(20)]
    for group in (SPECIAL[k : k + LANES] for k in range(0, len(SPECIAL), LANES)):
        rows += [np.array([np.roll(group, k * j) for j in range(count)]) for k in range(LANES)]
    for terms in rows:
        np.testing.assert_array_equal(*(bits(engine, terms) for engine in engines))


def test_a_sum_beside_a_product_stays_as_it_is() -> None:
    b = Builder(LANES, fma=True, spare=True)
    x = b.mul(Reg("%x", "float64"), Reg("%y", "float64"))
    for _ in range(9):
        x, _ = two_sum(b, x, Reg("%y", "float64"))
    assert not any("fma" in line for line in b.lines)
