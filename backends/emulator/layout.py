"""Where things stand that emulated kernels, their run-time module and Python share: numbers, tables, records."""

from __future__ import annotations

import ctypes

import numpy as np

FRAME = 8192  # bytes of a thread's record for its coroutine; a larger frame comes from malloc
THREADS = 1024  # of a block at most
WARP = 32
SLOT = 64  # bytes that a lane shows to its warp at once
MOST_FAULTS = 16  # that are described

WRITES, ATOMIC, SHARED, GENERIC = 1, 2, 4, 8  # bits of an access's kind; above them, in bits 8 to 15, its pointer
ANY_POINTER = 255  # the pointer, where it is not known

OUTSIDE, MISALIGNED, UNWRITTEN, RACE_WRITTEN, RACE_READ, ALIASED = 1, 2, 3, 4, 5, 6  # faults of an access
SPLIT_BARRIER, SPLIT_WARP, MISSING_LANE, TWO_BARRIERS = 11, 12, 13, 14  # faults of synchronization

RUNNING, WARP_SYNC, BLOCK_SYNC = 1, 2, 3  # what a thread waits for; 0: it is done

CELL = np.dtype(  # of one byte; `_sync` counts the barriers of the thread's warp since its block began
    [
        ("written", np.uint32),
        ("writer", np.uint16),
        ("writer_sync", np.uint16),
        ("read", np.uint32),
        ("reader", np.uint16),
        ("reader_sync", np.uint16),
        ("other", np.uint16),
        ("other_sync", np.uint16),
        ("first_read", np.uint32),
        ("first_reader", np.uint16),
        ("atomic", np.uint8),
        ("written_through", np.uint8),
        ("read_through", np.uint8),
        ("unused", np.uint8, 3),
    ]
)
REGION = np.dtype([("begin", np.int64), ("end", np.int64), ("cells", np.int64), ("known", np.int64)])
FAULT = np.dtype(
    [
        ("kind", np.int32),
        ("site", np.int32),
        ("thread", np.int32),
        ("other", np.int32),
        ("block", np.int64),
        ("address", np.int64),
        ("size", np.int64),
        ("interval", np.int64),
    ]
)


class Setup(ctypes.Structure):
    """One launch. interval: the last number that was used, before and after."""

    _fields_ = (
        ("regions", ctypes.c_void_p),
        ("region_count", ctypes.c_int64),
        ("shared_regions", ctypes.c_void_p),
        ("shared_count", ctypes.c_int64),
        ("faults", ctypes.c_void_p),
        ("records", ctypes.c_void_p),
        ("thread_order", ctypes.c_void_p),
        ("block_order", ctypes.c_void_p),
        ("block_intervals", ctypes.c_void_p),
        ("grid_x", ctypes.c_int64),
        ("grid_y", ctypes.c_int64),
        ("grid_z", ctypes.c_int64),
        ("threads", ctypes.c_int64),
        ("interval", ctypes.c_int64),
    )


RECORD_BYTES = 64 + FRAME  # of a thread


# What the texts of the run-time module call by name.
NUMBERS = {
    "FRAME": FRAME,
    "SLOTS": SLOT * WARP * 2 * (THREADS // WARP),
    "SLOT": SLOT,
    "MOST_FAULTS": MOST_FAULTS,
    "WRITES": WRITES,
    "ATOMIC": ATOMIC,
    "SHARED": SHARED,
    "GENERIC": GENERIC,
    "OUTSIDE": OUTSIDE,
    "MISALIGNED": MISALIGNED,
    "UNWRITTEN": UNWRITTEN,
    "RACE_WRITTEN": RACE_WRITTEN,
    "RACE_READ": RACE_READ,
    "ALIASED": ALIASED,
    "SPLIT_BARRIER": SPLIT_BARRIER,
    "SPLIT_WARP": SPLIT_WARP,
    "MISSING_LANE": MISSING_LANE,
    "TWO_BARRIERS": TWO_BARRIERS,
    "RUNNING": RUNNING,
    "WARP_SYNC": WARP_SYNC,
    "BLOCK_SYNC": BLOCK_SYNC,
}
