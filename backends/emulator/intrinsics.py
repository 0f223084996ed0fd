"""What the instructions of a GPU are on the CPU: places of a thread, synchronization, approximations, by their names in LLVM.

LLVM 22 spells some of them otherwise than LLVM 20; both spellings stand here.
"""

from __future__ import annotations

AXES = {"x": 0, "y": 1, "z": 2}
BLOCK_BARRIERS = frozenset(
    {"barrier0", "barrier.cta.sync.aligned.all", "barrier.cta.sync.all", "barrier.sync", "bar.sync", "bar0"}
)
WARP_BARRIERS = frozenset({"bar.warp.sync"})
SHUFFLES = ("up", "down", "bfly", "idx")  # in the order of emu.shuffle's modes
VOTES = ("all", "any", "uni")  # in the order of emu.vote's kinds
TENSOR_PRODUCT = "mma.m16n8k8.row.col.tf32"
FENCES = frozenset({"membar.cta", "membar.gl", "membar.sys", "fence.acq_rel.cta", "fence.acq_rel.gpu"})

# How a special register is read: the call that stands for it.
REGISTERS = {
    "tid.x": "call i32 @emu.tid()",
    "tid.y": "add i32 0, 0",
    "tid.z": "add i32 0, 0",
    "ntid.x": "call i32 @emu.threads()",
    "ntid.y": "add i32 1, 0",
    "ntid.z": "add i32 1, 0",
    "laneid": "call i32 @emu.lane()",
    "warpid": "call i32 @emu.warp()",
    "warpsize": "add i32 32, 0",
    **{f"ctaid.{axis}": f"call i32 @emu.place(i32 {k})" for axis, k in AXES.items()},
    **{f"nctaid.{axis}": f"call i32 @emu.grid(i32 {k})" for axis, k in AXES.items()},
}
RUNTIME_CALLS = """
declare ptr @emu.check(ptr, i64, i64, i32, i32)
declare i32 @emu.tid()
declare i32 @emu.threads()
declare i32 @emu.lane()
declare i32 @emu.warp()
declare i32 @emu.place(i32)
declare i32 @emu.grid(i32)
declare ptr @emu.show(i32, i32)
declare void @emu.arrive(i32)
declare void @emu.passed()
declare ptr @emu.shown(i32)
declare i64 @emu.shuffle(i32, i32, i32, i32)
declare i32 @emu.ballot()
declare i1 @emu.vote(i32)
declare { float, float, float, float } @emu.multiplied(float, float, float, float)
"""
COROUTINE_CALLS = """
%emu.yielded = type { ptr, i32 }
declare token @llvm.coro.id.retcon(i32, i32, ptr, ptr, ptr, ptr)
declare ptr @llvm.coro.begin(token, ptr)
declare i1 @llvm.coro.suspend.retcon.i1(...)
declare %emu.yielded @emu.proto(ptr, i1)
declare ptr @aligned_alloc(i64, i64)
declare void @free(ptr)
define internal ptr @emu.alloc(i32 %n) {
  %w = zext i32 %n to i64
  %more = add i64 %w, 63
  %all = and i64 %more, -64
  %p = call ptr @aligned_alloc(i64 64, i64 %all)
  ret ptr %p
}
"""


def _one(intrinsic: str, dtype: str = "float") -> tuple[str, str]:
    suffix = {"float": "f32", "double": "f64"}[dtype]
    name = f"@llvm.{intrinsic}.{suffix}"
    return f"%v = call {dtype} {name}({dtype} %a0)", f"declare {dtype} {name}({dtype})"


def _three(dtype: str) -> tuple[str, str]:
    suffix = {"float": "f32", "double": "f64"}[dtype]
    name = f"@llvm.fma.{suffix}"
    arguments = ", ".join(f"{dtype} %a{k}" for k in range(3))
    return f"%v = call {dtype} {name}({arguments})", f"declare {dtype} {name}({dtype}, {dtype}, {dtype})"


_SQRT, _SQRT_DECLARED = _one("sqrt")
_APPROXIMATE = {
    "ex2.approx": _one("exp2"),
    "lg2.approx": _one("log2"),
    "sin.approx": _one("sin"),
    "cos.approx": _one("cos"),
    "sqrt.approx": _one("sqrt"),
    "sqrt.rn": _one("sqrt"),
    "fabs": _one("fabs"),
    "rsqrt.approx": (_SQRT.replace("%v", "%s") + "\n  %v = fdiv float 1.0, %s", _SQRT_DECLARED),
    "rcp.approx": ("%v = fdiv float 1.0, %a0", ""),
    "rcp.rn": ("%v = fdiv float 1.0, %a0", ""),
    "div.approx": ("%v = fdiv float %a0, %a1", ""),
    "div.rn": ("%v = fdiv float %a0, %a1", ""),
    "fma.rn": _three("float"),
    "add.rn": ("%v = fadd float %a0, %a1", ""),
    "mul.rn": ("%v = fmul float %a0, %a1", ""),
}
# Ties away from zero; a NaN is the one that has all bits but the sign's.
_TF32 = """%b = bitcast float %a0 to i32
  %more = add i32 %b, 4096
  %cut = and i32 %more, -8192
  %nan = fcmp uno float %a0, 0.0
  %v = select i1 %nan, i32 2147483647, i32 %cut"""
# name -> (result type, operand type, body that gives %v from %a0, %a1, ..., what it declares). An approximation is the
# rounded function here; flushing of subnormal numbers (ftz) is not modelled.
FUNCTIONS: dict[str, tuple[str, str, str, str]] = {
    f"{name}{ftz}.{spelled}": ("float", "float", body, declared)
    for name, (body, declared) in _APPROXIMATE.items()
    for ftz in ("", ".ftz")
    for spelled in ("f", "f32")
} | {
    "sqrt.rn.d": ("double", "double", *_one("sqrt", "double")),
    "fabs.d": ("double", "double", *_one("fabs", "double")),
    "fma.rn.d": ("double", "double", *_three("double")),
    "add.rn.d": ("double", "double", "%v = fadd double %a0, %a1", ""),
    "mul.rn.d": ("double", "double", "%v = fmul double %a0, %a1", ""),
    "rcp.rn.d": ("double", "double", "%v = fdiv double 1.0, %a0", ""),
    "div.rn.d": ("double", "double", "%v = fdiv double %a0, %a1", ""),
    "f2tf32.rna": ("i32", "float", _TF32, ""),
}


def defined(name: str, operands: int) -> tuple[str, str]:
    """(The definition of the internal function @emu.n.NAME that stands for an intrinsic of FUNCTIONS, its declarations)."""
    result, kind, body, declared = FUNCTIONS[name]
    parameters = ", ".join(f"{kind} %a{k}" for k in range(operands))
    return (
        f"define internal {result} @emu.n.{name}({parameters}) alwaysinline {{\n  {body}\n  ret {result} %v\n}}\n",
        declared,
    )
