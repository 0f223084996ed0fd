"""A text that is translated while it is written: a thread takes its functions, some hundred lines at a time.

    with Streamed(head, machine) as streamed:
        emit(program, target, streamed.take)      # each finished function, and what it needs beside it
        code = streamed.code()

LLVM works without Python's lock, so only the last part is waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Set
from queue import Empty, SimpleQueue
from types import TracebackType

from symdl.backends.cpu.assembler import FUNCTIONS, HEADER, NAME, Machine, together, translated

LINES = 300  # of a part, as a rule: some 5 ms of work, of which 1 is the price of a part
LEAST = 100


class Streamed:
    """The object code of a Program's text, not optimized, like `quick_code` of a library's. Threads: 1 for none beside the caller.
    What calls a function comes after it; there are no variables."""

    def __init__(self, head: str, machine: Machine, threads: int) -> None:
        self._head, self._machine, self._alone = head, machine, threads < 2
        self._declared: set[str] = set()  # what `take` has seen
        self._lines: dict[str, str] = {}  # name -> its declaration, or its constant
        self._own: list[str] = []  # functions of the part that is being put together
        self._names: set[str] = set()  # of those
        self._length = 0
        self._parts: SimpleQueue[tuple[int, str] | None] = SimpleQueue()
        self._count = 0
        self._made: dict[int, bytes] = {}
        self._errors: list[BaseException] = []
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Streamed:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended(drop=True)

    def take(self, function: str, declarations: Set[str]) -> None:
        """A finished function, and what it needs beside it: declarations, constants, other functions."""
        for text in sorted(declarations - self._declared):
            line, *functions = FUNCTIONS.split(text)
            for one in functions:
                self._function(one)
            if line:
                name, *_ = NAME.findall(line)
                self._lines[name] = line
        self._declared |= declarations
        parts = not self._alone  # which have their price
        if parts and self._length >= LEAST and self._length + function.count("\n") > 2 * LINES:  # a long one by itself
            self._hand_over()
        self._function(function)
        if parts and self._length >= LINES:
            self._hand_over()

    def _function(self, text: str) -> None:
        found = HEADER.match(text)
        assert found, text.partition("\n")[0]
        self._lines[found["name"]] = f"declare {found['signature']}"
        self._names.add(found["name"])
        self._own.append(text.replace("define internal ", "define ", 1))  # who calls it may stand in another part
        self._length += text.count("\n")

    def _hand_over(self) -> None:
        """Let the thread translate what is there."""
        body = "\n".join(self._own)
        needed: set[str] = set()
        searched = [body]
        while searched:  # a constant may name functions
            found = set(NAME.findall(searched.pop())).intersection(self._lines) - needed - self._names
            needed |= found
            searched += [line for name in found if (line := self._lines[name]).startswith("@")]
        lines = [line for name, line in self._lines.items() if name in needed]
        self._parts.put((self._count, "\n".join([self._head, *lines, body, ""])))
        self._count += 1
        self._own, self._names, self._length = [], set(), 0
        if self._thread is None and not self._alone:
            thread = threading.Thread(target=self._work, name="symdl-compile")
            try:
                thread.start()
                self._thread = thread
            except RuntimeError:  # no thread is left to be had, or the interpreter is going down
                self._alone = True

    def _work(self) -> None:
        while (part := self._parts.get()) is not None:
            try:
                self._translate(part)
            except BaseException as error:  # noqa: BLE001  # raised again, by `code`
                self._errors.append(error)

    def _translate(self, part: tuple[int, str]) -> None:
        self._made[part[0]] = translated(part[1], self._machine, 0)

    def _ended(self, drop: bool) -> None:
        """Nothing is left to do; what has not been begun is done here, or dropped."""
        try:
            while True:
                part = self._parts.get_nowait()
                if part is not None and not drop:
                    self._translate(part)
        except Empty:
            pass
        finally:
            if self._thread is not None:
                self._parts.put(None)
                self._thread.join()  # a child that is forked later must not find its locks taken
                self._thread = None

    def code(self) -> bytes:
        """All of it, as one piece for `objects_in`. Raises what translating a part has raised."""
        if self._own:
            self._hand_over()
        self._ended(drop=False)
        if self._errors:
            raise self._errors[0]
        return together(self._made[k] for k in range(self._count))
