"""The scheduler, as LLVM IR: a launch block after block, a block warp after warp, from one barrier to the next.

A warp runs until all of its lanes wait at a barrier of the block, or are done; lanes that wait for their warp are released
by it alone, so that a shuffle hides no missing barrier. A thread is the coroutine `start(frame, parameters)`, which gives
back how to go on (null: it is done) and what it waits for.
"""

SCHEDULE = """
; ---- the scheduler ----
define internal ptr @record_of(ptr %records, i32 %k) nounwind alwaysinline {
  %p = getelementptr %record, ptr %records, i32 %k
  ret ptr %p
}

; 0, or 1 where the block cannot go on.
define internal i32 @run_block(ptr %start, ptr %parameters, ptr %records, i32 %n, ptr %order) nounwind {
entry:
  br label %init
init:
  %i = phi i32 [ 0, %entry ], [ %i1, %init ]
  %ir = call ptr @record_of(ptr %records, i32 %i)
  store i32 %i, ptr %ir
  %ip1 = getelementptr %record, ptr %ir, i32 0, i32 1
  %i.lane = and i32 %i, 31
  store i32 %i.lane, ptr %ip1
  %ip2 = getelementptr %record, ptr %ir, i32 0, i32 2
  %i.warp = lshr i32 %i, 5
  store i32 %i.warp, ptr %ip2
  %ip3 = getelementptr %record, ptr %ir, i32 0, i32 3
  store i32 RUNNING, ptr %ip3
  %ip4 = getelementptr %record, ptr %ir, i32 0, i32 4
  store ptr null, ptr %ip4
  %ip5 = getelementptr %record, ptr %ir, i32 0, i32 5
  store i32 0, ptr %ip5
  %ip8 = getelementptr %record, ptr %ir, i32 0, i32 8
  store i32 0, ptr %ip8
  %i1 = add i32 %i, 1
  %i.more = icmp slt i32 %i1, %n
  br i1 %i.more, label %init, label %stretch

stretch:  ; from one barrier to the next
  br label %warp
warp:
  %w = phi i32 [ 0, %stretch ], [ %w32, %warp.done ]
  %w32 = add i32 %w, 32
  %w.short = icmp slt i32 %w32, %n
  %w.end = select i1 %w.short, i32 %w32, i32 %n
  %p.own = getelementptr i32, ptr %order, i32 %w
  %own = load i32, ptr %p.own
  %base = and i32 %own, -32  ; the warp that stands here in the order
  %base32 = add i32 %base, 32
  %base.short = icmp slt i32 %base32, %n
  %base.end = select i1 %base.short, i32 %base32, i32 %n
  br label %pass

pass:  ; every lane of the warp that can run, once
  br label %lane
lane:
  %k = phi i32 [ %w, %pass ], [ %k1, %lane.next ]
  %syncing = phi i32 [ 0, %pass ], [ %syncing1, %lane.next ]
  %p.t = getelementptr i32, ptr %order, i32 %k
  %t = load i32, ptr %p.t
  %r = call ptr @record_of(ptr %records, i32 %t)
  %p.state = getelementptr %record, ptr %r, i32 0, i32 3
  %state = load i32, ptr %p.state
  %ready = icmp eq i32 %state, RUNNING
  br i1 %ready, label %go, label %lane.next
go:
  store ptr %r, ptr @thread
  %p.resume = getelementptr %record, ptr %r, i32 0, i32 4
  %resume = load ptr, ptr %p.resume
  %frame = getelementptr %record, ptr %r, i32 0, i32 10
  %new = icmp eq ptr %resume, null
  br i1 %new, label %begin, label %go.on
begin:
  %y0 = call %yielded %start(ptr %frame, ptr %parameters)
  br label %back
go.on:
  %y1 = call %yielded %resume(ptr %frame, i1 false)
  br label %back
back:
  %y = phi %yielded [ %y0, %begin ], [ %y1, %go.on ]
  %next = extractvalue %yielded %y, 0
  %wait = extractvalue %yielded %y, 1
  store ptr %next, ptr %p.resume
  %done = icmp eq ptr %next, null
  %state1 = select i1 %done, i32 0, i32 %wait
  store i32 %state1, ptr %p.state
  br label %lane.next
lane.next:
  %state2 = load i32, ptr %p.state
  %is.sync = icmp eq i32 %state2, WARP_SYNC
  %one = zext i1 %is.sync to i32
  %syncing1 = add i32 %syncing, %one
  %k1 = add i32 %k, 1
  %k.more = icmp slt i32 %k1, %w.end
  br i1 %k.more, label %lane, label %pass.done
pass.done:
  %any.sync = icmp sgt i32 %syncing1, 0
  br i1 %any.sync, label %release, label %warp.done

release:  ; lanes whose whole mask waits at the same place go on
  br label %try
try:
  %q = phi i32 [ %base, %release ], [ %q1, %tried ]
  %freed = phi i32 [ 0, %release ], [ %freed1, %tried ]
  %qr = call ptr @record_of(ptr %records, i32 %q)
  %qp.state = getelementptr %record, ptr %qr, i32 0, i32 3
  %q.state = load i32, ptr %qp.state
  %q.waits = icmp eq i32 %q.state, WARP_SYNC
  br i1 %q.waits, label %gather, label %tried
gather:
  %qp.mask = getelementptr %record, ptr %qr, i32 0, i32 7
  %q.mask = load i32, ptr %qp.mask
  %qp.site = getelementptr %record, ptr %qr, i32 0, i32 6
  %q.site = load i32, ptr %qp.site
  br label %member
member:
  %m = phi i32 [ %base, %gather ], [ %m1, %member ]
  %fits = phi i32 [ 0, %gather ], [ %fits1, %member ]
  %mr = call ptr @record_of(ptr %records, i32 %m)
  %mp.state = getelementptr %record, ptr %mr, i32 0, i32 3
  %m.state = load i32, ptr %mp.state
  %mp.mask = getelementptr %record, ptr %mr, i32 0, i32 7
  %m.mask = load i32, ptr %mp.mask
  %mp.site = getelementptr %record, ptr %mr, i32 0, i32 6
  %m.site = load i32, ptr %mp.site
  %m.waits = icmp eq i32 %m.state, WARP_SYNC
  %m.same = icmp eq i32 %m.mask, %q.mask
  %m.here = icmp eq i32 %m.site, %q.site
  %m.a = and i1 %m.waits, %m.same
  %m.fits = and i1 %m.a, %m.here
  %m.number = sub i32 %m, %base
  %m.bit = shl i32 1, %m.number
  %m.set = select i1 %m.fits, i32 %m.bit, i32 0
  %fits1 = or i32 %fits, %m.set
  %m1 = add i32 %m, 1
  %m.more = icmp slt i32 %m1, %base.end
  br i1 %m.more, label %member, label %judge
judge:
  %covered = and i32 %fits1, %q.mask
  %complete = icmp eq i32 %covered, %q.mask
  %q.number = sub i32 %q, %base
  %q.moved = lshr i32 %q.mask, %q.number
  %q.bit = and i32 %q.moved, 1
  %q.inside = icmp ne i32 %q.bit, 0
  %free = and i1 %complete, %q.inside
  br i1 %free, label %let.go, label %tried
let.go:
  br label %let
let:
  %e = phi i32 [ %base, %let.go ], [ %e1, %let.next ]
  %e.number = sub i32 %e, %base
  %e.moved = lshr i32 %q.mask, %e.number
  %e.bit = and i32 %e.moved, 1
  %e.in = icmp ne i32 %e.bit, 0
  br i1 %e.in, label %let.one, label %let.next
let.one:
  %er = call ptr @record_of(ptr %records, i32 %e)
  %ep.state = getelementptr %record, ptr %er, i32 0, i32 3
  store i32 RUNNING, ptr %ep.state
  br label %let.next
let.next:
  %e1 = add i32 %e, 1
  %e.more = icmp slt i32 %e1, %base.end
  br i1 %e.more, label %let, label %tried.free
tried.free:
  br label %tried
tried:
  %got = phi i32 [ 0, %try ], [ 0, %judge ], [ 1, %tried.free ]
  %freed1 = add i32 %freed, %got
  %q1 = add i32 %q, 1
  %q.more = icmp slt i32 %q1, %base.end
  br i1 %q.more, label %try, label %tried.all
tried.all:
  %some = icmp sgt i32 %freed1, 0
  br i1 %some, label %pass, label %split.warp

split.warp:  ; say it for the first lane that waits in vain
  br label %seek
seek:
  %s = phi i32 [ %base, %split.warp ], [ %s1, %seek.next ]
  %sr = call ptr @record_of(ptr %records, i32 %s)
  %sp.state = getelementptr %record, ptr %sr, i32 0, i32 3
  %s.state = load i32, ptr %sp.state
  %s.waits = icmp eq i32 %s.state, WARP_SYNC
  br i1 %s.waits, label %vain, label %seek.next
seek.next:
  %s1 = add i32 %s, 1
  br label %seek
vain:
  store ptr %sr, ptr @thread
  %sp.site = getelementptr %record, ptr %sr, i32 0, i32 6
  %s.site = load i32, ptr %sp.site
  %sp.mask = getelementptr %record, ptr %sr, i32 0, i32 7
  %s.mask = load i32, ptr %sp.mask
  br label %absent
absent:  ; and the first lane that it waits for
  %a = phi i32 [ %base, %vain ], [ %a1, %absent.next ]
  %ar = call ptr @record_of(ptr %records, i32 %a)
  %ap.state = getelementptr %record, ptr %ar, i32 0, i32 3
  %a.state = load i32, ptr %ap.state
  %ap.site = getelementptr %record, ptr %ar, i32 0, i32 6
  %a.site = load i32, ptr %ap.site
  %ap.mask = getelementptr %record, ptr %ar, i32 0, i32 7
  %a.mask = load i32, ptr %ap.mask
  %a.waits = icmp eq i32 %a.state, WARP_SYNC
  %a.same = icmp eq i32 %a.site, %s.site
  %a.with = icmp eq i32 %a.mask, %s.mask
  %a.x = and i1 %a.waits, %a.same
  %a.there = and i1 %a.x, %a.with
  br i1 %a.there, label %absent.next, label %told
absent.next:
  %a1 = add i32 %a, 1
  %a.more = icmp slt i32 %a1, %base.end
  br i1 %a.more, label %absent, label %told
told:
  %a.who = phi i32 [ %a, %absent ], [ %s, %absent.next ]
  call void @fault(i32 SPLIT_WARP, i32 %s.site, i32 %a.who, i64 0, i64 0, i64 0)
  ret i32 1

warp.done:
  %w.more = icmp slt i32 %w32, %n
  br i1 %w.more, label %warp, label %meet

meet:  ; everyone waits at a barrier, or is done
  br label %count
count:
  %c = phi i32 [ 0, %meet ], [ %c1, %count.next ]
  %waiting = phi i32 [ 0, %meet ], [ %waiting1, %count.next ]
  %finished = phi i32 [ -1, %meet ], [ %finished1, %count.next ]
  %held = phi i32 [ -1, %meet ], [ %held1, %count.next ]
  %cr = call ptr @record_of(ptr %records, i32 %c)
  %cp.state = getelementptr %record, ptr %cr, i32 0, i32 3
  %c.state = load i32, ptr %cp.state
  %c.waits = icmp eq i32 %c.state, BLOCK_SYNC
  %c.one = zext i1 %c.waits to i32
  %waiting1 = add i32 %waiting, %c.one
  %finished1 = select i1 %c.waits, i32 %finished, i32 %c
  %held1 = select i1 %c.waits, i32 %c, i32 %held
  br i1 %c.waits, label %same.place, label %count.next
same.place:  ; the lanes of a warp must wait at the same barrier
  store i32 RUNNING, ptr %cp.state
  %c.first = and i32 %c, -32
  %fr = call ptr @record_of(ptr %records, i32 %c.first)
  %fp.site = getelementptr %record, ptr %fr, i32 0, i32 6
  %f.site = load i32, ptr %fp.site
  %cp.site = getelementptr %record, ptr %cr, i32 0, i32 6
  %c.site = load i32, ptr %cp.site
  %c.agrees = icmp eq i32 %c.site, %f.site
  %fp.state = getelementptr %record, ptr %fr, i32 0, i32 3
  %f.state = load i32, ptr %fp.state
  %f.done = icmp eq i32 %f.state, 0
  %c.fine = or i1 %c.agrees, %f.done
  br i1 %c.fine, label %count.next, label %two.places
two.places:
  store ptr %cr, ptr @thread
  call void @fault(i32 TWO_BARRIERS, i32 %c.site, i32 %c.first, i64 0, i64 0, i64 0)
  ret i32 1
count.next:
  %c1 = add i32 %c, 1
  %c.more = icmp slt i32 %c1, %n
  br i1 %c.more, label %count, label %counted
counted:
  %nobody = icmp eq i32 %waiting1, 0
  br i1 %nobody, label %over, label %somebody
somebody:
  %everybody = icmp eq i32 %waiting1, %n
  br i1 %everybody, label %cross, label %split
cross:
  %now = load i32, ptr @interval
  %now1 = add i32 %now, 1
  store i32 %now1, ptr @interval
  br label %stretch
split:
  %hr = call ptr @record_of(ptr %records, i32 %held1)
  store ptr %hr, ptr @thread
  %hp.site = getelementptr %record, ptr %hr, i32 0, i32 6
  %h.site = load i32, ptr %hp.site
  call void @fault(i32 SPLIT_BARRIER, i32 %h.site, i32 %finished1, i64 0, i64 0, i64 0)
  ret i32 1
over:
  ret i32 0
}

define internal void @poison(ptr %table, i64 %count) nounwind {
entry:
  br label %top
top:
  %k = phi i64 [ 0, %entry ], [ %k1, %body ]
  %more = icmp ult i64 %k, %count
  br i1 %more, label %body, label %out
body:
  %r = getelementptr %region, ptr %table, i64 %k
  %begin = load i64, ptr %r
  %p.end = getelementptr %region, ptr %r, i32 0, i32 1
  %end = load i64, ptr %p.end
  %size = sub i64 %end, %begin
  %p = inttoptr i64 %begin to ptr
  call void @llvm.memset.p0.i64(ptr %p, i8 -1, i64 %size, i1 false)
  %k1 = add i64 %k, 1
  br label %top
out:
  ret void
}

define i32 @emu.run(ptr %setup, ptr %start, ptr %parameters) nounwind {
entry:
  %v0 = load ptr, ptr %setup
  store ptr %v0, ptr @regions
  %p1 = getelementptr %setup, ptr %setup, i32 0, i32 1
  %v1 = load i64, ptr %p1
  store i64 %v1, ptr @region_count
  %p2 = getelementptr %setup, ptr %setup, i32 0, i32 2
  %shared = load ptr, ptr %p2
  store ptr %shared, ptr @shared_regions
  %p3 = getelementptr %setup, ptr %setup, i32 0, i32 3
  %shared.count = load i64, ptr %p3
  store i64 %shared.count, ptr @shared_count
  %p4 = getelementptr %setup, ptr %setup, i32 0, i32 4
  %v4 = load ptr, ptr %p4
  store ptr %v4, ptr @faults
  store i32 0, ptr @fault_count
  %p5 = getelementptr %setup, ptr %setup, i32 0, i32 5
  %records = load ptr, ptr %p5
  %p6 = getelementptr %setup, ptr %setup, i32 0, i32 6
  %order = load ptr, ptr %p6
  %p7 = getelementptr %setup, ptr %setup, i32 0, i32 7
  %block.order = load ptr, ptr %p7
  %p8 = getelementptr %setup, ptr %setup, i32 0, i32 8
  %intervals = load ptr, ptr %p8
  %p9 = getelementptr %setup, ptr %setup, i32 0, i32 9
  %gx = load i64, ptr %p9
  %p10 = getelementptr %setup, ptr %setup, i32 0, i32 10
  %gy = load i64, ptr %p10
  %p11 = getelementptr %setup, ptr %setup, i32 0, i32 11
  %gz = load i64, ptr %p11
  %g1 = getelementptr i64, ptr @grid, i32 1
  %g2 = getelementptr i64, ptr @grid, i32 2
  store i64 %gx, ptr @grid
  store i64 %gy, ptr %g1
  store i64 %gz, ptr %g2
  %p12 = getelementptr %setup, ptr %setup, i32 0, i32 12
  %n64 = load i64, ptr %p12
  %n = trunc i64 %n64 to i32
  store i32 %n, ptr @threads
  %p13 = getelementptr %setup, ptr %setup, i32 0, i32 13
  %used = load i64, ptr %p13
  %used32 = trunc i64 %used to i32
  store i32 %used32, ptr @interval
  %start32 = add i32 %used32, 1
  store i32 %start32, ptr @launch_start
  %gxy = mul i64 %gx, %gy
  %blocks = mul i64 %gxy, %gz
  br label %block
block:
  %b = phi i64 [ 0, %entry ], [ %b1, %ran ]
  %more = icmp ult i64 %b, %blocks
  br i1 %more, label %run, label %end
run:
  %p.b = getelementptr i64, ptr %block.order, i64 %b
  %this = load i64, ptr %p.b
  store i64 %this, ptr @block
  %x = urem i64 %this, %gx
  %rest = udiv i64 %this, %gx
  %y = urem i64 %rest, %gy
  %z = udiv i64 %rest, %gy
  %l1 = getelementptr i64, ptr @place, i32 1
  %l2 = getelementptr i64, ptr @place, i32 2
  store i64 %x, ptr @place
  store i64 %y, ptr %l1
  store i64 %z, ptr %l2
  %now = load i32, ptr @interval
  %now1 = add i32 %now, 1
  store i32 %now1, ptr @interval
  store i32 %now1, ptr @block_start
  %p.i = getelementptr i32, ptr %intervals, i64 %b
  store i32 %now1, ptr %p.i
  call void @poison(ptr %shared, i64 %shared.count)
  %stuck = call i32 @run_block(ptr %start, ptr %parameters, ptr %records, i32 %n, ptr %order)
  %fine = icmp eq i32 %stuck, 0
  br i1 %fine, label %ran, label %end
ran:
  %b1 = add i64 %b, 1
  br label %block
end:
  %last = load i32, ptr @interval
  %last64 = zext i32 %last to i64
  store i64 %last64, ptr %p13
  %found = load i32, ptr @fault_count
  ret i32 %found
}
"""
