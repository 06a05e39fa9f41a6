"""Every combination trains, starts fast, and prints what its README promises."""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reliability.harness import Server
from hooks.answers import DENSE

from .conftest import ROOT, Render, combinations, combinations_on_push, environment, newest_run, run

Project = Callable[[str, str], Path]
# What the defaults reach on the test split of the bundled data, whatever the model (boosted pixels, in
# benchmarks/quality: a mean_iou of 0.26, a psnr of 24.1).
LEAST = {
    "classification": ("accuracy", 0.95),
    "multilabel": ("mean_average_precision", 0.97),
    "regression": ("r2", 0.85),
    "segmentation": ("mean_iou", 0.6),
    "image_to_image": ("psnr", 24.65),  # with a learning rate of 1e-3, a unet comes to 24.56
}
LEAST_OF = {("classification", "cnn"): 0.98}  # where a model has to reach more
QUICK = {("classification", "cnn"), ("classification", "mlp")}


@combinations
def test_every_combination_trains_and_is_used(render: Render, task: str, model: str, tmp_path: Path) -> None:
    """Two epochs; what was trained is evaluated, and predicts: in forks of one process, which has torch loaded.

    The linear layers of an alexnet are narrow here; with 4,096 they are trained below, in `nox -s matrix`.
    """
    project = render(task=task, model=model)
    narrow = ["--model.hidden-size=256"] if model == "alexnet" else []
    with Server(project) as server:
        server.run("inspect")
        output = server.run("train", "--epochs=2", *narrow)
        folder = newest_run(project)
        said = (folder / "train.log").read_text().splitlines()  # and nothing else, such as a warning
        assert output.splitlines() == [*said, "look at it: tensorboard --logdir runs"]
        assert "epoch 2/2" in output and "test " in output
        evaluation = json.loads((folder / "evaluation.json").read_text())
        assert json.loads(server.run("evaluate", str(folder))) == evaluation
        server.run("predict", str(folder), f"--out={tmp_path / 'out.npz'}")
    with np.load(tmp_path / "out.npz") as out:
        assert len(out["prediction"]) == (449 if model in DENSE else 1797)
    assert promise(project)[:2] == [pattern(line) for line in output.splitlines()[:2]]  # the rest is a test below


def promise(project: Path) -> list[str]:
    """Return what the README says that train prints, with the numbers taken out."""
    lines = (project / "README.md").read_text().split("```\n")[2].splitlines()
    assert lines[0].startswith("data ") and lines[-1] == "look at it: tensorboard --logdir runs"
    return [pattern(line) for line in lines]


@pytest.mark.alone
@combinations_on_push(QUICK)
def test_the_defaults_train_in_minutes_and_print_what_the_readme_shows(render: Render, task: str, model: str) -> None:
    project = render(task=task, model=model)
    started = time.perf_counter()
    output, errors = run(project, "train")
    seconds = time.perf_counter() - started
    assert seconds < (60 if (task, model) in QUICK else 600) and errors == ""
    name, least = LEAST[task]
    evaluation = json.loads((newest_run(project) / "evaluation.json").read_text())
    print(f"{task}, {model}: test {name} {evaluation[name]:.4f} in {seconds:.0f} s")
    assert evaluation[name] >= LEAST_OF.get((task, model), least)
    assert evaluation["samples"] == (67 if model in DENSE else 270)
    promised, printed = promise(project), [pattern(line) for line in output.splitlines()]
    cut = promised.index("...")
    assert promised[:cut] == printed[:cut]
    assert promised[cut + 2 :] == printed[cut - len(promised) + 2 :]


def pattern(line: str) -> str:
    """Leave of a line what is the same on every machine."""
    line = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", line)
    line = re.sub(r"(finished|stopped early): .*", "END", line)
    line = re.sub(r"\d+ threads?", "threads", line)
    return re.sub(r"[ \d-][\d.,]*", "0", line) if line.startswith(("epoch", "test", "device")) else line


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


def test_a_run_of_other_code_says_so(render: Render) -> None:
    project = render(model="mlp")
    run(project, "train", "--epochs=1")
    folder = newest_run(project)
    assert run(project, "evaluate", str(folder))[1] == ""
    with (project / "src/my_experiment/data.py").open("a") as file:
        file.write("\n# mine\n")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)  # what git says of it is only written down
    output, _ = run(project, "train", f"--resume={folder}", "--epochs=2")
    assert "\nchanged since it began: epochs, code_sha256; it need not end with the same bits\n" in output
    untracked = json.loads((folder / "capsule.json").read_text())["starts"][1]["git_untracked"].splitlines()
    assert {"README.md", "src/my_experiment/data.py"} <= {*untracked}
    note = "note: the code has changed since the run began; its scores may be others\n"
    assert run(project, "evaluate", str(folder))[1] == note
    assert run(project, "predict", str(folder), "--out=p.npz")[1] == note


@combinations
def test_help_is_complete_and_does_not_wait(project: Project, task: str, model: str) -> None:
    variables = environment(project(task, model), PYTHONPROFILEIMPORTTIME="1")
    output, imports = run(project(task, model), "train", "--help", env=variables)
    assert re.search(r"\| +tyro$", imports, re.MULTILINE)
    assert not re.search(r"\| +(torch|numpy|matplotlib|typeguard)$", imports, re.MULTILINE)  # nothing that takes long
    flat = " ".join(output.replace("│", " ").split())
    for path in ("config.py", "data_config.py", "arguments.py"):
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


def test_the_demo_of_the_readme_is_what_was_recorded() -> None:
    readme, recorded = (ROOT / "README.md", ROOT / "templates/outputs/classification-cnn.txt")
    (shown,) = re.findall(r"```\n(epoch .*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    assert shown.splitlines() == recorded.read_text().splitlines()[-4:-1]


@pytest.mark.alone
def test_a_trial_starts_hardly_later_than_torch(digits: Path) -> None:
    """The median of five pairs, side by side, of whole processes."""
    ratios = []
    for _ in range(6):
        started = time.perf_counter()
        run(digits, "train", "--fast-dev-run")
        trial = time.perf_counter() - started
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", FLOOR], check=True, env=environment(digits))
        ratios.append(trial / (time.perf_counter() - started))
    ratios = ratios[1:]  # the first pair reads the files
    print(f"train --fast-dev-run / one step of torch: median {statistics.median(ratios):.2f} of {sorted(ratios)}")
    assert statistics.median(ratios) <= 0.8  # 1.2 is what was aimed at; it takes half
