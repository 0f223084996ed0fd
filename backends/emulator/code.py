"""Emulated kernels in machine code: translated, compiled without optimization, kept in a store by their text."""

from __future__ import annotations

import ctypes
import hashlib
import json
from collections.abc import MutableMapping
from dataclasses import asdict
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm

from symdl.backends.cpu.assembler import LENGTH, Machine, object_code, objects_in
from symdl.backends.cpu.engine import Engine
from symdl.backends.emulator import intrinsics, layout, runtime, translation
from symdl.backends.emulator.translation import KernelShape, Site, Translation, translate
from symdl.backends.nvptx.whitelist import verify_ptx_safe
from symdl.errors import InternalError

Store = MutableMapping[str, bytes]


@cache
def _digest() -> str:
    """What the translation depends on beside the kernels: the text of the emulator itself."""
    own = [Path(module.__file__).read_bytes() for module in (intrinsics, layout, translation) if module.__file__]
    return hashlib.sha256(b"".join(own)).hexdigest()[:16]


@cache
def machine() -> Machine:
    """This computer."""
    return Machine()


def runtime_code(store: Store | None) -> bytes:
    """The object code of the run-time module, which is the same for all kernels."""
    key = f"emulator runtime {runtime.DIGEST} {machine().fingerprint()}"
    code = None if store is None else store.get(key)
    return _remembered(key, store) if code is None else code


@cache
def _compiled_runtime() -> bytes:
    return object_code([runtime.module_text(machine().triple, machine().layout)], machine())


def _remembered(key: str, store: Store | None) -> bytes:
    code = _compiled_runtime()
    if store is not None:
        store[key] = code
    return code


class EmulatedCode:
    """Kernels that can be started. Raises InternalError for text that no GPU's compiler is to be given, CudaError for what
    the emulator does not know."""

    def __init__(self, text: str, checks: bool, capability: tuple[int, int], store: Store | None = None) -> None:
        what = f"{_digest()} {checks} {capability} {machine().fingerprint()}"
        key = hashlib.sha256(f"{what}\n{text}".encode()).hexdigest()
        key = f"emulated kernels {key[:40]}"
        kept = None if store is None else store.get(key)
        if kept is None:
            verify_ptx_safe(text, capability)
            translation = translate(text, checks)
            kept = _packed(translation, _object(translation.text))
            if store is not None:
                store[key] = kept
        self.kernels, self.shared, self.sites, code = _unpacked(kept)
        self._engine = Engine(code + runtime_code(store), machine())
        self.run = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 3)(self._engine.address("emu.run"))
        self.starts = {name: self._engine.address(f"emu.start.{name}") for name in self.kernels}
        self.shared_address = 0
        if self.shared:
            self.shared_address = ctypes.CFUNCTYPE(ctypes.c_void_p)(self._engine.address("emu.shared.address"))() or 0


def _packed(translation: Translation, code: bytes) -> bytes:
    named = {
        "kernels": {name: asdict(shape) for name, shape in translation.kernels.items()},
        "shared": translation.shared,
        "sites": [[site.function, site.line] for site in translation.sites],
    }
    head = json.dumps(named).encode()
    return LENGTH.pack(len(head)) + head + LENGTH.pack(len(code)) + code


def _unpacked(
    kept: bytes,
) -> tuple[dict[str, KernelShape], dict[str, tuple[int, int]], list[Site], bytes]:
    head, code = objects_in(kept)
    named = json.loads(head)
    kernels = {
        name: KernelShape(tuple(k["parameters"]), tuple(k["shared"]), k["most_threads"])
        for name, k in named["kernels"].items()
    }
    shared = {name: (at, size) for name, (at, size) in named["shared"].items()}
    return kernels, shared, [Site(*site) for site in named["sites"]], LENGTH.pack(len(code)) + code


def _object(text: str) -> bytes:
    """Machine code without optimization: kernels run on small arrays, and most run once. LLVM's pipeline does even then
    what coroutines need."""
    own = machine()
    target = llvm.Target.from_triple(own.triple).create_target_machine(
        cpu=own.cpu, features=own.features, opt=0, reloc="default", codemodel="jitdefault", jit=True
    )
    try:
        module = llvm.parse_assembly(text, llvm.create_context())
    except RuntimeError as error:
        raise InternalError("LLVM does not read the emulator's translation", (), str(error)) from None
    with module:
        module.triple, module.data_layout = own.triple, own.layout
        module.verify()
        tuning = llvm.create_pipeline_tuning_options(speed_level=0)
        builder = llvm.create_pass_builder(target, tuning)
        builder.getModulePassManager().run(module, builder)
        return bytes(target.emit_object(module))
