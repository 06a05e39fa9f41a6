"""Every combination trains by its real command, starts fast, and prints what its README promises."""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Render, combinations, environment, newest_run, run

Project = Callable[[str, str], Path]
LEAST = {"cnn": 0.98, "mlp": 0.95}  # test accuracy on the digits


@combinations
def test_the_defaults_train_in_a_minute_and_print_what_the_readme_shows(render: Render, task: str, model: str) -> None:
    project = render(task=task, model=model)
    started = time.perf_counter()
    output, errors = run(project, "train")
    assert time.perf_counter() - started < 60 and errors == ""
    evaluation = json.loads((newest_run(project) / "evaluation.json").read_text())
    assert evaluation["accuracy"] >= LEAST[model] and evaluation["samples"] == 270

    promised = (project / "README.md").read_text().split("```\n")[2].splitlines()
    assert promised[0].startswith("data ") and promised[-1] == "look at it: tensorboard --logdir runs"
    printed = [pattern(line) for line in output.splitlines()]
    cut = promised.index("...")
    assert [pattern(line) for line in promised[:cut]] == printed[:cut]
    assert [pattern(line) for line in promised[cut + 2 :]] == printed[cut - len(promised) + 2 :]


def pattern(line: str) -> str:
    """Leave of a line what is the same on every machine."""
    line = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", line)
    line = re.sub(r"(finished|stopped early): .*", "END", line)
    return re.sub(r"[ \d][\d.,]*", "0", line) if line.startswith(("epoch", "test", "device")) else line


@pytest.mark.matrix
@pytest.mark.parametrize(("model", "least"), [("cnn", 0.985), ("mlp", 0.95)])
def test_five_seeds_reach_the_promised_accuracy(render: Render, model: str, least: float) -> None:
    project = render(model=model)
    scores = []
    for seed in range(5):
        run(project, "train", f"--seed={seed}", f"--name=seed-{seed}")
        evaluation = newest_run(project, f"seed-{seed}") / "evaluation.json"
        scores.append(json.loads(evaluation.read_text())["accuracy"])
    print(f"{model}: test accuracy of seeds 0 to 4: {scores}, mean {statistics.mean(scores):.4f}")
    assert statistics.mean(scores) >= least


@combinations
def test_help_is_complete_and_does_not_wait(project: Project, task: str, model: str) -> None:
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        output, _ = run(project(task, model), "train", "--help")
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.5, seconds  # other work on the machine only adds to it
    flat = " ".join(output.replace("│", " ").split())
    for path in ("config.py", "arguments.py"):
        source = (project(task, model) / "src/my_experiment" / path).read_text().partition("class Inspect")[0]
        fields = re.findall(r'^    (\w+): [^\n]+ = [^\n]+\n    """(.+?)"""', source, re.MULTILINE | re.DOTALL)
        assert fields
        for name, why in fields:
            assert name.replace("_", "-") in flat and " ".join(why.split())[:40] in flat, name


FLOOR = """
import torch
model = torch.nn.Linear(64, 10)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
model(torch.randn(64, 64)).sum().backward()
optimizer.step()
"""


def test_a_trial_starts_hardly_later_than_torch(digits: Path) -> None:
    """The median of seven pairs, side by side, of whole processes."""
    ratios = []
    for _ in range(8):
        started = time.perf_counter()
        run(digits, "train", "--fast-dev-run")
        trial = time.perf_counter() - started
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", FLOOR], check=True, env=environment(digits))
        ratios.append(trial / (time.perf_counter() - started))
    ratios = ratios[1:]  # the first pair reads the files
    print(f"train --fast-dev-run / one step of torch: median {statistics.median(ratios):.2f} of {sorted(ratios)}")
    assert statistics.median(ratios) <= 1.3
