"""bench/results/README.md: the table of all stored results, with the plots."""
import os

from driver import store, svg
from driver.rows import markdown_table, number

HEAD = """# Results

Written by `make bench`; [docs/benchmarks.md](../../docs/benchmarks.md) says what each figure is and how to read it. The files `NAME.json`
hold every raw sample.
"""


def describe_machine(machine):
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    return (f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads used, {machine['memory_gib']} GiB memory; "
            f"{' '.join(machine['flags'])}; {caches}")


def finish(folder, result, benchmark):
    """Adds the rows to the stored result and draws its plot."""
    result.data["rows"] = benchmark.rows(result)
    result.save()
    machine = result.data["machine"]
    subtitle = f"{result.settings.get('model', '')}, {machine['threads']} threads, {machine['cpu']}"
    plot = benchmark.plot(result)
    if "bars" in plot:
        drawn = svg.bars(f"{benchmark.title}: {plot['unit']}", subtitle, plot["bars"])
    else:
        drawn = svg.lines(benchmark.title, subtitle, plot["x"], plot["y"], plot["series"])
    store.write_whole(os.path.join(folder, result.name + ".svg"), drawn)


def write(folder, benchmarks):
    """The page over all results that are stored, and the plot of those with a target; the rows."""
    names = sorted(benchmarks, key=lambda name: not name.startswith("annotate"))  # what matters most first
    stored = [(benchmarks[name], store.load(os.path.join(folder, name + ".json"))) for name in names]
    stored = [(benchmark, data) for benchmark, data in stored if data and data["rows"]]
    if not stored:
        return []
    entries = [entry for _, data in stored for entry in data["rows"]]
    with_target = [entry for entry in entries if "target" in entry]
    lines = [HEAD]
    by_machine = {}
    for _, data in stored:
        by_machine.setdefault((describe_machine(data["machine"]), data["build"]), []).append(data["name"])
    for (machine, build), names in by_machine.items():
        which = "" if len(by_machine) == 1 else f" ({', '.join(names)})"
        lines.append(f"**Machine:** {machine}; build {build}{which}.\n")
    versions = {name: version for _, data in stored for name, version in data["versions"].items()}
    if versions:
        lines.append("**Peers:** " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + ".\n")
    if with_target:
        subtitle = "each bar as part of its target (dashed), cut at twice the target"
        store.write_whole(os.path.join(folder, "ratios.svg"), svg.ratios("Ratios to the peers", subtitle, with_target))
        lines.append("![Ratios to the peers](ratios.svg)\n")
    lines.append(markdown_table(entries) + "\n")
    notes = [f"- {entry['what']}: {entry['note']}." for entry in entries if entry.get("note")]
    notes += [f"- {data['name']}: {side} was not available: {reason}." for _, data in stored
              for side, reason in data["unavailable"].items()]
    if notes:
        lines.append("\n".join(notes) + "\n")
    for benchmark, data in stored:
        lines.append(f"## {benchmark.title}\n\n![{benchmark.title}]({data['name']}.svg)\n")
        settings = {key: len(value) if key == "texts" and isinstance(value, list) else value
                    for key, value in data["settings"].items()}
        lines.append("Settings: " + ", ".join(f"{key} {value}" for key, value in settings.items()) + ".\n")
    store.write_whole(os.path.join(folder, "README.md"), "\n".join(lines))
    return entries


def sum_up(entries):
    """One line: how many targets are met."""
    judged = [entry for entry in entries if entry["met"] is not None]
    missed = [f"{entry['what']} ({number(entry['ratio'])} of {number(entry['target'])})" for entry in judged if not entry["met"]]
    line = f"{len(judged) - len(missed)} of {len(judged)} targets met"
    return line + (f"; not met: {'; '.join(missed)}" if missed else "")
