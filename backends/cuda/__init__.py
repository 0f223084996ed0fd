"""The run time of GPUs: what a driver offers, and a GpuProgram run by one."""
