"""A Builder writes LLVM IR as text, one typed SSA value at a time, for scalars or for explicit vectors.

Text is written, not `llvmlite.ir` objects, because it is several times quicker. The syntax (opaque pointers,
`splat (double ...)`) needs LLVM 19 or newer.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

from symdl.number_forms import LIMBS, limbs_of

LLVM_TYPE = {
    "bool": "i1",
    **{f"{sign}int{bits}": f"i{bits}" for bits in (8, 16, 32, 64) for sign in ("", "u")},
    "float32": "float",
    "float64": "double",
    **{dtype: f"{{ {', '.join(['double'] * len(limbs))} }}" for dtype, limbs in LIMBS.items()},
}
BITS = {
    "bool": 1,
    "float32": 32,
    "float64": 64,
    **{f"{s}int{n}": n for n in (8, 16, 32, 64) for s in ("", "u")},
    **{dtype: 64 * len(limbs) for dtype, limbs in LIMBS.items()},
}
FLOATS = frozenset({"float32", "float64"})
UNSIGNED = frozenset({"bool", "uint8", "uint16", "uint32", "uint64"})
LONG_SUM = 6  # differences of which lost parts are made, two a sum, after which a block that computes nothing else is a long sum
SINGLE, DOUBLE = struct.Struct(">f"), struct.Struct(">d")

_FCMP = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}


# Nobody changes one; frozen ones take three times as long to make, half a million a second.
@dataclass(slots=True, unsafe_hash=True)
class Reg:
    """A value of the function under construction: its IR text (a name or a constant) and its symdl dtype."""

    text: str
    dtype: str


Operand = Reg | float


def vector_type(dtype: str, lanes: int) -> str:
    """The IR type of a vector of so many numbers; a number form is a struct of vectors."""
    kind = LLVM_TYPE[dtype]
    return kind.replace("double", f"<{lanes} x double>") if dtype in LIMBS else f"<{lanes} x {kind}>"


def hexadecimal(number: float, dtype: str) -> str:
    """The exact IR text of a float: always the 64-bit pattern, for float32 that of the rounded number."""
    if dtype == "float32":
        try:
            (number,) = SINGLE.unpack(SINGLE.pack(number))
        except OverflowError:  # rounds beyond the largest float32
            number = math.copysign(math.inf, number)
    return f"0x{DOUBLE.pack(number).hex().upper()}"


class Builder:
    """Emits the body of one function.

    lanes 0 means scalars, N means <N x T> vectors. `fused` says that the machine has a fused multiply-add (on x86: AVX2
    or newer); without it `llvm.fma` and, before SSE4.1, `llvm.floor` would become a library call per element. `permutes`
    says that vectors of 8 float64 take a table of 16 from registers (AVX-512). `spare` says that the machine has units for
    products that no sum takes (AMD since Zen 3): see `sub`.
    `declarations` collects what the module must hold beside the function: one text per declare line or internal
    function definition; unite the sets of all Builders of a module and write each text once.
    """

    def __init__(
        self, lanes: int = 0, fma: bool = True, prefix: str = "v", permutes: bool = False, spare: bool = False
    ) -> None:
        self.lanes = lanes
        self.fused = fma
        self.permutes, self.spare = permutes, spare
        self.prefix = prefix
        self.lines: list[str] = []
        self.declarations: set[str] = set()
        self.limbs: dict[str, Any] = {}  # of number forms, by text: what they were made of, to be used directly
        # of registers, by text, that are never negative (1) or never positive (-1), but for NaN
        self.signs: dict[str, int] = {}
        self.products: dict[str, tuple[Operand, Operand]] = {}  # factors of products of floats, by text
        self.only_sums = True  # no product nor function, in this basic block, so far
        self._terms: dict[str, tuple[str, str]] = {}  # of sums of floats, by text, where there are spare units
        self._parts: dict[str, str] = {}  # a difference of such a sum and one of its terms -> the sum
        self._told: set[str] = set()  # those of which the lost part of a sum is made
        self._constants: dict[tuple[float, str, int], Reg] = {}  # but for zeros, whose signs differ
        self.in_block: dict[str, Reg] = {}  # what this basic block has computed, by the instruction
        self._types = LLVM_TYPE if not lanes else {d: vector_type(d, lanes) for d in LLVM_TYPE}
        self._count = 0

    # text

    def fresh(self, prefix: str | None = None) -> str:
        """A new name for a value or a label, without the percent sign."""
        self._count += 1
        return f"{prefix or self.prefix}{self._count}"

    def line(self, text: str) -> None:
        """Append one instruction as it stands."""
        self.lines.append("  " + text)

    def label(self, name: str) -> None:
        """Open a basic block."""
        self.lines.append(name + ":")
        self.in_block, self.only_sums, self._told = {}, True, set()

    def type(self, dtype: str) -> str:
        """The IR type of a register of this dtype."""
        return self._types[dtype]

    def suffix(self, dtype: str) -> str:
        """The type part of an intrinsic's name, such as v8f64."""
        kind = f"f{dtype[5:]}" if dtype.startswith("float") else f"i{BITS[dtype]}"
        return f"v{self.lanes}{kind}" if self.lanes else kind

    def emit(self, rhs: str, dtype: str) -> Reg:
        """`%fresh = rhs`."""
        self._count += 1
        name = f"%{self.prefix}{self._count}"
        self.lines.append(f"  {name} = {rhs}")
        return Reg(name, dtype)

    def pure(self, rhs: str, dtype: str) -> Reg:
        """The same for an instruction without effects, which a basic block needs but once."""
        found = self.in_block.get(rhs)
        if found is None or found.dtype != dtype:
            found = self.in_block[rhs] = self.emit(rhs, dtype)
        return found

    # values

    def const(self, number: float, dtype: str) -> Reg:
        """A constant, in every lane. Integers wrap to the width of the dtype; a number form takes a Fraction, too."""
        if dtype in LIMBS:
            limbs = tuple(self.const(x, "float64") for x in limbs_of(number, dtype))
            kind = self.type("float64")
            text = f"{{ {', '.join(f'{kind} {limb.text}' for limb in limbs)} }}"
            self.limbs[text] = limbs
            return Reg(text, dtype)
        key = number, dtype, self.lanes
        if number and (known := self._constants.get(key)) is not None:
            return known
        if dtype in FLOATS:
            text = hexadecimal(float(number), dtype)
        elif dtype == "bool":
            text = "true" if number else "false"
        else:
            bits = BITS[dtype]
            wrapped = int(number) & ((1 << bits) - 1)
            text = str(wrapped - (1 << bits) if wrapped >> (bits - 1) else wrapped)
        made = Reg(f"splat ({LLVM_TYPE[dtype]} {text})" if self.lanes else text, dtype)
        if number:
            self._constants[key] = made
        return made

    def operands(self, a: Operand, b: Operand) -> tuple[Reg, Reg]:
        """Both as registers; a number takes the dtype of the other operand."""
        if isinstance(a, Reg):
            return a, b if isinstance(b, Reg) else self.const(b, a.dtype)
        if isinstance(b, Reg):
            return self.const(a, b.dtype), b
        raise TypeError(f"two numbers, {a} and {b}, have no dtype")

    def _binary(self, name: str, a: Operand, b: Operand) -> Reg:
        x, y = self.operands(a, b)
        return self.pure(f"{name} {self.type(x.dtype)} {x.text}, {y.text}", x.dtype)

    def _arithmetic(self, name: str, a: Operand, b: Operand) -> Reg:
        x, y = self.operands(a, b)
        kind = "f" if x.dtype in FLOATS else ""
        return self.pure(f"{kind}{name} {self.type(x.dtype)} {x.text}, {y.text}", x.dtype)

    # arithmetic

    def add(self, a: Operand, b: Operand) -> Reg:
        found = self._arithmetic("add", a, b)
        if self.spare and found.dtype in FLOATS:
            x, y = self.operands(a, b)
            self._terms[found.text] = x.text, y.text
        return found

    def sub(self, a: Operand, b: Operand) -> Reg:
        """a - b. What a sum has lost takes more sums than the sum itself, and few wait for them: in vectors `spare` units take them,
        as a - 1 b, which is the same number, in a long sum (beside products it does not pay). LLVM must not see the 1, or it would
        make a subtraction of it."""
        x, y = self.operands(a, b)
        if not self.spare or x.dtype not in FLOATS:
            return self._arithmetic("sub", x, y)
        whole = y.text in self._parts and self._parts[y.text] == x.text
        if (whole or y.text in self._told) and self.lanes and self.only_sums and len(self._told) >= LONG_SUM:
            one = self.intrinsic("arithmetic.fence", self.const(-1.0, x.dtype))
            found = self.intrinsic("fma", y, one, x)
        else:
            found = self._arithmetic("sub", x, y)
        if whole:
            self._told |= {found.text, y.text}
        elif y.text in self._terms.get(x.text, ()):
            self._parts[found.text] = x.text
        return found

    def mul(self, a: Operand, b: Operand) -> Reg:
        found = self._arithmetic("mul", a, b)
        if found.dtype in FLOATS:
            self.only_sums = False
            self.products[found.text] = a, b
            if a == b:
                self.signs[found.text] = 1
        return found

    def div(self, a: Operand, b: Operand) -> Reg:
        """Float division, or the machine's integer division: truncating, undefined for 0 and for minimum / -1."""
        x, y = self.operands(a, b)
        name = "fdiv" if x.dtype in FLOATS else "udiv" if x.dtype in UNSIGNED else "sdiv"
        return self._binary(name, x, y)

    def rem(self, a: Operand, b: Operand) -> Reg:
        """The integer remainder that belongs to `div`."""
        x, y = self.operands(a, b)
        return self._binary("urem" if x.dtype in UNSIGNED else "srem", x, y)

    def fma(self, a: Operand, b: Operand, c: Operand) -> Reg:
        """a*b + c, rounded once if the machine can."""
        known = next(v for v in (a, b, c) if isinstance(v, Reg))
        x, y, z = (v if isinstance(v, Reg) else self.const(v, known.dtype) for v in (a, b, c))
        self.only_sums = False
        return self.intrinsic("fma", x, y, z) if self.fused else self.add(self.mul(x, y), z)

    def fneg(self, a: Reg) -> Reg:
        found = self.pure(f"fneg {self.type(a.dtype)} {a.text}", a.dtype)
        if a.text in self.signs:
            self.signs[found.text] = -self.signs[a.text]
        return found

    def neg(self, a: Reg) -> Reg:
        return self.fneg(a) if a.dtype in FLOATS else self.sub(0, a)

    # bits

    def and_(self, a: Operand, b: Operand) -> Reg:
        return self._binary("and", a, b)

    def or_(self, a: Operand, b: Operand) -> Reg:
        return self._binary("or", a, b)

    def xor(self, a: Operand, b: Operand) -> Reg:
        return self._binary("xor", a, b)

    def not_(self, a: Reg) -> Reg:
        return self.xor(a, True if a.dtype == "bool" else -1)

    def shl(self, a: Operand, b: Operand) -> Reg:
        """Undefined (poison) for a shift by the width or more, like the other two."""
        return self._binary("shl", a, b)

    def lshr(self, a: Operand, b: Operand) -> Reg:
        return self._binary("lshr", a, b)

    def ashr(self, a: Operand, b: Operand) -> Reg:
        return self._binary("ashr", a, b)

    # choice

    def compare(self, predicate: str, a: Operand, b: Operand) -> Reg:
        """eq ne lt le gt ge by dtype (NaN: only ne holds), or a predicate of fcmp such as uno, ugt."""
        x, y = self.operands(a, b)
        if x.dtype in FLOATS:
            text = f"fcmp {_FCMP.get(predicate, predicate)}"
        elif predicate in ("eq", "ne"):
            text = f"icmp {predicate}"
        else:
            text = f"icmp {'u' if x.dtype in UNSIGNED else 's'}{predicate}"
        return self.pure(f"{text} {self.type(x.dtype)} {x.text}, {y.text}", "bool")

    def select(self, condition: Reg, a: Operand, b: Operand) -> Reg:
        x, y = self.operands(a, b)
        kind = self.type(x.dtype)
        return self.pure(f"select {self.type('bool')} {condition.text}, {kind} {x.text}, {kind} {y.text}", x.dtype)

    # conversion

    def convert(self, instruction: str, a: Reg, dtype: str) -> Reg:
        """One of sext zext trunc fptosi fptoui sitofp uitofp fpext fptrunc bitcast; nothing if the IR type stays."""
        if LLVM_TYPE[a.dtype] == LLVM_TYPE[dtype]:
            return Reg(a.text, dtype)
        found = self.pure(f"{instruction} {self.type(a.dtype)} {a.text} to {self.type(dtype)}", dtype)
        if instruction in ("fpext", "fptrunc") and a.text in self.signs:
            self.signs[found.text] = self.signs[a.text]
        return found

    def bits(self, a: Reg) -> Reg:
        """The bit pattern of a float as a signed integer of the same size."""
        return self.convert("bitcast", a, f"int{BITS[a.dtype]}")

    def unbits(self, a: Reg) -> Reg:
        """The float with this bit pattern."""
        return self.convert("bitcast", a, f"float{BITS[a.dtype]}")

    # calls

    def intrinsic(self, name: str, *args: Reg, dtype: str | None = None) -> Reg:
        """llvm.<name> on the type of the first argument, or on the types that a dotted name already spells out."""
        dtype = dtype or args[0].dtype
        full = name if name.startswith("llvm.") else f"llvm.{name}.{self.suffix(args[0].dtype)}"
        return self.call(full, *args, dtype=dtype)

    def call(self, function: str, *args: Reg, dtype: str, declare: bool = True) -> Reg:
        """Call a function without effects by name; declare=False if the module defines it."""
        result = self.type(dtype)
        if declare:
            self.declarations.add(f"declare {result} @{function}({', '.join(self.type(a.dtype) for a in args)})")
        passed = ", ".join(f"{self.type(a.dtype)} {a.text}" for a in args)
        return self.pure(f"call {result} @{function}({passed})", dtype)

    def fabs(self, a: Reg) -> Reg:
        found = self.intrinsic("fabs", a)
        self.signs[found.text] = 1
        return found

    def sqrt(self, a: Reg) -> Reg:
        return self.intrinsic("sqrt", a)

    def copysign(self, size: Reg, sign: Reg) -> Reg:
        return self.intrinsic("copysign", size, sign)
