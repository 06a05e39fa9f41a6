"""A run that is killed and resumed ends with the same bits as one that was left alone."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.reliability.harness import final, run_folder, same

from .conftest import Render, combinations_on_push, environment, newest_run, run, start, wait_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")
ON_PUSH = {("classification", "cnn")}  # an mlp is killed in test_reliability
FLAGS = ("--epochs=6", "--patience=0")
CXX = os.environ.get("CXX", "g++")


def kill(process: "subprocess.Popen[str]") -> bool:
    """Kill a command; return whether it was still alive."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@combinations_on_push(ON_PUSH)
def test_killed_at_random_and_resumed(render: Render, task: str, model: str) -> None:
    project = render(task=task, model=model)
    run(project, "train", "--name=whole", *FLAGS)
    command = ("train", "--resume=auto", "--name=killed", *FLAGS)
    generator, resumed = random.Random(7), 0
    for epoch in (1, 2, 4):
        process = start(project, *command)
        lines = wait_for(process, f"epoch {epoch}/6")
        resumed += any(line.startswith("resumed after step") for line in lines)
        time.sleep(generator.uniform(0, 0.1))
        assert kill(process)
    output, _ = run(project, *command)
    assert resumed >= 1 and "resumed after step" in output  # the first kill may have come before the first save
    assert same(final(run_folder(project, "killed")), final(run_folder(project, "whole")))


@pytest.mark.parametrize(
    "mode",
    [
        ("--accumulate=2", "--clip-norm=1"),
        ("--data.path=arrays", "--data.resident=no"),
        pytest.param(("--compile",), marks=pytest.mark.skipif(not shutil.which(CXX), reason="needs a C++ compiler")),
    ],
)
def test_killed_and_resumed_in_other_modes(render: Render, mode: tuple[str, ...]) -> None:
    project = render(model="mlp")
    with np.load(project / "data/digits.npz") as data:
        (project / "arrays").mkdir()
        for name in data.files:
            np.save(project / "arrays" / name, data[name])
    run(project, "train", "--name=whole", *FLAGS, *mode)
    process = start(project, "train", "--name=killed", *FLAGS, *mode)
    wait_for(process, "epoch 3/6")
    assert kill(process)
    output, _ = run(project, "train", "--resume=auto", "--name=killed", *FLAGS, *mode)
    assert "resumed after step" in output
    assert same(final(run_folder(project, "killed")), final(run_folder(project, "whole")))


def test_compile_asks_for_a_compiler(digits: Path) -> None:
    _, errors = run(digits, "train", "--compile", code=2, env=environment(digits, CXX="no-such-compiler"))
    assert (
        errors
        == "error: --compile needs a C++ compiler, and there is no no-such-compiler; on this machine; install one\n"
    )


def test_a_second_start_of_the_same_run_is_refused(digits: Path) -> None:
    first = start(digits, "train", "--epochs=500", "--patience=0")
    wait_for(first, "epoch")
    folder = newest_run(digits)
    _, errors = run(digits, "train", f"--resume={folder.relative_to(digits)}", code=5)
    assert errors.splitlines()[-1].startswith(f"error: the run is being trained by process {first.pid} on ")
    first.kill()
    first.communicate()


def test_a_damaged_checkpoint_is_never_a_fresh_start(digits: Path) -> None:
    run(digits, "train", "--epochs=1")
    for name in ("last.pt", "best.pt"):
        path = newest_run(digits) / "checkpoints" / name
        path.write_bytes(path.read_bytes()[:1000])
    _, errors = run(digits, "train", "--epochs=2", "--resume=auto", code=5)
    assert errors.splitlines()[-1].startswith("error: the checkpoint cannot be read")
    assert json.loads((newest_run(digits) / "status.json").read_text())["state"] == "finished"  # left as it was


def test_a_run_without_a_checkpoint_restarts_in_its_directory(digits: Path) -> None:
    run(digits, "train", "--epochs=2", "--name=whole")
    run(digits, "train", "--epochs=2")
    folder = newest_run(digits)
    for path in (*folder.glob("checkpoints/*.pt"), folder / "status.json"):  # as if killed before the first save
        path.unlink()
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text(lines[0])
    output, _ = run(digits, "train", "--epochs=2", "--resume=auto")
    assert "epoch 1/2" in output and newest_run(digits) == folder
    assert same(final(run_folder(digits, "my-experiment")), final(run_folder(digits, "whole")))


def test_a_script_that_is_requeued_needs_one_command(digits: Path) -> None:
    """The same line starts, continues, and finds that there is nothing left to do."""
    line = ["train", "--epochs=1", "--resume=auto", "--lr=0.01"]
    assert "nothing to resume" in run(digits, *line)[0]
    assert "already finished" in run(digits, *line)[0]
    run(digits, *line, "--lr=0.9", code=5)
