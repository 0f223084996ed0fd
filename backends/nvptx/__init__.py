"""Programs for NVIDIA GPUs: launches of kernels (`launches`) and the LLVM text of the kernels, without any driver."""

from symdl.backends.nvptx.assembly import gpu_program, placed

__all__ = ["gpu_program", "placed"]
