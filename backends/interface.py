"""Interface: what a caller of compiled code must know of its Program, and the same as plain data to be kept in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symdl.backends.routines import Signature, signatures
from symdl.errors import ProgramError
from symdl.ir.program import Binding, Buffer, Failure, Kind, Program
from symdl.records import record
from symdl.types import Atom, Extent, Symbol, floor_divide, largest, polynomial, smallest, terms_of

COMPOUNDS = {"floordiv": floor_divide, "max": largest, "min": smallest}


@record
class Interface:
    """Buffers that are not temporary, where sizes are bound, what failures mean, and which library routines are called.

    With it and the object code a function runs; the Program itself is only for looking at.
    """

    buffers: tuple[Buffer, ...]
    bindings: tuple[Binding, ...]
    failures: tuple[Failure, ...] = ()
    libraries: tuple[str, ...] = ()  # by the backend's own names
    routines: tuple[Signature, ...] = ()

    @classmethod
    def of(cls, program: Program, libraries: Sequence[str] = ()) -> Interface:
        """The Interface of a Program whose code calls these routines."""
        given = tuple(program.of_kind("input", "shared", "constant", "output"))
        return cls(given, program.bindings, program.failures, tuple(libraries), signatures(program))

    def of_kind(self, *kinds: Kind) -> list[Buffer]:
        return [b for b in self.buffers if b.kind in kinds]

    def plain(self) -> Any:
        """Lists, texts and numbers, fit for JSON."""
        return {
            "buffers": [[b.name, b.dtype, [plain_extent(n) for n in b.shape], b.kind] for b in self.buffers],
            "bindings": [[b.symbol.name, b.symbol.serial, b.symbol.signed, b.buffer, b.axis] for b in self.bindings],
            "failures": [[f.text, f.source] for f in self.failures],
            "libraries": list(self.libraries),
            "routines": [[s.views, s.results, s.source] for s in self.routines],
        }

    @classmethod
    def from_plain(cls, data: Any) -> Interface:
        """What `plain` gave. Raises KeyError, TypeError, ValueError or ProgramError for anything else."""
        return cls(
            tuple(
                Buffer(name, dtype, tuple(map(extent_of, shape)), kind) for name, dtype, shape, kind in data["buffers"]
            ),
            tuple(Binding(Symbol(n, serial, signed), b, axis) for n, serial, signed, b, axis in data["bindings"]),
            tuple(Failure(text, source) for text, source in data["failures"]),
            tuple(data["libraries"]),
            tuple(Signature(tuple(map(tuple, views)), count, source) for views, count, source in data["routines"]),
        )


def plain_extent(extent: Extent) -> Any:
    """A number as it is, else [[coefficient, atom, ...], ...] in the order of the terms."""
    return extent if isinstance(extent, int) else [[k, *map(_plain_atom, atoms)] for atoms, k in terms_of(extent)]


def _plain_atom(atom: Atom) -> Any:
    if isinstance(atom, Symbol):
        return [atom.name, atom.serial, atom.signed]
    return [atom.function, plain_extent(atom.left), plain_extent(atom.right)]


def extent_of(data: Any) -> Extent:
    """The extent that plain_extent wrote."""
    if isinstance(data, int):
        return data
    total: Extent = 0
    for k, *atoms in data:
        term: Extent = k
        for name, *rest in atoms:
            term = term * _factor(name, rest)
        total = total + term
    return total


def _factor(name: str, rest: list[Any]) -> Extent:
    match rest:
        case [int() as serial, bool() as signed]:
            return polynomial([((Symbol(name, serial, signed),), 1)])
        case [left, right] if name in COMPOUNDS:
            return COMPOUNDS[name](extent_of(left), extent_of(right))
    raise ProgramError(f"{name} is no part of an extent")
