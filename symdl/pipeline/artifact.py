"""Artifact: a compiled function without its Program, as one piece of bytes that another process can run."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from symdl.backends.interface import Interface
from symdl.errors import ProgramError
from symdl.records import record

Array = np.ndarray[Any, Any]
LENGTHS = struct.Struct("<QQ")  # bytes of the head (JSON) and of the code; constants follow, one after the other


class BadArtifact(ValueError):
    """These bytes are no Artifact."""


@record
class Artifact:
    """constants stand in the order of the interface's: the number of the user's node that holds one, or its array."""

    interface: Interface
    code: bytes
    constants: tuple[int | Array, ...]
    routines: tuple[tuple[str, dict[str, Any]], ...] = ()  # (op, params) of each, by number

    def packed(self) -> bytes:
        """Lengths, a head that describes it, the code, the constants in C order."""
        arrays = [c for c in self.constants if not isinstance(c, int)]
        told = [c if isinstance(c, int) else [c.dtype.name, list(c.shape)] for c in self.constants]
        head = json.dumps(
            {"interface": self.interface.plain(), "constants": told, "routines": self.routines}, separators=(",", ":")
        ).encode()
        return b"".join([LENGTHS.pack(len(head), len(self.code)), head, self.code, *(a.tobytes() for a in arrays)])

    @classmethod
    def unpacked(cls, data: bytes) -> Artifact:
        """What `packed` gave. Raises BadArtifact for other bytes."""
        try:
            head_bytes, code_bytes = LENGTHS.unpack_from(data)
            at = LENGTHS.size + head_bytes
            head = json.loads(data[LENGTHS.size : at])
            code = data[at : at + code_bytes]
            at += code_bytes
            constants: list[int | Array] = []
            for told in head["constants"]:
                if isinstance(told, int):
                    constants.append(told)
                    continue
                dtype, shape = np.dtype(told[0]), tuple(told[1])
                count = int(np.prod(shape, dtype=np.int64))
                constants.append(np.frombuffer(data, dtype, count, at).reshape(shape).copy())
                at += count * dtype.itemsize
            interface = Interface.from_plain(head["interface"])
            routines = tuple((name, {k: _param(v) for k, v in params.items()}) for name, params in head["routines"])
        except (LookupError, TypeError, ValueError, struct.error, ProgramError) as error:
            raise BadArtifact(str(error)) from error
        if at != len(data) or len(code) != code_bytes or len(constants) != len(interface.of_kind("constant")):
            raise BadArtifact("its parts do not add up")
        if len(routines) != len(interface.routines):
            raise BadArtifact("its routines do not add up")
        return cls(interface, code, tuple(constants), routines)


def _param(value: Any) -> Any:
    """A param as it was before it became JSON, which has no tuples."""
    return tuple(map(_param, value)) if isinstance(value, list) else value
