"""Results on disk: bench/results/NAME.json holds every raw sample, so that an interrupted run goes on where it was."""
import json
import os


def write_whole(path, text):
    """The file is as it was, or holds all of the text."""
    with open(path + ".partial", "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(path + ".partial", path)


class Result:
    """The samples of one benchmark. A sample is a dict with `side`, `group` (what was worked on) and `round`."""

    def __init__(self, folder, name, facts, fresh):
        """`facts`: "settings", "machine", "build": samples of other facts are dropped, those of the same are kept."""
        self.name = name
        self._path = os.path.join(folder, name + ".json")
        self.data = {"name": name, **facts, "versions": {}, "unavailable": {}, "samples": [], "rows": []}
        stored = None if fresh else load(self._path)
        if stored and all(_identity(stored.get(key)) == _identity(value) for key, value in facts.items()):
            self.data["samples"] = stored["samples"]
            self.data["versions"] = stored["versions"]
        self.resumed = len(self.data["samples"])

    @property
    def settings(self):
        return self.data["settings"]

    def get(self, side, group, round_number=0):
        for sample in self.data["samples"]:
            if (sample["side"], sample["group"], sample["round"]) == (side, group, round_number):
                return sample
        return None

    def of(self, side, group=None):
        return [s for s in self.data["samples"] if s["side"] == side and group in (None, s["group"])]

    def best(self, side, field, group=None, largest=False):
        """The best of a side's samples, or None."""
        values = [sample[field] for sample in self.of(side, group) if field in sample]
        return (max if largest else min)(values) if values else None

    def add(self, side, group, round_number=0, **numbers):
        self.data["samples"].append({"side": side, "group": group, "round": round_number, **numbers})
        self.save()

    def unavailable(self, side, reason):
        self.data["unavailable"][side] = reason

    def save(self):
        write_whole(self._path, to_json(self.data))


def _identity(fact):
    """A fact as JSON gives it back; the number of rounds makes no other measurement, only more or less of it."""
    fact = json.loads(json.dumps(fact))
    return {key: value for key, value in fact.items() if key != "rounds"} if isinstance(fact, dict) else fact


def to_json(data):
    """Indented, but with every sample and row on a line of its own."""
    def lines(values):
        return "[\n" + ",\n".join("    " + json.dumps(value, ensure_ascii=False) for value in values) + "\n  ]" if values else "[]"

    fields = [f"  {json.dumps(key)}: {lines(value) if isinstance(value, list) else json.dumps(value, ensure_ascii=False)}"
              for key, value in data.items()]
    return "{\n" + ",\n".join(fields) + "\n}\n"


def load(path):
    """What is stored, or None where that is nothing, or nothing that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
    except (OSError, ValueError):
        return None
    return stored if isinstance(stored, dict) and {"name", "samples", "versions", "rows"} <= stored.keys() else None
