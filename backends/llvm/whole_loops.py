"""Loops that add up numbers with an exponent, as loops that do without, and when these have failed."""

from __future__ import annotations

from collections.abc import Sequence

from symdl.backends.llvm.plans import Sum
from symdl.backends.rungs.narrowing import Narrowed
from symdl.backends.wide.ranges import Attempt
from symdl.ir.loops import Apply, Assign, Const, For, Local, Ref, Stmt, Store, Value, walk
from symdl.records import record

EMPTY = {"add": 0.0, "maximum": float("-inf"), "minimum": float("inf")}


def with_variables(loop: For, chosen: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """Statements of a loop's body, with the variables of the body that they need, in their order."""
    kept = {id(s) for s in chosen}
    needed = {item.name for item in walk(*chosen) if isinstance(item, Ref)}
    for statement in reversed(loop.body):
        if isinstance(statement, Local) and statement.name in needed:
            kept.add(id(statement))
            needed |= {item.name for item in walk(statement.value) if isinstance(item, Ref)}
    return tuple(s for s in loop.body if id(s) in kept)


def begins(sum_: Sum) -> bool:
    """Whether it is known what a sum without summands is."""
    return sum_.primitive in EMPTY and (sum_.dtype.startswith("float") or sum_.primitive == "add")


@record
class Whole:
    """A loop without exponents: what stands before it, itself, whether it has failed, and what stands after if not."""

    before: tuple[Stmt, ...]
    loop: For
    failed: Value
    after: tuple[Stmt, ...]

    @staticmethod
    def of(loop: For, tried: Narrowed, fused: bool) -> Whole:
        before: list[Stmt] = []
        body: list[Stmt] = []
        after: list[Stmt] = []
        check = Attempt(fused)
        troubles: list[Value] = []
        nothing = Const(0, "int64")

        def flag(name: str, value: Value | None) -> Value | None:
            """Whether the value holds in any round, as a word: as wide as the numbers that it is about."""
            if value is None:
                return None
            before.append(Local(name, nothing))
            found = Ref(name, "int64")
            word = Apply("cast", (value,), "int64")
            body.append(Assign(name, Apply("bitwise_or", (found, word), "int64")))
            return Apply("ne", (found, nothing), "bool")

        failed = flag("failed", tried.failed)
        if failed is not None:
            troubles.append(failed)
        for place, statement in enumerate(loop.body):
            if isinstance(statement, Store):
                body.append(Store(statement.view, statement.at, tried.values[place]))
            elif isinstance(statement, Assign):
                assert isinstance(statement.value, Apply)
                value, dtype, primitive = tried.values[place], statement.value.dtype, statement.value.primitive
                name = f"tried {statement.name}"
                start = EMPTY[primitive] if dtype.startswith("float") else 0
                before.append(Local(name, Const(start, value.dtype)))
                total = Ref(name, value.dtype)
                body.append(Assign(name, Apply(primitive, (total, value), value.dtype)))
                result = total if value.dtype == dtype else Apply("cast", (total,), dtype)
                after.append(Assign(statement.name, Apply(primitive, (Ref(statement.name, dtype), result), dtype)))
                if place in tried.sums:
                    reach = tried.sums[place]
                    size = Apply("abs", (check.high_limb(total),), "float64")
                    troubles.append(check.beyond(size, check.most(reach)))
                    if reach.under:
                        troubles.append(check.lost(size, flag(f"{name} is not 0", reach.nonzero)))
        condition = check.any_of(troubles)
        assert condition is not None
        return Whole(tuple(before), For(loop.index, loop.extent, tuple(body), loop.schedule), condition, tuple(after))
