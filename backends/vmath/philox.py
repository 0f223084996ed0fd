"""Random numbers as LLVM IR: one element anywhere, or whole runs of elements by vectors that use all four words.

`symdl.philox` is the definition, in NumPy. Words are equal to it bit for bit; normal numbers are within 4 ulp of the
formula there. A word is carried in the lower half of 64 bits, and what stands in the upper half does not matter until the
rounds are over: so a round is products, shifts and exclusive ors, without moving lanes about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from symdl.backends.builder import BITS, LLVM_TYPE, Builder, Reg
from symdl.backends.vmath.forms import FORMAT, outlined
from symdl.backends.vmath.logarithm import assemble, binade
from symdl.backends.vmath.trigonometric import cos_reduced, sin_reduced
from symdl.philox import LANES, MULTIPLIERS, ROUNDS, SERIALS, WEYL, WORD
from symdl.records import record

Words = tuple[Reg, Reg, Reg, Reg]
Key = tuple[Reg, Reg]
TURN = (6.283185307179586, 2.4492935982947064e-16)  # 2 pi as a sum of two float64
TURN_FLOAT32 = (6.2831854820251465, -1.7484555314695172e-07)  # and of two float32


@record
class Draw:
    """One kind of draw. run: so many elements share 16 blocks. elements: what the words of a block make, in the order of
    the sixteenths of the run; it takes uint32 where word is that, else words in 64 bits."""

    dtype: str
    run: int
    word: str
    elements: Callable[[Builder, Words], tuple[Reg, ...]]


# ---- words ----


def _round(b: Builder, c: Words, k: Key) -> Words:
    first, last = (b.mul(b.and_(x, WORD), m) for x, m in zip((c[0], c[2]), MULTIPLIERS, strict=True))
    return b.xor(b.xor(b.lshr(last, 32), c[1]), k[0]), last, b.xor(b.xor(b.lshr(first, 32), c[3]), k[1]), first


def _next_key(b: Builder, k: Key) -> Key:
    return b.add(k[0], WEYL[0]), b.add(k[1], WEYL[1])


def _counter(b: Builder, count: Reg, serial: Reg, block: Reg) -> Words:
    return block, b.add(serial, b.shl(b.lshr(block, 32), SERIALS)), count, b.lshr(count, 32)


def _joined(b: Builder, low: Reg, high: Reg) -> Reg:
    """64 bits of two words in 64 bits each."""
    return b.or_(b.and_(low, WORD), b.shl(high, 32))


# ---- what the words of a block make ----


def _as_words(b: Builder, words: Words) -> tuple[Reg, ...]:
    return words


def _as_pairs(b: Builder, words: Words) -> tuple[Reg, ...]:
    return _joined(b, *words[:2]), _joined(b, *words[2:])


def _as_normals32(b: Builder, words: Words) -> tuple[Reg, ...]:
    return (*_box_muller32(b, *words[:2]), *_box_muller32(b, *words[2:]))


def _as_normals64(b: Builder, words: Words) -> tuple[Reg, ...]:
    return _box_muller64(b, _joined(b, *words[:2]), _joined(b, *words[2:]))


def _radius(b: Builder, u: Reg) -> Reg:
    """sqrt(-2 ln u) for a normal u in (0, 1]."""
    k, m = binade(b, u)
    return b.sqrt(b.mul(assemble(b, k, b.sub(m, 1.0)), -2.0))


def _turned(b: Builder, r: Reg, sine: Reg, cosine: Reg, quadrant: Reg) -> tuple[Reg, Reg]:
    """r cos t and r sin t from the functions of t within its quadrant, whose number stands in the top two bits."""
    top = BITS[quadrant.dtype] - 1
    odd = b.compare("ne", b.and_(quadrant, 1 << (top - 1)), 0)
    found = []
    for even_one, odd_one, first in ((cosine, sine, b.add(quadrant, 1 << (top - 1))), (sine, cosine, quadrant)):
        sign = Reg(b.and_(first, 1 << top).text, f"int{top + 1}")
        found.append(b.mul(r, b.unbits(b.xor(b.bits(b.select(odd, odd_one, even_one)), sign))))
    return found[0], found[1]


def _box_muller32(b: Builder, word: Reg, angle: Reg) -> tuple[Reg, Reg]:
    u = b.add(b.mul(b.convert("uitofp", word, "float32"), 2.0**-32), 2.0**-33)
    quadrant = b.add(angle, 1 << 29)
    rest = b.sub(angle, b.and_(quadrant, 3 << 30))
    turn = b.convert("sitofp", Reg(rest.text, "int32"), "float32")
    t = b.fma(turn, TURN_FLOAT32[0] * 2.0**-32, b.mul(turn, TURN_FLOAT32[1] * 2.0**-32))
    zero = b.const(0.0, "float32")
    return _turned(b, _radius(b, u), sin_reduced(b, t, zero), cos_reduced(b, t, zero), quadrant)


def _box_muller64(b: Builder, word: Reg, angle: Reg) -> tuple[Reg, Reg]:
    form = FORMAT["float64"]
    whole = b.add(b.lshr(word, 11), 1)  # at most 2^53: the float64 of its halves, each small enough for `magic`
    high, low = (
        b.sub(b.unbits(b.add(Reg(x.text, "int64"), form.magic_bits)), form.magic)
        for x in (b.lshr(whole, 32), b.and_(whole, WORD))
    )
    u = b.fma(high, 2.0**-21, b.mul(low, 2.0**-53))
    quadrant = b.add(b.lshr(angle, 11), 1 << 50)
    rest = b.sub(b.lshr(angle, 11), b.and_(quadrant, 7 << 51))
    turn = b.sub(b.unbits(b.add(Reg(rest.text, "int64"), form.magic_bits)), form.magic)  # |rest| <= 2^50: exact
    t = b.mul(turn, TURN[0] * 2.0**-53)
    lost = b.mul(turn, TURN[1] * 2.0**-53)
    if b.fused:
        lost = b.add(b.fma(turn, TURN[0] * 2.0**-53, b.fneg(t)), lost)
    return _turned(b, _radius(b, u), sin_reduced(b, t, lost), cos_reduced(b, t, lost), b.shl(quadrant, 11))


DRAWS = {
    "random_word32": Draw("uint32", 64, "uint32", _as_words),
    "random_word64": Draw("uint64", 32, "uint64", _as_pairs),
    "random_normal32": Draw("float32", 64, "uint32", _as_normals32),
    "random_normal64": Draw("float64", 32, "uint64", _as_normals64),
}


# ---- one element ----


def block_of(b: Builder, draw: Draw, place: Reg) -> Reg:
    """The number of the block whose words make the element at a place."""
    return b.or_(b.shl(b.lshr(place, draw.run.bit_length() - 1), 4), b.and_(place, LANES - 1))


def elements(b: Builder, draw: Draw, key: Reg, count: Reg, serial: Reg, block: Reg) -> tuple[Reg, ...]:
    """All that the words of one block make: elements that lie LANES apart."""
    k, words = (key, b.lshr(key, 32)), _counter(b, count, serial, block)
    for step in range(ROUNDS):
        k = _next_key(b, k) if step else k
        words = _round(b, words, k)
    if draw.word == "uint32":
        w0, w1, w2, w3 = (b.convert("trunc", w, "uint32") for w in words)
        words = w0, w1, w2, w3
    return draw.elements(b, words)


def _single(draw: Draw) -> Callable[..., Reg]:
    """The element at a place, all four words being computed for it."""

    def emit(b: Builder, key: Reg, count: Reg, serial: Reg, place: Reg) -> Reg:
        found = elements(b, draw, key, count, serial, block_of(b, draw, place))
        return _chosen(b, b.and_(b.lshr(place, 4), draw.run // LANES - 1), found)

    return emit


def _chosen(b: Builder, part: Reg, elements: Sequence[Reg]) -> Reg:
    found = elements[0]
    for k, element in enumerate(elements[1:], 1):
        found = b.select(b.compare("eq", part, k), element, found)
    return found


SINGLE = {name: outlined(name, _single(draw)) for name, draw in DRAWS.items()}


# ---- whole runs ----


@cache
def filling(name: str, vector_bytes: int, fused: bool) -> tuple[str, str, frozenset[str]]:
    """(name, text, what it needs beside it) of a function that writes whole runs of a draw:

    void (ptr out, i64 key, i64 count, i64 serial, i64 run, i64 runs): elements of runs run, run + 1, ... in order, out
    being aligned to 64 bytes; runs > 0.
    """
    draw = DRAWS[name]
    lanes = max(2, min(vector_bytes // 8, LANES // 2))  # of a vector of words in 64 bits; two vectors go side by side
    writer = RunWriter(draw, lanes, fused)
    body = writer.body()
    symbol = f"symdl_fill_{name}"
    signature = "ptr noalias %out, i64 %key, i64 %count, i64 %serial, i64 %run, i64 %runs"
    text = f"define internal void @{symbol}({signature}) noinline nounwind {{\n{body}\n  ret void\n}}"
    return symbol, text, frozenset(writer.declarations)


class RunWriter(Builder):
    """Writes the body of such a function: a loop over as many blocks as two vectors hold, and in it one over the rounds."""

    def __init__(self, draw: Draw, lanes: int, fused: bool) -> None:
        super().__init__(lanes, fused)
        self.draw, self.blocks = draw, 2 * lanes
        self.wide = Builder(2 * lanes, fused, prefix="w")  # of words alone
        self.wide.lines, self.wide.declarations = self.lines, self.declarations

    def body(self) -> str:
        draw = self.draw
        pieces = LANES // self.blocks  # of a run
        self.label("entry")
        key, count, serial = map(self.splat, ("%key", "%count", "%serial"))
        first = self.scalar("shl i64 %run, 4")
        end = self.scalar(f"mul i64 %runs, {pieces}")
        self.line("br label %loop")
        self.label("loop")
        self.line("%k = phi i64 [ 0, %entry ], [ %next, %done ]")
        start = self.splat(self.scalar(f"add i64 {first}, {self.scalar(f'mul i64 %k, {self.blocks}')}"))
        apart = draw.word == "uint64"  # the first vector holds the first blocks; else one the even, one the odd ones
        counters = []
        for half in range(2):
            own = [half * self.lanes + k if apart else 2 * k + half for k in range(self.lanes)]
            block = self.add(start, Reg(f"<{', '.join(f'i64 {n}' for n in own)}>", "uint64"))
            counters.append(_counter(self, count, serial, block))
        pair = self.rounds(counters, (key, self.lshr(key, 32)))
        run, piece = self.scalar(f"udiv i64 %k, {pieces}"), self.scalar(f"urem i64 %k, {pieces}")
        place = self.scalar(f"mul i64 {piece}, {self.blocks}")
        place = self.scalar(f"add i64 {place}, {self.scalar(f'mul i64 {run}, {draw.run}')}")
        if apart:
            for half, words in enumerate(pair):
                self.put(self, draw.elements(self, words), place, half * self.lanes)
        else:
            w0, w1, w2, w3 = (self.woven(even, odd) for even, odd in zip(*pair, strict=True))
            self.put(self.wide, draw.elements(self.wide, (w0, w1, w2, w3)), place, 0)
        self.line("%next = add nuw nsw i64 %k, 1")
        self.line(f"%more = icmp ult i64 %next, {end}")
        self.line("br i1 %more, label %loop, label %end")
        self.label("end")
        return "\n".join(self.lines)

    def scalar(self, rhs: str) -> str:
        """A number of 64 bits."""
        return self.emit(rhs, "uint64").text

    def splat(self, number: str) -> Reg:
        kind = self.type("uint64")
        first = self.scalar(f"insertelement {kind} poison, i64 {number}, i32 0")
        return self.emit(f"shufflevector {kind} {first}, {kind} poison, <{self.lanes} x i32> zeroinitializer", "uint64")

    def rounds(self, counters: Sequence[Words], key: Key) -> list[Words]:
        """All rounds of several counters, two at a time; goes on at the label done."""
        self.line("br label %rounds")
        self.label("rounds")
        before = [*(w for c in counters for w in c), *key]
        at = len(self.lines)
        names = [f"%{self.fresh('c')}" for _ in before]
        self.lines += [""] * (len(before) + 1)
        now = [Reg(n, "uint64") for n in names]
        k: Key = (now[-2], now[-1])
        states: list[Words] = [(now[j], now[j + 1], now[j + 2], now[j + 3]) for j in range(0, len(now) - 2, 4)]
        for _ in range(2):
            states, k = [_round(self, c, k) for c in states], _next_key(self, k)
        after = [*(w for c in states for w in c), *k]
        for j, (name, old, new) in enumerate(zip(names, before, after, strict=True)):
            self.lines[at + j] = f"  {name} = phi {self.type('uint64')} [ {old.text}, %loop ], [ {new.text}, %rounds ]"
        self.lines[at + len(names)] = "  %step = phi i64 [ 2, %loop ], [ %further, %rounds ]"
        self.line("%further = add nuw nsw i64 %step, 2")
        self.line(f"%again = icmp ult i64 %step, {ROUNDS}")
        self.line("br i1 %again, label %rounds, label %done")
        self.label("done")
        return states

    def woven(self, even: Reg, odd: Reg) -> Reg:
        """Words alone, of even and odd blocks in turn."""
        both = _joined(self, even, odd).text
        return self.wide.emit(f"bitcast {self.type('uint64')} {both} to {self.wide.type('uint32')}", "uint32")

    def put(self, b: Builder, elements: Sequence[Reg], place: str, offset: int) -> None:
        """Store the elements of as many blocks as a vector holds, each sixteenth of the run where it belongs."""
        for part, element in enumerate(elements):
            spot = self.scalar(f"add i64 {place}, {part * LANES + offset}")
            kind = b.type(element.dtype)
            to = self.scalar(f"getelementptr {LLVM_TYPE[element.dtype]}, ptr %out, i64 {spot}")
            align = min(b.lanes * BITS[element.dtype] // 8, 64)
            self.line(f"store {kind} {element.text}, ptr {to}, align {align}")
