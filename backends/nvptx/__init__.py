"""Programs for NVIDIA GPUs: launches of kernels (`launches`) and the LLVM text of the kernels, without any driver."""
