"""Starts and kills commands of a rendered project, and compares what they leave to the last bit."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from benchmarks.origin import environment

HERE = Path(__file__).parent
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}  # what is compared to the bit is trained on the CPU


class Server:
    """A process that has a rendered project loaded and forks for each command; one at a time talks to it."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "server.py")],
            cwd=project,
            env=environment(project, OMP_NUM_THREADS="1", PYTHONUNBUFFERED="1", **NO_GPU),  # a fork does not flush
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.logs = 0

    def ask(self, order: object) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(self, *arguments: str, **options: Any) -> "Command":
        """Start a command; see `start` of the server for the options."""
        self.logs += 1
        log = self.project / f"{self.process.pid}-{self.logs}.log"
        return Command(self, self.ask({"arguments": arguments, "log": str(log), **options}), log)

    def run(self, *arguments: str, **options: Any) -> str:
        """Run a command to its end and return what it printed; it must succeed."""
        command = self.start(*arguments, **options)
        code, output = command.wait(), command.output()
        assert code == 0, output
        return output

    def start_together(self, count: int, *arguments: str, own: Sequence[str] = ()) -> "list[Command]":
        """Start so many processes that train together, as torchrun would; nobody looks after them.

        Each may get an argument of its `own`.
        """
        port = str(free_port())
        common = {
            "TORCHELASTIC_RUN_ID": port,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
            "WORLD_SIZE": f"{count}",
            "LOCAL_WORLD_SIZE": f"{count}",
        }
        ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]
        return [
            self.start("train", *arguments, *own[k : k + 1], variables={**common, **rank})
            for k, rank in enumerate(ranks)
        ]

    def run_together(self, count: int, *arguments: str) -> str:
        """Run so many to their end and return what the first one printed; all must succeed."""
        processes = self.start_together(count, *arguments)
        codes = [process.wait() for process in processes]
        assert not any(codes), [process.output() for process in processes]
        return processes[0].output()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


class Command:
    """A command that a server has started."""

    def __init__(self, server: Server, pid: int, log: Path) -> None:
        self.server, self.pid, self.log = server, pid, log

    def send(self, signal_number: int) -> None:
        """Send a signal; it may have ended before, and is then a zombie, which does not mind."""
        os.kill(self.pid, signal_number)

    def wait(self, limit: float = 300) -> int:
        """Return the exit code, or minus the number of the signal that killed it: one that hangs is killed here."""
        alarm = threading.Timer(limit, self.send, [signal.SIGKILL])
        alarm.start()
        try:
            return self.server.ask(self.pid)
        finally:
            alarm.cancel()

    def output(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text() if self.log.exists() else ""


def free_port() -> int:
    """Return the number of a port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def run_folder(project: Path, name: str) -> Path:
    """Return the one run of a name that has begun; what was killed before that has left an empty folder at most."""
    (config,) = (project / "runs" / name).glob("*/config.yaml")
    return config.parent


def saved_step(project: Path, name: str) -> int:
    """Return the step of the checkpoint that a run of this name would continue, 0 if there is none."""
    paths = (project / "runs" / name).glob("*/checkpoints/*.pt")
    return max((int(torch.load(path, weights_only=True)["progress"]["step"]) for path in paths), default=0)


def resumed_step(output: str) -> int | None:
    """Return the step after which a command said that it continues, 0 if it began; None if it did not get so far."""
    if "\nrun     " not in output:
        return None
    said = re.search(r"^resumed after step (\d+),", output, re.MULTILINE)
    return int(said[1]) if said else 0


def final(folder: Path) -> dict[str, Any]:
    """Return all of a finished run that must not depend on when it was killed."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    state = {
        "metrics": [{k: v for k, v in line.items() if k not in ("seconds", "samples_per_second")} for line in lines],
        "evaluation": json.loads((folder / "evaluation.json").read_text()),
    }
    for checkpoint in ("last", "best"):
        state[checkpoint] = torch.load(folder / "checkpoints" / f"{checkpoint}.pt", weights_only=True)
        state[checkpoint].pop("settings")  # its name differs
    return state


def same(a: Any, b: Any) -> bool:
    """Compare nested states to the last bit: what is equal, but of another type, is not the same, and 0 is not -0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        bits = [tensor.reshape(-1).view(torch.uint8) for tensor in (a, b)]
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(*bits)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def duplicates(folder: Path) -> int:
    """Count what TensorBoard's own loader finds twice, misses, or has beside the metrics, over all starts of a run."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines]
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    wrong = 0
    for tag in events.Tags()["scalars"]:
        found = [event.step for event in events.Scalars(tag)]
        wrong += len(set(found) ^ set(steps)) + len(found) - len(set(found))
    return wrong
