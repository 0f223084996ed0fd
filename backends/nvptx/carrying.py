"""Statements for a group of threads, with loops that hand on more than sums (`carried`) shared among them.

The first of the largest is found as each thread finds it among its own rounds, and then among threads, pairs of value and
place compared. Running sums go by as many rounds as there are threads: sums within each warp, of the warps, and before all.
What is scattered goes likewise: of the rounds that choose one element, the first thread's adds all, in their order, so that
numbers are those of one thread. Nothing depends on the order in which threads run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from symdl.backends.builder import LLVM_TYPE, Reg
from symdl.backends.llvm.statements import changed_in
from symdl.backends.nvptx.carried import Running, Scattered, Selection, Shape, carried_of
from symdl.backends.nvptx.groups import THREADS, WARP, GroupWriter, identity
from symdl.backends.nvptx.hazards import Touch, folds_of
from symdl.backends.wide import emit
from symdl.ir.loops import For, Stmt, Value

NOWHERE = np.iinfo(np.int64).max


class CarryWriter(GroupWriter):
    """A GroupWriter that shares such loops."""

    def together(self, statement: Stmt) -> None:
        shape = carried_of(statement) if isinstance(statement, For) and folds_of(statement) is None else None
        if shape is None or (isinstance(shape, Scattered) and self.size_of_group != self.threads):
            super().together(statement)
            return
        assert isinstance(statement, For)
        self.before(self.touches(statement, Touch("dealt", ())))
        self.forget(changed_in(statement.body))
        self.carry(statement, shape)
        self.forget(changed_in(statement.body))

    def carry(self, loop: For, shape: Shape) -> None:
        match shape:
            case Selection():
                self.select_first(loop, shape)
            case Running():
                self.run_on(loop, shape)
            case Scattered():
                self.scatter(loop, shape)

    # the first of the largest

    def select_first(self, loop: For, shape: Selection) -> None:
        """The best of each thread's rounds, then of all, then of that and what was best before."""
        before = [self.get(shape.best), self.get(shape.where)]
        worst = identity("maximum" if shape.better == "gt" else "minimum", shape.dtype)
        self.set(shape.best, self.const(worst, shape.dtype))
        self.set(shape.where, self.const(NOWHERE, "int64"))
        self.shared_out([loop], self.in_group, str(self.size_of_group), None)
        own = [self.get(shape.best), self.get(shape.where)]
        found = self.combined(own, lambda one, two: self.better_of(shape, one, two))
        for name, value in zip((shape.best, shape.where), self.better_of(shape, before, found), strict=True):
            self.set(name, value)
        self.set(shape.flag, self.const(0, "bool"))

    def better_of(self, shape: Selection, one: Sequence[Reg], two: Sequence[Reg]) -> list[Reg]:
        """Of two pairs of value and place the better one; of equally good ones the first."""
        better, worse = self.is_better(shape, two[0], one[0]), self.is_better(shape, one[0], two[0])
        earlier = self.emit(f"icmp slt i64 {two[1].text}, {one[1].text}", "bool").text
        even = self.emit(f"xor i1 {worse}, true", "bool").text
        tie = self.emit(f"and i1 {even}, {earlier}", "bool").text
        take = Reg(self.emit(f"or i1 {better}, {tie}", "bool").text, "bool")
        return [self.select(take, y, x) for x, y in zip(one, two, strict=True)]

    def is_better(self, shape: Selection, x: Reg, y: Reg) -> str:
        found = emit(self, shape.better, x, y, dtype="bool").text
        if not shape.dtype.startswith("float"):
            return found
        lost, kept = (emit(self, "isnan", v, dtype="bool").text for v in (x, y))
        only = self.emit(f"and i1 {lost}, {self.emit(f'xor i1 {kept}, true', 'bool').text}", "bool").text
        return self.emit(f"or i1 {found}, {only}", "bool").text

    # running sums

    def run_on(self, loop: For, shape: Running) -> None:
        """As many rounds as there are threads at a time: what each adds, the sums of all before it, then the rounds."""
        size = self.size_of_group
        lane = self.arithmetic("and", self.in_group, str(WARP - 1))
        warp = self.emit(f"trunc i64 {self.arithmetic('lshr', self.in_group, '5')} to i32", "int32").text
        last = self.arithmetic("icmp eq", lane, str(WARP - 1))
        head = Reg(self.arithmetic("icmp eq", lane, "0"), "bool")
        opened = self.open_loop(self.size(loop.extent), "0", size)
        i, inside = self.own_round(loop, opened.index)
        values = self.if_inside(
            loop, i, inside, [value for _, _, value in shape.totals], [p for _, p, _ in shape.totals]
        )
        before = [self.get(name) for name, _, _ in shape.totals]
        sums: list[Reg] = []
        ahead: list[Reg] = []
        for value, (_, plus, _) in zip(values, shape.totals, strict=True):
            reach = 1
            while reach < WARP:
                other = self.from_lane(value, lane, reach)
                further = Reg(self.arithmetic("icmp sge", lane, str(reach)), "bool")
                value = self.select(further, emit(self, plus, other, value, dtype=value.dtype), value)
                reach *= 2
            sums.append(value)
            ahead.append(self.from_lane(value, lane, 1))
        begins, after = before, []
        if size == WARP:
            ends = [
                [self.from_words([self.exchange("idx", w, str(WARP - 1)) for w in self.as_words(v)], v.dtype)]
                for v in sums
            ]
        else:
            ends = self.of_all_warps(sums, warp, last)
        starts = []
        for k, (_, plus, _) in enumerate(shape.totals):
            start, total = begins[k], begins[k]
            for number, end in enumerate(ends[k]):
                total = emit(self, plus, total, end, dtype=end.dtype)
                if size != WARP:
                    past = Reg(self.emit(f"icmp slt i32 {number}, {warp}", "bool").text, "bool")
                    start = self.select(past, total, start)
            more = emit(self, plus, start, ahead[k], dtype=start.dtype)
            starts.append(self.select(head, start, more))
            after.append(total)
        for (name, _, _), start in zip(shape.totals, starts, strict=True):
            self.set(name, start)
        self.forget(changed_in(loop.body))
        self.where_inside(loop, i, inside)
        for (name, _, _), total in zip(shape.totals, after, strict=True):
            self.set(name, total)
        self.close_loop(opened)

    def from_lane(self, value: Reg, lane: str, back: int) -> Reg:
        """The value of the thread so many lanes before; of any other where there is none."""
        place = self.arithmetic("and", self.arithmetic("sub", lane, str(back)), str(WARP - 1))
        number = self.emit(f"trunc i64 {place} to i32", "int32").text
        return self.from_words([self.exchange("idx", w, number) for w in self.as_words(value)], value.dtype)

    def of_all_warps(self, sums: Sequence[Reg], warp: str, last: str) -> list[list[Reg]]:
        """What the last lane of each warp has, of each value."""
        warps = self.size_of_group // WARP
        words = [self.as_words(v) for v in sums]
        flat = [w for each in words for w in each]
        self.words = max(self.words, len(flat) * warps)
        go, join = self.fresh("last"), self.fresh("join")
        self.branch(last, go, join)
        self.label(go)
        for k, w in enumerate(flat):
            self.line(f"store i32 {w}, {self.typed(self.shared_word(k * warps, warp))}, align 4")
        self.jump(join)
        self.label(join)
        self.meet()
        found, at = [], 0
        for value, each in zip(sums, words, strict=True):
            row = []
            for number in range(warps):
                places = [self.shared_word((at + k) * warps + number) for k in range(len(each))]
                row.append(self.from_words([self.shared_load(p) for p in places], value.dtype))
            at += len(each)
            found.append(row)
        self.meet()
        return found

    def shared_load(self, place: str) -> str:
        return self.emit(f"load i32, {self.typed(place)}, align 4", "int32").text

    # what data choose

    def scatter(self, loop: For, shape: Scattered) -> None:
        """As many rounds as there are threads at a time: all that choose one element are one thread's, in order."""
        store = shape.store
        dtype = store.value.dtype
        memory = self.pointers[store.view.buffer]
        opened = self.open_loop(self.size(loop.extent), "0", self.size_of_group)
        i, inside = self.own_round(loop, opened.index)
        yes, join, outside = self.fresh("inside"), self.fresh("join"), self.block
        self.branch(inside, yes, join)
        self.label(yes)
        self.open_scope().symbols[loop.index] = i
        self.arms += 1
        place = self.element_number(store.view, store.at)
        if extents := self.may_be_empty(store.at):
            place = self.emit(f"select i1 {self.all_there(extents)}, i64 {place}, i64 -1", "int64").text
        value, at = self.value(shape.value), self.block
        self.arms -= 1
        self.close_scope()
        self.jump(join)
        self.label(join)
        key = self.emit(f"phi i64 [ {place}, %{at} ], [ -1, %{outside} ]", "int64").text
        kind, zero = LLVM_TYPE[dtype], self.const(0, dtype).text
        own = self.emit(f"phi {kind} [ {value.text}, %{at} ], [ {zero}, %{outside} ]", dtype)
        words = [*self.as_words(Reg(key, "int64")), *self.as_words(own)]
        self.words = max(self.words, len(words) * THREADS)
        thread = self.emit(f"trunc i64 {self.in_group} to i32", "int32").text
        for k, w in enumerate(words):
            self.line(f"store i32 {w}, {self.typed(self.shared_word(k * THREADS, thread))}, align 4")
        self.meet()
        here = self.emit(f"icmp sge i64 {key}, 0", "bool").text
        spot = self.element(memory, store.view.dtype, self.emit(f"select i1 {here}, i64 {key}, i64 0", "int64").text)
        self.dtypes["_mine"], self.dtypes["_sum"] = "bool", dtype
        self.set("_mine", Reg(here, "bool"))
        self.set("_sum", own)
        if shape.plus:
            go, on = self.fresh("old"), self.fresh("on")
            self.branch(here, go, on)
            self.label(go)
            self.set("_sum", self.load(spot, store.view.dtype))
            self.jump(on)
            self.label(on)
        left = self.arithmetic("sub", self.size(loop.extent), opened.index)
        many = self.extreme("min", left, str(self.size_of_group))
        each = self.open_loop(many, "0", 1, certain=True)
        number = self.emit(f"trunc i64 {each.index} to i32", "int32").text
        seen = [self.shared_load(self.shared_word(k * THREADS, number)) for k in range(len(words))]
        same = self.arithmetic("icmp eq", self.from_words(seen[:2], "int64").text, key)
        apart = "slt" if shape.plus else "sgt"  # the first adds all; the last is what stays
        other = self.emit(f"icmp {apart} i64 {each.index}, {self.in_group}", "bool").text
        taken = self.emit(f"and i1 {same}, {other}", "bool").text
        mine = self.emit(f"and i1 {self.get('_mine').text}, {self.emit(f'xor i1 {taken}, true', 'bool').text}", "bool")
        self.set("_mine", mine)
        if shape.plus:
            later = self.emit(f"xor i1 {other}, true", "bool").text
            counts = Reg(self.emit(f"and i1 {same}, {later}", "bool").text, "bool")
            total = self.get("_sum")
            more = emit(self, shape.plus, total, self.from_words(seen[2:], dtype), dtype=dtype)
            self.set("_sum", self.select(counts, more, total))
        self.close_loop(each)
        self.meet()
        go, on = self.fresh("mine"), self.fresh("on")
        self.branch(self.get("_mine").text, go, on)
        self.label(go)
        self.store(self.get("_sum"), spot)
        self.jump(on)
        self.label(on)
        self.meet()
        self.close_loop(opened)

    # rounds

    def own_round(self, loop: For, base: str) -> tuple[str, str]:
        """(this thread's round of those that begin at a base, whether there is one)."""
        i = self.arithmetic("add", base, self.in_group)
        return i, self.arithmetic("icmp slt", i, self.size(loop.extent))

    def if_inside(self, loop: For, i: str, inside: str, values: Sequence[Value], folds: Sequence[str]) -> list[Reg]:
        """Values of a round, or what changes nothing where there is none."""
        yes, join, before = self.fresh("inside"), self.fresh("join"), self.block
        self.branch(inside, yes, join)
        self.label(yes)
        self.open_scope().symbols[loop.index] = i
        self.arms += 1
        found = [self.value(v) for v in values]
        self.arms -= 1
        self.close_scope()
        after = self.block
        self.jump(join)
        self.label(join)
        out = []
        for value, fold in zip(found, folds, strict=True):
            none = self.const(identity(fold, value.dtype), value.dtype).text
            out.append(
                self.emit(
                    f"phi {LLVM_TYPE[value.dtype]} [ {value.text}, %{after} ], [ {none}, %{before} ]", value.dtype
                )
            )
        return out

    def where_inside(self, loop: For, i: str, inside: str) -> None:
        """The statements of a round, where there is one."""
        yes, join = self.fresh("inside"), self.fresh("join")
        self.branch(inside, yes, join)
        self.label(yes)
        self.open_scope().symbols[loop.index] = i
        self.arms += 1
        self.round(loop)
        self.arms -= 1
        self.close_scope()
        self.jump(join)
        self.label(join)
