"""Learning curves: each metric over the epochs, with matplotlib, or as SVG text without."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from symdl.errors import DataError
from symdl.plot.canvas import Axes, canvas

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 460.0, 240.0, 56.0, 12.0, 100.0, 30.0
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2")
TICKS = 5


def learning_curve(history: Any, metrics: Sequence[str] = ("loss",), ax: Axes | None = None) -> Axes:
    """The metrics of a History, and what validation says of each, dashed, over the number of the epoch.

    history: a History, or its dict of lists. Raises DataError for a metric that it does not hold.
    """
    table = table_of(history)
    ax = canvas(ax)
    for k, name in enumerate(_known(table, metrics)):
        for label, style in ((name, "-"), (f"val_{name}", "--")):
            if label in table:
                values = table[label]
                ax.plot(range(1, len(values) + 1), values, style, color=COLORS[k % len(COLORS)], label=label)
    ax.set_xlabel("epoch")
    ax.legend()
    ax.locator_params(axis="x", integer=True)  # there is no half epoch
    return ax


def learning_curve_svg(history: Any, metrics: Sequence[str] = ("loss",)) -> str:
    """The same as SVG text, which Jupyter shows; "" when there is no epoch yet. Numbers that are not finite are gaps."""
    table = table_of(history)
    curves = [
        (label, table[label]) for name in _known(table, metrics) for label in (name, f"val_{name}") if label in table
    ]
    epochs = max((len(values) for _, values in curves), default=0)
    finite = [v for _, values in curves for v in values if math.isfinite(v)]
    if not epochs or not finite:
        return ""
    ticks = round_ticks(min(finite), max(finite))
    low, high = ticks[0], ticks[-1]

    def place(epoch: float, value: float) -> tuple[float, float]:
        share = (epoch - 1) / max(epochs - 1, 1)
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        return x, TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{HEIGHT:g}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
        ' font-family="sans-serif" font-size="11" role="img">',
        f"<title>{html.escape(', '.join(label for label, _ in curves))}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for tick in ticks:
        (left, y), (right, _) = place(1, tick), place(epochs, tick)
        parts.append(f'<path d="M{LEFT:g} {y:.1f}H{max(right, left + 1):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    for epoch in sorted({1, epochs}):
        x, _ = place(epoch, low)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 12:g}" text-anchor="middle">{epoch}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 2:g}" text-anchor="middle">epoch</text>')
    color: dict[str, str] = {}
    for k, (label, values) in enumerate(curves):
        validated = label.startswith("val_")
        stroke = color.setdefault(label.removeprefix("val_"), COLORS[len(color) % len(COLORS)])
        dash = ' stroke-dasharray="5 3"' if validated else ""
        line = _line([place(epoch, v) if math.isfinite(v) else None for epoch, v in enumerate(values, 1)])
        parts.append(
            f'<path d="{line}" fill="none" stroke="{stroke}" stroke-width="1.5" stroke-linecap="round"{dash}/>'
        )
        y = TOP + 14 * k + 8
        x = WIDTH - RIGHT + 8
        parts.append(f'<path d="M{x:g} {y:g}h18" stroke="{stroke}" stroke-width="1.5"{dash}/>')
        parts.append(f'<text x="{x + 22:g}" y="{y + 4:g}">{html.escape(label)}</text>')
    return "\n".join([*parts, "</svg>"])


def round_ticks(low: float, high: float) -> list[float]:
    """About TICKS round numbers (1, 2 or 5 times a power of ten apart) from at most `low` to at least `high`."""
    if not high > low:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    rough = (high - low) / (TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-12))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def table_of(history: Any) -> Mapping[str, Sequence[float]]:
    """The lists of a History, or a dict of lists itself."""
    table: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    return table


def _known(table: Mapping[str, Sequence[float]], metrics: Sequence[str]) -> list[str]:
    unknown = [name for name in metrics if table and name not in table]
    if unknown:
        raise DataError(f"learning_curve: the history has no {', '.join(unknown)}", (), f"It holds {', '.join(table)}.")
    return list(metrics)


def _line(points: Sequence[tuple[float, float] | None]) -> str:
    """The path through points; a point alone is a dot."""
    out, pen = [], False
    for point in points:
        if point is not None:
            x, y = point
            out.append(f"L{x:.1f} {y:.1f}" if pen else f"M{x:.1f} {y:.1f}h0")
        pen = point is not None
    return "".join(out)
