"""What is installed and whether it works: versions, processor, extras, and a small function compiled and run."""

from __future__ import annotations

import importlib
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

import numpy as np

import symdl.tensor as T
from symdl import extras
from symdl.config import OPTIONS, config
from symdl.derivatives.gradient import grad
from symdl.errors import CudaUnavailableError, SymdlError
from symdl.functions import function
from symdl.pipeline.cache import Cache
from symdl.runtime.devices import gpu_backend

CORE = ("numpy", "scipy", "sympy", "llvmlite")
FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512bf16", "neon", "asimd", "sve")  # that code is made for


@dataclass(frozen=True)
class Finding:
    """One line of the report. fine is False only for what symdl cannot work without, or what is there but broken."""

    subject: str
    value: str
    fine: bool = True
    remedy: str = ""


def examine() -> list[Finding]:
    """All findings, in the order of the report."""
    return [
        Finding("symdl", extras.own_version()),
        Finding("python", f"{platform.python_version()} ({sys.implementation.name}, {platform.machine()})"),
        *(_guarded(name, lambda name=name: _core(name)) for name in CORE),  # type: ignore[misc]  # a lambda's defaults have no types
        _guarded("llvm", _llvm),
        _guarded("processor", _processor),
        *(_guarded(package, lambda package=package: _extra(package)) for package in extras.EXTRAS),  # type: ignore[misc]  # likewise
        _guarded("GPU", _gpu),
        _guarded("cache", _cache),
        *(Finding(f"config.{name}", str(getattr(config, name))) for name in OPTIONS),
        _guarded("self-check", _self_check),
    ]


def report(findings: list[Finding]) -> str:
    """The findings as aligned text; what is wrong is marked with its remedy below."""
    wide = max(len(f.subject) for f in findings)
    lines: list[str] = []
    for f in findings:
        lines.append(f"{'  ' if f.fine else '! '}{f.subject:<{wide}}  {f.value}")
        lines += [f"  {'':<{wide}}  {line}" for line in f.remedy.splitlines()]
    broken = sum(not f.fine for f in findings)
    return "\n".join([*lines, f"{broken} of {len(findings)} are wrong" if broken else "all is well"])


def _guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    """A doctor must not die of what it finds: any failure is a finding."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001  # that is the point
        return Finding(subject, f"{type(error).__name__}: {error}".splitlines()[0], fine=False)


def _core(name: str) -> Finding:
    importlib.import_module(name)
    return Finding(name, metadata.version(name))


def _extra(package: str) -> Finding:
    distribution, extra = extras.EXTRAS[
        package
    ]  # of a GPU's packages, some import only where there is a driver: see _gpu
    if not extras.installed(package):
        return Finding(distribution, "not installed (optional)", remedy=f'pip install "symdl[{extra}]"')
    importlib.import_module(package)
    return Finding(distribution, extras.version(package))


def _gpu() -> Finding:
    """The NVIDIA GPU that device="cuda" would use, and whether it computes; else what is missing."""
    try:
        machine = gpu_backend("cuda")
    except CudaUnavailableError as error:
        answers = [f"{package}: {answer}" for package, answer, _ in error.parts]
        return Finding("GPU", "; ".join([error.head.partition(": ")[2], *answers]), remedy=error.remedy)
    x = T.vector("x", dtype="float32")
    given = np.linspace(-1, 1, 1000, dtype=np.float32)
    with config.change(cache_dir=""):
        found = function([x], T.exp(x), device="cuda")(given)
    off = float(np.abs(found / np.exp(given.astype(float)) - 1).max())
    if not off < 1e-6:
        raise SymdlError(f"exp(x) on the GPU differs from NumPy by {off:g}")
    return Finding("GPU", f"{machine.described()}, right to {off:.0e}")


def _llvm() -> Finding:
    binding = importlib.import_module("llvmlite.binding")
    return Finding("llvm", ".".join(map(str, binding.llvm_version_info)))


def _processor() -> Finding:
    binding = importlib.import_module("llvmlite.binding")
    has = binding.get_host_cpu_features()
    return Finding("processor", f"{binding.get_host_cpu_name()}: {' '.join(f for f in FEATURES if has.get(f))}")


def _cache() -> Finding:
    if not config.cache_dir:
        return Finding("cache", "switched off")
    kept = Cache(config.cache_dir, config.cache_size)
    if trouble := kept.trouble():
        return Finding("cache", f"not used: {trouble}", fine=False, remedy="SYMDL_CACHE_DIR names another folder.")
    entries = kept.entries()
    return Finding("cache", f"{len(entries)} entries, {sum(e.size for e in entries)} bytes")


def _self_check() -> Finding:
    """Compile sum(tanh(x @ w)) with its gradient, and compare with NumPy."""
    x, w = T.matrix("x", dtype="float64"), T.matrix("w", dtype="float64")
    cost = T.tanh(x @ w).sum()
    started = time.perf_counter()
    with config.change(cache_dir=""):  # the compiler is to be examined
        compiled = function([x, w], [cost, *grad(cost, [w])], name="self_check")
    seconds = time.perf_counter() - started
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((5, 4)), rng.standard_normal((4, 3))
    value, slope = compiled(a, b)
    y = np.tanh(a @ b)
    error = max(abs(value - y.sum()), np.abs(slope - a.T @ (1 - y * y)).max())
    if not error < 1e-12:
        raise SymdlError(f"sum(tanh(x @ w)) and its gradient differ from NumPy by {error:g}")
    return Finding("self-check", f"compiled in {seconds * 1000:.0f} ms, right to {error:.0e}")
