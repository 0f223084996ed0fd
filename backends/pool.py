"""One pool of threads for all kernels and products of the process: native code that takes chunks of a job.

    i64 parallel(body, context, chunks, pool)                      body(context, c) for c in 0..chunks-1, in any order, on
                                                                   any thread; 0 when all are done
    i64 spread(kernel, context, rounds, work, multiple, runtime)   kernel(context, first, end) for chunks of its rounds, or
                                                                   for all of them at once where that is little work

The size of a chunk follows from the work alone, and is a multiple of a number of rounds. Of several chunks that fail the
first one decides, as it would if they ran in order.

A job's chunks are cut into as many ranges as there are threads, each a ticket of 64 bits, end : first chunk not yet taken.
A thread takes chunks off the front of its own range by compare-and-swap, then off the ends of the others'; whoever finds
none leaves, and the caller waits for chunks, never for a worker. So a thread meets the same part of the arrays in one
kernel after the other, and in call after call: what it wrote lies in its own caches, and not in another's, which may be as
far as memory. Workers spin for a while, then sleep on a futex. A pool does one job at a time: who finds it busy (a second
caller, or a body that calls parallel) runs its chunks alone, in order.

Workers are Python's daemon threads inside one native call, without the interpreter's lock. They are started at the
first job that wants them. After a fork the child has none and starts its own at its own first job.
"""

from __future__ import annotations

import _thread
import ctypes
import hashlib
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from symdl.backends.llvm.module import RUNTIME

FUTEX = {"x86_64": 202, "amd64": 202, "aarch64": 98, "arm64": 98}  # number of the system call on Linux
WAIT, WAKE = 128, 129  # its operations, among the threads of one process
SPIN = 4000  # pauses of an idle worker before it sleeps, some 50 us: kernels of one call follow one another quicker
CALLER_SPIN = 20000  # pauses of a caller before it sleeps: the chunk that it waits for is being computed
# Work is counted in steps of about 10 ps of one thread.
WORTH = 800_000  # so much is spread: a sleeping worker is awake after some microseconds
GRAIN = 400_000  # of a chunk at least
MOST = 256  # chunks of a loop
LINE = 64  # bytes of a cache line
# Where the parts of a pool stand; what different threads write often stands in different cache lines.
LEFT, GENERATION, SLEEPERS, BODY, CONTEXT, RANGES = 0, 64, 68, 128, 136, 144
BUSY, CALLER_SLEEPS, THREADS, WORKERS, START, SYSCALL = 192, 196, 256, 260, 264, 272
LIMIT, FINEST = 280, 288  # WORTH and GRAIN of this pool
TICKETS, MOST_RANGES = 320, 64  # one a cache line
BYTES = TICKETS + MOST_RANGES * LINE

PAUSE = {
    "x86": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "arm": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
    "": ("", ""),
}

TEXT = """
{declare_pause}
define internal void @futex(ptr %pool, ptr %word, i64 %operation, i32 %value) {{
  %slot = getelementptr i8, ptr %pool, i64 {SYSCALL}
  %syscall = load ptr, ptr %slot
  %r = call i64 (i64, ...) %syscall(i64 {futex}, ptr %word, i64 %operation, i32 %value, ptr null, ptr null, i64 0)
  ret void
}}

; Take and run chunks until there are none: whose range is its own begins at the front.
define internal void @drain(ptr %pool, i32 %number) {{
  %p_left = getelementptr i8, ptr %pool, i64 {LEFT}
  %p_body = getelementptr i8, ptr %pool, i64 {BODY}
  %p_context = getelementptr i8, ptr %pool, i64 {CONTEXT}
  %p_ranges = getelementptr i8, ptr %pool, i64 {RANGES}
  %p_tickets = getelementptr i8, ptr %pool, i64 {TICKETS}
  %ranges = load atomic i32, ptr %p_ranges monotonic, align 4
  br label %range
range:
  %nth = phi i32 [ 0, %0 ], [ %nth.next, %following ]
  %before = phi i32 [ 0, %0 ], [ %done, %following ]
  %own = icmp eq i32 %nth, 0
  %turn = add i32 %number, %nth
  %which = urem i32 %turn, %ranges
  %wide = zext i32 %which to i64
  %place = mul i64 %wide, {LINE}
  %p_ticket = getelementptr i8, ptr %p_tickets, i64 %place
  %found = load atomic i64, ptr %p_ticket acquire, align 8
  br label %try
try:
  %ticket = phi i64 [ %found, %range ], [ %seen, %take ], [ %again, %run ]
  %done = phi i32 [ %before, %range ], [ %done, %take ], [ %one_more, %run ]
  %first = and i64 %ticket, 4294967295
  %end = lshr i64 %ticket, 32
  %open = icmp ult i64 %first, %end
  br i1 %open, label %take, label %following
take:
  %ahead = add i64 %ticket, 1
  %short = sub i64 %ticket, 4294967296
  %less = select i1 %own, i64 %ahead, i64 %short
  %swap = cmpxchg ptr %p_ticket, i64 %ticket, i64 %less seq_cst acquire
  %won = extractvalue {{ i64, i1 }} %swap, 1
  %seen = extractvalue {{ i64, i1 }} %swap, 0
  br i1 %won, label %run, label %try
run: ; what the job is cannot change before this chunk is done, and it is the one that the ticket belongs to now
  %body = load ptr, ptr %p_body
  %context = load ptr, ptr %p_context
  %last = sub i64 %end, 1
  %chunk = select i1 %own, i64 %first, i64 %last
  call void %body(ptr %context, i64 %chunk)
  %one_more = add i32 %done, 1
  %again = load atomic i64, ptr %p_ticket acquire, align 8
  br label %try
following:
  %nth.next = add i32 %nth, 1
  %others = icmp ult i32 %nth.next, %ranges
  br i1 %others, label %range, label %tell
tell:
  %any = icmp ne i32 %done, 0
  br i1 %any, label %count, label %out
count:
  %rest = atomicrmw sub ptr %p_left, i32 %done seq_cst
  %all = icmp eq i32 %rest, %done
  br i1 %all, label %over, label %out
over:
  %p_sleeps = getelementptr i8, ptr %pool, i64 {CALLER_SLEEPS}
  %sleeps = load atomic i32, ptr %p_sleeps seq_cst, align 4
  %asleep = icmp ne i32 %sleeps, 0
  br i1 %asleep, label %rouse, label %out
rouse:
  call void @futex(ptr %pool, ptr %p_left, i64 {WAKE}, i32 1)
  br label %out
out:
  ret void
}}

; So many workers more; in Python this would not be one step.
define void @hired(ptr %pool, i32 %more) {{
  %p_workers = getelementptr i8, ptr %pool, i64 {WORKERS}
  %before = atomicrmw add ptr %p_workers, i32 %more seq_cst
  ret void
}}

; The life of a worker, whose range has this number; it returns when there are more workers than wanted.
define void @worker(ptr %pool, i32 %number) {{
  %p_generation = getelementptr i8, ptr %pool, i64 {GENERATION}
  %p_sleepers = getelementptr i8, ptr %pool, i64 {SLEEPERS}
  %p_threads = getelementptr i8, ptr %pool, i64 {THREADS}
  %p_workers = getelementptr i8, ptr %pool, i64 {WORKERS}
  %first = load atomic i32, ptr %p_generation acquire, align 4
  br label %awake
awake:
  %now = phi i32 [ %first, %0 ], [ %next, %spin ], [ %after, %sleep ]
  br label %count
count:
  %threads = load atomic i32, ptr %p_threads seq_cst, align 4
  %workers = load atomic i32, ptr %p_workers seq_cst, align 4
  %many = icmp sge i32 %workers, %threads
  br i1 %many, label %resign, label %work
resign:
  %fewer = sub i32 %workers, 1
  %swap = cmpxchg ptr %p_workers, i32 %workers, i32 %fewer seq_cst seq_cst
  %free = extractvalue {{ i32, i1 }} %swap, 1
  br i1 %free, label %leave, label %count
leave:
  ret void
work:
  call void @drain(ptr %pool, i32 %number)
  br label %spin
spin:
  %i = phi i64 [ 0, %work ], [ %more, %idle ]
  %next = load atomic i32, ptr %p_generation acquire, align 4
  %new = icmp ne i32 %next, %now
  br i1 %new, label %awake, label %idle
idle:
  {pause}
  %more = add i64 %i, 1
  %again = icmp ult i64 %more, {SPIN}
  br i1 %again, label %spin, label %sleep
sleep:
  %s = atomicrmw add ptr %p_sleepers, i32 1 seq_cst
  call void @futex(ptr %pool, ptr %p_generation, i64 {WAIT}, i32 %now)
  %t = atomicrmw sub ptr %p_sleepers, i32 1 seq_cst
  %after = load atomic i32, ptr %p_generation acquire, align 4
  %changed = icmp ne i32 %after, %now
  br i1 %changed, label %awake, label %sleep
}}

define i64 @parallel(ptr %body, ptr %context, i64 %chunks, ptr %pool) {{
  %p_busy = getelementptr i8, ptr %pool, i64 {BUSY}
  %p_threads = getelementptr i8, ptr %pool, i64 {THREADS}
  %p_workers = getelementptr i8, ptr %pool, i64 {WORKERS}
  %p_left = getelementptr i8, ptr %pool, i64 {LEFT}
  %p_generation = getelementptr i8, ptr %pool, i64 {GENERATION}
  %p_sleeps = getelementptr i8, ptr %pool, i64 {CALLER_SLEEPS}
  %two = icmp sgt i64 %chunks, 1
  %few = icmp slt i64 %chunks, 2147483647
  %fits = and i1 %two, %few
  br i1 %fits, label %wanted, label %alone
wanted:
  %threads = load atomic i32, ptr %p_threads seq_cst, align 4
  %others = icmp sgt i32 %threads, 1
  br i1 %others, label %enter, label %alone
enter:
  %swap = cmpxchg ptr %p_busy, i32 0, i32 1 seq_cst seq_cst
  %got = extractvalue {{ i32, i1 }} %swap, 1
  br i1 %got, label %hire, label %alone
hire:
  %workers = load atomic i32, ptr %p_workers seq_cst, align 4
  %want = sub i32 %threads, 1
  %enough = icmp sge i32 %workers, %want
  br i1 %enough, label %post, label %start
start:
  %p_start = getelementptr i8, ptr %pool, i64 {START}
  %begin = load ptr, ptr %p_start
  call void %begin()
  br label %post
post:
  %p_body = getelementptr i8, ptr %pool, i64 {BODY}
  %p_context = getelementptr i8, ptr %pool, i64 {CONTEXT}
  %p_ranges = getelementptr i8, ptr %pool, i64 {RANGES}
  store ptr %body, ptr %p_body
  store ptr %context, ptr %p_context
  %many = icmp sgt i32 %threads, {MOST_RANGES}
  %ranges = select i1 %many, i32 {MOST_RANGES}, i32 %threads
  store atomic i32 %ranges, ptr %p_ranges monotonic, align 4
  %all = trunc i64 %chunks to i32
  store atomic i32 %all, ptr %p_left monotonic, align 4
  %of = zext i32 %ranges to i64
  br label %range
range:
  %k = phi i64 [ 0, %post ], [ %k.next, %range ]
  %first = phi i64 [ 0, %post ], [ %beyond, %range ]
  %k.next = add i64 %k, 1
  %part = mul i64 %chunks, %k.next
  %beyond = udiv i64 %part, %of
  %high = shl i64 %beyond, 32
  %ticket = or i64 %high, %first
  %place = mul i64 %k, {LINE}
  %from = add i64 %place, {TICKETS}
  %p_ticket = getelementptr i8, ptr %pool, i64 %from
  store atomic i64 %ticket, ptr %p_ticket release, align 8
  %further = icmp ult i64 %k.next, %of
  br i1 %further, label %range, label %publish
publish:
  %old = load i32, ptr %p_generation
  %generation = add i32 %old, 1
  store atomic i32 %generation, ptr %p_generation seq_cst, align 4
  %p_sleepers = getelementptr i8, ptr %pool, i64 {SLEEPERS}
  %sleepers = load atomic i32, ptr %p_sleepers seq_cst, align 4
  %asleep = icmp ne i32 %sleepers, 0
  br i1 %asleep, label %rouse, label %work
rouse:
  %most = sub i32 %all, 1
  call void @futex(ptr %pool, ptr %p_generation, i64 {WAKE}, i32 %most)
  br label %work
work:
  call void @drain(ptr %pool, i32 0)
  br label %spin
spin:
  %i = phi i64 [ 0, %work ], [ %more, %idle ]
  %left = load atomic i32, ptr %p_left acquire, align 4
  %done = icmp eq i32 %left, 0
  br i1 %done, label %free, label %idle
idle:
  {pause}
  %more = add i64 %i, 1
  %again = icmp ult i64 %more, {CALLER_SPIN}
  br i1 %again, label %spin, label %doze
doze:
  store atomic i32 1, ptr %p_sleeps seq_cst, align 4
  br label %look
look:
  %still = load atomic i32, ptr %p_left seq_cst, align 4
  %over = icmp eq i32 %still, 0
  br i1 %over, label %up, label %sleep
sleep:
  call void @futex(ptr %pool, ptr %p_left, i64 {WAIT}, i32 %still)
  br label %look
up:
  store atomic i32 0, ptr %p_sleeps seq_cst, align 4
  br label %free
free:
  store atomic i32 0, ptr %p_busy release, align 4
  ret i64 0
alone:
  %any = icmp sgt i64 %chunks, 0
  br i1 %any, label %each, label %out
each:
  %c = phi i64 [ 0, %alone ], [ %next, %each ]
  call void %body(ptr %context, i64 %c)
  %next = add i64 %c, 1
  %end = icmp eq i64 %next, %chunks
  br i1 %end, label %out, label %each
out:
  ret i64 0
}}

; One chunk of a job, which is: kernel, context, rounds of a chunk, rounds, what failed first (chunk, status).
define internal void @chunk(ptr %job, i64 %chunk) {{
  %p_context = getelementptr i64, ptr %job, i64 1
  %p_step = getelementptr i64, ptr %job, i64 2
  %p_rounds = getelementptr i64, ptr %job, i64 3
  %p_failed = getelementptr i64, ptr %job, i64 4
  %kernel = load ptr, ptr %job
  %context = load ptr, ptr %p_context
  %step = load i64, ptr %p_step
  %rounds = load i64, ptr %p_rounds
  %first = mul i64 %chunk, %step
  %beyond = add i64 %first, %step
  %inside = icmp ult i64 %beyond, %rounds
  %end = select i1 %inside, i64 %beyond, i64 %rounds
  %status = call i64 %kernel(ptr %context, i64 %first, i64 %end)
  %good = icmp eq i64 %status, 0
  br i1 %good, label %out, label %failed
failed:
  %high = shl i64 %chunk, 32
  %mark = or i64 %high, %status
  %old = atomicrmw umin ptr %p_failed, i64 %mark monotonic
  br label %out
out:
  ret void
}}

define i64 @spread(ptr %kernel, ptr %context, i64 %rounds, i64 %work, i64 %multiple, ptr %runtime) {{
  %p_pool = getelementptr ptr, ptr %runtime, i64 {pool_slot}
  %pool = load ptr, ptr %p_pool
  %p_limit = getelementptr i8, ptr %pool, i64 {LIMIT}
  %limit = load i64, ptr %p_limit
  %much = icmp sgt i64 %work, %limit
  br i1 %much, label %cut, label %whole
whole:
  %status = call i64 %kernel(ptr %context, i64 0, i64 %rounds)
  ret i64 %status
cut: ; so there are rounds
  %p_finest = getelementptr i8, ptr %pool, i64 {FINEST}
  %finest = load i64, ptr %p_finest
  %each = udiv i64 %work, %rounds
  %fine = udiv i64 %finest, %each
  %coarse = udiv i64 %rounds, {MOST}
  %finer = icmp ugt i64 %fine, %coarse
  %least = select i1 %finer, i64 %fine, i64 %coarse
  %parts = udiv i64 %least, %multiple
  %more = add i64 %parts, 1
  %step = mul i64 %more, %multiple
  %beyond = add i64 %rounds, %step
  %last = sub i64 %beyond, 1
  %chunks = udiv i64 %last, %step
  %job = alloca [8 x i64], align {LINE} ; alone in its cache line: all threads read it
  %p_context = getelementptr i64, ptr %job, i64 1
  %p_step = getelementptr i64, ptr %job, i64 2
  %p_rounds = getelementptr i64, ptr %job, i64 3
  %p_failed = getelementptr i64, ptr %job, i64 4
  store ptr %kernel, ptr %job
  store ptr %context, ptr %p_context
  store i64 %step, ptr %p_step
  store i64 %rounds, ptr %p_rounds
  store i64 -1, ptr %p_failed
  %done = call i64 @parallel(ptr @chunk, ptr %job, i64 %chunks, ptr %pool)
  %failed = load i64, ptr %p_failed
  %none = icmp eq i64 %failed, -1
  %code = and i64 %failed, 4294967295
  %found = select i1 %none, i64 0, i64 %code
  ret i64 %found
}}
"""


POOL_DIGEST = hashlib.sha256((TEXT + repr(RUNTIME)).encode()).hexdigest()[:16]


def pool_text(triple: str = "", data_layout: str = "") -> str:
    """The module of `parallel` and `worker`. It holds no address."""
    arm = triple.startswith(("aarch64", "arm64"))
    kind = "arm" if arm else "x86" if triple.startswith(("x86_64", "i686", "i386")) else ""
    declare, pause = PAUSE[kind]
    head = f'target triple = "{triple}"\n' * bool(triple) + f'target datalayout = "{data_layout}"\n' * bool(data_layout)
    places = {name: value for name, value in globals().items() if name.isupper() and isinstance(value, int)}
    return head + TEXT.format(
        declare_pause=declare,
        pause=pause,
        futex=FUTEX["aarch64" if arm else "x86_64"],
        pool_slot=RUNTIME.index("pool"),
        **places,
    )


def can_sleep() -> bool:
    """Whether threads can wait for one another here. Elsewhere than on Linux every job runs on its caller."""
    known = sys.platform == "linux" and platform.machine().lower() in FUTEX
    return known and ctypes.sizeof(ctypes.c_void_p) == 8


class Pool:
    """The memory of a pool in native code, and the threads that serve it.

    code keeps the machine code in memory; address(name) is where a function of it is.
    """

    def __init__(self, code: Any, address: Callable[[str], int], threads: int = 1) -> None:
        self.take(code, address)
        self._block = ctypes.create_string_buffer(BYTES + LINE)
        self.address = (ctypes.addressof(self._block) + LINE - 1) & -LINE
        worker = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32)
        self._worker = worker(address("worker"))  # lets go of the interpreter's lock
        self._hired = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32)(address("hired"))
        self._start = ctypes.CFUNCTYPE(None)(self._hire)
        self._word(START, ctypes.c_void_p).value = ctypes.cast(self._start, ctypes.c_void_p).value
        self.cut(WORTH, GRAIN)
        self._word(RANGES).value = 1  # a worker may be there before the first job is
        self.able = can_sleep()
        if self.able:
            self._word(SYSCALL, ctypes.c_void_p).value = ctypes.cast(ctypes.CDLL(None).syscall, ctypes.c_void_p).value
            os.register_at_fork(after_in_child=self._after_fork)
        self.resize(threads)
        # Workers are inside this code and memory until the process ends, so neither may ever be freed.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))

    def take(self, code: Any, address: Callable[[str], int]) -> None:
        """Run jobs by this code from here on. Workers stay in that of before, which does the same with the same memory."""
        self.code, self.parallel, self.spread = code, address("parallel"), address("spread")

    def _word(self, place: int, kind: Any = ctypes.c_int32) -> Any:
        return kind.from_address(self.address + place)

    @property
    def threads(self) -> int:
        """How many threads take part in a job, the caller being one of them."""
        return int(self._word(THREADS).value)

    def resize(self, threads: int) -> None:
        """Workers that are missing start at the next job; those too many leave when they are next awake."""
        self._word(THREADS).value = threads if self.able else 1

    def cut(self, worth: int, grain: int) -> None:
        """Loops of more work than worth are spread from now on, in chunks of about grain. Results do not depend on it."""
        self._word(LIMIT, ctypes.c_int64).value, self._word(FINEST, ctypes.c_int64).value = worth, grain

    @property
    def workers(self) -> int:
        """How many workers there are now."""
        return int(self._word(WORKERS).value)

    @property
    def jobs(self) -> int:
        """How many jobs have been shared out, modulo 2^32."""
        return int(self._word(GENERATION, ctypes.c_uint32).value)

    def _hire(self) -> None:
        """Start the workers that are missing. Called by native code that has the pool to itself.

        Where no more threads can be started, it stays at those that there are.
        """
        try:
            for _ in range(self.threads - 1 - self.workers):
                self._hired(self.address, 1)
                try:
                    _thread.start_new_thread(self._worker, (self.address, self.workers))
                except RuntimeError:
                    self._hired(self.address, -1)
                    self.resize(self.workers + 1)
                    break
        except KeyboardInterrupt:  # nothing can be raised through native code: let it come again behind the call
            _thread.interrupt_main()

    def _after_fork(self) -> None:
        """In the child there are no workers, and nobody is inside."""
        for place in (LEFT, SLEEPERS, BUSY, CALLER_SLEEPS, WORKERS):
            self._word(place).value = 0
        for k in range(MOST_RANGES):
            self._word(TICKETS + k * LINE, ctypes.c_int64).value = 0
