"""The command line as a process of its own: `python -m` and the installed script."""

import os
import signal
import sys

from .torchrun import by_torchrun


def run() -> None:
    """Run the command, and leave with its exit code.

    After Ctrl-C the process ends by that signal, of which shells make 130, too: so they end a loop that it was in.
    """
    os.environ["MPLBACKEND"] = "agg"  # no window is opened, and the one of Jupyter's environment may not be in this one
    try:
        from .cli import main  # within reach of Ctrl-C

        code = main()
    except KeyboardInterrupt:
        code = 130
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:  # nobody listens; Python would try again, and leave with another code
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if code == 130 and os.name == "posix" and not by_torchrun():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(code)


if __name__ == "__main__":
    run()
