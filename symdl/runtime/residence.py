"""Residence: where the newest value of a shared variable is, on the host, on a device, or on both, and how it gets across.

A value moves only when somebody wants it where it is not. Machine code for the CPU calls straight into the host's array
and asks nobody; it looks only whether a value's Claims are empty (`turns`). So AWAY stands in the Claims as long as the
CPU must not do that, and the call comes through Python, which brings the value home:

    newest     AWAY stands among     CPU functions that only read     CPU functions that write
    host       nobody                go on                            go on
    both       everyone              go on                            tell that the device's copy is old
    device     everyone and writers  bring it home                    bring it home, and tell

Callers hold a Turn: one that writes for `host_written` and `device_written`, one that reads for the rest.
"""

from __future__ import annotations

import threading
from typing import Any, Literal

import numpy as np

from symdl.runtime.turns import Claims, Turn

AWAY = Turn(frozenset(), frozenset())  # never active: it only stands in sets
transfers = threading.RLock()  # one at a time, since several readers may want the same


class Residence:
    """copy: the array on the device, which has read(into), write(array), shape and device; None where there never was one."""

    __slots__ = ("claims", "copy", "newest")

    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        self.copy: Any = None
        self.newest: Literal["host", "both", "device"] = "host"

    def home(self, array: np.ndarray[Any, Any], lent: bool) -> np.ndarray[Any, Any]:
        """The newest value on the host: array, written anew where it was not; another one where array is lent to somebody
        or of another shape."""
        with transfers:
            if self.newest != "device":
                return array
            if lent or array.shape != self.copy.shape:
                array = np.empty(self.copy.shape, array.dtype)
            self.copy.read(array)
            self.newest = "both"
            self.claims.writers.discard(AWAY)
            return array

    def on(self, device: Any, array: np.ndarray[Any, Any]) -> Any:
        """The newest value on a device. array: the host's, brought home before if `elsewhere` says so."""
        with transfers:
            copy = self.copy
            if copy is not None and copy.device is device and self.newest != "host":
                return copy
            if copy is None or copy.device is not device or copy.shape != array.shape:
                copy = device.uploaded(array)
            else:
                copy.write(array)
            self.copy, self.newest = copy, "both"
            self.claims.everyone.add(AWAY)
            return copy

    def elsewhere(self, device: Any) -> bool:
        """Whether the newest value is on another device only."""
        return self.newest == "device" and self.copy.device is not device

    def host_written(self) -> None:
        """The host's array is the newest: it was written, will be, or is in the hands of somebody who may write it."""
        with transfers:
            self.newest = "host"
            self.claims.everyone.discard(AWAY)
            self.claims.writers.discard(AWAY)

    def device_written(self, copy: Any = None) -> None:
        """The device's array, or this one in its place, is the newest."""
        with transfers:
            self.copy, self.newest = self.copy if copy is None else copy, "device"
            self.claims.everyone.add(AWAY)
            self.claims.writers.add(AWAY)
