"""The command line as a process of its own: `python -m` and the installed script."""

import atexit
import os
import signal
import sys

from .torchrun import by_torchrun


def run() -> None:
    """Run the command, and leave with its exit code."""
    os.environ["MPLBACKEND"] = "agg"  # no window is opened, and the one of Jupyter's environment may not be in this one
    codes: list[int] = []
    atexit.register(leave, codes)  # before anything else registers: what is first comes last
    try:
        from .cli import main  # within reach of Ctrl-C

        codes.append(main())
    except KeyboardInterrupt:
        codes.append(130)
    sys.exit(*codes)


def leave(codes: list[int]) -> None:
    """End the process without the fifth of a second that Python takes to free all of torch, object by object.

    After Ctrl-C it ends by that signal, of which shells make 130, too: so they end a loop that it was in.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:  # nobody listens; Python would try again, and leave with another code
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    for code in codes:
        if code == 130 and os.name == "posix" and not by_torchrun():
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        os._exit(code)


if __name__ == "__main__":
    run()
