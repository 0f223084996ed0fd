"""The native way into a compiled function, as LLVM IR: one text for all functions, led by a table for each.

    lax(self, args, count, names)      the vectorcall of what users call: what it cannot do goes to Python's method
    strict(self, args, count, names)   the same for Python: what it cannot do is NotImplemented
    work(cell, run, runtime, buffers, sizes, needed, long)     a run, for a caller who has bound the arrays
    sweep(self, args, plan, order, batches, size)                  call after call, on rows of arrays (`entry/sweep`)
    poll()                             looks for signals, from inside a run

A call checks the arguments, binds the sizes (`enter`), makes the outputs, runs, and gives back the outputs. Whatever is
not an exact NumPy array in C order of the right dtype, or a number where there are no axes, whatever fails, and shared
values that are in use go the slow way, which repeats the call from its start: nothing has been changed by then. A run
of little work keeps the interpreter's lock: no Python code, and no other thread, comes between its first check and its
end, so that looking whether the shared values are free is enough. A long run takes its turn (`symdl.runtime.turns`) by one of
the Turns that were made with the function, and lets go of the lock.

The text holds no address of Python or NumPy: functions are named, objects stand in the tables. Three lines of it are
not LLVM's:  %v = at T, %p + N  loads from N bytes behind %p;  set T %v, %p + N  stores there;  %v = item T, %p[%k]
loads element %k. TAKE and GIVE exchange what a cell holds. Other names in capitals are numbers of `entry/tables`.
"""

from __future__ import annotations

import hashlib
import re

from symdl.backends.entry.arguments import ARGUMENT_TEXT, TURN_TEXT
from symdl.backends.entry.outputs import OUTPUT_TEXT
from symdl.backends.entry.sweep import SWEEP_TEXT
from symdl.backends.entry.tables import ALL, FREE_THREADED

DECLARED = """
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @PyGILState_Ensure()
declare void @PyGILState_Release(i32)
declare i32 @PyErr_CheckSignals()
declare void @PyErr_Fetch(ptr, ptr, ptr)
declare void @PyErr_Restore(ptr, ptr, ptr)
declare ptr @PyErr_NoMemory()
declare ptr @PyMem_RawMalloc(i64)
declare void @PyMem_RawFree(ptr)
declare i32 @madvise(ptr, i64, i32)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyObject_GetAttr(ptr, ptr)
declare i32 @PyObject_SetAttr(ptr, ptr, ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyObject_CallNoArgs(ptr)
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare ptr @PyLong_FromSize_t(i64)
declare i64 @PyThread_get_thread_ident()
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare ptr @PyList_GetItem(ptr, i64)
declare ptr @PyDict_New()
declare i32 @PyDict_SetItem(ptr, ptr, ptr)
declare i32 @PySet_Add(ptr, ptr)
declare i32 @PySet_Discard(ptr, ptr)
declare double @llvm.fabs.f64(double)
declare float @llvm.fabs.f32(float)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""

RUN_TEXT = """
; An exception of a signal handler stays set in the thread, and is raised when the call returns.
define i32 @poll() nounwind {
  %lock = call i32 @PyGILState_Ensure()
  %found = call i32 @PyErr_CheckSignals()
  call void @PyGILState_Release(i32 %lock)
  ret i32 %found
}

; Where the memory of a block begins: behind its size, and a large one at a page's beginning.
define internal ptr @inside(ptr %block, i64 %alignment) nounwind {
  %base = ptrtoint ptr %block to i64
  %past = add i64 %base, %alignment
  %below = sub i64 0, %alignment
  %start = and i64 %past, %below
  %inside = inttoptr i64 %start to ptr
  ret ptr %inside
}

define internal i64 @alignment(i64 %bytes) nounwind {
  %large = icmp uge i64 %bytes, LARGE_PAGE
  %found = select i1 %large, i64 LARGE_PAGE, i64 ALIGNMENT
  ret i64 %found
}

; A run in an arena of the needed bytes. The largest arena of the calls so far, up to KEPT, waits in the cell for the
; next: fresh memory costs a page fault per page. A block of memory begins with its size.
define i64 @work(ptr %cell, ptr %run, ptr %runtime, ptr %buffers, ptr %sizes, i64 %needed, i64 %long) nounwind {
entry:
  %kept = TAKE %cell
  %none = icmp eq ptr %kept, null
  br i1 %none, label %new, label %measure
measure:
  %size = load i64, ptr %kept
  %enough = icmp uge i64 %size, %needed
  br i1 %enough, label %ready, label %small
small:
  call void @PyMem_RawFree(ptr %kept)
  br label %new
new:
  %beside = call i64 @alignment(i64 %needed)
  %all = add i64 %needed, %beside
  %fresh = call ptr @PyMem_RawMalloc(i64 %all)
  %failed = icmp eq ptr %fresh, null
  br i1 %failed, label %full, label %made
full:
  ret i64 OUT_OF_MEMORY
made:
  store i64 %needed, ptr %fresh
  %large = icmp eq i64 %beside, LARGE_PAGE
  br i1 %large, label %pages, label %ready
pages:
  %first = call ptr @inside(ptr %fresh, i64 LARGE_PAGE)
  call i32 @madvise(ptr %first, i64 %needed, i32 IN_LARGE_PAGES)
  br label %ready
ready:
  %block = phi ptr [ %kept, %measure ], [ %fresh, %made ], [ %fresh, %pages ]
  %bytes = load i64, ptr %block
  %alignment = call i64 @alignment(i64 %bytes)
  %arena = call ptr @inside(ptr %block, i64 %alignment)
  %waits = icmp ne i64 %long, 0
  br i1 %waits, label %alone, label %locked
locked:
  %quick = call i64 %run(ptr %buffers, ptr %sizes, ptr %arena, ptr %runtime)
  br label %done
alone:
  %thread = call ptr @PyEval_SaveThread()
  %slow = call i64 %run(ptr %buffers, ptr %sizes, ptr %arena, ptr %runtime)
  call void @PyEval_RestoreThread(ptr %thread)
  br label %done
done:
  %status = phi i64 [ %quick, %locked ], [ %slow, %alone ]
  %keep = icmp ule i64 %bytes, KEPT
  br i1 %keep, label %give, label %drop
give:
  %other = GIVE %block, %cell
  %alone.again = icmp eq ptr %other, null
  br i1 %alone.again, label %end, label %both
both:  ; another call gave one meanwhile: this one takes its place
  call void @PyMem_RawFree(ptr %other)
  br label %end
drop:
  call void @PyMem_RawFree(ptr %block)
  br label %end
end:
  ret i64 %status
}
"""

CALL_TEXT = """
; The result, null and an exception, or the table: it cannot be done here, and nothing has been done.
define internal ptr @core(ptr %owner, ptr %table, ptr %args, i64 %count) nounwind {
entry:
  %api = at ptr, %table + API
  %array_type = at ptr, %api + ARRAY_TYPE
  %words = at i64, %table + SCRATCH
  %buffers = alloca i64, i64 %words, align 16
  %shapes_at = at i64, %table + SHAPES
  %shapes = getelementptr i8, ptr %buffers, i64 %shapes_at
  %numbers_at = at i64, %table + NUMBERS
  %numbers = getelementptr i8, ptr %buffers, i64 %numbers_at
  %inputs = at i64, %table + INPUTS
  %leaves = at i64, %table + LEAVES
  %leaf = at ptr, %table + LEAF
  br label %next_leaf
next_leaf:  ; what a call passes, inputs with defaults, shared values
  %k = phi i64 [ 0, %entry ], [ %k1, %placed ], [ %reached, %arrays ]
  %spec_at = mul i64 %k, SPEC_BYTES
  %spec = getelementptr i8, ptr %leaf, i64 %spec_at
  %k1 = add nuw nsw i64 %k, 1
  %given = icmp ult i64 %k, %count
  br i1 %given, label %passed, label %not_passed
passed:
  %argument_at = getelementptr ptr, ptr %args, i64 %k
  br label %look
not_passed:
  %is_input = icmp ult i64 %k, %inputs
  br i1 %is_input, label %left_out, label %no_input
left_out:
  %default_at = getelementptr i8, ptr %spec, i64 DEFAULT
  %default = load ptr, ptr %default_at
  %no_default = icmp eq ptr %default, null
  br i1 %no_default, label %miss, label %look
look:
  %object_at = phi ptr [ %argument_at, %passed ], [ %default_at, %left_out ]
  %object_end = phi i64 [ %count, %passed ], [ %k1, %left_out ]
  %object = load ptr, ptr %object_at
  %type = at ptr, %object + TYPE
  %is_array = icmp eq ptr %type, %array_type
  br i1 %is_array, label %arrays, label %number
number:
  %own = getelementptr i64, ptr %numbers, i64 %k
  %where = call ptr @number(ptr %spec, ptr %object, ptr %type, ptr %own, ptr %api)
  %nowhere = icmp eq ptr %where, null
  br i1 %nowhere, label %miss, label %placed
placed:
  %place = at i64, %spec + PLACE
  %slot = getelementptr ptr, ptr %buffers, i64 %place
  store ptr %where, ptr %slot
  br label %next_leaf
no_input:
  %is_value = icmp ult i64 %k, %leaves
  br i1 %is_value, label %value, label %entered
value:
  %watched = at ptr, %spec + WATCHED
  %used = at i64, %watched + SET_USED
  %free = icmp eq i64 %used, 0
  br i1 %free, label %unused, label %miss
unused:
  %value_at = at ptr, %spec + SLOT
  %current = load ptr, ptr %value_at
  %absent = icmp eq ptr %current, null
  br i1 %absent, label %miss, label %arrays
arrays:
  %array_at = phi ptr [ %object_at, %look ], [ %value_at, %unused ]
  %end = phi i64 [ %object_end, %look ], [ %k1, %unused ]
  %reached = call i64 @arrays(ptr %table, ptr %array_at, i64 %k, i64 %end, ptr %buffers, ptr %shapes)
  %some = icmp ugt i64 %reached, %k
  br i1 %some, label %next_leaf, label %miss

; An updated array that is known outside may also be an input, or the array of another shared value.
entered:
  br label %next_updated
next_updated:
  %u = phi i64 [ %inputs, %entered ], [ %u1, %apart ]
  %more_updated = icmp ult i64 %u, %leaves
  br i1 %more_updated, label %one_value, label %all_apart
one_value:
  %updated_at = mul i64 %u, SPEC_BYTES
  %updated = getelementptr i8, ptr %leaf, i64 %updated_at
  %borrowed = at ptr, %updated + BORROWED
  %read_only = icmp eq ptr %borrowed, null
  br i1 %read_only, label %apart, label %is_lent
is_lent:
  %lent = load ptr, ptr %borrowed
  %true = at ptr, %api + TRUE
  %is_known = icmp eq ptr %lent, %true
  br i1 %is_known, label %from_others, label %apart
from_others:
  %no_other = call i1 @apart(i64 %u, ptr %leaf, i64 %leaves, ptr %buffers, ptr %shapes)
  br i1 %no_other, label %apart, label %miss
apart:
  %u1 = add nuw nsw i64 %u, 1
  br label %next_updated

all_apart:
  %constants = at i64, %table + CONSTANTS
  %constant = at ptr, %table + CONSTANT
  br label %next_constant
next_constant:
  %c = phi i64 [ 0, %all_apart ], [ %c1, %known ]
  %more_constants = icmp ult i64 %c, %constants
  br i1 %more_constants, label %known, label %bind
known:
  %known_at = mul i64 %c, SPEC_BYTES
  %one = getelementptr i8, ptr %constant, i64 %known_at
  %address = at ptr, %one + ADDRESS
  %its_place = at i64, %one + PLACE
  %its_slot = getelementptr ptr, ptr %buffers, i64 %its_place
  store ptr %address, ptr %its_slot
  %c1 = add nuw nsw i64 %c, 1
  br label %next_constant

bind:
  %sizes_at = at i64, %table + SIZES
  %sizes = getelementptr i8, ptr %buffers, i64 %sizes_at
  %measures_at = at i64, %table + MEASURES
  %measures = getelementptr i8, ptr %buffers, i64 %measures_at
  %enter = at ptr, %table + ENTER
  %unmet = call i64 %enter(ptr %shapes, ptr %buffers, ptr %sizes, ptr %measures)
  %met = icmp eq i64 %unmet, 0
  br i1 %met, label %make, label %miss
make:
  %results_at = at i64, %table + RESULTS
  %results = getelementptr i8, ptr %buffers, i64 %results_at
  %outputs = at i64, %table + OUTPUTS
  %output = at ptr, %table + OUTPUT
  %new_array = at ptr, %api + NEW_ARRAY
  br label %next_output
next_output:
  %o = phi i64 [ 0, %make ], [ %o1, %made ]
  %more_outputs = icmp ult i64 %o, %outputs
  br i1 %more_outputs, label %new, label %weigh
new:
  %wanted_at = mul i64 %o, SPEC_BYTES
  %wanted = getelementptr i8, ptr %output, i64 %wanted_at
  %dtype = at ptr, %wanted + DTYPE
  %axes = at i64, %wanted + AXES
  %ndim = trunc i64 %axes to i32
  %first = at i64, %wanted + EXTENT
  %shape = getelementptr i64, ptr %measures, i64 %first
  %last = at ptr, %wanted + LAST
  %never = icmp eq ptr %last, null
  br i1 %never, label %other, label %given_last
given_last:
  %before = load ptr, ptr %last
  %usable = call i1 @as_new(ptr %before, ptr %wanted, ptr %shape)
  br i1 %usable, label %once_more, label %other
once_more:
  call void @Py_IncRef(ptr %before)
  br label %made
other:
  %bytes = call i64 @length(ptr %wanted, ptr %shape)
  %is_large = icmp uge i64 %bytes, LARGE
  %is_kept = icmp ule i64 %bytes, LARGEST
  %again = and i1 %is_large, %is_kept
  br i1 %again, label %used_before, label %all_new
used_before:
  %lying = call ptr @large(ptr %api, ptr %dtype, i32 %ndim, ptr %shape, i64 %bytes)
  br label %had
all_new:
  call void @Py_IncRef(ptr %dtype)
  %separate = call ptr %new_array(ptr %array_type, ptr %dtype, i32 %ndim, ptr %shape, ptr null, ptr null, i32 0, ptr null)
  br label %had
had:
  %fresh = phi ptr [ %lying, %used_before ], [ %separate, %all_new ]
  %failed = icmp eq ptr %fresh, null
  br i1 %failed, label %broken, label %made
broken:
  call void @forget(ptr %results, i64 %o)
  ret ptr null
made:
  %array_made = phi ptr [ %before, %once_more ], [ %fresh, %had ]
  %result_slot = getelementptr ptr, ptr %results, i64 %o
  store ptr %array_made, ptr %result_slot
  %data = at ptr, %array_made + DATA
  %out_place = at i64, %wanted + PLACE
  %out_slot = getelementptr ptr, ptr %buffers, i64 %out_place
  store ptr %data, ptr %out_slot
  %o1 = add nuw nsw i64 %o, 1
  br label %next_output

weigh:
  %cell = at ptr, %table + ARENA
  %run = at ptr, %table + RUN
  %runtime = at ptr, %table + RUNTIME
  %needed = load i64, ptr %measures
  %amount = at i64, %measures + 8
  %is_long = icmp ugt i64 %amount, IS_LONG
  br i1 %is_long, label %long, label %short
short:
  %quick = call i64 @work(ptr %cell, ptr %run, ptr %runtime, ptr %buffers, ptr %sizes, i64 %needed, i64 0)
  br label %judge
long:
  %any = icmp ne i64 %leaves, %inputs
  br i1 %any, label %queue, label %go
queue:
  %claimed = call ptr @claim(ptr %table, ptr %api)
  %all_busy = icmp eq ptr %claimed, null
  br i1 %all_busy, label %undone, label %claimed_one
claimed_one:
  %no_claim = icmp eq ptr %claimed, %table
  br i1 %no_claim, label %raise, label %go
go:
  %turn = phi ptr [ null, %long ], [ %claimed, %claimed_one ]
  call void @Py_IncRef(ptr %owner)
  %slow = call i64 @work(ptr %cell, ptr %run, ptr %runtime, ptr %buffers, ptr %sizes, i64 %needed, i64 1)
  %without = icmp eq ptr %turn, null
  br i1 %without, label %let_go, label %give_back
give_back:
  %quiet = call i1 @leave(ptr %table, ptr %turn)
  %after = select i1 %quiet, i64 %slow, i64 SIGNALLED
  br label %let_go
let_go:
  %ended = phi i64 [ %slow, %go ], [ %after, %give_back ]
  call void @Py_DecRef(ptr %owner)
  br label %judge
judge:
  %status = phi i64 [ %quick, %short ], [ %ended, %let_go ]
  switch i64 %status, label %undone [ i64 0, label %good i64 SIGNALLED, label %raise i64 OUT_OF_MEMORY, label %full ]
good:
  call void @keep(ptr %output, i64 %outputs, ptr %results, ptr %measures)
  %given_back = call ptr @result(ptr %table, ptr %api, ptr %results, i64 %outputs)
  ret ptr %given_back
undone:  ; a check in a kernel did not hold: Python finds out which, on the same values
  call void @forget(ptr %results, i64 %outputs)
  br label %miss
full:
  %no_memory = call ptr @PyErr_NoMemory()
  br label %raise
raise:
  call void @forget(ptr %results, i64 %outputs)
  ret ptr null
miss:
  ret ptr %table
}

"""

WAY_TEXT = """
define ptr @lax(ptr %self, ptr %args, i64 %flagged, ptr %names) nounwind {
entry:
  %count = and i64 %flagged, 9223372036854775807
  %api = at ptr, %self + OWN
  %owner = at ptr, %self + ENTRY
  %absent = icmp eq ptr %owner, null
  br i1 %absent, label %general, label %look
look:
  %type = at ptr, %owner + TYPE
  %entry_type = at ptr, %api + ENTRY_TYPE
  %right = icmp eq ptr %type, %entry_type
  %unnamed = icmp eq ptr %names, null
  %both = and i1 %right, %unnamed
  br i1 %both, label %count_them, label %general
count_them:
  %table = at ptr, %owner + OWN
  %limit = at i64, %table + LIMIT
  %few = icmp ule i64 %count, %limit
  br i1 %few, label %try, label %general
try:
  %done = call ptr @core(ptr %owner, ptr %table, ptr %args, i64 %count)
  %missed = icmp eq ptr %done, %table
  br i1 %missed, label %general, label %end
end:
  ret ptr %done
general:
  %name = at ptr, %api + GENERAL
  %method = call ptr @PyObject_GetAttr(ptr %self, ptr %name)
  %lacks = icmp eq ptr %method, null
  br i1 %lacks, label %error, label %ask
ask:
  %answer = call ptr @PyObject_Vectorcall(ptr %method, ptr %args, i64 %flagged, ptr %names)
  call void @Py_DecRef(ptr %method)
  ret ptr %answer
error:
  ret ptr null
}

define ptr @strict(ptr %self, ptr %args, i64 %flagged, ptr %names) nounwind {
entry:
  %count = and i64 %flagged, 9223372036854775807
  %table = at ptr, %self + OWN
  %inputs = at i64, %table + INPUTS
  %all = icmp eq i64 %count, %inputs
  br i1 %all, label %try, label %no
try:
  %done = call ptr @core(ptr %self, ptr %table, ptr %args, i64 %count)
  %missed = icmp eq ptr %done, %table
  br i1 %missed, label %no, label %end
end:
  ret ptr %done
no:
  %api = at ptr, %table + API
  %answer = at ptr, %api + NOT_IMPLEMENTED
  call void @Py_IncRef(ptr %answer)
  ret ptr %answer
}
"""

# What stands in for all but runs until there is optimized code.
NOTHING_TEXT = """
define internal ptr @core(ptr %owner, ptr %table, ptr %args, i64 %count) nounwind {
  ret ptr %table
}
define i64 @sweep(ptr %owner, ptr %args, ptr %plan, ptr %order, i64 %batches, i64 %size) nounwind {
  ret i64 0
}
"""

TEXT = DECLARED + RUN_TEXT + ARGUMENT_TEXT + TURN_TEXT + OUTPUT_TEXT + CALL_TEXT + WAY_TEXT + SWEEP_TEXT
SMALL_TEXT = DECLARED + RUN_TEXT + NOTHING_TEXT + WAY_TEXT
ENTRY_DIGEST = hashlib.blake2b(
    repr((TEXT, ALL, FREE_THREADED)).encode(), digest_size=8
).hexdigest()  # of all it depends on


def entry_text(triple: str = "", layout: str = "", small: bool = False) -> str:
    """The module. The same Python and machine give the same text in every process. small: every call goes the slow way."""
    out = [f'target triple = "{triple}"'] * bool(triple) + [f'target datalayout = "{layout}"'] * bool(layout)
    for line in (SMALL_TEXT if small else TEXT).splitlines():
        if "@madvise" in line and "linux" not in triple:  # what others know by that name takes other requests
            continue
        line = re.sub(r"\b[A-Z][A-Z_0-9]+\b", lambda m: str(ALL.get(m[0], m[0])), line)
        out += _expanded(line, len(out))
    return "\n".join(out) + "\n"


def _expanded(line: str, number: int) -> list[str]:
    """A line of the text as lines of LLVM's; number makes names of addresses unique."""
    place = f"%at{number}"
    if found := re.fullmatch(r"  (%\S+) = at (\S+), (%\S+) \+ (\d+)", line):
        value, kind, base, offset = found.groups()
        return [f"  {place} = getelementptr i8, ptr {base}, i64 {offset}", f"  {value} = load {kind}, ptr {place}"]
    if found := re.fullmatch(r"  set (\S+) (\S+), (%\S+) \+ (\d+)", line):
        kind, value, base, offset = found.groups()
        return [f"  {place} = getelementptr i8, ptr {base}, i64 {offset}", f"  store {kind} {value}, ptr {place}"]
    if found := re.fullmatch(r"  (%\S+) = item (\S+), (%\S+)\[(%\S+)\]", line):
        value, kind, base, index = found.groups()
        return [f"  {place} = getelementptr {kind}, ptr {base}, i64 {index}", f"  {value} = load {kind}, ptr {place}"]
    if found := re.fullmatch(r"  (%\S+) = TAKE (%\S+)", line):
        value, cell = found.groups()
        if FREE_THREADED:
            return [f"  {value} = atomicrmw xchg ptr {cell}, ptr null acq_rel"]
        return [f"  {value} = load ptr, ptr {cell}", f"  store ptr null, ptr {cell}"]
    if found := re.fullmatch(r"  (%\S+) = GIVE (%\S+), (%\S+)", line):
        value, block, cell = found.groups()
        if FREE_THREADED:
            return [f"  {value} = atomicrmw xchg ptr {cell}, ptr {block} acq_rel"]
        return [f"  {value} = load ptr, ptr {cell}", f"  store ptr {block}, ptr {cell}"]
    return [line]
