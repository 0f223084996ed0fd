"""LLVM IR text of kernels to PTX, inside the process, by the NVPTX target that every llvmlite has."""

from __future__ import annotations

import threading
from typing import Any

import llvmlite.binding as llvm

from symdl.backends.nvptx.whitelist import verify_ptx_safe
from symdl.backends.nvptx.writer import TRIPLE

LEVEL = 2  # of code generation: it finds address spaces and joins neighbouring accesses; 3 takes a tenth longer for the same code
_lock = threading.Lock()
_ready: list[bool] = []


def ptx(text: str, capability: tuple[int, int]) -> str:
    """The PTX of a module for devices of a compute capability, such as (9, 0), or newer.

    Raises RuntimeError for text that is not LLVM IR, and InternalError for what could end the process.
    """
    verify_ptx_safe(text, capability)
    with _lock:
        if not _ready:
            llvm.initialize_all_targets()
            llvm.initialize_all_asmprinters()
            _ready.append(True)
        machine = _machine(capability)
        module = llvm.parse_assembly(text)
        module.triple, module.data_layout = TRIPLE, str(machine.target_data)
        module.verify()
        passes = llvm.create_new_module_pass_manager()
        passes.add_sroa_pass()
        passes.add_simplify_cfg_pass()
        passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=LEVEL)))
        return str(machine.emit_assembly(module))


def _machine(capability: tuple[int, int]) -> Any:
    """A target machine. Its PTX version is the least for the device: newer drivers take it, older ones too."""
    major, minor = capability
    target = llvm.Target.from_triple(TRIPLE)
    return target.create_target_machine(cpu=f"sm_{major}{minor}", features="", opt=LEVEL)
