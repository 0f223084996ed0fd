r"""An expression as LaTeX: \sigma\left(x\,W + b\right), shown by Jupyter in the place of the expression.

Parentheses stand where precedence asks for them, stretching to a common shape is silent as in the user's code. What is
long and used more than once, or too long for a line, gets a name and an equation of its own.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

from symdl.graph.expr import CONSTANT, RESULT, VARIABLE, WILDCARD, Expr, one_expression, short
from symdl.graph.methods import declared
from symdl.graph.walks import topological
from symdl.ops.contractions import parse
from symdl.ops.indexing import written_index

Tex = tuple[str, int]  # a formula and how tightly its outermost operator binds
RELATION, OR, XOR, AND, SHIFT, SUM, SIGN, PRODUCT, POWER, ATOM = range(10)
SHARED, WIDE = 40, 160  # a part of so many printed signs gets a name: where it is used twice, in any case
EQUATIONS = 25  # of named parts; more are counted

INFIX = {
    "eq": ("=", RELATION), "ne": (r"\neq", RELATION), "lt": ("<", RELATION), "le": (r"\leq", RELATION),
    "gt": (">", RELATION), "ge": (r"\geq", RELATION), "bitwise_or": (r"\vee", OR), "logical_or": (r"\vee", OR),
    "bitwise_xor": (r"\oplus", XOR), "logical_xor": (r"\oplus", XOR), "bitwise_and": (r"\wedge", AND),
    "logical_and": (r"\wedge", AND), "left_shift": (r"\ll", SHIFT), "right_shift": (r"\gg", SHIFT),
    "add": ("+", SUM), "sub": ("-", SUM), "mul": (r"\,", PRODUCT), "mod": (r"\,\mathrm{mod}\,", PRODUCT),
}  # fmt: skip
GROUPS_RIGHT = {"add", "mul", "bitwise_or", "bitwise_xor", "bitwise_and", "logical_or", "logical_and", "logical_xor"}
FUNCTION = {  # what is written name(operands)
    "log": r"\log", "sin": r"\sin", "cos": r"\cos", "tan": r"\tan", "arcsin": r"\arcsin", "arccos": r"\arccos",
    "arctan": r"\arctan", "arctan2": r"\mathrm{atan2}", "sinh": r"\sinh", "cosh": r"\cosh", "tanh": r"\tanh",
    "arcsinh": r"\mathrm{arsinh}", "arccosh": r"\mathrm{arcosh}", "arctanh": r"\mathrm{artanh}", "log2": r"\log_{2}",
    "log10": r"\log_{10}", "maximum": r"\max", "minimum": r"\min", "sigmoid": r"\sigma", "gammaln": r"\log\Gamma",
    "digamma": r"\psi", "trigamma": r"\psi'", "erf": r"\mathrm{erf}", "erfinv": r"\mathrm{erf}^{-1}",
    "sign": r"\mathrm{sgn}", "max": r"\max", "min": r"\min",
}  # fmt: skip
AROUND = {  # what is written around its operand
    "exp": ("e^{", "}", POWER), "exp2": ("2^{", "}", POWER), "sqrt": (r"\sqrt{", "}", ATOM),
    "abs": (r"\left|", r"\right|", ATOM), "floor": (r"\left\lfloor ", r"\right\rfloor ", ATOM),
    "ceil": (r"\left\lceil ", r"\right\rceil ", ATOM),
    "expm1": ("e^{", "} - 1", SUM), "reciprocal": (r"\frac{1}{", "}", PRODUCT),
    "log_slope": (r"\frac{1}{", "}", PRODUCT),
}  # fmt: skip
BIG = {"sum": r"\sum", "prod": r"\prod", "any": r"\bigvee", "all": r"\bigwedge"}
SILENT = {
    "drop",
    "copy",
    "disconnected_grad",
    "zero_grad",
    "grad_clip",
    "grad_scale",
    "assumed",
}  # shown as what they act on
GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
)


def latex(x: Expr) -> str:
    r"""x as LaTeX without dollars; several equations as an aligned environment, the one of x first."""
    one_expression(x, "latex")
    (name, whole), *others = equations(x)
    if not others:
        return f"{name} = {whole}" if name else whole
    free = {n.name for n in topological(x)}
    name = name or next(letter for letter in ("y", "f", "z", r"\ldots ") if letter not in free)
    rest = others[:EQUATIONS]
    lines = [f"{name} &= {whole}", *(f"{n} &= {tex}" for n, tex in rest)]
    if len(others) > len(rest):
        lines.append(rf"&\ldots\ \mathrm{{and\ {len(others) - len(rest)}\ more}}")
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


@declared("latex")
def shown(x: Expr) -> str:
    """What Jupyter shows of an expression: latex between dollars."""
    return f"$\\displaystyle {latex(x)}$"


def page(title: str, leaves: Sequence[Expr], rows: Sequence[tuple[str, Expr]]) -> str:
    """HTML for Jupyter: a title, the types of leaves, and expressions, each after its label."""
    given = ", ".join(f"{html.escape(short(v))}: <i>{html.escape(str(v.type))}</i>" for v in leaves)
    cells = "".join(
        f"<tr><td style='text-align:left'>{html.escape(label)}</td><td style='text-align:left'>{html.escape(shown(x))}</td></tr>"
        for label, x in rows
    )
    return f"<div><b>{html.escape(title)}</b>({given})<table><tbody>{cells}</tbody></table></div>"


def equations(x: Expr) -> list[tuple[str, str]]:
    """(name, formula) of x and then of each part that has a name in it, the nearest first; x's name may be empty."""
    uses: dict[Expr, int] = {}
    order = topological(x)
    for n in order:
        for i in n.inputs:
            uses[i] = uses.get(i, 0) + 1
    text: dict[Expr, Tex] = {}
    bodies: dict[str, str] = {}  # of the named parts, in the order of the graph
    within: dict[str, dict[str, None]] = {}  # named part -> those that its formula shows
    shows: dict[Expr, dict[str, None]] = {}
    taken = {n.name for n in order if n.name}
    fresh = (f"u{k}" for k in itertools.count(1) if f"u{k}" not in taken)
    for n in order:
        text[n] = own = _text(n, [text[i] for i in n.inputs], text)
        shows[n] = {name: None for i in _looked_at(n) for name in shows.get(i, ())}
        length = _printed(own[0])
        if n is x or not n.inputs:
            continue
        if n.name or length > WIDE or (length > SHARED and uses[n] > 1):
            name = identifier(n.name or next(fresh))
            bodies[name], within[name] = own[0], shows[n]
            text[n], shows[n] = (name, ATOM), {name: None}
    found = {identifier(x.name) if x.name and x.inputs else "": text[x][0]}
    reached = list(shows[x])
    for name in reached:  # grows: the parts of the parts
        if name not in found:
            found[name] = bodies[name]
            reached += reversed(within[name])
    return list(found.items())


def _looked_at(n: Expr) -> list[Expr]:
    """The nodes whose text is part of a node's."""
    written = written_index(n)
    return list(n.inputs) if written is None else [written[0], *(i for i in written[1] if isinstance(i, Expr))]


def identifier(name: str) -> str:
    """A variable's name: Greek letters by name, digits and what follows _ as indices, longer words upright."""
    head, *tail = [part for part in re.split(r"_+|(?<=[A-Za-z])(?=\d)", name) if part] or ["x"]
    words = [_word(w) for w in (head, *tail)]
    return words[0] + (f"_{{{','.join(words[1:])}}}" if tail else "")


def _word(word: str) -> str:
    if word in GREEK:
        return "\\" + word
    plain = re.sub(r"[^A-Za-z0-9.+\-/ \[\]()]", " ", word).replace(" ", r"\ ")
    return plain if len(plain) == 1 or plain.isdigit() else rf"\mathrm{{{plain}}}"


def _printed(tex: str) -> int:
    """About how many signs of a formula are seen."""
    plain = re.sub(r"\\(left|right|mathrm|frac|displaystyle)", "", tex)
    return len(re.sub(r"[{}^_\s]", "", re.sub(r"\\([a-zA-Z]+|.)", "x", plain)))


# ---- one node ----


def _text(n: Expr, parts: list[Tex], text: dict[Expr, Tex]) -> Tex:
    written = written_index(n)
    if written is not None:
        return _subscript(*written, text)
    if n.op in (VARIABLE, WILDCARD):
        return (identifier(n.name) if n.name else rf"\langle \mathrm{{{n.type.dtype}}}\rangle "), ATOM
    if n.op is CONSTANT:
        return _number(n)
    name = n.op.name
    if name in INFIX:
        return _infix(n, parts)
    if name in AROUND:
        before, after, tight = AROUND[name]
        return before + parts[0][0] + after, tight
    if name in SPECIAL:
        return SPECIAL[name](n, parts)
    if name in BIG:
        return f"{BIG[name]}{_axes(n)} {_wrapped(parts[0], PRODUCT)}", PRODUCT
    if name in SILENT:
        return parts[0]
    called = FUNCTION.get(name, rf"\mathrm{{{_plain(name)}}}")
    return f"{called}{_axes(n)}{_parentheses(', '.join(p for p, _ in parts))}", ATOM


def _plain(name: str) -> str:
    return name.replace("_", r"\ ")


def _parentheses(tex: str) -> str:
    return rf"\left({tex}\right)"


def _wrapped(part: Tex, tight: int) -> str:
    """In parentheses where the operator inside binds less."""
    return part[0] if part[1] >= tight else _parentheses(part[0])


def _axes(n: Expr) -> str:
    """Over which axes, where these are not all, or the last one."""
    value = n.params.get("axes", n.params.get("axis"))
    if value is None or not n.inputs or n.op.name in ("squeeze", "spread"):
        return ""
    axes = value if isinstance(value, tuple) else (value,)
    ndim = n.inputs[0].type.ndim
    default = (ndim - 1,) if n.op.name in ("softmax", "log_softmax") else tuple(range(ndim))
    return "" if axes == default else rf"_{{{','.join(map(str, axes))}}}"


def _infix(n: Expr, parts: list[Tex]) -> Tex:
    sign, tight = INFIX[n.op.name]
    left, right = parts
    if tight == RELATION:
        return f"{_wrapped(left, OR)} {sign} {_wrapped(right, OR)}", tight
    groups = n.op.name in GROUPS_RIGHT and len(n.inputs) == 2 and n.inputs[1].op is n.op
    b = _wrapped(right, tight if groups else tight + 1)
    if n.op.name == "mul" and (b[:1].isdigit() or b[:1] == "-"):
        sign = r"\cdot"
    return f"{_wrapped(left, tight)} {sign} {b}", tight


def _number(n: Expr) -> Tex:
    array = n.params["value"].array
    if array.shape:
        shape = r" \times ".join(map(str, array.shape))
        return rf"\mathrm{{constant}}_{{{shape}}}", ATOM
    value = array.item()
    if isinstance(value, bool):
        return rf"\mathrm{{{str(value).lower()}}}", ATOM
    text = repr(value).removesuffix(".0")
    if text in ("inf", "-inf", "nan"):
        return {"inf": (r"\infty ", ATOM), "-inf": (r"-\infty ", SIGN), "nan": (r"\mathrm{nan}", ATOM)}[text]
    if "e" in text:
        digits, power = text.split("e")
        text = (r"" if digits == "1" else digits + r" \cdot ") + f"10^{{{int(power)}}}"
        return text, SIGN if text.startswith("-") else PRODUCT
    return text, SIGN if text.startswith("-") else ATOM


def _subscript(x: Expr, index: tuple[Any, ...], text: dict[Expr, Tex]) -> Tex:
    r"""x[i, j] as x_{i,j}, whole axes as a colon."""

    def part(item: Any) -> str:
        if isinstance(item, slice):
            ends = ["" if v is None else part(v) for v in (item.start, item.stop, item.step)]
            return ":".join(ends[: 3 if ends[2] else 2])
        if isinstance(item, Expr):
            return text[item][0] if item in text else "y".join(e for _, e in equations(item)[:1])
        if item is None:
            return r"\mathrm{new}"
        return r"\ldots " if item is Ellipsis else str(item)

    items = [part(i) for i in index]
    while len(items) > 1 and items[-1] == ":":
        items.pop()
    return _indexed(text[x] if x in text else (identifier(x.name or "x"), ATOM), items)


def _indexed(base: Tex, items: Sequence[str]) -> Tex:
    """base with subscripts, in brackets unless it is a bare name: a second subscript would be an error."""
    bare = re.fullmatch(r"\\?[A-Za-z]+|\\mathrm\{[^{}]*\}", base[0])
    whole = base[0] if bare else rf"\left[{base[0]}\right]"
    return f"{whole}_{{{','.join(items)}}}", ATOM


# ---- the ops with a notation of their own ----


def _where(n: Expr, parts: list[Tex]) -> Tex:
    condition, yes, no = (p for p, _ in parts)
    return rf"\left\{{{yes}\ \mathrm{{if}}\ {condition},\ \mathrm{{else}}\ {no}\right\}}", ATOM


def _contract(n: Expr, parts: list[Tex]) -> Tex:
    operands, result = parse(n.params["notation"])
    if len(operands) == 2 and max(map(len, operands)) <= 2:
        (a, b), out = operands, tuple(result)
        summed = (set(a) & set(b)) - set(out)
        if len(summed) == 1:
            (k,) = summed
            left, right = a[-1] != k, b[0] != k
            own = (*(a[::-1] if left else a)[:-1], *(b[::-1] if right else b)[1:])
            x, y = (
                rf"{_wrapped(p, ATOM)}^{{\top}}" if turned else _wrapped(p, PRODUCT)
                for p, turned in zip(parts, (left, right), strict=True)
            )
            if own == out:
                return rf"{x} \, {y}", PRODUCT
    letters = {v: chr(ord("i") + k) for k, v in enumerate(dict.fromkeys(v for o in operands for v in o))}
    factors = [_indexed(p, ["".join(letters[v] for v in o)])[0] for p, o in zip(parts, operands, strict=True)]
    over = "".join(letters[v] for o in operands for v in dict.fromkeys(o) if v not in result)
    over = "".join(dict.fromkeys(over))
    return rf"\sum_{{{over}}} {' '.join(factors)}" if over else " ".join(factors), PRODUCT


def _spread(n: Expr, parts: list[Tex]) -> Tex:
    axes = n.params["axes"]
    if list(axes) == sorted(axes):
        return parts[0]
    if axes == (1, 0) and len(n.params["shape"]) == 2:
        return rf"{_wrapped(parts[0], ATOM)}^{{\top}}", ATOM
    order = [str(axes.index(k)) if k in axes else r"\cdot " for k in range(len(n.params["shape"]))]
    return rf"{_wrapped(parts[0], ATOM)}^{{({','.join(order)})}}", ATOM


def _extents(n: Expr) -> str:
    return r" \times ".join(_extent(e) for e in n.type.shape)


def _extent(e: Any) -> str:
    return str(e) if isinstance(e, int) else r"\cdot "


def _slice(n: Expr, parts: list[Tex]) -> Tex:
    out = []
    for k, (start, step, length) in enumerate(
        zip(n.params["starts"], n.params["steps"], n.params["lengths"], strict=True)
    ):
        whole = (start, step, length) == (0, 1, n.inputs[0].type.shape[k])
        out.append(":" if whole else f"{_dim(start)}:{_dim(start + length * step)}" + (f":{step}" if step != 1 else ""))
    return _indexed(parts[0], out)


def _dim(e: Any) -> str:
    """An extent as a formula."""
    plain = re.sub(r"[^A-Za-z0-9.+()\[\]*/-]", r"\ ", str(e))
    return str(e) if isinstance(e, int) else rf"\mathrm{{{plain}}}"


def _gather(n: Expr, parts: list[Tex]) -> Tex:
    at = dict(zip(n.params["axes"], (p for p, _ in parts[1:]), strict=True))
    rows = dict.fromkeys(range(n.params["batch"]), r"\cdot ")
    items = [rows.get(k) or at.get(k, ":") for k in range(1 + max([*at, *rows]))]
    return _indexed(parts[0], items)


def _scatter(n: Expr, parts: list[Tex]) -> Tex:
    x, values, *indices = (p for p, _ in parts)
    return rf"\mathrm{{set}}_{{{','.join(indices)}}}{_parentheses(f'{x}, {values}')}", ATOM


def _result(n: Expr, parts: list[Tex]) -> Tex:
    if n.inputs[0].op.name in ("max_and_argmax", "min_and_argmin"):
        first, second = n.inputs[0].op.name.split("_and_")
        name = rf"\{first}" if n.params["index"] == 0 else rf"\mathrm{{{second}}}"
        return name + parts[0][0].removeprefix(rf"\mathrm{{{_plain(n.inputs[0].op.name)}}}"), ATOM
    return _indexed(parts[0], [str(n.params["index"])])


def _shaped(name: str) -> Callable[[Expr, list[Tex]], Tex]:
    return lambda n, parts: (rf"\mathrm{{{name}}}_{{{_extents(n)}}}{_parentheses(parts[0][0])}", ATOM)


def _numbers(n: Expr, parts: Sequence[Tex]) -> Tex:
    if len(n.params["shape"]) == 1:
        return rf"\left(0, \ldots, {_dim(n.params['shape'][0] - 1)}\right)", ATOM
    return rf"\mathrm{{iota}}_{{{_extents(n)}}}", ATOM


SPECIAL: dict[str, Callable[[Expr, list[Tex]], Tex]] = {
    "neg": lambda n, parts: (f"-{_wrapped(parts[0], PRODUCT)}", SIGN),
    "invert": lambda n, parts: (rf"\neg {_wrapped(parts[0], ATOM)}", SIGN),
    "logical_not": lambda n, parts: (rf"\neg {_wrapped(parts[0], ATOM)}", SIGN),
    "true_div": lambda n, parts: (rf"\frac{{{parts[0][0]}}}{{{parts[1][0]}}}", PRODUCT),
    "floor_div": lambda n, parts: (rf"\left\lfloor \frac{{{parts[0][0]}}}{{{parts[1][0]}}}\right\rfloor ", ATOM),
    "pow": lambda n, parts: (f"{_wrapped(parts[0], ATOM)}^{{{parts[1][0]}}}", POWER),
    "sqr": lambda n, parts: (f"{_wrapped(parts[0], ATOM)}^{{2}}", POWER),
    "log1p": lambda n, parts: (rf"\log{_parentheses('1 + ' + _wrapped(parts[0], SUM))}", ATOM),
    "log1mexp": lambda n, parts: (rf"\log{_parentheses('1 - e^{' + parts[0][0] + '}')}", ATOM),
    "logaddexp": lambda n, parts: (rf"\log{_parentheses(f'e^{{{parts[0][0]}}} + e^{{{parts[1][0]}}}')}", ATOM),
    "softplus": lambda n, parts: (rf"\log{_parentheses('1 + e^{' + parts[0][0] + '}')}", ATOM),
    "xlogy": lambda n, parts: (rf"{_wrapped(parts[0], PRODUCT)} \, \log{_parentheses(parts[1][0])}", PRODUCT),
    "logsumexp": lambda n, parts: (rf"\log \sum{_axes(n)} e^{{{parts[0][0]}}}", PRODUCT),
    "cast": lambda n, parts: parts[0] if n.type.dtype.startswith("float") else _cast(n, parts),
    "where": _where,
    "contract": _contract,
    "spread": _spread,
    "squeeze": lambda n, parts: parts[0],
    "slice": _slice,
    "gather": _gather,
    "scatter": _scatter,
    "reshape": _shaped("reshape"),
    "pad": _shaped("pad"),
    "tile_axis": _shaped("tile"),
    "repeat_each": _shaped("repeat"),
    "iota": _numbers,
    "extent": lambda n, parts: (_dim(n.params["extent"]), ATOM),
    "join": lambda n, parts: (r"\left[" + r",\ ".join(p for p, _ in parts) + r"\right]", ATOM),
    RESULT.name: _result,
}


def _cast(n: Expr, parts: list[Tex]) -> Tex:
    return rf"\mathrm{{{n.type.dtype}}}{_parentheses(parts[0][0])}", ATOM
