"""What takes a while shows a bar on a terminal, which leaves nothing behind; without a terminal there is none."""

import importlib
import os
import subprocess
import sys

import pytest

SLOW = """
import time
from {{ cookiecutter.__package }}.progress import progress

with progress(6, "reading x", unit="B") as bar:
    for _ in range({steps}):
        time.sleep(0.3)
        bar.update(2)
print("done")
"""


def output(steps: int, terminal: bool, **variables: str) -> str:
    """Run the code with its errors on a terminal, or on a pipe, and return what came there."""
    reader, writer = os.openpty() if terminal else os.pipe()
    if terminal:
        importlib.import_module("termios").tcsetwinsize(writer, (24, 80))  # POSIX only
    command = [sys.executable, "-c", SLOW.replace("{steps}", str(steps))]
    subprocess.run(command, env={**os.environ, **variables}, stderr=writer, stdout=subprocess.DEVNULL, check=True)
    os.write(writer, b"end")  # so that there is something to read
    return os.read(reader, 100_000).decode().removesuffix("end")


@pytest.mark.skipif(os.name != "posix", reason="opens a terminal as POSIX does")
def test_a_bar_appears_on_a_terminal_after_a_while() -> None:
    shown = output(3, terminal=True)
    assert "reading x: " in shown and "6.00/6.00" in shown
    assert shown.split("\r")[-2].strip() == "" == shown.split("\r")[-1]  # it wiped itself out
    assert output(1, terminal=True) == output(3, terminal=False) == ""
    assert output(3, terminal=True, RANK="1", TORCHELASTIC_RUN_ID="mine") == ""  # the first process speaks for all
