"""A row of the table: one figure of ours against one of a peer, and what was to be reached."""


def row(what, ours, theirs, **more):
    """`more`: peer, unit, target, note, percent (the ratio is shown so), at_most (the target is an upper bound), is_time.
    The ratio is ours / theirs; theirs / ours for times, so that more is better but with `at_most`."""
    ratio = None
    if ours and theirs:
        ratio = theirs / ours if more.get("is_time") else ours / theirs
    target = more.get("target")
    met = None
    if ratio is not None and target is not None:
        met = ratio <= target if more.get("at_most") else ratio >= target
    return {"what": what, "ours": ours, "theirs": theirs, "ratio": ratio, "met": met,
            **{key: value for key, value in more.items() if value is not None}}


def number(value):
    """Three digits, as a person writes them."""
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _target(entry):
    if "target" not in entry:
        return ""
    shown = f"{entry['target']:.0%}" if entry.get("percent") else f"{number(entry['target'])}x"
    return ("at most " if entry.get("at_most") else "at least ") + shown


def cells(entry):
    """what, ours, theirs, ratio, target, met."""
    unit = entry.get("unit", "")
    ratio = "not measured"
    if entry["ratio"] is not None:
        ratio = f"{entry['ratio']:.0%}" if entry.get("percent") else f"{number(entry['ratio'])}x"
    theirs = f"{number(entry['theirs'])} ({entry['peer']})" if entry.get("peer") else number(entry["theirs"])
    met = {True: "met", False: "NOT met", None: ""}[entry["met"]]
    return [entry["what"], f"{number(entry['ours'])} {unit}".strip(), theirs, ratio, _target(entry), met]


HEAD = ["what", "ours", "theirs", "ratio", "target", ""]


def plain_table(entries):
    table = [HEAD] + [cells(entry) for entry in entries]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table)


def markdown_table(entries):
    lines = [HEAD, ["---"] * len(HEAD)] + [cells(entry) for entry in entries]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
