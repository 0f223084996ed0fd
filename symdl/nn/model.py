"""Model: layers as a graph with several inputs and outputs, as one writes and trains them in Keras' functional way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

import symdl.tensor as T
from symdl.errors import ConfigError, DataError
from symdl.graph.expr import Expr
from symdl.nn.layer import Layer, Training, static
from symdl.nn.learner import Learner
from symdl.nn.saving import Reading
from symdl.nn.wires import Call, Input, Wire, taken

DTYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


class Model(Learner):
    """All that lies between inputs and outputs; itself a layer, and a model that is trained as Keras' is.

        a, b = Input((64,), name="a"), Input((10,), name="b")
        h = Concatenate()([Dense(32, "relu")(a), b])
        model = Model([a, b], Dense(10, "softmax")(h))
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit({"a": x, "b": z}, y, epochs=20)

    A layer that is called several times has one set of weights. inputs: what Input gave, or what a layer made, which is cut
    off there. rng: a seed or generator, shared by all layers that have none and are in no model yet; the default is 0, so
    that two equal scripts give equal weights. The layers stand in Keras' order, so that lists of weights fit.
    Raises ConfigError for outputs that depend on an Input that is not among the inputs.
    """

    kind = "functional"

    def __init__(self, inputs: Any = None, outputs: Any = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.inputs, self.outputs = _wires(inputs, "inputs"), _wires(outputs, "outputs")
        self._input_keys = list(inputs) if isinstance(inputs, Mapping) else []
        self._output_keys = list(outputs) if isinstance(outputs, Mapping) else []
        self.calls = self._between()
        for layer in self._ordered():
            self.named_layer(layer)
            self.layers.append(layer)
            layer.prefix = f"{self.prefix}{layer.name}." if isinstance(layer, Learner) else self.prefix
        for name, variable in self.named(self.prefix):
            variable.name = name
        if self.rng is None:
            self.rng = np.random.default_rng(0)
        self.draw(self.rng)
        self._variables = [
            w.meaning if isinstance(w, Input) else T.tensor("x", dtype=w.dtype, shape=w.shape) for w in self.inputs
        ]
        made = self.call(self._variables, None)
        self._results = made if isinstance(made, list) else [made]
        self.dtype, self.built = next((v.dtype for v in self._results if v.dtype.startswith("float")), "float32"), True
        self.output_shape = static(self._results[0])
        self.input_shape = self.inputs[0].shape[1:]

    # ---- the graph ----

    def _between(self) -> list[Call]:
        """The calls that make the outputs of the inputs, each behind those whose results it takes."""
        ends = {id(w) for w in self.inputs}
        done: dict[int, Call] = {}
        for output in self.outputs:
            waiting: list[tuple[Wire, bool]] = [(output, False)]
            while waiting:
                wire, complete = waiting.pop()
                call = wire.made_by
                if id(wire) in ends or (call is not None and id(call) in done):
                    continue
                if call is None:
                    raise ConfigError(f"Model: {wire!r} is not among the inputs, and an output depends on it")
                if complete:
                    done[id(call)] = call
                else:
                    waiting.append((wire, True))
                    waiting += [(source, False) for source in reversed(call.sources)]
        return list(done.values())

    def _ordered(self) -> list[Layer]:
        """The layers as Keras has them: those farthest from the outputs first, those of one distance as the outputs lead there."""
        kept = {id(c) for c in self.calls}
        depth: dict[int, int] = {}
        for call in reversed(self.calls):
            depth.setdefault(id(call), 0)
            for source in call.sources:
                if source.made_by is not None and id(source.made_by) in kept:
                    below = id(source.made_by)
                    depth[below] = max(depth.get(below, 0), depth[id(call)] + 1)
        farthest: dict[int, int] = {}
        for call in self.calls:
            farthest[id(call.layer)] = max(farthest.get(id(call.layer), 0), depth[id(call)])
        found: dict[int, Layer] = {}
        seen: set[int] = set()
        for output in self.outputs:
            waiting = [output]
            while waiting:
                made = waiting.pop().made_by
                if made is None or id(made) not in kept or id(made) in seen:
                    continue
                seen.add(id(made))
                found.setdefault(id(made.layer), made.layer)
                waiting += reversed(made.sources)
        return sorted(found.values(), key=lambda layer: -farthest[id(layer)])

    def call(self, x: Any, training: Training | None) -> Any:
        given = list(x) if isinstance(x, list | tuple) else [x]
        if len(given) != len(self.inputs):
            raise ConfigError(f"{self.title} takes {len(self.inputs)} inputs, not {len(given)}")
        at: dict[int, Expr] = {id(w): e for w, e in zip(self.inputs, given, strict=True)}
        for call in self.calls:
            arguments = [taken(at[id(w)], call.layer) for w in call.sources]
            made = call.layer(arguments if call.listed else arguments[0], training)
            for wire, result in zip(call.results, made if isinstance(made, list) else [made], strict=True):
                at[id(wire)] = at.get(id(wire), result)  # what is an input stays that
        results = [at[id(w)] for w in self.outputs]
        return results if len(results) > 1 else results[0]

    @property
    def input(self) -> Any:
        """Where it begins: one, or the list of several."""
        return self.inputs[0] if len(self.inputs) == 1 else list(self.inputs)

    @property
    def output(self) -> Any:
        """Where it ends: one, or the list of several."""
        return self.outputs[0] if len(self.outputs) == 1 else list(self.outputs)

    @property
    def input_names(self) -> list[str]:
        return self._input_keys or _distinct([getattr(w, "name", None) or "input" for w in self.inputs])

    @property
    def output_names(self) -> list[str]:
        names = [str(w.made_by.layer.name) if w.made_by is not None else "input" for w in self.outputs]
        return self._output_keys or _distinct(names)

    def ends(self) -> list[Layer]:
        return [w.made_by.layer if w.made_by is not None else self for w in self.outputs]

    def takers(self) -> list[Layer]:
        return [
            next(
                (c.layer for c in self.calls if any(s is w for s in c.sources)), self.layers[0] if self.layers else self
            )
            for w in self.inputs
        ]

    def table(self) -> list[tuple[str, ...]]:
        names = dict(zip(map(id, self.inputs), self.input_names, strict=True))

        def source(wire: Wire) -> str:
            if id(wire) in names:
                return names[id(wire)]
            assert wire.made_by is not None  # else the wire would be an input
            call = f"[{own.index(wire.made_by)}]" if len(own := self._calls_of(wire.made_by.layer)) > 1 else ""
            return f"{wire.made_by.layer.name}{call}"

        rows: list[tuple[str, ...]] = [("Layer (type)", "Output Shape", "Param #", "Connected to")]
        for wire, name in zip(self.inputs, self.input_names, strict=True):
            rows.append((f"{name} (Input)", _shown(wire), "0", "-"))
        for layer in self.layers:
            calls = self._calls_of(layer)
            shape = ", ".join(_shown(w) for w in calls[0].results)
            connected = ", ".join(source(w) for call in calls for w in call.sources)
            rows.append((f"{layer.name} ({type(layer).__name__})", shape, f"{layer.count_params():,}", connected))
        return rows

    def _calls_of(self, layer: Layer) -> list[Call]:
        return [c for c in self.calls if c.layer is layer]

    # ---- files ----

    def structure(self, plain: Callable[[Layer], Any]) -> dict[str, Any]:
        places = {id(w): [-1 - k, 0] for k, w in enumerate(self.inputs)}
        for k, call in enumerate(self.calls):
            places |= {id(w): [k, w.index] for w in call.results if id(w) not in places}
        index = {id(layer): k for k, layer in enumerate(self.layers)}
        return {
            "name": self.name,
            "inputs": [
                {"shape": list(w.shape[1:]), "dtype": w.dtype, "name": name}
                for w, name in zip(self.inputs, self.input_names, strict=True)
            ],
            "layers": [plain(layer) for layer in self.layers],
            "calls": [[index[id(c.layer)], c.listed, [places[id(w)] for w in c.sources]] for c in self.calls],
            "outputs": [places[id(w)] for w in self.outputs],
            "output names": self._output_keys,
        }

    @classmethod
    def of_structure(cls, structure: Mapping[str, Any], reading: Reading) -> Self:
        inputs = [_input(entry) for entry in reading.listed(structure.get("inputs"))]
        layers = [reading.layer(entry) for entry in reading.listed(structure.get("layers"))]
        made: list[Sequence[Wire]] = []

        def wire(place: Any) -> Wire:
            k, result = place
            if type(k) is not int or type(result) is not int or not -len(inputs) <= k < len(made):
                raise DataError(f"load: a layer is called with {place}, which nothing has made")
            return inputs[-1 - k] if k < 0 else made[k][abs(result)]

        for k, listed, sources in reading.listed(structure.get("calls")):
            if type(k) is not int or not 0 <= k < len(layers):
                raise DataError(f"load: there is no layer {k}")
            reading.place(layers[k])
            found = layers[k]([wire(p) for p in sources] if listed else wire(sources[0]))
            made.append(found if isinstance(found, list) else [found])
        outputs: Any = [wire(p) for p in reading.listed(structure.get("outputs"))]
        if keys := structure.get("output names"):
            outputs = dict(zip(map(str, keys), outputs, strict=True))
        return cls(inputs, outputs, name=reading.text(structure.get("name")))

    def started(self) -> None:
        """Its parameters have been made with it."""


def _wires(given: Any, what: str) -> list[Wire]:
    """Inputs or outputs as a list. Raises ConfigError for what is neither."""
    wires = (
        list(given.values())
        if isinstance(given, Mapping)
        else list(given)
        if isinstance(given, list | tuple)
        else [given]
    )
    for wire in wires:
        if not isinstance(wire, Wire):
            remedy = "Input((784,)) begins a model; a layer called with it gives what the next is called with."
            raise ConfigError(f"Model: {wire!r} among the {what} is not what Input or a layer gives", (), remedy)
    if not wires or (what == "inputs" and len({id(w) for w in wires}) < len(wires)):
        raise ConfigError(f"Model: there must be {what}, each of them once")
    return wires


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, the second of a kind with _1."""
    found: list[str] = []
    for name in names:
        tries = (f"{name}_{k}" if k else name for k in range(len(names)))
        found.append(next(one for one in tries if one not in found))
    return found


def _shown(wire: Wire) -> str:
    return f"({', '.join(map(str, wire.shape))}{',' if len(wire.shape) == 1 else ''})"


def _input(entry: Any) -> Input:
    """The input of such an entry. Raises DataError for what is none."""
    shape, dtype, name = entry["shape"], entry["dtype"], entry["name"]
    if dtype not in DTYPES or not isinstance(name, str) or not isinstance(shape, list):
        raise DataError(f"load: an input {name!r} of dtype {dtype!r}")
    if not all(n is None or (type(n) is int and n > 0) for n in shape):
        raise DataError(f"load: examples of shape {shape}")
    return Input(shape, dtype, name)
