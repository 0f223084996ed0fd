"""Kernels written by hand, as LLVM IR for nvptx64, for the tests of the emulator and of what assembles PTX.

Each takes the status word first, then pointers and int64 numbers, as all kernels of symdl do.
"""

from __future__ import annotations

HEAD = """
target triple = "nvptx64-nvidia-cuda"
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare void @llvm.nvvm.barrier0()
declare void @llvm.nvvm.bar.warp.sync(i32)
declare float @llvm.nvvm.shfl.sync.bfly.f32(i32, float, i32, i32)
declare i32 @llvm.nvvm.shfl.sync.up.i32(i32, i32, i32, i32)
declare i32 @llvm.nvvm.shfl.sync.down.i32(i32, i32, i32, i32)
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)
declare { i32, i1 } @llvm.nvvm.shfl.sync.up.i32p(i32, i32, i32, i32)
declare i32 @llvm.nvvm.vote.ballot.sync(i32, i1)
declare i1 @llvm.nvvm.vote.all.sync(i32, i1)
declare i1 @llvm.nvvm.vote.any.sync(i32, i1)
declare float @llvm.nvvm.ex2.approx.f(float)
declare float @llvm.maxnum.f32(float, float)
"""
PLACES = """
  %t32 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b32 = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %n32 = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %g32 = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  %t = zext i32 %t32 to i64
  %b = zext i32 %b32 to i64
  %n = zext i32 %n32 to i64
  %g = zext i32 %g32 to i64
  %first = mul i64 %b, %n
  %k = add i64 %first, %t
  %all = mul i64 %n, %g
"""


def kernel(name: str, parameters: str, body: str, shared: str = "") -> str:
    """A module of one kernel, whose body finds its thread t in block b of n threads, and k, its number in the grid."""
    listed = "".join(f", {p}" for p in parameters.split(", ") if p)
    listed = listed.replace(", ptr ", ", ptr addrspace(1) ")
    return f"{HEAD}{shared}\ndefine ptx_kernel void @{name}(ptr addrspace(1) %status{listed}) {{\nentry:{PLACES}{body}\n}}\n"


def _over_warps(name: str, combine: str, value: str, again: bool) -> tuple[str, str]:
    """(lines, result): one value of 128 threads brought together, in each of them. again: the words that it passes through
    have been in use, and need a barrier before."""
    lines, last = [], value
    for step in (16, 8, 4, 2, 1):
        got, both = f"%{name}.s{step}", f"%{name}.c{step}"
        lines.append(f"{got} = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float {last}, i32 {step}, i32 31)")
        lines.append(combine.format(r=both, a=last, b=got))
        last = both
    lines += ["call void @llvm.nvvm.barrier0()"] * again
    lines += [
        f"%{name}.p = getelementptr float, ptr addrspace(3) @sums, i64 %warp",
        f"br i1 %leads, label %{name}.lead, label %{name}.met",
        f"{name}.lead:",
        f"store float {last}, ptr addrspace(3) %{name}.p, align 4",
        f"br label %{name}.met",
        f"{name}.met:",
        "call void @llvm.nvvm.barrier0()",
    ]
    last = ""
    for w in range(4):
        lines.append(f"%{name}.q{w} = getelementptr float, ptr addrspace(3) @sums, i64 {w}")
        lines.append(f"%{name}.v{w} = load float, ptr addrspace(3) %{name}.q{w}, align 4")
        if w:
            lines.append(combine.format(r=f"%{name}.t{w}", a=last, b=f"%{name}.v{w}"))
        last = f"%{name}.t{w}" if w else f"%{name}.v{w}"
    return "\n".join(line if line.endswith(":") else f"  {line}" for line in lines), last


def softmax() -> str:
    """y = softmax of each row of x, with columns n; a block of 128 threads a row, grid stride over the columns."""
    top, largest = _over_warps(
        "m", "{r} = call contract float @llvm.maxnum.f32(float {a}, float {b})", "%max", again=False
    )
    bottom, total = _over_warps("s", "{r} = fadd contract float {a}, {b}", "%sum", again=True)
    return kernel(
        "softmax",
        "ptr noalias %y, ptr noalias %x, i64 %columns",
        f"""
  %warp32 = lshr i32 %t32, 5
  %warp = zext i32 %warp32 to i64
  %lane = and i32 %t32, 31
  %leads = icmp eq i32 %lane, 0
  %row = mul i64 %b, %columns
  br label %find
find:
  %i = phi i64 [ %t, %entry ], [ %i1, %find.on ]
  %max = phi float [ 0xFFF0000000000000, %entry ], [ %max1, %find.on ]
  %i.in = icmp slt i64 %i, %columns
  br i1 %i.in, label %find.on, label %found
find.on:
  %i.at = add i64 %row, %i
  %i.p = getelementptr float, ptr addrspace(1) %x, i64 %i.at
  %i.v = load float, ptr addrspace(1) %i.p, align 4
  %max1 = call float @llvm.maxnum.f32(float %max, float %i.v)
  %i1 = add i64 %i, %n
  br label %find
found:
{top}
  br label %add
add:
  %j = phi i64 [ %t, %m.met ], [ %j1, %add.on ]
  %sum = phi float [ 0.0, %m.met ], [ %sum1, %add.on ]
  %j.in = icmp slt i64 %j, %columns
  br i1 %j.in, label %add.on, label %added
add.on:
  %j.at = add i64 %row, %j
  %j.p = getelementptr float, ptr addrspace(1) %x, i64 %j.at
  %j.v = load float, ptr addrspace(1) %j.p, align 4
  %j.d = fsub float %j.v, {largest}
  %j.m = fmul float %j.d, 0x3FF7154760000000
  %j.e = call float @llvm.nvvm.ex2.approx.f(float %j.m)
  %j.q = getelementptr float, ptr addrspace(1) %y, i64 %j.at
  store float %j.e, ptr addrspace(1) %j.q, align 4
  %sum1 = fadd float %sum, %j.e
  %j1 = add i64 %j, %n
  br label %add
added:
{bottom}
  br label %divide
divide:
  %l = phi i64 [ %t, %s.met ], [ %l1, %divide.on ]
  %l.in = icmp slt i64 %l, %columns
  br i1 %l.in, label %divide.on, label %done
divide.on:
  %l.at = add i64 %row, %l
  %l.p = getelementptr float, ptr addrspace(1) %y, i64 %l.at
  %l.v = load float, ptr addrspace(1) %l.p, align 4
  %l.r = fdiv float %l.v, {total}
  store float %l.r, ptr addrspace(1) %l.p, align 4
  %l1 = add i64 %l, %n
  br label %divide
done:
  ret void""",
        "@sums = internal addrspace(3) global [4 x float] undef, align 16",
    )


def transpose() -> str:
    """y[j, i] = x[i, j], in tiles of 32 x 32 (blocks: columns, rows), 128 threads; rows and columns multiples of 32."""
    return kernel(
        "transpose",
        "ptr noalias %y, ptr noalias %x, i64 %rows, i64 %columns",
        """
  %by32 = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  %by = zext i32 %by32 to i64
  %c = and i64 %t, 31
  %r0 = lshr i64 %t, 5
  %row0 = mul i64 %by, 32
  %column0 = mul i64 %b, 32
  br label %in
in:
  %r = phi i64 [ %r0, %entry ], [ %r1, %in ]
  %i = add i64 %row0, %r
  %j = add i64 %column0, %c
  %ic = mul i64 %i, %columns
  %at = add i64 %ic, %j
  %p = getelementptr float, ptr addrspace(1) %x, i64 %at
  %v = load float, ptr addrspace(1) %p, align 4
  %s = getelementptr [33 x float], ptr addrspace(3) @tile, i64 %r, i64 %c
  store float %v, ptr addrspace(3) %s, align 4
  %r1 = add i64 %r, 4
  %more = icmp slt i64 %r1, 32
  br i1 %more, label %in, label %meet
meet:
  call void @llvm.nvvm.barrier0()
  br label %out
out:
  %q = phi i64 [ %r0, %meet ], [ %q1, %out ]
  %s2 = getelementptr [33 x float], ptr addrspace(3) @tile, i64 %c, i64 %q
  %w = load float, ptr addrspace(3) %s2, align 4
  %j2 = add i64 %column0, %q
  %i2 = add i64 %row0, %c
  %jr = mul i64 %j2, %rows
  %at2 = add i64 %jr, %i2
  %p2 = getelementptr float, ptr addrspace(1) %y, i64 %at2
  store float %w, ptr addrspace(1) %p2, align 4
  %q1 = add i64 %q, 4
  %more2 = icmp slt i64 %q1, 32
  br i1 %more2, label %out, label %done
done:
  ret void""",
        "@tile = internal addrspace(3) global [32 x [33 x float]] undef, align 16",
    )


def scale() -> str:
    """y = 2 x, four elements at a time, grid stride; length a multiple of 4."""
    return kernel(
        "scale",
        "ptr %y, ptr %x, i64 %length",
        """
  %k4 = mul i64 %k, 4
  %step = mul i64 %all, 4
  br label %top
top:
  %i = phi i64 [ %k4, %entry ], [ %i1, %body ]
  %in = icmp slt i64 %i, %length
  br i1 %in, label %body, label %done
body:
  %p = getelementptr float, ptr addrspace(1) %x, i64 %i
  %v = load <4 x float>, ptr addrspace(1) %p, align 16
  %w = fadd contract <4 x float> %v, %v
  %q = getelementptr float, ptr addrspace(1) %y, i64 %i
  store <4 x float> %w, ptr addrspace(1) %q, align 16
  %i1 = add i64 %i, %step
  br label %top
done:
  ret void""",
    )


def counts() -> str:
    """Atomics on y[x[k]]: int32 add, and on one word each: int64 max, float32 add, float64 max, int32 by cmpxchg."""
    return kernel(
        "counts",
        "ptr %y, ptr %x, ptr %largest, ptr %sum, ptr %most, ptr %last, i64 %length",
        """
  br label %top
top:
  %i = phi i64 [ %k, %entry ], [ %i1, %next ]
  %in = icmp slt i64 %i, %length
  br i1 %in, label %body, label %done
body:
  %p = getelementptr i32, ptr addrspace(1) %x, i64 %i
  %v = load i32, ptr addrspace(1) %p, align 4
  %q = getelementptr i32, ptr addrspace(1) %y, i32 %v
  %o1 = atomicrmw add ptr addrspace(1) %q, i32 1 monotonic, align 4
  %o2 = atomicrmw max ptr addrspace(1) %largest, i64 %i monotonic, align 8
  %f = sitofp i32 %v to float
  %o3 = atomicrmw fadd ptr addrspace(1) %sum, float %f monotonic, align 4
  %d = sitofp i64 %i to double
  %o4 = atomicrmw fmax ptr addrspace(1) %most, double %d monotonic, align 8
  br label %try
try:
  %old = load atomic i32, ptr addrspace(1) %last monotonic, align 4
  %new = add i32 %old, 1
  %pair = cmpxchg ptr addrspace(1) %last, i32 %old, i32 %new monotonic monotonic, align 4
  %won = extractvalue { i32, i1 } %pair, 1
  br i1 %won, label %next, label %try
next:
  %i1 = add i64 %i, %all
  br label %top
done:
  ret void""",
    )


def exchanges() -> str:
    """Of 32 lanes: y[0] up by 3, y[1] down by 5, y[2] lane 7's, y[3] butterfly 1 in segments of 8, y[4] the flag of up,
    y[5] the ballot of odd lanes, y[6] all, y[7] any."""
    stores = "\n".join(
        f"  %q{i} = getelementptr [32 x i32], ptr addrspace(1) %y, i64 {i}, i64 %t\n"
        f"  store i32 {value}, ptr addrspace(1) %q{i}, align 4"
        for i, value in enumerate(("%up", "%down", "%seven", "%flip", "%told", "%odd", "%every", "%some"))
    )
    return kernel(
        "exchanges",
        "ptr %y",
        f"""
  %v = mul i32 %t32, 10
  %up = call i32 @llvm.nvvm.shfl.sync.up.i32(i32 -1, i32 %v, i32 3, i32 0)
  %down = call i32 @llvm.nvvm.shfl.sync.down.i32(i32 -1, i32 %v, i32 5, i32 31)
  %seven = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %v, i32 7, i32 31)
  %vf = bitcast i32 %v to float
  %flipped = call float @llvm.nvvm.shfl.sync.bfly.f32(i32 -1, float %vf, i32 1, i32 6175)
  %flip = bitcast float %flipped to i32
  %pair = call {{ i32, i1 }} @llvm.nvvm.shfl.sync.up.i32p(i32 -1, i32 %v, i32 3, i32 0)
  %flag = extractvalue {{ i32, i1 }} %pair, 1
  %told = zext i1 %flag to i32
  %isodd = trunc i32 %t32 to i1
  %odd = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %isodd)
  %every1 = call i1 @llvm.nvvm.vote.all.sync(i32 -1, i1 %isodd)
  %every = zext i1 %every1 to i32
  %some1 = call i1 @llvm.nvvm.vote.any.sync(i32 -1, i1 %isodd)
  %some = zext i1 %some1 to i32
{stores}
  ret void""",
    )
