"""The cache on disk: object code by a text that says all it depends on, private to the user, shared by many processes.

One file an entry, named by a digest of its key, in the folder config.cache_dir:

    "symdl 1" and a line feed, 32 bytes BLAKE2b of the rest, length of the key (4 bytes, little endian), key, value

A file is written under another name and put in its place in one step, so that readers find a whole one or none. What
does not verify is removed and made anew. The code is run, so folder and files must belong to the user, and nobody else
may be able to write them. Trouble with the folder never stops a program: the `symdl` logger says so once, as a warning,
and the code is compiled as if there were no cache.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import logging
import os
import re
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from functools import cached_property, lru_cache

from symdl.config import config
from symdl.pipeline.provenance import ABOVE, GPU, provenance
from symdl.records import record

logger = logging.getLogger("symdl")
MAGIC = b"symdl 1\n"
LENGTH = struct.Struct("<I")
NAME = re.compile(r"[0-9a-f]{40}\.code")
PARTIAL = re.compile(r"[0-9a-f]{40}\.[0-9a-f]+\.part")  # being written
ABANDONED = 3600.0  # seconds after which a partial file belongs to a process that has died
KEPT = 7, 8  # the part of its limit that eviction leaves: not to be done again after every new entry
SWEPT_AFTER = 16  # a process looks again at the folder after having written this part of the limit
SWEPT = "swept"  # a file that holds how many bytes the last look at the folder found; to list many files takes long
FRESH = 600.0  # seconds for which other processes believe it
OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
GONE = (errno.ENOENT, errno.ESTALE)  # cleared by another process, maybe on another machine
_lock = threading.Lock()
_warned: set[str] = set()
_numbers = itertools.count()


class Refused(OSError):
    """The folder or a file is not the user's alone."""


@record
class Entry:
    """A file of the cache."""

    path: str
    size: int
    used: float  # when it was last written or read, in seconds since the epoch


class Cache(MutableMapping[str, bytes]):
    """A mapping of texts to bytes that outlives the process. limit: the bytes that its files may take; prefix: gives what
    stands before every key, or None, with which nothing is found or kept. It is asked when there is something to look for.

    No method raises for trouble with files: an entry that cannot be read is absent, one that cannot be written is left
    out. Several threads and processes may use one folder.
    """

    def __init__(self, folder: str, limit: int, prefix: Callable[[], str | None] = str) -> None:
        self.folder, self.limit, self._made_by = os.path.abspath(folder), limit, prefix
        self._trusted = False
        self._room: int | None = None  # bytes to write before the folder is looked at again

    # ---- the mapping ----

    def __getitem__(self, key: str) -> bytes:
        try:
            self._check_folder(make=False)
            if "prefix" not in vars(self) and self._empty():  # what the prefix is takes long to tell
                raise KeyError(key)
            path = self.path(key)
            data = read(path)
        except OSError as error:
            if error.errno not in GONE:
                self._tell("read", error)
            raise KeyError(key) from None
        value = verified(data, self._whole(key))
        if value is None:
            self._say_once("damaged", "in the cache of compiled code %s is damaged and is made anew", path)
            del self[key]
            raise KeyError(key)
        try:
            os.utime(path)
        except OSError:  # read-only: then nothing is evicted either
            logger.debug("cache: %s cannot be marked as used", path)
        return value

    def __setitem__(self, key: str, value: bytes) -> None:
        if self.prefix is None:
            return
        data = framed(self._whole(key), value)
        if len(data) > self.limit:
            return
        path = self.path(key)
        part = f"{path.removesuffix('.code')}.{os.getpid():x}{threading.get_ident():x}{next(_numbers):x}.part"
        try:
            for again in (False, True):
                self._check_folder(make=True)
                try:
                    write(part, data)
                    os.replace(part, path)
                    break
                except OSError as error:
                    if error.errno not in GONE or again:
                        raise
                    self._trusted = False  # another process has removed the folder
            self._make_room(len(data))
        except OSError as error:
            remove(part)
            if error.errno not in GONE:
                self._tell("write", error)
        except BaseException:  # an interrupt
            remove(part)
            raise

    def __delitem__(self, key: str) -> None:
        remove(self.path(key))

    def __iter__(self) -> Iterator[str]:
        if self.prefix is None:
            return
        for entry in self.entries():
            try:
                data = read(entry.path)
            except OSError:
                continue
            key = key_of(data)
            if key is not None and key.startswith(self.prefix):
                yield key.removeprefix(self.prefix)

    __hash__, __eq__ = object.__hash__, object.__eq__  # not as a mapping, whose every file would have to be read

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key) is not None

    def path(self, key: str) -> str:
        """Where the entry of a key is. Raises KeyError where no key has any."""
        name = hashlib.blake2b(self._whole(key).encode(), digest_size=20).hexdigest()
        return os.path.join(self.folder, f"{name}.code")

    @cached_property
    def prefix(self) -> str | None:
        """What stands before every key."""
        return self._made_by()

    def _whole(self, key: str) -> str:
        if self.prefix is None:
            raise KeyError(key)
        return self.prefix + key

    # ---- the folder ----

    def entries(self) -> list[Entry]:
        """All files of the cache, the longest unused first; none where the folder cannot be read."""
        return self._files(NAME)

    def clear(self) -> int:  # type: ignore[override]  # a mapping's returns nothing
        """Remove every entry; returns how many. Other files that lie in the folder stay."""
        for path in [os.path.join(self.folder, SWEPT), *(entry.path for entry in self._files(PARTIAL))]:
            remove(path)
        return sum(remove(entry.path) for entry in self.entries())

    def trouble(self) -> str:
        """Why the folder cannot be used; empty where it can, or is not there yet."""
        try:
            self._check_folder(make=False)
        except OSError as error:
            return "" if error.errno in GONE else f"{error.strerror}: {error.filename}"
        return ""

    def _empty(self) -> bool:
        """Whether there is no entry at all, as in the first process."""
        with os.scandir(self.folder) as listing:
            return not any(NAME.fullmatch(item.name) for item in listing)

    def _files(self, names: re.Pattern[str]) -> list[Entry]:
        found = []
        try:
            with os.scandir(self.folder) as listing:
                for item in listing:
                    if names.fullmatch(item.name):
                        try:
                            about = item.stat(follow_symlinks=False)
                        except OSError:
                            continue
                        found.append(Entry(item.path, about.st_size, about.st_mtime))
        except OSError as error:
            logger.debug("cache: %s", error)
        return sorted(found, key=lambda e: (e.used, e.path))

    def _check_folder(self, make: bool) -> None:
        """Raises OSError unless the folder is there (which make sees to) and is the user's alone."""
        if self._trusted:
            return
        if make:
            try:
                os.makedirs(self.folder, mode=0o700, exist_ok=True)
            except FileNotFoundError:  # not as if it had been cleared: it cannot be there
                raise Refused(errno.ENOTDIR, "there can be no folder", self.folder) from None
        about = os.stat(self.folder)
        if not stat.S_ISDIR(about.st_mode):
            raise Refused(errno.ENOTDIR, "it is no folder", self.folder)
        check_private(about, self.folder)
        self._trusted = True

    def _make_room(self, written: int) -> None:
        """Evict what has not been used for longest, if all together are above the limit.

        Several processes may go above it, by what each writes before it looks at the folder itself.
        """
        with _lock:
            if self._room is None:
                self._room = self._room_told()
            self._room -= written
            if self._room >= 0:
                return
            entries = self.entries()
            total = sum(e.size for e in entries)
            if total > self.limit:
                goal = self.limit * KEPT[0] // KEPT[1]
                for entry in entries:
                    if total <= goal:
                        break
                    remove(entry.path)
                    total -= entry.size
                logger.info("cache: evicted to %d of %d bytes", total, self.limit)
            for entry in self._files(PARTIAL):
                if entry.used < time.time() - ABANDONED:
                    remove(entry.path)
            self._room = min(self.limit - total, self.limit // SWEPT_AFTER)
            try:
                write(os.path.join(self.folder, SWEPT), str(total).encode(), os.O_TRUNC)
            except OSError as error:
                logger.debug("cache: %s", error)

    def _room_told(self) -> int:
        """The room that the last process to look at the folder has found; none where that was long ago."""
        path = os.path.join(self.folder, SWEPT)
        try:
            if not 0 <= time.time() - os.stat(path).st_mtime < FRESH:
                return 0
            return min(self.limit - int(read(path)), self.limit // SWEPT_AFTER)
        except (OSError, ValueError):
            return 0

    def _tell(self, what: str, error: OSError) -> None:
        """Say that the cache is of no use."""
        self._say_once(
            "no use", "compiled code cannot be kept in the cache folder %s (%s: %s)", self.folder, what, error
        )

    def _say_once(self, what: str, text: str, *values: object) -> None:
        """A warning; the next of its kind in this process are for those who debug."""
        with _lock:
            first = what not in _warned
            _warned.add(what)
        logger.log(logging.WARNING if first else logging.DEBUG, text, *values)


def check_private(about: os.stat_result, path: str) -> None:
    """Raises Refused where somebody else owns a file or folder, or may write it."""
    if os.name != "posix":
        return  # the user's own folder is private on Windows
    if about.st_uid != os.geteuid():
        raise Refused(errno.EPERM, "it belongs to another user", path)
    if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Refused(errno.EPERM, "other users may write it; `chmod 700` makes it private", path)


def read(path: str) -> bytes:
    """The bytes of a file that is the user's alone. Raises OSError."""
    with open(os.open(path, OPEN_FLAGS), "rb") as file:
        about = os.fstat(file.fileno())
        check_private(about, path)
        if not stat.S_ISREG(about.st_mode):
            raise Refused(errno.EPERM, "it is no file", path)
        return file.read()


def write(path: str, data: bytes, how: int = os.O_EXCL) -> None:
    """A file with these bytes that only the user may read and write. how: O_EXCL or O_TRUNC. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | how | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)


def remove(path: str) -> bool:
    """Remove a file if it is there and can be removed; whether it was."""
    try:
        os.unlink(path)
    except OSError as error:
        if error.errno not in GONE:
            logger.debug("cache: %s", error)
        return False
    return True


def framed(key: str, value: bytes) -> bytes:
    """An entry as it lies in its file."""
    name = key.encode()
    rest = b"".join([LENGTH.pack(len(name)), name, value])
    return MAGIC + hashlib.blake2b(rest, digest_size=32).digest() + rest


def key_of(data: bytes) -> str | None:
    """The key in the bytes of a file, or None where they do not verify."""
    rest = memoryview(data)[len(MAGIC) + 32 :]
    if (
        not data.startswith(MAGIC)
        or data[len(MAGIC) : len(MAGIC) + 32] != hashlib.blake2b(rest, digest_size=32).digest()
    ):
        return None
    (length,) = LENGTH.unpack(rest[: LENGTH.size])
    return str(rest[LENGTH.size : LENGTH.size + length], "utf-8")


def verified(data: bytes, key: str) -> bytes | None:
    """The value in the bytes of a file, or None where they do not verify or belong to another key."""
    if key_of(data) != key:
        return None
    return data[len(MAGIC) + 32 + LENGTH.size + len(key.encode()) :]


@lru_cache(maxsize=8)
def _cache(folder: str, limit: int, sources: Callable[[Cache, frozenset[str]], str], passed: frozenset[str]) -> Cache:
    def prefix() -> str | None:
        made_by = sources(Cache(folder, limit), passed)
        return f"{made_by} " if made_by else None

    return Cache(folder, limit, prefix)


def current(device: str = "cpu") -> Cache | None:
    """The cache that config names, of code for a device, or None where it is switched off. It is always empty where symdl's
    own sources cannot be told."""
    if not (config.cache_dir and config.cache_size):
        return None
    return _cache(config.cache_dir, config.cache_size, provenance, ABOVE | GPU if device == "cpu" else ABOVE)
