"""The cache's folder: entries, trouble with files, options and the command."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cache_folders import files, two_and_one

import symdl
import symdl.pipeline.cache
import symdl.pipeline.provenance
from symdl import config
from symdl.cli import main
from symdl.config import Config, size_in_bytes, user_cache
from symdl.doctor import Finding, examine
from symdl.errors import ConfigError
from symdl.pipeline.cache import SWEPT, Cache, framed

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of files")


@pytest.fixture
def cache(folder: Path) -> Cache:
    return Cache(str(folder), 1 << 20)


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
    one, two = (Cache(cache.folder, cache.limit, partial(str, made_by)) for made_by in ("v1 ", "v2 "))
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
    with caplog.at_level(logging.DEBUG, "symdl"):
        for _ in range(2):
            path.write_bytes(contents[how])
            path.chmod(0o600)
            assert cache.get("key") is None
            assert not path.exists()
    assert [r.levelname for r in caplog.records if "damaged" in r.getMessage()] == ["WARNING", "DEBUG"]
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

    monkeypatch.setattr(symdl.pipeline.cache, "write", half)
    cache["a"] = bytes(100)
    assert files(Path(cache.folder)) == []


def test_an_interrupt_in_the_middle_of_a_file_leaves_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: str, data: bytes, how: int = 0) -> None:
        Path(path).write_bytes(data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(symdl.pipeline.cache, "write", half)
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
