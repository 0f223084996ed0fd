"""One graph gives one Program, in whatever process: no order of a set or of addresses comes through."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
SHOW = """
from agree import pulled
from random_graphs import Graph
from symdl.pipeline.compilation import Graph as Whole, lowered
from symdl.ops.declare import is_float
for seed in range({first}, {last}):
    graph = Graph(seed, True)
    graph.grow(3 + seed % 8)
    outputs = graph.outputs()
    if any(is_float(y.type.dtype) for y in outputs):
        outputs += pulled(outputs, [v for v in graph.values if is_float(v.type.dtype)])[1]
    if seed >= 136:
        print(seed, lowered(Whole(tuple(graph.values), (), tuple(outputs), ())).program)
"""  # the graphs before only move the memory about


def shown(hash_seed: int, first: int) -> str:
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"}
    command = [sys.executable, "-c", SHOW.format(first=first, last=156)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_same_program_in_every_process() -> None:
    first, second = (shown(seed, 136 - 5 * seed) for seed in (1, 2))
    assert len(first) > 10_000
    assert first == second
