"""The same faults for this template, a Lightning script and the loop of the lab notes, on the same training.

    python -m benchmarks.reliability.rivals              # five minutes; needs Lightning: the group `bench`

Each is started by one command, and after a fault by the same command again. Lightning is told what its introduction
to checkpoints offers for this: seeds, `deterministic`, a last checkpoint, and `ckpt_path="last"`. The notes' loop keeps
the weights of its best epoch, and cannot continue: it starts over. Of each, an epoch counts once its line is there.
"""

import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from benchmarks.origin import environment, render
from benchmarks.reliability.harness import HERE, same
from benchmarks.speed.bench import digits

CONTENDERS = HERE.parent / "speed" / "contenders"
OURS, LIGHTNING, LOOP = "this template", "Lightning", "notes' loop"
EPOCHS = 20
FLAGS = ("--batch-size=64", "--model.width=256")


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    epochs: int
    last_line: str  # of stderr


class Contender:
    """One of the three, which trains into a folder of its own."""

    def __init__(self, name: str, project: Path, data: Path, out: Path) -> None:
        self.name, self.project, self.data, self.out = name, project, data, out
        out.mkdir()

    def command(self, *flags: str) -> list[str]:
        common = [f"--epochs={EPOCHS}", *FLAGS, *flags]
        if self.name == OURS:
            ours = ["--data.channels=first", "--patience=0", "--name=run", "--resume=auto", f"--runs-dir={self.out}"]
            return [sys.executable, "-m", "my_experiment", "train", f"--data.path={self.data}", *ours, *common]
        script = {LIGHTNING: HERE / "lightning_resumable.py", LOOP: CONTENDERS / "notes_loop.py"}[self.name]
        return [sys.executable, str(script), str(self.data), f"--out={self.out}", *common]

    def train(self, *flags: str, kill_after: int = 0, wait: float = 0, file_size: int = 0) -> Ended:
        """Train to the end, or until it is killed, some seconds after an epoch; no file may grow beyond `file_size`."""

        def limit() -> None:
            if file_size:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

        variables = environment(self.project, CUDA_VISIBLE_DEVICES="")
        variables["PYTHONPATH"] += os.pathsep + str(CONTENDERS)
        epochs = 0
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                self.command(*flags), cwd=self.out, env=variables, preexec_fn=limit,
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
            assert process.stdout
            for line in process.stdout:
                epochs += line.startswith("epoch ")
                if kill_after and epochs == kill_after and process.poll() is None:
                    time.sleep(wait)
                    process.kill()  # and read what it had said before
            code = process.wait()
            errors.seek(0)
            said = errors.read().replace(str(self.out), "OUT")
            lines = [line for line in said.splitlines() if line.strip()]
        return Ended(code, epochs, lines[-1] if lines else "")

    def checkpoint(self) -> Path:
        """Return the file that holds the last weights; of the notes' loop, the best ones, as it keeps no others."""
        pattern = {OURS: "run/*/checkpoints/last.pt", LIGHTNING: "checkpoints/last.ckpt", LOOP: "best.pt"}[self.name]
        (path,) = self.out.glob(pattern)
        return path

    def weights(self) -> dict[str, Any] | None:
        """Return them; None if the file cannot be read."""
        try:
            content = torch.load(self.checkpoint(), weights_only=True)
        except (RuntimeError, OSError, EOFError):
            return None
        return content[{OURS: "model", LIGHTNING: "state_dict"}[self.name]] if self.name != LOOP else content

    def points_twice(self) -> int:
        """Count the points of TensorBoard's curves that are there more than once."""
        points: Counter[tuple[str, int]] = Counter()
        for folder in {path.parent for path in self.out.rglob("events.out.tfevents.*")}:
            events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
            for tag in events.Tags()["scalars"]:
                points.update((tag, event.step) for event in events.Scalars(tag))
        return sum(count - 1 for count in points.values())


def killed(new: Callable[[], Contender], whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """SIGKILL after a random epoch, five times; then the same command again."""
    identical, again, twice = [], [], []
    for _ in range(5):
        contender = new()
        first = contender.train(kill_after=chance.randrange(3, EPOCHS // 2), wait=chance.uniform(0, 0.3))
        assert first.code == -signal.SIGKILL
        second = contender.train()
        assert second.code == 0, second
        identical.append(same(contender.weights(), whole))
        again.append(first.epochs + second.epochs - EPOCHS)
        twice.append(contender.points_twice())
    cell = f"{sum(identical)} of 5 end with the same bits; {statistics.median(again):.0f} epochs trained again; "
    return {"cell": cell + f"{statistics.median(twice):.0f} points of the curves twice", "identical": identical}


def cut_off(new: Callable[[], Contender], whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """SIGKILL, the last checkpoint cut to half; then the same command again."""
    contender = new()
    contender.train(kill_after=10, wait=0.3)
    os.truncate(contender.checkpoint(), contender.checkpoint().stat().st_size // 2)
    ended = contender.train()
    if ended.code:
        return {"cell": ending(ended), **ended._asdict()}
    bits = "the same" if same(contender.weights(), whole) else "other"
    return {"cell": f"exit 0 after {ended.epochs} more epochs, with {bits} bits", **ended._asdict()}


def not_finite(new: Callable[[], Contender], whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A learning rate of 1e30."""
    contender = new()
    ended = contender.train("--lr=1e30")
    weights = contender.weights() if list(contender.out.rglob("*.pt")) + list(contender.out.rglob("*.ckpt")) else None
    cell = f"{ending(ended)}, after {ended.epochs} epochs"
    if weights is not None:
        finite = all(tensor.isfinite().all() for tensor in weights.values())
        cell += f"; the weights it keeps are {'finite' if finite else 'not finite'}"
    return {"cell": cell, **ended._asdict()}


def bad_labels(new: Callable[[], Contender], whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """One label of the validation is 10; the training has 0 to 9."""
    contender = new()
    with np.load(contender.data) as file:
        arrays = dict(file)
    arrays["y_val"][100] = 10
    contender.data = contender.out / "bad.npz"
    np.savez(contender.data, **arrays)
    ended = contender.train()
    return {"cell": f"{ending(ended)}, after {ended.epochs} epochs", **ended._asdict()}


def full_disk(new: Callable[[], Contender], whole: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """SIGKILL; then the same command again, and every file ends at three quarters of a checkpoint."""
    contender = new()
    contender.train(kill_after=10, wait=0.3)
    other = new()  # the kill may have hit a write, and left an empty file
    other.train()
    ended = contender.train(file_size=other.checkpoint().stat().st_size * 3 // 4)
    loads = "can be read" if contender.weights() is not None else "cannot be read"
    return {"cell": f"{ending(ended)}; the checkpoint then {loads}", **ended._asdict()}


FAULTS = {
    "killed, and started again": killed,
    "its last checkpoint is cut to half": cut_off,
    "the learning rate is 1e30": not_finite,
    "the validation has a label that the training has not": bad_labels,
    "no file may grow beyond 3/4 of a checkpoint, as on a full disk": full_disk,
}


def ending(ended: Ended) -> str:
    """Return the exit code, and what was said if it is not 0."""
    return f"exit {ended.code}: `{ended.last_line}`" if ended.code else "exit 0"


def compare(seed: int) -> dict[str, dict[str, Any]]:
    """Return what each of the three does under each fault."""
    found: dict[str, dict[str, Any]] = {fault: {} for fault in FAULTS}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        project, data = render(work, model="mlp"), work / "digits.npz"
        digits(data, project)
        for name in (OURS, LIGHTNING, LOOP):

            def new(name: str = name) -> Contender:
                return Contender(name, project, data, Path(tempfile.mkdtemp(dir=work)) / "out")

            whole = new()
            ended = whole.train()
            assert (ended.code, ended.epochs) == (0, EPOCHS), ended
            for fault, bring in FAULTS.items():
                found[fault][name] = bring(new, whole.weights() or {}, random.Random(f"{seed} {fault}"))
                print(f"{fault}, {name}: {found[fault][name]['cell']}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    print(json.dumps(compare(0), indent=1))
