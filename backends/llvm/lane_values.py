"""Values of innermost loops as vectors, one number per iteration in each lane: what is the same in all of them, what is loaded and
stored, and parts of vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symdl.backends.builder import LLVM_TYPE, Reg, vector_type
from symdl.backends.llvm.module import ITEM_BYTES, MEMORY_TYPE, Module
from symdl.backends.llvm.plans import AHEAD
from symdl.backends.llvm.statements import KernelWriter
from symdl.backends.wide import emit, numbers
from symdl.ir.loops import (
    Const,
    For,
    Guard,
    Index,
    Load,
    Position,
    Ref,
    Store,
    Value,
    View,
    is_value,
    parts,
    place_of,
    walk,
)
from symdl.number_forms import LIMBS, WIDE
from symdl.records import record
from symdl.types import Extent, Symbol, floor_divide, polynomial, repeats, slope

LINE = 64  # bytes of a cache line


@record
class Bundle:
    """Loads a few places apart along a row, which pick out of the same vectors: those of places `step` apart from `first`
    on, and of up to `reach` places behind each."""

    first: Load
    step: int
    reach: int
    offsets: dict[int, int]  # of a load's id: how many places it lies behind the first
    whole: tuple[Load, ...]  # what stands for the vectors, once they are there


def bundled(loop: For, most: int) -> dict[int, Bundle]:
    """The bundles of loads at most so many places apart that a loop's rounds make all of, from what they do not write."""
    found = walk(*loop.body)
    if any(isinstance(x, Guard | For) for x in found):
        return {}
    written = {x.view.buffer for x in found if isinstance(x, Store)}
    rows: dict[tuple[str, str, int], list[tuple[Extent, Load]]] = {}
    for x in found:
        if (
            isinstance(x, Load)
            and x.dtype not in WIDE
            and x.view.buffer not in written
            and not any(map(is_value, x.at))
        ):
            place = place_of(x.view, x.at)
            step = slope(place, loop.index)
            if isinstance(step, int) and 1 < step <= most:
                rows.setdefault((x.view.buffer, x.dtype, step), []).append((place, x))
    out: dict[int, Bundle] = {}
    for (_, _, step), loads in rows.items():
        while loads:
            apart = [(place - loads[0][0], x) for place, x in loads]
            known = sorted(((far, x) for far, x in apart if isinstance(far, int)), key=lambda pair: pair[0])
            start, first = known[0]
            own = {id(x): far - start for far, x in known if far - start < step}
            loads = [pair for pair in loads if id(pair[1]) not in own]
            tokens = tuple(Load(first.view, first.at) for _ in range(step))
            bundle = Bundle(first, step, max(own.values()), own, tokens)
            out |= dict.fromkeys(own, bundle)
    return out


class LaneWriter(KernelWriter):
    """A KernelWriter whose values may be vectors.

    While `lanes` is not 0, values are vectors of one number per iteration; what is the same in all of them is computed
    as a scalar, ahead of the loop.
    """

    close = 4  # places apart, at most, of elements that are picked out of vectors
    asks = ""  # how many bytes further what will be read is asked for, if it is
    mask = ""  # which lanes are loaded and stored, where not all are
    own: dict[str, Reg]  # variables declared in the loop
    index: Symbol

    def __init__(self, module: Module, pointers: dict[str, str], indices: set[Symbol]) -> None:
        super().__init__(module, pointers, indices)
        self.bundles: dict[int, Bundle] = {}  # of a loop's loads, by their ids
        self.kept: list[Any] = []  # loops and bundles made here: a writer knows values by their ids

    def by_limbs(self, found: Reg, lanes: int, change: Callable[[Reg], Reg], to: int) -> Reg:
        """A number form of so many lanes, each limb being changed to one of `to` lanes."""
        before = self.take(lanes)
        limbs = numbers.split(self, found)
        self.take(to)
        value = numbers.join(self, found.dtype, *map(change, limbs))
        self.take(before)
        return value

    def some_lanes(self, found: Reg, lanes: int, chosen: Sequence[int]) -> Reg:
        """A vector of some of the numbers of a vector."""
        if found.dtype in WIDE:
            return self.by_limbs(found, lanes, lambda limb: self.some_lanes(limb, lanes, chosen), len(chosen))
        kind, order = vector_type(found.dtype, lanes), ", ".join(f"i32 {k}" for k in chosen)
        return self.emit(
            f"shufflevector {kind} {found.text}, {kind} poison, <{len(chosen)} x i32> <{order}>", found.dtype
        )

    def as_one_vector(self, x: Reg, y: Reg, lanes: int) -> Reg:
        """The numbers of two vectors of so many lanes as one."""
        kind, order = vector_type(x.dtype, lanes), ", ".join(f"i32 {k}" for k in range(2 * lanes))
        return self.emit(f"shufflevector {kind} {x.text}, {kind} {y.text}, <{2 * lanes} x i32> <{order}>", x.dtype)

    def lane(self, found: Reg, lanes: int, k: int) -> Reg:
        """One number of a vector."""
        if found.dtype in WIDE:
            return self.by_limbs(found, lanes, lambda limb: self.lane(limb, lanes, k), 0)
        return self.emit(f"extractelement <{lanes} x {LLVM_TYPE[found.dtype]}> {found.text}, i32 {k}", found.dtype)

    def every_lane(self, found: Reg, lanes: int) -> Reg:
        """A number in every lane."""
        if found.dtype in WIDE:
            return self.by_limbs(found, 0, lambda limb: self.every_lane(limb, lanes), lanes)
        kind = LLVM_TYPE[found.dtype]
        if not found.text.startswith("%"):
            return Reg(f"splat ({kind} {found.text})", found.dtype)
        vector = f"<{lanes} x {kind}>"
        first = self.emit(f"insertelement {vector} poison, {kind} {found.text}, i32 0", found.dtype).text
        return self.emit(
            f"shufflevector {vector} {first}, {vector} poison, <{lanes} x i32> zeroinitializer", found.dtype
        )

    def scalar(self, item: Value) -> Reg:
        """A value that is the same in every iteration, as one number."""
        lanes = self.lanes
        if not lanes:
            return self.value(item)
        if self.arms:  # not ahead of the loop: the side of a guard that asks for it may not be taken
            self.take(0)
            found = self.value(item)
            self.take(lanes)
            return found
        with self.ahead():
            return self.value(item)

    def settled(self, item: Value) -> bool:
        """Whether the value is the same in every lane, and now has been computed."""
        if not self.lanes:
            return super().settled(item)
        if isinstance(item, Const):
            return False
        if isinstance(item, Ref) and item.name in self.own:
            self.remember(item, self.own[item.name])
            return True
        if not self.is_uniform(item):
            return False
        lanes = self.lanes
        if self.arms:
            self.remember(item, self.every_lane(self.scalar(item), lanes))
        else:
            with self.ahead():
                found = self.every_lane(self.value(item), lanes)
            self.remember(item, found)
        return True

    def operands_first(self, item: Value) -> tuple[Value, ...]:
        """What must be known before the value is computed."""
        return () if isinstance(item, Guard) or (self.lanes and isinstance(item, Load)) else parts(item)

    def compute(self, item: Value) -> Reg:
        """A value whose operands are known."""
        match item:
            case Load(view, at) if self.lanes:
                bundle = self.bundles.get(id(item)) or self.picked_alone(item)
                return self.load_lanes(view, at) if bundle is None else self.picked(bundle, bundle.offsets[id(item)])
            case Position(extent, dtype) if self.lanes:
                lanes, step = self.lanes, slope(extent, self.index)
                assert step is not None
                first = self.every_lane(self.position(self.size(extent), "int64"), lanes)
                steps = self.every_lane(self.position(self.size(step), "int64"), lanes)
                numbers = Reg(f"<{', '.join(f'i64 {k}' for k in range(lanes))}>", "int64")
                found = self.add(first, self.mul(steps, numbers))
                return found if dtype == "int64" else emit(self, "cast", found, dtype=dtype)
        return super().compute(item)

    def load_lanes(self, view: View, at: tuple[Index, ...]) -> Reg:
        """One element per iteration."""
        lanes, step, kind = self.lanes, slope(place_of(view, at), self.index), MEMORY_TYPE[view.dtype]
        if step is None:
            return self.repeated(view, at)
        if view.dtype in WIDE:
            return self.load_limbs(view.dtype, self.address(view, at), step)
        vector, size, first = f"<{lanes} x {kind}>", ITEM_BYTES[view.dtype], self.address(view, at)
        if step in (1, -1):
            start = first if step == 1 else self.element(first, view.dtype, str(1 - lanes))
            found = self.load_vector(start, view.dtype, self.lanes_aligned(view, at))
            if self.asks and step == 1:
                self.ask(start, lanes * size, self.asks)
            if step == -1:
                backwards = ", ".join(f"i32 {k}" for k in reversed(range(lanes)))
                order = f"<{lanes} x i32> <{backwards}>"
                found = self.emit(f"shufflevector {vector} {found.text}, {vector} poison, {order}", view.dtype)
        else:
            found = Reg("poison", view.dtype)
            for k in range(lanes):
                place = self.element(first, view.dtype, self.size(step * k))
                one = self.emit(f"load {kind}, {self.typed(place)}, align {size}", view.dtype).text
                found = self.emit(f"insertelement {vector} {found.text}, {kind} {one}, i32 {k}", view.dtype)
        return self.as_bools(found, vector) if view.dtype == "bool" else found

    def as_bools(self, found: Reg, vector: str) -> Reg:
        """Truth values, which are bytes in memory."""
        return self.emit(f"icmp ne {vector} {found.text}, zeroinitializer", "bool")

    def ask(self, place: str, bytes_: int, distance: str) -> None:
        """Have so many bytes of memory, a distance further on, brought into the caches."""
        self.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        further = self.emit(f"getelementptr i8, ptr {place}, {self.word} {distance}", "int64").text
        for byte in range(0, bytes_, LINE):
            line = self.emit(f"getelementptr i8, ptr {further}, i64 {byte}", "int64").text if byte else further
            self.line(f"call void @llvm.prefetch.p0(ptr {line}, i32 0, i32 3, i32 1)")

    def picked(self, bundle: Bundle, offset: int) -> Reg:
        """Elements a few places apart out of whole vectors, the last of which ends with the last element of the bundle. What
        follows is asked for: more is read than written, of several rows."""
        lanes, step, dtype = self.lanes, bundle.step, bundle.first.dtype
        vector = f"<{lanes} x {MEMORY_TYPE[dtype]}>"
        starts = [k * lanes for k in range(step - 1)] + [(lanes - 1) * (step - 1) + bundle.reach]
        if self.found(bundle.whole[0]) is None:
            first = self.address(bundle.first.view, bundle.first.at)
            for token, start in zip(bundle.whole, starts, strict=True):
                place = self.element(first, dtype, str(start)) if start else first
                self.ask(place, lanes * ITEM_BYTES[dtype], str(AHEAD))
                self.remember(token, self.load_part(place, dtype, start - bundle.reach, step))
        found = ""
        for token, start in zip(bundle.whole, starts, strict=True):
            one = self.found(token)
            assert one is not None
            places = [k * step + offset - start for k in range(lanes)]
            inside = [0 <= place < lanes for place in places]
            if found:
                order = ", ".join(
                    f"i32 {lanes + p if i else k}" for k, (p, i) in enumerate(zip(places, inside, strict=True))
                )
                rhs = f"shufflevector {vector} {found}, {vector} {one.text}"
            else:
                order = ", ".join(f"i32 {p if i else 0}" for p, i in zip(places, inside, strict=True))
                rhs = f"shufflevector {vector} {one.text}, {vector} poison"
            found = self.emit(f"{rhs}, <{lanes} x i32> <{order}>", dtype).text
        return self.as_bools(Reg(found, dtype), vector) if dtype == "bool" else Reg(found, dtype)

    def repeated(self, view: View, at: tuple[Index, ...]) -> Reg:
        """Neighbours in memory, each for several rounds that follow one another; the first round is a multiple of so many."""
        place, lanes, dtype = place_of(view, at), self.lanes, view.dtype
        times = repeats(place, self.index)
        assert times is not None
        index = polynomial([((self.index,), 1)])
        row = self.element(self.pointers[view.buffer], dtype, self.size(place - floor_divide(index, times)))
        first = self.element(row, dtype, self.arithmetic("udiv", self.register(self.index), str(times)))
        found = self.load_some(first, dtype, lanes // times, times)
        short, whole = f"<{lanes // times} x {MEMORY_TYPE[dtype]}>", f"<{lanes} x {MEMORY_TYPE[dtype]}>"
        order = ", ".join(f"i32 {k // times}" for k in range(lanes))
        spread = f"shufflevector {short} {found.text}, {short} poison, <{lanes} x i32> <{order}>"
        found = self.emit(spread, dtype)
        return self.as_bools(found, whole) if dtype == "bool" else found

    def load_some(self, place: str, dtype: str, lanes: int, times: int) -> Reg:
        """So many neighbours in memory, as they lie there, each of which is for several rounds."""
        before = self.take(lanes)
        found = self.load_vector(place, dtype, ITEM_BYTES[dtype])
        self.take(before)
        return found

    def picked_alone(self, item: Load) -> Bundle | None:
        """A load of places that are picked out of vectors, as a bundle; None for others."""
        step = slope(place_of(item.view, item.at), self.index)
        if not isinstance(step, int) or not 1 < step <= min(self.lanes, self.close) or item.dtype in WIDE:
            return None
        bundle = Bundle(item, step, 0, {id(item): 0}, tuple(Load(item.view, item.at) for _ in range(step)))
        self.kept.append(bundle)
        return bundle

    def bundle(self, loop: For, lanes: int) -> None:
        """What follows is a round of a loop in so many lanes."""
        self.bundles = bundled(loop, min(lanes, self.close))
        self.kept += self.bundles.values()

    def load_part(self, place: str, dtype: str, start: int, step: int) -> Reg:
        """Neighbours in memory, up to the last one that is picked of a bundle: `start` is how many places they lie behind its
        first element, less its reach."""
        return self.load_vector(place, dtype, ITEM_BYTES[dtype])

    def store_lanes(self, view: View, at: tuple[Index, ...], value: Reg) -> None:
        """Store one element per iteration."""
        lanes, place = self.lanes, self.address(view, at)
        if view.dtype in WIDE:
            self.store_limbs(value, place)
            return
        if view.dtype == "bool":
            value = self.emit(f"zext <{lanes} x i1> {value.text} to <{lanes} x i8>", "uint8")
        step = slope(place_of(view, at), self.index)
        if step != 1:
            assert step is not None
            self.store_apart(value, place, view.dtype, step)
            return
        self.store_vector(value, place, self.lanes_aligned(view, at))

    def store_apart(self, value: Reg, place: str, dtype: str, step: Extent) -> None:
        """Numbers that lie so far apart in memory, one by one."""
        kind = f"<{self.lanes} x {MEMORY_TYPE[value.dtype]}>"
        for k in range(self.lanes):
            one = self.emit(f"extractelement {kind} {value.text}, i32 {k}", value.dtype).text
            there = self.element(place, dtype, self.size(step * k))
            kept = f"{MEMORY_TYPE[value.dtype]} {one}"
            self.line(f"store {kept}, {self.typed(there)}, align {ITEM_BYTES[dtype]}")

    def load_vector(self, place: str, dtype: str, align: int) -> Reg:
        """Neighbours in memory, as they lie there."""
        vector = f"<{self.lanes} x {MEMORY_TYPE[dtype]}>"
        return self.emit(f"load {vector}, {self.typed(place)}, align {align}", dtype)

    def store_vector(self, value: Reg, place: str, align: int) -> None:
        """Neighbours in memory, as they lie there."""
        kind = f"<{self.lanes} x {MEMORY_TYPE[value.dtype]}>"
        self.line(f"store {kind} {value.text}, {self.typed(place)}, align {align}")

    def lanes_aligned(self, view: View, at: tuple[Index, ...]) -> int:
        """On how many bytes a vector of neighbours begins, as far as is known."""
        return ITEM_BYTES[view.dtype]

    # number forms: the limbs of an element lie side by side in memory, and in vectors of their own in registers

    def load_limbs(self, dtype: str, first: str, step: Extent) -> Reg:
        """One element per iteration, step elements apart."""
        lanes, count = self.lanes, len(LIMBS[dtype])
        limbs = []
        if step in (1, -1):
            start = first if step == 1 else self.element(first, dtype, str(1 - lanes))
            row = f"<{lanes * count} x double>"
            found = self.load_row(row, start, count)
            for k in range(count):
                places = [k + count * lane for lane in range(lanes)][:: int(step)]
                order = ", ".join(f"i32 {place}" for place in places)
                limbs.append(
                    self.emit(f"shufflevector {row} {found}, {row} poison, <{lanes} x i32> <{order}>", "float64")
                )
            return numbers.join(self, dtype, *limbs)
        places_ = [self.element(first, dtype, self.size(step * k)) for k in range(lanes)]
        for k in range(count):
            limb = Reg("poison", "float64")
            for lane, place in enumerate(places_):
                one = self.load(self.element(place, "float64", str(k)), "float64").text
                limb = self.emit(
                    f"insertelement {self.type('float64')} {limb.text}, double {one}, i32 {lane}", "float64"
                )
            limbs.append(limb)
        return numbers.join(self, dtype, *limbs)

    def load_row(self, row: str, place: str, count: int) -> str:
        """All limbs of neighbours, so many each, as they lie there."""
        return self.emit(f"load {row}, {self.typed(place)}, align 8", "float64").text

    def store_limbs(self, value: Reg, place: str) -> None:
        """One element per iteration, side by side."""
        lanes, limbs = self.lanes, numbers.split(self, value)
        count = len(limbs)
        both, kind = f"<{2 * lanes} x double>", self.type("float64")
        whole = ", ".join(f"i32 {k}" for k in range(2 * lanes))
        pairs = [(limbs[0].text, limbs[1].text), (limbs[2].text if count == 3 else "poison", "poison")]
        left, right = (
            self.emit(f"shufflevector {kind} {x}, {kind} {y}, <{2 * lanes} x i32> <{whole}>", "float64").text
            for x, y in pairs
        )
        order = ", ".join(f"i32 {k * lanes + lane}" for lane in range(lanes) for k in range(count))
        row = f"<{lanes * count} x double>"
        found = self.emit(f"shufflevector {both} {left}, {both} {right}, <{lanes * count} x i32> <{order}>", "float64")
        self.store_row(row, found.text, place, count)

    def store_row(self, row: str, text: str, place: str, count: int) -> None:
        """All limbs of neighbours, so many each, as they shall lie there."""
        self.line(f"store {row} {text}, {self.typed(place)}, align 8")
