"""The cache of compiled code: what is an equal graph, what is found again, and what becomes of trouble with files."""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import os
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import agree
import numpy as np
import pytest
from cases import CASES
from random_graphs import Graph as RandomGraph

import symdl
import symdl.cache
import symdl.provenance
import symdl.tensor as T
from symdl import config, function, shared
from symdl.artifact import Artifact, BadArtifact
from symdl.backends.cpu import CpuBackend
from symdl.backends.interface import Interface
from symdl.backends.routines import Signature
from symdl.cache import SWEPT, Cache, current, framed
from symdl.cli import main
from symdl.compilation import Graph, found_or_compiled, key_of, lowered
from symdl.config import Config, size_in_bytes, user_cache
from symdl.digest import NoDigest, digest
from symdl.dims import canonical_sizes, with_sizes
from symdl.doctor import Finding, examine
from symdl.errors import ConfigError, IndexRangeError, ShapeError, SymdlError
from symdl.expr import CONSTANT, OPS, VARIABLE, Expr, Frozen, constant, make, topological, variable
from symdl.program import Binding, Buffer, Failure
from symdl.runs import native
from symdl.types import Dim, Symbol

ROOT = Path(__file__).resolve().parent.parent
posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of files")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test alone, which config names; in use even if a source file has just been edited."""
    symdl.cache._warned.clear()
    monkeypatch.setattr(symdl.cache, "provenance", lambda kept: "these sources")
    with config.change(cache_dir=str(tmp_path / "cache")):
        yield tmp_path / "cache"
    symdl.cache._warned.clear()


@pytest.fixture
def cache(folder: Path) -> Cache:
    return Cache(str(folder), 1 << 20)


def files(folder: Path) -> list[Path]:
    """What lies in the folder, but for the note of the last look at it."""
    return sorted(f for f in folder.iterdir() if f.name != SWEPT) if folder.is_dir() else []


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


# ---- the mapping ----


def test_entries_come_back(cache: Cache) -> None:
    assert cache.get("a") is None
    cache["a"], cache["b"] = b"one", b""
    cache["a"] = b"two"
    assert (cache["a"], cache["b"], len(cache), sorted(cache)) == (b"two", b"", 2, ["a", "b"])
    assert "a" in cache
    assert "c" not in cache
    del cache["a"]
    del cache["a"]
    assert dict(cache) == {"b": b""}
    assert Cache(cache.folder, cache.limit)["b"] == b""


def test_a_prefix_keeps_the_entries_of_two_versions_apart(cache: Cache) -> None:
    one, two = Cache(cache.folder, cache.limit, "v1 "), Cache(cache.folder, cache.limit, "v2 ")
    one["k"] = b"1"
    assert two.get("k") is None
    two["k"] = b"2"
    assert (one["k"], two["k"], list(one), len(cache.entries())) == (b"1", b"2", ["k"], 2)


@pytest.mark.parametrize("where", range(0, 60, 7))
@pytest.mark.parametrize("how", ["flip", "cut", "longer", "empty"])
def test_a_damaged_entry_is_absent_and_made_anew(
    cache: Cache, where: int, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache["key"] = bytes(range(40))
    path = Path(cache.path("key"))
    data = bytearray(path.read_bytes())
    if how == "flip":
        data[where] ^= 4
    contents = {"flip": bytes(data), "cut": bytes(data[:where]), "longer": bytes(data) + b"x", "empty": b""}
    path.write_bytes(contents[how])
    with caplog.at_level(logging.INFO, "symdl"):
        assert cache.get("key") is None
    assert [r.levelname for r in caplog.records] == ["INFO"]
    assert not path.exists()
    cache["key"] = b"new"
    assert cache["key"] == b"new"


def test_an_entry_of_another_key_under_this_name_is_no_hit(cache: Cache) -> None:
    cache["other"] = b"code"
    os.replace(cache.path("other"), cache.path("key"))
    assert cache.get("key") is None


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    size = len(framed("0", bytes(1000)))
    cache = Cache(str(tmp_path / "c"), 8 * size)
    for k in range(8):
        cache[str(k)] = bytes(1000)
        os.utime(cache.path(str(k)), (k, k))
    assert cache["0"]  # used now
    cache["8"] = bytes(1000)
    assert sorted(cache) == ["0", "3", "4", "5", "6", "7", "8"]
    assert sum(e.size for e in cache.entries()) <= cache.limit
    for k in range(100):
        cache[f"more {k}"] = bytes(900)
        assert sum(e.size for e in cache.entries()) <= cache.limit
    cache["large"] = bytes(8 * size)
    assert "large" not in cache


@pytest.mark.parametrize("note", ["none", "old", "fresh", "fresh and full", "nonsense"])
def test_a_process_looks_at_the_folder_when_nobody_has_lately(tmp_path: Path, note: str) -> None:
    """To list a folder of very many files takes longer than to compile."""
    size = len(framed("00", bytes(1000)))
    cache = Cache(str(tmp_path / "c"), 40 * size)
    for k in range(10, 50):
        cache[str(k)] = bytes(1000)
    assert len(cache.entries()) == 40
    found = Path(cache.folder) / SWEPT
    if note == "none":
        found.unlink()
    else:
        found.write_text({"nonsense": "x", "fresh and full": str(40 * size)}.get(note, "7"))
        found.chmod(0o600)
    if note == "old":
        os.utime(found, (1, 1))
    Cache(cache.folder, cache.limit)["50"] = bytes(1000)
    assert (len(cache.entries()) == 41) == (note == "fresh")


def test_what_a_dead_process_left_is_removed(cache: Cache) -> None:
    cache["a"] = b"1"
    left, new = (Path(cache.folder) / f"{'0' * 40}.{k}f.part" for k in (1, 2))
    foreign = Path(cache.folder) / "notes.txt"
    for path in (left, new, foreign):
        path.write_bytes(b"")
        if path is not new:
            os.utime(path, (1, 1))
    Cache(cache.folder, cache.limit)["b"] = b"2"
    assert left.exists()  # another process has just looked
    os.utime(Path(cache.folder) / SWEPT, (1, 1))
    Cache(cache.folder, cache.limit)["b"] = b"2"
    assert (left.exists(), new.exists(), foreign.exists()) == (False, True, True)
    assert Cache(cache.folder, cache.limit).clear() == 2
    assert files(Path(cache.folder)) == [foreign]


# ---- trouble with files ----


@posix
def test_folder_and_files_are_private(cache: Cache) -> None:
    before = os.umask(0)
    try:
        cache["a"] = b"1"
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(cache.folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(cache.path("a")).st_mode) == 0o600


@posix
@pytest.mark.parametrize("part", ["folder", "file"])
def test_code_that_another_user_could_have_written_is_refused(
    cache: Cache, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache["a"] = b"1"
    path = cache.folder if part == "folder" else cache.path("a")
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | stat.S_IWGRP)
    again = Cache(cache.folder, cache.limit)
    assert again.get("a") is None
    assert again.get("a") is None
    (told,) = warnings_in(caplog)
    assert "chmod 700" in told
    assert again.trouble() == "" if part == "file" else "chmod 700" in again.trouble()


@posix
def test_a_folder_of_another_user_is_refused(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache["a"] = b"1"
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    again = Cache(cache.folder, cache.limit)
    again["b"] = b"2"
    assert (again.get("a"), again.get("b")) == (None, None)
    (told,) = warnings_in(caplog)
    assert "another user" in told


@posix
def test_a_link_is_not_followed(cache: Cache, tmp_path: Path) -> None:
    cache["a"] = b"1"
    os.rename(cache.path("a"), tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", cache.path("a"))
    assert cache.get("a") is None


def broken(monkeypatch: pytest.MonkeyPatch, folder: Path, trouble: str) -> None:
    """Make the folder as bad as it can be; root may do what modes forbid, so the calls themselves fail."""
    if trouble == "a file in the way":
        folder.write_bytes(b"")
        return
    if trouble == "a file above":
        config.cache_dir = str(folder / "below")  # until the fixture of the folder ends
        folder.write_bytes(b"")
        return
    opened, made = os.open, os.makedirs

    def no_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if str(path).startswith(str(folder)) and (trouble == "unreadable" or flags & os.O_CREAT):
            code = {"full": errno.ENOSPC, "read-only": errno.EROFS, "unreadable": errno.EACCES}[trouble]
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, flags, *rest, **more)

    def no_makedirs(path: Any, *rest: Any, **more: Any) -> None:
        if trouble == "nowhere":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        if trouble == "under /proc":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        made(path, *rest, **more)

    monkeypatch.setattr(os, "open", no_open)
    monkeypatch.setattr(os, "makedirs", no_makedirs)


@pytest.mark.parametrize(
    "trouble", ["full", "read-only", "unreadable", "nowhere", "under /proc", "a file in the way", "a file above"]
)
def test_trouble_is_said_once_and_stops_nothing(
    folder: Path, trouble: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if trouble == "unreadable":
        two_and_one(2.0)
    broken(monkeypatch, folder, trouble)
    for k in range(3):
        assert two_and_one(3.0 + k) == 7.0 + 2 * k
    (told,) = warnings_in(caplog)
    assert "cannot be kept" in told
    assert folder.name in told
    assert not [f for f in files(folder) if f.suffix == ".part"]


def test_a_full_disk_in_the_middle_of_a_file_leaves_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: str, data: bytes, how: int = 0) -> None:
        Path(path).write_bytes(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(symdl.cache, "write", half)
    cache["a"] = bytes(100)
    assert files(Path(cache.folder)) == []


def test_an_interrupt_in_the_middle_of_a_file_leaves_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: str, data: bytes, how: int = 0) -> None:
        Path(path).write_bytes(data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(symdl.cache, "write", half)
    with pytest.raises(KeyboardInterrupt):
        cache["a"] = bytes(100)
    assert files(Path(cache.folder)) == []


def test_a_folder_that_vanishes_comes_again(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    cache["a"] = b"1"
    cache.clear()
    os.rmdir(cache.folder)
    assert cache.get("a") is None
    cache["b"] = b"2"
    assert cache["b"] == b"2"
    assert warnings_in(caplog) == []


# ---- functions ----


def two_and_one(value: float) -> float:
    """f(value) = 2 value + 1, compiled anew or found."""
    x = T.dscalar("x")
    f = function([x], 2 * x + 1)
    return float(f(value))


def hit(f: symdl.Function) -> bool:
    """Whether the code of a new function was found: its stages were never run."""
    return f._main.form is None


def softmax_step(scale: float = 1.0) -> tuple[symdl.Function, symdl.SharedVariable]:
    x, y = T.dmatrix("x"), T.lvector("y")
    w = shared(np.arange(12.0).reshape(4, 3) / 7, "w")
    loss = -T.log(T.softmax(x @ w * scale)[T.arange(y.shape[0]), y]).mean()
    return function([x, y], loss, updates=[(w, w - 0.1 * symdl.grad(loss, w))]), w


def test_an_equal_function_is_found_and_gives_the_same_bits(folder: Path, rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(5, 4)), np.array([0, 2, 1, 1, 0])
    results = []
    for k in range(3):
        f, w = softmax_step()
        assert hit(f) == (k > 0)
        results.append([f(x, y), f(x[:2], y[:2]), w.get_value()])
    for later in results[1:]:
        for a, b in zip(results[0], later, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not hit(softmax_step(2.0)[0])


def test_what_is_found_still_shows_all_its_forms(folder: Path) -> None:
    fresh, found = softmax_step()[0], softmax_step()[0]
    assert hit(found)
    for form in ("program", "llvm", "asm"):
        assert found.source(form) == fresh.source(form)
    assert str(found.lowered.program) == str(fresh.lowered.program)


def test_moved_lines_hit_and_messages_tell_the_new_ones(folder: Path) -> None:
    source = textwrap.dedent("""
        x, y, k = T.dmatrix("{0}"), T.dmatrix("{1}"), T.lvector("k")
        f = function([x, y, k], [(x + y) * 2, x[k]])
    """)
    told = []
    for moved, names in ((0, ("x", "y")), (100, ("images", "weights"))):
        scope: dict[str, Any] = {"T": T, "function": function}
        exec(compile("\n" * moved + source.format(*names), "model.py", "exec"), scope)
        f = scope["f"]
        assert hit(f) == (moved > 0)
        with pytest.raises(ShapeError) as sizes:
            f(np.zeros((2, 3)), np.zeros((2, 4)), [0])
        with pytest.raises(IndexRangeError) as index:
            f(np.zeros((2, 3)), np.zeros((2, 3)), [7])
        told.append(f"{sizes.value}\n{index.value}")
    assert "model.py:3" in told[0]
    for line, name in (("model.py:102", "images"), ("model.py:103", "weights"), ("axis -1 is 3 in images", "index 7")):
        assert line in told[1]
        assert name in told[1]
    moved_back = (
        told[1].replace("images", "x").replace("weights", "y").replace("py:102", "py:2").replace("py:103", "py:3")
    )
    assert " ".join(moved_back.split()) == " ".join(told[0].split())


def test_constants_come_back(folder: Path, rng: np.random.Generator) -> None:
    table, x = rng.normal(size=(50, 3)), T.dmatrix("x")
    y = T.dot(x, constant(table) * 2) + np.arange(3.0)
    fresh, found = function([x], y), function([x], y)
    assert hit(found)
    np.testing.assert_array_equal(fresh(np.eye(50)), found(np.eye(50)))
    np.testing.assert_array_equal(found(np.eye(50)), table * 2 + np.arange(3.0))
    other = table.copy()
    other[49, 2] = np.nextafter(other[49, 2], 9)
    assert not hit(function([x], T.dot(x, constant(other) * 2) + np.arange(3.0)))


def test_an_entry_that_is_no_artifact_is_made_anew(folder: Path) -> None:
    assert two_and_one(1.0) == 3.0
    x = T.dscalar("x")
    graph = Graph((x,), (), (2 * x + 1,), (), precision=config.precision)
    backend = native()
    assert backend.store is not None
    key = key_of(graph, tuple(topological(*graph.roots)), backend)
    assert key is not None
    good = backend.store[key]
    other = T.dvector("x")
    strange = found_or_compiled(Graph((other,), (), (2 * other + 1,), ()), backend, {}).executable
    for bad in (b"", b"x" * 100, good[:-1], good + b"y", Artifact(strange.interface, strange.code, ()).packed()):
        backend.store[key] = bad
        assert found_or_compiled(graph, backend, backend.store).form is not None
        assert backend.store[key] == good
    assert found_or_compiled(graph, backend, backend.store).form is None


def test_artifacts_come_back_whole() -> None:
    x, y = T.dmatrix("x"), T.lscalar("n")
    roots = (T.concatenate([x, x[: y * 2]]).reshape((-1, 2)), x[T.arange(4), 1])
    form = lowered(Graph((x, y), (), roots, ()))
    executable = CpuBackend().compile(form.program, [c.params["value"].array for c in form.constants])
    made = Artifact(executable.interface, executable.code, (3, np.zeros((0, 2), "float32"), np.arange(4)))
    kept = made.interface.plain()
    assert type(made.interface).from_plain(json.loads(json.dumps(kept))) == made.interface
    for part, names in ((Buffer, "name dtype shape kind"), (Binding, "symbol buffer axis"), (Failure, "text source"),
                        (Interface, "buffers bindings failures libraries routines"), (Symbol, "name serial signed"),
                        (Signature, "views results source")):  # fmt: skip
        assert " ".join(f.name for f in dataclasses.fields(part)) == names, "Interface.plain has to tell of this, too"
    with pytest.raises(BadArtifact):  # this interface has no such constants
        Artifact.unpacked(made.packed())


def test_switched_off(folder: Path) -> None:
    for off in ({"cache_dir": ""}, {"cache_size": 0}):
        with config.change(**off):
            assert current() is None
            assert two_and_one(1.0) == 3.0
            x = T.dscalar("x")
            assert not hit(function([x], 2 * x + 1))
    assert files(folder) == []


def test_another_version_or_machine_never_meets_the_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dscalar("x")
    graph = Graph((x,), (), (2 * x + 1,), ())
    nodes = tuple(topological(*graph.roots))
    keys = {
        key_of(graph, nodes, b) for b in (CpuBackend(), CpuBackend("x86-64-v3", "+avx2,+fma"), CpuBackend("x86-64", ""))
    }
    assert len(keys) == 3
    assert two_and_one(1.0) == 3.0
    here = current()
    assert here is not None
    monkeypatch.setattr(symdl.cache, "provenance", lambda kept: "an edited source")
    other = current()
    assert other is not None
    assert len(here) > 0
    assert len(other) == 0


def test_provenance_reads_every_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.py", "ops/b.py", "ops/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
        os.utime(tmp_path / name, (1, 1))
    monkeypatch.setattr(symdl.provenance, "__file__", str(tmp_path / "provenance.py"))
    fresh = symdl.provenance.provenance.__wrapped__
    seen = [fresh()]
    (tmp_path / "ops/notes.txt").write_text("y")
    assert fresh() == seen[0]
    for name, text in (("ops/b.py", "x = 2\n"), ("a.py", "x = 2\n")):
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1, 1))
        seen.append(fresh())
    os.rename(tmp_path / "a.py", tmp_path / "c.py")
    seen.append(fresh())
    assert "" not in seen
    assert len(set(seen)) == 4
    os.utime(tmp_path / "c.py", (time.time() + 9,) * 2)  # edited while this process runs
    assert fresh() == ""
    with config.change(cache_dir=str(tmp_path)):
        monkeypatch.setattr(symdl.cache, "provenance", fresh)
        assert current() is None


def test_provenance_is_remembered_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symdl.provenance, "__file__", str(tmp_path / "provenance.py"))
    fresh = symdl.provenance.provenance.__wrapped__
    kept: dict[str, bytes] = {}
    (tmp_path / "a.py").write_text("x = 1\n")
    os.utime(tmp_path / "a.py", (1, 1))
    first = fresh(kept)
    assert first == fresh()
    ((stamp, _),) = kept.items()
    kept[stamp] = b"remembered"
    assert fresh(kept) == "remembered"
    time.sleep(0.02)  # the clock of the file system ticks
    (tmp_path / "a.py").write_text("x = 2\n")
    os.utime(tmp_path / "a.py", (1, 1))  # as old and as long as before
    assert fresh(kept) == fresh() not in ("", first, "remembered")


def test_the_sources_of_the_running_symdl_are_known() -> None:
    found = [p for p, _ in symdl.provenance.sources(os.path.dirname(symdl.__file__))]
    names = [os.path.basename(p) for p in found]
    assert {"expr.py", "cpu.py", "exponential.py", "reading.py", "elementwise.py"} <= set(names)
    assert len(names) == len(set(found)) > 100


PROGRAM = """
    import numpy as np
    import symdl, symdl.tensor as T
    for k in range(8):
        x = T.dvector("x")
        f = symdl.function([x], T.tanh(x).sum() + k % 3)
        assert abs(f(np.arange(5.0)) - np.tanh(np.arange(5.0)).sum() - k % 3) < 1e-12
    print("done")
"""


def test_several_processes_at_once_while_one_clears(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SYMDL_CACHE_DIR": str(folder), "SYMDL_FLAGS": ""}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    cleared = 0
    while any(p.poll() is None for p in running):
        cleared += Cache(str(folder), 1 << 20).clear()
        time.sleep(0.01)
    for process in running:
        out, err = process.communicate()
        assert (process.returncode, out, err) == (0, "done\n", "")
    assert cleared > 0
    assert not [f for f in files(folder) if f.suffix != ".code"]


def test_many_threads_at_once_while_one_clears(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    """Each key has values of one letter: no reader ever finds two, or a part of one."""
    wrong: list[bytes] = []
    stop = threading.Event()

    def work(letter: bytes) -> None:
        mine = Cache(cache.folder, 30_000)
        for k in range(200):
            mine[str(k % 7)] = letter * (1000 + k)
            found = mine.get(str(k % 5), b"")
            if found.strip(found[:1]):
                wrong.append(found)

    def clear() -> None:
        while not stop.is_set():
            Cache(cache.folder, 0).clear()
            time.sleep(0.001)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"a", b"b", b"c")]
    clearing = threading.Thread(target=clear)
    for thread in (clearing, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    clearing.join()
    assert wrong == []
    assert warnings_in(caplog) == []
    assert not [f for f in files(Path(cache.folder)) if f.suffix != ".code"]


# ---- what is an equal graph ----


def digest_of(graph: Graph) -> str:
    layout = len(graph.inputs), graph.outputs, graph.updates
    return digest((*graph.inputs, *graph.shareds), tuple(topological(*graph.roots)), layout)


def told(graph: Graph) -> str:
    """A graph in full, by another way than the digest's: sizes named as the compiler names them, every node printed."""
    leaves = [*graph.inputs, *graph.shareds]
    nodes = tuple(topological(*graph.roots))
    sizes = canonical_sizes(leaves, frozenset(range(len(graph.inputs), len(leaves))), nodes)
    names: dict[Expr, str] = {}
    for k, leaf in enumerate(leaves):
        names[leaf] = f"leaf {k}"
    renamed = with_sizes([*graph.roots, *leaves], sizes.table, {}, {})
    for k, leaf in enumerate(renamed[len(graph.roots) :]):
        names[leaf] = f"leaf {k} {leaf.type.dtype} {leaf.type.shape}"
    lines = [f"{len(graph.inputs)} {len(graph.outputs)} {[names[s] for s, _ in graph.updates]}"]
    lines += [f"{names[leaf]}" for leaf in renamed[len(graph.roots) :]]
    lines += [f"{leaf.type.dtype}[{[n if isinstance(n, int) else '?' for n in leaf.type.shape]}]" for leaf in leaves]
    for node in topological(*renamed[: len(graph.roots)]):
        if node.op is VARIABLE:
            continue
        params = {k: v.key if isinstance(v, Frozen) else v for k, v in sorted(node.params.items()) if k != "type"}
        names[node] = f"node {len(names)}"
        lines.append(f"{names[node]} {node.op} {[names[i] for i in node.inputs]} {params!r} {node.type.shape!r} {node.type.dtype}"
                     if not hasattr(node.type, "types") else f"{names[node]} {node.op} {[names[i] for i in node.inputs]} {params!r}")  # fmt: skip
    lines += [names[r] for r in renamed[: len(graph.roots)]]
    return "\n".join(lines) + repr([(c.fact.relation, c.fact.left, c.fact.right, c.node) for c in sizes.checks])


def random_graph(seed: int, smooth: bool, steps: int = 7) -> Graph:
    g = RandomGraph(seed, smooth)
    g.grow(steps)
    return Graph(tuple(g.values), (), tuple(g.outputs()), ())


def changed(graph: Graph, rng: np.random.Generator) -> Graph | None:
    """The graph with one small thing changed, or None where the change is not possible there."""
    nodes = list(topological(*graph.roots))
    node = nodes[int(rng.integers(len(nodes)))]
    kind = int(rng.integers(5))
    try:
        if kind == 0 and len(node.inputs) > 1:
            new = make(node.op, (*node.inputs[1:], node.inputs[0]), **node.params)
        elif kind == 1 and node.op is CONSTANT:
            array = node.params["value"].array.copy()
            raw = array.reshape(-1).view(np.uint8)
            if not raw.size or array.dtype == bool:
                return None
            raw[int(rng.integers(raw.size))] ^= 1
            new = constant(array)
        elif kind == 2 and node.params and node.op not in (VARIABLE, CONSTANT):
            name = sorted(node.params)[int(rng.integers(len(node.params)))]
            new = make(node.op, node.inputs, **{**node.params, name: nudged(node.params[name])})
        elif kind == 3 and node.inputs:
            alike = [op for op in OPS.values() if op.kind == node.op.kind and op.arguments == node.op.arguments]
            new = make(alike[int(rng.integers(len(alike)))], node.inputs, **node.params)
        elif kind == 4 and len(graph.outputs) > 1:
            return Graph(graph.inputs, (), graph.outputs[1:] + graph.outputs[:1], ())
        else:
            return None
        if new.type != node.type:
            return None
        table: dict[Expr, Expr] = {node: new}
        for n in nodes:
            if n not in table:
                table[n] = make(n.op, tuple(table[i] for i in n.inputs), **n.params) if n.inputs else n
        return Graph(graph.inputs, (), tuple(table[o] for o in graph.outputs), ())
    except (SymdlError, TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError):
        return None


def nudged(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | Dim):
        return value + 1
    if isinstance(value, tuple) and value:
        return (nudged(value[0]), *value[1:])
    return {"float64": "float32", "set": "add"}.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("smooth", [False, True])
def test_digests_differ_just_where_graphs_do(smooth: bool) -> None:
    rng = np.random.default_rng(5)
    by_digest: dict[str, str] = {}
    by_text: dict[str, str] = {}
    mutants = 0

    def enter(graph: Graph) -> str:
        found, text = digest_of(graph), told(graph)
        assert by_digest.setdefault(found, text) == text, "two graphs share a digest"
        assert by_text.setdefault(text, found) == found, "one graph has two digests"
        return found

    for seed in range(60):
        graph = random_graph(seed, smooth)
        assert enter(graph) == enter(random_graph(seed, smooth))  # of other variables
        for _ in range(12):
            mutant = changed(graph, rng)
            if mutant is not None and mutant.outputs != graph.outputs:
                try:
                    enter(mutant)
                except SymdlError:  # its sizes belong to no input
                    continue
                mutants += 1
    assert mutants > 60
    assert len(by_digest) > 100


def test_inputs_shared_values_outputs_and_updates_are_told_apart() -> None:
    x, y, w = T.dvector("x"), T.dvector("y"), shared(np.zeros(3), "w")
    v = shared(np.zeros(3), "v")
    s, p = x + y, x * y
    graphs = [
        Graph((x, y), (), (s,), ()), Graph((y, x), (), (x - y,), ()), Graph((x, y), (), (x - y,), ()), Graph((x,), (y,), (s,), ()),
        Graph((x, y), (), (s, s), ()), Graph((x, y), (), (s, p), ()), Graph((x, y), (), (p, s), ()), Graph((x, y), (), (), ()),
        Graph((x,), (w,), (x,), ((w, x + w),)), Graph((x,), (w,), (x, x + w), ()), Graph((x,), (w, v), (x,), ((w, x + w),)),
        Graph((x,), (w, v), (x,), ((v, x + w),)), Graph((x,), (w, v), (x,), ((w, x + v),)),
        Graph((x,), (w, v), (x,), ((w, x + v), (v, x + w))), Graph((x,), (w, v), (x,), ((v, x + w), (w, x + v))),
        Graph((x, T.fvector()), (), (x,), ()), Graph((x, T.dmatrix()), (), (x,), ()),
    ]  # fmt: skip
    assert len({digest_of(g) for g in graphs}) == len(graphs)


def test_dtypes_and_axes_of_inputs_are_told_apart() -> None:
    graphs = []
    for dtype in ("float64", "float32", "int64", "int32", "uint8", "bool"):
        for shape in ((), (None,), (None, None), (1,), (2,), (None, 2), (2, None)):
            x = variable("x", shape, dtype)
            graphs += [Graph((x,), (), (x,), ()), Graph((), (x,), (x,), ()), Graph((x,), (), (), ())]
    assert len({digest_of(g) for g in graphs}) == len(graphs)


def test_sizes_that_must_be_equal_are_told_from_sizes_that_may_differ() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    z = variable("z", x.type.shape, "float64")  # on the symbol of x
    n = T.lscalar("n")
    fixed = variable("f", (3,), "float64")
    w = T.dmatrix("w")
    a, b = w.shape
    graphs = [
        Graph((x, y), (), (x, y), ()), Graph((x, z), (), (x, z), ()), Graph((x, fixed), (), (x, fixed), ()),
        Graph((x, n), (), (x[:n],), ()), Graph((x, n), (), (x[: n + 1],), ()), Graph((x, n), (), (x[: 2 * n],), ()),
        Graph((x, n), (), (x[: n // 2],), ()), Graph((x, n), (), (x[n:],), ()),
        *(Graph((w,), (), (T.zeros((size,)),), ()) for size in (a, b, a * b, a * a, b * b, 2 * a, a + b, a + 2 * b, T.maximum(a, b), a // b, b // a)),
    ]  # fmt: skip
    assert len({digest_of(g) for g in graphs}) == len(graphs)


def test_numbers_that_are_equal_to_python_but_not_to_a_machine() -> None:
    found = set()
    for value in (
        0.0,
        -0.0,
        np.nan,
        -np.nan,
        np.float32(0),
        np.int64(0),
        np.int32(0),
        np.uint8(0),
        False,
        np.zeros(1),
        np.zeros((1, 1)),
    ):
        c = constant(value)
        found.add(digest_of(Graph((), (), (c,), ())))
    assert len(found) == 11


def test_a_name_or_a_line_changes_nothing() -> None:
    def build(name: str) -> Graph:
        x = T.dmatrix(name)
        y = T.tanh(x).sum()
        y.name = name * 2
        return Graph((x,), (), (y,), ())

    first = build("a")
    assert digest_of(first) == digest_of(build("zz"))
    assert first.outputs[0] is not build("b").outputs[0]


def test_the_digest_is_the_same_in_every_process() -> None:
    script = "import sys; sys.path.insert(0, 'tests'); import test_cache as t; print(t.digest_of(t.random_graph(3, True, 20)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest_of(random_graph(3, True, 20))


def test_what_has_no_text_of_its_own_is_not_kept() -> None:
    x = T.dvector("x")
    with pytest.raises(NoDigest):
        digest((x,), [x], object())
    with pytest.raises(NoDigest):
        digest((), [x], ())
    backend = native()
    two = Graph((x,), (), (x + T.dvector("free"),), ())
    assert key_of(two, tuple(topological(*two.roots)), backend) is None


def test_every_op_has_a_digest_with_gradients_and_random_numbers() -> None:
    """A param of a kind that the digest does not know would be compiled anew each time, without a word."""
    met = set()
    for case in CASES:
        xs = [agree.leaf(f"x{k}", a) for k, a in enumerate(case.arrays("float64"))]
        built = case.build(*xs)
        outputs = tuple(built) if isinstance(built, list | tuple) else (built,)
        if case.floats and all(e.type.dtype == "float64" for e in (*xs, *outputs)):
            outputs += tuple(agree.pulled(outputs, xs)[1])
        digest_of(Graph(tuple(xs), (), outputs, ()))
        met |= {n.op.name for n in topological(*outputs)}
    stream = symdl.RandomStream(3)
    draws = [stream.uniform(size=(3,)), stream.normal(size=(2, 2)), stream.permutation(size=(2,), n=4)]
    leaves = {n for n in topological(*draws) if n.op is VARIABLE}
    digest_of(Graph((), tuple(leaves), tuple(draws), ()))
    met |= {n.op.name for n in topological(*draws)}
    structural = {op.name for op in OPS.values() if op.kind not in ("elementwise", "composite", "leaf", "counted")}
    assert structural <= met | {"python", "random_state"}  # tests/test_extending.py, tests/test_theano_streams.py


def test_long_chains_have_digests() -> None:
    y = x = T.dvector("x")
    for _ in range(5000):
        y = T.tanh(y)
    n = x.shape[0]
    for k in range(20):
        n = n // 2 + k
    assert len(digest_of(Graph((x,), (), (y, T.zeros((n,))), ()))) == 64


# ---- options and the command ----


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Config({"SYMDL_CACHE_DIR": "there"}).cache_dir == "there"
    assert Config({"SYMDL_CACHE_DIR": ""}).cache_dir == ""
    assert Config({"SYMDL_CACHE_DIR": "there", "SYMDL_FLAGS": "cache_dir=here,cache_size=2M"}).cache_dir == "here"
    assert Config({"SYMDL_FLAGS": "cache_size=2M"}).cache_size == 2 << 20
    assert Config({}).cache_size == 1 << 30
    assert [size_in_bytes(t) for t in ("7", "1.5K", "2 GiB", "3tb", 9, "x", "-1", -1, True, "1.5.5", None)] == [
        7, 1536, 2 << 30, 3 << 40, 9, None, None, None, None, None, None,
    ]  # fmt: skip
    with pytest.raises(ConfigError):
        Config({"SYMDL_FLAGS": "cache_size=much"})
    with pytest.raises(ConfigError):
        config.cache_dir = 3  # type: ignore[assignment]
    with config.change(cache_dir=Path("~/c")):
        assert config.cache_dir == os.path.expanduser("~/c")
        assert "cache_size" in str(config)


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    base = os.path.abspath(os.sep)
    home = os.path.join(base, "u")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~", home))
    assert user_cache({}, "linux") == os.path.join(home, ".cache", "symdl")
    assert user_cache({"XDG_CACHE_HOME": os.path.join(base, "c")}, "linux") == os.path.join(base, "c", "symdl")
    assert user_cache({"XDG_CACHE_HOME": "relative"}, "linux") == os.path.join(home, ".cache", "symdl")
    assert user_cache({}, "darwin") == os.path.join(home, "Library", "Caches", "symdl")
    assert user_cache({"LOCALAPPDATA": os.path.join(base, "l")}, "win32") == os.path.join(base, "l", "symdl")
    assert user_cache({}, "win32") == ""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nobody's home
    assert user_cache({}, "linux") == ""


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*options: str) -> tuple[int, Any]:
        code = main(["cache", *options, "--json"])
        return code, json.loads(capsys.readouterr().out)

    assert command() == (0, {"folder": str(folder), "entries": 0, "bytes": 0, "limit": 1 << 30, "trouble": ""})
    two_and_one(1.0)
    code, shown = command("show")
    assert (code, shown["entries"]) == (0, len(files(folder)))
    assert shown["bytes"] == sum(f.stat().st_size for f in files(folder)) > 1000
    assert main(["cache"]) == 0
    assert f"entries  {shown['entries']}" in capsys.readouterr().out
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"{shown['entries']} entries removed from {folder}\n"
    assert files(folder) == []
    assert two_and_one(1.0) == 3.0
    with config.change(cache_dir=""):
        assert main(["cache"]) == 0
        assert capsys.readouterr().out == "the cache is switched off\n"


def test_the_doctor_looks_at_the_cache(folder: Path) -> None:
    def found() -> Finding:
        (finding,) = [f for f in examine() if f.subject == "cache"]
        return finding

    assert found().value == "0 entries, 0 bytes"  # the self-check compiles, whatever is kept
    two_and_one(1.0)
    assert found().value.startswith(f"{len(files(folder))} entries")
    with config.change(cache_dir=""):
        assert found().value == "switched off"
    other = folder.parent / "file"
    other.write_bytes(b"")
    with config.change(cache_dir=str(other)):
        assert not found().fine
        assert "no folder" in found().value


@posix
def test_the_command_tells_of_trouble(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir(mode=0o700)
    folder.chmod(0o777)
    (folder / f"{'0' * 40}.code").write_bytes(b"")
    assert main(["cache", "clear"]) == 1
    assert "chmod 700" in capsys.readouterr().err
    assert len(files(folder)) == 1
