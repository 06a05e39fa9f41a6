"""Puts an experiment together: settings -> data -> task -> model -> trainer. The only file that knows them all."""

from dataclasses import asdict
from typing import Any

import torch

from .arrays import load_splits, sha256
from .batches import Batches
from .checkpoint import load_checkpoint
from .config import Settings
from .data import ArrayDataset, Normalisation
from .device import choose_device, choose_precision, seed_everything
from .early_stopping import EarlyStopping
from .errors import ConfigError, RefusedError
from .logbook import Logbook
from .model import build_model
from .optimizer import build_optimizer, build_schedule
from .run import Run
from .settings_file import check_changes, to_yaml
from .signals import StopRequest
from .step import Step
from .task import Task
from .trainer import Trainer

FORMAT = 1  # of checkpoints


class Experiment:
    """Everything that a run needs, built and checked before anything is written.

    With `one_batch`, every split keeps only its first batch. Raises ConfigError and DataError.
    """

    def __init__(self, settings: Settings, *, one_batch: bool = False) -> None:
        self.settings = settings
        self.device = choose_device(settings.device)
        self.precision = choose_precision(settings.precision, self.device)
        # Whether the same run on the same machine gives the same bits.
        self.exact = self.device.type == "cpu" or (self.device.type == "cuda" and settings.deterministic)
        seed_everything(settings.seed, deterministic=settings.deterministic)

        arrays = load_splits(settings.data, Task.strata)
        self.data_sha256 = sha256(settings.data.path)
        self.sample_shape = arrays["train"].x.shape[1:]
        self.task = Task.from_targets(arrays["train"].y, **asdict(settings.task))
        limit = settings.batch_size if one_batch else None
        self.splits = {
            name: ArrayDataset(split.x[:limit], self.task.encode(split.y[:limit], f"in the {name} split"))
            for name, split in arrays.items()
        }
        self.normalisation = Normalisation.measure(self.splits["train"].x)

        self.model = build_model(self.sample_shape, self.task.out_size, **asdict(settings.model))
        directions = {f"val_{name}": maximize for name, maximize in self.task.maximize.items()}
        if settings.monitor not in directions:
            what, fix = f"--monitor is {settings.monitor}", f"choose one of: {', '.join(directions)}"
            raise ConfigError(what, "in the settings", fix)
        self.early_stopping = EarlyStopping(patience=settings.patience, maximize=directions[settings.monitor])

    def batches(self, split: str) -> Batches:
        """Return the batches of a split: in a new order each epoch for train, larger ones for the others."""
        training = split == "train"
        return Batches(
            self.splits[split].to(self.device),
            batch_size=self.settings.batch_size * (1 if training else 4),
            normalisation=self.normalisation,
            device=self.device,
            seed=self.settings.seed if training else None,
        )

    def trainer(self, run: Run, stop: StopRequest) -> Trainer:
        """Return a trainer that continues the run's last checkpoint, if there is one. Raises RefusedError."""
        settings = self.settings
        checkpoint = self.last_checkpoint(run)
        if checkpoint:
            torch.set_num_threads(checkpoint["threads"])  # with another number, sums differ in their last bit
        # channels_last is the fastest layout of convolutions, on CPU and GPU alike.
        model = self.model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = build_optimizer(model, lr=settings.lr, weight_decay=settings.weight_decay)
        trainer = Trainer(
            step=Step(model, self.task, optimizer, device=self.device, precision=self.precision),
            schedule=build_schedule(lr=settings.lr, epochs=settings.epochs),
            train_batches=self.batches("train"),
            val_batches=self.batches("val"),
            early_stopping=self.early_stopping,
            logbook=Logbook(run.folder, step=checkpoint["progress"]["step"] if checkpoint else 0),
            run=run,
            stop=stop,
            epochs=settings.epochs,
            monitor=settings.monitor,
            context=self.context(),
        )
        if checkpoint:
            try:
                trainer.load_state_dict(checkpoint)
            except (KeyError, RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split()[:20])
                what, fix = (
                    f"the checkpoint does not fit the code ({reason})",
                    "undo what was changed since, or start anew",
                )
                raise RefusedError(what, str(run.last), fix) from error
        return trainer

    def last_checkpoint(self, run: Run) -> dict[str, Any] | None:
        """Return the checkpoint to continue, or None in a run that has none yet. Raises RefusedError."""
        if not run.last.exists():
            # The first epoch is logged before it is saved; whoever got further had a checkpoint.
            if run.logged_epochs() > 1:
                fix = "put a copy back, or start a new run"
                raise RefusedError("the last checkpoint is gone", str(run.last), fix)
            return None
        checkpoint = load_checkpoint(run.last)
        if checkpoint.get("format") != FORMAT:
            raise RefusedError("this is no checkpoint of this project", str(run.last), "put back the one that was here")
        check_changes(checkpoint["settings"], self.settings, run.folder)
        if checkpoint["data_sha256"] != self.data_sha256:
            what, where = "the data has changed since the run began", f"{self.settings.data.path}, for {run.folder}"
            raise RefusedError(what, where, "put the old file back, or start a new run")
        if checkpoint["early_stopping"]["best"] is not None and not run.best.exists():
            raise RefusedError("the best checkpoint is gone", str(run.best), "put a copy back, or start a new run")
        return checkpoint

    def context(self) -> dict[str, Any]:
        """Return what a checkpoint tells about the experiment, in plain types and tensors."""
        return {
            "format": FORMAT,
            "settings": to_yaml(self.settings),
            "task": self.task.state_dict(),
            "sample_shape": list(self.sample_shape),
            "normalisation": {"mean": self.normalisation.mean, "std": self.normalisation.std},
            "data_sha256": self.data_sha256,
            "torch_version": str(torch.__version__),
            "threads": torch.get_num_threads(),
        }

    def describe(self) -> list[str]:
        """Return what is going to be trained, a line each."""
        sizes = ", ".join(f"{len(dataset):,} {name}" for name, dataset in self.splits.items())
        weights = sum(p.numel() for p in self.model.parameters())
        precision = str(self.precision).removeprefix("torch.")
        return [
            f"data    {self.settings.data.path}: {sizes}; a sample is {self.sample_shape}",
            f"task    {self.task.describe()}",
            f"model   {type(self.model).__name__} with {weights:,} weights",
            f"device  {self.device}, {precision}, {torch.get_num_threads()} threads",
        ]
