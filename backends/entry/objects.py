"""The objects behind the native way into a compiled function: types that machine code can be called through, tables.

    class Function(Callable): ...          an instance is called by machine code once `arm` has been called
    entry = Entry(...)                     what that code needs of one compiled function, and the memory of its tables

An instance of either holds, behind an object's head, the address of its code and one of a table. A Callable also holds
its Entry, in an ordinary slot: Python's own types look after lifetimes and garbage cycles. The types need no code of
their own, so that `import symdl` compiles nothing.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Callable as Called
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from symdl.backends.entry import tables
from symdl.backends.entry.tables import API, FIXED, HEAD, HELD, MADE, SPEC, TABLE, TURN
from symdl.backends.lifetime import when_freed
from symdl.records import record

Array = np.ndarray[Any, Any]
NativelyCalled = TypeVar("NativelyCalled", bound="Callable")
NEW_FROM_DESCR, SET_BASE_OBJECT = 94, 282  # their places in the table of NumPy's C functions, fixed by NumPy's ABI
HAVE_VECTORCALL, BASETYPE = 1 << 11, 1 << 10  # flags of a type
READ_ONLY, SIZE_MEMBER = 1, 19
TP_CALL, TP_MEMBERS = 50, 72  # slots of a type's description
TP_FLAGS = HEAD + 152  # where a type keeps its flags
GENERAL = sys.intern("_general")  # the method that does what machine code cannot
THREAD = sys.intern("thread")
MEASURED = 2  # words of what `enter` measures that stand before the extents of outputs
FIELDS = {"INPUT": SPEC, "SHARED": HELD, "CONSTANT": FIXED, "OUTPUT": MADE}  # of the rows of each kind of buffer
KINDS = {None: tables.NONE, "one": tables.ONE, "list": tables.LIST}
NUMBERS = {"float64": tables.FLOAT64, "float32": tables.FLOAT32}


class _Slot(ctypes.Structure):
    _fields_: ClassVar = [("slot", ctypes.c_int), ("value", ctypes.c_void_p)]


class _Member(ctypes.Structure):
    _fields_: ClassVar = [
        ("name", ctypes.c_char_p), ("type", ctypes.c_int), ("offset", ctypes.c_ssize_t), ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]  # fmt: skip


class _Spec(ctypes.Structure):
    _fields_: ClassVar = [
        ("name", ctypes.c_char_p), ("basicsize", ctypes.c_int), ("itemsize", ctypes.c_int), ("flags", ctypes.c_uint),
        ("slots", ctypes.c_void_p),
    ]  # fmt: skip


def function_address(name: str) -> int:
    """Where a function of Python's C API is."""
    found = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert found is not None
    return found


def word_at(address: int) -> ctypes.c_int64:
    """Eight bytes of memory, to read and to write."""
    return ctypes.c_int64.from_address(address)


if TYPE_CHECKING:

    class Native:
        """An object with two words behind its head: the code that it is called by, and the table of that code."""

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

else:

    def _native_type() -> type:
        members = (_Member * 2)(_Member(b"__vectorcalloffset__", SIZE_MEMBER, HEAD, READ_ONLY, None))
        slots = (_Slot * 3)(
            _Slot(TP_CALL, function_address("PyVectorcall_Call")), _Slot(TP_MEMBERS, ctypes.addressof(members))
        )
        name = b"symdl.backends.entry.Native"
        spec = _Spec(name, HEAD + 16, 0, HAVE_VECTORCALL | BASETYPE, ctypes.addressof(slots))
        make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p)(function_address("PyType_FromSpec"))
        made = make(ctypes.addressof(spec))
        made.kept = members, slots, spec, name  # 3.11 reads the members and the name as long as the type lives
        return made

    Native = _native_type()


def _set_words(native: Native, code: int, table: int) -> None:
    word_at(id(native) + HEAD).value = code
    word_at(id(native) + HEAD + 8).value = table


class Callable(Native):
    """An object that is called by machine code, and by its method `_general` for what that cannot do."""

    __slots__ = ("_entry",)
    _entry: Entry | None

    def arm(self, code: EntryCode, entry: Entry | None) -> None:
        """From here on calls go through the code; without an entry all of them to `_general`."""
        self._entry = entry
        _set_words(self, code.lax, code.api)


def called_directly(kind: type[NativelyCalled]) -> type[NativelyCalled]:
    """The class itself, with the flag by which its instances are called without a tuple of their arguments. Python 3.11
    does not hand it down to classes written in Python; a `__call__` given to this very class later is ignored there."""
    flags = ctypes.c_ulong.from_address(id(kind) + TP_FLAGS)
    if flags.value == kind.__flags__ and not flags.value & HAVE_VECTORCALL:
        flags.value |= HAVE_VECTORCALL
    return kind


@record
class Input:
    """How an input is passed: strict says that it takes no Python number; default is its value where a call has none."""

    default: Any = None
    strict: bool = False


@record
class Held:
    """A shared value: the object that has the array in the slot at `slot`, the set that is empty while it is free for
    this use, and, of one that is updated, the slot at `borrowed` that is True where its array is also known outside."""

    owner: Any
    slot: int
    watched: set[Any]
    borrowed: int | None = None


@record
class Turns:
    """How a long call takes its turn: it is added to all the sets while it runs; then, if there is somebody in the
    queue, they are waked."""

    turns: Sequence[Any] = ()
    sets: Sequence[set[Any]] = ()
    queue: dict[Any, Any] | None = None
    wake: Called[[], None] | None = None


class Arena:
    """The scratch memory that waits for the next call, in a cell that machine code takes it from."""

    __slots__ = ("_token", "cell")

    def __init__(self) -> None:
        self.cell = ctypes.c_void_p()
        self._token = when_freed(_free, self.cell)

    @property
    def address(self) -> int:
        return ctypes.addressof(self.cell)


def _free(cell: ctypes.c_void_p, free: Any = ctypes.pythonapi.PyMem_RawFree) -> None:
    if cell.value:
        free(cell)


class EntryCode:
    """The machine code of the way in, and the table of what it needs of Python and NumPy. One for the process."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.lax, self.strict, self.poll = (engine.address(name) for name in ("lax", "strict", "poll"))
        self.work = ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 5, ctypes.c_int64, ctypes.c_int64)(
            engine.address("work")
        )
        self.sweep = ctypes.PYFUNCTYPE(
            ctypes.c_int64, ctypes.py_object, *[ctypes.c_void_p] * 3, ctypes.c_int64, ctypes.c_int64
        )(engine.address("sweep"))
        of_capsule = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
            function_address("PyCapsule_GetPointer")
        )
        numpy_functions = of_capsule(np._core._multiarray_umath._ARRAY_API, None)  # type: ignore[attr-defined]  # in no stub
        row = {
            "ARRAY_TYPE": id(np.ndarray), "NEW_ARRAY": word_at(numpy_functions + 8 * NEW_FROM_DESCR).value,
            "FLOAT_TYPE": id(float), "INT_TYPE": id(int), "BOOL_TYPE": id(bool), "TRUE": id(True), "NONE": id(None),
            "NOT_IMPLEMENTED": id(NotImplemented), "ENTRY_TYPE": id(Entry), "GENERAL": id(GENERAL), "THREAD": id(THREAD),
            "SET_BASE": word_at(numpy_functions + 8 * SET_BASE_OBJECT).value, "BYTE": id(np.dtype(np.uint8)),
        }  # fmt: skip
        self.words = (ctypes.c_int64 * len(API))(*(row[name] for name in API))
        self.api = ctypes.addressof(self.words)
        self.usable = sys.byteorder == "little" and ctypes.sizeof(ctypes.c_void_p) == 8 and layouts_hold()


class Entry(Native):
    """The table of one compiled function. Called with the arrays in their order it gives the outputs, or NotImplemented
    where machine code cannot make them: the general way must be taken then."""

    __slots__ = ("kept", "last", "scratch", "words")

    def __init__(
        self, code: EntryCode, executable: Any, inputs: Sequence[Input], shareds: Sequence[Held], turns: Turns,
        kind: Any, limit: int,
    ) -> None:  # fmt: skip
        """executable: see CpuExecutable. kind: None, "one", "list" or the keys of a dictionary. limit: how many inputs
        a call may pass by place."""
        rows = _rows(executable, inputs, shareds)
        self.last: list[Any] = [None] * len(rows["OUTPUT"])  # the arrays given last; its memory stays where it is
        if not tables.FREE_THREADED:  # there counts of references say less
            for k, row in enumerate(rows["OUTPUT"]):
                row["LAST"] = word_at(id(self.last) + tables.BYTES["LISTED"]).value + 8 * k
        keys = kind if isinstance(kind, tuple) else ()
        header = {
            "API": code.api, "ENTER": executable.address("enter"), "RUN": executable.address("run"),
            "RUNTIME": executable.runtime_address, "ARENA": executable.arena.address,
            "LIMIT": limit, "KIND": KINDS.get(kind, tables.DICTIONARY),
            "SETS": len(turns.sets), "TURNS": len(turns.turns), "QUEUE": id(turns.queue), "WAKE": id(turns.wake),
            "INPUTS": len(rows["INPUT"]), "LEAVES": len(rows["INPUT"]) + len(rows["SHARED"]),
            "CONSTANTS": len(rows["CONSTANT"]), "OUTPUTS": len(rows["OUTPUT"]), **_scratch(executable),
        }  # fmt: skip
        self.scratch = 8 * header["SCRATCH"]
        sections = {
            "KEYS": [id(key) for key in keys], "SET": [id(one) for one in turns.sets],
            "TURN": [word for turn in turns.turns for word in _row(TURN, {"CLAIM": id(turn)})],
        }  # fmt: skip
        described = {
            kind: [word for row in rows[kind] for word in _row(FIELDS[kind], row, len(SPEC))] for kind in FIELDS
        }
        sections["LEAF"] = described["INPUT"] + described["SHARED"]
        sections |= {kind: described[kind] for kind in ("CONSTANT", "OUTPUT")}
        words = [0] * len(TABLE)
        offsets = {}
        for name, section in sections.items():
            offsets[name] = 8 * len(words)
            words += section
        self.words = (ctypes.c_int64 * len(words))(*words)
        base = ctypes.addressof(self.words)
        header |= {name: base + offset for name, offset in offsets.items()}
        for k, word in enumerate(_row(TABLE, header)):
            self.words[k] = word
        self.kept = code, executable, inputs, shareds, turns, keys
        _set_words(self, code.strict, base)


def _rows(executable: Any, inputs: Sequence[Input], shareds: Sequence[Held]) -> dict[str, list[dict[str, int]]]:
    """The fields of every input, shared value, constant and output, each kind in its order."""
    interface = executable.interface
    given = interface.of_kind("input", "shared", "constant", "output")
    place = {b.name: k for k, b in enumerate(given)}
    rows: dict[str, list[dict[str, int]]] = {kind: [] for kind in FIELDS}
    first = MEASURED  # where the extents of an output are written
    for b in interface.of_kind("input", "shared", "output"):
        dtype = np.dtype(b.dtype)
        row = {"DTYPE": id(dtype), "AXES": len(b.shape), "PLACE": place[b.name], "ITEM": dtype.itemsize}
        if b.kind == "output":
            row["EXTENT"], first = first, first + len(b.shape)
        else:
            row["WANTED"] = tables.C_ORDER if b.kind == "input" else tables.UPDATABLE
        rows[b.kind.upper()].append(row)
    for row, b, one in zip(rows["INPUT"], interface.of_kind("input"), inputs, strict=True):
        row |= _numbers(b, one)
    for row, held in zip(rows["SHARED"], shareds, strict=True):
        borrowed = 0 if held.borrowed is None else id(held.owner) + held.borrowed
        row |= {"SLOT": id(held.owner) + held.slot, "WATCHED": id(held.watched), "BORROWED": borrowed}
    for b, address in zip(interface.of_kind("constant"), executable.constant_addresses, strict=True):
        rows["CONSTANT"].append({"PLACE": place[b.name], "ADDRESS": address})
    return rows


def _scratch(executable: Any) -> dict[str, int]:
    """Where the parts of a call's own table stand, in bytes behind the addresses of the buffers, and its words in all."""
    interface = executable.interface
    entered, outputs = interface.of_kind("input", "shared"), interface.of_kind("output")
    words = {
        "SHAPES": len(entered), "SIZES": len(interface.bindings),
        "MEASURES": MEASURED + sum(len(b.shape) for b in outputs), "NUMBERS": len(interface.of_kind("input")),
        "RESULTS": len(outputs),
    }  # fmt: skip
    places, at = {}, len(interface.of_kind("input", "shared", "constant", "output"))
    for name, count in words.items():
        places[name], at = 8 * at, at + count
    return places | {"SCRATCH": at}


def _row(fields: Sequence[str], values: dict[str, int], length: int = 0) -> list[int]:
    """Words in the order of the fields, with zeros up to a length."""
    out = [values.pop(name, 0) for name in fields]
    if values:
        raise ValueError(f"{sorted(values)} are no fields of {fields}")
    return out + [0] * (length - len(out))


def _numbers(buffer: Any, one: Input) -> dict[str, int]:
    """Which numbers an input takes, and its default."""
    row = {"DEFAULT": 0 if one.default is None else id(one.default)}
    if buffer.shape:
        return row
    dtype = np.dtype(buffer.dtype)
    row["SCALAR"] = id(dtype.type)
    if one.strict:
        return row
    row["NUMBER"] = NUMBERS.get(buffer.dtype, tables.INTEGER)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        row |= {"LOW": int(limits.min), "HIGH": min(int(limits.max), (1 << 63) - 1)}
    elif dtype.kind == "b":
        row["HIGH"] = 1
    return row


def slot_offset(kind: type, name: str) -> int:
    """How many bytes behind the start of an object of this class the slot `name` lies."""
    member = word_at(id(vars(kind)[name]) + HEAD + 24).value  # PyMemberDescrObject.d_member
    return word_at(member + 16).value  # PyMemberDef.offset


class _Probe:
    __slots__ = ("a", "b")
    a: Any
    b: Any


def layouts_hold() -> bool:
    """Whether objects lie in memory as machine code takes it: arrays, numbers, sets, dictionaries, slots."""
    array = np.zeros((3, 5), np.float32)
    fields = tables.BYTES
    probe = _Probe()
    probe.a, probe.b = array, fields
    number = 1.5
    numbers = [np.dtype(kind).type(1) for kind in "?bhilqBHILQfd"]
    dims = word_at(id(array) + fields["DIMS"]).value
    swapped = np.dtype(">f4")
    referenced = np.zeros(1)
    reference = weakref.ref(referenced)
    return (
        word_at(id(array) + fields["TYPE"]).value == id(np.ndarray)
        and (tables.FREE_THREADED or ctypes.c_int32.from_address(id(array) + fields["COUNT"]).value == 2)
        and word_at(id(array) + fields["DATA"]).value == array.ctypes.data
        and ctypes.c_int32.from_address(id(array) + fields["NDIM"]).value == 2
        and (word_at(dims).value, word_at(dims + 8).value) == (3, 5)
        and word_at(id(array) + fields["DESCR"]).value == id(np.dtype(np.float32))
        and word_at(id(swapped) + fields["SCALAR_TYPE"]).value == id(np.float32)
        and ctypes.string_at(id(swapped) + fields["BYTE_ORDER"], 1) == b">"
        and ctypes.c_int32.from_address(id(array) + fields["FLAGS"]).value & 0x503 == 0x501
        and word_at(id(array) + fields["WEAK"]).value == 0
        and word_at(id(referenced) + fields["WEAK"]).value == id(reference)
        and word_at(word_at(id(numbers) + fields["LISTED"]).value + 8).value == id(numbers[1])
        and ctypes.c_double.from_address(id(number) + HEAD).value == number
        and all(ctypes.string_at(id(n) + HEAD, n.nbytes) == n.tobytes() for n in numbers)
        and [word_at(id(s) + fields["SET_USED"]).value for s in (set(), {1}, {1, 2, 3})] == [0, 1, 3]
        and [word_at(id(d) + fields["DICT_USED"]).value for d in ({}, {1: 1}, dict.fromkeys("abc"))] == [0, 1, 3]
        and word_at(id(probe) + slot_offset(_Probe, "a")).value == id(array)
        and word_at(id(probe) + slot_offset(_Probe, "b")).value == id(fields)
        and slot_offset(Callable, "_entry") == fields["ENTRY"]
    )
