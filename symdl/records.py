"""Records: dataclasses that are made in a fifth of the time, frozen ones and such as change.

    @record
    class Load:
        view: View
        at: tuple[Extent, ...]

    @mutable
    class Scope:
        names: dict[str, str]

`dataclass` compiles a text for each of three to six methods: 0.15 to 0.3 ms a class, and together they took half of `import symdl`. Here
__init__ alone has one; __eq__ and __hash__ get theirs when records of a class are first compared, which those of most never are, and the
others need none. Fields, slots, `replace`, `match` and `__post_init__` are the standard library's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import partial
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

Class = TypeVar("Class", bound=type)


@overload
def record(made: Class) -> Class: ...
@overload
def record(*, eq: bool = True, slots: bool = False) -> Callable[[Class], Class]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field, Field))
def record(made: Any = None, *, eq: bool = True, slots: bool = False) -> Any:
    """A frozen dataclass of a class. eq: whether records of equal fields are equal; else each is equal to itself alone."""
    return _decorated(made, frozen=True, eq=eq, slots=slots)


@overload
def mutable(made: Class) -> Class: ...
@overload
def mutable(*, slots: bool = False) -> Callable[[Class], Class]: ...


@dataclass_transform(eq_default=False, field_specifiers=(field, Field))
def mutable(made: Any = None, *, slots: bool = False) -> Any:
    """A dataclass of a class whose fields can be set. Each of its records is equal to itself alone."""
    return _decorated(made, frozen=False, eq=False, slots=slots)


def _decorated(made: Any, **how: bool) -> Any:
    return partial(_recorded, **how) if made is None else _recorded(made, **how)


def _recorded(made: Any, frozen: bool, eq: bool, slots: bool) -> Any:
    own = {name for name, value in made.__dict__.items() if value is not None}  # __hash__ is None beside an __eq__
    made.__doc__ = made.__doc__ or made.__name__  # else `dataclass` works one out, from signatures: a millisecond
    made = dataclass(init=False, repr=False, eq=False, slots=slots)(made)  # slots: another class than it was given
    methods = {"__init__": _initial(made, frozen), "__repr__": _shown}
    if frozen:
        methods |= {"__setattr__": _refused, "__delattr__": _refused}
    if frozen and slots:
        methods["__setstate__"] = _placed
    if eq:
        methods |= {"__eq__": _equal, "__hash__": _hashed}
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    return made


def _initial(made: Any, frozen: bool) -> Any:
    """__init__ of a record."""
    known: dict[str, Any] = {"__place__": object.__setattr__, "__missing__": MISSING}
    parameters, body = ["self"], []
    for f in fields(made):
        name, value = f.name, f.name
        if f.default is not MISSING:
            known[f"__for_{name}__"] = f.default
            parameters += [f"{name}=__for_{name}__"] * f.init
        elif f.default_factory is not MISSING:
            known[f"__for_{name}__"] = f.default_factory
            parameters += [f"{name}=__missing__"] * f.init
            value = f"__for_{name}__() if {name} is __missing__ else {name}" if f.init else f"__for_{name}__()"
        else:
            parameters += [name] * f.init
        if f.init or f.default_factory is not MISSING:
            body.append(f"__place__(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(made, "__post_init__"):
        body.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n {'; '.join(body) or 'pass'}", known)
    found = known["__init__"]
    found.__annotations__ = {f.name: f.type for f in fields(made) if f.init} | {"return": None}
    found.__qualname__, found.__module__ = f"{made.__qualname__}.__init__", made.__module__
    return found


def _equal(self: Any, other: object) -> Any:
    _compare(type(self))
    return self == other


def _hashed(self: Any) -> int:
    _compare(type(self))
    return hash(self)


def _compare(made: type) -> None:
    """Give records of a class, and of those below it, __eq__ and __hash__ of their own, where they have none."""
    for above in made.__mro__:
        stubs = {"__eq__": _equal, "__hash__": _hashed}
        missing = [name for name, stub in stubs.items() if above.__dict__.get(name) is stub]
        if missing:
            names = [f.name for f in fields(above) if f.compare]
            mine, others = ("".join(f"{record}.{name}, " for name in names) for record in ("self", "other"))
            known: dict[str, Any] = {}
            same = f"({mine}) == ({others}) if other.__class__ is self.__class__ else NotImplemented"
            exec(f"def __eq__(self, other):\n return {same}\ndef __hash__(self):\n return hash(({mine}))", known)
            for name in missing:
                setattr(above, name, known[name])


def _shown(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


def _placed(self: Any, state: tuple[None, dict[str, Any]]) -> None:
    """What a pickle or a copy has of the slots."""
    for name, value in state[1].items():
        object.__setattr__(self, name, value)


def _refused(self: Any, name: str, *value: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")
