"""PTX is assembled where an assembler is at hand: registers and spills are read, errors are told."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from gpu_kernels import counts, scale, softmax, transpose

from symdl.backends.nvptx import assemble as module
from symdl.backends.nvptx.assemble import Usage, assemble, assembler, usages
from symdl.backends.nvptx.ptx import ptx
from symdl.errors import CudaError, MissingDependencyError

LOG = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'left' for 'sm_90'
ptxas info    : Function properties for left
    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 28 registers, used 1 barriers, 128 bytes smem
ptxas info    : Compiling entry function 'right' for 'sm_90'
ptxas info    : Function properties for right
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 0 barriers
"""
here = pytest.mark.skipif(not assembler(), reason="neither ptxas nor nvJitLink is installed")


def test_a_log_is_read() -> None:
    assert usages(LOG) == {"left": Usage(28, 16, 12, 8, 128), "right": Usage(10, 0, 0, 0, 0)}


def test_without_an_assembler_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(module, "_linker", lambda: None)
    assert assembler() == ""
    for by in ("", "ptxas", "nvJitLink"):
        with pytest.raises(MissingDependencyError, match="nvidia-nvjitlink"):
            assemble("", by=by)


@here
@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0)])
@pytest.mark.parametrize("make", [counts, scale, softmax, transpose], ids=lambda m: m.__name__)
def test_kernels_assemble(make: Callable[[], str], capability: tuple[int, int]) -> None:
    made = assemble(ptx(make(), capability), capability)
    (usage,) = made.usage.values()
    assert made.code.startswith(b"\x7fELF")
    assert 0 < usage.registers <= 64
    assert (usage.spill_stores, usage.spill_loads) == (0, 0)


@here
def test_errors_are_told_by_line() -> None:
    broken = ptx(scale(), (8, 0)).replace("add.rn.f32", "add.xx.f32").replace("add.f32", "add.xx.f32")
    with pytest.raises(CudaError, match=r"refuses the PTX for sm_80[\s\S]*line \d+; error"):
        assemble(broken, (8, 0))
