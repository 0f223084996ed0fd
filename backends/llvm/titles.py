"""What a loop nest is called in code: kernel_max_exp_sum, from what it folds and from what costs most in it."""

from __future__ import annotations

from symdl.ir.loops import Apply, Assign, Load, Ref, Stmt, Store, walk
from symdl.ir.narrow_rows import CHEAP

FOLDED = {"add": "sum", "mul": "product", "maximum": "max", "minimum": "min", "bitwise_or": "any", "bitwise_and": "all"}
SILENT = frozenset("cast where eq ne lt le gt ge bitwise_and bitwise_or invert neg isnan".split())
WORDS = 4


def title(body: tuple[Stmt, ...]) -> str:
    """At most WORDS words, in the order of the text: folds and costly primitives, or else the cheap ones, or copy."""
    telling: dict[str, None] = {}
    cheap: dict[str, None] = {}
    for item in walk(*body):
        match item:
            case Assign(name, Apply(primitive, (Ref(same, _), *_), _)) if name == same and primitive in FOLDED:
                telling[FOLDED[primitive]] = None
            case Store(view, at, Apply(primitive, (Load(seen, place), *_), _)) if (view, at) == (seen, place):
                if primitive in FOLDED:
                    telling[FOLDED[primitive]] = None
            case Apply(primitive, _, _) if primitive not in CHEAP:
                telling[primitive] = None
            case Apply(primitive, _, _) if primitive not in SILENT:
                cheap[primitive] = None
            case Apply("where", _, _):
                cheap["where"] = None
    words = list(telling or cheap or ["copy"])[:WORDS]
    return "_".join(["kernel", *words, ""])
