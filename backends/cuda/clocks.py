"""The clocks of a GPU's kernels: events before and after each launch, added up by the step that it belongs to."""

from __future__ import annotations

from symdl.backends.cuda.device import Device
from symdl.backends.cuda.driver import Event
from symdl.backends.cuda.plans import Action


class Clocks:
    """What a CudaExecutable is made with, so that `taken` says how long its steps took."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._idle: list[tuple[Event, Event]] = []
        self._marks: list[tuple[int, bool, Event, Event]] = []
        self._first: dict[int, str] = {}  # the first kernel of each step: its launches are the step's runs

    def __call__(self, step: int, name: str, action: Action) -> Action:
        """The action between two events."""
        stream = self.device.stream
        leads = self._first.setdefault(step, name) == name

        def timed() -> None:
            driver = self.device.driver
            start, stop = self._idle.pop() if self._idle else (driver.event(), driver.event())
            start.record(stream)
            action()
            stop.record(stream)
            self._marks.append((step, leads, start, stop))

        return timed

    def taken(self) -> dict[int, tuple[float, int]]:
        """By number of a step: (seconds, runs) since the last time."""
        driver = self.device.driver
        driver.synchronize(self.device.stream)
        found: dict[int, tuple[float, int]] = {}
        for step, leads, start, stop in self._marks:
            seconds, count = found.get(step, (0.0, 0))
            found[step] = seconds + driver.elapsed(start, stop) / 1e3, count + leads
            self._idle.append((start, stop))
        self._marks.clear()
        return found
