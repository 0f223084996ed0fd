"""Statements that add up numbers of two limbs and round what they make of the sums, tried with less: the rows of a
logarithm of exponentials, say. Where a result has lost too many digits, the statements are run again, at last in full.

First terms that are never negative are tried in the dtype of the result (`terms`), in long rows; then all in one limb, or
where a float64 comes of it, with functions of two limbs that are right to a few bits more (`wide.short`). A logarithm of a sum of
exponentials is before that tried without their largest (`unshifted`).

    var s = 0;  for r in 0:m: s = s + exp(x[r] - most);  var y = cast(most + log(s))

Errors are bounded as in `digits`; those of a sum are its terms' and so many additions', relative to the sum, or to the sum of
the sizes of its terms where these may differ in sign. Loop IR to Loop IR.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

from symdl.backends.rungs.conditions import Condition
from symdl.backends.rungs.digits import FARTHEST, Error, FewerDigits, added
from symdl.backends.rungs.exchanges import shortened
from symdl.backends.rungs.terms import LEAST, LONGEST, PAIR, TIERS, Terms
from symdl.backends.rungs.terms import ROWS as LONG
from symdl.backends.rungs.thinning import inlined
from symdl.backends.rungs.tiers import LOOSER, ONE_LIMB, SHORTER, Tier
from symdl.backends.rungs.unshifted import DOUBLE, SINGLE, Exponentials, exponentials, weights
from symdl.backends.wide.mixed import SUMS
from symdl.backends.wide.short import FUNCTIONS
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Position, Ref, Stmt, Store, Value, walk
from symdl.records import record
from symdl.types import Extent

ONE = ONE_LIMB[PAIR]
MANY = (1 << 10, 1 << 16, LONGEST)  # numbers in a row of unknown length; of longer ones too little would be known
ROWS = replace(LOOSER, single=2.0**29)  # rounded, then at most 3 ulp are lost, as far as the bound tells
TRIED = "tried "
FLAG = "failed"
Valued = Local | Assign | Store


@record
class Stretch:
    """Statements of a body from some place on.

    end: the place behind them. tried: the attempt at them, whose variables have names of their own. failed: whether it
    has. results: the variables that others may read, each with its dtype. stores: whether anything is stored. prefix: of
    their names in the attempt, and of FLAG. fitting: whether rows are such that it is worth it, None for always. otherwise:
    what is tried then; None for the statements themselves. before: how many of these come before that, and are run.
    """

    end: int
    tried: tuple[Stmt, ...]
    failed: Value
    results: dict[str, str]
    stores: bool
    prefix: str
    fitting: Value | None = None
    otherwise: Stretch | None = None
    before: int = 0


def stretch(body: tuple[Stmt, ...], start: int, permutes: bool = False) -> Stretch | None:
    """The attempt at what begins with this statement; None where there is nothing to gain or it is of another kind. permutes:
    see `Builder`."""
    first = body[start]
    if (found_here := exponentials(body, start)) is not None:
        return _unshifted(body, start, found_here, permutes)
    if not isinstance(first, Local) or first.value.dtype != PAIR:
        return None
    names: set[str] = set()
    end = start
    for place in range(start, len(body)):
        statement = body[place]
        if isinstance(statement, Local) and statement.value.dtype == PAIR:
            names.add(statement.name)
        elif not any(isinstance(item, Ref) and item.name in names for item in walk(statement)):
            continue
        end = place + 1
    found = body[start:end]
    if not simple(found):
        return None
    lengths = [s.extent for s in found if isinstance(s, For) and not isinstance(s.extent, int)]
    kept = {s.value.dtype for s in found if isinstance(s, Local) and _rounds(s.value)}
    last: Stretch | None = None
    for tier in (ROWS, *((SHORTER,) if "float64" in kept else ())):
        attempts = [
            a for most in (MANY if lengths else MANY[:1]) if (a := _Attempt(found, most, tier)).order is not None
        ]
        if attempts:
            last = attempts[-1].finished(end, scale_of(attempts, lengths))
            break
    if len(kept) == 1 and all(
        not isinstance(s, For) or not isinstance(s.extent, int) or s.extent >= LONG for s in found
    ):
        (dtype,) = kept
        rough = _Attempt(found, LONGEST, TIERS[dtype], dtype)
        if rough.order is not None:
            last = replace(rough.finished(end, scale_of([rough], lengths)), fitting=_long(lengths), otherwise=last)
    return last


def _unshifted(body: tuple[Stmt, ...], start: int, found: Exponentials, permutes: bool) -> Stretch:
    """The attempts at the logarithm of a sum of exponentials: float32 terms in long rows, float64, then with the largest."""
    largest, length = 2, found.loop.extent  # statements that find it
    last = stretch(body, start + largest)
    last = None if last is None or last.end != found.end else last.otherwise or last  # float32 terms have been tried
    for dtype in (DOUBLE, SINGLE):
        if dtype == SINGLE and isinstance(length, int) and length < LONG:
            break
        prefix = f"{TRIED}{dtype} unshifted "
        tried = found.tried(dtype, prefix, prefix + FLAG, permutes)
        failed = Apply("ne", (Ref(prefix + FLAG, "int64"), Const(0, "int64")), "bool")
        last = Stretch(
            found.end, tried, failed, {found.y: SINGLE}, False, prefix,
            _long([length]) if dtype == SINGLE and not isinstance(length, int) else None,
            last, largest if dtype == DOUBLE else 0,
        )  # fmt: skip
    assert last is not None
    return last


def divided(body: tuple[Stmt, ...], start: int) -> Stretch | None:
    """The attempt at exponentials that begin with this statement and will be divided by their sum: without their largest."""
    found = weights(body, start)
    if found is None:
        return None
    prefix = f"{TRIED}divided "
    failed = Apply("ne", (Ref(prefix + FLAG, "int64"), Const(0, "int64")), "bool")
    results = {found.m: SINGLE, found.s: DOUBLE}
    return Stretch(found.end, found.tried(prefix, prefix + FLAG), failed, results, True, prefix)


def _long(lengths: Sequence[Extent]) -> Value | None:
    """Whether all rows of unknown length are long enough: those of a few lose too often what a rough sum lacks."""
    found: Value | None = None
    for length in dict.fromkeys(lengths):
        one = Apply("ge", (Position(length), Const(LONG, "int64")), "bool")
        found = one if found is None else Apply("bitwise_and", (found, one), "bool")
    return found


def _rounds(value: Value) -> bool:
    """Whether a value is a number of two limbs, or a sum of such, rounded."""
    inner: Value = value
    while isinstance(inner, Apply) and inner.primitive in ("cast", *SUMS) and inner.dtype != PAIR:
        inner = inner.args[0]
    return inner.dtype == PAIR and value.dtype in TIERS


def simple(statements: Sequence[Stmt]) -> bool:
    """Whether there are loops, and a value is the same wherever it stands in these statements."""
    declared = [s.name for s in statements if isinstance(s, Local)]
    loops = [s for s in statements if isinstance(s, For)]
    extents = {loop.index: loop.extent for loop in loops}
    items = walk(*statements)
    stored = {item.view.buffer for item in items if isinstance(item, Store)}
    return (
        bool(loops)
        and len({*declared}) == len(declared)
        and all(extents[loop.index] == loop.extent for loop in loops)
        and not any(isinstance(item, Load) and item.view.buffer in stored for item in items)
    )


def scale_of(attempts: Sequence[_Attempt], lengths: Sequence[Extent]) -> Value:
    """The 2^-k that is asked for, by the lengths of the rows."""
    *others, last = attempts
    scale: Value = Const(2.0 ** -(last.order or 0), "float64")
    for one in reversed(others):
        order = Const(2.0 ** -(one.order or 0), "float64")
        few = [Apply("le", (Position(length), Const(one.most, "int64")), "bool") for length in lengths]
        all_few = functools.reduce(lambda x, y: Apply("bitwise_and", (x, y), "bool"), few)
        scale = Apply("where", (all_few, order, scale), "float64")
    return scale


def shortened_in(statements: Sequence[Stmt]) -> list[Stmt]:
    """Statements with the functions of `wide.short`."""
    flat = [x for s in statements for x in (s.body if isinstance(s, For) else (s,)) if isinstance(x, Valued)]
    short = iter(shortened([s.value for s in flat]))

    def one(s: Stmt) -> Stmt:
        if isinstance(s, For):
            return replace(s, body=tuple(one(x) for x in s.body))
        return replace(s, value=next(short)) if isinstance(s, Valued) else s

    return [one(s) for s in statements]


class _Attempt:
    """A stretch being tried: each statement with one limb, and what its variables are wrong by."""

    def __init__(self, statements: Sequence[Stmt], most: int, tier: Tier, terms: str = "") -> None:
        """most: numbers in a row of unknown length. terms: the dtype of those, if they are tried in that of the result."""
        self.pass_ = FewerDigits(tier)
        self.most = most
        self.tier, self.prefix = tier, TRIED + ("short " if tier is SHORTER else f"{terms} " if terms else "")
        self.terms = Terms(terms, self.pass_.one, self.exact) if terms else None
        self.gained = tier is not SHORTER  # whether anything costs less
        self.out: list[tuple[Stmt, list[Condition]]] = []  # with what must hold there
        self.results: dict[str, str] = {}
        self.read: set[str] = set()  # variables of the stretch
        self.stores = False
        works = all(map(self.statement, statements)) and any(conditions for _, conditions in self.out) and self.gained
        self.order = self.pass_.order if works else None  # the k that will do

    def statement(self, statement: Stmt) -> bool:
        """Whether it can be tried."""
        before = len(self.pass_.conditions)
        made = self.loop(statement) if isinstance(statement, For) else self.local(statement)
        if made is None:
            return False
        conditions = [*self.pass_.conditions.values()][before:]
        self.out += [(s, []) for s in made[:-1]]
        self.out.append((made[-1], conditions))
        return True

    def finished(self, end: int, scale: Value) -> Stretch:
        """The attempt at all that was tried, and where the next statements begin. scale: 2^-k."""
        flag = Ref(f"{self.prefix}{FLAG}", "int64")
        tried: list[Stmt] = [Local(flag.name, Const(0, "int64"))]

        def note(conditions: Sequence[Condition]) -> tuple[Stmt, ...]:
            lost = self.pass_.lost(scale, conditions)
            if lost is None:
                return ()
            word = self.pass_.op("cast", lost, dtype="int64")
            return (Assign(flag.name, Apply("bitwise_or", (flag, word), "int64")),)

        for statement, conditions in self.out:
            if isinstance(statement, For):
                fixed = [c for c in conditions if isinstance(c.value, Position)]  # about the row's length
                inside = [c for c in conditions if c not in fixed]
                tried += (*note(fixed), replace(statement, body=(*statement.body, *note(inside))))
            else:
                tried += (statement, *note(conditions))
        if self.tier is SHORTER:
            tried = shortened_in(tried)
        failed = Apply("ne", (flag, Const(0, "int64")), "bool")
        return Stretch(end, tuple(tried), failed, self.results, self.stores, self.prefix)

    def local(self, statement: Stmt) -> list[Stmt] | None:
        """A variable, by another name."""
        if not isinstance(statement, Local):
            return None
        name, value = statement.name, statement.value
        self.reads(value)
        found = self.pass_.value(value)
        if found is None or (value.dtype != PAIR and id(value) in self.pass_.errors):
            return None
        own = self.prefix + name
        self.pass_.declare(name, Ref(own, found.dtype), value)
        if value.dtype != PAIR:
            self.results[name] = value.dtype
            if self.terms is not None and _rounds(value):
                size = self.pass_.magnitude(found)
                self.pass_.must("ge", size, self.pass_.constant(LEAST[found.dtype], found.dtype))
        return [Local(own, found)]

    def exact(self, value: Value) -> Value | None:
        """What a term's function is taken of, if its error is nothing beside the term's."""
        found = self.pass_.value(value)
        error = self.pass_.errors.get(id(value))
        assert self.terms is not None
        near = error is None or (error.size is None and max(error.units) * FARTHEST < self.terms.units / 64)
        return found if near else None

    def term(self, value: Value) -> Value | None:
        """The counterpart of what is added up."""
        if self.terms is not None and value.dtype == PAIR and (found := self.terms.term(value)) is not None:
            self.pass_.spans[id(value)] = 0.0, math.inf
            self.pass_.errors[id(value)] = Error(self.pass_.alike(self.terms.units))
            return self.pass_.op("cast", found, dtype=self.tier.forms.get(PAIR, PAIR))
        if self.terms is not None and value.dtype != PAIR and (found := self.terms.plain(value)) is not None:
            return found
        self.gained |= any(isinstance(x, Apply) and x.primitive in FUNCTIONS for x in walk(value))
        return None if self.terms is not None and value.dtype == PAIR else self.pass_.value(value)

    def loop(self, loop: For) -> list[Stmt] | None:
        """A loop without loops inside, after the variables that it needs."""
        count = float(loop.extent) if isinstance(loop.extent, int) else self.most
        before: list[Stmt] = []
        out: list[Stmt] = []
        sums: list[tuple[str, Value, Ref | None]] = []
        for statement in inlined(loop.body):
            if isinstance(statement, Local):
                continue
            if not isinstance(statement, Assign | Store):
                return None
            kept = added(statement)
            self.reads(kept)
            found = self.term(kept)
            if found is None or (kept.dtype != PAIR and id(kept) in self.pass_.errors):
                return None
            if isinstance(statement, Store):
                self.stores = True
                if kept is not statement.value or kept.dtype == PAIR:
                    return None
                out.append(replace(statement, value=found))
                continue
            name = statement.name
            if kept is statement.value or name not in self.pass_.variables or name in self.read:
                return None
            total = Ref(self.prefix + name, found.dtype)
            out.append(Assign(total.name, Apply("add", (total, found), found.dtype)))
            if kept.dtype != PAIR:
                continue
            size = None
            if not self.pass_.of_one_sign(name, kept):
                if name in self.pass_.wrong:
                    return None
                size = Ref(f"{self.prefix}size of {name}", ONE)
                before.append(Local(size.name, self.pass_.magnitude(self.pass_.variables[name][0])))
                out.append(Assign(size.name, Apply("add", (size, self.pass_.size(kept)), ONE)))
            sums.append((name, kept, size))
        if not isinstance(loop.extent, int):
            self.pass_.must("le", Position(loop.extent), Const(self.most, "int64"))
        for name, kept, size in sums:
            self.pass_.summed(name, kept, size, count)
        return [*before, For(loop.index, loop.extent, tuple(out), loop.schedule)]

    def reads(self, value: Value) -> None:
        """Take note of the variables that a value reads: what adds to them afterwards is not looked at again."""
        self.read |= {item.name for item in walk(value) if isinstance(item, Ref)}
