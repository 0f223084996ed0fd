"""Values of a Program laid over one another: updates written in place where nobody can tell, and temps over temps.

Both passes map a Program to an equal one. in_place comes first, then reused; what is left gets memory by `symdl.ir.arena`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from symdl.errors import ProgramError
from symdl.ir.loops import (
    For,
    Index,
    Load,
    Local,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    contiguous,
    is_value,
    walk,
)
from symdl.ir.program import Buffer, Call, Kernel, Program, Step, accesses, may_fail
from symdl.ir.rebuilding import rebuilt
from symdl.ir.renaming import rename, renamed_view, unused, within
from symdl.types import Extent, sole_symbol

Commit = tuple[View, View]  # (view of the new value, view of the shared buffer)


# ---- updates ----


def in_place(program: Program, commits: Sequence[Commit]) -> Program:
    """The program followed by its updates: shared buffer = new value for each commit, all with old values read.

    A commit vanishes where the one step that makes the new value may write straight into the shared buffer: nobody
    reads the old value later, the step itself reads it only where it is about to write, and no check that can fail
    comes then or later. Other commits are copies at the very end, ordered so that each reads before it is overwritten;
    a cycle (two shared values swapped) is broken by a temp.
    """
    targets = [shared.buffer for _, shared in commits]
    if len(set(targets)) < len(targets):
        raise ProgramError("a shared buffer has two updates")
    steps, buffers = list(program.steps), dict(program.buffers)
    first_safe = 1 + max((k for k, s in enumerate(steps) if may_fail(s)), default=-1)
    touching: dict[str, list[int]] = {}  # buffer -> places of the top-level steps that touch it
    used_by = [{(v.buffer, w) for s in within(step) for v, w in accesses(s)} for step in steps]
    for k, used in enumerate(used_by):
        for name in {name for name, _ in used}:
            touching.setdefault(name, []).append(k)
    sources = {new.buffer for new, _ in commits}
    renamed: dict[str, str] = {}
    copies: list[Commit] = []
    for new, shared in commits:
        old = program.buffers[shared.buffer]
        uses = touching.get(new.buffer, [])
        makers = [
            k for k in uses if any(w and v.buffer == new.buffer for s in within(steps[k]) for v, w in accesses(s))
        ]
        legal = (
            program.buffers[new.buffer].kind == "temp"
            and new.buffer not in renamed  # it is the new value of one more
            and shared == contiguous(shared.buffer, old.dtype, old.shape)
            and new == replace(shared, buffer=new.buffer)
            and program.buffers[new.buffer].shape == old.shape
            and len(makers) == 1
            and makers[0] >= first_safe
            and shared.buffer not in sources
            and max(touching.get(shared.buffer, [-1])) <= makers[0]
        )
        made = overwriting(steps[makers[0]], new.buffer, shared.buffer) if legal else None
        if made is None:
            copies.append((new, shared))
            continue
        renamed[new.buffer] = shared.buffer
        del buffers[new.buffer]
        steps[makers[0]] = made
    for k in sorted({k for new in renamed for k in touching[new]}):  # each step once, whatever it makes
        steps[k] = rename(steps[k], renamed)
    copies = [(renamed_view(new, renamed), shared) for new, shared in copies]
    steps += ordered_copies(copies, buffers)
    offsets = {name: slot for name, slot in program.offsets.items() if name in buffers}
    return replace(program, buffers=buffers, steps=tuple(steps), offsets=offsets)


def ordered_copies(copies: Sequence[Commit], buffers: dict[str, Buffer]) -> list[Step]:
    """The copies in an order in which each source is read before it is overwritten; adds temps to buffers."""
    pending = [c for c in copies if c[0] != c[1]]
    readers: dict[str, set[str]] = {}  # buffer -> targets of the pending copies that read it
    for new, shared in pending:
        readers.setdefault(new.buffer, set()).add(shared.buffer)
    by_target = {shared.buffer: (new, shared) for new, shared in pending}
    free = [t for t in by_target if not readers.get(t)]
    out: list[Step] = []
    while by_target:
        if not free:  # a cycle: keep what its first target holds for those who still read it
            blocked = next(iter(by_target))
            for target in sorted(readers.pop(blocked)):
                new, shared = by_target[target]
                kept = fresh_temp(new, buffers)
                out.append(Call("copy", (new, kept)))
                by_target[target] = (kept, shared)
            free.append(blocked)
        target = free.pop(0)
        new, shared = by_target.pop(target)
        out.append(Call("copy", (new, shared)))
        left = readers.get(new.buffer, set())
        left.discard(target)
        if not left and new.buffer in by_target and new.buffer not in free:
            free.append(new.buffer)
    return out


def fresh_temp(like: View, buffers: dict[str, Buffer]) -> View:
    """A view of a new temp of the same shape."""
    name = unused("kept", buffers)
    buffers[name] = Buffer(name, like.dtype, like.shape, "temp")
    return contiguous(name, like.dtype, like.shape)


def overwriting(step: Step, new: str, old: str) -> Step | None:
    """The step as it is once the buffer new lies on the memory of old, but for the name, or None where that could
    change what is computed.

    It could not if old is read before the store that overwrites: by the loops that surround both, a round reads only
    elements that the same round writes. What a round reads of its own element after the store is kept in a variable.
    """
    if isinstance(step, Call):
        return None if any(v.buffer == old for v, _ in accesses(step)) else step
    if not isinstance(step, Kernel):
        return None
    if not any(v.buffer == old for v, _ in accesses(step)):
        return step
    stores: list[tuple[Store, tuple[For, ...]]] = []
    before: list[tuple[Load, tuple[For, ...]]] = []
    own: list[Load] = []  # in the store's statement, or later in the same round
    after = False
    for statement, around, loads in statements(step.body):
        reads = [x for x in loads if x.view.buffer == old]
        if isinstance(statement, Store) and statement.view.buffer == old:
            return None
        if isinstance(statement, Store) and statement.view.buffer == new:
            stores.append((statement, around))
            own += reads
        elif not stores:
            before += [(x, around) for x in reads]
        elif reads:
            above = stores[0][1]
            if any(a is not b for a, b in zip(around, above, strict=False)):
                return None
            own += reads
            after = True
    if len(stores) != 1:
        return None
    ((store, above),) = stores
    window = replace(store.view, buffer=old)
    dense = window.strides == contiguous(old, window.dtype, window.shape).strides
    axes = {sole_symbol(e): axis for axis, e in enumerate(store.at) if isinstance(e, Extent)}

    def same(load: Load, loops: list[For]) -> bool:
        """Whether rounds of these loops touch elements apart, and the load only those of its own round."""
        if not loops:
            return True
        return (
            dense
            and load.view == window
            and all(f.index in axes and load.at[axes[f.index]] == store.at[axes[f.index]] for f in loops)
        )

    for load, around in before:
        if not same(load, [a for a, b in zip(around, above, strict=False) if a is b]):
            return None
    if not all(same(load, list(above)) and load.view == window and load.at == store.at for load in own):
        return None
    if own and any(map(is_value, store.at)):
        return None
    body = step.body
    if after:
        name = unused("kept", {x.name for x in step.items if isinstance(x, Local)})
        saved = (Local(name, Load(window, store.at)), {id(x): Ref(name, x.dtype) for x in own})
        body = with_saved(body, above, store, *saved)
    return Kernel(body, step.sources) if body is not step.body else step


def with_saved(
    body: tuple[Stmt, ...], path: tuple[For, ...], store: Store, saved: Local, reads: Mapping[int, Value]
) -> tuple[Stmt, ...]:
    """The body with a variable declared right before the store, which lies down the path of loops; the store and what
    follows it in its block read the variable."""
    if not path:
        place = next(k for k, s in enumerate(body) if s is store)
        return (*body[:place], saved, *rebuilt(body[place:], reads))
    loop = path[0]
    inside = replace(loop, body=with_saved(loop.body, path[1:], store, saved, reads))
    return tuple(inside if s is loop else s for s in body)


def statements(
    body: tuple[Stmt, ...], around: tuple[For, ...] = ()
) -> Iterator[tuple[Stmt, tuple[For, ...], list[Load]]]:
    """Each statement but For in the order of the text, with the loops around it and the Loads in it."""
    for s in body:
        if isinstance(s, For):
            yield from statements(s.body, (*around, s))
        else:
            yield s, around, [x for x in walk(s) if type(x) is Load]


# ---- temps over temps ----


def reused(program: Program) -> Program:
    """The program with temps laid on temps of their type that the step which makes them is the last to use, where each
    element is read before it is overwritten."""
    steps, buffers = list(program.steps), dict(program.buffers)
    used_by = [used(step) for step in steps]
    last: dict[str, int] = {}
    makers: dict[str, list[int]] = {}
    for k, touched in enumerate(used_by):
        for name, writes in touched.items():
            if buffers[name].kind == "temp":
                last[name] = k
                if writes:
                    makers.setdefault(name, []).append(k)
    renamed: dict[str, str] = {}
    for k, step in enumerate(steps):
        if isinstance(step, Kernel):
            dying = [b for b in used_by[k] if last.get(b) == k and makers[b][-1] < k]
            made = [b for b in used_by[k] if makers.get(b) == [k] and last[b] > k]
            where = places(step) if dying and made else {}
            for new in made:
                like = program.buffers[new]
                old = next((b for b in dying if alike(program.buffers[b], like) and where[b] == where[new]), None)
                over = overwriting(step, new, old) if old is not None and where[new] is not None else None
                if old is not None and over is not None:
                    step = over
                    renamed[new] = renamed.get(old, old)
                    dying.remove(old)
                    del buffers[new]
        names = {b: renamed[b] for b in used_by[k] if b in renamed}
        steps[k] = rename(step, names) if names else step
    return replace(program, buffers=buffers, steps=tuple(steps))


def in_outputs(program: Program) -> Program:
    """The program with temps laid where an output is going to be, if the one kernel that writes the output is the last to
    read the temp, each element of it before it writes that element; also rows that each round of the kernel writes anew,
    so that rounds do not share them."""
    steps, buffers = list(program.steps), dict(program.buffers)
    touching: dict[str, list[int]] = {}
    for k, step in enumerate(steps):
        for name in used(step):
            touching.setdefault(name, []).append(k)
    for out in [b for b in program.buffers.values() if b.kind == "output" and len(touching.get(b.name, ())) == 1]:
        (place,) = touching[out.name]
        maker = steps[place]
        for old in used(maker) if isinstance(maker, Kernel) else ():
            own = buffers[old]
            if own.kind != "temp" or own.dtype != out.dtype or touching[old][-1] != place:
                continue
            made = in_output(maker, own, out, [steps[k] for k in touching[old]])
            if made is not None:
                for k in touching[old]:
                    steps[k] = rename(made if k == place else steps[k], {old: out.name})
                del buffers[old]
                break
    return replace(program, buffers=buffers, steps=tuple(steps))


def in_output(maker: Step, own: Buffer, out: Buffer, users: Sequence[Step]) -> Step | None:
    """The kernel that writes an output as it is once a temp lies there, but for the name; None where it may not."""
    assert isinstance(maker, Kernel)
    if own.shape == out.shape:
        plain = all(element_by_element(step, len(out.shape)) for step in users) and where_alike(maker, own.name, out)
        return overwriting(maker, out.name, own.name) if plain else None
    if len(users) > 1 or not row_of_output(maker, own.name, out):
        return None
    whole = contiguous(own.name, out.dtype, out.shape)
    return Kernel(rebuilt(maker.body, views=lambda view: whole if view.buffer == own.name else view), maker.sources)


def element_by_element(step: Step, axes: int) -> bool:
    """Whether nothing stands in more loops than there are axes: what sums up more of them may yet do without the temp."""
    return isinstance(step, Kernel) and all(len(around) <= axes for _, around, _ in statements(step.body))


def where_alike(step: Kernel, old: str, out: Buffer) -> bool:
    """Whether a round of a kernel touches the same one element of two buffers."""
    found = places(step)
    return found[old] is not None and found[old] == found[out.name]


def row_of_output(step: Kernel, old: str, out: Buffer) -> bool:
    """Whether a temp is a row of an output, which a kernel writes and reads where it then writes the output."""
    whole = contiguous(out.name, out.dtype, out.shape)
    seen = [x for x in step.items if isinstance(x, Load | Store) and x.view.buffer in (old, out.name)]
    stores = [x for x in seen if x.view.buffer == out.name]
    if len(stores) != 1 or not isinstance(stores[0], Store) or stores[0].view != whole:
        return False
    (last,) = stores
    if any(map(is_value, last.at)) or any(x.at != last.at or x.view.shape != out.shape for x in seen):
        return False
    order = [(s, loads) for s, _, loads in statements(step.body)]
    place = next(k for k, (s, _) in enumerate(order) if s is last)
    after = order[place + 1 :]
    return not any(isinstance(s, Store) and s.view.buffer == old for s, _ in after) and not any(
        x.view.buffer == old for _, loads in after for x in loads
    )


def alike(one: Buffer, other: Buffer) -> bool:
    """Whether two buffers hold arrays of one dtype and shape."""
    return (one.dtype, one.shape) == (other.dtype, other.shape)


def used(step: Step) -> dict[str, bool]:
    """The buffers that a step and those inside it touch, and whether they write them."""
    found: dict[str, bool] = {}
    for s in within(step):
        for v, writes in accesses(s):
            found[v.buffer] = found.get(v.buffer, False) or writes
    return found


def places(step: Kernel) -> dict[str, tuple[Index, ...] | None]:
    """For each buffer that a kernel touches, the indices of the one element that a round touches; None for several, or
    where the buffer is not seen as a whole, as a row is not that each round writes anew."""
    found: dict[str, tuple[Index, ...] | None] = {}
    for x in step.items:
        if isinstance(x, Load | Store):
            plain = x.view == contiguous(x.view.buffer, x.view.dtype, x.view.shape)
            one = x.at if plain and not any(map(is_value, x.at)) else None
            found[x.view.buffer] = one if found.setdefault(x.view.buffer, one) == one else None
    return found
