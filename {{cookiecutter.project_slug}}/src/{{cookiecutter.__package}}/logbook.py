"""What a run tells: TensorBoard, metrics.jsonl, train.log, and the terminal with its progress bar at the bottom."""

import json
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from colorama import Fore, Style, just_fix_windows_console
from numpy.typing import NDArray
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter
from tqdm import tqdm

from .errors import RefusedError, printable


class Logbook:
    """Writes to a run directory; starts after `step`, and drops what an earlier start wrote beyond it.

    metrics.jsonl is the authority: one line per epoch. TensorBoard gets the same numbers, each at the global step; if
    its file cannot be written, that is said once, and training goes on.
    """

    def __init__(self, folder: Path, *, step: int = 0) -> None:
        just_fix_windows_console()
        cut_back(folder / "metrics.jsonl", step)
        self.metrics = (folder / "metrics.jsonl").open("a", buffering=1, encoding="utf-8")  # line by line
        self.log = (folder / "train.log").open("a", buffering=1, encoding="utf-8")
        self.has_curves = True
        threading.excepthook = without_writer
        logging.getLogger("matplotlib").setLevel("ERROR")  # on a new machine, it tells of its cache of fonts
        # TensorBoard reads the files of a run by their names, which tell the second of a start, and then the process.
        while any(folder.glob(f"events.out.tfevents.{int(time.time())}.*")):
            time.sleep(0.05)
        earlier = [file for file in folder.glob("events.out.tfevents.*") if file.name.split(".")[3].isdecimal()]
        if any(int(file.name.split(".")[3]) > time.time() for file in earlier):  # the clock has gone back
            for file in earlier:
                with suppress(OSError):  # it is only about curves
                    file.rename(file.with_name(file.name.replace("tfevents.", "tfevents.0")))
        self.writer = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)
        # Closes it as the program ends, if nobody has: `__del__`, later, would wait for ever: its thread is dead.
        self.at_exit = weakref.finalize(self, self.writer.close)

    def write(self, text: str, *, colour: str = "") -> None:
        """Print a line above the progress bar (lesson 6 of the notes), and keep it in train.log."""
        text = printable(text)
        self.log.write(text + "\n")
        plain = not colour or not getattr(sys.stdout, "isatty", lambda: False)() or "NO_COLOR" in os.environ
        try:
            tqdm.write(text if plain else f"{colour}{text}{Style.RESET_ALL}")
            sys.stdout.flush()  # into a file or a pipe, too, each line comes when it is said
        except OSError:  # the terminal or the pipe is gone: training goes on, and train.log has it all
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115

    def epoch(self, line: str, numbers: Mapping[str, float], *, improved: bool) -> None:
        """Write down an epoch: the line for people, `numbers` (among them `step`) for programs."""
        self.write(line, colour=Fore.GREEN if improved else "")
        self.metrics.write(json.dumps(numbers, default=float) + "\n")
        with self.curves():
            for name, number in numbers.items():
                if name not in ("epoch", "step", "seconds"):
                    self.writer.add_scalar(tag(name), number, global_step=int(numbers["step"]))
            self.writer.flush()

    @contextmanager
    def curves(self) -> Iterator[None]:
        """Write for TensorBoard; from the first failure on, go without it."""
        try:
            yield
        except OSError as error:
            if self.has_curves:
                self.write(f"TensorBoard's file cannot be written ({error.strerror}): metrics.jsonl has the numbers")
            self.has_curves = False

    def hyperparameters(self, settings: Mapping[str, Any], numbers: Iterable[str]) -> None:
        """Fill TensorBoard's tab of hyperparameters, with these numbers of each epoch; once, at the start of a run."""
        plain = {n: v if isinstance(v, bool | int | float) else printable(str(v)) for n, v in settings.items()}
        with self.curves():
            for summary in hparams(plain, {tag(name): 0.0 for name in numbers}):  # add_hparams would make another run
                self.writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]
            self.writer.flush()

    def figures(self, images: Mapping[str, NDArray[Any]], *, step: int) -> None:
        """Show images (H, W, C) in TensorBoard, by name."""
        for name, image in images.items():
            with self.curves():
                self.writer.add_image(name, image, step, dataformats="HWC")

    def sync(self) -> None:
        """Bring the metrics to the disk: a checkpoint must not outlive the lines before it."""
        os.fsync(self.metrics.fileno())

    def close(self) -> None:
        """Write what is left and close all files; again is fine."""
        self.at_exit.detach()
        with self.curves():
            self.writer.close()
        self.metrics.close()
        self.log.close()


def without_writer(failed: threading.ExceptHookArgs) -> None:
    """Leave out the traceback of TensorBoard's thread: what it failed with is raised again where it is used."""
    if type(failed.thread).__name__ != "_AsyncWriterThread":
        threading.__excepthook__(failed)


def tag(name: str) -> str:
    """train_loss -> loss/train, val_accuracy -> accuracy/val: TensorBoard draws what belongs together side by side."""
    split, _, rest = name.partition("_")
    return f"{rest}/{split}" if split in ("train", "val") else name


def cut_back(path: Path, step: int) -> None:
    """Drop the lines of metrics.jsonl that lie beyond the step, or that a killed process left unfinished.

    Raises RefusedError at a line that it did not write.
    """
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = 0
        try:
            for line in file:
                if not line.endswith(b"\n") or json.loads(line)["step"] > step:
                    break
                end += len(line)
        except (KeyError, TypeError, ValueError) as error:
            what, where = f"the file is damaged ({error})", f"{path}, after {end} bytes"
            raise RefusedError(what, where, "repair the line, or remove it, then resume again") from error
        file.truncate(end)
