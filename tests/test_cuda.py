"""Every choice on a GPU, in the environment that the tests were started in: `nox -s cuda`.

Needs, besides torch with CUDA: cookiecutter, pytest, and the dependencies of the rendered project.
"""

import json
import signal
import subprocess
import sys

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from .conftest import Render, combinations, environment, newest_run, run, start, wait_for

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device on this machine"),
]


@combinations
@pytest.mark.parametrize("precision", ["auto", "fp16"])  # of bf16 and fp32, see the curves below
def test_the_defaults_learn(render: Render, task: str, model: str, precision: str) -> None:
    """And what they tell is in TensorBoard, the memory of the GPU, too."""
    project = render(task=task, model=model)
    output, _ = run(project, "train", "--device=cuda", f"--precision={precision}", "--epochs=10")
    assert "device  cuda" in output
    assert "gpu/memory" in EventAccumulator(str(newest_run(project))).Reload().Tags()["scalars"]
    scores = json.loads((newest_run(project) / "evaluation.json").read_text())
    lines = [json.loads(line) for line in (newest_run(project) / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["train_loss"] < 0.9 * lines[0]["train_loss"]
    if (task, model) in {("classification", "cnn"), ("classification", "mlp")}:
        assert scores["accuracy"] > 0.9
    again, _ = run(project, "evaluate", str(newest_run(project)), "--device=cuda")
    assert json.loads(again)["loss"] == pytest.approx(scores["loss"], rel=0.02, abs=1e-3)


@combinations
def test_deterministic_runs_agree_to_the_bit(render: Render, task: str, model: str) -> None:
    """Also if one of them was interrupted, and resumed."""
    project = render(task=task, model=model)
    command = ("train", "--device=cuda", "--deterministic", "--epochs=8", "--patience=0")
    run(project, *command, "--name=whole")
    process = start(project, *command, "--name=interrupted")
    wait_for(process, "epoch 2/8")
    process.terminate()
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    output, _ = run(project, *command, "--name=interrupted", "--resume=auto")
    assert "resumed after step" in output
    weights = []
    for name in ("whole", "interrupted"):
        weights.append(torch.load(newest_run(project, name) / "checkpoints/last.pt", weights_only=True)["model"])
        assert json.loads((newest_run(project, name) / "capsule.json").read_text())["exact"]
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


@combinations
def test_steps_are_replayed_and_streamed_and_wait_for_nothing(render: Render, task: str, model: str) -> None:
    project = render(task=task, model=model)
    tests = [sys.executable, "-m", "pytest", "-q", "tests/test_graph.py", "tests/test_stream.py"]
    result = subprocess.run(tests, cwd=project, env=environment(project), capture_output=True, text=True)
    assert result.returncode == 0 and "skipped" not in result.stdout, result.stdout


@combinations
def test_a_replayed_run_has_the_curve_of_one_in_fp32(render: Render, task: str, model: str) -> None:
    """Within what bf16 can tell apart: 0.05 of the first loss. Nothing is left out at random."""
    project, curves = render(task=task, model=model), []
    common = ["--device=cuda", "--epochs=5"]
    if "dropout: float" in (project / "src/my_experiment/config.py").read_text():
        common.append("--model.dropout=0")
    for name, flags in (("replayed", []), ("fp32", ["--precision=fp32", "--no-cuda-graph"])):
        run(project, "train", *common, f"--name={name}", *flags)
        lines = (newest_run(project, name) / "metrics.jsonl").read_text().splitlines()
        curves.append([json.loads(line)["train_loss"] for line in lines])
    assert curves[0] == pytest.approx(curves[1], rel=0.1, abs=0.05 * curves[1][0])
