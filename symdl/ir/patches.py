"""Updates that change a part of a shared value write only that part, in the value itself.

    w = where(0 <= i - a < n, v[i - a], w[i])       for i in 0:n: w[a + i] = v[i]
    t = w; t[k[i]] += v[i]; w = t                   for i in 0:n: w[checked k[i]] += v[i]

The write comes last. What it reads is found before: indices from data are checked into a temp, since no check may fail after
a write, and a new value that reads what updates change is a temp, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symdl.ir.loops import (
    Apply,
    Checked,
    Const,
    For,
    Guard,
    Index,
    Load,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    contiguous,
    extents_in,
    is_value,
    walk,
)
from symdl.ir.memory import Commit, used
from symdl.ir.program import Buffer, Kernel, Program, Step
from symdl.ir.rebuilding import rebuilt
from symdl.ir.renaming import unused
from symdl.records import record
from symdl.types import (
    Compound,
    Extent,
    Symbol,
    at_most,
    largest,
    polynomial,
    slope,
    smallest,
    symbols,
    terms_of,
)

Bound = tuple[Extent, Extent]  # (index, extent), as a Guard has them
Window = tuple[Extent, Extent, int]  # (first, how many, step) of the indices of a loop


@record
class Patch:
    """One store to the shared value, in loops around it; `plus` combines what is there with the value, "" replaces it."""

    loops: tuple[For, ...]
    at: tuple[Index, ...]
    value: Value
    plus: str = ""


def patched(program: Program, commits: Sequence[Commit]) -> tuple[Program, list[Commit]]:
    """The program with those updates written that change a part, and the commits that are left."""
    changed = {shared.buffer for _, shared in commits}
    sources = {new.buffer for new, _ in commits}
    steps: list[list[Step]] = [[s] for s in program.steps]
    places: dict[str, list[int]] = {}
    for k, step in enumerate(program.steps):
        for name in used(step):
            places.setdefault(name, []).append(k)
    buffers = dict(program.buffers)
    left: list[Commit] = []
    writes: list[Step] = []
    for new, shared in commits:
        whole = contiguous(shared.buffer, shared.dtype, program.buffers[shared.buffer].shape)
        temp = buffers[new.buffer].kind == "temp" and new == replace(shared, buffer=new.buffer)
        uses = places.get(new.buffer, [])
        kernels = [s for k in uses for s in steps[k] if new.buffer in used(s)]
        body = [s for kernel in kernels if isinstance(kernel, Kernel) for s in touching(kernel, new.buffer)]
        known = all(isinstance(kernel, Kernel) for kernel in kernels)
        patch = (
            patch_of(body, new, shared) if temp and known and shared == whole and whole.buffer not in sources else None
        )
        if patch is None:
            left.append((new, shared))
            continue
        lines = tuple(sorted({line for kernel in kernels if isinstance(kernel, Kernel) for line in kernel.sources}))
        first, last = split(patch, shared, changed, buffers)
        for k in uses:
            kept = [s for s in steps[k] if new.buffer not in used(s)]
            for kernel in steps[k]:
                if isinstance(kernel, Kernel) and new.buffer in used(kernel):
                    mine = touching(kernel, new.buffer)
                    rest = tuple(s for s in kernel.body if not any(s is m for m in mine))
                    kept += [Kernel(rest, kernel.sources)] if rest else []
            steps[k] = kept
        steps[uses[-1]] += [Kernel((s,), lines) for s in first]
        writes.append(Kernel((last,), lines))
        del buffers[new.buffer]
    body_ = (*(s for group in steps for s in group), *writes)
    return replace(program, buffers=buffers, steps=body_), left


def touching(kernel: Kernel, name: str) -> list[Stmt]:
    """The statements of a kernel's own block that touch a buffer, as the kernel does."""
    if len(kernel.body) == 1:
        return [*kernel.body]
    return [s for s in kernel.body if any(isinstance(x, Load | Store) and x.view.buffer == name for x in walk(s))]


def patch_of(body: Sequence[Stmt], new: View, shared: View) -> Patch | None:
    """What statements change of the shared value if they make its new value, and nothing else; None if that is not seen."""
    nests = [nest(s) for s in body]
    if None in nests or any(isinstance(x, Ref) for s in body for x in walk(s)):
        return None
    match nests:
        case [(loops, store)] if everywhere(loops, store, new):
            return window_of(loops, store, shared)
        case [(loops, copy), (others, store)] if everywhere(loops, copy, new) and is_old(copy.value, copy, shared):
            return scattered(others, store, new)
    return None


def nest(statement: Stmt) -> tuple[tuple[For, ...], Store] | None:
    """The loops around the one store of a statement."""
    loops: list[For] = []
    while isinstance(statement, For):
        if len(statement.body) != 1 or any(symbols(statement.extent) & {f.index} for f in loops):
            return None
        loops.append(statement)
        statement = statement.body[0]
    return (tuple(loops), statement) if isinstance(statement, Store) else None


def everywhere(loops: Sequence[For], store: Store, new: View) -> bool:
    """Whether a store writes each element of the view, one in each round."""
    at = [polynomial([((f.index,), 1)]) for f in loops]
    axes = [(i, n) for i, n in zip(store.at, store.view.shape, strict=True) if n != 1]
    return (
        store.view == new
        and all(i == 0 for i, n in zip(store.at, store.view.shape, strict=True) if n == 1)
        and sorted(axes, key=str) == sorted(zip(at, [f.extent for f in loops], strict=True), key=str)
    )


def is_old(value: Value, store: Store, shared: View) -> bool:
    """Whether a value is what the shared value has at the place of a store."""
    return isinstance(value, Load) and value.view == shared and value.at == store.at


# ---- windows ----


def window_of(loops: tuple[For, ...], store: Store, shared: View) -> Patch | None:
    """The patch of a store that leaves elements outside a window as they are."""
    bounds: tuple[Bound, ...]
    match store.value:
        case Apply("where", (Guard(bounds, Const(1), Const(0)), value, old), _) if is_old(old, store, shared):
            pass
        case Apply("add" | "sub" as sign, (old, Guard(bounds, inner, Const(0))), dtype) if is_old(old, store, shared):
            value = Apply(sign, (old, inner), dtype)
        case Apply("add", (Guard(bounds, inner, Const(0)), old), dtype) if is_old(old, store, shared):
            value = Apply("add", (inner, old), dtype)
        case _:
            return None
    windows = windows_of(bounds, loops)
    if windows is None:
        return None
    narrow = tuple(replace(f, extent=windows[f.index][1]) if f.index in windows else f for f in loops)
    moved = {k: first + step * polynomial([((k,), 1)]) for k, (first, _, step) in windows.items()}
    open_ = {id(x): x.value for x in walk(value) if isinstance(x, Guard) and set(x.bounds) <= set(bounds)}
    (inside,) = rebuilt(rebuilt((replace(store, value=value),), open_), symbols=moved)
    assert isinstance(inside, Store)
    return Patch(narrow, inside.at, inside.value)


def windows_of(bounds: Sequence[Bound], loops: Sequence[For]) -> dict[Symbol, Window] | None:
    """The rounds of each loop within the bounds, if each bound is about one loop and none about the same."""
    found: dict[Symbol, Window] = {}
    between: set[Bound] = set()  # what holds at each step-th index
    for index, extent in bounds:
        if (index, extent) in between:
            continue
        near = [f for f in loops if f.index in symbols(index)]
        if len(near) != 1 or near[0].index in found:
            return None
        (loop,) = near
        distance, step = index, 1
        match terms_of(index):
            case ((((Compound("floordiv", left, int(right)),), 1)),):
                distance, step = left, right
                between.add((distance - index * step, 1))
        i = polynomial([((loop.index,), 1)])
        way = slope(distance, loop.index)
        if way not in (1, -1):
            return None
        first = i - distance if way == 1 else distance + i - (extent - 1) * step
        if step == 1:
            low = largest(first, 0)
            found[loop.index] = low, largest(smallest(first + extent, loop.extent) - low, 0), 1
        elif at_most(0, first) and at_most(first + (extent - 1) * step + 1, loop.extent):
            found[loop.index] = first, extent, step
        else:
            return None
    return found if between <= set(bounds) else None


# ---- places that data choose ----


def scattered(loops: tuple[For, ...], store: Store, new: View) -> Patch | None:
    """The patch of a store at places that data choose, into a copy of the shared value."""
    if store.view != new or not any(map(is_value, store.at)):
        return None
    match store.value:
        case Apply(plus, (Load() as old, value), _) if old.view == new and old.at == store.at:
            found = Patch(loops, store.at, value, plus)
        case value:
            found = Patch(loops, store.at, value)
    reads = (x for x in walk(found.value, *filter(is_value, found.at)) if isinstance(x, Load))
    return None if any(x.view.buffer == new.buffer for x in reads) else found


# ---- what comes before, and the write ----


def split(patch: Patch, shared: View, changed: set[str], buffers: dict[str, Buffer]) -> tuple[list[Stmt], Stmt]:
    """(what finds indices and values before, the write); adds temps to buffers."""
    first: list[Stmt] = []

    def kept(value: Value, loops: Sequence[For]) -> Value:
        """The value as a temp, with an axis for each loop."""
        name = unused("patch", buffers)
        view = contiguous(name, value.dtype, tuple(f.extent for f in loops))
        buffers[name] = Buffer(name, view.dtype, view.shape, "temp")
        at = tuple(polynomial([((f.index,), 1)]) for f in loops)
        first.append(nested(loops, Store(view, at, value)))
        return Load(view, at)

    def about(value: Value) -> list[For]:
        """The loops that a value depends on."""
        names = {s for x in walk(value) for e in extents_in(x) for s in symbols(e)}
        return [f for f in patch.loops if f.index in names]

    at: list[Index] = []
    done: dict[int, Value] = {}
    for i in patch.at:
        if is_value(i):
            assert not isinstance(i, Extent)
            at.append(done.setdefault(id(i), kept(i, about(i))) if id(i) not in done else done[id(i)])
        else:
            at.append(i)
    value = patch.value
    own = Load(shared, tuple(at))
    reads = [x for x in walk(value) if isinstance(x, Load) and x.view.buffer in changed]
    same = all(x.view == shared and x.at == own.at and not patch.plus for x in reads)
    if not same or any(isinstance(x, Checked) for x in walk(value)):
        value = kept(value, patch.loops)
    if patch.plus:
        value = Apply(patch.plus, (own, value), shared.dtype)
    return first, nested(patch.loops, Store(shared, own.at, value))


def nested(loops: Sequence[For], inner: Stmt) -> Stmt:
    """The statement in loops like these."""
    for loop in reversed(loops):
        inner = For(loop.index, loop.extent, (inner,))
    return inner
