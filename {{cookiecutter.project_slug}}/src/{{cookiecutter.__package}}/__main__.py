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
    sys.exit(code)


@contextmanager
def loading() -> Iterator[None]:
    """Load torch with the garbage collector off, which would find next to nothing, and take a sixth of the time.

    Nor is it searched for later in what was loaded. Python, as it ends, would then overlook modules that nothing holds,
    and not write to the end what they have written to open files: so something holds them all.
    """
    gc.disable()
    yield
    modules: list[object] = [*sys.modules.values()]
    modules.append(modules)  # a circle, which nobody finds
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    run()
