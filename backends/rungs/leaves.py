"""Rounds of a loop apart from where their operands stand: what a function out of line is given, which computes any of them again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from symdl.backends.rungs.narrowing import summand
from symdl.backends.rungs.thinning import inlined
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Stmt, Store, Value
from symdl.records import record

NOTHING = Local("nothing", Const(0, "bool"))


@record
class Apart:
    """A loop whose values are made of constants and variables, and what each variable stands for."""

    loop: For
    leaves: dict[str, Value]


def apart(loop: For, places: Sequence[int]) -> Apart:
    """Of some statements of a body, by their places; the others declare a trifle."""
    leaves: dict[str, Value] = {}
    known: dict[Hashable, Ref] = {}  # by what a load reads
    done: dict[int, Value] = {}

    def changed(root: Value) -> Value:
        stack = [root]
        while stack:
            item = stack[-1]
            if id(item) in done:
                stack.pop()
            elif isinstance(item, Apply) and (missing := [x for x in item.args if id(x) not in done]):
                stack += missing
            elif isinstance(item, Apply):
                done[id(item)] = Apply(item.primitive, tuple(done[id(x)] for x in item.args), item.dtype)
            elif isinstance(item, Const):
                done[id(item)] = item
            else:
                key = _told_by(item)
                if key not in known:
                    known[key] = Ref(f"leaf{len(leaves)}", item.dtype)
                    leaves[known[key].name] = item
                done[id(item)] = known[key]
        return done[id(root)]

    before = inlined(loop.body)
    body: list[Stmt] = [NOTHING] * len(before)
    for place in places:
        statement = before[place]
        value = changed(summand(statement))
        if isinstance(statement, Assign):
            assert isinstance(statement.value, Apply)
            kept = summand(statement)
            value = replace_operand(statement.value, kept, value)
            body[place] = Assign(statement.name, value)
        else:
            assert isinstance(statement, Store)
            body[place] = replace(statement, value=value)
    return Apart(For(loop.index, loop.extent, tuple(body), loop.schedule), leaves)


def _told_by(leaf: Value) -> Hashable:
    """What two leaves are the same by."""
    match leaf:
        case Load(view, at):
            return view, at
        case Ref(name):
            return name
    return id(leaf)


def replace_operand(item: Apply, old: Value, new: Value) -> Apply:
    """The application with another operand."""
    return replace(item, args=tuple(new if x is old else x for x in item.args))
