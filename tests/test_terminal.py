"""On a terminal the bar stays at the bottom, with the lines of the epochs above it (lesson 6 of the notes)."""

import json
import os
import re
import select
import signal
import time
from pathlib import Path

import pyte
import pytest

from .conftest import environment, newest_run, start

pytestmark = pytest.mark.alone  # a screen is looked at every few hundredths of a second
pty = pytest.importorskip("pty", reason="pseudo-terminals are a POSIX feature")
fcntl, struct, termios = (pytest.importorskip(name) for name in ("fcntl", "struct", "termios"))

COLUMNS, ROWS = 150, 40
EPOCH = re.compile(
    r"^epoch +\d+/12  train_loss \d\.\d{4}  val_loss \d\.\d{4}  val_accuracy \d\.\d{4}  best \d\.\d{4}"
    r"  patience \d+/20  [\d,]+ samples/s$"
)
BAR = re.compile(r"^train: +\d+%\|.*\| \d+/240 \[.* steps/s\]$")


def watch(project: Path, *flags: str, **variables: str) -> tuple[list[list[str]], bytes]:
    """Train on a pseudo-terminal; return the screens that a person saw, and all that was written."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    env = {**environment(project), "TERM": "xterm-256color", **variables}
    if not variables:
        env.pop("NO_COLOR", None)  # of whoever runs the tests
    process = start(project, "train", *flags, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    screen = pyte.Screen(COLUMNS, ROWS)
    stream, screens, written, seen = pyte.ByteStream(screen), [], b"", 0.0
    while True:
        try:
            ready, _, _ = select.select([ours], [], [], 0.05)
            data = os.read(ours, 65536) if ready else b""
        except OSError:  # the other end is closed
            break
        if ready and not data:
            break
        stream.feed(data)
        written += data
        if not ready and time.monotonic() - seen > 0.02:  # what stands still is what is seen
            screens.append([line.rstrip() for line in screen.display])
            seen = time.monotonic()
    screens.append([line.rstrip() for line in screen.display])
    assert process.wait() == 0, written.decode()
    os.close(ours)
    return screens, written


def test_the_bar_is_at_the_bottom_and_the_epochs_are_above_it(digits: Path) -> None:
    screens, written = watch(digits, "--epochs=12", "--monitor=val_accuracy")
    with_bar = 0
    for screen in screens:
        lines = [line for line in screen if line]
        bars = [index for index, line in enumerate(lines) if BAR.match(line)]
        if any(line.startswith("test ") for line in lines) or not bars:
            continue
        with_bar += 1
        assert bars == [len(lines) - 1], "\n".join(screen)  # one bar, the last line
        assert all(EPOCH.match(line) for line in lines if line.startswith("epoch")), "\n".join(screen)
    assert with_bar >= 3
    final = [line for line in screens[-1] if line]
    assert sum(bool(EPOCH.match(line)) for line in final) == 12
    assert not any(BAR.match(line) for line in final)  # the bar leaves when it is done
    assert final[-2].startswith("test accuracy") and final[-1].startswith("look at it")
    epochs = [json.loads(line) for line in (newest_run(digits) / "metrics.jsonl").read_text().splitlines()]
    scores = [line["val_accuracy"] for line in epochs]
    improved = [k for k in range(1, 13) if scores[k - 1] > max(scores[: k - 1], default=0)]
    green = [int(epoch) for epoch in re.findall(rb"\x1b\[32mepoch +(\d+)/", written)]
    assert green == improved and len(improved) < 12


def test_a_bar_that_was_there_for_a_moment_leaves_nothing(digits: Path) -> None:
    screens, _ = watch(digits, "--fast-dev-run")
    assert "finished: 1 epoch" in screens[-1] and not any("steps/s]" in line for line in screens[-1])


def test_no_color_is_respected(digits: Path) -> None:
    _, written = watch(digits, "--epochs=12", NO_COLOR="1")
    assert b"epoch 12/12" in written and not re.search(rb"\x1b\[[\d;]*m", written)


def test_training_outlives_its_terminal_and_still_answers_signals(digits: Path) -> None:
    """Closing it sends SIGHUP, and from then on nothing can be written there."""
    ours, theirs = pty.openpty()
    process = start(
        digits, "train", "--name=closed", "--epochs=2000", "--patience=0", stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment(digits), preexec_fn=lambda: take_terminal(theirs),
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while b"epoch    3/2000" not in written:
        written += os.read(ours, 65536)
    os.close(ours)
    metrics = newest_run(digits, "closed") / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while metrics.read_bytes().count(b"\n") < 8 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    status = json.loads((metrics.parent / "status.json").read_text())
    assert status["state"] == "interrupted" and metrics.read_bytes().count(b"\n") >= 8


def take_terminal(terminal: int) -> None:
    """Make it the one that the process would be told of, were it closed."""
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
