"""What a driver's refusal means: no memory, a device that is lost, or an error of the call."""

from __future__ import annotations

from symdl.errors import CudaError, CudaMemoryError, CudaUnavailableError, DeviceLostError

MEMORY = ("OUT_OF_MEMORY", "out of memory")
LOST = (  # after these no call of the process reaches the device any more: names of CUresult, and their descriptions
    "ILLEGAL_ADDRESS", "illegal memory access", "MISALIGNED_ADDRESS", "misaligned address", "LAUNCH_FAILED",
    "unspecified launch failure", "LAUNCH_TIMEOUT", "launch timed out", "ILLEGAL_INSTRUCTION", "illegal instruction",
    "INVALID_ADDRESS_SPACE", "INVALID_PC", "HARDWARE_STACK_ERROR", "ECC_UNCORRECTABLE", "uncorrectable ECC",
    "CONTEXT_IS_DESTROYED", "context is destroyed", "ASSERT", "device-side assert", "DEINITIALIZED", "SYSTEM_NOT_READY",
    "driver shutting down",
)  # fmt: skip


def failure(what: str, text: str) -> CudaError:
    """The error of a call of the driver. text: the driver's name or description of it."""
    if any(word in text for word in MEMORY):
        return CudaMemoryError(f"{what}: the GPU has no room: {text}")
    if any(word in text for word in LOST):
        remedy = "Values whose newest state was on the GPU are lost; this process cannot use the GPU any more."
        return DeviceLostError(f"{what}: the GPU is lost to this process: {text}", (), remedy)
    return CudaError(f"{what}: {text}")


def unavailable(package: str, text: str) -> CudaUnavailableError:
    """No driver or device behind an installed package."""
    return CudaUnavailableError(f"{package}: {' '.join(text.split())}")
