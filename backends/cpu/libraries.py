"""Libraries: routines that many Programs call, loaded once in a process, and who is told when their better code is there."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from symdl.backends.balls.library import balls_text
from symdl.backends.convolve.library import convolutions_entry, convolutions_text
from symdl.backends.cpu.assembler import Machine, at_once, object_code, quick_code
from symdl.backends.cpu.engine import Engine
from symdl.backends.cpu.optimizing import Job, ending, held, later
from symdl.backends.entry.objects import EntryCode
from symdl.backends.entry.text import ENTRY_DIGEST, entry_text
from symdl.backends.forks import gate
from symdl.backends.gemm.library import products_entry, products_text
from symdl.backends.llvm import RUNTIME
from symdl.backends.llvm.steps import all_steps, uses_library
from symdl.backends.pool import POOL_DIGEST, Pool, pool_text
from symdl.config import config
from symdl.ir.program import Call, Program


class Caller(Protocol):
    """Whoever keeps addresses of libraries' code."""

    def call_library(self, name: str) -> None:
        """Run this library's code as it is now."""


_lock = threading.RLock()
_loaded: dict[str, Any] = {}
_loading: dict[str, threading.Lock] = {}
_prepared: set[str] = set()
# By name in RUNTIME: whose tables hold an address of a library, and what makes better code of it.
_callers: dict[str, weakref.WeakSet[Caller]] = {}
_improving: dict[str, Job] = {}
_retired: list[object] = []  # libraries' code that better code has replaced: a thread may be inside


def tell(name: str, caller: Caller) -> None:
    """Let the caller know where a library's code is, now and whenever better code replaces it."""
    with _lock:  # first: from here on it is told of better code
        _callers.setdefault(name, weakref.WeakSet()).add(caller)
    caller.call_library(name)


def improving(name: str) -> Job | None:
    """What makes better code of a library of this process."""
    return _improving.get(name)


def library(
    name: str, text: Callable[[], str], machine: Machine, store: MutableMapping[str, bytes] | None, runtime: str,
    quick: Callable[[], str] | None = None,
) -> Engine:  # fmt: skip
    """Routines that many Programs call, loaded at their first use in the process; compiled, if not in the store: then quick
    code runs until they are optimized. runtime: what `call_library` knows them by; quick: a shorter text of the same
    routines for that."""
    key = f"{name} {machine.fingerprint()}"
    with _lock:
        own = _loading.setdefault(key, threading.Lock())
    with own:
        found = _loaded.get(key)
        if found is None:
            code = None if store is None else store.get(key)
            if code is None and config.optimizing == "background":
                code = quick_code((quick or text)(), machine)
                job = later(lambda: object_code([text()], machine), lambda: store is not None or not ending())
                job.then(partial(_replaced, key, runtime, machine, store))
                _improving[runtime] = job
            elif code is None:
                code = object_code([text()], machine)
                if store is not None:
                    store[key] = code
            found = _loaded[key] = Engine(code, machine)
        return found


def _replaced(
    key: str, runtime: str, machine: Machine, store: MutableMapping[str, bytes] | None, code: bytes | None
) -> None:
    """Put a library's better code in place."""
    if code is None:
        return
    with gate:
        engine = Engine(code, machine)
        with _loading[key]:
            _retired.append(_loaded[key])
            _loaded[key] = engine
        with _lock:
            callers = list(_callers.get(runtime, ()))
        for caller in callers:
            caller.call_library(runtime)
        if store is not None:
            store[key] = code


def entry_code(machine: Machine, store: MutableMapping[str, bytes] | None = None) -> EntryCode:
    """The native way into functions, and what its tables need of Python and NumPy."""
    text, quick = (partial(entry_text, machine.triple, machine.layout, small) for small in (False, True))
    engine = library(f"entry {ENTRY_DIGEST}", text, machine, store, "entry", quick)
    with _lock:
        found: EntryCode | None = _loaded.get("entry")
        if found is None or found.engine is not engine:
            _retired.append(found)
            found = _loaded["entry"] = EntryCode(engine)
        return found


def balls_code(machine: Machine, store: MutableMapping[str, bytes] | None = None) -> Engine:
    """What computes elements in balls."""
    text = balls_text(machine.triple, machine.layout)
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return library(f"balls {digest}", lambda: text, machine, store, "balls")


def threads_pool(machine: Machine, store: MutableMapping[str, bytes] | None = None) -> Pool:
    """The one pool of this process. Starts no thread."""
    text = partial(pool_text, machine.triple, machine.layout)
    engine = library(f"pool {POOL_DIGEST}", text, machine, store, "pool")
    with _lock:
        found: Pool | None = _loaded.get("pool")
        if found is None:
            found = _loaded["pool"] = Pool(engine, engine.address)
            config.watch("threads", found.resize)
        elif found.code is not engine:
            found.take(engine, engine.address)
        return found


def gemm_address(dtype: str, machine: Machine, store: MutableMapping[str, bytes] | None = None) -> int:
    """The product of matrices for a dtype."""
    tile = machine.tile(dtype)
    text, quick = (partial(products_text, one, machine.triple, machine.layout) for one in (tile, tile.small))
    return library(f"gemm {tile}", text, machine, store, f"gemm_{dtype}", quick).address(products_entry(dtype))


def convolve_address(dtype: str, machine: Machine, store: MutableMapping[str, bytes] | None = None) -> int:
    """Convolutions for a dtype."""
    tile = machine.tile(dtype)
    text, quick = (partial(convolutions_text, tile, machine.triple, machine.layout, small) for small in (False, True))
    found = library(f"convolve {tile}", text, machine, store, f"convolve_{dtype}", quick)
    return found.address(convolutions_entry(dtype))


def library_address(name: str, machine: Machine, store: MutableMapping[str, bytes] | None = None) -> int:
    """What stands under a name in RUNTIME."""
    kind, dtype = name.split("_")
    return (gemm_address if kind == "gemm" else convolve_address)(dtype, machine, store)


def libraries_of(program: Program) -> list[str]:
    """The entries of RUNTIME, beside poll, that the code of a Program calls."""
    calls = [s for s in all_steps(program.steps) if isinstance(s, Call) and uses_library(s)]
    products = {f"gemm_{s.views[-1].dtype}" for s in calls}  # convolutions call them, too
    return sorted(products | {f"convolve_{s.views[-1].dtype}" for s in calls if s.name != "matmul"})


@contextmanager
def preparing(names: Collection[str], machine: Machine, store: MutableMapping[str, bytes] | None) -> Iterator[None]:
    """While a Program is made inside, a thread loads the libraries, with those of these names in RUNTIME.

    LLVM works without Python's lock: the first process of a machine, which has to compile them, hardly waits for
    them.
    """
    served = sorted(name for name in names if name in RUNTIME)
    tasks: list[Callable[[], object]] = [partial(library_address, name, machine, store) for name in served]
    tasks += [partial(entry_code, machine, store), partial(threads_pool, machine, store)]
    with _lock:
        mine = machine.fingerprint()
        new = [key for name in ("entry", *served) if (key := f"{name} {mine}") not in _prepared]
        _prepared.update(new)
    with held():
        if not new:
            yield
            return
        thread = threading.Thread(target=at_once, args=(tasks, config.threads - 1), name="symdl-libraries")
        thread.start()
        try:
            yield
        finally:  # a child that is forked later must not find its locks taken
            thread.join()
