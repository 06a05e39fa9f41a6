"""Counts what a rendered project survives, and writes the table: `nox -s matrix` runs it, two hours on two cores.

    python -m benchmarks.reliability.scoreboard                        # everything; what is random is from seed 0
    python -m benchmarks.reliability.scoreboard --only kills signals   # in `--out`, only these are replaced

Nothing is simulated: processes are killed by the kernel, files are damaged on the disk, and what a run ends with is
compared to the last bit. `campaigns.py` says what is done in each trial, `rivals.py` does the same to others.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from benchmarks.origin import ROOT, origin, render
from benchmarks.reliability import campaigns, mutations, rivals
from benchmarks.reliability.campaigns import Campaign
from benchmarks.reliability.harness import HERE
from hooks.answers import MODELS

PACKAGES = ("torch", "numpy", "lightning")
Rows = dict[str, dict[str, Any]]
ALL = sum(map(len, MODELS.values()))
WHOLE = "ends with the bits of a run that was left alone, and no point of a curve is missing or there twice"
ONE_SENTENCE = "one sentence and exit 2, or it is read; no traceback, nothing runs, nothing is left behind"
TITLES = {
    "kills": ("deaths of an mlp with six sets of flags, by SIGKILL or in the middle of a write, each resumed", WHOLE),
    "combinations": (f"the same in each of the {ALL} combinations, with two sets of flags", WHOLE),
    "signals": ("SIGINT, SIGTERM, SIGUSR1 at any time, then `--resume auto`", f"leaves with its code, and {WHOLE}"),
    "starts": ("starts of one name, 20 at the same time", "each trains in a directory of its own"),
    "double_resumes": ("resumes of a run that is being resumed", f"refused with exit 5; the first one {WHOLE}"),
    "two_rank_kills": (
        "SIGKILL of one of two that train together",
        f"the other one leaves; what goes on {WHOLE}",
    ),
    "corruptions": ("checkpoints with bits flipped, bytes lost, added or changed", "refused, or nothing in it differs"),
    "failures": ("saves that fail at each byte of the file", "a StorageError; the checkpoint before is untouched"),
    "damaged files": ("damaged .npz, .npy and pickles", ONE_SENTENCE),
    "fuzzed answers": (
        "random answers to the questions",
        "one sentence, or every file parses; nothing runs",
    ),
    "mutations": ("safeguards taken out of the code, one at a time", "a test of the rendered project fails"),
}


@contextmanager
def campaign(seed: int, flags: tuple[str, ...] = campaigns.FLAGS, **answers: str) -> Iterator[Campaign]:
    """Render a project, with the bundled data as a folder of arrays too, and get ready to start and kill its runs."""
    with tempfile.TemporaryDirectory() as folder:
        project = render(Path(folder), **answers)
        (bundled,) = (project / "data").glob("*.npz")
        (project / "arrays").mkdir()
        with np.load(bundled) as arrays:
            for name in arrays.files:
                np.save(project / "arrays" / name, arrays[name])
        with Campaign(project, seed=seed, flags=flags) as ready:
            yield ready


def of_mlp(kind: Callable[[Campaign, int], dict[str, Any]], count: int) -> Callable[[int], Rows]:
    """Return a group with one row: so many trials on an mlp."""

    def run(seed: int) -> Rows:
        with campaign(seed, model="mlp") as ready:
            return {kind.__name__: kind(ready, count)}

    return run


def combinations(seed: int, deaths: int = 8) -> Rows:
    """Kill runs of every combination."""
    total: dict[str, Any] = {"count": 0, "runs": 0, "ways": Counter(), "wrong": []}
    for number, (task, model) in enumerate((task, model) for task, models in MODELS.items() for model in models):
        # Two linear layers of 4,096 would take minutes to save, again and again, and show nothing more.
        narrow = ("--model.hidden-size=256",) if model == "alexnet" else ()
        with campaign(seed + number, ("--epochs=2", "--patience=0", *narrow), task=task, model=model) as ready:
            found = campaigns.kills(ready, deaths, campaigns.MODES[:2])
        total["ways"].update(found["ways"])
        total["wrong"] += [f"{task} {model}: {sentence}" for sentence in found["wrong"]]
        for name in ("count", "runs"):
            total[name] += found[name]
        print(f"  {task} {model}: {found['count']} deaths, {len(found['wrong'])} wrong", flush=True)
    assert set(total["ways"]) == set(campaigns.WAYS), total["ways"]
    return {"combinations": total}


def damage(seed: int, corruptions: int = 5000, failures: int = 10**9) -> Rows:
    """Corrupt and fail the checkpoints of a small mlp: each byte of a file is one more save."""
    with campaign(seed, ("--epochs=1", "--model.width=2", "--model.depth=1"), model="mlp") as ready:
        return campaigns.damage(ready, corruptions, failures)


def tests(seed: int) -> Rows:
    """Run the tests that count for the scoreboard; each records how many trials it made."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-m", "scoreboard", f"--hypothesis-seed={seed}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        result = subprocess.run(
            [*command, f"--junitxml={report}", "tests"], cwd=ROOT, env=environment, stdout=sys.stderr
        )
        if result.returncode not in (0, 1):
            raise SystemExit("the tests did not run")
        cases = ElementTree.parse(report).findall(".//testcase")
    rows: Rows = {name: {"count": 0, "wrong": []} for name in ("damaged files", "fuzzed answers")}
    for case in cases:
        row = rows["damaged files" if case.attrib["classname"].endswith("fuzz") else "fuzzed answers"]
        row["count"] += sum(int(found.attrib["value"]) for found in case.iter("property"))
        row["wrong"] += [f"{case.attrib['name']}: {each.tag}" for each in case if each.tag in ("failure", "error")]
    assert all(row["count"] for row in rows.values()), rows
    return rows


GROUPS: dict[str, Callable[[int], Rows]] = {
    "kills": of_mlp(campaigns.kills, 1000),
    "combinations": combinations,
    "signals": of_mlp(campaigns.signals, 300),
    "starts": of_mlp(campaigns.starts, 500),
    "double_resumes": of_mlp(campaigns.double_resumes, 200),
    "two_rank_kills": of_mlp(campaigns.two_rank_kills, 200),
    "damage": damage,
    "tests": tests,
    "mutations": lambda seed: {"mutations": mutations.missed(list(range(len(mutations.MUTATIONS))))},
    "rivals": lambda seed: {"rivals": rivals.compare(seed)},
}


def table(report: Rows) -> str:
    """Return README.md."""
    rows = {name: row["found"] for name, row in report.items()}
    groups = Counter(provenance(row["origin"]) for row in report.values())
    lines = ["# What it survives\n", "`python -m benchmarks.reliability.scoreboard`, on a CPU.", *groups, ""]
    lines += ["| what was done | how often | what must be true | otherwise | commit |", "|---|---|---|---|---|"]
    for name, (what, promise) in TITLES.items():
        if name in rows:
            counts = f"{rows[name]['count']:,} | {promise} | {len(rows[name]['wrong'])}"
            lines.append(f"| {what} | {counts} | {report[name]['origin']['commit']} |")
    for name in ("kills", "combinations", "signals", "double_resumes", "corruptions"):
        if name in rows:
            ways = ", ".join(f"{way} {count:,}" for way, count in sorted(rows[name]["ways"].items()))
            lines.append(f"\nOf {name.replace('_', ' ')}: {ways}.")
    if "two_rank_kills" in rows:
        lines.append(
            f"\nWhen one of two processes was killed, the other left within {rows['two_rank_kills']['slowest']} s."
        )
    if "rivals" in rows:
        lines += [
            "\n## The same faults, elsewhere\n",
            "The same mlp on the digits for 20 epochs, started by one command, and after the fault by the same again.",
            "Lightning has seeds, `deterministic` and a last checkpoint, and continues from it; the notes' loop keeps",
            "the weights of its best epoch, and always starts over. `rivals.py` says how it is done.",
        ]
        for fault, by_contender in rows["rivals"].items():
            lines.append(f"\n**{fault[0].upper()}{fault[1:]}**\n")
            lines += [f"- {contender}: {found['cell']}" for contender, found in by_contender.items()]
    return "\n".join(lines) + "\n"


def provenance(about: dict[str, Any]) -> str:
    """Return in a line when, where and with what something was found."""
    versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
    where = f"commit {about['commit']}, {about['machine']}, Python {about['python']}, {versions}"
    return f"{about['date']}, seed {about['seed']}, {where}."


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "results.json"
    rows: Rows = json.loads(path.read_text()) if path.exists() else {}
    here = origin(*PACKAGES)  # now: what is written below makes the tree another one
    for name in arguments.only:
        print(name, flush=True)
        started = time.perf_counter()
        found = GROUPS[name](arguments.seed)
        about = {"seed": arguments.seed, "seconds": round(time.perf_counter() - started), **here}
        rows.update({row: {"origin": about, "found": result} for row, result in found.items()})
        path.write_text(json.dumps(rows, indent=1) + "\n")
    (arguments.out / "README.md").write_text(table(rows))
    print(table(rows))
    if wrong := [sentence for name in TITLES if name in rows for sentence in rows[name]["found"]["wrong"]]:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
