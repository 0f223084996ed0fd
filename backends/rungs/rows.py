"""Statements that add up numbers with an exponent, with all that is made of the sums, as ones that do without: the rows of a
layer norm, say. Where a number has left the range, or a sum has, the statements are run again in full.

    var s = 0;  for r in 0:m: s = s + x[r]^2;  var y = sqrt(s / m);  for r in 0:m: o[r] = x[r] / y

The conditions are those of `narrowing`; what a loop's rounds ask for is one flag, what they ask of numbers of the row is asked
before them. Of columns, of which several are taken at once, only the sums are tried: what stores is run once, for all. Each is one
long sum, so what its additions lose is added up beside. Loop IR to Loop IR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symdl.backends.rungs.narrowing import NARROW, Narrowing, summand
from symdl.backends.rungs.stretches import FLAG, Stretch, simple
from symdl.backends.rungs.thinning import plain
from symdl.backends.wide.ranges import DEEPEST, LEAST, Reach, not_zero
from symdl.ir.loops import Apply, Assign, Const, For, Local, Ref, Stmt, Store, Value, extents_in, walk
from symdl.types import Extent, symbols

TRIED = "tried row's "
NARROWED = f"{TRIED}narrow "


def row(body: Sequence[Stmt], start: int, fused: bool, column: bool = False) -> Stretch | None:
    """The attempt at what begins with this statement; None where there is nothing to gain or it is of another kind. column: one
    of several at once."""
    first = body[start]
    if not isinstance(first, Local) or first.value.dtype not in NARROW:
        return None
    names: set[str] = set()
    end = start
    for place in range(start, len(body)):
        statement = body[place]
        if isinstance(statement, Local) and statement.value.dtype in NARROW:
            names.add(statement.name)
        elif not any(isinstance(item, Ref) and item.name in names for item in walk(statement)):
            continue
        elif column and isinstance(statement, Store):
            break
        end = place + 1
    found = tuple(body[start:end])
    if not simple(found):
        return None
    made = _Row(fused, column)
    if not all(map(made.statement, found)) or (column and made.stores):
        return None
    kept = {item.name for item in walk(*body[end:]) if isinstance(item, Ref)} & names
    return made.finished(end, {s.name: s.value.dtype for s in found if isinstance(s, Local) and s.name in kept})


class _Row:
    """Statements being tried without exponents."""

    def __init__(self, fused: bool, column: bool) -> None:
        self.column = column
        self.narrowing = Narrowing(fused)
        self.attempt = self.narrowing.attempt
        self.flag = Ref(TRIED + FLAG, "int64")
        self.out: list[Stmt] = [Local(self.flag.name, Const(0, "int64"))]
        self.variables: dict[str, Ref] = {}
        self.results: dict[str, str] = {}
        self.read: set[str] = set()
        self.stores = False

    def statement(self, statement: Stmt) -> bool:
        """Whether it can be tried."""
        if isinstance(statement, Local):
            return self.local(statement)
        return isinstance(statement, For) and self.loop(statement)

    def finished(self, end: int, kept: dict[str, str]) -> Stretch:
        """kept: variables with an exponent, of these dtypes, that what follows reads."""
        for name, dtype in kept.items():
            own = self.variables[name]
            self.attempt.within(self.attempt.reaches[id(own)])
            self.out += (*self.noted(self.attempt.troubles), Local(TRIED + name, Apply("cast", (own,), dtype)))
            self.results[name] = dtype
        failed = Apply("ne", (self.flag, Const(0, "int64")), "bool")
        return Stretch(end, tuple(self.out), failed, self.results, self.stores, TRIED)

    def noted(self, troubles: Sequence[tuple[Value, Value]]) -> tuple[Stmt, ...]:
        """That any of these holds is noted."""
        failed = self.attempt.any_of([condition for _, condition in troubles])
        self.attempt.troubles = []
        return () if failed is None else (self.raised(self.flag, failed),)

    def raised(self, flag: Ref, condition: Value) -> Stmt:
        word = Apply("cast", (condition,), "int64")
        return Assign(flag.name, Apply("bitwise_or", (flag, word), "int64"))

    def value(self, item: Value) -> Value | None:
        self.read |= {x.name for x in walk(item) if isinstance(x, Ref)}
        return self.narrowing.value(item)

    def local(self, statement: Local) -> bool:
        """A variable, by another name."""
        found = self.value(statement.value)
        if found is None:
            return False
        wide = statement.value.dtype in NARROW
        own = self.variables[statement.name] = Ref((NARROWED if wide else TRIED) + statement.name, found.dtype)
        if wide:
            self.attempt.noted(replace(self.attempt.reaches[id(found)], value=own))
        else:
            self.results[statement.name] = found.dtype
        self.narrowing.declare(statement.name, own)
        self.out += (Local(own.name, found), *self.noted(self.attempt.troubles))
        return True

    def loop(self, loop: For) -> bool:
        """A loop without loops inside."""
        body: list[Stmt] = []
        before: list[Stmt] = []
        after: list[Stmt] = []
        sums: list[tuple[Ref, Reach, Ref | None]] = []
        for statement in loop.body:
            if isinstance(statement, Local):
                found = self.value(statement.value)
                if found is None:
                    return False
                self.narrowing.declare(statement.name, found)
            elif isinstance(statement, Store):
                found = self.value(statement.value)
                if found is None or statement.value.dtype in NARROW:
                    return False
                if not all(isinstance(i, Extent) for i in statement.at):
                    return False
                self.stores = True
                body.append(replace(statement, value=found))
            elif isinstance(statement, Assign) and isinstance(statement.value, Apply):
                own = self.variables.get(statement.name)
                chooses = len(statement.value.args) != 2
                if own is None or statement.name in self.read or chooses:
                    return False
                found = self.value(summand(statement))
                if found is None:
                    return False
                primitive = statement.value.primitive
                if statement.value.dtype not in NARROW:
                    body.append(Assign(own.name, Apply(primitive, (own, found), own.dtype)))
                    continue
                if primitive != "add":
                    return False
                if self.column and (term := _plain_term(found)) is not None:
                    total, lost = (Ref(f"{part} {own.name}", term.dtype) for part in ("sum of", "lost of"))
                    before += [Local(v.name, Const(0, v.dtype)) for v in (total, lost)]
                    body += _adding(total, lost, term)
                    both = plain("add", total, lost) if own.dtype == "float64" else _pair(total, lost)
                    after.append(Assign(own.name, Apply("add", (own, both), own.dtype)))
                else:
                    body.append(Assign(own.name, Apply("add", (own, found), own.dtype)))
                reach = self.attempt.reaches[id(found)]
                some = Ref(f"{own.name} is not 0", "int64") if reach.under and reach.nonzero is not None else None
                if some is not None and reach.nonzero is not None:
                    terms = _either(reach.nonzero)
                    ahead = self.attempt.any_of([c for c in terms if not self.varies(c, loop)])
                    inside = self.attempt.any_of([c for c in terms if self.varies(c, loop)])
                    start = Const(0, "int64") if ahead is None else Apply("cast", (ahead,), "int64")
                    before.append(Local(some.name, start))
                    body += () if inside is None else (self.raised(some, inside),)
                sums.append((own, reach, some))
            else:
                return False
        troubles = self.attempt.troubles
        self.out += (*self.noted([t for t in troubles if not self.varies(t[1], loop)]), *before)
        self.out += (replace(loop, body=(*body, *self.noted([t for t in troubles if self.varies(t[1], loop)]))), *after)
        for own, reach, some in sums:
            self.summed(own, reach, some)
        self.out += self.noted(self.attempt.troubles)
        return True

    def varies(self, item: Value, loop: For) -> bool:
        """Whether a value is another in each round."""
        return any(loop.index in symbols(e) for x in walk(item) for e in extents_in(x))

    def summed(self, own: Ref, term: Reach, some: Ref | None) -> None:
        """A variable has been added to so often. some: whether any term was not 0."""
        total = Reach(own, LEAST if term.under else DEEPEST, self.attempt.most(replace(term, value=own)), term.sign)
        size = Apply("abs", (self.attempt.high_limb(own),), "float64")
        self.attempt.troubles.append((own, self.attempt.beyond(size, int(total.high))))
        if term.under:
            nonzero = None if some is None else Apply("ne", (some, Const(0, "int64")), "bool")
            self.attempt.troubles.append((own, self.attempt.lost(size, nonzero)))
        self.attempt.noted(replace(total, nonzero=not_zero(self.attempt, own)))


def _either(condition: Value) -> list[Value]:
    """Conditions of which one holds where this does."""
    match condition:
        case Apply("bitwise_or", (x, y)):
            return [*_either(x), *_either(y)]
    return [condition]


def _plain_term(x: Value) -> Value | None:
    """The float64 that a number is."""
    if isinstance(x, Apply) and x.primitive == "cast" and x.dtype == "float64x2":
        x = x.args[0]
        return x if x.dtype == "float64" else None
    return x if x.dtype == "float64" else None


def _pair(high: Value, low: Value) -> Value:
    """The sum of two float64, in two limbs."""
    return Apply("add", tuple(Apply("cast", (x,), "float64x2") for x in (high, low)), "float64x2")


def _adding(total: Ref, lost: Ref, term: Value) -> tuple[Stmt, Stmt]:
    """A number joins a sum, and what that addition loses another (Knuth, TAOCP 2, 4.2.2)."""
    more = plain("add", total, term)
    part = plain("sub", more, total)
    error = plain("add", plain("sub", total, plain("sub", more, part)), plain("sub", term, part))
    return Assign(lost.name, plain("add", lost, error)), Assign(total.name, more)
