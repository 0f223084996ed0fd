"""emu.check, as LLVM IR: where an access lies, whether it is aligned, who else was there.

Each byte of memory has a Cell: who wrote it last, who has read it, in which interval. Intervals between barriers are
numbered, and never start again: a number tells whether something was in this launch, in this block, or since the last
barrier. So two accesses of one byte, one of them a write, are a race where they lie in one interval and come from
two threads that no barrier of their warp parts, or in one launch and come from two blocks; atomic ones do not race with one another. Accesses through two
pointers, one of which was promised to have its memory for itself (`noalias`), are told as well.
"""

WATCH = """
; ---- memory ----
; The region that holds all of the bytes, or null: the last of those that begin at or before the first byte.
define internal ptr @region_of(ptr %table, i64 %count, i64 %at, i64 %size) nounwind {
entry:
  br label %halve
halve:
  %low = phi i64 [ 0, %entry ], [ %low1, %step ]
  %high = phi i64 [ %count, %entry ], [ %high1, %step ]
  %open = icmp ult i64 %low, %high
  br i1 %open, label %step, label %found
step:
  %sum = add i64 %low, %high
  %middle = lshr i64 %sum, 1
  %p = getelementptr %region, ptr %table, i64 %middle
  %begin = load i64, ptr %p
  %before = icmp ule i64 %begin, %at
  %after = add i64 %middle, 1
  %low1 = select i1 %before, i64 %after, i64 %low
  %high1 = select i1 %before, i64 %high, i64 %middle
  br label %halve
found:
  %none = icmp eq i64 %low, 0
  br i1 %none, label %no, label %look
look:
  %k = sub i64 %low, 1
  %r = getelementptr %region, ptr %table, i64 %k
  %p.end = getelementptr %region, ptr %r, i32 0, i32 1
  %end = load i64, ptr %p.end
  %last = add i64 %at, %size
  %holds = icmp ule i64 %last, %end
  %result = select i1 %holds, ptr %r, ptr null
  ret ptr %result
no:
  ret ptr null
}

; Whether a barrier of the warp parts what thread %a did at its sync %as from what %b does at %bs.
define internal i1 @parted(i16 %a, i16 %as, i16 %b, i16 %bs) nounwind alwaysinline {
  %aw = lshr i16 %a, 5
  %bw = lshr i16 %b, 5
  %warp = icmp eq i16 %aw, %bw
  %later = icmp ne i16 %as, %bs
  %both = and i1 %warp, %later
  %self = icmp eq i16 %a, %b
  %result = or i1 %both, %self
  ret i1 %result
}

define ptr @emu.check(ptr %p, i64 %size, i64 %alignment, i32 %kind, i32 %site) nounwind {
entry:
  %at = ptrtoint ptr %p to i64
  %s = load ptr, ptr @shared_regions
  %sn = load i64, ptr @shared_count
  %g = load ptr, ptr @regions
  %gn = load i64, ptr @region_count
  %bit.shared = and i32 %kind, SHARED
  %is.shared = icmp ne i32 %bit.shared, 0
  %bit.generic = and i32 %kind, GENERIC
  %is.generic = icmp ne i32 %bit.generic, 0
  %either = or i1 %is.shared, %is.generic
  br i1 %either, label %in.shared, label %in.device
in.shared:
  %r1 = call ptr @region_of(ptr %s, i64 %sn, i64 %at, i64 %size)
  %hit = icmp ne ptr %r1, null
  %stop = or i1 %hit, %is.shared
  br i1 %stop, label %looked, label %in.device
in.device:
  %r2 = call ptr @region_of(ptr %g, i64 %gn, i64 %at, i64 %size)
  br label %looked
looked:
  %r = phi ptr [ %r1, %in.shared ], [ %r2, %in.device ]
  %lies.shared = phi i1 [ true, %in.shared ], [ false, %in.device ]
  %outside = icmp eq ptr %r, null
  br i1 %outside, label %lost, label %inside
lost:  ; a generic pointer may be to the thread's own memory, which nobody else can touch
  br i1 %is.generic, label %good, label %refuse
refuse:
  call void @fault(i32 OUTSIDE, i32 %site, i32 -1, i64 0, i64 %at, i64 %size)
  ret ptr @scratch
inside:
  %mask = sub i64 %alignment, 1
  %low = and i64 %at, %mask
  %odd = icmp ne i64 %low, 0
  br i1 %odd, label %misaligned, label %aligned
misaligned:
  call void @fault(i32 MISALIGNED, i32 %site, i32 -1, i64 0, i64 %at, i64 %size)
  ret ptr @scratch
aligned:
  %begin = load i64, ptr %r
  %offset = sub i64 %at, %begin
  %p.cells = getelementptr %region, ptr %r, i32 0, i32 2
  %cells = load ptr, ptr %p.cells
  %untracked = icmp eq ptr %cells, null
  br i1 %untracked, label %good, label %track
track:
  %p.known = getelementptr %region, ptr %r, i32 0, i32 3
  %known = load ptr, ptr %p.known
  %bit.writes = and i32 %kind, WRITES
  %writes = icmp ne i32 %bit.writes, 0
  %bit.atomic = and i32 %kind, ATOMIC
  %atomic = icmp ne i32 %bit.atomic, 0
  %reads = icmp eq i32 %bit.writes, 0
  %needs = or i1 %reads, %atomic
  %now = load i32, ptr @interval
  %block.start = load i32, ptr @block_start
  %launch.begin = load i32, ptr @launch_start
  %launch.start = select i1 %lies.shared, i32 %block.start, i32 %launch.begin  ; each block has shared memory of its own
  %thread = call i32 @emu.tid()
  %me = trunc i32 %thread to i16
  %record = load ptr, ptr @thread
  %p.syncs = getelementptr %record, ptr %record, i32 0, i32 8
  %syncs = load i32, ptr %p.syncs
  %sync = trunc i32 %syncs to i16
  %through32 = lshr i32 %kind, 8
  %through = trunc i32 %through32 to i8
  %atomic8 = zext i1 %atomic to i8
  %any.through = icmp eq i8 %through, -1
  br label %byte
byte:
  %k = phi i64 [ 0, %track ], [ %k1, %stepped ]
  %place = add i64 %offset, %k
  %c = getelementptr %cell, ptr %cells, i64 %place
  %p.known.k = getelementptr i8, ptr %known, i64 %place
  %written = load i32, ptr %c
  br i1 %needs, label %initial, label %races
initial:
  br i1 %lies.shared, label %initial.shared, label %initial.device
initial.shared:
  %fresh = icmp uge i32 %written, %block.start
  br label %initialized
initial.device:
  %flag = load i8, ptr %p.known.k
  %flagged = icmp ne i8 %flag, 0
  br label %initialized
initialized:
  %has = phi i1 [ %fresh, %initial.shared ], [ %flagged, %initial.device ]
  br i1 %has, label %races, label %unwritten
unwritten:
  call void @fault(i32 UNWRITTEN, i32 %site, i32 -1, i64 0, i64 %at, i64 %size)
  br label %races

races:
  %p.writer = getelementptr %cell, ptr %c, i32 0, i32 1
  %writer = load i16, ptr %p.writer
  %p.wsync = getelementptr %cell, ptr %c, i32 0, i32 2
  %wsync = load i16, ptr %p.wsync
  %p.atomic = getelementptr %cell, ptr %c, i32 0, i32 10
  %was.atomic8 = load i8, ptr %p.atomic
  %was.atomic = icmp ne i8 %was.atomic8, 0
  %recent = icmp uge i32 %written, %launch.start
  %here = icmp uge i32 %written, %block.start
  %just = icmp eq i32 %written, %now
  %w.parted = call i1 @parted(i16 %writer, i16 %wsync, i16 %me, i16 %sync)
  %by.other = xor i1 %w.parted, true
  %just.other = and i1 %just, %by.other
  %unordered = select i1 %here, i1 %just.other, i1 true
  %both.atomic = and i1 %was.atomic, %atomic
  %one.plain = xor i1 %both.atomic, true
  %w1 = and i1 %recent, %unordered
  %race = and i1 %w1, %one.plain
  br i1 %race, label %race.written, label %aliasing
race.written:
  %writer32 = zext i16 %writer to i32
  %written64 = zext i32 %written to i64
  call void @fault(i32 RACE_WRITTEN, i32 %site, i32 %writer32, i64 %written64, i64 %at, i64 %size)
  br label %aliasing

aliasing:
  %p.wthrough = getelementptr %cell, ptr %c, i32 0, i32 11
  %wthrough = load i8, ptr %p.wthrough
  %known.wthrough = icmp ne i8 %wthrough, -1
  %other.wthrough = icmp ne i8 %wthrough, %through
  %known.through = xor i1 %any.through, true
  %a1 = and i1 %recent, %known.wthrough
  %a2 = and i1 %other.wthrough, %known.through
  %a3 = and i1 %a1, %a2
  br i1 %a3, label %aliased, label %readers
aliased:
  call void @fault(i32 ALIASED, i32 %site, i32 -1, i64 0, i64 %at, i64 %size)
  br label %readers

readers:
  %p.read = getelementptr %cell, ptr %c, i32 0, i32 3
  %p.reader = getelementptr %cell, ptr %c, i32 0, i32 4
  %p.rsync = getelementptr %cell, ptr %c, i32 0, i32 5
  %p.other = getelementptr %cell, ptr %c, i32 0, i32 6
  %p.osync = getelementptr %cell, ptr %c, i32 0, i32 7
  %p.first = getelementptr %cell, ptr %c, i32 0, i32 8
  %p.firster = getelementptr %cell, ptr %c, i32 0, i32 9
  %p.rthrough = getelementptr %cell, ptr %c, i32 0, i32 12
  %read = load i32, ptr %p.read
  %reader = load i16, ptr %p.reader
  %rsync = load i16, ptr %p.rsync
  %other = load i16, ptr %p.other
  %osync = load i16, ptr %p.osync
  %first = load i32, ptr %p.first
  %firster = load i16, ptr %p.firster
  %rthrough = load i8, ptr %p.rthrough
  %r.parted = call i1 @parted(i16 %reader, i16 %rsync, i16 %me, i16 %sync)
  %o.parted = call i1 @parted(i16 %other, i16 %osync, i16 %me, i16 %sync)
  %first.recent = icmp uge i32 %first, %launch.start
  %read.now = icmp eq i32 %read, %now
  br i1 %writes, label %write, label %read.it

write:
  %before.block = icmp ult i32 %first, %block.start
  %abroad = and i1 %first.recent, %before.block
  br i1 %abroad, label %race.abroad, label %race.here
race.abroad:
  %firster32 = zext i16 %firster to i32
  %first64 = zext i32 %first to i64
  call void @fault(i32 RACE_READ, i32 %site, i32 %firster32, i64 %first64, i64 %at, i64 %size)
  br label %race.here
race.here:
  %reader.other = xor i1 %r.parted, true
  %other.other = xor i1 %o.parted, true
  %somebody = or i1 %reader.other, %other.other
  %r.race = and i1 %read.now, %somebody
  br i1 %r.race, label %race.read, label %read.aliasing
race.read:
  %who = select i1 %reader.other, i16 %reader, i16 %other
  %who32 = zext i16 %who to i32
  %read64 = zext i32 %read to i64
  call void @fault(i32 RACE_READ, i32 %site, i32 %who32, i64 %read64, i64 %at, i64 %size)
  br label %read.aliasing
read.aliasing:
  %known.rthrough = icmp ne i8 %rthrough, -1
  %other.rthrough = icmp ne i8 %rthrough, %through
  %b1 = and i1 %first.recent, %known.rthrough
  %b2 = and i1 %other.rthrough, %known.through
  %b3 = and i1 %b1, %b2
  br i1 %b3, label %read.aliased, label %record.write
read.aliased:
  call void @fault(i32 ALIASED, i32 %site, i32 -1, i64 0, i64 %at, i64 %size)
  br label %record.write
record.write:
  store i32 %now, ptr %c
  store i16 %me, ptr %p.writer
  store i16 %sync, ptr %p.wsync
  store i8 %atomic8, ptr %p.atomic
  store i8 %through, ptr %p.wthrough
  br i1 %lies.shared, label %stepped, label %now.known
now.known:
  store i8 1, ptr %p.known.k
  br label %stepped

read.it:  ; an atomic read is like none: it races with plain writes only, and those are found above or leave no trace here
  br i1 %atomic, label %stepped, label %record.read
record.read:
  br i1 %first.recent, label %again, label %first.time
first.time:
  store i32 %now, ptr %p.first
  store i16 %me, ptr %p.firster
  store i8 %through, ptr %p.rthrough
  br label %again
again:
  br i1 %read.now, label %another, label %alone
another:
  br i1 %r.parted, label %renewed, label %second
renewed:
  store i16 %me, ptr %p.reader
  store i16 %sync, ptr %p.rsync
  br label %stepped
second:
  store i16 %me, ptr %p.other
  store i16 %sync, ptr %p.osync
  br label %stepped
alone:
  store i32 %now, ptr %p.read
  store i16 %me, ptr %p.reader
  store i16 %sync, ptr %p.rsync
  store i16 %me, ptr %p.other
  store i16 %sync, ptr %p.osync
  br label %stepped

stepped:
  %k1 = add i64 %k, 1
  %more = icmp ult i64 %k1, %size
  br i1 %more, label %byte, label %good
good:
  ret ptr %p
}
"""
