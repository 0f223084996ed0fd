"""Measurements in new processes, one for each number of threads: libraries take their threads from the processors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

Rows = list[dict[str, Any]]
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"  # what jax calls it
POOLS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def rows_from(module: str, threads: int, *arguments: str) -> Rows:
    """The rows that `python -m module --rows THREADS arguments` reports, from a process with so many processors."""
    environment = os.environ | {name: str(threads) for name in POOLS}
    if threads == 1:
        environment["XLA_FLAGS"] = ONE_THREAD
    command = [sys.executable, "-m", module, "--rows", str(threads), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: Rows = json.loads(done.stdout.splitlines()[-1])
    return found


def keep_to(threads: int) -> None:
    """Run this process on so many processors; the last ones, since others are likelier to be on the first."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def report(rows: Rows) -> None:
    """What `rows_from` reads."""
    print(json.dumps(rows))
