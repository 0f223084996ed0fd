"""A compiled function as text, with comments that say what each part computes and from which of the user's lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from symdl.backends.base import GpuBackend
from symdl.backends.cpu.backend import CpuBackend
from symdl.backends.llvm import functions_of
from symdl.backends.llvm.steps import all_steps
from symdl.ir.program import Call, Kernel
from symdl.pipeline.compilation import Lowered
from symdl.profiling.titles import lines, title

MOST_LINES = 6  # of the user's, in one comment
STEP = re.compile(r" *(kernel$|[a-z]+\([^=]*\)$)")  # how a step begins that is no loop or branch


def program_text(form: Lowered, away: bool = False) -> str:
    """Buffers, sizes, checks and steps, each step under a comment. away: the steps run on a GPU, and a comment says which
    do not."""
    steps = iter([s for s in all_steps(form.program.steps) if isinstance(s, Kernel | Call)])
    out = []
    for line in str(form.program).splitlines():
        if STEP.match(line):
            step = next(steps)
            indent = line[: len(line) - len(line.lstrip())]
            here = "on the host: " if away and isinstance(step, Call) and step.name == "routine" else ""
            out.append(f"{indent}# {here}{_comment([title(step, form)], lines(step.sources, form))}")
        out.append(line)
    return "\n".join(out) + "\n"


def llvm_text(form: Lowered, backend: CpuBackend) -> str:
    """The LLVM IR that is compiled, each kernel's function under a comment."""
    named = functions_of(form.program, backend.machine.target())
    return _commented(backend.text(form.program), form, named, re.compile(r"define internal i64 @(\w+)\("), ";")


def assembly_text(form: Lowered, backend: CpuBackend) -> str:
    """The machine code, each kernel's function under a comment."""
    mark = "//" if backend.machine.triple.startswith(("aarch64", "arm64")) else "#"
    named = functions_of(form.program, backend.machine.target())
    return _commented(backend.assembly(form.program), form, named, re.compile(r"_?(\w+):"), mark)


def kernels_text(form: Lowered, backend: GpuBackend) -> str:
    """The LLVM IR of a GPU's kernels, each under a comment."""
    return _of_kernels(backend.text(form.program), form, backend, r"define (?:ptx_kernel )?void @(\w+)\(", ";")


def ptx_text(form: Lowered, backend: GpuBackend) -> str:
    """The PTX of a GPU's kernels, each under a comment."""
    return _of_kernels(backend.assembly(form.program), form, backend, r"\s*\.visible \.entry (\w+)\(", "//")


def cuda_text(form: Lowered, backend: GpuBackend) -> str:
    """A GPU's kernels as CUDA C, to be read, each under a comment."""
    return _of_kernels(backend.view(form.program), form, backend, r"KERNEL (\w+)\(", "//")


def _of_kernels(text: str, form: Lowered, backend: GpuBackend, begin: str, mark: str) -> str:
    cut = replace(form, program=backend.as_run(form.program))
    return _commented(text, cut, backend.functions_of(form.program), re.compile(begin), mark)


def _commented(text: str, form: Lowered, named: Mapping[str, Sequence[int]], begin: re.Pattern[str], mark: str) -> str:
    """A comment above each line with which a kernel's function begins. named: the steps of each function, by number."""
    steps = list(all_steps(form.program.steps))
    comments = {}
    for name, numbers in named.items():
        sources = [k for n in numbers for k in getattr(steps[n], "sources", ())]
        comments[name] = _comment((title(steps[n], form) for n in numbers), lines(sources, form))
    out = []
    for line in text.splitlines():
        if (found := begin.match(line)) and found[1] in comments:
            out.append(f"{mark} {comments.pop(found[1])}")
        out.append(line)
    return "\n".join(out) + "\n"


def _comment(titles: Iterable[str], places: list[str]) -> str:
    """What it computes; where it comes from."""
    names = list(dict.fromkeys(titles))
    name = "; ".join(names[:3]) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")
    more = f" and {len(places) - MOST_LINES} more lines" if len(places) > MOST_LINES else ""
    return name + (f"  ({', '.join(places[:MOST_LINES])}{more})" if places else "")
