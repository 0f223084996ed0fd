"""The memory of the emulated GPU: allocations with labels, and what is known of each byte."""

from __future__ import annotations

import bisect
import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symdl.backends.cuda.driver import ALIGNMENT
from symdl.backends.emulator.layout import CELL, REGION
from symdl.errors import CudaError, CudaMemoryError

Array = np.ndarray[Any, Any]
GUARD = 256  # bytes around each allocation that belong to nobody
POISON = 0xFF  # what fresh memory holds: NaNs


@dataclass(eq=False)
class Allocation:
    """bytes_ of memory from `begin` on; known says which have been written, cells who touched them (layout.CELL).
    labels: begin -> (end, name), sorted by begin in `starts`."""

    begin: int
    bytes_: int
    serial: int
    raw: Array
    known: Array
    cells: Array
    labels: dict[int, tuple[int, str]] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.begin + self.bytes_

    def label(self, begin: int, end: int, name: str) -> bool:
        """Name a part, which ends what was said of bytes in it; whether that is news."""
        if self.labels.get(begin) == (end, name):
            return False
        k = bisect.bisect_left(self.starts, begin)
        while k > 0 and self.labels[self.starts[k - 1]][0] > begin:
            k -= 1
        while k < len(self.starts) and self.starts[k] < end:
            del self.labels[self.starts.pop(k)]
        self.starts.insert(k, begin)
        self.labels[begin] = end, name
        return True


class Memory:
    """All allocations. `regions` is the table that emu.check looks into; watched: it is used, and needs cells."""

    def __init__(self, total: int, watched: bool = True) -> None:
        self.total, self.used, self.watched = total, 0, watched
        self._by_begin: dict[int, Allocation] = {}
        self._begins: list[int] = []
        self._serial = 0
        self._table: Array | None = None
        self._owners: list[tuple[Allocation, int]] = []

    def allocate(self, bytes_: int) -> int:
        """Fresh memory, poisoned. Raises CudaMemoryError beyond the total."""
        if self.used + bytes_ > self.total:
            raise CudaMemoryError(
                f"the emulated GPU has no room for {bytes_} bytes: {self.used} of {self.total} are in use",
            )
        try:
            raw = np.empty(bytes_ + 2 * GUARD + ALIGNMENT, np.uint8)
            known, cells = np.zeros(bytes_, np.uint8), np.zeros(bytes_ if self.watched else 0, CELL)
        except MemoryError:
            raise CudaMemoryError(f"this computer has no room for {bytes_} bytes of the emulated GPU") from None
        raw.fill(POISON)
        begin = raw.ctypes.data + GUARD
        begin += -begin % ALIGNMENT
        self._serial += 1
        self._by_begin[begin] = Allocation(begin, bytes_, self._serial, raw, known, cells)
        bisect.insort(self._begins, begin)
        self.used += bytes_
        self._table = None
        return begin

    def free(self, address: int) -> None:
        """Give an allocation back. Raises CudaError where none begins there."""
        gone = self._by_begin.pop(address, None)
        if gone is None:
            raise CudaError(f"free: no allocation begins at {address:#x}", (), "Was it freed twice?")
        self._begins.remove(address)
        self.used -= gone.bytes_
        self._table = None

    def of(self, address: int, bytes_: int, what: str) -> Allocation:
        """The allocation that holds these bytes. Raises CudaError where none does."""
        k = bisect.bisect_right(self._begins, address) - 1
        found = self._by_begin[self._begins[k]] if k >= 0 else None
        if found is None or address + bytes_ > found.end:
            raise CudaError(f"{what}: {bytes_} bytes at {address:#x} lie in no allocation")
        return found

    def near(self, address: int) -> tuple[Allocation, int] | None:
        """The allocation that ends last before an address, or begins first behind it, and the distance."""
        best = None
        for own in self._by_begin.values():
            distance = max(own.begin - address, address - own.end + 1, 0)
            if best is None or distance < best[1]:
                best = own, distance
        return best

    def label(self, address: int, bytes_: int, name: str) -> None:
        """Name a part of an allocation: only named parts of it may be touched from then on."""
        if self.of(address, bytes_, "label").label(address, address + bytes_, name):
            self._table = None

    def regions(self) -> Array:
        """The table (layout.REGION), sorted."""
        if self._table is None:
            rows = []
            for begin in self._begins:
                own = self._by_begin[begin]
                parts = [(s, own.labels[s][0]) for s in own.starts] or [(begin, own.end)]
                for first, last in parts:
                    offset = first - begin
                    cells, known = own.cells.ctypes.data + offset * CELL.itemsize, own.known.ctypes.data + offset
                    rows.append((first, last, cells, known))
            self._table = np.array(rows, REGION)
        return self._table

    # copies

    def write(self, address: int, data: int, bytes_: int) -> None:
        """From the host's memory at `data`."""
        if bytes_:
            own = self.of(address, bytes_, "upload")
            ctypes.memmove(address, data, bytes_)
            own.known[address - own.begin : address - own.begin + bytes_] = 1

    def read(self, address: int, data: int, bytes_: int) -> None:
        """Into the host's memory at `data`."""
        if bytes_:
            self.of(address, bytes_, "download")
            ctypes.memmove(data, address, bytes_)

    def move(self, destination: int, source: int, bytes_: int) -> None:
        """Within the device."""
        if bytes_:
            there, here = self.of(destination, bytes_, "copy"), self.of(source, bytes_, "copy")
            ctypes.memmove(destination, source, bytes_)
            known = here.known[source - here.begin : source - here.begin + bytes_].copy()
            there.known[destination - there.begin : destination - there.begin + bytes_] = known

    def fill(self, address: int, byte: int, bytes_: int) -> None:
        """Every byte alike."""
        if bytes_:
            own = self.of(address, bytes_, "fill")
            ctypes.memset(address, byte, bytes_)
            own.known[address - own.begin : address - own.begin + bytes_] = 1
