"""Where machine code finds what it needs to call a function: the words of its tables, the fields of Python's objects."""

from __future__ import annotations

import sys

from symdl.ir.arena import LINE
from symdl.ir.program import INTERRUPTED

HEAD = object.__basicsize__  # bytes before an object's own fields: 16, or 32 without the interpreter's lock
FREE_THREADED = "free-threading build" in sys.version
KEPT_ARENA = 1 << 30  # bytes of scratch memory that an Executable keeps from call to call
LARGE_PAGE = 2 << 20  # bytes of a page that the system gives when asked: one fault, not one for each 4 KB
IN_LARGE_PAGES = 14  # Linux' MADV_HUGEPAGE
LONG = 300_000  # units of work, 3 us: a longer run lets go of the interpreter's lock; only longer ones use threads
MOST_SCRATCH = 1 << 17  # bytes of stack that a call may use for its tables
# Bytes from which on the C library's memory is fresh each time: a page fault per page, as much as a copy.
LARGE_OUTPUT = 32 << 20
MOST_OUTPUT = 256 << 20  # bytes of an output whose memory is used again
SMALL_OUTPUT = (
    4096  # bytes of an output that is itself used again: a new array costs as much as the rest of a short call
)
NO_MEMORY = -2  # a status of `work` beside those of a Program

# Words of the tables, of 8 bytes each.
API = ("ARRAY_TYPE", "NEW_ARRAY", "FLOAT_TYPE", "INT_TYPE", "BOOL_TYPE", "TRUE", "NONE", "NOT_IMPLEMENTED",
       "ENTRY_TYPE", "GENERAL", "THREAD", "SET_BASE", "BYTE")  # fmt: skip
TABLE = ("API", "ENTER", "RUN", "RUNTIME", "ARENA",
         "SCRATCH", "SHAPES", "SIZES", "MEASURES", "NUMBERS", "RESULTS",
         "LIMIT", "INPUTS", "LEAVES", "LEAF", "CONSTANTS", "CONSTANT", "OUTPUTS", "OUTPUT",
         "KIND", "KEYS", "SETS", "SET", "TURNS", "TURN", "QUEUE", "WAKE")  # fmt: skip
# How one leaf (an input or a shared value), constant or output is described; the last rows overlap, for each has its own
# fields. EXTENT: where the extents of an output are written; WANTED: flags that an array must have; LAST: where the array
# stands that was given last.
SPEC = ("DTYPE", "AXES", "PLACE", "ITEM", "WANTED", "SCALAR", "NUMBER", "LOW", "HIGH", "DEFAULT")
HELD = ("DTYPE", "AXES", "PLACE", "ITEM", "WANTED", "SLOT", "WATCHED", "BORROWED")
MADE = ("DTYPE", "AXES", "PLACE", "ITEM", "EXTENT", "LAST", "FORM")
FIXED = ("ADDRESS", "", "PLACE")
TURN = ("CLAIM", "BUSY", "IDENT")
SWEPT = ("FROM", "INTO", "ROW_BYTES")  # an array that a sweep takes rows of, or puts numbers into
C_ORDER, UPDATABLE = 0x101, 0x501  # flags of an array: C order and aligned, and writable
INTEGER, FLOAT64, FLOAT32 = 1, 2, 3  # NUMBER: which Python numbers an input without axes takes, 0 for none
NONE, ONE, LIST, DICTIONARY = range(4)  # KIND: how the outputs come

WORDS = {
    name: 8 * k for row in (API, TABLE, SPEC, HELD, MADE, FIXED, TURN, SWEPT) for k, name in enumerate(row) if name
}
BYTES = {
    "HEAD": HEAD, "COUNT": HEAD - 16, "TYPE": HEAD - 8, "OWN": HEAD + 8, "ENTRY": HEAD + 16,
    "DATA": HEAD, "NDIM": HEAD + 8, "DIMS": HEAD + 16, "DESCR": HEAD + 40, "FLAGS": HEAD + 48, "WEAK": HEAD + 56,  # of an array
    "SCALAR_TYPE": HEAD, "BYTE_ORDER": HEAD + 10,  # of a dtype
    "SET_USED": HEAD + 8, "DICT_USED": HEAD, "LISTED": HEAD + 8,
}  # fmt: skip
CONSTANTS = {
    "UPDATABLE": UPDATABLE,
    "SPEC_BYTES": 8 * len(SPEC), "TURN_BYTES": 8 * len(TURN), "SWEPT_BYTES": 8 * len(SWEPT), "IS_INTEGER": INTEGER, "IS_FLOAT64": FLOAT64,
    "IS_FLOAT32": FLOAT32, "GIVES_NONE": NONE, "GIVES_ONE": ONE, "GIVES_LIST": LIST, "ALIGNMENT": LINE,
    "LARGE_PAGE": LARGE_PAGE, "IN_LARGE_PAGES": IN_LARGE_PAGES, "KEPT": KEPT_ARENA, "IS_LONG": LONG, "SIGNALLED": INTERRUPTED, "OUT_OF_MEMORY": NO_MEMORY,
    "SMALL": SMALL_OUTPUT, "LARGE": LARGE_OUTPUT, "LARGEST": 0 if FREE_THREADED else MOST_OUTPUT,  # there counts of references say less
}  # fmt: skip
ALL = {**WORDS, **BYTES, **CONSTANTS}  # what the names in the text stand for
