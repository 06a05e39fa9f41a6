"""Processes that torchrun starts train as one process does, stop together, and never leave one behind."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from filelock import FileLock

from benchmarks.reliability.harness import Server, final, free_port, run_folder, same

from .conftest import HANDFUL, STARTED, Render, environment, newest_run, run, start, wait_for

resource = pytest.importorskip("resource", reason="kills processes as POSIX does")
TORCHRUN = f"{shlex.quote(sys.executable)} -m torch.distributed.run"
FLAGS = ("--device=cpu", "--epochs=6", "--patience=0")


def torchrun(
    project: Path, *arguments: str, launcher: tuple[str, ...] = ("--nproc-per-node=2",)
) -> "subprocess.Popen[str]":
    """Start the real command by torchrun, one thread for each process."""
    return other_command(project, "train", *arguments, launcher=launcher)


def other_command(
    project: Path, *arguments: str, launcher: tuple[str, ...] = ("--nproc-per-node=2",)
) -> "subprocess.Popen[str]":
    """Start another one than `train` by torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", *launcher, "-m", "--", "my_experiment"]
    return launch([*command, *arguments], project)


def launch(command: list[str], project: Path, **variables: str) -> "subprocess.Popen[str]":
    """Start a command that starts processes with one thread each."""
    variables = {**environment(project, OMP_NUM_THREADS="1"), **variables}
    pipe = subprocess.PIPE
    STARTED.append(subprocess.Popen(command, cwd=project, env=variables, stdout=pipe, stderr=pipe, text=True))
    return STARTED[-1]


def two_agents(project: Path, *arguments: tuple[str, ...]) -> "list[subprocess.Popen[str]]":
    """Start one process by each of two torchruns, as on two machines, with arguments for each."""
    place = f"--rdzv-endpoint=127.0.0.1:{free_port()}"
    launcher = ("--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", place)
    return [torchrun(project, *flags, launcher=launcher) for flags in arguments]


def finish(process: "subprocess.Popen[str]", *, fails: bool = False) -> tuple[str, str]:
    """Wait for torchrun, whose exit code is 0 or 1, whatever that of its processes; return stdout and stderr."""
    output, errors = process.communicate(timeout=300)
    assert bool(process.returncode) == fails, errors
    return output, errors


def ranks(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return the processes that torchrun has started, in their order."""
    children = [child for child in psutil.Process(process.pid).children() if "RANK" in child.environ()]
    return sorted(children, key=lambda child: int(child.environ()["RANK"]))


def newest_log(project: Path, name: str) -> list[str]:
    """Return the lines of metrics.jsonl."""
    return (newest_run(project, name) / "metrics.jsonl").read_text().splitlines()


def metrics(project: Path, name: str) -> list[dict[str, float]]:
    """Return what must not depend on the number of processes."""
    lines = [json.loads(line) for line in newest_log(project, name)]
    return [{k: v for k, v in line.items() if k not in ("seconds", "samples_per_second")} for line in lines]


@pytest.mark.parametrize(("task", "model"), [("classification", "mlp"), ("regression", "vit")])
def test_the_curve_does_not_depend_on_the_number_of_processes(render: Render, task: str, model: str) -> None:
    """Without dropout and batch norm; with augmentation, and a last batch of one sample."""
    project = render(task=task, model=model)
    flags = [*FLAGS, "--epochs=3", "--model.dropout=0", "--augment.noise=0.1", "--batch-size=52"]
    run(project, "train", "--name=one", *flags, env=environment(project, OMP_NUM_THREADS="1"))
    finish(torchrun(project, "--name=two", *flags))
    one, two = metrics(project, "one"), metrics(project, "two")
    assert len(one) == len(two) == 3
    for a, b in zip(one, two, strict=True):
        for name in ("train_loss", "val_loss"):
            assert a[name] == pytest.approx(b[name], rel=1e-4)
        assert a == pytest.approx(b, rel=1e-3, abs=4e-3)  # one sample may be classified otherwise


@pytest.mark.parametrize(("task", "model"), sorted(HANDFUL), ids=["-".join(pair) for pair in sorted(HANDFUL)])
def test_scores_of_uneven_shares_are_those_of_the_whole(render: Render, task: str, model: str) -> None:
    """No batch of the validation split can be shared evenly among three."""
    project = render(task=task, model=model)
    with Server(project) as server:
        server.run_together(3, *FLAGS, "--epochs=2")
        whole = json.loads(server.run("evaluate", str(newest_run(project)), "--split=val", "--device=cpu"))
    shared = metrics(project, "my-experiment")[int(whole["best_epoch"]) - 1]
    scores = {name.removeprefix("val_"): value for name, value in shared.items() if name.startswith("val_")}
    assert len(scores) > 2 and scores == pytest.approx({name: whole[name] for name in scores}, rel=1e-5, abs=1e-6)


@pytest.mark.alone
@pytest.mark.matrix
@pytest.mark.skipif(os.cpu_count() == 1, reason="two processes need two cores")
def test_two_processes_are_faster_than_one(render: Render) -> None:
    """Of a thread each; the median of five epochs each, by turns."""
    project = render(model="cnn")
    x = np.random.default_rng(0).integers(0, 255, (6000, 1, 28, 28), dtype=np.uint8)
    np.savez(project / "large.npz", x=x, y=np.arange(6000) % 10)
    flags, ratios = (*FLAGS, "--data.path=large.npz", "--batch-size=256", "--epochs=2"), []
    for trial in range(5):
        run(project, "train", f"--name=one-{trial}", *flags, env=environment(project, OMP_NUM_THREADS="1"))
        finish(torchrun(project, f"--name=two-{trial}", *flags))
        one, two = (json.loads(newest_log(project, f"{n}-{trial}")[-1])["samples_per_second"] for n in ("one", "two"))
        ratios.append(two / one)
    print(f"samples/s of two processes / of one: median {statistics.median(ratios):.2f} of {sorted(ratios)}")
    assert statistics.median(ratios) >= 1.5


@pytest.mark.parametrize(("rank", "model", "wider"), [(0, "mlp", ["--model.width=1500"]), (1, "cnn", [])])
def test_one_process_is_signalled_and_all_stop_at_the_same_step(
    render: Render, rank: int, model: str, wider: list[str]
) -> None:
    """Nobody leaves before all is saved, even if it takes a while; what is resumed has the bits of a run left alone."""
    project, flags = render(model=model), (*FLAGS, *wider)
    process = torchrun(project, "--name=stopped", *flags)
    wait_for(process, "epoch 2/6")
    ranks(process)[rank].send_signal(signal.SIGTERM)
    _, errors = finish(process, fails=True)
    (step,) = re.findall(r"^error: stopped by SIGTERM, with everything saved; after step (\d+); continue", errors, re.M)
    assert len(re.findall("^error: ", errors, re.M)) == 1  # one process that went a step further would be left alone
    status = json.loads((newest_run(project, "stopped") / "status.json").read_text())
    assert status["state"] == "interrupted" and status["exit_code"] == 143
    with Server(project) as server:
        alone = server.start("train", "--name=stopped", "--resume=auto", *flags)
        assert alone.wait() == 5
        what = "the run is trained by 2 processes, and now there are 1; on the command line; start as many"
        assert what in alone.output()
        assert f"resumed after step {step}," in server.run_together(2, "--name=stopped", "--resume=auto", *flags)
        server.run_together(2, "--name=whole", *flags)
    assert same(final(run_folder(project, "stopped")), final(run_folder(project, "whole")))


def test_several_processes_do_not_take_an_older_run(render: Render) -> None:
    """The newest of the name is being trained: one process alone would take the one before, which is finished."""
    project = render(model="mlp")
    with Server(project) as server:
        server.run_together(2, *FLAGS, "--epochs=2")
    older = newest_run(project)
    shutil.copytree(older, older.with_name("99991231-235959-abcd"))
    with FileLock(newest_run(project) / ".lock"):
        _, errors = finish(torchrun(project, *FLAGS, "--epochs=3", "--resume=auto"), fails=True)
    assert "error: the run is being trained by another process; " in errors
    assert "; wait for it, or start a new run" in errors
    assert "forcefully" not in errors  # the other one waited for this one, and heard torchrun's signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_waits_for_another_one_ends_when_it_is_asked(render: Render, number: signal.Signals) -> None:
    """Here it has found the place where they meet, and nobody is there."""
    project = render(model="mlp")
    with socket.create_server(("127.0.0.1", 0)) as place:
        place.settimeout(60)
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(place.getsockname()[1])}
        ranks = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "1"}
        process = start(project, "train", *FLAGS, env=environment(project, **ranks, **address))
        try:
            with place.accept()[0]:
                process.send_signal(number)
                assert process.wait(timeout=20) == -number
        finally:
            process.kill()


def test_a_terminal_that_is_closed_ends_all_with_everything_saved(render: Render) -> None:
    """torchrun does not stay, and would kill processes that did."""
    project = render(model="mlp")
    process = torchrun(project, *FLAGS, "--epochs=2000")
    wait_for(process, "epoch    3/2000")
    process.send_signal(signal.SIGHUP)
    _, errors = finish(process, fails=True)
    assert errors.count("error: stopped by SIGHUP, with everything saved; after step ") == 1
    assert json.loads((newest_run(project) / "status.json").read_text())["exit_code"] == 128 + signal.SIGHUP


def test_half_precision_with_a_share_that_has_no_sample(render: Render) -> None:
    project = render(model="mlp")
    np.savez(project / "few.npz", x=np.eye(60, 64).reshape(60, 1, 8, 8), y=np.arange(60) % 3)
    flags = (*FLAGS, "--data.path=few.npz", "--epochs=1", "--precision=fp16", "--batch-size=1")
    output, _ = finish(torchrun(project, *flags))
    assert "epoch 1/1" in output


def test_a_share_of_the_validation_may_have_no_sample(render: Render) -> None:
    """Which some models would refuse: -1 in `reshape` could then be any number."""
    project = render(model="mlp")
    model = project / "src/my_experiment/model.py"
    text = model.read_text()
    assert text.count("x.flatten(start_dim=1)") == 1
    model.write_text(text.replace("x.flatten(start_dim=1)", "x.reshape(len(x), -1)"))
    x, y = np.eye(30, 64).reshape(30, 1, 8, 8), np.arange(30) % 3
    np.savez(project / "few.npz", x_train=x[1:], y_train=y[1:], x_val=x[:1], y_val=y[:1])
    output, _ = finish(torchrun(project, *FLAGS, "--data.path=few.npz", "--epochs=1"))
    assert "epoch 1/1" in output


def test_processes_that_find_different_runs_are_refused(render: Render) -> None:
    """As on machines that do not share the folder of runs."""
    project = render(model="mlp")
    with Server(project) as server:
        server.run_together(2, *FLAGS, "--epochs=1")
    flags = (*FLAGS, "--epochs=2", "--resume=auto")
    both = two_agents(project, (*flags, "--runs-dir=runs"), (*flags, "--runs-dir=elsewhere"))
    errors = "".join(finish(process, fails=True)[1] for process in both)
    assert errors.count("error: the processes have different checkpoints, weights; with torchrun; give all") == 2
    assert not (project / "elsewhere").exists()


@pytest.mark.parametrize(
    ("own", "different"),
    [
        (("--data.resident=yes", "--data.resident=no"), "--data.resident"),
        (("--data.path=data", "--data.path=b"), "data"),
        (("--lr=0.1", "--data.split-seed=5"), "--lr, --data.split-seed"),
        (("--precision=bf16", "--precision=auto"), "--precision"),
    ],
)
def test_processes_that_start_from_different_things_are_refused(
    render: Render, own: tuple[str, str], different: str
) -> None:
    """One whose memory is short would read the same data in another order, so that samples come twice or never."""
    project = render(model="mlp")
    with np.load(project / "data/digits.npz") as arrays:
        for folder, y in (("data", arrays["y"]), ("b", arrays["y"][::-1])):
            (project / folder).mkdir(exist_ok=True)
            np.save(project / folder / "x.npy", arrays["x"])
            np.save(project / folder / "y.npy", y)
    with Server(project) as server:
        both = server.start_together(2, *FLAGS, "--data.path=data", own=own)
        assert [process.wait() for process in both] == [5, 5]
        for process in both:
            assert f"error: the processes have different {different}; with torchrun; " in process.output()
    assert not (project / "runs").exists()


def test_processes_that_begin_with_different_weights_are_refused(render: Render) -> None:
    project = render(model="mlp")
    model = project / "src/my_experiment/model.py"
    drawn = "\n\nimport os\nimport torch\n\nALIKE = build_model\n\n\ndef build_model(*shapes, **settings):\n"
    drawn += "    torch.manual_seed(os.getpid())\n    return ALIKE(*shapes, **settings)\n"
    model.write_text(model.read_text(encoding="utf-8") + drawn, encoding="utf-8")
    with Server(project) as server:
        both = server.start_together(2, *FLAGS)
        assert [process.wait() for process in both] == [5, 5]
        assert "error: the processes have different weights; with torchrun; " in both[0].output()
    assert not (project / "runs").exists()


def test_processes_may_say_the_same_in_other_words(render: Render) -> None:
    """What is compared is the precision that they compute in."""
    project = render(model="mlp")
    with Server(project) as server:
        both = server.start_together(2, *FLAGS, "--epochs=1", own=("--precision=auto", "--precision=fp32"))
        assert [process.wait() for process in both] == [0, 0], both[0].output()


def test_dropout_differs_between_processes(render: Render) -> None:
    """Also from three on; and nobody draws again what the first weights were drawn from."""
    project = render(model="mlp")
    with Server(project) as server:
        server.run_together(4, *FLAGS, "--epochs=1", "--seed=3", "--model.dropout=0")
    states = torch.load(newest_run(project) / "checkpoints/last.pt", weights_only=True)["random"]
    draws = [torch.rand(5, generator=torch.Generator().manual_seed(3)).tolist()]
    for state in states:
        numbers = torch.Generator()
        numbers.set_state(state["torch"])
        draws.append(torch.rand(5, generator=numbers).tolist())
    assert len(draws) == 5 and len(set(map(tuple, draws))) == 5
    for name in ("python", "numpy"):  # of which an augmentation may draw
        assert len({tuple(state[name][1].tolist()) for state in states}) == 4


@pytest.mark.parametrize("rank", [0, 1])
def test_one_process_is_killed_and_the_others_leave(render: Render, rank: int) -> None:
    project = render(model="mlp")
    process = torchrun(project, *FLAGS, "--epochs=2000")
    wait_for(process, "epoch    3/2000")
    both = ranks(process)
    both[rank].kill()
    started = time.monotonic()
    _, errors = finish(process, fails=True)
    assert time.monotonic() - started < 60 and not any(child.is_running() for child in both)
    assert re.search(r"^error: another process of this training has ended \([^\[\]]+\); says the one on ", errors, re.M)
    with Server(project) as server:
        assert "resumed after step" in server.run_together(2, "--resume=auto", *FLAGS)


@pytest.mark.matrix
def test_torchrun_may_start_them_again(render: Render) -> None:
    """With --max-restarts: they must not look for each other where those before them were."""
    project = render(model="mlp")
    launcher = ("--standalone", "--nproc-per-node=2", "--max-restarts=3")
    process = torchrun(project, *FLAGS, "--resume=auto", "--epochs=300", launcher=launcher)
    for _ in range(3):
        wait_for(process, "epoch ")
        wait_for(process, "epoch ")  # so that there is a checkpoint
        ranks(process)[1].kill()
        wait_for(process, "resumed after step ")
    output, _ = finish(process)
    assert "finished: 300 epochs" in output


def test_a_divergence_is_said_once(render: Render) -> None:
    _, errors = finish(torchrun(render(model="mlp"), *FLAGS, "--lr=1e30"), fails=True)
    (sentence,) = re.findall("^error: .*", errors, re.MULTILINE)
    assert sentence.startswith("error: the loss is nan; at step ")


def test_what_needs_no_other_process_is_done_by_the_first_one(render: Render) -> None:
    project = render(model="mlp")
    finish(torchrun(project, *FLAGS))
    folder = newest_run(project)
    output, _ = finish(other_command(project, "evaluate", str(folder)))
    assert json.loads(output) == json.loads((folder / "evaluation.json").read_text())
    finish(other_command(project, "predict", str(folder), "--out=predictions.csv"))
    assert (project / "predictions.csv").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="limits another process, as only Linux can")
def test_a_failed_save_ends_all(render: Render) -> None:
    project = render(model="mlp")
    process = torchrun(project, *FLAGS, "--epochs=2000")
    wait_for(process, "epoch    3/2000")
    leader, _ = ranks(process)
    # Room for the lines of many epochs, and not for a checkpoint.
    resource.prlimit(leader.pid, resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    started = time.monotonic()
    _, errors = finish(process, fails=True)
    assert time.monotonic() - started < 60
    assert "error: cannot write " in errors and "(File too large)" in errors
    assert json.loads((newest_run(project) / "status.json").read_text())["pid"] == leader.pid


def test_the_cluster_script_hands_its_signal_to_every_process(render: Render, tmp_path: Path) -> None:
    """The two commands of Slurm are scripts here that do on one machine what they do on a cluster."""
    project = render(model="mlp")
    scripts = {"srun": 'shift; exec "$@"', "scontrol": "echo 127.0.0.1", "torchrun": f'exec {TORCHRUN} "$@"'}
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    variables = {"SLURM_NNODES": "1", "SLURM_JOB_ID": str(os.getpid()), "SLURM_GPUS_ON_NODE": "2"}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "scripts/slurm.sbatch", "--monitor=val_loss", *FLAGS, "--epochs=2000"]
    process = launch(command, project, PATH=path, **variables)
    assert wait_for(process, "epoch    3/2000")[0].startswith("nothing to resume in runs/my-experiment")
    (agent,) = psutil.Process(process.pid).children()
    agent.send_signal(signal.SIGUSR1)
    _, errors = finish(process, fails=True)
    assert errors.count("error: stopped by SIGUSR1, with everything saved; after step ") == 1
    assert json.loads((newest_run(project) / "status.json").read_text())["exit_code"] == 138


def test_two_agents_on_one_host(render: Render) -> None:
    outputs = "".join(finish(process)[0] for process in two_agents(render(model="mlp"), FLAGS, FLAGS))
    assert outputs.count("epoch 6/6") == 1 and "2 processes of 1 thread" in outputs
