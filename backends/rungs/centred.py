"""What float32 numbers of a row differ by from one float64, and multiples of it by another, as float32: a layer norm's last
pass, say.

    for r in 0:m: o[r] = float32((x[r] - a) b)   ->   h = float32(a);  c = float32((h - a) b);  b = p + q
                                                      for r in 0:m: d = x[r] - h;  o[r] = d p + (d q + c)

That takes whole vectors of float32 and no conversions, a quarter of the operations. x - h is exact where x is like a, and rounded
where what h leaves of a is nothing beside it; so a result is wrong by 1.5 ulp instead of a half. It is tried where a and b are
far from what float32 cannot hold; so 0 is as it was, and with a q of the sign of p infinities are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from symdl.backends.rungs.exchanges import FUSED, changed
from symdl.backends.rungs.stretches import FLAG, Stretch, simple
from symdl.backends.rungs.thinning import inlined
from symdl.ir.loops import Apply, Const, For, Load, Local, Ref, Stmt, Store, Value, walk

SINGLE, DOUBLE = "float32", "float64"
TRIED = "tried centred "
FARTHEST = 2.0**80  # of a and b from 1
LESS = 1 - 2.0**-22  # p, before it is rounded, of b


def centred(body: Sequence[Stmt], start: int) -> Stretch | None:
    """The attempt at a loop that stores functions of such numbers alone; None for others, and where another loop makes float32 of
    a or b, too, which may have to be the same."""
    loop = body[start]
    if not isinstance(loop, For) or not all(isinstance(s, Local | Store) for s in loop.body):
        return None
    made = _Centred()
    stores = [s for s in inlined(loop.body) if isinstance(s, Store)]
    values = changed([s.value for s in stores], made.change)
    if not made.shared or not simple((loop,)):
        return None
    others = [s for k, s in enumerate(body) if k != start and isinstance(s, For)]
    if any(isinstance(x, Apply) and x.dtype.startswith(DOUBLE) for x in walk(*values)) or any(
        map(made.rounded, others)
    ):
        return None
    flag = Local(TRIED + FLAG, Const(0, "int64"))
    before = [Local(name, value) for name, value in made.before.items()]
    tried = replace(loop, body=tuple(replace(s, value=v) for s, v in zip(stores, values, strict=True)))
    failed = Apply("ne", (Ref(flag.name, "int64"), Const(0, "int64")), "bool")
    return Stretch(
        start + 1, (flag, *before, tried), failed, {}, True, TRIED, reduce(_both, map(_fits, made.shared.values()))
    )


class _Centred:
    """Values being tried, and what is known before the loop."""

    def __init__(self) -> None:
        self.before: dict[str, Value] = {}
        self.shared: dict[str, Value] = {}  # what is a or b, by its name

    def rounded(self, loop: For) -> bool:
        """Whether another loop makes float32 of what is a or b here."""
        items = walk(loop)
        names = {x.name for x in walk(*self.shared.values()) if isinstance(x, Ref)}
        return any(isinstance(x, Ref) and x.name in names for x in items) and any(
            isinstance(x, Apply) and x.dtype == SINGLE for x in items
        )

    def change(self, made: Apply, item: Apply) -> Value:
        """An application as it is tried."""
        match made:
            case Apply("cast", (Apply("mul", (first, second)),), "float32"):
                for product, b in ((first, second), (second, first)):
                    if _is_shared(b) and (found := _difference(product)) is not None:
                        return self.multiple(*found, b)
            case Apply("cast", (other,), "float32") if (found := _difference(other)) is not None:
                return self.alone(*found)
        return made

    def alone(self, x: Value, a: Value) -> Value:
        """float32(x - a)."""
        name = self.name(a)
        h = self.known(f"high {name}", a)
        rest = self.known(f"rest {name}", _double("sub", _cast(h, DOUBLE), a))
        return _single("add", _single("sub", x, h), rest)

    def multiple(self, x: Value, a: Value, b: Value) -> Value:
        """float32((x - a) b)."""
        of, by = self.name(a), self.name(b)
        h = self.known(f"high {of}", a)
        c = self.known(f"rest {of} {by}", _double("mul", _double("sub", _cast(h, DOUBLE), a), b))
        p = self.known(f"less {by}", _double("mul", b, Const(LESS, DOUBLE)))
        q = self.known(f"more {by}", _double("sub", b, _cast(p, DOUBLE)))
        d = _single("sub", x, h)
        return _single(FUSED, d, p, _single(FUSED, d, q, c))

    def name(self, value: Value) -> str:
        """What the numbers share, by another name."""
        name = next((name for name, v in self.shared.items() if v is value), str(len(self.shared)))
        self.shared[name] = value
        return name

    def known(self, name: str, value: Value) -> Ref:
        """A float64 as a float32, found before the loop."""
        self.before[TRIED + name] = _cast(value, SINGLE)
        return Ref(TRIED + name, SINGLE)


def _difference(item: Value) -> tuple[Value, Value] | None:
    """(x, a) of x - a."""
    match item:
        case Apply("sub", (Apply("cast", (Load() as x,)), a), "float64") if x.dtype == SINGLE and _is_shared(a):
            return x, a
    return None


def _is_shared(value: Value) -> bool:
    """Whether a value is made of variables of the row."""
    kinds = set(map(type, walk(value)))
    return value.dtype == DOUBLE and Ref in kinds and kinds <= {Ref, Const, Apply}


def _cast(x: Value, dtype: str) -> Apply:
    return Apply("cast", (x,), dtype)


def _single(primitive: str, *args: Value) -> Apply:
    return Apply(primitive, args, SINGLE)


def _double(primitive: str, *args: Value) -> Apply:
    return Apply(primitive, args, DOUBLE)


def _both(x: Apply, y: Apply) -> Apply:
    return Apply("bitwise_and", (x, y), "bool")


def _fits(v: Value) -> Apply:
    """Whether a number is no farther than that from 1."""
    size = _double("abs", v)
    least, most = Const(1 / FARTHEST, DOUBLE), Const(FARTHEST, DOUBLE)
    return _both(Apply("ge", (size, least), "bool"), Apply("le", (size, most), "bool"))
