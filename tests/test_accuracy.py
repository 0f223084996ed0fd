"""The functions keep within symdl.backends.vmath.bounds, as machine code of every kind that runs here, and say so."""

from __future__ import annotations

import faulthandler
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from float_errors import BINARY, WIDE, every_float32, for_float32, measured

import symdl
import symdl.tensor as T
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.vmath.bounds import BOUND, sentence
from symdl.pipeline.compilation import compiled

PUBLIC = [name for name in BOUND if name not in ("floor_div", "mod", "logistic_tail")]
FLOATS = ("float32", "float64")


@cache
def machines() -> dict[str, CpuBackend]:
    """This processor, and the lesser ones of its family that it can stand in for."""
    found = {"native": CpuBackend()}
    if found["native"].machine.triple.startswith("x86_64"):
        has = llvm.get_host_cpu_features()
        found["x86-64"] = CpuBackend("x86-64", "")
        if has.get("avx512f") and has.get("fma"):
            found["haswell"] = CpuBackend("haswell", "+avx2,+fma")
    return found


def run_on(name: str, dtype: str, backend: CpuBackend) -> Any:
    """The function as machine code."""
    operands = [T.vector("x", dtype=dtype), T.vector("y", dtype=dtype)][: 2 if name in BINARY else 1]
    executable = compiled(symdl.function(operands, getattr(T, name)(*operands)).lowered, backend)

    def run(*arrays: Any) -> Any:
        status, outputs = executable.execute(executable.bind(arrays))
        assert status == 0
        return outputs[0]

    return run


@pytest.mark.skipif(not WIDE, reason="no library of 80-bit functions here")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", PUBLIC)
def test_errors_stay_within_their_bounds(name: str, dtype: str) -> None:
    runs = {machine: run_on(name, dtype, backend) for machine, backend in machines().items()}
    for machine, worst in measured(name, dtype, runs, stride=100003, count=9_000).items():
        assert worst.ulp <= BOUND[name][dtype == "float64"], (machine, worst)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in BINARY])
def test_every_float32(name: str) -> None:
    faulthandler.dump_traceback_later(3600, exit=True)  # SciPy's functions take longer than a test may (pyproject.toml)
    run = run_on(name, "float32", machines()["native"])
    worst = measured(name, "float32", {"native": run}, stride=1, count=0)["native"]
    assert worst.points == 1 << 32
    assert worst.ulp <= BOUND[name][0], worst


@pytest.mark.parametrize(
    ("wrong", "least"),
    [
        (lambda y: np.where(y == y[5], y + 3 * np.spacing(y), y), 2.4),
        (lambda y: np.where(y == 0, -y, y), np.inf),
        (lambda y: np.where(y == np.nanmax(y), np.float32(np.inf), y), 100.0),
        (lambda y: np.where(np.isnan(y), np.float32(0), y), np.inf),
    ],
    ids=["3 ulp", "the other zero", "an infinity", "a number for NaN"],
)
def test_a_wrong_value_is_seen(wrong: Any, least: float) -> None:
    def right(x: Any) -> Any:
        return for_float32("arctan")(x.astype(np.float64)).astype(np.float32)

    runs = {"right": right, "wrong": lambda x: wrong(right(x))}
    worst = measured("arctan", "float32", runs, stride=900001, count=300)
    assert worst["right"].ulp == 0.5
    assert worst["wrong"].ulp >= least


def test_every_float32_means_every_one() -> None:
    for stride in (1 << 20, 900001):
        patterns = np.concatenate([x.view(np.uint32) for (x,) in every_float32(stride)])
        assert np.array_equal(patterns, np.arange(0, 1 << 32, stride, dtype=np.uint64))


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_name_the_bounds(name: str) -> None:
    assert sentence(name) in " ".join(getattr(T, name).__doc__.split())
