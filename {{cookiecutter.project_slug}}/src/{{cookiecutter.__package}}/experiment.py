"""Puts an experiment together: settings -> data -> task -> model -> trainer. The only file that knows them all."""

import math
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from .arrays import input_shape
from .augment import Augmentation
from .batches import Batches, batches_at_once, evaluation_batch_size
from .config import Settings
from .datasets import Datasets
from .device import choose_device, choose_precision, generator, prepare, require_compiler, seed_everything
from .early_stopping import EarlyStopping
from .graph import ReplayedStep
from .logbook import Logbook
from .optimizer import build_optimizer, build_schedule, layout
from .parsing import check_saved
from .run import Run
from .saver import Interval
from .settings_file import MAY_CHANGE, flatten, to_yaml
from .signals import StopRequest
from .step import Step
from .task import Task
from .trainer import Trainer
from .weights import build_checked, init_from, load_weights
from .workers import Workers


class Experiment:
    """Everything that a run needs, built and checked before anything is written.

    In a `trial`, every split keeps its first batch; a `checkpoint` is continued. Raises ConfigError and DataError,
    and RefusedError if data or model are not those of the checkpoint.
    """

    def __init__(self, settings: Settings, *, trial: bool = False, checkpoint: dict[str, Any] | None = None) -> None:
        check_saved(settings)
        self.settings, self.checkpoint = settings, checkpoint
        self.device = choose_device(settings.device)
        seed_everything(settings.seed, deterministic=settings.deterministic)  # before cuBLAS starts
        self.precision = choose_precision(settings.precision, self.device)
        if settings.compile:
            require_compiler()
        self.data = Datasets(settings, trial=trial, checkpoint=checkpoint)
        repeats = self.device.type == "cpu" or (self.device.type == "cuda" and settings.deterministic)
        self.exact = repeats and self.data.exact
        self.task = Task(self.data.targets, settings.task, self.device)
        shape, dense = self.data.sample_shape, self.data.targets.dense
        self.input_shape = input_shape(shape, settings.data.resize, settings.model.minimum_size)
        self.sides = () if dense and self.input_shape == shape else self.input_shape[1:]  # (): crops stay crops
        self.augmentation = Augmentation(settings.augment, sides=shape[1:], dense=dense, seed=settings.seed)
        self.model = build_checked(settings, self.input_shape, self.data.targets.out_size, self.data.largest_batch)
        self.not_loaded: list[str] = []
        if checkpoint:
            load_weights(self.model, checkpoint["model"])
        elif settings.init_from:
            self.not_loaded = init_from(settings.init_from, self.model, settings, self.input_shape, self.data)
        self.early_stopping = EarlyStopping(settings.monitor, self.task.maximize, patience=settings.patience)
        self.workers = Workers(self.device, expected=checkpoint["processes"] if checkpoint else None)
        own = ("device", "runs-dir", "data.path")  # which may differ from machine to machine
        start = {f"--{name}": value for name, value in flatten(asdict(settings)) if name not in own}
        start |= {"--device": self.device.type, "--precision": str(self.precision)}
        start |= {"data": self.data.sha256, "--data.resident": self.data.resident}
        weights = self.model.parameters() if self.workers.size > 1 else ()
        sums = [int(w.detach().double().view(torch.int64).sum()) for w in weights]  # exact, in any order
        self.workers.compare({**start, "checkpoints": checkpoint and checkpoint["progress"], "weights": sums})
        if self.workers.rank:  # dropout and augmentation of its own; the first one draws as if it were alone
            seed = generator(settings.seed, self.workers.rank).initial_seed() % 2**32  # NumPy takes no more
            seed_everything(seed, deterministic=settings.deterministic)
        # Replayed: on a GPU, by one process, in fp32 or bf16. With --deterministic, no test has shown an exact resume.
        plain = not (settings.deterministic or settings.compile or self.precision == torch.float16)
        self.replays = settings.cuda_graph and plain and self.device.type == "cuda" and self.workers.size == 1
        rates = {"lr": settings.lr, "weight_decay": settings.weight_decay}
        self.optimizer = build_optimizer(prepare(self.model, self.device), **rates, capturable=self.replays)
        self.layout = layout(self.model, self.optimizer, began=checkpoint["layout"] if checkpoint else None)

    def batches(self, split: str) -> Batches:
        """Return the batches of a split: in a new order each epoch for train, larger ones for the others."""
        training, size, parts = split == "train", self.data.batch_size, self.settings.accumulate
        size = size if training else evaluation_batch_size(size / parts, self.input_shape, self.device)
        numbers = max(math.prod(self.data.sample_shape), self.data.targets.out_size)  # of a sample, or its target
        return Batches(
            self.data.splits[split],
            batch_size=size,
            batches_per_gather=batches_at_once(size, numbers, most=64 if self.replays else 8),
            device=self.device,
            normalisation=self.data.normalisation,
            augmentation=self.augmentation if training else None,
            seed=self.settings.seed if training else None,
            workers=self.workers,
        )

    def trainer(self, run: Run, stop: StopRequest) -> Trainer:
        """Return a trainer that starts, or continues the checkpoint."""
        settings, checkpoint = self.settings, self.checkpoint
        if checkpoint:
            torch.set_num_threads(checkpoint["threads"])  # with another number, sums differ in their last bit
        if settings.compile:
            self.model.compile(dynamic=False)  # code for each shape by itself: a resumed run gets the same
        done = checkpoint["progress"] if checkpoint else {"step": 0, "batch": 0}
        logbook = Logbook(run.folder, step=done["step"] - (done["batch"] > 0))  # a begun epoch has no line yet
        build_step = partial(ReplayedStep, say=logbook.write) if self.replays else Step
        step = build_step(
            model=self.model,
            task=self.task,
            optimizer=self.optimizer,
            device=self.device,
            precision=self.precision,
            sides=self.sides,
            accumulate=settings.accumulate,
            clip_norm=settings.clip_norm,
            workers=self.workers,
        )
        trainer = Trainer(
            step=step,
            schedule=build_schedule(epochs=settings.epochs),
            train_batches=self.batches("train"),
            val_batches=self.batches("val"),
            early_stopping=self.early_stopping,
            logbook=logbook,
            run=run,
            stop=stop,
            epochs=settings.epochs,
            interval=Interval(settings.checkpoint_every),
            context={
                "settings": to_yaml(settings),
                "layout": self.layout,
                "targets": vars(self.data.targets),
                "sizes": self.data.sizes,
                "sample_shape": list(self.data.sample_shape),
                "statistics": vars(self.data.statistics),
                "batch_size": self.data.batch_size,
                "data_sha256": self.data.sha256,
                "resident": self.data.resident,
                "threads": torch.get_num_threads(),
                "processes": self.workers.size,
            },
        )
        if checkpoint:
            trainer.load_state_dict(checkpoint)
            self.checkpoint = {name: checkpoint[name] for name in ("source", "damaged")}  # its weights are not kept
        else:
            fixed = {n: v for n, v in flatten(asdict(settings)) if n not in MAY_CHANGE and v is not None}
            numbers = [f"best_{settings.monitor}", *(f"val_{name}" for name in self.task.maximize)]
            trainer.logbook.hyperparameters({**fixed, "batch-size": self.data.batch_size}, numbers)
        return trainer
