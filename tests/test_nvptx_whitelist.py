"""What may be given to LLVM for NVPTX: all that is listed translates, and nothing else gets there."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from typing import Any

import llvmlite.binding as llvm
import pytest
import test_vmath
import wide_code
from agree import DTYPES
from gpu_kernels import HEAD, counts, exchanges, scale, softmax, transpose

from symdl.backends.nvptx.assemble import OLDEST
from symdl.backends.nvptx.ptx import ptx
from symdl.backends.nvptx.whitelist import BY_TYPE, LATER, known, verify_ptx_safe
from symdl.backends.primitives import PRIMITIVES, kind
from symdl.backends.wide.primitives import EMIT as WIDE_EMIT
from symdl.errors import InternalError
from symdl.number_forms import LIMBS

TYPES = {"f32": "float", "f64": "double", **{f"i{n}": f"i{n}" for n in (1, 8, 16, 32, 64, 320)}}
THREE = {"fma", "fmuladd", "fshl", "fshr"}
FLAGGED = {"ctlz", "cttz", "abs"}  # take an i1 as well
ONE = {
    "sqrt",
    "fabs",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "nearbyint",
    "roundeven",
    "round",
    "ctpop",
    "bitreverse",
    "bswap",
}


def functions() -> list[tuple[str, str]]:
    """(name, module) of a call of every listed intrinsic, by type."""
    found = []
    for stem, types in sorted(BY_TYPE.items()):
        for suffix in sorted(types):
            kind, result, name, operands = TYPES[suffix], TYPES[suffix], f"{stem}.{suffix}", []
            if stem.endswith(".sat") and stem.startswith("fpto"):
                kind, name = "float", f"{stem}.{suffix}.f32"
                operands = ["float %a"]
            elif stem.startswith("vector.reduce."):
                kind, name = f"<4 x {kind}>", f"{stem}.v4{suffix}"
                operands = [f"{kind} %a"]
                if stem.endswith((".fadd", ".fmul")):
                    operands.insert(0, f"{result} 0.0")
            else:
                number = 3 if stem in THREE else 1 if stem in ONE | FLAGGED else 2
                operands = [f"{kind} %a"] * number + ["i1 false"] * (stem in FLAGGED)
                result = f"{{ {kind}, i1 }}" if stem.endswith(".with.overflow") else kind
            if suffix == "i320":  # no parameter and no result, which LLVM 20 would not take
                found.append((name, _long(name, ["i320 %a"] * (stem == "umin") + ["i1 false"] * (stem == "ctlz"))))
                continue
            taken = ", ".join(o.split(" ")[0] if not o.startswith("<") else kind for o in operands)
            found.append(
                (
                    name,
                    f"declare {result} @llvm.{name}({taken})\ndefine {result} @f({kind} %a) {{\n"
                    f"  %r = call {result} @llvm.{name}({', '.join(operands)})\n  ret {result} %r\n}}\n",
                )
            )
    plain = {
        "gather": "declare <2 x i64> @llvm.masked.gather.v2i64.v2p0(<2 x ptr>, i32, <2 x i1>, <2 x i64>)\n"
        "define <2 x i64> @f(<2 x ptr> %p, <2 x i1> %m) {\n  %r = call <2 x i64> @llvm.masked.gather.v2i64.v2p0("
        "<2 x ptr> %p, i32 8, <2 x i1> %m, <2 x i64> zeroinitializer)\n  ret <2 x i64> %r\n}\n",
        "scatter": "declare void @llvm.masked.scatter.v2f32.v2p1(<2 x float>, <2 x ptr addrspace(1)>, i32, <2 x i1>)\n"
        "define void @f(<2 x ptr addrspace(1)> %p, <2 x i1> %m) {\n  call void @llvm.masked.scatter.v2f32.v2p1("
        "<2 x float> zeroinitializer, <2 x ptr addrspace(1)> %p, i32 4, <2 x i1> %m)\n  ret void\n}\n",
        "load": "declare <4 x float> @llvm.masked.load.v4f32.p1(ptr addrspace(1), i32, <4 x i1>, <4 x float>)\n"
        "define <4 x float> @f(ptr addrspace(1) %p, <4 x i1> %m) {\n  %r = call <4 x float> @llvm.masked.load.v4f32.p1("
        "ptr addrspace(1) %p, i32 4, <4 x i1> %m, <4 x float> zeroinitializer)\n  ret <4 x float> %r\n}\n",
        "store": "declare void @llvm.masked.store.v4f32.p1(<4 x float>, ptr addrspace(1), i32, <4 x i1>)\n"
        "define void @f(ptr addrspace(1) %p, <4 x i1> %m) {\n  call void @llvm.masked.store.v4f32.p1("
        "<4 x float> zeroinitializer, ptr addrspace(1) %p, i32 4, <4 x i1> %m)\n  ret void\n}\n",
        "ldexp": "declare float @llvm.ldexp.f32.i32(float, i32)\ndefine float @f(float %a, i32 %n) {\n"
        "  %r = call float @llvm.ldexp.f32.i32(float %a, i32 %n)\n  ret float %r\n}\n",
        "is.fpclass": "declare i1 @llvm.is.fpclass.f64(double, i32)\ndefine i1 @f(double %a) {\n"
        "  %r = call i1 @llvm.is.fpclass.f64(double %a, i32 3)\n  ret i1 %r\n}\n",
        "memcpy": "declare void @llvm.memcpy.p1.p1.i64(ptr addrspace(1), ptr addrspace(1), i64, i1)\n"
        "define void @f(ptr addrspace(1) %a, ptr addrspace(1) %b, i64 %n) {\n  call void @llvm.memcpy.p1.p1.i64("
        "ptr addrspace(1) %a, ptr addrspace(1) %b, i64 %n, i1 false)\n  ret void\n}\n",
        "trap": "declare void @llvm.trap()\ndefine void @f() {\n  call void @llvm.trap()\n  unreachable\n}\n",
    }
    return [*found, *plain.items()]


def _long(name: str, others: list[str]) -> str:
    operands = ["i320 %a", *others]
    return (
        f"declare i320 @llvm.{name}({', '.join(o.split(' ')[0] for o in operands)})\n"
        "define void @f(ptr addrspace(1) %p) {\n  %a = load i320, ptr addrspace(1) %p, align 8\n"
        f"  %r = call i320 @llvm.{name}({', '.join(operands)})\n"
        "  store i320 %r, ptr addrspace(1) %p, align 8\n  ret void\n}\n"
    )


COMPILE = """
import json, sys
import llvmlite.binding as llvm
texts, cpu = json.load(sys.stdin)
llvm.initialize_all_targets(); llvm.initialize_all_asmprinters()
target = llvm.Target.from_triple("nvptx64-nvidia-cuda")
machine = target.create_target_machine(cpu=cpu, features="", opt=1)
for name, text in texts:
    print(name, flush=True)
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = "nvptx64-nvidia-cuda", str(machine.target_data)
    module.verify()
    made = machine.emit_assembly(module)
    assert ".extern" not in made, name
"""


def compiled_apart(texts: list[tuple[str, str]], cpu: str = "sm_75") -> subprocess.CompletedProcess[str]:
    """Translate in a process of its own, since LLVM may end it."""
    return subprocess.run(
        [sys.executable, "-c", COMPILE],
        input=json.dumps([texts, cpu]),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_all_that_is_listed_translates() -> None:
    texts = functions()
    assert len(texts) > 150
    for _, text in texts:
        verify_ptx_safe(text, OLDEST)
    done = compiled_apart(texts)
    assert done.returncode == 0, done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-3:]


def test_what_newer_devices_have_translates_for_them() -> None:
    four = "{ float, float, float, float }"
    name = "mma.m16n8k8.row.col.tf32"
    texts = {
        "f2tf32.rna": "declare i32 @llvm.nvvm.f2tf32.rna(float)\ndefine i32 @f(float %a) {\n"
        "  %r = call i32 @llvm.nvvm.f2tf32.rna(float %a)\n  ret i32 %r\n}\n",
        name: f"declare {four} @llvm.nvvm.{name}({', '.join(['i32'] * 6 + ['float'] * 4)})\n"
        f"define {four} @f(i32 %a, float %c) {{\n  %r = call {four} @llvm.nvvm.{name}("
        f"{', '.join(['i32 %a'] * 6 + ['float %c'] * 4)})\n  ret {four} %r\n}}\n",
    }
    assert texts.keys() == LATER.keys()
    for one, text in texts.items():
        major, minor = LATER[one]
        verify_ptx_safe(text, (major, minor))
        with pytest.raises(InternalError, match=one):
            verify_ptx_safe(text, OLDEST)
        done = compiled_apart([(one, text)], f"sm_{major}{minor}")
        assert done.returncode == 0, done.stderr.splitlines()[-3:]


@pytest.mark.parametrize("lanes", [0, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint64", "bool", *sorted(LIMBS)])
def test_every_primitive_translates(dtype: str, lanes: int) -> None:
    """As LLVM's vector math and number forms write it, for one element or several."""
    if dtype in LIMBS:
        wide = [
            (name, dtype, "bool" if PRIMITIVES[name].result == "bool" else dtype, lanes, True) for name in WIDE_EMIT
        ]
        wide += [("cast", dtype, after, lanes, True) for after in ("float32", "float64")]
        texts, declared = zip(*map(wide_code.function_text, wide), strict=True)
        text = "\n".join([*sorted(set().union(*declared)), *texts])
    else:
        rows = [
            (name, dtype, test_vmath.result_dtype(name, dtype), lanes, True)
            for name, row in PRIMITIVES.items()
            if name != "cast" and kind(dtype) in row.accepts
        ]
        rows += [("cast", dtype, after, lanes, True) for after in DTYPES]
        text = test_vmath.module_text(rows)
    verify_ptx_safe(text, OLDEST)
    done = compiled_apart([(dtype, text)])
    assert done.returncode == 0, done.stderr.splitlines()[-3:]


def test_what_the_list_is_for() -> None:
    """llvm.exp ends the process; were it otherwise one day, the list could go."""
    text = (
        "declare float @llvm.exp.f32(float)\ndefine float @f(float %a) {\n  %r = call float @llvm.exp.f32(float %a)\n"
    )
    assert compiled_apart([("exp.f32", text + "  ret float %r\n}\n")]).returncode != 0


def planted(line: str, declared: str = "") -> str:
    return (
        f"{declared}\ndefine ptx_kernel void @k(ptr addrspace(1) %status, ptr addrspace(1) %x, i64 %n) {{\nentry:\n"
        f"  %v = load float, ptr addrspace(1) %x, align 4\n  {line}\n  ret void\n}}\n"
    )


@pytest.mark.parametrize(
    ("line", "declared", "what"),
    [
        ("%r = call float @llvm.exp.f32(float %v)", "declare float @llvm.exp.f32(float)", r"llvm\.exp\.f32"),
        ("%r = call float @llvm.exp2.f32(float %v)", "declare float @llvm.exp2.f32(float)", r"llvm\.exp2"),
        ("%r = call <2 x float> @llvm.log.v2f32(<2 x float> zeroinitializer)", "", r"llvm\.log\.v2f32"),
        ("%r = call half @llvm.sqrt.f16(half 0xH0000)", "declare half @llvm.sqrt.f16(half)", r"llvm\.sqrt\.f16"),
        ("%r = call float @expf(float %v)", "declare float @expf(float)", "a call of expf, which nobody defines"),
        ("%r = frem float %v, %v", "", "frem"),
        ("%r = fdiv fast float %v, %v", "", "a flag that lets LLVM change results"),
        ("%r = fdiv contract afn float %v, %v", "", "a flag that lets LLVM change results"),
        ("%r = alloca float, i64 %n", "", "memory of a size"),
        ("%r = sitofp i128 1 to double", "", "i128"),
        ('%r = call float asm "rcp.approx.f32 $0,$1;", "=f,f"(float %v)', "", "inline assembly"),
        ("%r = fpext float %v to fp128", "", "a type that no GPU has"),
        ("%r = addrspacecast ptr addrspace(1) %x to ptr addrspace(3)", "", "a cast between memories"),
        ("call void @llvm.nvvm.wgmma.fence.sync.aligned()", "", r"llvm\.nvvm\.wgmma"),
    ],
)
def test_the_rest_is_refused_before_llvm_sees_it(
    line: str, declared: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = count()

    def parse(*_: Any) -> None:
        next(reached)

    monkeypatch.setattr(llvm, "parse_assembly", parse)
    with pytest.raises(InternalError, match=what) as caught:
        ptx(planted(line, declared), (7, 5))
    assert "line " in str(caught.value)
    assert next(reached) == 0


@pytest.mark.parametrize(
    "name", ["exp.f32", "pow.f64", "sin.f32", "canonicalize.f32", "powi.f32.i32", "lrint.i64.f32", "nvvm.x"]
)
def test_names_that_are_not_known(name: str) -> None:
    assert not known(name, (12, 0))


def test_a_long_result_is_refused() -> None:
    with pytest.raises(InternalError, match="a result of more than 128 bits"):
        verify_ptx_safe("define internal i320 @turns(double %x) noinline {\n  ret i320 0\n}\n", OLDEST)
    verify_ptx_safe("define internal i128 @fine(double %x) noinline {\n  ret i128 0\n}\n", OLDEST)


@pytest.mark.parametrize("make", [counts, exchanges, scale, softmax, transpose], ids=lambda m: m.__name__)
def test_kernels_pass(make: Any) -> None:
    verify_ptx_safe(make(), OLDEST)
    assert "afn" in "define void @afn() {\n  ret void\n}"
    verify_ptx_safe("define void @afn_fast() {\n  ret void\n}", OLDEST)  # a name is no flag
    assert HEAD in make()
