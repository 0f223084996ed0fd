"""The module that emulated kernels call and are run by, as LLVM IR.

i32 emu.run(setup, start, parameters)             one launch (layout.Setup); how many faults were noted
ptr emu.check(p, bytes, alignment, kind, site)    p, or scratch memory where an access there is refused
emu.tid, lane, warp, threads, place, grid         where the running thread is
emu.show, shown, turn, shuffle, ballot, vote      what lanes of a warp show one another
"""

from __future__ import annotations

import hashlib
import re

from symdl.backends.emulator.layout import NUMBERS
from symdl.backends.emulator.schedule_text import SCHEDULE
from symdl.backends.emulator.warp_text import WARPS
from symdl.backends.emulator.watch_text import WATCH

BASE = """
%cell = type { i32, i16, i16, i32, i16, i16, i16, i16, i32, i16, i8, i8, i8, [3 x i8] }
%region = type { i64, i64, ptr, ptr }
%fault = type { i32, i32, i32, i32, i64, i64, i64, i64 }
; a thread: its number, lane, warp, what it waits for, how it goes on, turns of its slot, where it waits, with which lanes,
; barriers of its warp
%record = type { i32, i32, i32, i32, ptr, i32, i32, i32, i32, [24 x i8], [FRAME x i8] }
%setup = type { ptr, i64, ptr, i64, ptr, ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64 }
%yielded = type { ptr, i32 }

@regions = internal global ptr null
@region_count = internal global i64 0
@shared_regions = internal global ptr null
@shared_count = internal global i64 0
@faults = internal global ptr null
@fault_count = internal global i32 0
@thread = internal global ptr null
@interval = internal global i32 0
@launch_start = internal global i32 0
@block_start = internal global i32 0
@block = internal global i64 0
@grid = internal global [3 x i64] zeroinitializer
@place = internal global [3 x i64] zeroinitializer
@threads = internal global i32 0
@slots = internal global [SLOTS x i8] zeroinitializer, align 64
@scratch = internal global [256 x i8] zeroinitializer, align 64

declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i32 @llvm.ctpop.i32(i32)

; ---- where a thread is ----
define i32 @emu.tid() nounwind {
  %r = load ptr, ptr @thread
  %v = load i32, ptr %r
  ret i32 %v
}
define i32 @emu.lane() nounwind {
  %r = load ptr, ptr @thread
  %p = getelementptr %record, ptr %r, i32 0, i32 1
  %v = load i32, ptr %p
  ret i32 %v
}
define i32 @emu.warp() nounwind {
  %r = load ptr, ptr @thread
  %p = getelementptr %record, ptr %r, i32 0, i32 2
  %v = load i32, ptr %p
  ret i32 %v
}
define i32 @emu.threads() nounwind {
  %v = load i32, ptr @threads
  ret i32 %v
}
define i32 @emu.place(i32 %axis) nounwind {
  %p = getelementptr i64, ptr @place, i32 %axis
  %v = load i64, ptr %p
  %n = trunc i64 %v to i32
  ret i32 %n
}
define i32 @emu.grid(i32 %axis) nounwind {
  %p = getelementptr i64, ptr @grid, i32 %axis
  %v = load i64, ptr %p
  %n = trunc i64 %v to i32
  ret i32 %n
}

; ---- faults ----
; Once for each kind and site, so that a loop over a bad access is one fault.
define internal void @fault(i32 %kind, i32 %site, i32 %other, i64 %interval, i64 %at, i64 %size) nounwind noinline {
entry:
  %n = load i32, ptr @fault_count
  %list = load ptr, ptr @faults
  %kept = icmp ult i32 %n, MOST_FAULTS
  %last = select i1 %kept, i32 %n, i32 MOST_FAULTS
  br label %look
look:
  %k = phi i32 [ 0, %entry ], [ %k1, %next ]
  %more = icmp ult i32 %k, %last
  br i1 %more, label %compare, label %new
compare:
  %f = getelementptr %fault, ptr %list, i32 %k
  %its.kind = load i32, ptr %f
  %p.site = getelementptr %fault, ptr %f, i32 0, i32 1
  %its.site = load i32, ptr %p.site
  %same.kind = icmp eq i32 %its.kind, %kind
  %same.site = icmp eq i32 %its.site, %site
  %same = and i1 %same.kind, %same.site
  br i1 %same, label %out, label %next
next:
  %k1 = add i32 %k, 1
  br label %look
new:
  %n1 = add i32 %n, 1
  store i32 %n1, ptr @fault_count
  br i1 %kept, label %note, label %out
note:
  %g = getelementptr %fault, ptr %list, i32 %n
  store i32 %kind, ptr %g
  %p1 = getelementptr %fault, ptr %g, i32 0, i32 1
  store i32 %site, ptr %p1
  %p2 = getelementptr %fault, ptr %g, i32 0, i32 2
  %t = call i32 @emu.tid()
  store i32 %t, ptr %p2
  %p3 = getelementptr %fault, ptr %g, i32 0, i32 3
  store i32 %other, ptr %p3
  %p4 = getelementptr %fault, ptr %g, i32 0, i32 4
  %b = load i64, ptr @block
  store i64 %b, ptr %p4
  %p5 = getelementptr %fault, ptr %g, i32 0, i32 5
  store i64 %at, ptr %p5
  %p6 = getelementptr %fault, ptr %g, i32 0, i32 6
  store i64 %size, ptr %p6
  %p7 = getelementptr %fault, ptr %g, i32 0, i32 7
  store i64 %interval, ptr %p7
  br label %out
out:
  ret void
}
"""


def module_text(triple: str = "", layout: str = "") -> str:
    """The module: the same for every kernel."""
    head = [f'target triple = "{triple}"'] * bool(triple) + [f'target datalayout = "{layout}"'] * bool(layout)
    body = re.sub(r"\b[A-Z][A-Z_]+\b", lambda m: str(NUMBERS.get(m[0], m[0])), BASE + WATCH + WARPS + SCHEDULE)
    return "\n".join(head) + body


DIGEST = hashlib.sha256(module_text().encode()).hexdigest()[:16]
