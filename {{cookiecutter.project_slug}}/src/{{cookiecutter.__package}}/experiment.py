"""Puts an experiment together: settings -> data -> task -> model -> trainer. The only file that knows them all."""

from dataclasses import asdict
from typing import Any

import torch

from .arrays import load_splits, sha256
from .batches import Batches
from .checkpoint import load_checkpoint
from .config import Settings
from .data import ArrayDataset, Normalisation, to_tensor
from .device import channels_last, choose_device, choose_precision, seed_everything
from .early_stopping import EarlyStopping
from .errors import ConfigError, RefusedError
from .logbook import Logbook
from .model import build_model
from .optimizer import build_optimizer, build_schedule
from .run import Run, is_done
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
        seed_everything(settings.seed, deterministic=settings.deterministic)  # before anything starts CUDA
        self.precision = choose_precision(settings.precision, self.device)
        gpu = self.device.type == "cuda"
        self.device_name = f"{self.device} ({torch.cuda.get_device_name(self.device)})" if gpu else str(self.device)
        # Whether the same run on the same machine gives the same bits.
        self.exact = self.device.type == "cpu" or (gpu and settings.deterministic)

        arrays = load_splits(settings.data, Task.strata)
        self.data_sha256 = sha256(settings.data.path)
        self.sample_shape = arrays["train"].x.shape[1:]
        self.task = Task.from_targets(arrays["train"].y, **asdict(settings.task))
        self.normalisation = Normalisation.measure(to_tensor(arrays["train"].x))
        limit = settings.batch_size if one_batch else None
        self.splits = {
            name: ArrayDataset(split.x[:limit], self.task.encode(split.y[:limit], f"in the {name} split"))
            for name, split in arrays.items()
        }

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

    def last_checkpoint(self, run: Run) -> dict[str, Any] | None:
        """Return the checkpoint to continue, or None in a run that has none yet.

        Raises RefusedError, with nothing in the run directory changed, if it does not match.
        """
        another = "put a copy back, or start a new run"
        if not run.last.exists():
            if is_done(run.folder):
                raise RefusedError("the last checkpoint is gone", str(run.last), another)
            return None
        checkpoint = load_checkpoint(run.last)
        if checkpoint.get("format") != FORMAT:
            raise RefusedError("this is not a checkpoint of this project", str(run.last), another)
        check_changes(checkpoint["settings"], self.settings, run.folder)
        if checkpoint["data_sha256"] != self.data_sha256:
            what, where = "the data has changed since the run began", f"{self.settings.data.path}, for {run.folder}"
            raise RefusedError(what, where, "put the old file back, or start a new run")
        saved, built = ({k: v.shape for k, v in d.items()} for d in (checkpoint["model"], self.model.state_dict()))
        if saved != built:
            what = "the model has other weights than when the run began"
            raise RefusedError(what, f"model.py, for {run.folder}", "undo the change, or start a new run")
        if checkpoint["early_stopping"]["best_epoch"] is not None and not run.best.exists():
            raise RefusedError("the best checkpoint is gone", str(run.best), another)
        return checkpoint

    def trainer(self, run: Run, stop: StopRequest, checkpoint: dict[str, Any] | None = None) -> Trainer:
        """Return a trainer that starts, or continues the checkpoint."""
        settings = self.settings
        if checkpoint:
            torch.set_num_threads(checkpoint["threads"])  # with another number, sums differ in their last bit
            self.normalisation = Normalisation(**checkpoint["normalisation"])
        model = channels_last(self.model.to(self.device))
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
            trainer.load_state_dict(checkpoint)
        return trainer

    def context(self) -> dict[str, Any]:
        """Return what a checkpoint tells about the experiment, in plain types and tensors."""
        return {
            "format": FORMAT,
            "settings": to_yaml(self.settings),
            "task": self.task.state_dict(),
            "sample_shape": list(self.sample_shape),
            "normalisation": {"mean": self.normalisation.mean, "std": self.normalisation.std},
            "data_sha256": self.data_sha256,
            "threads": torch.get_num_threads(),
        }
