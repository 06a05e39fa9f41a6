"""What is done to a rendered project, so many times, from a seed; each returns what happened, in plain numbers.

`wrong` lists the trials that broke a promise, and is empty if all were kept.
"""

import json
import math
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from benchmarks.origin import ROOT, environment
from benchmarks.reliability.harness import (
    Server,
    duplicates,
    final,
    resumed_step,
    run_folder,
    same,
    saved_step,
)

FLAGS = ("--epochs=4", "--patience=0")
MODES = (
    (),
    ("--checkpoint-every=7",),
    ("--checkpoint-every=20",),  # the digits have 20 batches: at the end of each epoch there are two
    ("--checkpoint-every=0.001min",),
    ("--accumulate=2", "--clip-norm=1"),
    ("--data.path=arrays", "--data.resident=no"),
)
POINTS = (  # where runs are killed, besides within a save, which is written in a thread
    "Experiment.__init__", "Run.begin", "write_capsule", "Experiment.trainer", "Trainer.train_epoch",
    "Trainer.validate", "Logbook.epoch", "Trainer.save", "Trained.score", "Trained.figures", "Logbook.figures",
    "Logbook.close", "Run.__exit__",
)  # fmt: skip
WAYS = ("at any time", "inside a save", "inside a save", "in a write", "at a named point")
DEATHS = 4  # planned for each run
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Campaign:
    """Runs trials side by side on a project, with reference runs that nobody disturbs."""

    def __init__(self, project: Path, *, seed: int, flags: tuple[str, ...] = FLAGS, workers: int = 2) -> None:
        self.project, self.seed, self.flags = project, seed, flags
        self.servers = [Server(project) for _ in range(workers)]
        self.free: SimpleQueue[Server] = SimpleQueue()
        for server in self.servers:
            self.free.put(server)

    def __enter__(self) -> "Campaign":
        return self

    def __exit__(self, *error: object) -> None:
        for server in self.servers:
            server.__exit__()

    def until(
        self,
        count: int,
        trial: Callable[[Server, random.Random, int], tuple[list[str], str]],
        *,
        counts: Callable[[str], bool] = bool,
        most: int = 1,
    ) -> dict[str, Any]:
        """Repeat a trial until `count` of what happened counts; give up after ten times as many.

        A trial returns what happened, of which at most `most` things count, and what is wrong, or nothing. It has
        random numbers of its own, which only the seed decides.
        """

        def once(number: int) -> tuple[list[str], str]:
            server = self.free.get()
            try:
                return trial(server, random.Random(f"{self.seed} {number}"), number)
            finally:
                self.free.put(server)

        ways: Counter[str] = Counter()
        wrong: list[str] = []
        runs, missing = 0, count
        with ThreadPoolExecutor(len(self.servers)) as pool:
            while missing > 0 and runs * most < 10 * count:
                more = math.ceil(missing / most)
                for happened, sentence in pool.map(once, range(runs, runs + more)):
                    ways.update(happened)
                    wrong += [sentence] if sentence else []
                runs += more
                missing = count - sum(often for way, often in ways.items() if counts(way))
        if missing > 0:
            wrong.append(f"only {count - missing} of {count} in {runs} runs: {dict(ways)}")
        return {"count": count - missing, "ways": dict(ways), "runs": runs, "wrong": wrong}

    def whole(self, name: str, *mode: str, **options: Any) -> tuple[dict[str, Any], float]:
        """Return the end of a run that nobody disturbs, and how long it took (s)."""
        started = time.perf_counter()
        self.servers[0].run("train", f"--name={name}", *self.flags, *mode, **options)
        return final(run_folder(self.project, name)), time.perf_counter() - started

    def ends_whole(self, server: Server, name: str, command: tuple[str, ...], whole: dict[str, Any]) -> str:
        """Continue a run to its end; return what is wrong with it, or nothing. It is removed if nothing is."""
        saved = saved_step(self.project, name)
        process = server.start(*command)
        if code := process.wait():
            return f"{name} ended with {code}: {process.output()}"
        if resumed_step(process.output()) not in (saved, None):
            return f"{name} had saved step {saved}: {process.output()}"
        folder = run_folder(self.project, name)
        if not same(final(folder), whole):
            return f"{name} has other bits: {process.output()}"
        if wrong := duplicates(folder):
            return f"{name}: TensorBoard differs at {wrong} points"
        shutil.rmtree(folder.parent)
        return ""


def kills(campaign: Campaign, count: int, modes: tuple[tuple[str, ...], ...] = MODES) -> dict[str, Any]:
    """Kill runs at least so many times, in four ways; continue each, and compare its end."""
    wholes = [campaign.whole(f"whole-{number}", *mode) for number, mode in enumerate(modes)]
    said = campaign.servers[0].run("train", "--name=count", *campaign.flags, within=("Saver.write", *POINTS))
    lines = json.loads(said.splitlines()[-1])
    assert all(lines.values()), lines
    largest = max(path.stat().st_size for path in campaign.project.glob("runs/whole-0/*/checkpoints/*.pt"))

    def die(server: Server, command: tuple[str, ...], name: str, chance: random.Random, seconds: float) -> str:
        """Return how it died, or nothing if it came to its end before. Raises ValueError if it did neither."""
        saved = saved_step(campaign.project, name)
        way = chance.choice(WAYS)
        options: dict[str, Any] = {}
        if way == "in a write":
            options = {"file_size": chance.randrange(1, largest)}
        elif way != "at any time":
            point = "Saver.write" if way == "inside a save" else chance.choice(POINTS)
            options = {"within": [point], "line": chance.randint(1, lines[point])}
        process = server.start(*command, **options)
        if way == "at any time":
            time.sleep(chance.uniform(0, seconds))
            process.send(signal.SIGKILL)
        code, resumed = process.wait(), resumed_step(process.output())
        if code not in (0, -signal.SIGKILL, -signal.SIGXFSZ) or resumed not in (saved, None):
            raise ValueError(f"{name}, {way}: {code}, step {saved} was saved: {process.output()}")
        return way if code else ""

    def trial(server: Server, chance: random.Random, number: int) -> tuple[list[str], str]:
        mode = number % len(modes)
        whole, seconds = wholes[mode]
        name = f"killed-{number}"
        command = ("train", "--resume=auto", f"--name={name}", *campaign.flags, *modes[mode])
        ways: list[str] = []
        try:
            for _ in range(DEATHS):
                if way := die(server, command, name, chance, seconds):
                    ways.append(way)
        except ValueError as error:
            return ways, str(error)
        return ways, campaign.ends_whole(server, name, command, whole)

    return campaign.until(count, trial, most=DEATHS)


def signals(campaign: Campaign, count: int) -> dict[str, Any]:
    """Ask runs to stop at any time, until so many have: with their code, all saved, and the end of one not asked."""
    longer = "--epochs=20"
    campaign.whole("warm-signals", longer)
    whole, seconds = campaign.whole("whole-signals", longer)

    def trial(server: Server, chance: random.Random, number: int) -> tuple[list[str], str]:
        name, asked = f"asked-{number}", chance.choice(SIGNALS)
        command = ("train", "--resume=auto", f"--name={name}", *campaign.flags, longer)
        process = server.start(*command)
        time.sleep(chance.uniform(0, seconds))
        before = process.output()
        process.send(asked)
        code, said = process.wait(), process.output()
        wrong = f"{asked.name} ended {name} with {code}: {said}"
        if "everything saved" in said:
            way = asked.name
            step = int(said.rpartition("after step ")[2].split(";")[0])
            right = code == 128 + asked and step == saved_step(campaign.project, name)
        elif code == 0:  # no epoch began after it was asked
            way, right = "too late", said.count("\nepoch ") <= before.count("\nepoch ") + 1
        else:
            way, right = "before it listened", code in (-asked, 130) and "\nrun     " not in before
        return [way], campaign.ends_whole(server, name, command, whole) if right else wrong

    return campaign.until(count, trial, counts={each.name for each in SIGNALS}.__contains__)


def starts(campaign: Campaign, count: int, at_once: int = 20) -> dict[str, Any]:
    """Start runs of one name at the same time; each must train, in a directory of its own."""
    parent = campaign.project / "runs" / "crowd"
    wrong = []
    for first in range(0, count, at_once):
        server = campaign.servers[first // at_once % len(campaign.servers)]
        crowd = [
            server.start("train", "--name=crowd", "--epochs=1", "--patience=0")
            for _ in range(min(at_once, count - first))
        ]
        wrong += [process.output() for process in crowd if process.wait() != 0]
    found = sum((folder / "evaluation.json").exists() for folder in parent.iterdir())
    if found != count:
        wrong.append(f"{found} directories")
    shutil.rmtree(parent)
    return {"count": count, "at once": at_once, "wrong": wrong}


def double_resumes(campaign: Campaign, count: int) -> dict[str, Any]:
    """Resume a run twice at about the same time, until one of so many pairs was refused; the other one trains.

    A second one that came too late finds it finished, and does not count.
    """
    campaign.whole("base", "--epochs=2")
    base = run_folder(campaign.project, "base")
    shutil.copytree(base.parent, base.parent.with_name("longer"))
    started = time.perf_counter()
    campaign.servers[0].run("train", f"--resume={run_folder(campaign.project, 'longer')}", "--epochs=4")
    seconds = time.perf_counter() - started
    whole = final(run_folder(campaign.project, "longer"))

    def trial(server: Server, chance: random.Random, number: int) -> tuple[list[str], str]:
        name = f"double-{number}"
        folder = shutil.copytree(base, campaign.project / "runs" / name / base.name)
        command = ("train", f"--resume={folder}", "--epochs=4")
        first = server.start(*command)
        time.sleep(chance.choice([0, chance.uniform(0, seconds)]))
        second = server.start(*command)
        codes = sorted([first.wait(), second.wait()])
        said = first.output() + second.output()
        if codes == [0, 5]:
            way = "refused"
            right = "the run is being trained by " in said
        else:
            way, right = "finished before", codes == [0, 0] and "already finished" in said
        if not right:
            return [way], f"{name}: {codes} {said}"
        return [way], campaign.ends_whole(server, name, command, whole)

    return campaign.until(count, trial, counts=lambda way: way == "refused")


def two_rank_kills(campaign: Campaign, count: int) -> dict[str, Any]:
    """Kill one of two processes that train together: the other one leaves by itself, and both can continue."""
    started = time.perf_counter()
    campaign.servers[0].run_together(2, "--name=whole-two", *campaign.flags)
    seconds = time.perf_counter() - started
    whole = final(run_folder(campaign.project, "whole-two"))

    stayed: list[float] = []  # for how long the one that was left alone did (s)

    def trial(server: Server, chance: random.Random, number: int) -> tuple[list[str], str]:
        name = f"two-{number}"
        command = ("--resume=auto", f"--name={name}", *campaign.flags)
        processes = server.start_together(2, *command)
        patience = time.perf_counter() + 60
        while "\nrun " not in processes[0].output() and time.perf_counter() < patience:
            time.sleep(0.01)  # until they have met, torchrun would end the other one
        time.sleep(chance.uniform(0, 0.6 * seconds))  # the start has taken a good part of the time
        victim = chance.randrange(2)
        processes[victim].send(signal.SIGKILL)
        died = time.perf_counter()
        codes = [process.wait() for process in processes]
        took = time.perf_counter() - died
        way = "ended before" if codes[victim] == 0 else "killed"
        if way == "killed":
            stayed.append(took)
        trained = "\nepoch 4/4" in processes[0].output()  # then nobody needs the other one
        if took > 60 or codes[1 - victim] not in ((0, 4) if trained else (4,)):
            return [way], f"{name}: {codes} after {took:.0f} s: {[process.output() for process in processes]}"
        saved, said = saved_step(campaign.project, name), server.run_together(2, *command)
        if resumed_step(said) not in (saved, None):
            return [way], f"{name} had saved step {saved}: {said}"
        folder = run_folder(campaign.project, name)
        if not same(final(folder), whole) or duplicates(folder):
            return [way], f"{name} has other bits, or TensorBoard differs"
        shutil.rmtree(folder.parent)
        return [way], ""

    found = campaign.until(count, trial, counts=lambda way: way == "killed")
    return {**found, "slowest": round(max(stayed, default=0), 1)}


def damage(campaign: Campaign, corruptions: int, failures: int) -> dict[str, dict[str, Any]]:
    """Corrupt a real checkpoint, and fail at offsets of its save."""
    campaign.whole("damaged")
    checkpoint = run_folder(campaign.project, "damaged") / "checkpoints" / "last.pt"
    script = [sys.executable, "-m", "benchmarks.reliability.damage", str(checkpoint), str(corruptions), str(failures)]
    variables = environment(campaign.project, OMP_NUM_THREADS="1")
    output = subprocess.run([*script, str(campaign.seed)], cwd=ROOT, env=variables, stdout=subprocess.PIPE, check=True)
    return json.loads(output.stdout)
