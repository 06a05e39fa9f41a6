"""Puts an experiment together: settings -> data -> task -> model -> trainer. The only file that knows them all."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch

from .arrays import input_shape
from .augment import Augmentation
from .batches import Batches
from .config import Settings
from .datasets import Datasets
from .device import channels_last, choose_device, choose_precision, require_compiler, seed_everything, unused_card
from .early_stopping import EarlyStopping
from .errors import ConfigError
from .inference import evaluation_batch_size
from .logbook import Logbook
from .optimizer import build_optimizer, build_schedule
from .run import Run
from .settings_file import flatten, to_yaml
from .signals import StopRequest
from .step import Step
from .task import Task
from .trainer import Trainer
from .weights import build_checked, init_from, load_weights


class Experiment:
    """Everything that a run needs, built and checked before anything is written.

    With `one_batch`, every split keeps its first batch; a `checkpoint` is continued. Raises ConfigError and DataError,
    and RefusedError if data or model are not those of the checkpoint.
    """

    def __init__(
        self, settings: Settings, *, one_batch: bool = False, checkpoint: dict[str, Any] | None = None
    ) -> None:
        self.settings, self.checkpoint = settings, checkpoint
        self.device = choose_device(settings.device)
        seed_everything(settings.seed, deterministic=settings.deterministic)  # before anything starts CUDA
        self.precision = choose_precision(settings.precision, self.device)
        if settings.compile:
            require_compiler()
        gpu = self.device.type == "cuda"
        self.device_name = f"{self.device} ({torch.cuda.get_device_name(self.device)})" if gpu else str(self.device)
        self.exact = self.device.type == "cpu" or (gpu and settings.deterministic)  # the same run gives the same bits
        self.data = Datasets(settings, one_batch=one_batch, checkpoint=checkpoint)
        self.targets = self.data.targets
        self.task = Task(self.targets, settings.task, self.device)
        shape, dense = self.data.sample_shape, self.targets.dense
        self.input_shape = input_shape(shape, settings.data.resize, settings.model.minimum_size)
        self.augmentation = Augmentation(settings.augment, sides=shape[1:], dense=dense, seed=settings.seed)
        self.model = build_checked(settings, self.input_shape, self.targets.out_size, self.data.batch_size)
        self.not_loaded: list[str] = []
        if checkpoint:
            load_weights(self.model, checkpoint["model"])
        elif settings.init_from:
            self.not_loaded = init_from(settings.init_from, self.model, settings, self.input_shape, self.targets)
        maximize = {f"val_{name}": more for name, more in self.task.maximize.items()}
        if settings.monitor not in maximize:
            fix = f"choose one of: {', '.join(maximize)}"
            raise ConfigError(f"--monitor is {settings.monitor}", "in the settings", fix)
        self.early_stopping = EarlyStopping(patience=settings.patience, maximize=maximize[settings.monitor])

    def describe(self) -> Iterator[str]:
        """Tell what is going to be trained, line by line."""
        settings, shape, used = self.settings, self.data.sample_shape, self.input_shape
        sizes = ", ".join(f"{size:,} {name}" for name, size in self.data.sizes.items())
        why = ", the least that the model takes" if settings.data.resize == "none" else ""
        resized = f", resized to {used}{why}" if used != shape else ""
        parameters = sum(weight.numel() for weight in self.model.parameters())
        yield f"data    {settings.data.path}: {sizes}; a sample is {shape}{resized}"
        yield f"task    {self.targets.describe()}"
        yield f"model   {type(self.model).__name__} with {parameters:,} parameters"
        how = f"{str(self.precision)[6:]}, {torch.get_num_threads()} threads, batches of {self.data.batch_size}"
        yield f"device  {self.device_name}, {how}"
        if settings.device == "auto" and (card := unused_card()):
            fix = "a build that can: https://pytorch.org/get-started/locally"
            yield f"        the {card} is idle, since torch {torch.__version__} cannot use it; {fix}"
        if settings.init_from and not self.checkpoint:
            yield f"init    {settings.init_from}; weights that start anew: {', '.join(self.not_loaded) or 'none'}"

    def batches(self, split: str) -> Batches:
        """Return the batches of a split: in a new order each epoch for train, larger ones for the others."""
        training = split == "train"
        return Batches(
            self.data.splits[split],
            batch_size=self.data.batch_size if training else evaluation_batch_size(self.settings),
            device=self.device,
            normalisation=self.data.normalisation,
            augmentation=self.augmentation if training else None,
            seed=self.settings.seed if training else None,
        )

    def trainer(self, run: Run, stop: StopRequest) -> Trainer:
        """Return a trainer that starts, or continues the checkpoint."""
        settings, checkpoint = self.settings, self.checkpoint
        if checkpoint:
            torch.set_num_threads(checkpoint["threads"])  # with another number, sums differ in their last bit
        model = channels_last(self.model.to(self.device))
        optimizer = build_optimizer(model, lr=settings.lr, weight_decay=settings.weight_decay)
        if settings.compile:
            model.compile(dynamic=False)  # code for each shape by itself: a resumed run gets the same
        step = Step(
            model,
            self.task,
            optimizer,
            device=self.device,
            precision=self.precision,
            sides=self.input_shape[1:],
            accumulate=settings.accumulate,
            clip_norm=settings.clip_norm,
        )
        trainer = Trainer(
            step=step,
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
        else:
            trainer.logbook.hyperparameters(flatten(asdict(settings)), self.task.maximize)
        return trainer

    def context(self) -> dict[str, Any]:
        """Return what a checkpoint tells about the experiment, in plain types and tensors."""
        return {
            "settings": to_yaml(self.settings),
            "targets": self.targets.state_dict(),
            "sample_shape": list(self.data.sample_shape),
            "normalisation": vars(self.data.normalisation) if self.data.normalisation else None,
            "data_sha256": self.data.sha256,
            "threads": torch.get_num_threads(),
        }
