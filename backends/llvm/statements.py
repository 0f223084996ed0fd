"""Statements and values of a loop nest as LLVM IR, one number at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from symdl.backends.builder import LLVM_TYPE, Reg
from symdl.backends.llvm.module import Landing, Module, Scope, Writer
from symdl.backends.vmath import EMIT
from symdl.backends.wide import call, emit
from symdl.errors import ProgramError
from symdl.ir.loops import (
    Apply,
    Assign,
    Barrier,
    Checked,
    Const,
    For,
    Guard,
    Index,
    Load,
    Local,
    Position,
    Ref,
    Stmt,
    Store,
    Value,
    View,
    extents_in,
    parts,
)
from symdl.number_forms import WIDE
from symdl.records import record
from symdl.types import Extent, Symbol, symbols

EXTREMES = frozenset({"maximum", "minimum"})
Dependency = tuple[str, str]  # ("buffer", "variable" or "index", its name)


@record
class Nest:
    """A loop around the statement that is being written."""

    before: Scope
    varying: set[Dependency]


class KernelWriter(Writer):
    """Writes statements and values. A value is found once per scope, and again where what it read has changed."""

    def __init__(self, module: Module, pointers: dict[str, str], indices: set[Symbol]) -> None:
        super().__init__(module.target)
        self.module = module
        self.pointers, self.indices = pointers, indices
        self.variables: dict[tuple[str, str], str] = {}
        self.dtypes: dict[str, str] = {}
        self.reads: dict[int, frozenset[Dependency]] = {}
        self.readers: dict[frozenset[Dependency], list[tuple[Scope, int]]] = {}
        self.read_with: dict[Dependency, list[frozenset[Dependency]]] = {}  # the keys of `readers` that name it
        self.nests: list[Nest] = []
        self.spread: Stmt | None = None  # the loop of which only the rounds from %first to %end are run
        self.calling = False  # whether primitives of number forms are called, see `wide.call`
        self.empty: dict[str, Scope] = {}  # variables that are still the 0 that they were declared as, and where
        self.arms = 0  # guards' sides that are open: what they compute may not be computed where they are not taken

    # statements

    def statement(self, statement: Stmt) -> None:
        match statement:
            case For():
                self.forget(changed_in(statement.body))
                self.loop(statement, self.bounds(statement)[0])
            case Local(name, value) | Assign(name, value):
                found = self.value(value)
                if isinstance(statement, Local):
                    self.dtypes[name] = value.dtype
                self.forget({("variable", name)})
                self.line(f"store {self.type(found.dtype)} {found.text}, ptr {self.variable(name)}")
                if isinstance(statement, Local) and isinstance(value, Const) and value.number == 0:
                    self.empty[name] = self.scopes[-1]
            case Store(view, at, value):
                found = self.value(value)
                place = self.address(view, at)
                self.store(found, place)
                self.forget({("buffer", view.buffer)})
            case Barrier():
                pass

    def bounds(self, loop: For) -> tuple[str, str]:
        """The first round that is run here, and the end of the rounds."""
        return ("%first", "%end") if loop is self.spread else ("0", self.size(loop.extent))

    def loop(self, loop: For, start: str) -> None:
        """The loop one element at a time, from a start on."""
        first, end = self.bounds(loop)
        certain = first == start == "0" and isinstance(loop.extent, int) and loop.extent > 0
        opened = self.open_loop(end, start, certain=certain)
        self.nests.append(Nest(opened.before, varying_in(loop)))
        self.scopes[-1].symbols[loop.index] = opened.index
        self.round(loop)
        self.nests.pop()
        self.close_loop(opened)

    def round(self, loop: For) -> None:
        """The body of a loop, one element."""
        self.statements(loop.body)

    def statements(self, body: tuple[Stmt, ...]) -> None:
        """Emit statements, one after the other."""
        for statement in body:
            self.statement(statement)

    def variable(self, name: str) -> str:
        """The address of a scalar variable (LLVM turns it into registers)."""
        dtype = self.dtypes[name]
        found = self.variables.get((name, dtype))
        if found is None:
            found = self.variables[name, dtype] = f"%{self.fresh('variable')}"
            self.scopes[0].landing.append(f"  {found} = alloca {LLVM_TYPE[dtype]}")
        return found

    def address(self, view: View, at: tuple[Index, ...]) -> str:
        return self.element(self.pointers[view.buffer], view.dtype, self.element_number(view, at))

    def element_number(self, view: View, at: tuple[Index, ...]) -> str:
        """How many elements of its buffer lie before an element of a view."""
        place = view.offset
        gathered: list[tuple[Value, Extent]] = []
        for index, stride in zip(at, view.strides, strict=True):
            if isinstance(index, Extent):
                place = place + index * stride
            else:
                gathered.append((index, stride))
        total = self.size(place)
        for value, stride in gathered:
            step = self.as_word(self.scalar(value))
            step = step if stride == 1 else self.arithmetic("mul", step, self.size(stride))
            total = step if total == "0" else self.arithmetic("add", total, step)
        return total

    # values

    def value(self, root: Value) -> Reg:
        """The value in a register. Chains of operations are followed without recursion."""
        found = self.found(root)
        if found is not None:
            return found
        tables = [
            s.vectors if self.lanes else s.values for s in reversed(self.scopes)
        ]  # looked at here: calls take longer
        opened: set[int] = set()  # what has been asked whether it is settled
        stack = [root]
        while stack:
            item = stack[-1]
            number = id(item)
            for table in tables:
                if number in table:
                    stack.pop()
                    break
            else:
                if number not in opened:
                    opened.add(number)
                    if self.settled(item):
                        stack.pop()
                        continue
                height = len(stack)
                for part in reversed(item.args if type(item) is Apply else self.operands_first(item)):
                    number = id(part)
                    for table in tables:
                        if number in table:
                            break
                    else:
                        stack.append(part)
                if len(stack) == height:
                    stack.pop()
                    self.remember(item, self.compute(item))
        found = self.found(root)
        assert found is not None
        return found

    def remember(self, item: Value, found: Reg) -> None:
        """The value is known in this scope until something that it reads changes."""
        scope, number = self.scopes[-1], id(item)
        (scope.vectors if self.lanes else scope.values)[number] = found
        reads = self.dependencies(item)
        known = self.readers.get(reads)
        if known is None:
            known = self.readers[reads] = []
            for dependency in reads:
                self.read_with.setdefault(dependency, []).append(reads)
        known.append((scope, number))

    def settled(self, item: Value) -> bool:
        """Whether the value could be computed elsewhere, before the innermost loop, and now has been."""
        if isinstance(item, Const) or not self.may_hoist(item):
            return False
        with self.ahead():
            self.value(item)
        return True

    def is_uniform(self, item: Value) -> bool:
        """Whether the value is the same in every iteration of the innermost loop."""
        return self.dependencies(item).isdisjoint(self.nests[-1].varying)

    def may_hoist(self, item: Value) -> bool:
        """Whether the value can be computed once before the innermost loop."""
        return bool(self.nests) and not self.arms and self.is_uniform(item)

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Write scalars before the innermost loop, where it is certain that the loop is entered."""
        nest = self.nests.pop()
        at = next(k for k, scope in enumerate(self.scopes) if scope is nest.before) + 1
        inner = self.scopes[at:]
        del self.scopes[at:]
        lanes = self.take(0)
        self.arms += 1  # no further: the loop around may be entered when this one is not
        with Landing(self, nest.before):
            yield
        self.arms -= 1
        self.take(lanes)
        self.scopes += inner
        self.nests.append(nest)

    def scalar(self, item: Value) -> Reg:
        """The value as one number."""
        return self.value(item)

    def operands_first(self, item: Value) -> tuple[Value, ...]:
        """What must be in registers before the value is computed; the sides of a Guard must not."""
        return () if isinstance(item, Guard) else parts(item)

    def found(self, item: Value) -> Reg | None:
        number, in_lanes = id(item), self.lanes
        for scope in reversed(self.scopes):
            known = (scope.vectors if in_lanes else scope.values).get(number)
            if known is not None:
                return known
        return None

    def dependencies(self, root: Value) -> frozenset[Dependency]:
        """Buffers, variables and loop indices that a value depends on, directly or not."""
        reads = self.reads
        known = reads.get(id(root))
        if known is not None:
            return known
        stack = [root]
        while stack:
            item = stack[-1]
            inside = item.args if type(item) is Apply else parts(item)
            missing = [part for part in inside if id(part) not in reads]
            if missing:
                stack += missing
                continue
            stack.pop()
            if id(item) in reads:
                continue
            total: frozenset[Dependency] = frozenset()
            for part in inside:
                if not reads[id(part)] <= total:
                    total |= reads[id(part)]
            if isinstance(item, Apply):  # nearly all: it names nothing itself
                reads[id(item)] = total
                continue
            if isinstance(item, Load):
                total |= {("buffer", item.view.buffer)}
            if isinstance(item, Ref):
                total |= {("variable", item.name)}
            named = {("index", str(s)) for e in extents_in(item) for s in symbols(e) if s in self.indices}
            if not named <= total:
                total |= named
            reads[id(item)] = total
        return reads[id(root)]

    def forget(self, changed: set[Dependency]) -> None:
        """Values that read what has changed, or is about to change in a loop, are no longer known."""
        for dependency in changed:
            self.empty.pop(dependency[1], None)
            for reads in self.read_with.pop(dependency, ()):
                for scope, item in self.readers.pop(reads, ()):
                    scope.values.pop(item, None)
                    scope.vectors.pop(item, None)

    def compute(self, item: Value) -> Reg:
        """A value whose operands are in registers."""
        match item:
            case Apply(primitive, args, dtype):  # first, for nearly all are
                if primitive not in EMIT:
                    raise ProgramError(f"no machine code for the primitive {primitive}")
                if primitive in EXTREMES and isinstance(args[0], Ref):
                    args = args[::-1]  # what is new is asked whether it is a NaN, so that no round waits for the answer
                write = call if self.calling else emit
                return write(self, primitive, *map(self.value, args), dtype=dtype)
            case Load(view, at):
                return self.load(self.address(view, at), view.dtype)
            case Const(number, dtype):
                return self.const(number, dtype)
            case Position(extent, dtype):
                return self.position(self.size(extent), dtype)
            case Ref(name, dtype):
                return self.emit(f"load {LLVM_TYPE[dtype]}, ptr {self.variable(name)}", dtype)
            case Checked(value, extent, code):
                index = self.as_word(self.value(value))
                good = self.emit(f"icmp ult {self.word} {index}, {self.size(extent)}", "bool").text
                self.stop_unless(good, str(code))
                return self.position(index, item.dtype)
            case Guard():
                return self.guard(item)
        raise ProgramError(f"not a value: {item!r}")

    def position(self, word: str, dtype: str) -> Reg:
        """A register of the size type as a value."""
        if dtype in WIDE:
            return emit(self, "cast", self.position(word, "int64"), dtype=dtype)
        have, want = self.word, LLVM_TYPE[dtype]
        if have == want:
            return Reg(word, dtype)
        if dtype.startswith("float"):
            return self.emit(f"sitofp {have} {word} to {want}", dtype)
        how = "sext" if int(have[1:]) < int(want[1:]) else "trunc"
        return self.emit(f"{how} {have} {word} to {want}", dtype)

    def guard(self, item: Guard) -> Reg:
        inside = ""
        for index, extent in item.bounds:
            one = self.emit(f"icmp ult {self.word} {self.size(index)}, {self.size(extent)}", "bool").text
            inside = self.emit(f"and i1 {inside}, {one}", "bool").text if inside else one
        if not inside:
            return self.value(item.value)
        yes, no, join = self.fresh("inside"), self.fresh("outside"), self.fresh("join")
        self.branch(inside, yes, no)
        arms = []
        for label, side in ((yes, item.value), (no, item.other)):
            self.label(label)
            self.open_scope()  # what one arm computes must not be used after it
            self.arms += 1
            found = self.value(side)
            self.arms -= 1
            self.close_scope()
            arms.append(f"[ {found.text}, %{self.block} ]")
            self.jump(join)
        self.label(join)
        kind = self.type(item.dtype)
        return self.emit(f"phi {kind} {', '.join(arms)}", item.dtype)


def varying_in(loop: For) -> set[Dependency]:
    """What may differ from one iteration to the next."""
    return changed_in(loop.body) | {("index", str(loop.index))}


def changed_in(body: tuple[Stmt, ...]) -> set[Dependency]:
    """Buffers and variables that statements write."""
    found: set[Dependency] = set()
    for item in every_statement(body):
        if isinstance(item, Store):
            found.add(("buffer", item.view.buffer))
        if isinstance(item, Local | Assign):
            found.add(("variable", item.name))
    return found


def every_statement(body: tuple[Stmt, ...]) -> Iterator[Any]:
    """Every statement, also inside loops."""
    stack = list(reversed(body))
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, For):
            stack += reversed(item.body)
