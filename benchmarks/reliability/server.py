"""Runs commands of a rendered project, each in a fork of this process, which has torch loaded.

A start takes milliseconds, so that thousands can be killed. Reads orders from stdin, a JSON value per line: the
arguments of `start`, answered by a process number, or such a number, answered by the exit code once it has ended (minus
the signal's number if one has killed it).
"""

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from my_experiment import cli
from my_experiment.__main__ import loading

with loading():
    import my_experiment.commands.train
    import my_experiment.figures  # noqa: F401  # which train would import at its end

PACKAGE = str(Path(cli.__file__).parent)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Death:
    """Kills this process before a line of the package: the n-th that is executed within a function, or below it.

    With 0 it kills at none, and counts the lines within each of several functions.
    """

    def __init__(self, within: Iterable[str], line: int) -> None:
        self.line, self.counts = line, dict.fromkeys(within, 0)

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        around = self.around(frame)

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line":
                for function in around:
                    self.counts[function] += 1
                    if self.counts[function] == self.line:
                        os.kill(os.getpid(), signal.SIGKILL)
            return trace

        return trace if around else None

    def around(self, frame: FrameType | None) -> list[str]:
        """Return those of the functions that are running, by the names of a frame and of all that called it."""
        running = set()
        while frame:
            running.add(frame.f_code.co_qualname)
            frame = frame.f_back
        return [function for function in self.counts if function in running]


def start(
    arguments: list[str],
    log: str,
    variables: dict[str, str] | None = None,
    within: Iterable[str] = (),
    line: int = 0,
    file_size: int | None = None,
) -> int:
    """Run a command in a fork, its output in a log; the last line is what `Death` has counted `within` functions.

    A write beyond `file_size` kills it in the middle of the write.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # Python forgets what comes while it forks
    child = os.fork()
    if child:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        return child
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(variables or {})
    death = Death(within, line)
    if within:
        threading.settrace(death)
        sys.settrace(death)
    if file_size is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what came already ends it here, as it ends a Python that starts
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = cli.main(arguments)
    finally:
        sys.settrace(None)
        if within:
            print(json.dumps(death.counts), flush=True)
        os._exit(code)


def main() -> None:
    for text in sys.stdin:
        order = json.loads(text)
        answer = start(**order) if isinstance(order, dict) else os.waitstatus_to_exitcode(os.waitpid(order, 0)[1])
        print(answer, flush=True)


if __name__ == "__main__":
    main()
