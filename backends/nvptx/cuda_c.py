"""Kernels as CUDA C, to be read: what each thread does, from the same loops and by the same decisions as the code that runs.

It is valid CUDA C but for number forms; what has no name there (`group_add`, `logistic_tail`, draws) is declared above.
Exchanges between threads stand as calls, vectors as single elements, and products of matrices as what they compute.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from symdl.backends.llvm.steps import all_steps
from symdl.backends.nvptx.carried import carried_of
from symdl.backends.nvptx.contractions import contraction_of
from symdl.backends.nvptx.groups import THREADS, WARP, GroupWriter, identity
from symdl.backends.nvptx.hazards import Fold, Hazards, Touch, folds_of, has_dealt
from symdl.backends.nvptx.kernels import Part, Way, kernels_of
from symdl.backends.nvptx.launches import GpuProgram, Launch, Number, Pointer, Product, launches
from symdl.backends.nvptx.products import TOTAL, epilogue_of
from symdl.backends.nvptx.writer import GPU, GpuModule
from symdl.backends.rungs.thinning import thinned
from symdl.ir.loops import (
    Apply,
    Assign,
    Barrier,
    Checked,
    Const,
    For,
    Guard,
    Index,
    Load,
    Local,
    Position,
    Ref,
    Stmt,
    Store,
    View,
    is_value,
    parts,
    walk,
)
from symdl.ir.program import Call, Kernel
from symdl.number_forms import WIDE
from symdl.philox import LANES
from symdl.types import Compound, Extent, Symbol, polynomial, product, symbols, terms_of

TYPES = {
    "bool": "bool", "float32": "float", "float64": "double", "int8": "signed char", "int16": "short", "int32": "int",
    "int64": "long long", "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned",
    "uint64": "unsigned long long",
}  # fmt: skip
INFIX = {
    "add": "+", "sub": "-", "mul": "*", "true_div": "/", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "left_shift": "<<", "right_shift": ">>",
}  # fmt: skip
NAMES = {  # as CUDA calls them, with an f behind for float
    "abs": "fabs", "maximum": "fmax", "minimum": "fmin", "round_half_even": "rint", "arcsin": "asin", "arccos": "acos",
    "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "erfinv": "erfinv",
    "gammaln": "lgamma", **{n: n for n in (
        "exp exp2 expm1 log log1p log2 log10 sin cos tan sinh cosh tanh sqrt floor ceil trunc erf erfc erfcx pow".split()
    )},
}  # fmt: skip
DRAWN = ("random_word32", "random_word64", "random_normal32", "random_normal64")
WHO: dict[Way, str] = {
    "threads": "a thread a round",
    "tiles": "a thread a round, in tiles of 32 x 32 through shared memory",
    "warps": "a warp a round",
    "blocks": "a block a round",
}
PRELUDE = """// What the kernels below call by name.
#define KERNEL extern "C" __global__ void
typedef long long word;
extern __device__ int *status;                                     // where a failing check writes its code
extern __device__ word checked(word index, word extent, int code); // the index, or 0 and the code in *status
template <class T> __device__ T group_add(T x);                    // the sum over the threads of a group, in all of them
template <class T> __device__ T group_mul(T x);
template <class T> __device__ T group_maximum(T x);
template <class T> __device__ T group_minimum(T x);
template <class T> __device__ T group_bitwise_and(T x);
template <class T> __device__ T group_bitwise_or(T x);
template <class T> __device__ T group_bitwise_xor(T x);
template <class T> __device__ T logistic_tail(T x);                // 1 / (1 + exp(|x|))
template <class T> __device__ T digamma(T x);
template <class T> __device__ T first_thread(T x);                 // as the first thread of the group has it
template <class T> __device__ T mod(T x, T y);                     // with the sign of y
template <class T> __device__ T floor_div(T x, T y);
template <class T> __device__ T larger(T x, T y);
template <class T> __device__ T smaller(T x, T y);
__device__ unsigned random_word32(unsigned long long key, unsigned long long count, unsigned long long serial, word place);
__device__ unsigned long long random_word64(unsigned long long key, unsigned long long count, unsigned long long serial, word place);
__device__ float random_normal32(unsigned long long key, unsigned long long count, unsigned long long serial, word place);
__device__ double random_normal64(unsigned long long key, unsigned long long count, unsigned long long serial, word place);
"""


def cuda_c(gpu: GpuProgram) -> str:
    """All kernels of a GpuProgram, each once."""
    steps = list(all_steps(gpu.program.steps))
    products = {one.kernel: item.call for item in walked(gpu) for one in item.own}
    order: Counter[int] = Counter()
    texts: dict[str, str] = {}
    for one in launches(gpu.items):
        step = steps[one.step]
        place = order[one.step]
        order[one.step] += 1
        if one.kernel in texts:
            continue
        if one.kernel in products:
            texts[one.kernel] = product_text(gpu, one, products[one.kernel])
        else:
            assert isinstance(step, Kernel)
            texts[one.kernel] = KernelText(gpu, one, thinned(step.body), place).text()
    return "\n".join([PRELUDE, *texts.values()])


def walked(gpu: GpuProgram) -> list[Product]:
    """Every Product, also inside loops and branches."""
    found: list[Product] = []
    stack: list[Any] = list(gpu.items)
    while stack:
        item = stack.pop()
        if isinstance(item, Product):
            found.append(item)
        for part in ("body", "then", "other"):
            stack += getattr(item, part, ())
    return found


def product_text(gpu: GpuProgram, one: Launch, call: Call) -> str:
    """A product of matrices as what it computes, and what else becomes of its elements."""
    c = call.views[-1].buffer
    passed = [x.buffer for x in one.arguments if isinstance(x, Pointer)]
    then = epilogue_of(call, c not in passed) if call.epilogue else None
    text = KernelText(gpu, one, then.body if then else (), None)
    kind = TYPES[call.views[-1].dtype]
    known = set(text.stored) if then and not then.kept else {*text.stored, c}
    names = {k: f"{name}_again" if name in passed[:k] else name for k, name in enumerate(passed)}
    parameters = []
    for k, name in names.items():
        dtype = text.dtype_of(passed[k])
        parameters.append(f"{'' if passed[k] in known else 'const '}{TYPES.get(dtype, dtype)} *{name}")
    left, right = names[0], names[1]
    row, column = "i", "j"
    if then:
        row, column = (f"{x}_" if str(x) in passed else str(x) for x in (then.row, then.column))
        text.names |= {then.row: row, then.column: column}
    parameters += ["word m", "word n", "word k"]
    parameters += [f"word {x}_{part}" for x in "abc" for part in ("offset", "row", "column")]
    numbers = sum(isinstance(x, Number) for x in one.arguments)
    batch = (numbers - 12 - (len(then.sizes) if then else 0)) // 4
    parameters += [f"word {x}{k}" for k in range(batch) for x in ("batch", "a_batch", "b_batch", "c_batch")]
    parameters += [f"word {text.extent(polynomial([((s,), 1)]))}" for s in then.sizes] if then else []
    text.line(0, f"KERNEL {one.kernel}({', '.join(parameters)})")
    text.line(0, "{")
    top = len(text.lines)
    how = ", by tensor cores, operands rounded to tf32" if "_tf32_" in one.kernel else ""
    text.line(1, f"// in tiles, through shared memory, by blocks of threads{how}; what is computed:")
    text.line(1, f"for (word {row} = blockIdx.x; {row} < m; {row} += gridDim.x)")
    text.line(2, f"for (word {column} = threadIdx.x; {column} < n; {column} += blockDim.x) {{")
    text.line(3, f"{kind} {TOTAL} = 0;")
    text.line(3, "for (word p = 0; p < k; p++)")
    text.line(
        4,
        f"{TOTAL} += {left}[a_offset + {row} * a_row + p * a_column] * {right}[b_offset + p * b_row + {column} * b_column];",
    )
    if then is None or then.kept:
        text.line(3, f"{c}[c_offset + {row} * c_row + {column} * c_column] = {TOTAL};")
    if then:
        text.block(then.body, 3)
    text.line(2, "}" + ("  // and so for each matrix of the batch" if batch else ""))
    text.line(0, "}")
    text.lines[top:top] = text.opening
    return "\n".join(text.lines) + "\n"


class KernelText:
    """One kernel being written."""

    def __init__(self, gpu: GpuProgram, one: Launch, body: tuple[Stmt, ...], place: int | None) -> None:
        self.gpu, self.one, self.body = gpu, one, body
        self.in_tiles = place is None or contraction_of(body) is not None
        self.parts = [] if place is None or self.in_tiles else kernels_of(body)[place]
        self.buffers = [a.buffer for a in one.arguments if isinstance(a, Pointer)]
        items = walk(*body)
        own = {x.index for x in items if isinstance(x, For)}
        self.stored = {x.view.buffer for x in items if isinstance(x, Store)}
        self.names = {s: f"{s}_" if str(s) in self.buffers else str(s) for s in own}
        # only asked what it would do
        self.writer = GroupWriter(GpuModule(GPU), dict.fromkeys(self.buffers, "%b"), own)
        self.lines: list[str] = []
        self.sizes: dict[Compound, str] = {}  # what sizes alone decide: named at the top
        self.opening: list[str] = []
        self.count = 0

    def text(self) -> str:
        parameters = []
        for a in self.one.arguments:
            if isinstance(a, Pointer):
                kind = TYPES.get(self.dtype_of(a.buffer), self.dtype_of(a.buffer))
                parameters.append(f"{'' if a.buffer in self.stored else 'const '}{kind} *{a.buffer}")
            else:
                parameters.append(f"word {self.extent(a.value)}")
        self.line(0, f"KERNEL {self.one.kernel}({', '.join(parameters)})")
        self.line(0, "{")
        top = len(self.lines)
        if self.in_tiles:
            self.line(1, "// in tiles, through shared memory, by blocks of threads; what is computed:")
            self.block(self.body, 1)
        elif len(self.parts) == 1:
            self.part(self.parts[0], "blockIdx.x", "gridDim.x", 1)
        else:
            self.line(1, "word block = blockIdx.x;  // each part has blocks of its own")
            for k, part in enumerate(self.parts):
                blocks = self.extent(part.blocks(self.writer.taken(part.loops[-1]) if part.way == "threads" else 1))
                self.line(1, f"if (const word blocks = {blocks}; 0 <= block && block < blocks) {{")
                self.part(part, "block", "blocks", 2)
                self.line(1, "}")
                if k + 1 < len(self.parts):
                    self.line(1, f"block -= {blocks};")
        self.line(0, "}")
        self.lines[top:top] = self.opening
        return "\n".join(self.lines) + "\n"

    def part(self, part: Part, block: str, blocks: str, depth: int) -> None:
        """What one block, of so many, does."""
        self.way, self.loops, self.inside = part.way, part.loops, part.inside
        size = {"threads": 1, "tiles": 1, "warps": WARP, "blocks": THREADS}[part.way]
        self.writer.size_of_group = size
        self.writer.hazards.clear()
        self.line(depth, f"// {WHO[part.way] if part.loops else 'one block'}")
        if size == 1:
            self.line(
                depth, f"const word thread = {block} * {THREADS}LL + threadIdx.x, threads = {blocks} * {THREADS}LL;"
            )
            self.grid("thread", "threads", depth)
            return
        if size == WARP:
            each = THREADS // WARP
            self.line(depth, f"const word lane = threadIdx.x % {WARP}, lanes = {WARP};")
            self.line(
                depth, f"const word group = {block} * {each}LL + threadIdx.x / {WARP}, groups = {blocks} * {each}LL;"
            )
        else:
            self.line(depth, f"const word lane = threadIdx.x, lanes = {THREADS};")
            if part.loops:
                self.line(depth, f"const word group = {block}, groups = {blocks};")
        if part.loops:
            self.grid("group", "groups", depth)
        else:
            self.together(part.inside, depth)

    def dtype_of(self, buffer: str) -> str:
        return self.gpu.program.buffers[buffer].dtype

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def grid(self, first: str, step: str, depth: int) -> None:
        """The loops whose rounds are dealt out to the grid, as one."""
        if self.way == "threads" and (many := self.writer.taken(self.loops[-1])) > 1:
            how = f"elements a thread, {LANES} apart, of which one block of words makes all"
            if not self.writer.runs_of(self.loops[-1]):
                how = "neighbours a thread, as one access where they lie well"
            self.line(depth, f"// {many} {how}")
        self.dealt(self.loops, first, step, depth)
        if self.way in ("threads", "tiles"):
            self.block(self.inside, depth + 1)
        else:
            self.together(self.inside, depth + 1)
        self.line(depth, "}")

    def dealt(self, loops: Sequence[For], first: str, step: str, depth: int) -> None:
        """The head of a loop over all rounds of some loops, and their indices."""
        if len(loops) == 1:
            i = self.names[loops[0].index]
            self.line(depth, f"for (word {i} = {first}; {i} < {self.extent(loops[0].extent)}; {i} += {step}) {{")
            return
        self.count += 1
        u = f"round{self.count}"
        total = " * ".join(f"({self.extent(x.extent)})" for x in loops)
        self.line(depth, f"for (word {u} = {first}; {u} < {total}; {u} += {step}) {{")
        for k, x in enumerate(loops):
            inner = product(y.extent for y in loops[k + 1 :])
            place = u if inner == 1 else f"{u} / ({self.extent(inner)})"
            place = place if k == 0 else f"{place} % ({self.extent(x.extent)})"
            self.line(depth + 1, f"const word {self.names[x.index]} = {place};")

    # statements

    def block(self, body: Sequence[Stmt], depth: int) -> None:
        """Statements of one thread."""
        for s in body:
            if isinstance(s, For):
                i = self.names[s.index]
                self.line(depth, f"for (word {i} = 0; {i} < {self.extent(s.extent)}; {i}++) {{")
                self.block(s.body, depth + 1)
                self.line(depth, "}")
            else:
                self.statement(s, depth)

    def together(self, body: Sequence[Stmt], depth: int) -> None:
        """Statements of a group of threads."""
        fresh: set[str] = set()  # variables that hold what a fold begins with
        for s in body:
            if isinstance(s, Local | Assign):
                self.before(self.writer.touches(s, Touch("all", ())), depth)
                self.statement(s, depth)
                fresh.discard(s.name)
                if isinstance(s.value, Const):
                    fresh.add(s.name)
            elif isinstance(s, For) and (folds := folds_of(s)) is not None:
                self.deal(s, folds, fresh, depth)
            elif isinstance(s, For) and carried_of(s) is not None:
                self.before(self.writer.touches(s, Touch("dealt", ())), depth)
                self.line(depth, "// shared by all threads of the group, with the result of one:")
                self.block([s], depth)
            elif isinstance(s, For) and has_dealt(s.body):
                self.in_step(s, depth)
            elif isinstance(s, Barrier):
                self.meet(depth)
            else:
                self.before(self.writer.touches(s, Touch("first", ())), depth)
                self.line(depth, "if (lane == 0) {")
                self.block([s], depth + 1)
                self.line(depth, "}")
                own = {x.name for x in walk(s) if isinstance(x, Local)}
                for name in sorted({x.name for x in walk(s) if isinstance(x, Assign)} - own):
                    self.line(depth, f"{name} = first_thread({name});")

    def in_step(self, loop: For, depth: int) -> None:
        """A loop whose rounds run in order, all threads in each."""
        everything = self.writer.all_touches(loop.body)
        if self.writer.hazards.clash(everything):
            self.meet(depth)
        i = self.names[loop.index]
        self.line(depth, f"for (word {i} = 0; {i} < {self.extent(loop.extent)}; {i}++) {{")
        outside = {name: list(touches) for name, touches in self.writer.hazards.pending.items()}
        self.together(loop.body, depth + 1)
        if Hazards(everything).clash(everything):
            self.meet(depth + 1)
        self.line(depth, "}")
        self.writer.hazards.pending = outside
        self.writer.hazards.add(everything)

    def deal(self, loop: For, folds: Mapping[str, Fold], fresh: set[str], depth: int) -> None:
        """A loop dealt out to the threads of a group, and its sums."""
        loops, plan = self.writer.dealt(loop, dict(folds))
        self.before(self.writer.touches(loop, self.writer.how(loops, plan)), depth)
        kept = [name for name in folds if name not in fresh]
        for name in kept:
            kind = TYPES.get(folds[name].dtype, folds[name].dtype)
            start = self.constant(identity(folds[name].primitive, folds[name].dtype), folds[name].dtype)
            self.line(depth, f"const {kind} {name}_before = {name}; {name} = {start};")
        self.dealt(loops, "lane", "lanes", depth)
        self.block(loops[-1].body, depth + 1)
        self.line(depth, "}")
        for name, fold in folds.items():
            total = f"group_{fold.primitive}({name})"
            if name in kept:
                total = self.applied(fold.primitive, [f"{name}_before", total], fold.dtype)
            self.line(depth, f"{name} = {total};")
            fresh.discard(name)
        if folds and self.way == "blocks":
            self.writer.hazards.clear()  # all threads of a block meet where their sums do

    def before(self, touches: dict[str, list[Touch]], depth: int) -> None:
        if self.writer.hazards.clash(touches):
            self.meet(depth)
        self.writer.hazards.add(touches)

    def meet(self, depth: int) -> None:
        self.line(depth, "__syncwarp();" if self.way == "warps" else "__syncthreads();")
        self.writer.hazards.clear()

    def statement(self, s: Stmt, depth: int) -> None:
        """One assignment; what it uses more than once is named before it."""
        assert isinstance(s, Local | Assign | Store)
        roots = [s.value, *(i for i in s.at if is_value(i))] if isinstance(s, Store) else [s.value]
        uses = Counter(id(p) for x in unguarded(roots) for p in parts(x) if not isinstance(x, Guard))
        done: dict[int, str] = {}
        for x in reversed(unguarded(roots)):
            if uses[id(x)] > 1 and isinstance(x, Apply | Checked):
                text = self.value(x, done)
                self.count += 1
                done[id(x)] = f"v{self.count}"
                self.line(depth, f"const {TYPES.get(x.dtype, x.dtype)} v{self.count} = {text};")
        value = self.value(s.value, done)
        match s:
            case Local(name):
                self.line(depth, f"{TYPES.get(s.value.dtype, s.value.dtype)} {name} = {value};")
            case Assign(name):
                self.line(depth, f"{name} = {value};")
            case Store(view, at):
                self.line(depth, f"{self.place(view, at, done)} = {value};")

    # values

    def value(self, root: Any, done: Mapping[int, str]) -> str:
        """A value as an expression."""
        texts: dict[int, str] = dict(done)
        stack = [root]
        while stack:
            item = stack[-1]
            missing = [p for p in parts(item) if id(p) not in texts] if id(item) not in texts else []
            if missing:
                stack += missing
                continue
            stack.pop()
            if id(item) not in texts:
                texts[id(item)] = self.written(item, texts)
        return texts[id(root)]

    def written(self, item: Any, texts: Mapping[int, str]) -> str:
        match item:
            case Load(view, at):
                return self.place(view, at, texts)
            case Const(number, dtype):
                return self.constant(number, dtype)
            case Position(extent, dtype):
                return f"({TYPES.get(dtype, dtype)})({self.extent(extent)})"
            case Ref(name):
                return str(name)
            case Checked(value, extent, code):
                return f"checked({texts[id(value)]}, {self.extent(extent)}, {code})"
            case Guard(bounds, value, other):
                inside = " && ".join(f"0 <= {self.extent(i)} && {self.extent(i)} < {self.extent(n)}" for i, n in bounds)
                return f"({inside or 'true'} ? {texts[id(value)]} : {texts[id(other)]})"
            case Apply("cast", (x,), dtype):
                return f"({TYPES.get(dtype, dtype)})({texts[id(x)]})"
            case Apply(primitive, args, dtype):
                of = args[0].dtype if primitive in ("eq", "ne", "lt", "le", "gt", "ge", "isnan") else dtype
                return self.applied(primitive, [texts[id(a)] for a in args], of)
        raise TypeError(item)

    def applied(self, primitive: str, args: Sequence[str], dtype: str) -> str:
        """A primitive of operands as text."""
        if primitive in INFIX and dtype not in WIDE:
            return f"({args[0]} {INFIX[primitive]} {args[1]})"
        match primitive:
            case "where":
                return f"({args[0]} ? {args[1]} : {args[2]})"
            case "neg":
                return f"-{args[0]}"
            case "invert":
                return f"{'!' if dtype == 'bool' else '~'}{args[0]}"
        if primitive in ("maximum", "minimum", "abs") and not dtype.startswith("float"):
            return f"{ {'maximum': 'larger', 'minimum': 'smaller', 'abs': 'abs'}[primitive] }({', '.join(args)})"
        name = NAMES.get(primitive, primitive)
        if primitive in NAMES and dtype == "float32":
            name += "f"
        return f"{name}({', '.join(args)})"

    def constant(self, number: Any, dtype: str) -> str:
        if dtype in WIDE:
            return f"{dtype}({number})"
        if dtype == "bool":
            return "true" if number else "false"
        if not dtype.startswith("float"):
            return f"({TYPES[dtype]})({int(number)}{'ULL' if dtype == 'uint64' else 'LL'})"
        x = float(number)
        mark = "f" if dtype == "float32" else ""
        if math.isnan(x):
            return f'nan{mark}("")'
        if math.isinf(x):
            return ("-" if x < 0 else "") + (
                "__int_as_float(0x7f800000)" if mark else "__longlong_as_double(0x7ff0000000000000LL)"
            )
        return f"{x!r}{mark}" if x >= 0 else f"({x!r}{mark})"

    def place(self, view: View, at: Sequence[Index], texts: Mapping[int, str]) -> str:
        """An element in memory."""
        place: Extent = view.offset
        gathered = []
        for i, stride in zip(at, view.strides, strict=True):
            if isinstance(i, Extent):
                place = place + i * stride
            else:
                step = "" if stride == 1 else f" * ({self.extent(stride)})"
                gathered.append(f"{self.value(i, texts)}{step}")
        index = [self.extent(place)] if place != 0 or not gathered else []
        return f"{view.buffer}[{' + '.join([*index, *gathered])}]"

    def extent(self, extent: Extent) -> str:
        """A size or place as C."""
        out = ""
        for atoms, k in terms_of(extent):
            names = [self.atom(a) for a in atoms]
            if abs(k) != 1 or not names:
                names.insert(0, str(abs(k)))
            out += (("-" if not out else " - ") if k < 0 else (" + " if out else "")) + " * ".join(names)
        return out or "0"

    def atom(self, atom: Symbol | Compound) -> str:
        if isinstance(atom, Symbol):
            return self.names.get(atom, str(atom))
        if atom in self.sizes:
            return self.sizes[atom]
        left, right = self.extent(atom.left), self.extent(atom.right)
        text = f"{'larger' if atom.function == 'max' else 'smaller'}<word>({left}, {right})"
        if atom.function == "floordiv":
            text = f"(({left}) / ({right}))"
        if (symbols(atom.left) | symbols(atom.right)).isdisjoint(self.names):
            name = self.sizes[atom] = f"n{len(self.sizes)}"
            self.opening.append(f"    const word {name} = {text};")
            return name
        return text


def unguarded(roots: Sequence[Any]) -> list[Any]:
    """Values that are computed in any case, outer before inner: not the sides of guards."""
    found: dict[int, Any] = {}
    stack = list(reversed(roots))
    while stack:
        item = stack.pop()
        found.pop(id(item), None)  # after all that use it
        found[id(item)] = item
        if not isinstance(item, Guard):
            stack += reversed(parts(item))
    return list(found.values())
