"""Products of matrices for the CPU: one library of kernels for each dtype, written in LLVM IR."""
