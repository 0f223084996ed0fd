"""Records: what frozen dataclasses are, one by one, and such as change."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from symdl.records import mutable, record


class Definition:
    """What both kinds are made of."""

    first: int
    second: str = "b"
    third: list[int] = field(default_factory=list)
    kept: float = field(default=0.5, compare=False, repr=False)
    length: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.third))


@record(slots=True)
class Slotted:
    """A record of slots that a pickle finds."""

    x: float
    names: list[str] = field(default_factory=list)


@mutable
class Loose:
    """One that changes."""

    x: float
    names: list[str] = field(default_factory=list)


@mutable(slots=True)
class Tight:
    """One that changes, of slots."""

    x: float
    names: list[str] = field(default_factory=list)


def made(decorator: Any, **more: Any) -> Any:
    body = {k: v for k, v in vars(Definition).items() if k not in ("__dict__", "__weakref__")}
    return decorator(type("Definition", (), {**body, **more}))


@record
class Point:
    """A record that a pickle finds."""

    x: float
    y: float = 0.0


@record
class Far(Point):
    """One with a field more."""

    z: float = 1.0


RECORD, FROZEN = made(record), made(dataclass(frozen=True))


@pytest.mark.parametrize("kind", [RECORD, FROZEN])
def test_fields_texts_and_changes(kind: Any) -> None:
    one = kind(1, third=[2, 3])
    assert (one.first, one.second, one.third, one.kept, one.length) == (1, "b", [2, 3], 0.5, 2)
    assert repr(one) == "Definition(first=1, second='b', third=[2, 3], length=2)"
    assert [f.name for f in fields(one)] == ["first", "second", "third", "kept", "length"]
    assert kind.__match_args__ == ("first", "second", "third", "kept")
    assert replace(one, third=[]).length == 0
    assert kind(1).third is not kind(1).third
    changes: list[Callable[[], None]] = [partial(setattr, one, name, 2) for name in ("first", "new")]
    changes.append(partial(delattr, one, "first"))
    for change in changes:
        with pytest.raises(dataclasses.FrozenInstanceError, match=r"cannot (assign to|delete) field"):
            change()
    wrongly: tuple[tuple[int, ...], ...] = (), (1, 2, 3, 4, 5)
    for wrong in wrongly:
        with pytest.raises(TypeError, match=r"__init__\(\)"):
            kind(*wrong)
    signature = inspect.signature(kind)
    assert list(signature.parameters) == ["first", "second", "third", "kept"]
    assert signature.parameters["first"].annotation == "int"


def test_equality_is_that_of_what_is_compared() -> None:
    for kind in (RECORD, FROZEN):
        one, same, other = kind(1, third=()), kind(1, third=(), kept=2.0), kind(2, third=())
        assert one == same
        assert hash(one) == hash(same) == hash((1, "b", ()))
        assert one != other
        assert one != (1, "b", ())
    assert RECORD(1) != FROZEN(1)


def test_below_a_record() -> None:
    class Named(Far):
        """No record itself."""

    assert Named(1, 2, 3) == Named(1, 2, 3)
    assert hash(Named(1, 2, 3)) == hash((1, 2, 3)) == hash(Far(1, 2, 3))
    assert Far(1) != Point(1)
    assert Far(1, 2) == Far(1, 2, 1.0)
    assert {Point(1): "found"}[Point(1)] == "found"
    assert repr(Far(1)) == "Far(x=1, y=0.0, z=1.0)"


def test_any_name_may_be_a_field() -> None:
    @record
    class Odd:
        """Names that what makes records uses, too."""

        self_: int
        place: int = 5
        missing: list[int] | None = field(default_factory=lambda: None)
        name: int = 1
        value: list[int] = field(default_factory=list)
        object: int = 2
        hash: int = 3

    one = Odd(4, value=[6])
    assert [getattr(one, f.name) for f in fields(one)] == [4, 5, None, 1, [6], 2, 3]
    assert one == Odd(4, value=[6])
    assert one != Odd(4, value=[7])


def test_what_a_class_defines_stays() -> None:
    own = made(record, __repr__=lambda self: "own", __eq__=lambda self, other: True)
    assert repr(own(1)) == "own"
    assert own(1, third=()) == own(2, third=())
    assert hash(own(1, third=())) == hash((1, "b", ()))
    alone = made(record(eq=False))
    assert alone(1) != alone(1)
    assert len({alone(1), alone(1)}) == 2


def test_copies() -> None:
    one = Far(1, 2, 3)
    for found in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert found == one
    match Far(1, 2):
        case Far(x, y):
            assert (x, y) == (1, 2)


@pytest.mark.parametrize("kind", [Slotted, Loose, Tight])
def test_slots_and_changes(kind: Any) -> None:
    one = kind(1.0)
    assert repr(one) == f"{kind.__name__}(x=1.0, names=[])"
    assert one.names is not kind(1.0).names
    assert hasattr(one, "__dict__") == (kind is Loose)
    for found in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one)), replace(one, x=1.0)):
        assert (type(found), found.x, found.names) == (kind, 1.0, [])
        assert (found == one) == (kind is Slotted)
    if kind is Slotted:
        with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
            one.x = 2.0
    else:
        one.x = 2.0
        assert (one.x, len({one, kind(2.0)})) == (2.0, 2)
        if kind is Tight:
            with pytest.raises(AttributeError):
                one.other = 1


def test_threads_that_compare_at_once() -> None:
    for _ in range(20):
        kind, barrier = made(record), Barrier(4)

        def compared(_: int, kind: Any = kind, barrier: Barrier = barrier) -> bool:
            one, same = kind(1, third=()), kind(1, third=())
            barrier.wait()
            return bool(one == same) and hash(one) == hash(same)

        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(compared, range(4)))
