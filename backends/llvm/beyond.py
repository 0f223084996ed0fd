"""Beyond two limbs: which elements of a loop that is computed in full have lost more digits than two limbs hold, and how
these are computed again in balls of 256 bits (`backends.balls`), one at a time, out of line.

An element that even these do not know well enough stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2s

from symdl.backends.balls.library import ENTRY, LIMB_COUNT
from symdl.backends.balls.tapes import Tape, tape_of
from symdl.backends.builder import Reg
from symdl.backends.llvm.module import ITEM_BYTES
from symdl.backends.llvm.vectors import VectorWriter
from symdl.backends.rungs.digits import without_noise
from symdl.backends.rungs.narrowing import Narrowed, summand
from symdl.backends.rungs.running import running
from symdl.backends.wide import emit, numbers
from symdl.ir.loops import Apply, For, Load, Ref, Value, walk
from symdl.number_forms import LIMBS, WIDE
from symdl.records import record

DECLARED = f"declare void @{ENTRY}(ptr, ptr, i64, i64, ptr, i64, i64)"


@record
class Beyond:
    """A loop in full, and of a round of it: whether digits are lost, and what computes it in balls."""

    loop: For
    failed: Value
    tape: Tape

    def bytes(self, lanes: int) -> int:
        """Of the leaves of so many lanes."""
        return len(self.tape.leaves) * LIMB_COUNT * ITEM_BYTES["float64"] * max(lanes, 1)


def beyond(loop: For, tried: Narrowed, offsets: Mapping[int, int]) -> Beyond | None:
    """None where nothing may be lost, or balls have no function of the loop's. offsets: where results stand that the
    attempt may have left wrong."""
    if not any(isinstance(item, Apply) and item.dtype.startswith("float64x2") for item in walk(*loop.body)):
        return None
    full = running(loop)
    if full is None or full.failed is None:
        return None
    results = [(value := summand(full.loop.body[place]), value.dtype, offsets[place]) for place in tried.wide]
    tape = tape_of(results, _meant)
    return None if tape is None else Beyond(full.loop, full.failed, tape)


def _meant(item: Value) -> Value | None:
    """The sum that a value is, but for a precaution against errors; not where it is of numbers that have been stored in two
    limbs, whose own errors balls do not know."""
    kept = without_noise(item)
    if kept is None or any(isinstance(x, Load | Ref) and x.dtype in WIDE for x in walk(kept)):
        return None
    return kept


def spilled(w: VectorWriter, found: Beyond, area: str) -> None:
    """The leaves, each as two limbs and an exponent, every lane of one after the other."""
    size = ITEM_BYTES["float64"] * max(w.lanes, 1)
    for k, leaf in enumerate(found.tape.leaves):
        for j, limb in enumerate(_limbs(w, w.value(leaf))):
            place = w.emit(
                f"getelementptr inbounds i8, ptr {area}, {w.word} {(LIMB_COUNT * k + j) * size}", "int64"
            ).text
            w.line(f"store {w.type('float64')} {limb.text}, ptr {place}, align 8")


def _limbs(w: VectorWriter, value: Reg) -> tuple[Reg, Reg, Reg]:
    zero = w.const(0.0, "float64")
    if value.dtype not in WIDE:
        if value.dtype in ("bool", "float32"):
            return emit(w, "cast", value, dtype="float64"), zero, zero
        value = value if value.dtype == "float64" else emit(w, "cast", value, dtype="float64x2")
        if value.dtype == "float64":
            return value, zero, zero
    named = dict(zip(LIMBS[value.dtype], numbers.split(w, value), strict=True))
    return named["high"], named.get("low", zero), named.get("exponent", zero)


def named(w: VectorWriter, tape: Tape) -> str:
    """The constant that holds a tape."""
    text = f"[{len(tape.words)} x i64] [{', '.join(f'i64 {word}' for word in tape.words)}]"
    name = f"@tape.{blake2s(text.encode(), digest_size=8).hexdigest()}"
    w.declarations |= {f"{name} = internal constant {text}, align 16", DECLARED}
    return name


def call(tape: str, leaves: str, lanes: int, area: str, room: int, lane: str) -> str:
    """A call for one lane."""
    given = (
        f"ptr {tape}, ptr {leaves}, i64 {lane if lanes else 0}, i64 {max(lanes, 1)}, ptr {area}, i64 {lane}, i64 {room}"
    )
    return f"call void @{ENTRY}({given})"
