"""Plots as SVG: horizontal bars, and lines over two logarithmic axes. They follow the reader's light or dark scheme."""
import html
import math

from driver.rows import number

WIDTH = 760
STYLE = """<style>
  svg { font: 14px system-ui, sans-serif }
  .back { fill: #ffffff } .text { fill: #1f2328 } .soft { fill: #59636e } .grid { stroke: #d1d9e0 } .ours { fill: #0969da }
  .ours-line { stroke: #0969da } .peer { fill: #8c959f } .peer-line { stroke: #8c959f } .mark { stroke: #bc4c00 } .bad { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 } .text { fill: #e6edf3 } .soft { fill: #9198a1 } .grid { stroke: #30363d } .ours { fill: #4493f8 }
    .ours-line { stroke: #4493f8 } .peer { fill: #656c76 } .peer-line { stroke: #9198a1 } .mark { stroke: #f0883e } .bad { fill: #f0883e }
  }
</style>"""


def _text(x, y, text, kind="text", anchor="start", weight="normal"):
    return (f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">'
            f"{html.escape(str(text))}</text>")


def _page(height, title, subtitle, parts):
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
            f"<title>{html.escape(title)}</title>", STYLE,
            f'<rect class="back" width="{WIDTH}" height="{height}" rx="8"/>',
            _text(24, 34, title, weight="bold"), _text(24, 56, subtitle, "soft")]
    return "\n".join(head + parts + ["</svg>"]) + "\n"


def _is_ours(name):
    return name.startswith(("ours", "peak"))


def bars(title, subtitle, values):
    """`values`: (name, value or None)."""
    left, right, step = 210, WIDTH - 120, 40
    largest = max((value for _, value in values if value), default=1.0)
    parts = []
    for index, (name, value) in enumerate(values):
        y = 76 + index * step
        parts.append(_text(left - 12, y + 19, name, anchor="end"))
        if value is None:
            parts.append(_text(left + 4, y + 19, "not measured", "soft"))
            continue
        width = max(2.0, (right - left) * value / largest)
        kind = "ours" if _is_ours(name) else "peer"
        parts.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{width:.1f}" height="28" rx="3"/>')
        parts.append(_text(left + width + 8, y + 19, number(value)))
    return _page(96 + len(values) * step, title, subtitle, parts)


def ratios(title, subtitle, entries):
    """A bar for each row that has a target, as far as it comes of it: 1 is the target, marked by a line."""
    left, right, step, most = 390, WIDTH - 80, 34, 2.0
    unit = (right - left) / most
    parts = []
    for index, entry in enumerate(entries):
        y = 80 + index * step
        parts.append(_text(left - 12, y + 17, entry["what"], anchor="end"))
        if entry["ratio"] is None:
            parts.append(_text(left + 4, y + 17, "not measured", "soft"))
            continue
        share = entry["target"] / entry["ratio"] if entry.get("at_most") else entry["ratio"] / entry["target"]
        width = max(2.0, unit * min(share, most))
        parts.append(f'<rect class="{"ours" if entry["met"] else "bad"}" x="{left}" y="{y}" width="{width:.1f}" height="24" rx="3"/>')
        shown = f"{entry['ratio']:.0%}" if entry.get("percent") else f"{number(entry['ratio'])}x"
        parts.append(_text(left + width + 8, y + 17, shown))
    bottom = 80 + len(entries) * step
    parts.append(f'<line class="mark" x1="{left + unit:.1f}" x2="{left + unit:.1f}" y1="72" y2="{bottom}" stroke-width="2" '
                 'stroke-dasharray="5 4"/>')
    return _page(bottom + 20, title, subtitle, parts)


def _ticks(low, high, steps):
    """Values at `steps` of each decade between the bounds."""
    decade = 10.0 ** math.floor(math.log10(low))
    ticks = []
    while decade <= high:
        ticks += [decade * step for step in steps if low <= decade * step <= high]
        decade *= 10
    return ticks


def lines(title, subtitle, x_name, y_name, series):
    """`series`: (name, [(x, y or None)]); both axes are logarithmic."""
    left, right, top, bottom, inset = 76, WIDTH - 100, 84, 400, 30
    points = [(x, y) for _, line in series for x, y in line if y]
    if not points:
        return _page(120, title, "not measured", [])
    xs = sorted({x for x, _ in points})
    low, high = min(y for _, y in points) / 1.5, max(y for _, y in points) * 1.5

    def place(x, y):
        across = math.log(x / xs[0]) / math.log(xs[-1] / xs[0]) if xs[-1] > xs[0] else 0.5
        return left + inset + (right - left - 2 * inset) * across, bottom - (bottom - top) * math.log(y / low) / math.log(high / low)

    parts = []
    ticks = _ticks(low, high, (1, 2, 5))
    for value in ticks if len(ticks) <= 9 else _ticks(low, high, (1,)):
        _, y = place(xs[0], value)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 10, y + 5, number(value), "soft", "end"))
    for value in xs:
        x, _ = place(value, low)
        parts.append(_text(x, bottom + 24, number(value), "soft", "middle"))
    parts.append(_text((left + right) / 2, bottom + 50, x_name, "soft", "middle"))
    for name, line in series:
        kind = "ours" if _is_ours(name) else "peer"
        placed = [place(x, y) for x, y in line if y]
        if not placed:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline class="{kind}-line" points="{path}" fill="none" stroke-width="2.5"/>')
        parts += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in placed]
        parts += [_text(x, y - 11, number(value), "soft", "middle") for (x, y), (_, value) in zip(placed, [p for p in line if p[1]])]
        parts.append(_text(placed[-1][0] + 12, placed[-1][1] + 5, name, weight="bold"))
    return _page(bottom + 70, title, f"{subtitle}; {y_name}, both axes logarithmic", parts)
