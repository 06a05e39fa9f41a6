"""The command line as a process of its own: `python -m` and the installed script."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .torchrun import by_torchrun


def run() -> None:
    """Run the command, and leave with its exit code.

    After Ctrl-C the process ends by that signal, of which shells make 130, too: so they end a loop that it was in.
    """
    os.environ["MPLBACKEND"] = "agg"  # no window is opened, and the one of Jupyter's environment may not be in this one
    try:
        from .cli import main  # within reach of Ctrl-C

        code = main(loading=loading)
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
    spare()
    sys.exit(code)


@contextmanager
def loading() -> Iterator[None]:
    """Load torch with the garbage collector off: it would find next to nothing, and take a sixth of the time."""
    gc.disable()
    yield
    spare()
    gc.enable()


def spare() -> None:
    """Take what is there out of every search for garbage, also the two at the end of Python.

    There, modules that nothing holds would be missed, and with them what is left to write to files that they opened.
    """
    modules: list[object] = [*sys.modules.values()]
    modules.append(modules)  # as long as nobody finds this circle, all modules are held
    gc.freeze()


if __name__ == "__main__":
    run()
