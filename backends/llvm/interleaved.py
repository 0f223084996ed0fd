"""The lines of a long block in the order in which a processor can begin them, whatever waits longest for its users first.

Values are written one after the other, each with all that it is made of, and LLVM keeps that order. A processor looks some 150 vector
operations ahead, which is less than one function of two limbs: of two that do not depend on one another (tanh(x) y - exp(-x x)) it
would wait for the first, and then for the second. Side by side they take a tenth less time. A list schedule (Cooper and Torczon,
Engineering a Compiler, 12.3) by rough latencies; the numbers are the same.
"""

from __future__ import annotations

import re
from heapq import heapify, heappop, heappush

DEFINITION = re.compile(r"\s*(%[\w.]+) = (\w+)")
REGISTER = re.compile(r"%[\w.]+")
LONGEST_WAIT = {"load": 7, "fdiv": 13, "fadd": 3, "fsub": 3, "fmul": 3, "call": 4, "fcmp": 4}  # cycles; others 1
FREE = frozenset(["shufflevector", "bitcast", "extractvalue", "fneg"])  # most are no instruction, or a part of one
FIXED = frozenset(["phi", "alloca"])
EACH = 1.4  # cycles from one operation, of two registers as a rule, to the next
LEAST = 60  # operations of vectors in a block from which on a processor does not see all of it
INTRINSIC = "@llvm."


def interleaved(text: str) -> str:
    """The text of a function in which long blocks are in that order."""
    if text.count(" x ") < LEAST:  # of vectors
        return text
    out: list[str] = []
    run: list[str] = []
    for line in text.split("\n"):
        found = DEFINITION.match(line)
        if found and found[2] not in FIXED and (found[2] != "call" or INTRINSIC in line):
            run.append(line)
            continue
        out += _ordered(run) if len(run) >= LEAST <= sum("<" in x for x in run) else run
        out.append(line)
        run = []
    return "\n".join(out + run)


def _ordered(lines: list[str]) -> list[str]:
    """Lines that define registers, of which none writes to memory."""
    place: dict[str, int] = {}
    waits: list[int] = []
    users: list[list[int]] = []
    missing: list[int] = []  # operands that have not been placed
    for k, line in enumerate(lines):
        name, *operands = REGISTER.findall(line)
        inside = {place[x] for x in operands if x in place}
        for x in inside:
            users[x].append(k)
        place[name] = k
        found = DEFINITION.match(line)
        assert found is not None
        waits.append(0 if found[2] in FREE else LONGEST_WAIT.get(found[2], 1))
        users.append([])
        missing.append(len(inside))
    height = waits.copy()  # cycles from the beginning of a line to the end of the last that waits for it
    for k in range(len(lines) - 1, -1, -1):
        height[k] += max([height[u] for u in users[k]], default=0)
    known = [0.0] * len(lines)  # when all operands of a line are
    waiting = [(0.0, k) for k, count in enumerate(missing) if not count]
    heapify(waiting)
    ready: list[tuple[int, int]] = []
    out: list[str] = []
    now = 0.0
    while waiting or ready:
        if not ready:
            now = max(now, waiting[0][0])
        while waiting and waiting[0][0] <= now:
            _, k = heappop(waiting)
            heappush(ready, (-height[k], k))
        _, k = heappop(ready)
        out.append(lines[k])
        for u in users[k]:
            known[u] = max(known[u], now + waits[k])
            missing[u] -= 1
            if not missing[u]:
                heappush(waiting, (known[u], u))
        now += EACH if waits[k] else 0.0
    return out
