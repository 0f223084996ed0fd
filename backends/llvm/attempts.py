"""Loops that hold numbers with an exponent or a second limb, tried without: each vector computed in plain numbers. Where
some of its lanes have left the range or lost digits, and that matters (`wanted`), a function out of line computes the whole
vector in full, of the operands alone (`leaves`), and only these lanes are taken of it; what is left of a loop calls it, too.

So no number depends on the lanes beside it. A loop that adds up numbers with an exponent is tried as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial as bound

from symdl.backends.builder import Reg
from symdl.backends.llvm.beyond import Beyond, beyond, named, spilled
from symdl.backends.llvm.beyond import call as in_balls
from symdl.backends.llvm.choices import ChoiceWriter
from symdl.backends.llvm.halves import halves, has_product, is_zero, rest_of
from symdl.backends.llvm.module import ALIGNED, ITEM_BYTES, Module
from symdl.backends.llvm.plans import Plan, plan_for
from symdl.backends.llvm.statements import Nest, changed_in
from symdl.backends.llvm.whole_loops import Whole, begins, with_variables
from symdl.backends.rungs.centred import centred
from symdl.backends.rungs.exchanges import FUSED, OPEN
from symdl.backends.rungs.leaves import Apart, apart
from symdl.backends.rungs.lone import as_loop
from symdl.backends.rungs.narrowing import COMPARISONS, NARROW, Narrowed, narrowed, summand
from symdl.backends.rungs.rows import row
from symdl.backends.rungs.stretches import FLAG, Stretch, divided, stretch
from symdl.backends.vmath.exponential import open_exp
from symdl.backends.vmath.forms import any_lane, merge
from symdl.backends.wide import emit, numbers
from symdl.backends.wide.brief import BRIEF
from symdl.backends.wide.mixed import MIXED, OF_DOUBLE
from symdl.backends.wide.short import SHORT
from symdl.ir.loops import Apply, Assign, Const, For, Load, Local, Ref, Stmt, Store, Value, walk
from symdl.number_forms import LIMBS, WIDE
from symdl.records import record
from symdl.types import Symbol

RARE = "cold noinline nounwind"
# operations on number forms that are written out: where a lane has failed, where lanes of a vector have, in the rest of a loop
CALLED, AGAIN, LEFT = 12, 24, 48


class AttemptWriter(ChoiceWriter):
    """A ChoiceWriter that tries loops without exponents first."""

    everywhere: tuple[str, ...] = ()  # addresses that every function has, those out of line, too
    in_balls = False  # whether elements that two limbs have too few digits for are computed in balls
    in_stretches = (
        False  # whether sums of two limbs are tried, with what is made of them: threads of a GPU would have to agree
    )

    def __init__(self, module: Module, pointers: dict[str, str], indices: set[Symbol]) -> None:
        super().__init__(module, pointers, indices)
        self.untried = False  # while a round is written that there is no attempt at
        self.lone: dict[int, tuple[For | None, tuple[Stmt, ...]]] = {}  # by the id of the first statement
        self.in_order = False  # while what is left of rounds that are taken at once is taken one by one
        self.ranged = False  # whether float64 may be tried as float32, see `narrowed`
        self.attempts: dict[int, tuple[Narrowed | None, For]] = {}  # by the id of the loop, which is kept
        self.cold: dict[tuple[int, int], Cold] = {}  # by the id of the loop, and lanes
        self.in_parts: dict[int, tuple[tuple[For, ...], For]] = {}  # by the id of the loop, which is kept
        self.stretches: dict[
            tuple[int, bool], tuple[Stretch | None, tuple[Stmt, ...]]
        ] = {}  # by their first's id, in lanes or not

    def statements(self, body: tuple[Stmt, ...]) -> None:
        """Emit statements; those that add up numbers of two limbs and round what they make of them are tried first."""
        place = 0
        while place < len(body):
            tried = self.stretch(body, place)
            lone = self.as_round(body, place) if tried is None else None
            if tried is not None:
                self.attempted(body[place : tried.end], tried)
                place = tried.end
            elif lone is not None:
                self.round(lone)
                place += len(lone.body)
            else:
                self.statement(body[place])
                place += 1

    def as_round(self, body: tuple[Stmt, ...], place: int) -> For | None:
        """What begins with a statement of a body as a round that is tried, where that is asked whether two limbs are enough;
        None within rounds, which have been."""
        if self.lanes or self.untried or not self.in_balls:
            return None
        key = id(body[place])
        found = self.lone.get(key)
        if found is None:
            loop = as_loop(body, place)
            found = self.lone[key] = loop if loop is not None and self.attempt(loop) is not None else None, body
        return found[0]

    def stretch(self, body: tuple[Stmt, ...], place: int) -> Stretch | None:
        """The attempt at what begins with a statement of a body."""
        # Of several rows at once those that have not failed are not stored again.
        several = self.lanes > 0 or self.in_order
        key = id(body[place]), several
        found = self.stretches.get(key) if self.in_stretches else (None, body)
        if found is None:
            tried = stretch(body, place, self.permutes)
            if tried is None and not several:
                tried = divided(body, place) or row(body, place, self.target.fma)
                if tried is None and self.ranged and self.target.fma:
                    tried = centred(body, place)
            elif tried is None:
                tried = row(body, place, self.target.fma, column=True)
            found = self.stretches[key] = tried, body
        return found[0]

    def attempted(self, statements: tuple[Stmt, ...], tried: Stretch) -> None:
        """The attempt, then, where it has failed, the statements, of which it keeps the results of other lanes."""
        loops = [s for s in (*statements, *tried.tried) if isinstance(s, For)]
        self.vary(tried.tried)
        for loop in loops:
            self.attempts[id(loop)] = None, loop
        if tried.fitting is None:
            for statement in tried.tried:
                self.statement(statement)
        else:
            self.tried_if_fitting(tried, tried.fitting)
        failed = self.value(tried.failed)
        again, good, join = self.fresh("again"), self.fresh("good"), self.fresh("join")
        self.branch(any_lane(self, failed).text if self.lanes else failed.text, again, good)
        kept = {name: Ref(tried.prefix + name, dtype) for name, dtype in tried.results.items()}
        full = {name: Ref(name, x.dtype) for name, x in kept.items()}
        chosen = [Assign(n, Apply("where", (tried.failed, full[n], kept[n]), x.dtype)) for n, x in kept.items()]
        self.kept += chosen
        for label, behind in ((again, (*statements, *chosen)), (good, tuple(Local(n, x) for n, x in kept.items()))):
            self.label(label)
            self.open_scope()
            if label == again and tried.otherwise is not None:
                for statement in statements[: tried.before]:
                    self.statement(statement)
                self.attempted(statements[tried.before :], tried.otherwise)
                behind = tuple(chosen)
            for statement in behind:
                self.statement(statement)
            self.close_scope()
            self.jump(join)
        self.label(join)
        self.forget(changed_in(statements))

    def tried_if_fitting(self, tried: Stretch, fitting: Value) -> None:
        """The attempt where rows are such that it is worth it; elsewhere it has failed."""
        unfit = [Local(tried.prefix + FLAG, Const(1, "int64"))]
        unfit += [Local(tried.prefix + name, Const(0, dtype)) for name, dtype in tried.results.items()]
        self.kept.append(unfit)
        fit, not_fit, behind = self.fresh("fit"), self.fresh("unfit"), self.fresh("behind")
        found = self.value(fitting)
        self.branch(any_lane(self, found).text if self.lanes else found.text, fit, not_fit)
        for label, statements in ((fit, tried.tried), (not_fit, unfit)):
            self.label(label)
            self.open_scope()
            for statement in statements:
                self.statement(statement)
            self.close_scope()
            self.jump(behind)
        self.label(behind)
        self.forget(changed_in((*tried.tried, *unfit)))

    def vary(self, statements: tuple[Stmt, ...]) -> None:
        """Statements follow of whose variables no loop around knows."""
        for nest in self.nests:
            nest.varying.update(changed_in(statements))

    def statement(self, statement: Stmt) -> None:
        """Emit one statement."""
        if not isinstance(statement, For):
            super().statement(statement)
            return
        for loop in self.sums_first(statement):
            tried = self.as_whole(loop)
            if tried is None:
                super().statement(loop)
            else:
                self.whole(loop, tried)

    def plan_of(self, loop: For) -> Plan | None:
        """As many lanes as float32 has, where that is what is tried."""
        tried = self.attempt(loop)
        single = tried is not None and tried.single
        doubled = single and any(isinstance(item, Apply) and item.dtype in WIDE for item in walk(*loop.body))
        doubled = doubled or (tried is not None and tried.digits)
        bytes_ = self.target.vector_bytes * (2 if doubled else 1)
        return plan_for(loop, bytes_, running=tried is None, some=self.takes_few(loop))

    def rest(self, loop: For, start: str) -> None:
        """The rounds that are left, less than a vector: calls in a long body."""
        self.calling = is_long(loop, LEFT)
        super().rest(loop, start)
        self.calling = False

    def compute(self, item: Value) -> Reg:
        """A value whose operands are known."""
        if not isinstance(item, Apply):
            return super().compute(item)
        name, args = item.primitive, item.args
        if (emit_one := SHORT.get(name) or BRIEF.get(name)) is not None:
            return emit_one(self, *map(self.value, args))
        if name == FUSED:
            return self.fma(*map(self.value, args))
        if name == OPEN["exp"]:
            return open_exp(self, *map(self.value, args))
        if item.dtype == "float32" and len(args) == 1:
            found = self.of_halves(item)
            if found is not None:
                return found
        if name in COMPARISONS and is_zero(args[1]) and not has_product(args[0]):
            pair = halves(self, args[0])
            if pair is not None:  # the sign of the larger half
                return self.compare(name, pair[0], 0.0)
        return super().compute(item)

    def of_halves(self, item: Apply) -> Reg | None:
        """A float32 made of a float64 that is two float32."""
        if (whole := rest_of(item)) is not None:
            pair = halves(self, whole)
            return None if pair is None else pair[1]
        if item.primitive != "cast" and (item.primitive not in MIXED or item.primitive in OF_DOUBLE):
            return None
        pair = halves(self, item.args[0])
        if pair is None:
            return None
        if item.primitive == "cast":
            return pair[0]
        if numbers.is_nothing(pair[1]):
            return emit(self, item.primitive, pair[0], dtype="float32")
        return MIXED[item.primitive](self, pair)

    # one round

    def attempt(self, loop: For) -> Narrowed | None:
        """The attempt at each round of a loop."""
        found = self.attempts.get(id(loop))
        if found is None:
            made = narrowed(loop, self.target.fma, self.ranged, permutes=self.permutes, beyond=self.in_balls)
            found = self.attempts[id(loop)] = made, loop
        made = found[0]
        return None if made is None or made.sums else made

    def round(self, loop: For) -> None:
        tried = self.attempt(loop)
        if tried is None:
            outside, self.untried = self.untried, _has_no_loop(loop)
            super().round(loop)
            self.untried = outside
            return
        for place, found in self.computed(loop, tried).items():
            statement = loop.body[place]
            if isinstance(statement, Store):
                self.store(found, self.address(statement.view, statement.at))
            else:
                assert isinstance(statement, Assign)
                assert isinstance(statement.value, Apply)
                before = self.get(statement.name)
                self.set(statement.name, emit(self, statement.value.primitive, before, found, dtype=found.dtype))
        self.forget(changed_in(loop.body))

    def vector_round(self, loop: For, plan: Plan, partial: dict[str, str]) -> None:
        tried = self.attempt(loop)
        if tried is None:
            super().vector_round(loop, plan, partial)
            return
        for place, found in self.computed(loop, tried).items():
            statement = loop.body[place]
            if isinstance(statement, Store):
                self.store_lanes(statement.view, statement.at, found)
            else:
                assert isinstance(statement, Assign)
                self.add_up(plan.sums[statement.name], partial.get(statement.name, ""), found)
        self.forget(changed_in(loop.body))

    def computed(self, loop: For, tried: Narrowed) -> dict[int, Reg]:
        """What a round stores and adds up: the attempt, and where it has failed, what is right."""
        found = {place: self.value(value) for place, value in tried.values.items()}
        if tried.failed is None:
            return found
        failed = self.in_question(tried.failed)
        cold = self.in_full(loop, tried, {place: found[place].dtype for place in tried.wide})
        again, join, plain = self.fresh("again"), self.fresh("join"), self.block
        self.branch(any_lane(self, failed).text, again, join)
        self.label(again)
        self.open_scope()
        ends = [plain]
        if tried.surely is not None:
            failed, surely = self.in_question(tried.surely), self.fresh("surely")
            ends.append(self.block)
            self.branch(any_lane(self, failed).text, surely, join)
            self.label(surely)
        redone = self.redone(cold, failed, {place: found[place].dtype for place in tried.wide})
        if self.lanes:
            for place, full in redone.items():
                redone[place] = emit(self, "where", failed, full, found[place], dtype=full.dtype)
        self.close_scope()
        behind = self.block
        self.jump(join)
        self.label(join)
        for place in tried.wide:
            sources = [*((found[place], block) for block in ends), (redone[place], behind)]
            found[place] = merge(self, found[place].dtype, *sources)
        return found

    def redone(self, cold: Cold, failed: Reg, dtypes: dict[int, str]) -> dict[int, Reg]:
        """What the function computes of the values that leaves have here, by places of statements; half by half where there
        are more lanes than it has."""
        area, room, lanes = f"%{self.fresh('area')}", cold.room, self.lanes
        self.scopes[0].landing.append(f"  {area} = alloca [{room.bytes} x i8], align 64")
        values = {name: self.value(leaf) for name, leaf in cold.leaves.items()}
        which = self.lanes_as_word(failed.text) if lanes else "1"
        found: dict[int, Reg] = {}
        for start in range(0, max(lanes, 1), room.lanes):
            part = range(start, min(start + room.lanes, lanes))
            self.take(len(part))
            for name, value in values.items():
                piece = self.some_lanes(value, lanes, part) if len(part) < lanes else value
                self.spill(piece, area, room.offsets[name], room.lanes)
            word = self.emit(f"lshr {self.word} {which}, {start}", "int64").text if start else which
            passed = [f"ptr {area}", f"{self.word} {word}", *map(self.typed, self.everywhere)]
            self.line(f"call i64 @{cold.name}({', '.join(passed)})")
            for place, piece in self.results(room, area, dtypes).items():
                found[place] = self.as_one_vector(found[place], piece, start) if start else piece
        self.take(lanes)
        return found

    def in_question(self, condition: Value) -> Reg:
        """A condition, in the lanes that there are."""
        found = self.value(condition)
        return emit(self, "bitwise_and", found, Reg(self.mask, "bool"), dtype="bool") if self.mask else found

    def each_lane(self, failed: Reg, call: Calling) -> None:
        """Call for each lane that has failed."""
        before, word = self.block, self.lanes_as_word(failed.text)
        each, left, rest = self.fresh("each"), f"%{self.fresh('left')}", f"%{self.fresh('rest')}"
        done = self.fresh("done")
        self.jump(each)
        self.label(each)
        self.line(f"{left} = phi {self.word} [ {word}, %{before} ], [ {rest}, %{each} ]")
        name = f"llvm.cttz.{self.word}"
        self.declarations.add(f"declare {self.word} @{name}({self.word}, i1)")
        lane = self.emit(f"call {self.word} @{name}({self.word} {left}, i1 true)", "int64").text
        self.line(call(lane))
        self.line(f"{rest} = and {self.word} {left}, {self.arithmetic('sub', left, '1')}")
        more = self.emit(f"icmp ne {self.word} {rest}, 0", "bool").text
        self.branch(more, each, done)
        self.label(done)

    def lanes_as_word(self, mask: str) -> str:
        """Which lanes, as bits of a word."""
        bits = self.emit(f"bitcast <{self.lanes} x i1> {mask} to i{self.lanes}", "int64").text
        narrow = self.lanes < int(self.word[1:])
        return self.emit(f"zext i{self.lanes} {bits} to {self.word}", "int64").text if narrow else bits

    def spill(self, value: Reg, area: str, offset: int, lanes: int) -> None:
        """Store what there is of a value's so many lanes in the area, limb after limb."""
        for part in (value,) if max(self.lanes, 1) == lanes or value.dtype not in WIDE else numbers.split(self, value):
            if part.dtype == "bool":
                part = self.convert("zext", part, "int8")
            place = self.at_byte(area, str(offset))
            self.line(f"store {self.type(part.dtype)} {part.text}, ptr {place}, align {ALIGNED[part.dtype]}")
            offset += ITEM_BYTES[part.dtype] * lanes

    def refill(self, dtype: str, area: str, offset: int, lanes: int) -> Reg:
        """The value that stands there."""
        found = []
        whole = max(self.lanes, 1) == lanes or dtype not in WIDE
        for one in (dtype,) if whole else ("float64",) * len(LIMBS[dtype]):
            kept = "int8" if one == "bool" else one
            place = self.at_byte(area, str(offset))
            part = self.emit(f"load {self.type(kept)}, ptr {place}, align {ALIGNED[kept]}", kept)
            found.append(self.compare("ne", part, 0) if one == "bool" else part)
            offset += ITEM_BYTES[kept] * lanes
        if not whole:
            return numbers.join(self, dtype, *found)
        if dtype in WIDE and not self.calling:  # else the calls take it as it is
            self.limbs[found[0].text] = numbers.split(self, found[0])
        return found[0]

    def results(self, room: Room, area: str, dtypes: dict[int, str]) -> dict[int, Reg]:
        """What stands in the area by places of statements."""
        return {place: self.refill(dtype, area, room.offsets[place], room.lanes) for place, dtype in dtypes.items()}

    def at_byte(self, area: str, offset: str) -> str:
        return self.emit(f"getelementptr inbounds i8, ptr {area}, {self.word} {offset}", "int64").text

    def in_full(self, loop: For, tried: Narrowed, results: dict[int, str]) -> Cold:
        """The function that computes rounds in full, as many at once as the loop is taken in: of leaves that stand in its area,
        where it leaves the results. What it is given beside says which rounds are wanted, by bits of a word."""
        plan = None if self.lanes else self.plan_of(loop)
        lanes = self.lanes or (plan.lanes if plan is not None else 0)
        leaves = [x.dtype for x in walk(*loop.body) if isinstance(x, Load | Ref)]
        if lanes * ITEM_BYTES["float32"] > self.target.vector_bytes and WIDE.isdisjoint([*leaves, *results.values()]):
            lanes //= 2  # half of the text, called twice
        key = id(loop), lanes
        if key not in self.cold:
            self.cold[key] = self.written_in_full(loop, tried, results, lanes)
        return self.cold[key]

    def written_in_full(self, loop: For, tried: Narrowed, results: dict[int, str], lanes: int) -> Cold:
        found = apart(loop, tried.wide)
        room = Room.of([*results.items(), *((name, leaf.dtype) for name, leaf in found.leaves.items())], lanes)
        offsets = {place: room.offsets[place] for place in results}
        more = beyond(found.loop, tried, offsets) if self.in_balls else None
        full = more.loop if more is not None else found.loop
        w = type(self)(self.module, {}, self.indices)
        w.calling = is_long(loop, AGAIN if lanes else CALLED)
        if lanes:
            w.begin_lanes(found, lanes)
        for name, leaf in found.leaves.items():
            w.dtypes[name] = leaf.dtype
            value = w.refill(leaf.dtype, "%area", room.offsets[name], room.lanes)
            if lanes:
                w.own[name] = value
            else:
                w.set(name, value)
        for place in tried.wide:
            w.spill(w.value(summand(full.body[place])), "%area", room.offsets[place], room.lanes)
        if more is not None:
            w.beyond(more, room)
        w.take(0)
        w.line("ret i64 0")
        kinds = ["ptr %area", f"{w.word} %lanes", *map(w.typed, w.everywhere)]
        return Cold(self.module.share("again", f"({', '.join(kinds)})", w.finished(), w, RARE), found.leaves, room)

    def beyond(self, found: Beyond, room: Room) -> None:
        """Compute the lanes again, of the one that the function has or of all, that have lost more digits than two limbs hold."""
        failed = self.value(found.failed)
        if self.lanes:
            failed = emit(self, "bitwise_and", failed, self.given_lanes("%lanes"), dtype="bool")
        again, join, leaves = self.fresh("beyond"), self.fresh("within"), f"%{self.fresh('leaves')}"
        self.scopes[0].landing.append(f"  {leaves} = alloca [{found.bytes(self.lanes)} x i8], align 64")
        self.branch(any_lane(self, failed).text if self.lanes else failed.text, again, join)
        self.label(again)
        spilled(self, found, leaves)
        call = bound(in_balls, named(self, found.tape), leaves, self.lanes, "%area", room.lanes)
        if self.lanes:
            self.each_lane(failed, call)
        else:
            self.line(call("0"))
        self.jump(join)
        self.label(join)

    def given_lanes(self, word: str) -> Reg:
        """The lanes that are bits of a word."""
        bits = self.emit(f"trunc {self.word} {word} to i{self.lanes}", "int64").text
        return self.emit(f"bitcast i{self.lanes} {bits} to <{self.lanes} x i1>", "bool")

    def begin_lanes(self, found: Apart, lanes: int) -> None:
        """What follows is a round of the loop in so many lanes, in a function of its own."""
        ahead, body = self.fresh("ahead"), self.fresh("lanes")
        self.jump(ahead)
        self.label(ahead)
        before = self.open_scope()
        before.block = ahead
        self.jump(body)
        self.label(body)
        self.open_scope()
        self.nests.append(Nest(before, {("variable", name) for name in found.leaves}))
        self.own, self.index = {}, found.loop.index
        self.take(lanes)

    # whole loops

    def as_whole(self, loop: For) -> Whole | None:
        """A loop that adds up numbers with an exponent, as one that does not; None for others, and where what it reads
        may be gone afterwards."""
        if not any(isinstance(s, Assign) and s.value.dtype in NARROW for s in loop.body):
            return None
        if id(loop) in self.attempts and self.attempts[id(loop)][0] is None:  # in full, since more has been tried
            return None
        plan = plan_for(loop, self.target.vector_bytes, some=self.may_mask(loop))
        free = plan is not None and loop.schedule == "vector"
        tried = narrowed(loop, self.target.fma, self.ranged, digits=False) if free else None
        stored = {s.view.buffer for s in loop.body if isinstance(s, Store)}
        loaded = {item.view.buffer for item in walk(*loop.body) if isinstance(item, Load)}
        if plan is None or tried is None or stored & loaded or not all(map(begins, plan.sums.values())):
            return None
        return Whole.of(loop, tried, self.target.fma)

    def sums_first(self, loop: For) -> tuple[For, ...]:
        """A loop that writes over what it reads, and so cannot be repeated, as one that adds up numbers with an exponent and
        one that does the rest: rounds of vectors read what no other round writes. Other loops as they are."""
        found = self.in_parts.get(id(loop))
        if found is None:
            wide = [s for s in loop.body if isinstance(s, Assign) and s.value.dtype in NARROW]
            stored = {s.view.buffer for s in loop.body if isinstance(s, Store)}
            loaded = {item.view.buffer for item in walk(*loop.body) if isinstance(item, Load)} if wide else set()
            possible = loop.schedule == "vector" and plan_for(loop, self.target.vector_bytes) is not None
            parts: tuple[For, ...] = (loop,)
            if stored & loaded and possible and narrowed(loop, self.target.fma, self.ranged, digits=False) is not None:
                rest = [s for s in loop.body if not isinstance(s, Local) and not any(s is w for w in wide)]
                parts = tuple(replace(loop, body=with_variables(loop, chosen)) for chosen in (wide, rest))
            found = self.in_parts[id(loop)] = parts, loop
        return found[0]

    def whole(self, loop: For, tried: Whole) -> None:
        """The attempt at all rounds, then, if it has failed, all rounds in full."""
        after = tuple(map(self.begun, tried.after))
        self.kept += (tried, after)
        self.vary((*tried.before, tried.loop, *tried.after))
        for statement in tried.before:
            super().statement(statement)
        self.attempts[id(tried.loop)] = None, tried.loop
        super().statement(tried.loop)
        failed = self.value(tried.failed)
        again, good, join = self.fresh("again"), self.fresh("good"), self.fresh("join")
        self.branch(failed.text, again, good)
        for label, statements in ((again, (loop,)), (good, after)):
            self.label(label)
            self.open_scope()
            for statement in statements:
                super().statement(statement)
            self.close_scope()
            self.jump(join)
        self.label(join)
        self.forget(changed_in(loop.body))

    def begun(self, statement: Stmt) -> Stmt:
        """What is added to a variable that is 0 still, as what the variable is."""
        match statement:
            case Assign(name, Apply("add", (Ref(), total))) if any(self.empty.get(name) is s for s in self.scopes):
                return Assign(name, total)
        return statement


Calling = bound[str]


def _has_no_loop(loop: For) -> bool:
    return not any(isinstance(s, For) for s in loop.body)


def is_long(loop: For, most: int) -> bool:
    """Whether a loop has more operations on number forms than this."""
    items = (item for item in walk(*loop.body) if isinstance(item, Apply))
    return sum(item.dtype in WIDE or any(x.dtype in WIDE for x in item.args) for item in items) > most


@record
class Cold:
    """A function that computes in full, and what it is given."""

    name: str
    leaves: dict[str, Value]
    room: Room


@record
class Room:
    """Where the lanes of leaves and results stand in memory while some of them are computed again."""

    offsets: dict[int | str, int]
    bytes: int
    lanes: int

    @staticmethod
    def of(values: Sequence[tuple[int | str, str]], lanes: int) -> Room:
        offsets, total, lanes = {}, 0, max(lanes, 1)
        for name, dtype in values:
            offsets[name] = total
            total += -(-lanes * ITEM_BYTES[dtype] // 64) * 64
        return Room(offsets, total, lanes)
