"""Philox and what is made of its words: known answers, the layout of words, and machine code against the definition."""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest

from symdl.backends.builder import Builder, Reg
from symdl.backends.vmath.philox import DRAWS, SINGLE, _box_muller32, _box_muller64, filling
from symdl.philox import normal32, normal64, philox, word32, word64

REFERENCE = {
    "random_word32": word32, "random_word64": word64, "random_normal32": normal32, "random_normal64": normal64,
}  # fmt: skip
ONES = 0xFFFFFFFF
KEY, COUNT, SERIAL = 0x0123456789ABCDEF, 0xFEDCBA9876543210, 77
C_TYPES = {"uint32": ctypes.c_uint32, "uint64": ctypes.c_uint64, "float32": ctypes.c_float, "float64": ctypes.c_double}


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers(counter: Any, key: Any, words: tuple[int, ...]) -> None:
    """The vectors published with Random123 for philox4x32 of 10 rounds."""
    assert tuple(int(w) for w in philox(counter, key)) == words


def by_integers(place: int, run: int) -> tuple[list[int], int]:
    """The words of an element's block, in Python's integers, and which sixteenth of its run it is in."""
    block = place // run * 16 + place % 16
    c = [block & ONES, (SERIAL + (block >> 32 << 20)) & ONES, COUNT & ONES, COUNT >> 32]
    k = [KEY & ONES, KEY >> 32]
    for _ in range(10):
        first, second = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [second >> 32 ^ c[1] ^ k[0], second & ONES, first >> 32 ^ c[3] ^ k[1], first & ONES]
        k = [(k[0] + 0x9E3779B9) & ONES, (k[1] + 0xBB67AE85) & ONES]
    return c, place // 16 % (run // 16)


PLACES = [*range(0, 200, 7), 63, 64, 1023, 2**32 - 1, 2**34 - 1, 2**34 + 5, 2**40 + 17]


def test_every_element_has_the_word_that_the_text_says() -> None:
    for place in PLACES:
        words, part = by_integers(place, 64)
        assert word32(KEY, COUNT, SERIAL, place) == words[part]
        words, part = by_integers(place, 32)
        assert word64(KEY, COUNT, SERIAL, place) == words[2 * part] | words[2 * part + 1] << 32


def test_no_word_serves_twice() -> None:
    words = word32(KEY, COUNT, SERIAL, np.arange(64 * 8))
    blocks = philox((np.arange(16 * 8), SERIAL, COUNT & ONES, COUNT >> 32), (KEY & ONES, KEY >> 32))
    assert sorted(words.tolist()) == sorted(int(w) for four in blocks for w in four)
    pairs = word64(KEY, COUNT, SERIAL, np.arange(32 * 8))
    assert sorted([*(pairs & np.uint64(ONES)).tolist(), *(pairs >> np.uint64(32)).tolist()]) == sorted(words.tolist())


def test_normals_are_box_and_muller_of_their_words() -> None:
    for place in [0, 5, 16, 33, 48, 100, 250]:
        words, part = by_integers(place, 64)
        u = float(np.float32(np.float32(words[part // 2 * 2]) * np.float32(2**-32)) + np.float32(2**-33))
        t = 2 * math.pi * words[part // 2 * 2 + 1] * 2.0**-32
        z = math.sqrt(-2 * math.log(u)) * (math.sin(t) if part % 2 else math.cos(t))
        assert normal32(KEY, COUNT, SERIAL, place) == pytest.approx(z, rel=1e-5)
        words, part = by_integers(place, 32)
        u = ((words[0] | words[1] << 32) + 1) * 2.0**-64
        t = 2 * math.pi * (words[2] | words[3] << 32) * 2.0**-64
        z = math.sqrt(-2 * math.log(u)) * (math.sin(t) if part % 2 else math.cos(t))
        assert normal64(KEY, COUNT, SERIAL, place) == pytest.approx(z, rel=1e-10)


# ---- machine code ----


@cache
def machine(text: str) -> Any:
    """An engine for a module's text."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    module.verify()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2, jit=True
    )
    module.triple, module.data_layout = llvm.get_process_triple(), str(target.target_data)
    engine = llvm.create_mcjit_compiler(module, target)
    engine.finalize_object()
    return engine


def close(name: str, got: Any, expected: Any) -> None:
    """Equal for words; within 4 ulp of numbers that are themselves within 3, for float64, of the formula."""
    if "word" in name:
        np.testing.assert_array_equal(got, expected)
    else:
        error = np.abs(got.astype(np.longdouble) - expected) / np.spacing(np.abs(expected))
        assert error.max() <= (4 if name.endswith("32") else 7)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("vector_bytes", [0, 16, 32, 64])
@pytest.mark.parametrize("name", DRAWS)
def test_runs_are_filled_as_the_definition_says(name: str, vector_bytes: int, fused: bool) -> None:
    draw = DRAWS[name]
    symbol, text, needs = filling(name, vector_bytes, fused)
    engine = machine("\n".join([*sorted(needs), text.replace("define internal", "define")]))
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_uint64] * 5)(engine.get_function_address(symbol))
    for first in (0, 3, 2**28 - 1, 2**36 + 9):  # runs; the second last has blocks on both sides of 2^32
        room = np.zeros(3 * draw.run + 16, draw.dtype)
        skipped = -room.ctypes.data % 64 // room.itemsize
        out = room[skipped : skipped + 3 * draw.run]
        run(out.ctypes.data, KEY, COUNT, SERIAL, first, 3)
        close(name, out, REFERENCE[name](KEY, COUNT, SERIAL, first * draw.run + np.arange(3 * draw.run)))


@pytest.mark.parametrize("lanes", [0, 8])
@pytest.mark.parametrize("name", DRAWS)
def test_single_elements_are_as_the_definition_says(name: str, lanes: int) -> None:
    draw = DRAWS[name]
    b = Builder(lanes, fma=lanes > 0)
    kind, count = b.type("uint64"), max(lanes, 1)
    operands = [Reg(f"%x{k}", "uint64") for k in range(4)]
    for k, operand in enumerate(operands):
        b.line(f"%p{k} = getelementptr i64, ptr %in, i64 {k * count}")
        b.line(f"{operand.text} = load {kind}, ptr %p{k}, align 8")
    found = SINGLE[name](b, *operands)
    b.line(f"store {b.type(draw.dtype)} {found.text}, ptr %out, align 4")
    body = "\n".join(b.lines)
    engine = machine(
        "\n".join([*sorted(b.declarations), f"define void @one(ptr %in, ptr %out) {{\n{body}\n  ret void\n}}"])
    )
    one = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(engine.get_function_address("one"))
    places = np.resize(np.array(PLACES, np.uint64), -(-len(PLACES) // count) * count)
    out = np.zeros(count, draw.dtype)
    for at in range(0, len(places), count):
        given = np.concatenate([np.full(count, v, np.uint64) for v in (KEY, COUNT, SERIAL)] + [places[at : at + count]])
        one(given.ctypes.data, out.ctypes.data)
        close(name, out, REFERENCE[name](KEY, COUNT, SERIAL, places[at : at + count]))


@cache
def box_muller(bits: int, fused: bool) -> Any:
    """Machine code of the pairs of normal numbers for given words."""
    b = Builder(0, fma=fused)
    b.label("entry")
    b.line("br label %loop")
    b.label("loop")
    b.line("%i = phi i64 [ 0, %entry ], [ %next, %loop ]")
    for name in ("w", "a", "c", "s"):
        b.line(f"%p{name} = getelementptr i{bits}, ptr %{name}, i64 %i")
    b.line(f"%vw = load i{bits}, ptr %pw")
    b.line(f"%va = load i{bits}, ptr %pa")
    found = (_box_muller32 if bits == 32 else _box_muller64)(b, Reg("%vw", f"uint{bits}"), Reg("%va", f"uint{bits}"))
    for name, value in zip("cs", found, strict=True):
        b.line(f"store {b.type(value.dtype)} {value.text}, ptr %p{name}")
    b.line("%next = add i64 %i, 1")
    b.line("%more = icmp ult i64 %next, %n")
    b.line("br i1 %more, label %loop, label %done")
    b.label("done")
    body = "\n".join(b.lines)
    signature = "ptr %w, ptr %a, ptr %c, ptr %s, i64 %n"
    engine = machine(
        "\n".join([*sorted(b.declarations), f"define void @pairs({signature}) {{\n{body}\n  ret void\n}}"])
    )
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64)(engine.get_function_address("pairs"))

    def run(words: Any, angles: Any) -> tuple[Any, Any]:
        out = np.empty((2, len(words)), f"float{bits}")
        call(words.ctypes.data, angles.ctypes.data, out[0].ctypes.data, out[1].ctypes.data, len(words))
        return out[0], out[1]

    return run


def extreme(bits: int, count: int) -> tuple[Any, Any]:
    """Words of all magnitudes from both ends, and angles around every eighth of a turn, then random ones."""
    rng = np.random.default_rng(5)
    top = (1 << bits) - 1
    near = sorted({d for k in range(bits) for d in ((1 << k) - 1, 1 << k, (1 << k) + 1)})
    words = [w for d in near for w in (d, top - d)]
    angles = [(eighth * (1 << (bits - 3)) + s * d) & top for eighth in range(8) for d in near[::3] for s in (1, -1)]
    pairs = [(w, angles[(k * 37) % len(angles)]) for k, w in enumerate(words)]
    pairs += [(words[(k * 53) % len(words)], a) for k, a in enumerate(angles)]
    chosen = np.array([p for p in pairs if 0 <= p[0] <= top], f"uint{bits}")
    drawn = rng.integers(0, top, (count, 2), f"uint{bits}", endpoint=True)
    both = np.concatenate([chosen, drawn])
    return np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])


@pytest.mark.parametrize("fused", [True, False])
def test_float32_normals_are_within_4_ulp_of_their_formula(fused: bool) -> None:
    words, angles = extreme(32, 200_000)
    u = (words.astype(np.float32) * np.float32(2**-32) + np.float32(2**-33)).astype(np.float64)
    quadrant = (angles.astype(np.int64) + (1 << 29)) >> 30
    rest = (angles.astype(np.int64) - (quadrant << 30)).astype(np.float32).astype(np.float64)
    t, r = rest * 2.0**-32 * 2 * np.pi, np.sqrt(-2 * np.log(u))
    sines = [np.sin(t), np.cos(t), -np.sin(t), -np.cos(t)]
    for shift, got in enumerate(reversed(box_muller(32, fused)(words, angles))):  # the sine comes first
        true = r * np.choose((quadrant + shift) % 4, sines)
        ulp = np.spacing(np.maximum(np.abs(true), 2.0**-100).astype(np.float32)).astype(np.float64)
        assert (np.abs(got - true) / ulp).max() <= 4
        assert np.abs(got).max() > 6.6  # the tail is there


@pytest.mark.parametrize("fused", [True, False])
def test_float64_normals_are_within_4_ulp_of_their_formula(fused: bool) -> None:
    words, angles = extreme(64, 400)
    cosines, sines = box_muller(64, fused)(words, angles)
    largest = 0.0
    with mpmath.workdps(40):
        for w, a, c, s in zip(words.tolist(), angles.tolist(), cosines.tolist(), sines.tolist(), strict=True):
            r = mpmath.sqrt(-2 * mpmath.log(mpmath.mpf((w >> 11) + 1) / 2**53))
            turns = mpmath.mpf(a >> 11) / 2**52
            for got, true in ((c, r * mpmath.cospi(turns)), (s, r * mpmath.sinpi(turns))):
                if true == 0:
                    assert got == 0
                    continue
                largest = max(largest, float(abs(got - true)) / math.ulp(float(true)))
    assert largest <= 4
    assert max(abs(cosines).max(), abs(sines).max()) > 8.5
