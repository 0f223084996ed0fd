"""Elementwise functions by name in symdl, NumPy (with SciPy), torch, JAX and PyTensor, and their nanoseconds per element.

One thread, arrays of 131072 elements that every engine gets from the same pool; the engines run in turn, and the best
of their rounds counts. Peers that are not installed, or lack a function, are left out.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = Any
Run = Callable[..., Array]
COUNT = 1 << 17

# per function: its names in scipy.special, torch and jax where these differ from ours; None: the engine has none
PEER_NAMES: dict[str, tuple[str | None, str | None]] = {
    "pow": ("pow", "jax.numpy.power"),
    "sigmoid": ("sigmoid", "jax.nn.sigmoid"),
    "softplus": (None, "jax.nn.softplus"),
    "arcsin": ("arcsin", "jax.numpy.arcsin"),
    "erf": ("special.erf", "jax.scipy.special.erf"),
    "erfc": ("special.erfc", "jax.scipy.special.erfc"),
    "erfcx": ("special.erfcx", None),
    "erfinv": ("special.erfinv", "jax.scipy.special.erfinv"),
    "gammaln": ("special.gammaln", "jax.scipy.special.gammaln"),
    "digamma": ("special.digamma", "jax.scipy.special.digamma"),
}
SCIPY = {"sigmoid": "expit", **{name: name for name in ("erf", "erfc", "erfcx", "erfinv", "gammaln", "digamma")}}


def operands(function: str, dtype: str, count: int = COUNT) -> list[Array]:
    """Ordinary arguments: where programs call the function, without its slow paths."""
    rng = np.random.default_rng(0)
    low, high = {
        "log": (0.1, 10.0),
        "log2": (0.1, 10.0),
        "log10": (0.1, 10.0),
        "log1p": (-0.9, 10.0),
        "sqrt": (0.0, 10.0),
        "arcsin": (-1.0, 1.0),
        "arccos": (-1.0, 1.0),
        "arctanh": (-1.0, 1.0),
        "erfinv": (-1.0, 1.0),
        "arccosh": (1.0, 10.0),
        "gammaln": (0.1, 20.0),
        "digamma": (0.1, 20.0),
        "pow": (0.1, 10.0),
    }.get(function, (-4.0, 4.0))
    first = rng.uniform(low, high, count).astype(dtype)
    if function in ("pow", "arctan2"):
        return [first, rng.uniform(-4.0, 4.0, count).astype(dtype)]
    return [first]


def symdl_engine(function: str, dtype: str) -> Run | None:
    import symdl
    import symdl.tensor as T

    x, y = T.vector("x", dtype=dtype), T.vector("y", dtype=dtype)
    both = [x, y] if function in ("pow", "arctan2") else [x]
    return symdl.function(both, getattr(T, function)(*both))


def numpy_engine(function: str, dtype: str) -> Run | None:
    if function == "softplus":
        return lambda x: np.logaddexp(x, np.asarray(0, dtype))
    found = getattr(np, function if function != "pow" else "power", None)
    if found is None or function in SCIPY:
        from scipy import special

        found = getattr(special, SCIPY[function])
    return found


def torch_engine(function: str, dtype: str) -> Run | None:
    import torch

    name = PEER_NAMES.get(function, (function, None))[0]
    torch.set_num_threads(1)
    if name is None:
        return lambda x: torch.nn.functional.softplus(torch.from_numpy(x)).numpy()
    found: Any = torch
    for part in name.split("."):
        found = getattr(found, part, None)
    return None if found is None else lambda *arrays: found(*map(torch.from_numpy, arrays)).numpy()


def jax_engine(function: str, dtype: str) -> Run | None:
    import jax

    jax.config.update("jax_enable_x64", True)
    path = PEER_NAMES.get(function, (None, f"jax.numpy.{function}"))[1]
    if path is None:
        return None
    module, _, name = path.rpartition(".")
    return jax.jit(getattr(importlib.import_module(module), name))


def pytensor_engine(function: str, dtype: str) -> Run | None:
    import pytensor
    import pytensor.tensor as pt

    found = getattr(pt, function, None)
    both = [pt.vector(dtype=dtype) for _ in range(2 if function in ("pow", "arctan2") else 1)]
    return None if found is None else pytensor.function(both, found(*both), trust_input=True)  # type: ignore[no-any-return]  # no types


ENGINES: dict[str, Callable[[str, str], Run | None]] = {"symdl": symdl_engine, "numpy": numpy_engine}
ENGINES |= {"torch": torch_engine} if importlib.util.find_spec("torch") else {}
ENGINES |= {"jax": jax_engine} if importlib.util.find_spec("jax") else {}
ENGINES |= {"pytensor": pytensor_engine} if importlib.util.find_spec("pytensor") else {}


def one_thread() -> None:
    """Keep this process, and the pools that libraries start in it, on one core."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def given(engine: str, arrays: Sequence[Array]) -> list[Array]:
    """The operands as an engine takes them; JAX would copy an array of NumPy at every call."""
    if engine != "jax":
        return list(arrays)
    import jax

    return [jax.numpy.asarray(a) for a in arrays]


def finished(engine: str, result: Array) -> Array:
    """JAX hands out promises."""
    return result.block_until_ready() if engine == "jax" else result


def nanoseconds(
    function: str, dtype: str, rounds: int = 40, engines: Sequence[str] = tuple(ENGINES)
) -> dict[str, float]:
    """The best time per element of each engine that has the function."""
    arrays = operands(function, dtype)
    runs = {name: run for name in engines if (run := ENGINES[name](function, dtype)) is not None}
    own = {name: given(name, arrays) for name in runs}
    best = dict.fromkeys(runs, float("inf"))
    for name, run in runs.items():
        finished(name, run(*own[name]))
    for _ in range(rounds):
        for name, run in runs.items():
            for _ in range(3):
                start = time.perf_counter()
                finished(name, run(*own[name]))
                best[name] = min(best[name], time.perf_counter() - start)
    return {name: seconds / COUNT * 1e9 for name, seconds in best.items()}
