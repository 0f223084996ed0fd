"""What a record says of the machine it was made on, and where records go."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

import symdl
from symdl.backends.cpu.limits import measured
from symdl.profiling.profile import size_text
from symdl.runtime.runs import native

RECORDS = Path(__file__).parent / "records"


def processor() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def limits() -> dict[str, Any]:
    """Of one thread, as `f.profile` measures them, in 10^9 a second."""
    found = measured(native().machine)
    copies = {f"copy_{size_text(size).replace(' ', '_')}": round(rate / 1e9, 1) for size, rate in found.copies}
    return {**copies, **{f"flops_{dtype}": round(rate / 1e9, 1) for dtype, rate in found.flops.items()}}


def description() -> dict[str, Any]:
    """Processor, cores, versions and limits."""
    return {
        "limits": limits(),
        "processor": processor(),
        "llvm_cpu": llvm.get_host_cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "llvm": ".".join(map(str, llvm.llvm_version_info)),
        "symdl": symdl.__version__,
    }


def store(name: str, rows: list[dict[str, Any]]) -> Path:
    """Write a record: the machine, the day, the rows."""
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{name}.json"
    record = {"machine": description(), "date": time.strftime("%Y-%m-%d"), "rows": rows}
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path
