"""How work grows: runs of each line of Python are counted, which are the same on every machine and however busy it is."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

LIMIT = 8  # halfway: four times the size takes 4 times the runs if work is linear and 16 times if it is quadratic


def line_runs(function: Callable[[], Any]) -> Counter[tuple[str, int]]:
    """How often function() runs each line (file, number) in this thread; each round of a comprehension counts.

    Lines and not calls, so that a loop which only compares is seen. What is not seen is work inside C: copies of sets
    and lists, `in` on a list, NumPy, LLVM.
    """
    runs: Counter[tuple[str, int]] = Counter()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            runs[frame.f_code.co_filename, frame.f_lineno] += 1
        return trace

    collected, before = gc.isenabled(), sys.gettrace()
    gc.disable()  # a collection would run finalizers, at whatever moment it comes
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
        if collected:
            gc.enable()
    return runs


def superlinear(prepare: Callable[[int], Callable[[], Any]], size: int) -> list[str]:
    """The lines that prepare(4 * size)() runs more than LIMIT times as often as prepare(size)() does.

    Each line for itself: a loop over all pairs of nodes shows at twenty nodes, however much linear work surrounds it.
    Lines that the larger run has no more than twice for each of its 4 * size things are left out: they may be those of names
    that tests before have left in a cache for the smaller run, each of which is looked up twice when it is new. prepare builds
    what the work needs and is not counted, nor is a first round that fills caches.
    """
    prepare(2)()
    few, many = line_runs(prepare(size)), line_runs(prepare(4 * size))
    return [
        f"{Path(file).name}:{line} runs {few[file, line]} times for {size}, {count} for {4 * size}"
        for (file, line), count in sorted(many.items())
        if count > LIMIT * few[file, line] + 2 * 4 * size
    ]
