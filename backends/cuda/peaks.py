"""What a GPU can do at most, by its own figures: bytes moved and floating-point operations in a second."""

from __future__ import annotations

from collections.abc import Mapping

# sums of products that a multiprocessor begins in a clock: (float32, float64), by compute capability
# (CUDA C++ Programming Guide, table of arithmetic throughput)
LANES = {(7, 0): (64, 32), (7, 5): (64, 2), (8, 0): (64, 32), (8, 6): (128, 2), (8, 9): (128, 2), (9, 0): (128, 64), (10, 0): (128, 64)}  # fmt: skip
OTHERS = (128, 2)


def bandwidth(attributes: Mapping[str, int | str]) -> float:
    """Bytes in a second between the device and its memory, of which two transfers go in a clock; 0 where it is not known."""
    clock, bits = attributes.get("memory_clock_khz", 0), attributes.get("memory_bus_bits", 0)
    return 2e3 * int(clock) * int(bits) / 8


def operations(attributes: Mapping[str, int | str], capability: tuple[int, int]) -> dict[str, float]:
    """Floating-point operations in a second by dtype, without tensor cores; empty where they are not known."""
    count, clock = int(attributes.get("multiprocessors", 0)), int(attributes.get("clock_khz", 0))
    lanes = LANES.get(capability, OTHERS)
    if not count * clock:
        return {}
    return {dtype: 2e3 * clock * count * n for dtype, n in zip(("float32", "float64"), lanes, strict=True)}
