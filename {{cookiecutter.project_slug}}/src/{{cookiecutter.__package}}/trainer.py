"""The training loop. Nothing here knows which model or which task is trained, nor how a step is taken."""

import math
import shlex
import signal
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import torch

from .batches import Batches, repeatable
from .device import random_states, restore_random_states
from .early_stopping import EarlyStopping
from .errors import Interrupted, LostError, OutOfMemoryError, StorageError, out_of_memory
from .inference import score
from .logbook import Logbook
from .losses import Losses, check_weights, diverged
from .progress import progress
from .run import Run
from .saver import Interval, Saver
from .signals import SAVE, StopRequest
from .step import Step, check_refused


@dataclass(kw_only=True, eq=False, repr=False)
class Trainer:
    """Trains until the epochs are done, patience runs out, or a signal asks to stop.

    Its TensorBoard writer is closed on every way out: at the end of a `with`, by `close()`, by `__del__` (lesson 5 of
    the notes), as the program ends. A checkpoint has all that decides the rest: a resumed run ends with the same bits.
    """

    step: Step
    schedule: Callable[[int], float]  # epochs done -> what learning rates are multiplied by
    train_batches: Batches
    val_batches: Batches
    early_stopping: EarlyStopping
    logbook: Logbook
    run: Run
    stop: StopRequest  # asked after every step, like the interval
    interval: Interval
    epochs: int
    context: dict[str, Any]  # goes into every checkpoint: what a prediction needs besides the model

    def __post_init__(self) -> None:
        self.saver = Saver(self.run, before=self.logbook.sync)  # first: whatever fails below, __del__ finds it
        self.workers, self.monitor = self.step.workers, self.early_stopping.monitor
        self.epoch, self.global_step = 0, 0  # epochs and steps that are done
        self.batch = 0  # batches that are done in the running epoch
        self.losses = Losses(self.train_batches.sizes, self.step.device, self.workers)

    def fit(self) -> tuple[str, str]:
        """Train, and return the state that the run ends in and the reason.

        Raises DivergedError, OutOfMemoryError and, with everything saved, Interrupted.
        """
        steps = self.epochs * len(self.train_batches)
        with progress(steps, "train", unit=" steps", done=self.global_step, delay=0) as self.bar:  # lines draw it, too
            try:
                while self.epoch < self.epochs and not self.early_stopping.should_stop:
                    self.run_epoch()
                self.saver.wait()
            except Interrupted:
                self.save_within_epoch()
                self.saver.wait()  # torchrun ends this process once another one has left
                with suppress(LostError):  # whoever has gone before is not missed
                    self.workers.go_on_alone()
                raise
            except (RuntimeError, ValueError, MemoryError) as error:
                if what := out_of_memory(error):
                    raise self.too_large(what) from error
                check_refused(error)
                raise
            finally:
                with suppress(StorageError, OSError):  # what has ended it is to be told
                    self.saver.wait()
        if self.early_stopping.should_stop:
            return "stopped_early", f"{self.early_stopping.patience} epochs without a better {self.monitor}"
        return "finished", f"{self.epoch} epoch{'s' if self.epoch > 1 else ''}"

    def run_epoch(self) -> None:
        """Train and validate for what is left of an epoch, log it, then save it."""
        started, first_batch = time.perf_counter(), self.batch
        train_loss = self.train_epoch()
        seconds = time.perf_counter() - started
        validation = self.validate()
        numbers = {
            "epoch": self.epoch + 1,
            "step": self.global_step,
            "train_loss": train_loss,
            **{f"val_{name}": number for name, number in validation.items()},
            "learning_rate": float(self.step.optimizer.param_groups[0]["lr"]),
            "seconds": seconds,
            "samples_per_second": sum(self.train_batches.sizes[first_batch:]) / seconds,
            **({"gpu/memory": torch.cuda.max_memory_allocated() / 2**30} if self.step.device.type == "cuda" else {}),
        }
        numbers = self.workers.collect(numbers)[0]  # of the first process: elsewhere, last bits may differ
        if not math.isfinite(loss := numbers["val_loss"]):
            where, fix = f"after step {self.global_step}", "try a smaller --lr, or look for wrong numbers in that split"
            raise diverged(f"the validation loss is {loss}", where, self.epoch + 1, fix)
        self.epoch, self.batch = self.epoch + 1, 0
        improved = self.early_stopping.update(numbers[self.monitor], self.epoch)
        numbers[f"best_{self.monitor}"] = self.early_stopping.best
        self.logbook.epoch(self.line(numbers), numbers, improved=improved)
        self.save(best=improved)

    def train_epoch(self) -> float:
        """Take the steps that are left in this epoch and return its mean loss, each sample weighing the same."""
        self.step.model.train()
        self.step.scale_learning_rates(self.schedule(self.epoch))
        for x, y in self.train_batches.epoch(self.epoch, start=self.batch):
            self.losses.values[self.batch] = self.step(x, y, self.train_batches.sizes[self.batch])
            self.batch += 1
            self.global_step += 1
            self.bar.update()
            if self.heed_requests(due=self.interval.is_due(self.global_step)):
                self.save_within_epoch()
        return self.losses.mean(self.batch, self.global_step, self.epoch + 1)

    def validate(self) -> dict[str, float]:
        """Return loss and metrics over the validation split, each sample weighing the same."""
        self.step.model.eval()
        metrics = self.step.task.metrics(self.step.device, self.val_batches.count)
        with repeatable():  # if it is interrupted, it is done anew
            return score(self.step.forward, self.step.task, metrics, self.val_batches, self.heed_requests)

    def line(self, numbers: dict[str, float]) -> str:
        """Return what people see of an epoch."""
        names = dict.fromkeys(["train_loss", "val_loss", f"val_{self.step.task.figure_of_merit}", self.monitor])
        shown = "  ".join(f"{name} {numbers[name]:.4f}" for name in names)
        start, speed = f"epoch {self.epoch:>{len(str(self.epochs))}}/{self.epochs}", numbers["samples_per_second"]
        return f"{start}  {shown}  {self.early_stopping}  {speed:,.0f} samples/s"

    def too_large(self, what: str) -> OutOfMemoryError:
        """Return the error that says what to try."""
        size, n = self.train_batches.batch_size, 2 * self.step.accumulate
        fix = f"in a new run, try --batch-size {size // 2} or --accumulate {n}" if size > 1 else "try a smaller model"
        return OutOfMemoryError(what, f"after step {self.global_step}, with batches of {size}", fix)

    def heed_requests(self, *, due: bool = False) -> bool:
        """Raise Interrupted if a signal has come; return whether a checkpoint is due, here or in another process.

        Several processes hear of either at their next call, all at the same one: no step waits for an answer.
        """
        number = self.workers.ask_all(self.stop.signal_number or (SAVE if due and self.workers.leads else None))
        if number not in (None, SAVE):
            what = f"stopped by {signal.Signals(number).name}, with everything saved"
            fix = f"continue with --resume {shlex.quote(self.run.folder.as_posix())}"
            raise Interrupted(number, what, f"after step {self.global_step}", fix)
        return number == SAVE

    def save_within_epoch(self) -> None:
        """Write the last checkpoint, unless a loss or a weight is not finite. Raises DivergedError then."""
        self.losses.collect(self.batch, self.global_step, self.epoch + 1)
        check_weights(self.step.model, self.global_step, self.epoch + 1)
        self.save()

    def save(self, *, best: bool = False) -> None:
        """Begin to write checkpoints of this step boundary; one process does so for all."""
        state = self.state_dict()
        if self.workers.leads:
            self.saver.save(state, best=best)

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state at this step boundary."""
        return {
            **self.step.state_dict(),
            "early_stopping": self.early_stopping.state_dict(),
            "progress": {"epoch": self.epoch, "batch": self.batch, "step": self.global_step},
            "losses": self.losses.values,
            "random": self.workers.collect(random_states()),
            **self.context,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.step.load_state_dict(state)
        self.early_stopping.load_state_dict(state["early_stopping"])
        self.epoch, self.batch, self.global_step = (state["progress"][k] for k in ("epoch", "batch", "step"))
        self.step.scale_learning_rates(self.schedule(max(0, self.epoch - (self.batch == 0))))  # that of its last step
        self.losses.values.copy_(state["losses"] if self.workers.leads else torch.zeros(()))
        restore_random_states(state["random"][self.workers.rank])

    def close(self) -> None:
        """Close the TensorBoard writer and the log files, once what was saved is written."""
        with closing(self.logbook):
            self.saver.wait()

    def __enter__(self) -> "Trainer":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "saver"):
            self.close()
