"""An expression as one line of mathematics: softmax(x @ W + b)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from symdl.graph.expr import CONSTANT, RESULT, VARIABLE, Expr, one_expression
from symdl.graph.methods import declared
from symdl.graph.walks import topological
from symdl.number_forms import LIMBS
from symdl.ops.contractions import parse
from symdl.ops.indexing import written_index
from symdl.types import show_extent

Text = tuple[str, int]  # a formula and how tightly its outermost operator binds
INFIX = {  # op -> its sign in Python, and how tightly that binds
    "bitwise_or": ("|", 1), "bitwise_xor": ("^", 2), "bitwise_and": ("&", 3),
    "eq": ("==", 0), "ne": ("!=", 0), "lt": ("<", 0), "le": ("<=", 0), "gt": (">", 0), "ge": (">=", 0),
    "left_shift": ("<<", 4), "right_shift": (">>", 4), "add": ("+", 5), "sub": ("-", 5),
    "mul": ("*", 6), "true_div": ("/", 6), "floor_div": ("//", 6), "mod": ("%", 6), "pow": ("**", 8),
}  # fmt: skip
PREFIX = {"neg": ("-", 7), "invert": ("~", 7)}
MATMUL, ATOM = ("@", 6), 9
ASSOCIATIVE = {"add", "mul", "bitwise_or", "bitwise_xor", "bitwise_and"}
SILENT = {"cast", "spread", "squeeze"}  # no level of their own
OPERANDS = 6  # shown of a long list, in a message
ENDS = 40  # letters of a slice's ends; those of x[i], where i may be negative, are longer and say nothing
LAST_AXIS = {"softmax", "log_softmax"}  # act on the last axis unless told otherwise; reductions on all


def pprint(x: Expr, limit: int = 200) -> str:
    """x as a formula in Python's operators and the functions' names. What is longer than limit inside it becomes '...'."""
    one_expression(x, "pprint")
    text: dict[Expr, Text] = {}

    def known(e: Expr) -> Text:  # sizes and integer inputs of an index are no operands
        return text.get(e) or (pprint(e), ATOM)

    for node in topological(x):
        parts = [text[i] if len(text[i][0]) <= limit else ("...", ATOM) for i in node.inputs]
        written = written_index(node)
        own = _text(node, parts) if written is None else _subscript(*written, known)
        text[node] = (node.name, ATOM) if node.name and (node.op.kind == "leaf" or node is not x) else own
    return text[x][0]


@declared("formula")
def formula(x: Expr, depth: int) -> str:
    """x as a formula of so many levels, for messages: what lies deeper is '...', and so is what follows a few operands."""
    return _levels(x, depth)[0]


def _levels(x: Expr, depth: int) -> Text:
    if x.name:
        return x.name, ATOM
    if x.op in (VARIABLE, CONSTANT):
        return _text(x, [])
    if (output := _output_of_scan(x)) is not None:  # whose operands say little in a row
        return f"scan(...)[{output}]", ATOM
    if depth == 0:
        return "...", ATOM
    below = depth if x.op.name in SILENT else depth - 1
    if (written := written_index(x)) is not None:
        return _subscript(*written, lambda e: _levels(e, below))
    parts = [_levels(i, below) for i in x.inputs[:OPERANDS]]
    return _text(x, [*parts, ("...", ATOM)] if len(x.inputs) > OPERANDS else parts)


def _output_of_scan(x: Expr) -> int | None:
    """Which output of a scan x is, with its initial states or without."""
    if x.op.name == "slice" and written_index(x) is None:
        x = x.inputs[0]
    return x.params["index"] if x.op is RESULT and x.inputs[0].op.name == "scan" else None


def _text(node: Expr, parts: list[Text]) -> Text:
    name, inner = node.op.name, [t for t, _ in parts]
    if name in ("python", "python_sized"):  # a function of the user's
        name = node.params["call"].name
    if node.op is VARIABLE:
        return f"<{node.type}>", ATOM
    if node.op is CONSTANT:
        return _number(node)
    if name in INFIX and len(parts) == 2:
        return _infix(*INFIX[name], parts, name in ASSOCIATIVE and node.inputs[1].op is node.op)
    if name in PREFIX:
        sign, tight = PREFIX[name]
        return sign + _wrapped(parts[0], tight), tight
    if name == "contract" and (turned := _product(node.params["notation"])):
        sides = [(f"{_wrapped(p, ATOM)}.T", ATOM) if t else p for p, t in zip(parts, turned, strict=True)]
        return _infix(*MATMUL, sides, False)
    if name == "extent":
        return str(node.params["extent"]), ATOM
    if node.op is RESULT:
        if node.inputs[0].op.name == "max_and_argmax":
            return ("max", "argmax")[node.params["index"]] + inner[0].removeprefix("max_and_argmax"), ATOM
        return f"{inner[0]}[{node.params['index']}]", ATOM
    if name == "iota" and len(node.params["shape"]) == 1:
        return f"arange({node.params['shape'][0]})", ATOM
    if name == "parameter":  # of the body of a loop
        return f"p{node.params['position']}", ATOM
    if name == "log_slope":  # the derivative of a logarithm
        return _infix("/", 6, [("1", ATOM), parts[0]], False)
    if name == "spread":
        return _spread(node, parts[0])
    if name == "drop":
        return parts[0]
    if name == "cast":
        return f"{node.type.dtype}({inner[0]})", ATOM
    if name in ("slice", "gather"):
        return f"{_wrapped(parts[0], ATOM)}[{_index(node, inner[1:])}]", ATOM
    if name == "reshape":
        extents = [show_extent(n) for n in node.params["shape"]]
        extents = ["-1" if n == "?" and extents.count("?") == 1 else n for n in extents]
        return f"{_wrapped(parts[0], ATOM)}.reshape({', '.join(extents)})", ATOM
    if name == "contract":
        return f"einsum({node.params['notation']!r}, {', '.join(inner)})", ATOM
    if name == "join":
        name, inner = "concatenate", [f"[{', '.join(inner)}]"]
    shown = "set_subtensor" if name == "scatter" else name
    return f"{shown}({', '.join([*inner, *_options(node)])})", ATOM


def _subscript(x: Expr, index: tuple[Any, ...], text: Callable[[Expr], Text]) -> Text:
    """x[index] as the user wrote it."""

    def shown(item: Any) -> str:
        if isinstance(item, slice):
            ends = ["" if v is None else shown(v) for v in (item.start, item.stop, item.step)]
            return ":".join(ends[: 3 if ends[2] else 2])
        if isinstance(item, Expr):
            return text(item)[0]
        return "..." if item is Ellipsis else str(item)

    items = [shown(i) for i in index]
    while len(items) > 1 and items[-1] == ":":
        items.pop()
    return f"{_wrapped(text(x), ATOM)}[{', '.join(items)}]", ATOM


def _wrapped(part: Text, tight: int) -> str:
    """In parentheses where the operator inside binds less."""
    return part[0] if part[1] >= tight else f"({part[0]})"


def _infix(sign: str, tight: int, parts: list[Text], associative: bool) -> Text:
    left, right = parts
    if sign == "**":  # the one that groups from the right
        return f"{_wrapped(left, tight + 1)} ** {_wrapped(right, tight)}", tight
    if tight == 0:  # a < b < c means something else in Python
        return f"{_wrapped(left, 1)} {sign} {_wrapped(right, 1)}", tight
    return f"{_wrapped(left, tight)} {sign} {_wrapped(right, tight if associative else tight + 1)}", tight


def _number(node: Expr) -> Text:
    array = node.params["value"].array
    if array.shape:
        return f"constant{list(array.shape)}", ATOM
    value = array.item()
    if node.type.dtype in LIMBS:
        limbs = dict(zip(LIMBS[node.type.dtype], value, strict=True))
        try:
            value = math.ldexp(limbs["high"], int(limbs.get("exponent", 0)))
        except OverflowError:
            value = math.copysign(math.inf, limbs["high"])
    text = repr(value).removesuffix(".0")
    return text, ATOM if not text.startswith("-") else PREFIX["neg"][1]


def _product(notation: str) -> tuple[bool, bool] | None:
    """Which operands are transposed in a contraction that @ can write; None for others."""
    operands, result = parse(notation)
    if len(operands) != 2 or max(map(len, operands)) > 2:
        return None
    a, b = operands
    summed = (set(a) & set(b)) - set(result)
    if len(summed) != 1:
        return None
    (k,) = summed
    left, right = (a[-1] != k), (b[0] != k)
    own = (*(a[::-1] if left else a)[:-1], *(b[::-1] if right else b)[1:])
    return (left, right) if own == tuple(result) else None


def _spread(node: Expr, part: Text) -> Text:
    """Stretching is silent, as it is in the user's code; a permutation is not."""
    axes = node.params["axes"]
    if list(axes) == sorted(axes):
        return part
    if axes == (1, 0) and len(node.params["shape"]) == 2:
        return f"{_wrapped(part, ATOM)}.T", ATOM
    order = [axes.index(k) if k in axes else "'x'" for k in range(len(node.params["shape"]))]
    return f"{_wrapped(part, ATOM)}.dimshuffle({', '.join(map(str, order))})", ATOM


def _index(node: Expr, indices: list[str]) -> str:
    """An index that no user wrote: a gradient's, or what a rewrite made of one."""
    if node.op.name == "gather":
        at = dict(zip(node.params["axes"], indices, strict=True))
        rows = {k: f"arange({show_extent(node.inputs[0].type.shape[k])})" for k in range(node.params["batch"])}
        return ", ".join(rows.get(k) or at.get(k, ":") for k in range(1 + max([*at, *rows])))
    out = []
    for k, (start, step, length) in enumerate(
        zip(node.params["starts"], node.params["steps"], node.params["lengths"], strict=True)
    ):
        whole = (start, step, length) == (0, 1, node.inputs[0].type.shape[k])
        ends = f"{start}:{start + length * step}" + (f":{step}" if step != 1 else "")
        out.append(":" if whole else ends if len(ends) <= ENDS else "...")
    while len(out) > 1 and out[-1] == ":":
        out.pop()
    return ", ".join(out)


def _options(node: Expr) -> list[str]:
    """The parameters worth a place in a formula."""
    out = []
    for key, value in node.params.items():
        if key in ("axes", "axis"):
            n = node.inputs[0].type.ndim if node.inputs else 0
            default = (n - 1,) if node.op.name in LAST_AXIS else tuple(range(n))
            if value == default or (key == "axis" and n == 1):
                continue
            shown: Any = value[0] if isinstance(value, tuple) and len(value) == 1 else value
            out.append(f"axis={shown}")
    return out
