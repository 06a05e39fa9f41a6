"""The command line. It parses before torch loads, so that help and mistakes are answered at once."""

import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path

from .arguments import COMMANDS, Command, Evaluate, ImportImages, Inspect, Predict, Train
from .errors import ConfigError, DivergedError, ExperimentError, Interrupted, exit_code, note, out_of_memory, printable
from .parsing import PROGRAM, command_in, flags_of, parse
from .resume import find_run
from .run import settings_of
from .signals import StopRequest
from .torchrun import is_follower

Loading = Callable[[], AbstractContextManager[None]]  # within which torch is imported


def main(argv: Sequence[object] | None = None, *, loading: Loading = nullcontext) -> int:
    """Run a command and return its exit code. A failure ends with one line: what; where; how to fix it."""
    arguments = [str(argument) for argument in (sys.argv[1:] if argv is None else argv)]  # a notebook gives others
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # it was closed
        setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names may have letters that a terminal does not
    try:
        name = command_in(arguments, COMMANDS)
        command = parse(COMMANDS.get(name, Command), arguments[1:] if name else arguments, command=name)
        if isinstance(command, Train):
            with StopRequest() as stop:
                train(command, arguments[1:], stop, loading)
        elif is_follower():
            return 0  # the first process does it
        elif isinstance(command, Inspect):
            from .commands import inspect

            inspect.run(command.data, command.model, command.task, program=PROGRAM, flags=arguments[1:])
        elif isinstance(command, ImportImages):
            with loading():
                from .commands import import_images

            import_images.run(command.folder, command.out, resize=command.resize, colours=command.colours)
        else:
            use(command, loading)
        print(end="", flush=True)  # here, so that it is told if that fails
        return 0
    except KeyboardInterrupt:
        with suppress(OSError):
            print("error: stopped by Ctrl-C; before the work was done; run it again", file=sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, BrokenPipeError) and (arguments[:1] != ["train"] or {"-h", "--help"} & {*arguments}):
            return 0  # whoever read the output has had enough of it
        code = exit_code(error)
        with suppress(OSError):  # the terminal is gone
            if code == 1 or "--debug" in arguments:
                traceback.print_exc()
            if not (is_follower() and isinstance(error, Interrupted | DivergedError)):  # the first process says so
                print(f"error: {sentence(error)}", file=sys.stderr)
        return code


def sentence(error: Exception) -> str:
    """Return what is wrong, where, and how to fix it, for any exception."""
    if isinstance(error, ExperimentError):
        return str(error)
    if what := out_of_memory(error):
        return f"{what}; in this process; close others, or give it smaller data, a smaller model, smaller batches"
    if exit_code(error) != 1 and isinstance(error, OSError):
        fix = "make room, or let it read and write there, or choose another path (--runs-dir, --out)"
        return printable(f"{error.strerror}; {error.filename or 'where it was written'}; {fix}")
    frames = traceback.extract_tb(error.__traceback__)  # the last one in this package is where to look
    if isinstance(error, SyntaxError):
        frames.append(traceback.FrameSummary(str(error.filename), error.lineno, ""))
    frame = next(frame for frame in reversed(frames) if Path(frame.filename).is_relative_to(Path(__file__).parent))
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return printable(f"{what}; {frame.filename}:{frame.lineno}; see the traceback above")


def train(command: Train, flags: list[str], stop: StopRequest, loading: Loading) -> None:
    """Resolve --config and --resume into settings and a run directory, then train."""
    if command.resume is not None and command.fast_dev_run:
        raise ConfigError("--resume and --fast-dev-run exclude each other", "on the command line", "give one of them")
    if is_follower():
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    (stop.leave_at_once if command.fast_dev_run else stop.listen)()  # a trial has nothing to save
    if command.config:
        flags = [*flags_of(command.config), *flags]
        command = parse(Train, flags)
    settings, folder = command.settings, None
    if command.resume is not None:
        found = find_run(command, flags)
        if found is None:
            say(f"nothing to resume in {settings.runs_dir / settings.name}: starting a new run")
        elif found.needs:
            say(f"already finished: {found.folder}; train it longer with {found.needs}, or anew with another --name")
            return
        else:
            settings, folder = found.settings, found.folder
            if found.added:
                say(f"the code has got settings since the run began; it goes on with {' '.join(found.added)}")
    with loading():
        from .commands.train import run

    say(run(settings, folder=folder, fast_dev_run=command.fast_dev_run, stop=stop))


def say(text: str) -> None:
    """Print a line, if somebody listens: training goes on without."""
    try:
        print(printable(text), flush=True)
    except OSError:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def use(command: Evaluate | Predict, loading: Loading) -> None:
    """Use a run with its own settings, but for the data and the device of the command line."""
    saved, added = settings_of(command.run)
    saved = replace(saved, device=command.device)
    given = {name: value for name, value in asdict(command.data).items() if value is not None}
    data = replace(saved.data, resident="auto", **given)
    if added:
        note(f"the code has got settings since the run began: {' '.join(added)}")
    with loading():
        from .capsule import note_doubts
        from .commands import evaluate, predict

    note_doubts(command.run)
    if isinstance(command, Predict):
        predict.run(command.run, saved, data, out=command.out)
    else:
        evaluate.run(command.run, saved, data, split=command.split)
