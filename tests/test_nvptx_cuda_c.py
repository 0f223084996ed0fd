"""The CUDA C view of kernels: it names what the kernels do, and a C++ compiler takes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gpu_programs import program_for
from test_nvptx import KINDS, K, V, X

import symdl
import symdl.tensor as T
from symdl import extras
from symdl.backends.nvptx import gpu_program
from symdl.backends.nvptx.cuda_c import cuda_c
from symdl.backends.nvptx.launches import launches
from symdl.graph.expr import Expr
from symdl.pipeline.compilation import lowered

# What CUDA's compiler knows by itself, for a compiler of C++.
KNOWN = """#include <cmath>
#include <cstdlib>
#define __device__
#define __global__
struct { int x, y, z; } threadIdx, blockIdx, blockDim, gridDim;
void __syncthreads(); void __syncwarp();
float __int_as_float(int); double __longlong_as_double(long long);
float erfinvf(float); double erfinv(double); float erfcxf(float); double erfcx(double);
using namespace std;
"""


def view(inputs: list[Expr], outputs: list[Expr]) -> str:
    return cuda_c(gpu_program(program_for(inputs, outputs)))


@pytest.mark.skipif(not shutil.which("g++"), reason="no compiler of C++ is installed")
def test_a_compiler_takes_the_view_of_every_kind(tmp_path: Path) -> None:
    texts = []
    for k, make in enumerate(KINDS.values()):
        inputs, outputs, _ = make()
        body = view(inputs, outputs)
        texts.append(f"namespace kind{k} {{\n{body}\n}}\n".replace('extern "C" __global__ void', "__global__ void"))
    stream = T.RandomStream(seed=1)
    draws = [stream.uniform((3, 5)), stream.normal((4,)), T.gammaln(X) + T.erfinv(X) % 2 // 1, K & 3, T.maximum(K, 2)]
    body = cuda_c(gpu_program(lowered(symdl.function([X, K], draws, precision="plain").graph, blocks=False).program))
    texts.append(f"namespace more {{\n{body}\n}}\n".replace('extern "C" __global__ void', "void"))
    file = tmp_path / "view.cpp"
    file.write_text(KNOWN + "".join(texts))
    made = subprocess.run(
        ["g++", "-std=c++17", "-fsyntax-only", str(file)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr[:2000]


def compiler() -> Any:
    """NVRTC, where its wheel and cuda-bindings are installed."""
    if not extras.installed("cuda.bindings"):
        return None
    try:
        found = extras.load("cuda.bindings.nvrtc", "compiling CUDA C")
        found.nvrtcVersion()
    except (ImportError, RuntimeError):  # without the library
        return None
    return found


@pytest.mark.skipif(compiler() is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc cuda-bindings")
@pytest.mark.parametrize("kind", KINDS)
def test_cudas_own_compiler_takes_the_view(kind: str) -> None:
    nvrtc = compiler()
    inputs, outputs, _ = KINDS[kind]()
    text = view(inputs, outputs).encode()
    error, program = nvrtc.nvrtcCreateProgram(text, b"view.cu", 0, [], [])
    assert not int(error)
    # what the kernels call by name is declared, not defined
    (error,) = nvrtc.nvrtcCompileProgram(
        program, 2, [b"--relocatable-device-code=true", b"--gpu-architecture=compute_80"]
    )
    log = b" " * nvrtc.nvrtcGetProgramLogSize(program)[1]
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(program)
    assert not int(error), log.decode()[:2000]


def test_every_kernel_is_there_and_says_who_does_what() -> None:
    gpu = gpu_program(program_for([X, V], [T.softmax(X), T.tanh(V)]))
    text = cuda_c(gpu)
    assert all(f"KERNEL {one.kernel}(" in text for one in launches(gpu.items))
    assert "a warp a round" in text
    assert "a block a round" in text
    assert "a thread a round" in text
    assert "acc1 = group_maximum(acc1);" in text
    assert "expf(" in text
    assert "tanhf(" in text
