"""What the emulator has found, in words: the kernel, the thread, the instruction, the memory, who else was there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from symdl.backends.emulator.layout import (
    ALIASED,
    MISALIGNED,
    MISSING_LANE,
    OUTSIDE,
    RACE_READ,
    RACE_WRITTEN,
    SPLIT_BARRIER,
    SPLIT_WARP,
    TWO_BARRIERS,
    UNWRITTEN,
)
from symdl.backends.emulator.memory import Memory
from symdl.backends.emulator.translation import Site
from symdl.errors import KernelFaultError, Part

Array = np.ndarray[Any, Any]


class Places:
    """Names of addresses: what the launch's shared variables and the device's allocations are called."""

    def __init__(self, memory: Memory, shared: Sequence[tuple[int, int, str]]) -> None:
        self.memory, self.shared = memory, shared

    def __call__(self, address: int, size: int) -> tuple[str, str]:
        """(name, which bytes of it)"""
        for begin, end, name in self.shared:
            if begin - 128 <= address < end + 128:
                return f"shared {name}", _bytes(address - begin, size, end - begin)
        near = self.memory.near(address)
        if near is None or near[1] > 1 << 20:
            return "no memory", f"address {address:#x}"
        own = near[0]
        best, name = (own.begin, own.end), f"allocation {own.serial}"
        distance = max(own.begin - address, address - own.end + 1, 0)
        if own.labels:
            distance = 1 << 62
        for begin, (end, label) in own.labels.items():
            away = max(begin - address, address + size - end, 0)
            if away < distance:
                distance, best, name = away, (begin, end), label
        return name, _bytes(address - best[0], size, best[1] - best[0])


def _bytes(at: int, size: int, whole: int) -> str:
    if at < 0:
        return f"{-at} bytes before its start"
    return f"bytes {at} to {at + size - 1} of {whole}"


def raised(
    kernel: str,
    faults: Array,
    count: int,
    sites: Sequence[Site],
    grid: tuple[int, int, int],
    intervals: Array,
    block_order: Array,
    places: Places,
) -> KernelFaultError:
    """The error for the first fault; others are counted."""
    f = faults[0]
    kind, site = int(f["kind"]), sites[int(f["site"])]
    thread, block = int(f["thread"]), _block(int(f["block"]), grid)
    name, part = places(int(f["address"]), int(f["size"])) if kind <= ALIASED else ("", "")
    does = "writes" if re.search(r"\b(store|atomicrmw|cmpxchg)\b", site.line) else "reads"
    parts: list[Part] = [("thread", str(thread), f"of block {block}"), ("at", site.line, "")]
    if kind <= ALIASED:
        parts.append(("memory", name, part))
    remedy = ""
    match kind:
        case k if k == OUTSIDE:
            head = f"{does} outside of {name}"
        case k if k == MISALIGNED:
            aligned = re.search(r"align (\d+)", site.line)
            head = f"{does} {name} at an address that is no multiple of {aligned[1] if aligned else int(f['size'])}"
        case k if k == UNWRITTEN:
            head = f"reads {name} where nothing has been written"
        case k if k in (RACE_WRITTEN, RACE_READ):
            other = _other(int(f["interval"]), intervals, block_order, grid)
            before = "written" if kind == RACE_WRITTEN else "read"
            head = f"{does} {name} where another thread has {before}, without a barrier between them"
            same = other == block
            parts.append(("other", str(int(f["other"])), f"of {'the same block' if same else f'block {other}'}"))
            if not same:
                head = f"{does} {name} where another block of the launch has {before}"
        case k if k == ALIASED:
            head = f"{does} {name} through a pointer that another pointer to it has promised not to exist (noalias)"
        case k if k == SPLIT_BARRIER:
            head = "a barrier that not every thread of the block comes to"
            parts.append(("missing", str(int(f["other"])), "has ended"))
        case k if k == TWO_BARRIERS:
            head = "threads of one warp wait at two different barriers"
            parts.append(("other", str(int(f["other"])), ""))
        case k if k == SPLIT_WARP:
            head = "a shuffle, vote or barrier that not every thread of its mask comes to"
            parts.append(("missing", str(int(f["other"])), "has ended, or waits elsewhere"))
        case k if k == MISSING_LANE:
            head = f"takes a value from lane {int(f['other'])} of its warp, which takes no part"
        case _:
            head = f"fault {kind}"
    if count > 1:
        remedy = f"{count - 1} more {'places' if count > 2 else 'place'} in this launch failed."
    return KernelFaultError(f"kernel {kernel}: {head}", parts, remedy)


def _block(number: int, grid: tuple[int, int, int]) -> tuple[int, int, int]:
    return number % grid[0], number // grid[0] % grid[1], number // (grid[0] * grid[1])


def _other(interval: int, intervals: Array, order: Array, grid: tuple[int, int, int]) -> tuple[int, int, int]:
    """The block that an interval belongs to: the last that began at or before it."""
    begun = intervals[intervals > 0]
    k = int(np.searchsorted(begun, interval, side="right")) - 1
    return _block(int(order[max(k, 0)]), grid)
