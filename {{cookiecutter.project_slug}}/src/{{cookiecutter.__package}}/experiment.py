"""Puts an experiment together: settings -> data -> task -> model -> trainer. The only file that knows them all."""

from dataclasses import asdict
from typing import Any

import torch

from .array_file import ArrayFile, sha256
from .arrays import enlarge, load_splits
from .batches import Batches
from .checkpoint import load_best, load_checkpoint, load_weights, load_what_fits
from .config import Settings
from .data import ArrayDataset, Normalisation
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
from .targets import Targets
from .task import Task
from .trainer import Trainer


class Experiment:
    """Everything that a run needs, built and checked before anything is written.

    With `one_batch`, every split keeps only its first batch; a `checkpoint` is continued. Raises ConfigError and
    DataError, and RefusedError if data or model are not those of the checkpoint.
    """

    def __init__(
        self, settings: Settings, *, one_batch: bool = False, checkpoint: dict[str, Any] | None = None
    ) -> None:
        self.settings = settings
        self.checkpoint = checkpoint
        self.device = choose_device(settings.device)
        seed_everything(settings.seed, deterministic=settings.deterministic)  # before anything starts CUDA
        self.precision = choose_precision(settings.precision, self.device)
        gpu = self.device.type == "cuda"
        self.device_name = f"{self.device} ({torch.cuda.get_device_name(self.device)})" if gpu else str(self.device)
        # Whether the same run on the same machine gives the same bits.
        self.exact = self.device.type == "cpu" or (gpu and settings.deterministic)

        file = ArrayFile(settings.data.path)
        self.data_sha256 = sha256(settings.data.path)
        if checkpoint and checkpoint["data_sha256"] != self.data_sha256:
            fix = "put the old data back, or start a new run"
            raise RefusedError("the data has changed since the run began", str(settings.data.path), fix)
        arrays = load_splits(file, settings.data)
        self.targets = Targets.learn(arrays["train"].y)
        self.task = Task(self.targets, **asdict(settings.task))
        limit = settings.batch_size if one_batch else None
        self.splits = {
            name: ArrayDataset(split.x[:limit], self.targets.encode(split.y, name)[:limit], training=name == "train")
            for name, split in arrays.items()
        }
        self.sample_shape = tuple(self.splits["train"][0][0].shape)
        self.input_shape = enlarge(self.sample_shape, settings.model.minimum_size)
        self.normalisation = self.measure()

        self.model = build_model(self.input_shape, self.targets.out_size, **asdict(settings.model))
        self.not_loaded: list[str] = []
        if checkpoint:
            load_weights(self.model, checkpoint["model"])
        elif settings.init_from:
            self.not_loaded = load_what_fits(self.model, load_best(settings.init_from)["model"])
        directions = {f"val_{name}": maximize for name, maximize in self.task.maximize.items()}
        if settings.monitor not in directions:
            what, fix = f"--monitor is {settings.monitor}", f"choose one of: {', '.join(directions)}"
            raise ConfigError(what, "in the settings", fix)
        self.early_stopping = EarlyStopping(patience=settings.patience, maximize=directions[settings.monitor])

    def measure(self) -> Normalisation:
        """Return the statistics of the training split, or those that the checkpoint has."""
        if self.checkpoint:
            return Normalisation(**self.checkpoint["normalisation"])
        batches = Batches(self.splits["train"], batch_size=1024, device=torch.device("cpu"))
        return Normalisation.measure(x for x, _ in batches.epoch())

    def batches(self, split: str) -> Batches:
        """Return the batches of a split: in a new order each epoch for train, larger ones for the others."""
        training = split == "train"
        return Batches(
            self.splits[split],
            batch_size=self.settings.batch_size * (1 if training else 4),
            device=self.device,
            normalisation=self.normalisation,
            sides=self.input_shape[1:],
            seed=self.settings.seed if training else None,
        )

    def trainer(self, run: Run, stop: StopRequest) -> Trainer:
        """Return a trainer that starts, or continues the checkpoint."""
        settings, checkpoint = self.settings, self.checkpoint
        if checkpoint:
            torch.set_num_threads(checkpoint["threads"])  # with another number, sums differ in their last bit
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
            "settings": to_yaml(self.settings),
            "targets": self.targets.state_dict(),
            "sample_shape": list(self.sample_shape),
            "normalisation": {"mean": self.normalisation.mean, "std": self.normalisation.std},
            "data_sha256": self.data_sha256,
            "threads": torch.get_num_threads(),
        }


def last_checkpoint(run: Run) -> dict[str, Any] | None:
    """Return the checkpoint that a run continues, or None if it has none yet.

    Raises RefusedError, with nothing in the run directory changed, if something of it is gone or does not match.
    """
    another = "put a copy back, or start a new run"
    if not run.last.exists():
        if is_done(run.folder):
            raise RefusedError("the last checkpoint is gone", str(run.last), another)
        return None
    checkpoint = load_checkpoint(run.last)
    check_changes(checkpoint["settings"], run.settings, run.folder)
    if checkpoint["early_stopping"]["best_epoch"] is not None and not run.best.exists():
        raise RefusedError("the best checkpoint is gone", str(run.best), another)
    return checkpoint
