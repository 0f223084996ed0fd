"""Epilogues of products: a loop nest over a whole product as a function that takes one block of it.

    void epilogue(context, block, stride, i, j, m, n)

runs the rounds of m rows from i on and n columns from j on; the product's element (i + r, j + s) stands at
block + r*stride + s, everything else where the context says: addresses of buffers, then sizes.
"""

from __future__ import annotations

from symdl.backends.llvm.kernels import kernel
from symdl.backends.llvm.module import Module, Writer
from symdl.ir.loops import For, Stmt, View
from symdl.ir.rebuilding import rebuilt
from symdl.types import Symbol, symbol

HEAD = "(ptr %context, ptr %block, i64 %stride, i64 %i, i64 %j, i64 %m, i64 %n)"
ROW, COLUMN, STRIDE, ROWS, COLUMNS = (f"_{name}" for name in ("i", "j", "stride", "m", "n"))
GIVEN = {STRIDE: "%stride", ROW: "%i", COLUMN: "%j", ROWS: "%m", COLUMNS: "%n"}


def epilogue(
    module: Module, body: tuple[Stmt, ...], product: View, ranged: bool = False
) -> tuple[str, list[str], list[Symbol]]:
    """(name, buffers, sizes) of the function for an epilogue: what to pass to the product, and what its context holds."""
    nest = on_block(body, product)
    name, buffers, sizes = kernel(module, nest, ranged)
    module.kernel_of[id(body)] = name
    w = Writer(module.target)
    kept = [b for b in buffers if b != product.buffer]
    found = {product.buffer: "%block"} | {b: w.pointer_at("%context", k) for k, b in enumerate(kept)}
    passed = [f"ptr {found[b]}" for b in buffers]
    outside = [s for s in sizes if str(s) not in GIVEN]
    for s in sizes:
        if s in outside:
            place = w.emit(
                f"getelementptr inbounds i64, ptr %context, i64 {len(kept) + outside.index(s)}", "int64"
            ).text
            word = w.emit(f"load i64, ptr {place}", "int64").text
        else:
            word = GIVEN[str(s)]
        if w.word != "i64":
            word = w.emit(f"trunc i64 {word} to {w.word}", "int64").text
        passed.append(f"{w.word} {word}")
    w.line(f"%status = call i64 @{name}({', '.join(passed)})")
    w.line("ret void")
    return module.share("epilogue", HEAD, w.finished(), w, result="void"), kept, outside


def on_block(body: tuple[Stmt, ...], product: View) -> tuple[Stmt, ...]:
    """The nest over the rows and columns of a block, the product being the block."""
    match body:
        case (For(row, _, (For(column, _, inner),)),):
            pass
        case _:
            raise AssertionError("verified: an epilogue is a nest over rows and columns")
    i, j, m, n = symbol(str(row)), symbol(str(column)), symbol(ROWS), symbol(COLUMNS)
    first = symbol(ROW), symbol(COLUMN)
    stride = symbol(STRIDE)
    # In the block's own view the first element of the block is the product's element (first row, first column).
    block = View(product.buffer, product.dtype, (m, n), (stride, 1), -first[0] * stride - first[1])
    inside = rebuilt(
        inner,
        views=lambda view: block if view.buffer == product.buffer else view,
        symbols={row: first[0] + i, column: first[1] + j},
    )
    return (For(row, m, (For(column, n, inside),)),)
