"""A GPU that is not there: kernels of `backends/nvptx` run on the CPU, thread by thread, under checks."""

from symdl.backends.emulator.driver import Emulator

__all__ = ["Emulator"]
