"""Running Programs on the emulated GPU in tests, without the run time: buffers, launches, results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symdl.backends.cuda.driver import packed
from symdl.backends.emulator import Emulator
from symdl.backends.nvptx import gpu_program
from symdl.backends.nvptx.launches import Choose, GpuProgram, Item, Launch, Pointer, Product, Repeat
from symdl.graph.expr import Expr
from symdl.ir.loops import View
from symdl.ir.program import Program
from symdl.number_forms import item_bytes
from symdl.pipeline.compilation import Graph, lowered
from symdl.types import Symbol, product, size_at

STATUS = "status"
COMPILED: dict[str, bytes] = {}  # kernels of all emulators of these tests


def emulator(**how: Any) -> Emulator:
    """An emulated GPU that need not compile what another one has."""
    return Emulator(store=COMPILED, **how)


def program_for(inputs: Sequence[Expr], outputs: Sequence[Expr], stable: bool = False) -> Program:
    """The Program that is given to a GPU."""
    return lowered(Graph(tuple(inputs), (), tuple(outputs), ()), stable=stable, blocks=False).program


def on_gpu(
    inputs: Sequence[Expr],
    outputs: Sequence[Expr],
    values: Sequence[Any],
    driver: Emulator | None = None,
    tensor_cores: bool = False,
) -> list[Any]:
    """The outputs, computed by the emulated GPU; no check of an index has failed."""
    program = program_for(inputs, outputs)
    named = {b.name: np.asarray(v) for b, v in zip(program.of_kind("input"), values, strict=True)}
    found = Run(gpu_program(program, tensor_cores), named, driver or emulator())
    assert found.status() == 0
    return [found.array(b.name) for b in program.of_kind("output")]


class Run:
    """One run of a GpuProgram on arrays by buffer."""

    def __init__(self, gpu: GpuProgram, arrays: Mapping[str, Any], driver: Emulator, text: str = "") -> None:
        self.gpu, self.driver, self.stream = gpu, driver, driver.stream()
        program = gpu.program
        self.sizes: dict[Symbol, int] = {}
        for b in program.bindings:
            array = arrays[b.buffer]
            self.sizes[b.symbol] = int(array) if b.axis is None else array.shape[b.axis]
        self.places: dict[str, int] = {STATUS: driver.allocate(4)}
        driver.upload(self.places[STATUS], np.zeros(1, np.int32), self.stream)
        for name, buffer in program.buffers.items():
            if buffer.kind != "temp":
                bytes_ = size_at(product(buffer.shape), self.sizes) * item_bytes(buffer.dtype)
                self.places[name] = self.room(bytes_, name)
                if name in arrays:
                    driver.upload(self.places[name], np.ascontiguousarray(arrays[name]), self.stream)
        slots = [
            self.room(max(size_at(e, self.sizes) for e in room), f"slot {k}") for k, room in enumerate(program.slots)
        ]
        self.places |= {name: slots[slot] for name, slot in program.offsets.items()}
        self.code = driver.load(text or gpu.text)
        self.run(gpu.items)

    def room(self, bytes_: int, name: str) -> int:
        place = self.driver.allocate(max(bytes_, 1))
        self.driver.label(place, bytes_, name)
        return place

    def run(self, items: Sequence[Item]) -> None:
        for item in items:
            match item:
                case Launch():
                    self.launch(item)
                case Product(own=own):
                    self.run(own)
                case Repeat(counter, steps, body, stop):
                    for t in range(size_at(steps, self.sizes)):
                        self.sizes[counter] = t
                        self.run(body)
                        if stop is not None and self.holds(stop):
                            break
                case Choose(condition, then, other):
                    self.run(then if self.holds(condition) else other)
                case _:
                    raise NotImplementedError("routines are the run time's")

    def launch(self, item: Launch) -> None:
        x, y, z = (size_at(e, self.sizes) for e in item.grid)
        if min(x, y, z) <= 0:
            return
        words = [self.places[STATUS]]
        for a in item.arguments:
            at = size_at(a.offset if isinstance(a, Pointer) else a.value, self.sizes)
            words.append(self.places[a.buffer] + at if isinstance(a, Pointer) else at)
        function = self.code.function(item.kernel)
        self.driver.launch(function, (x, y, z), item.block, item.shared, packed(words), self.stream)

    def holds(self, view: View) -> bool:
        found = np.zeros(1, np.uint8)
        self.driver.download(found, self.places[view.buffer] + size_at(view.offset, self.sizes), self.stream)
        return bool(found[0])

    def array(self, name: str) -> Any:
        buffer = self.gpu.program.buffers[name]
        found = np.zeros([size_at(e, self.sizes) for e in buffer.shape], buffer.dtype)
        if found.size:
            self.driver.download(found, self.places[name], self.stream)
        return found

    def status(self) -> int:
        found = np.zeros(1, np.int32)
        self.driver.download(found, self.places[STATUS], self.stream)
        return int(found[0])
