"""Shuffles, votes and tensor cores, as LLVM IR: what lanes of a warp show one another while all of them wait.

A lane shows up to SLOT bytes, waits for the lanes of its mask, and looks at theirs. There are two slots a lane, which take
turns: nobody can come back to one before everybody has left it.
"""

WARPS = """
; ---- warps ----
define internal ptr @slot(i32 %lane) nounwind alwaysinline {
  %r = load ptr, ptr @thread
  %p.warp = getelementptr %record, ptr %r, i32 0, i32 2
  %warp = load i32, ptr %p.warp
  %p.phase = getelementptr %record, ptr %r, i32 0, i32 5
  %phase = load i32, ptr %p.phase
  %side = and i32 %phase, 1
  %w2 = shl i32 %warp, 1
  %row = or i32 %w2, %side
  %row32 = shl i32 %row, 5
  %index = or i32 %row32, %lane
  %offset = mul i32 %index, SLOT
  %p = getelementptr i8, ptr @slots, i32 %offset
  ret ptr %p
}

; The number of lanes of the warp of the running thread, as a mask.
define internal i32 @existing() nounwind alwaysinline {
  %n = load i32, ptr @threads
  %w = call i32 @emu.warp()
  %first = mul i32 %w, 32
  %left = sub i32 %n, %first
  %full = icmp uge i32 %left, 32
  %odd = shl i32 1, %left
  %mask = sub i32 %odd, 1
  %result = select i1 %full, i32 -1, i32 %mask
  ret i32 %result
}

; Where a thread shows what it brings (up to SLOT bytes), before it waits for the lanes of the mask.
define ptr @emu.show(i32 %mask, i32 %site) nounwind {
  %r = load ptr, ptr @thread
  %p.site = getelementptr %record, ptr %r, i32 0, i32 6
  store i32 %site, ptr %p.site
  %p.mask = getelementptr %record, ptr %r, i32 0, i32 7
  %there = call i32 @existing()
  %real = and i32 %mask, %there
  store i32 %real, ptr %p.mask
  %l = call i32 @emu.lane()
  %p = call ptr @slot(i32 %l)
  ret ptr %p
}
define void @emu.arrive(i32 %site) nounwind {
  %r = load ptr, ptr @thread
  %p.site = getelementptr %record, ptr %r, i32 0, i32 6
  store i32 %site, ptr %p.site
  ret void
}
define internal void @turn() nounwind alwaysinline {
  %r = load ptr, ptr @thread
  %p = getelementptr %record, ptr %r, i32 0, i32 5
  %v = load i32, ptr %p
  %v1 = add i32 %v, 1
  store i32 %v1, ptr %p
  ret void
}
; A barrier of the warp has been passed.
define void @emu.passed() nounwind {
  %r = load ptr, ptr @thread
  %p = getelementptr %record, ptr %r, i32 0, i32 8
  %v = load i32, ptr %p
  %v1 = add i32 %v, 1
  store i32 %v1, ptr %p
  call void @turn()
  ret void
}
define ptr @emu.shown(i32 %lane) nounwind {
  %p = call ptr @slot(i32 %lane)
  ret ptr %p
}

; A shuffle, as PTX defines it: mode 0 up, 1 down, 2 butterfly, 3 index; bit 32 of the result says whether the source lay
; in its segment.
define i64 @emu.shuffle(i32 %mode, i32 %b, i32 %c, i32 %site) nounwind {
entry:
  %lane = call i32 @emu.lane()
  %upper = lshr i32 %c, 8
  %segment = and i32 %upper, 31
  %within = xor i32 %segment, 31
  %by = and i32 %b, 31
  %clamp = and i32 %c, 31
  %lowest = and i32 %lane, %segment
  %part = and i32 %clamp, %within
  %limit = or i32 %lowest, %part
  switch i32 %mode, label %index [ i32 0, label %up
    i32 1, label %down
    i32 2, label %butterfly ]
up:
  %j.up = sub i32 %lane, %by
  %p.up = icmp sge i32 %j.up, %limit
  br label %chosen
down:
  %j.down = add i32 %lane, %by
  %p.down = icmp sle i32 %j.down, %limit
  br label %chosen
butterfly:
  %j.xor = xor i32 %lane, %by
  %p.xor = icmp sle i32 %j.xor, %limit
  br label %chosen
index:
  %inner = and i32 %by, %within
  %j.index = or i32 %lowest, %inner
  %p.index = icmp sle i32 %j.index, %limit
  br label %chosen
chosen:
  %j = phi i32 [ %j.up, %up ], [ %j.down, %down ], [ %j.xor, %butterfly ], [ %j.index, %index ]
  %in = phi i1 [ %p.up, %up ], [ %p.down, %down ], [ %p.xor, %butterfly ], [ %p.index, %index ]
  %source = select i1 %in, i32 %j, i32 %lane
  %r = load ptr, ptr @thread
  %p.mask = getelementptr %record, ptr %r, i32 0, i32 7
  %mask = load i32, ptr %p.mask
  %moved = lshr i32 %mask, %source
  %bit = and i32 %moved, 1
  %absent = icmp eq i32 %bit, 0
  br i1 %absent, label %missing, label %take
missing:
  call void @fault(i32 MISSING_LANE, i32 %site, i32 %source, i64 0, i64 0, i64 0)
  br label %take
take:
  %p = call ptr @slot(i32 %source)
  %v = load i32, ptr %p
  call void @turn()
  %wide = zext i32 %v to i64
  %flag = zext i1 %in to i64
  %high = shl i64 %flag, 32
  %result = or i64 %wide, %high
  ret i64 %result
}

; One bit for each lane of the mask: the lowest of what it showed.
define i32 @emu.ballot() nounwind {
entry:
  %r = load ptr, ptr @thread
  %p.mask = getelementptr %record, ptr %r, i32 0, i32 7
  %mask = load i32, ptr %p.mask
  br label %lane
lane:
  %k = phi i32 [ 0, %entry ], [ %k1, %lane ]
  %sum = phi i32 [ 0, %entry ], [ %sum1, %lane ]
  %p = call ptr @slot(i32 %k)
  %v = load i32, ptr %p
  %bit = and i32 %v, 1
  %set = shl i32 %bit, %k
  %sum1 = or i32 %sum, %set
  %k1 = add i32 %k, 1
  %more = icmp ult i32 %k1, 32
  br i1 %more, label %lane, label %done
done:
  call void @turn()
  %result = and i32 %sum1, %mask
  ret i32 %result
}
; 0 all, 1 any, 2 the same in all
define i1 @emu.vote(i32 %kind) nounwind {
  %r = load ptr, ptr @thread
  %p.mask = getelementptr %record, ptr %r, i32 0, i32 7
  %mask = load i32, ptr %p.mask
  %bits = call i32 @emu.ballot()
  %all = icmp eq i32 %bits, %mask
  %any = icmp ne i32 %bits, 0
  %none = icmp eq i32 %bits, 0
  %same = or i1 %all, %none
  %is.any = icmp eq i32 %kind, 1
  %is.same = icmp eq i32 %kind, 2
  %r1 = select i1 %is.any, i1 %any, i1 %all
  %r2 = select i1 %is.same, i1 %same, i1 %r1
  ret i1 %r2
}

; One element of the 16 x 8 sums of mma.m16n8k8 in tf32, of which a lane has shown a0 to a3, b0, b1: the low 13 bits of an
; operand count for nothing. The hardware adds in an order and with roundings that nobody tells: here it is rounded once.
define internal float @multiplied(i32 %row, i32 %column, float %sum) nounwind {
entry:
  %lower = lshr i32 %row, 3
  %row8 = and i32 %row, 7
  %start = fpext float %sum to double
  br label %term
term:
  %k = phi i32 [ 0, %entry ], [ %k1, %term ]
  %s = phi double [ 0.0, %entry ], [ %s1, %term ]
  %k4 = and i32 %k, 3
  %later = lshr i32 %k, 2
  %a.first = mul i32 %row8, 4
  %a.lane = add i32 %a.first, %k4
  %later2 = mul i32 %later, 2
  %a.word = add i32 %lower, %later2
  %a.slot = call ptr @slot(i32 %a.lane)
  %a.at = getelementptr i32, ptr %a.slot, i32 %a.word
  %a.bits = load i32, ptr %a.at
  %a.cut = and i32 %a.bits, -8192
  %a.float = bitcast i32 %a.cut to float
  %a = fpext float %a.float to double
  %b.first = mul i32 %column, 4
  %b.lane = add i32 %b.first, %k4
  %b.word = add i32 %later, 4
  %b.slot = call ptr @slot(i32 %b.lane)
  %b.at = getelementptr i32, ptr %b.slot, i32 %b.word
  %b.bits = load i32, ptr %b.at
  %b.cut = and i32 %b.bits, -8192
  %b.float = bitcast i32 %b.cut to float
  %b = fpext float %b.float to double
  %product = fmul double %a, %b
  %s1 = fadd double %s, %product
  %k1 = add i32 %k, 1
  %more = icmp ult i32 %k1, 8
  br i1 %more, label %term, label %done
done:
  %total = fadd double %s1, %start
  %result = fptrunc double %total to float
  ret float %result
}
define { float, float, float, float } @emu.multiplied(float %c0, float %c1, float %c2, float %c3) nounwind {
entry:
  %there = call i32 @existing()
  %whole = icmp eq i32 %there, -1
  br i1 %whole, label %all, label %missing
missing:  ; lanes that do not exist bring nothing
  %r = load ptr, ptr @thread
  %p.site = getelementptr %record, ptr %r, i32 0, i32 6
  %site = load i32, ptr %p.site
  %count = call i32 @llvm.ctpop.i32(i32 %there)
  call void @fault(i32 MISSING_LANE, i32 %site, i32 %count, i64 0, i64 0, i64 0)
  br label %all
all:
  %lane = call i32 @emu.lane()
  %row = lshr i32 %lane, 2
  %row8 = add i32 %row, 8
  %pair = and i32 %lane, 3
  %left = mul i32 %pair, 2
  %right = add i32 %left, 1
  %d0 = call float @multiplied(i32 %row, i32 %left, float %c0)
  %d1 = call float @multiplied(i32 %row, i32 %right, float %c1)
  %d2 = call float @multiplied(i32 %row8, i32 %left, float %c2)
  %d3 = call float @multiplied(i32 %row8, i32 %right, float %c3)
  call void @turn()
  %v0 = insertvalue { float, float, float, float } undef, float %d0, 0
  %v1 = insertvalue { float, float, float, float } %v0, float %d1, 1
  %v2 = insertvalue { float, float, float, float } %v1, float %d2, 2
  %v3 = insertvalue { float, float, float, float } %v2, float %d3, 3
  ret { float, float, float, float } %v3
}
"""
