"""A compiled function as text, with comments that say what each part computes and from which of the user's lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

from symdl.backends.cpu import CpuBackend
from symdl.backends.llvm import functions_of
from symdl.backends.llvm.steps import all_steps
from symdl.compilation import Lowered
from symdl.program import Call, Kernel
from symdl.titles import lines, title

MOST_LINES = 6  # of the user's, in one comment
STEP = re.compile(r" *(kernel$|[a-z]+\([^=]*\)$)")  # how a step begins that is no loop or branch


def program_text(form: Lowered) -> str:
    """Buffers, sizes, checks and steps, each step under a comment."""
    steps = iter([s for s in all_steps(form.program.steps) if isinstance(s, Kernel | Call)])
    out = []
    for line in str(form.program).splitlines():
        if STEP.match(line):
            step = next(steps)
            indent = line[: len(line) - len(line.lstrip())]
            out.append(f"{indent}# {_comment([title(step, form)], lines(step.sources, form))}")
        out.append(line)
    return "\n".join(out) + "\n"


def llvm_text(form: Lowered, backend: CpuBackend) -> str:
    """The LLVM IR that is compiled, each kernel's function under a comment."""
    return _commented(backend.text(form.program), form, backend, re.compile(r"define internal i64 @(\w+)\("), ";")


def assembly_text(form: Lowered, backend: CpuBackend) -> str:
    """The machine code, each kernel's function under a comment."""
    mark = "//" if backend.machine.triple.startswith(("aarch64", "arm64")) else "#"
    return _commented(backend.assembly(form.program), form, backend, re.compile(r"_?(\w+):"), mark)


def _commented(text: str, form: Lowered, backend: CpuBackend, begin: re.Pattern[str], mark: str) -> str:
    """A comment above each line with which a kernel's function begins."""
    steps = list(all_steps(form.program.steps))
    comments = {}
    for name, numbers in functions_of(form.program, backend.machine.target()).items():
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
