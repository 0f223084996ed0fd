"""Scratch memory of the libraries' blocks: what is more than a little is kept apart from the stack, and used again.

A thread's stack may be small (128 KiB with some C libraries, whatever `threading.stack_size` was told), and how many blocks
there will be, and how large, is only known while a call runs; so a block borrows a room, of which the process keeps as many
as ever were in use at once. A room that was used a moment ago is still in a cache, too.
"""

from __future__ import annotations

from symdl.backends.llvm.module import Module

LITTLE = 8 << 10  # bytes that the stack has room for
WAITING = 32  # the rooms that are kept at most; more are given back to the system
ALIGNMENT = 64
CELL = f"getelementptr [{WAITING} x ptr], ptr @rooms, i64 0, i64 %k"

TEXT = f"""
; A room of so many bytes, or null: the stack is to be used. Before it stand its size and what the system gave.
define internal ptr @room(i64 %bytes) noinline nounwind {{
entry:
  %little = icmp ule i64 %bytes, {LITTLE}
  br i1 %little, label %stack, label %look
look:
  %k = phi i64 [ 0, %entry ], [ %k1, %next ]
  %cell = {CELL}
  %seen = load atomic ptr, ptr %cell monotonic, align 8
  %empty = icmp eq ptr %seen, null
  br i1 %empty, label %next, label %try
try:
  %found = atomicrmw xchg ptr %cell, ptr null acq_rel
  %lost = icmp eq ptr %found, null
  br i1 %lost, label %next, label %measure
measure:
  %size_at = getelementptr i8, ptr %found, i64 -{ALIGNMENT}
  %size = load i64, ptr %size_at
  %enough = icmp uge i64 %size, %bytes
  br i1 %enough, label %have, label %small
have:
  ret ptr %found
small:
  call void @dismiss(ptr %found)
  br label %make
next:
  %k1 = add i64 %k, 1
  %more = icmp ult i64 %k1, {WAITING}
  br i1 %more, label %look, label %make
make:
  %all = add i64 %bytes, {2 * ALIGNMENT}
  %fresh = call ptr @PyMem_RawMalloc(i64 %all)
  %failed = icmp eq ptr %fresh, null
  br i1 %failed, label %stack, label %made
made:
  %address = ptrtoint ptr %fresh to i64
  %past = add i64 %address, {2 * ALIGNMENT - 1}
  %start = and i64 %past, -{ALIGNMENT}
  %new = inttoptr i64 %start to ptr
  %bytes_at = getelementptr i8, ptr %new, i64 -{ALIGNMENT}
  store i64 %bytes, ptr %bytes_at
  %given_at = getelementptr i8, ptr %bytes_at, i64 8
  store ptr %fresh, ptr %given_at
  ret ptr %new
stack:
  ret ptr null
}}

; The room waits for the next one that asks.
define internal void @return(ptr %room) noinline nounwind {{
entry:
  %none = icmp eq ptr %room, null
  br i1 %none, label %end, label %look
look:
  %k = phi i64 [ 0, %entry ], [ %k1, %next ]
  %cell = {CELL}
  %seen = load atomic ptr, ptr %cell monotonic, align 8
  %empty = icmp eq ptr %seen, null
  br i1 %empty, label %put, label %next
put:
  %pair = cmpxchg ptr %cell, ptr null, ptr %room acq_rel monotonic
  %done = extractvalue {{ ptr, i1 }} %pair, 1
  br i1 %done, label %end, label %next
next:
  %k1 = add i64 %k, 1
  %more = icmp ult i64 %k1, {WAITING}
  br i1 %more, label %look, label %full
full:
  call void @dismiss(ptr %room)
  br label %end
end:
  ret void
}}

define internal void @dismiss(ptr %room) noinline nounwind {{
  %given_at = getelementptr i8, ptr %room, i64 {8 - ALIGNMENT}
  %given = load ptr, ptr %given_at
  call void @PyMem_RawFree(ptr %given)
  ret void
}}
"""


def add_rooms(module: Module) -> None:
    """What `Words.room` calls."""
    module.declarations |= {
        f"@rooms = internal global [{WAITING} x ptr] zeroinitializer",
        "declare ptr @PyMem_RawMalloc(i64)",
        "declare void @PyMem_RawFree(ptr)",
    }
    module.functions.append(TEXT)
