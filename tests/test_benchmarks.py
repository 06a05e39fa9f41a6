"""The benchmarks start, and the README's figures are theirs."""

import itertools
import json
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.quality import quality
from benchmarks.reliability import scoreboard
from benchmarks.reliability.harness import same
from benchmarks.reliability.scoreboard import TITLES
from benchmarks.scaling import scaling
from benchmarks.speed import bench as speed
from benchmarks.speed.bench import LIMIT, OURS, Bench, images, order, peak_memory, ratios

from .conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def results(name: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "benchmarks" / name / "results.json").read_text()))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (torch.zeros(2), -torch.zeros(2)),
        (torch.ones(2), torch.ones(2, dtype=torch.float64)),
        (torch.ones(2), torch.ones(1, 2)),
        (torch.tensor(1.0), torch.tensor(1.0).nextafter(torch.tensor(2.0))),
        ([True], [1]),
        ({"a": (1,)}, {"a": [1]}),
    ],
)
def test_what_is_equal_but_not_to_the_last_bit_is_not_the_same(a: Any, b: Any) -> None:
    assert same({"state": [a, 7]}, {"state": [a, 7]}) and not same({"state": [a, 7]}, {"state": [b, 7]})


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory as Linux gives it")
def test_the_memory_of_a_process_is_not_that_of_the_one_that_starts_it() -> None:
    large = np.ones(2**25)  # 256 MiB
    with subprocess.Popen(
        [sys.executable, "-c", "x = bytearray(2**26); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout and process.stdout.readline()
        assert 2**26 < peak_memory(process.pid) < 2**27 < large.nbytes
        process.stdin.write(b"\n")
    assert peak_memory(process.pid) == 0  # it has ended


@pytest.mark.parametrize("names", ["ab", "abcd", "abcdefg"])
def test_each_contender_is_as_often_before_another_as_after_it(names: str) -> None:
    orders = [order(list(names), number) for number in range(8)]
    for one, other in itertools.combinations(names, 2):
        assert sum(names.index(one) < names.index(other) for names in orders) == 4


@pytest.mark.parametrize(
    ("folder", "table"),
    [
        ("speed", speed.table),
        ("speed/h200", speed.table),
        ("scaling", scaling.table),
        ("reliability", scoreboard.table),
        ("quality", quality.table),
    ],
)
def test_the_pages_are_what_the_programs_write(folder: str, table: Callable[[dict[str, Any]], str]) -> None:
    assert (ROOT / "benchmarks" / folder / "README.md").read_text(encoding="utf-8") == table(results(folder))


def test_the_contenders_start_and_tell_of_their_epochs(tmp_path: Path) -> None:
    """Those that need no package beside torch: `nox -s bench` takes two hours to tell that one is broken."""
    contenders = [LIMIT, "notes' loop"]
    bench = Bench(tmp_path, Namespace(rounds=1, device="cpu", beside=contenders, epochs=2))
    images(tmp_path / "few.npz", (1, 28, 28), 300, 100)
    for contender in (OURS, *contenders):
        ends, _, _ = bench.run(bench.command(contender, tmp_path / "few.npz", bench.workloads["mlp"]), "mlp")
        assert len(ends) == 2


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("contender", "package"),
    [("Lightning", "lightning"), ("Ignite", "ignite"), ("Accelerate", "accelerate"), ("skorch", "skorch")],
)
def test_the_peers_start_too(contender: str, package: str, tmp_path: Path) -> None:
    pytest.importorskip(package, reason="it is in the group `bench`")
    bench = Bench(tmp_path, Namespace(rounds=1, device="cpu", beside=[contender], epochs=2))
    images(tmp_path / "few.npz", (1, 28, 28), 300, 100)
    ends, _, _ = bench.run(bench.command(contender, tmp_path / "few.npz", bench.workloads["cnn"]), "cnn")
    assert len(ends) == 2


@pytest.mark.matrix
@pytest.mark.alone
def test_it_is_as_fast_as_the_readme_says(tmp_path: Path) -> None:
    """An epoch of an mlp beside its arithmetic alone; and that, and a whole command, beside a loop by hand."""
    bench = Bench(tmp_path, Namespace(rounds=5, device="cpu", beside=[LIMIT, "notes' loop"], epochs=None))
    epoch, whole = bench.epochs("mlp")["seconds"], bench.whole()["seconds"]
    found = [ratios(epoch, OURS, LIMIT), ratios(epoch, "notes' loop", OURS), ratios(whole, "notes' loop", OURS)]
    medians = [ratio["median"] for ratio in found]
    print(f"to the limit, by hand to this (epoch, command): {', '.join(f'{median:.2f}' for median in medians)}")
    assert medians[0] <= 1.25 and medians[1] >= 1.8 and medians[2] >= 1.35


def test_the_readme_has_the_scores_of_the_defaults() -> None:
    rows = results("quality")["rows"]
    assert len(rows) == len(re.findall(r"^\|.* ± .* ± ", README, re.MULTILINE))
    for key, row in rows.items():
        model, best = row["model"], row["best_reference"]
        ours, theirs = (f"{row['mean'][each]:.3f} ± {row['spread'][each]:.3f}" for each in (model, best))
        data = key.split("-")[0] + (", without their noise" if key.endswith("clean") else "")
        assert f"\n| {data} | {model} | {row['metric']} | {ours} | {best} {theirs} |\n" in README


@pytest.mark.parametrize(
    ("folder", "contenders"),
    [
        ("speed", [OURS, "notes' loop", "Lightning", "Ignite", "Accelerate", "skorch"]),
        ("speed/h200", [OURS, "notes' loop", "Lightning"]),
    ],
)
def test_the_readme_has_the_times_of_the_bench(folder: str, contenders: list[str]) -> None:
    (lines,) = re.findall(rf"^\| time / the limit \| {' . '.join(contenders)} \|\n\|[-|]+\n((?:\|.*\n)+)", README, re.M)
    rows = [line.strip("|").split("|") for line in lines.splitlines()]
    measured = {name: each["seconds"] for name, each in results(folder)["results"].items() if name != "start"}
    for (title, *found), (name, seconds) in zip(rows, measured.items(), strict=True):
        assert title.strip().replace("the bundled", "bundled") == speed.TITLES[name].replace(" 1 x", "")
        expected = [ratios(seconds, each, LIMIT)["median"] for each in contenders]
        assert [float(cell) for cell in found] == pytest.approx(expected, rel=0.007)  # three digits


def test_the_readme_has_the_counts_of_the_scoreboard() -> None:
    found = results("reliability")
    for name, (title, _) in TITLES.items():
        count, wrong = found[name]["found"]["count"], len(found[name]["found"]["wrong"])
        assert f"| {title} | {count:,} | {wrong} |\n" in README
