"""Signals become a request to stop, which the trainer reads between two steps."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from .torchrun import by_torchrun

SAVE = 0  # not a signal, and smaller than all of them: asks for a checkpoint
STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]


class StopRequest:
    """Holds the number of the first signal that asked to stop; a second signal leaves at once.

    At the end of a `with`, signals are answered again as they were before it.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._before: dict[int, Any] = {}

    def listen(self, *, met: bool = False) -> None:
        """Answer SIGINT (Ctrl-C), SIGTERM and SIGUSR1 (clusters send it before the time is up).

        Processes of torchrun do so once they have `met`: one that waits for another cannot, so a signal ends it.
        """
        if threading.current_thread() is not threading.main_thread():  # signals come to that one
            return
        if by_torchrun() and not met:
            self._answer(signal.SIGINT, signal.SIG_DFL)  # instead of Python's own answer
        elif by_torchrun() == met:  # who is alone, listens from the start
            for number in STOP_SIGNALS:
                self._answer(number, self._receive)
            if hasattr(signal, "SIGHUP"):  # the terminal is gone: training goes on, unless torchrun is going to end it
                self._answer(signal.SIGHUP, self._receive if by_torchrun() else signal.SIG_IGN)

    def leave_at_once(self) -> None:
        """Answer SIGTERM by leaving every `with`, so that temporary files go."""
        if threading.current_thread() is threading.main_thread() and not by_torchrun():
            self._answer(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    def _answer(self, number: int, answer: Any) -> None:
        self._before.setdefault(number, signal.getsignal(number))
        signal.signal(number, answer)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        time.sleep(0.1)  # seconds: `timeout` sends each signal to the process, and again to its group
        for each in STOP_SIGNALS:  # a notebook, and what it holds, lives on
            signal.signal(each, (hasattr(sys, "ps1") and self._before.get(each)) or signal.SIG_DFL)
        if sys.__stderr__ is not None:  # else it was closed before the start, and 2 may be the number of another file
            with suppress(OSError):  # nobody listens; not print, since the signal may have interrupted one
                os.write(2, b"\nstopping after this step; press Ctrl-C to leave at once\n")

    def __enter__(self) -> "StopRequest":
        return self

    def __exit__(self, *error: object) -> None:
        for number, answer in self._before.items():
            if answer is not None:  # else a library in C has it
                signal.signal(number, answer)
