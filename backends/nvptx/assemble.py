"""PTX to machine code without a GPU, and what it takes: registers, spills, shared memory.

    assembled = assemble(ptx, (8, 0))           # by ptxas where one is on the PATH, else by nvJitLink's wheel
    assembled.usage["k0"].registers

symdl needs none of this to run: a driver translates PTX itself. It shows, on any machine, that the PTX is right.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symdl import extras
from symdl.errors import CudaError, MissingDependencyError

OLDEST = (7, 5)  # what assemblers of today still know
_USAGE = re.compile(
    r"Compiling entry function '(?P<kernel>[^']+)' for '(?P<target>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Usage:
    """What one kernel takes: registers of a thread; bytes of its stack, spilled to it and back, and of shared memory."""

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int


@dataclass(frozen=True)
class Assembled:
    """Machine code for one kind of GPU. by: who made it."""

    code: bytes
    usage: Mapping[str, Usage]
    by: str
    log: str


def assembler() -> str:
    """Who would assemble: "ptxas", "nvJitLink", or "" where neither is installed."""
    if shutil.which("ptxas"):
        return "ptxas"
    return "nvJitLink" if _linker() is not None else ""


def assemble(ptx: str, capability: tuple[int, int] = OLDEST, by: str = "") -> Assembled:
    """Machine code of a PTX text for GPUs of a capability: (9, 0) is sm_90.

    Raises MissingDependencyError where no assembler is installed, and CudaError, with the assembler's words, where it
    refuses the text.
    """
    by = by or assembler()
    if (by == "ptxas" and not shutil.which("ptxas")) or (by == "nvJitLink" and _linker() is None):
        by = ""
    target = f"sm_{capability[0]}{capability[1]}"
    if by == "ptxas":
        code, log = _by_ptxas(ptx, target)
    elif by == "nvJitLink":
        code, log = _by_linker(ptx, target)
    else:
        raise MissingDependencyError(
            "assembling PTX needs ptxas on the PATH, or nvJitLink",
            (),
            "pip install nvidia-nvjitlink cuda-bindings",
        )
    return Assembled(code, usages(log), by, log)


def usages(log: str) -> dict[str, Usage]:
    """What an assembler's log tells of each kernel."""
    found = {}
    for m in _USAGE.finditer(log):
        shared = re.search(r"(\d+) bytes smem", m["rest"])
        found[m["kernel"]] = Usage(
            int(m["registers"]), int(m["stack"]), int(m["stores"]), int(m["loads"]), int(shared[1]) if shared else 0
        )
    return found


def _by_ptxas(ptx: str, target: str) -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "kernels.ptx"), Path(folder, "kernels.cubin")
        source.write_text(ptx)
        done = subprocess.run(
            ["ptxas", "-v", f"-arch={target}", str(source), "-o", str(made)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise _refused("ptxas", target, (done.stderr + done.stdout).replace(folder, ""))
        return made.read_bytes(), done.stderr + done.stdout


def _by_linker(ptx: str, target: str) -> tuple[bytes, str]:
    linker = _linker()
    handle = linker.create(2, [f"-arch={target}", "-verbose"])
    try:
        text = ptx.encode() + b"\0"
        try:
            linker.add_data(handle, linker.InputType.PTX, text, len(text), "kernels")
            linker.complete(handle)
        except linker.nvJitLinkError:
            raise _refused("nvJitLink", target, _said(linker, handle, "error")) from None
        code = bytearray(linker.get_linked_cubin_size(handle))
        linker.get_linked_cubin(handle, code)
        return bytes(code), _said(linker, handle, "info")
    finally:
        linker.destroy(handle)


def _said(linker: Any, handle: int, which: str) -> str:
    text = bytearray(getattr(linker, f"get_{which}_log_size")(handle))
    getattr(linker, f"get_{which}_log")(handle, text)
    return text.decode(errors="replace").strip("\0 \n")


def _linker() -> Any:
    """cuda.bindings.nvjitlink, where it and the library are installed."""
    if not extras.installed("cuda.bindings"):
        return None
    try:
        linker = extras.load("cuda.bindings.nvjitlink", "assembling PTX")
        linker.version()
    except (ImportError, RuntimeError):  # without the library it says so in either way
        return None
    return linker


def _refused(by: str, target: str, log: str) -> CudaError:
    lines = [line for line in log.splitlines() if "error" in line or "fatal" in line] or log.splitlines()
    return CudaError(f"{by} refuses the PTX for {target}", (), "\n".join(lines[:8]))
