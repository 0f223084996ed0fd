"""Loops that choose the largest or the least and its place, as LLVM IR by whole vectors.

Floats are first taken in groups of vectors, of which only the best is compared with the best so far, so that a group costs
little more than its largest number alone:

    y = max(x[g], x[g + 1], ...);  came = where(y > best, g, came);  best = max(y, best)

The group that had the best is then searched for its place. Where a NaN was met, which would win, all are gone through one vector
after the other, value and place by themselves in each lane, as integers are, and what is left of whole groups.
"""

from __future__ import annotations

from collections.abc import Sequence

from symdl.backends.builder import BITS, FLOATS, LLVM_TYPE, Reg, vector_type
from symdl.backends.llvm.module import ITEM_BYTES
from symdl.backends.llvm.plans import Choice, Plan
from symdl.backends.llvm.statements import Nest, varying_in
from symdl.backends.llvm.vectors import VectorWriter
from symdl.backends.vmath.forms import any_lane
from symdl.backends.wide import emit
from symdl.ir.loops import For
from symdl.types import replace_symbols

COUNTED = (1 << 31) - 64  # rounds that 32 bits count
CHOICES = 4  # vectors of a choice that are taken in a round, none of which waits for another


class ChoiceWriter(VectorWriter):
    """A VectorWriter of choices."""

    def best_of_vectors(self, loop: For, plan: Plan, choice: Choice, first: str, end: str) -> str:
        """A choice among all rounds, if they fill a vector; returns the register with the place from where on none was looked
        at. The last vector begins before the last one ends: who is met twice is the best of no more."""
        lanes = plan.lanes
        end = self.extreme("min", end, str(COUNTED))
        if choice.dtype not in FLOATS:
            return self.best_one_by_one(loop, choice, first, end, lanes)
        done = self.best_of_groups(loop, choice, first, end, lanes)
        # what is not, few rounds or with a NaN, goes one vector after the other
        again, join, before = self.fresh("again"), self.fresh("join"), self.block
        self.branch(self.emit(f"icmp slt {self.word} {done}, {end}", "bool").text, again, join)
        self.label(again)
        self.open_scope()
        ends = self.best_one_by_one(loop, choice, done, end, lanes)
        self.close_scope()
        behind = self.block
        self.jump(join)
        self.label(join)
        return self.emit(f"phi {self.word} [ {done}, %{before} ], [ {ends}, %{behind} ]", "int64").text

    def best_one_by_one(self, loop: For, choice: Choice, first: str, end: str, lanes: int) -> str:
        """The same by vectors, of which each is compared with the best so far."""
        chosen = [self.begin_choice(choice, lanes) for _ in range(CHOICES)]
        start = first
        for count in (CHOICES, 1):
            self.choices(
                loop, choice, chosen[:count], start, self.arithmetic("sub", end, str(count * lanes - 1)), lanes
            )
            start = self.after_whole(start, end, count * lanes)
        last = self.arithmetic("sub", end, str(lanes))
        left = self.extreme("min", self.arithmetic("sub", end, start), self.arithmetic("sub", start, first))
        self.choices(loop, choice, chosen[:1], last, self.arithmetic("add", last, left), lanes)
        self.finish_choice(loop, choice, chosen, lanes)
        some = self.emit(f"icmp sgt {self.word} {start}, {first}", "bool").text
        return self.emit(f"select i1 {some}, {self.word} {end}, {self.word} {first}", "int64").text

    def best_of_groups(self, loop: For, choice: Choice, first: str, end: str, lanes: int) -> str:
        """The variables with the best of all rounds, if they fill a group of vectors; returns the register with the place where
        what was looked at ends, which is the first one, nothing being changed, also if there was a NaN."""
        step = CHOICES * lanes
        before, (best, came) = self.get(choice.best), self.begin_choice(choice, lanes)
        # without registers for truth values a vector of them is packed in each round: words are what comparisons give there
        nan = Reg(f"%{self.fresh('nan')}", "bool" if self.permutes else f"int{BITS[choice.dtype]}")
        self.scopes[0].landing.append(f"  {nan.text} = alloca {vector_type(nan.dtype, lanes)}")
        self.line(f"store {vector_type(nan.dtype, lanes)} zeroinitializer, ptr {nan.text}")
        self.groups(loop, choice, (best, came, nan), first, self.arithmetic("sub", end, str(step - 1)), lanes)
        start = self.after_whole(first, end, step)
        last = self.arithmetic("sub", end, str(step))
        left = self.extreme("min", self.arithmetic("sub", end, start), self.arithmetic("sub", start, first))
        self.groups(loop, choice, (best, came, nan), last, self.arithmetic("add", last, left), lanes)
        self.take(lanes)
        top, groups, met = (self.emit(f"load {self.type(x.dtype)}, ptr {x.text}", x.dtype) for x in (best, came, nan))
        some = met if met.dtype == "bool" else self.compare("ne", met, 0)
        good = self.emit(f"xor i1 {any_lane(self, some).text}, true", "bool").text
        most = self.of_lanes("fmax" if choice.greatest else "fmin", top)
        first_of = emit(self, "where", self.compare("eq", top, self.every_lane(most, lanes)), groups,
                        self.const(-1, groups.dtype), dtype=groups.dtype)  # fmt: skip
        group = self.of_lanes("umin", first_of)
        self.take(0)
        better = self.compare("gt" if choice.greatest else "lt", most, before).text
        found, join = self.fresh("found"), self.fresh("join")
        self.branch(self.emit(f"and i1 {good}, {better}", "bool").text, found, join)
        self.label(found)
        self.place_in_group(loop, choice, self.as_word(group), most, lanes)
        self.jump(join)
        self.label(join)
        filled = self.emit(f"icmp sgt {self.word} {start}, {first}", "bool").text
        done = self.emit(f"and i1 {good}, {filled}", "bool").text
        return self.emit(f"select i1 {done}, {self.word} {end}, {self.word} {first}", "int64").text

    def groups(self, loop: For, choice: Choice, chosen: tuple[Reg, Reg, Reg], first: str, end: str, lanes: int) -> None:
        """Groups that begin before the end. chosen: memory for the best in each lane, its group, and whether there was a NaN."""
        best, came, nan = chosen
        rounds = self.counter(came.dtype, first, lanes)
        beats = "gt" if choice.greatest else "lt"
        opened = self.open_loop(end, first, CHOICES * lanes)
        self.nests.append(Nest(opened.before, varying_in(loop)))
        self.asks = str(self.further(loop) or "")
        values = self.group(loop, choice, opened.index, lanes)
        self.asks = ""
        old, place, now, met = (
            self.emit(f"load {self.type(x.dtype)}, ptr {x.text}", x.dtype) for x in (best, came, rounds, nan)
        )
        for x, y in zip(values[::2], values[1::2], strict=True):
            met = self.or_(met, self.convert("sext", self.compare("uno", x, y), met.dtype))
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=True)
            values = [self.select(self.compare(beats, x, y), x, y) for x, y in pairs]
        better = self.compare(beats, values[0], old)
        for pointer, value in (
            (best, self.select(better, values[0], old)), (came, self.select(better, now, place)), (nan, met),
        ):  # fmt: skip
            self.line(f"store {self.type(pointer.dtype)} {value.text}, ptr {pointer.text}")
        self.count_on(rounds, CHOICES * lanes)
        self.take(0)
        self.nests.pop()
        self.close_loop(opened)

    def group(self, loop: For, choice: Choice, start: str, lanes: int) -> list[Reg]:
        """The numbers of a group, as vectors; it goes on in lanes."""
        self.own, self.index = {}, loop.index
        self.take(lanes)
        values = []
        for k in range(CHOICES):
            self.open_scope().symbols[loop.index] = self.arithmetic("add", start, str(k * lanes))
            values.append(self.value(choice.value))
            self.close_scope()
        return values

    def place_in_group(self, loop: For, choice: Choice, start: str, most: Reg, lanes: int) -> None:
        """The variables with the first of the numbers of a group that equals the largest."""
        base = self.position(self.size(replace_symbols(choice.place, {loop.index: 0})), "int64")
        opened = self.open_loop(self.arithmetic("add", start, "1"), start, CHOICES * lanes, certain=True)
        self.nests.append(Nest(opened.before, varying_in(loop)))
        equal = [self.compare("eq", x, self.every_lane(most, lanes)) for x in self.group(loop, choice, start, lanes)]
        self.take(0)
        word = Reg("0", "int64")
        for k, x in enumerate(equal):
            bits = self.emit(f"bitcast <{lanes} x i1> {x.text} to i{lanes}", "int64").text
            word = self.or_(word, self.shl(self.emit(f"zext i{lanes} {bits} to i64", "int64"), k * lanes))
        self.declarations.add("declare i64 @llvm.cttz.i64(i64, i1)")
        lane = self.emit(f"call i64 @llvm.cttz.i64(i64 {word.text}, i1 true)", "int64")
        at = self.arithmetic("add", start, self.as_word(lane))
        self.open_scope().symbols[loop.index] = at
        best = self.value(choice.value)
        self.close_scope()
        self.set(choice.best, best)
        self.set(choice.at, self.add(base, self.position(at, "int64")))
        self.nests.pop()
        self.close_loop(opened)

    def of_lanes(self, which: str, x: Reg) -> Reg:
        """The largest or least of all lanes."""
        one, name = LLVM_TYPE[x.dtype], f"llvm.vector.reduce.{which}.{self.suffix(x.dtype)}"
        self.declarations.add(f"declare {one} @{name}({self.type(x.dtype)})")
        return self.emit(f"call {one} @{name}({self.type(x.dtype)} {x.text})", x.dtype)

    def choices(
        self, loop: For, choice: Choice, chosen: Sequence[tuple[Reg, Reg]], first: str, end: str, lanes: int
    ) -> None:
        """Rounds of a choice by one vector for each of the best so far, which begin before the end."""
        rounds = self.counter(chosen[0][1].dtype, first, lanes)
        step = len(chosen) * lanes
        opened = self.open_loop(end, first, step)
        self.nests.append(Nest(opened.before, varying_in(loop)))
        self.own, self.index = {}, loop.index
        self.take(lanes)
        self.asks = str(self.further(loop) or "") if len(chosen) > 1 else ""
        for k, pair in enumerate(chosen):
            self.open_scope().symbols[loop.index] = self.arithmetic("add", opened.index, str(k * lanes))
            self.choose(choice, *pair, rounds)
            self.close_scope()
        self.asks = ""
        self.count_on(rounds, step)
        self.take(0)
        self.nests.pop()
        self.close_loop(opened)

    def begin_choice(self, choice: Choice, lanes: int) -> tuple[Reg, Reg]:
        """Memory for the best in each lane and the round in which it came, -1 for what was there before: numbers as wide
        as the elements, so that one mask serves both."""
        counter = "int64" if ITEM_BYTES[choice.dtype] == 8 else "int32"
        pointers = []
        for first in (self.get(choice.best), Reg("-1", counter)):
            pointer, kind = f"%{self.fresh('lanes')}", vector_type(first.dtype, lanes)
            self.scopes[0].landing.append(f"  {pointer} = alloca {kind}")
            self.line(f"store {kind} {self.every_lane(first, lanes).text}, ptr {pointer}")
            pointers.append(Reg(pointer, first.dtype))
        return pointers[0], pointers[1]

    def counter(self, dtype: str, first: str, lanes: int) -> Reg:
        """Memory for the round of a choice, in every lane: what counts by itself waits for no register of words."""
        word = first
        if dtype != "int64" or self.word != "i64":
            how = "trunc" if dtype == "int32" else "sext"
            word = self.emit(f"{how} {self.word} {word} to {LLVM_TYPE[dtype]}", dtype).text
        pointer, kind = f"%{self.fresh('rounds')}", vector_type(dtype, lanes)
        self.scopes[0].landing.append(f"  {pointer} = alloca {kind}")
        self.line(f"store {kind} {self.every_lane(Reg(word, dtype), lanes).text}, ptr {pointer}")
        return Reg(pointer, dtype)

    def count_on(self, counter: Reg, step: int) -> None:
        """The next round of a choice."""
        kind = self.type(counter.dtype)
        before = self.emit(f"load {kind}, ptr {counter.text}", counter.dtype)
        self.line(f"store {kind} {self.add(before, self.const(step, counter.dtype)).text}, ptr {counter.text}")

    def choose(self, choice: Choice, best: Reg, came: Reg, rounds: Reg) -> None:
        """A round of a choice, by itself in each lane."""
        old, before, now = (
            self.emit(f"load {self.type(x.dtype)}, ptr {x.text}", x.dtype) for x in (best, came, rounds)
        )
        self.own[choice.best] = old
        better, value = self.value(choice.better), self.value(choice.value)
        for pointer, new, kept in ((best, value, old), (came, now, before)):
            found = emit(self, "where", better, new, kept, dtype=pointer.dtype)
            self.line(f"store {self.type(pointer.dtype)} {found.text}, ptr {pointer.text}")

    def finish_choice(self, loop: For, choice: Choice, pairs: Sequence[tuple[Reg, Reg]], lanes: int) -> None:
        """The best of the lanes, which began with what was found before: half of the vectors, then of the lanes, beside the
        other half again and again."""
        start = self.position(self.size(replace_symbols(choice.place, {loop.index: 0})), "int64")
        self.take(lanes)
        found = []
        for k, pair in enumerate(pairs):
            best, came = (self.emit(f"load {self.type(x.dtype)}, ptr {x.text}", x.dtype) for x in pair)
            kind = LLVM_TYPE[came.dtype]
            steps = Reg(f"<{', '.join(f'{kind} {k * lanes + lane}' for lane in range(lanes))}>", came.dtype)
            before = self.compare("lt", came, 0)
            found.append([best, emit(self, "where", before, came, self.add(came, steps), dtype=came.dtype)])
        while len(found) > 1:
            found = [self.better(choice, y, x) for x, y in zip(found[::2], found[1::2], strict=True)]
        self.take(0)
        all_ = found[0]
        while lanes > 1:
            half = lanes // 2
            low, high = ([self.some_lanes(x, lanes, range(at, at + half)) for x in all_] for at in (0, half))
            if half == 1:
                low, high = ([self.lane(x, 2, k) for x in all_] for k in (0, 1))
            self.take(half if half > 1 else 0)
            all_, lanes = self.better(choice, high, low), half
            self.take(0)
        best, at = all_
        since = at if at.dtype == "int64" else emit(self, "cast", at, dtype="int64")
        before = self.compare("lt", at, 0)
        self.set(choice.best, best)
        self.set(choice.at, emit(self, "where", before, self.get(choice.at), self.add(start, since), dtype="int64"))

    def better(self, choice: Choice, new: Sequence[Reg], old: Sequence[Reg]) -> list[Reg]:
        """The better (value, place) of two, the first of equal ones; a NaN beats all."""
        (value, place), (best, at) = new, old
        better = self.compare("gt" if choice.greatest else "lt", value, best)
        equal = self.compare("eq", value, best)
        if choice.dtype in FLOATS:
            nan, number = self.compare("uno", value, value), self.compare("ord", best, best)
            better = emit(
                self, "bitwise_or", better, emit(self, "bitwise_and", nan, number, dtype="bool"), dtype="bool"
            )
            both = emit(self, "bitwise_and", nan, self.compare("uno", best, best), dtype="bool")
            equal = emit(self, "bitwise_or", equal, both, dtype="bool")
        sooner = emit(self, "bitwise_and", equal, self.compare("lt", place, at), dtype="bool")
        better = emit(self, "bitwise_or", better, sooner, dtype="bool")
        return [emit(self, "where", better, x, y, dtype=x.dtype) for x, y in zip(new, old, strict=True)]
