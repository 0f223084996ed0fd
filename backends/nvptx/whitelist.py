"""What LLVM may be given for NVPTX: code that it cannot translate does not raise there, it ends the process.

    verify_ptx_safe(text, capability)       raises InternalError, naming the line

Known are the intrinsics, instructions and types below, which LLVM 20 and LLVM 22 translate for sm_75, or from where LATER says
(each was tried, in a process of its own: tests/test_nvptx_whitelist.py does it again); everything else is refused. Refused as well is what
would be translated to something else than it says: `frem`, which NVPTX takes for a - trunc(a/b) b; the flags that allow
approximations, which LLVM 20 ignores and LLVM 22 does not; calls of functions that nobody defines.
"""

from __future__ import annotations

import re

from symdl.errors import InternalError

FLOAT, DOUBLE, INTEGERS = "f32", "f64", ("i8", "i16", "i32", "i64")
_FLOATS = frozenset({FLOAT, DOUBLE})
_INTEGERS = frozenset({"i1", *INTEGERS})

# llvm.NAME.TYPE: the types of an element; vectors of them are taken apart by LLVM.
BY_TYPE: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        ("sqrt", "fabs", "floor", "ceil", "trunc", "rint", "nearbyint", "roundeven", "round", "copysign", "fma"),
        _FLOATS,
    ),
    **dict.fromkeys(("fmuladd", "minnum", "maxnum", "minimum", "maximum"), _FLOATS),
    **dict.fromkeys(("ctpop", "cttz", "bitreverse", "abs"), _INTEGERS),
    "ctlz": _INTEGERS | {"i320"},  # of a long product with 2/pi
    "umin": _INTEGERS | {"i320"},
    "bswap": frozenset({"i16", "i32", "i64"}),
    **dict.fromkeys(("smax", "smin", "umax", "fshl", "fshr"), _INTEGERS),
    **dict.fromkeys(("sadd.sat", "uadd.sat", "ssub.sat", "usub.sat"), _INTEGERS),
    **dict.fromkeys(
        tuple(f"{sign}{op}.with.overflow" for sign in "su" for op in ("add", "sub", "mul")), frozenset(INTEGERS)
    ),
    **dict.fromkeys(("fptosi.sat", "fptoui.sat"), _INTEGERS),
    **dict.fromkeys(tuple(f"vector.reduce.{op}" for op in ("fadd", "fmul", "fmax", "fmin")), _FLOATS),
    **dict.fromkeys(
        tuple(f"vector.reduce.{op}" for op in ("add", "mul", "smax", "smin", "umax", "umin", "and", "or", "xor")),
        _INTEGERS,
    ),
}
PLAIN = frozenset(
    {
        "assume", "trap", "lifetime.start", "lifetime.end", "memcpy", "memset", "memmove", "ldexp", "is.fpclass",
        "masked.load", "masked.store", "masked.gather", "masked.scatter",
    }
)  # fmt: skip
# llvm.nvvm.NAME, as whole names
NVVM = re.compile(
    r"(?x) read\.ptx\.sreg\.(?:(?:tid|ntid|ctaid|nctaid)\.[xyz]|laneid|warpid|warpsize)"
    r"| barrier0 | barrier\.cta\.sync\.aligned\.all | bar\.warp\.sync | membar\.(?:cta|gl|sys)"
    r"| shfl\.sync\.(?:up|down|bfly|idx)\.(?:i32|f32)p? | vote\.(?:all|any|uni|ballot)\.sync"
    r"| (?:ex2|lg2|rsqrt|sqrt|sin|cos|rcp)\.approx(?:\.ftz)?\.f(?:32)? | div\.approx(?:\.ftz)?\.f(?:32)?"
    r"| (?:sqrt|rcp)\.rn\.[fd] | (?:fma|div|add|mul)\.rn\.[fd]"
)
# those that older devices do not have: the first compute capability that does
LATER = {"f2tf32.rna": (8, 0), "mma.m16n8k8.row.col.tf32": (8, 0)}
# Inline assembly, by its text: the one fused tanh, which has no intrinsic in LLVM 20.
ASSEMBLY = frozenset({"tanh.approx.f32 $0,$1;"})

# (pattern, what it is, texts of which one stands wherever the pattern matches: most modules have none)
_FORBIDDEN = (
    (re.compile(r"\bfrem\b"), "frem, which NVPTX takes for a - trunc(a/b) b", ("frem",)),
    (
        re.compile(r"\b(?:fast|afn|arcp|reassoc|nnan|ninf)\b"),
        "a flag that lets LLVM change results",
        ("fast", "afn", "arcp", "reassoc", "nnan", "ninf"),
    ),
    (
        re.compile(r"\b(?:fp128|x86_fp80|ppc_fp128|x86_amx)\b"),
        "a type that no GPU has",
        ("fp128", "x86_fp80", "x86_amx"),
    ),
    (
        re.compile(r"\b(?:sitofp|uitofp) i128\b|\b(?:fptosi|fptoui) [^,]* to i128\b"),
        "a float from or to i128",
        ("i128",),
    ),
    (
        re.compile(r"\b(?:invoke|callbr|landingpad|resume|indirectbr|va_arg|cleanupret|catchswitch)\b"),
        "no code of a GPU",
        ("invoke", "callbr", "landingpad", "resume", "indirectbr", "va_arg", "cleanupret", "catchswitch"),
    ),
    (re.compile(r"= alloca [^,]*, i(?:8|16|32|64) %"), "memory of a size that is only known at run time", ("alloca",)),
    (
        re.compile(r"^define [^@(]*\bi(?:129|1[3-9]\d|[2-9]\d\d|\d{4,}) @", re.MULTILINE),
        "a result of more than 128 bits",
        ("define",),
    ),
    (re.compile(r"^@\S+ = (?:.* )?(?:alias|ifunc) ", re.MULTILINE), "an alias", (" alias ", " ifunc ")),
    (re.compile(r"\bthread_local\b"), "a variable of each thread", ("thread_local",)),
    (re.compile(r"^@\S+ = appending ", re.MULTILINE), "a list that the linker joins", ("appending",)),
    (
        re.compile(r"addrspacecast ptr addrspace\([1-9]\d*\) \S+ to ptr addrspace\([1-9]"),
        "a cast between memories",
        ("addrspacecast",),
    ),
)
_FLAGGED = re.compile(r"^\s*(?:%\S+ = )?(?:tail )?(?:f(?:add|sub|mul|div|neg|rem|cmp)|call|select|phi)\b")
_INTRINSIC = re.compile(r"@\"?llvm\.([\w.]+)")
_CALLED = re.compile(r"\b(?:call|invoke) [^@]*@\"?([\w.$]+)\"?\(")
_DEFINED = re.compile(r"^define [^@]*@\"?([\w.$]+)\"?\(", re.MULTILINE)


def verify_ptx_safe(text: str, capability: tuple[int, int]) -> None:
    """Raises InternalError where LLVM IR holds what NVPTX would not translate for a device, or not as it says."""
    lines = text.splitlines()
    heads = "\n".join(line for line in lines if line.startswith("define "))
    defined = set(_DEFINED.findall(heads))
    if not _suspicious(text, lines, heads, defined, capability):
        return
    for number, line in enumerate(lines, 1):
        bare = line if '"' in line else line.partition(";")[0]
        if not bare.strip() or bare.startswith(("!", "attributes", "target", "source_filename")):
            continue
        wrong = _wrong(bare, defined, capability)
        if wrong:
            raise InternalError(f"line {number} of the code for the GPU has {wrong}", (), bare.strip())


def _suspicious(text: str, lines: list[str], heads: str, defined: set[str], capability: tuple[int, int]) -> bool:
    """Whether any line may be wrong: a quick look at all of them."""
    calls = "\n".join(line for line in lines if "call " in line or "invoke " in line)
    return (
        " asm " in text
        or any(
            any(word in text for word in words) and pattern.search(heads if words == ("define",) else text)
            for pattern, _, words in _FORBIDDEN
        )
        or not all(known(name, capability) for name in set(_INTRINSIC.findall(text)))
        or not all(n.startswith("llvm.") or n in defined for n in set(_CALLED.findall(calls)))
    )


def _wrong(line: str, defined: set[str], capability: tuple[int, int]) -> str:
    """What is wrong with a line, or nothing."""
    for pattern, what, _ in _FORBIDDEN:
        if pattern.search(line) and (not what.startswith("a flag") or _FLAGGED.match(line)):
            return what
    for name in _INTRINSIC.findall(line):
        if not known(name, capability):
            return f"llvm.{name}, which is not known to work there"
    if " asm " in line and not any(f'"{text}"' in line for text in ASSEMBLY):
        return "inline assembly that is not known"
    for name in _CALLED.findall(line):
        if not name.startswith("llvm.") and name not in defined:
            return f"a call of {name}, which nobody defines"
    return ""


def known(name: str, capability: tuple[int, int]) -> bool:
    """Whether an intrinsic (without `llvm.`) is on the list for a device."""
    if name.startswith("nvvm."):
        return NVVM.fullmatch(name[5:]) is not None or LATER.get(name[5:], (99, 0)) <= capability
    stem = name.rpartition(".")[0]
    while stem:
        if stem in BY_TYPE:
            first = name[len(stem) + 1 :].split(".")[0]
            return re.sub(r"^v\d+", "", first) in BY_TYPE[stem]
        if stem in PLAIN:
            return True
        stem = stem.rpartition(".")[0]
    return name in PLAIN
