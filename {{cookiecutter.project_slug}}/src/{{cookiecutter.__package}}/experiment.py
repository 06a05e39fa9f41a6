"""Puts an experiment together: settings -> data -> task -> model -> trainer. The only file that knows them all."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from .arrays import load_splits, sha256
from .batches import Batches
from .checkpoint import load_checkpoint
from .config import Settings, to_yaml
from .data import ArrayDataset, Normalisation, first
from .device import choose_device, choose_precision, seed_everything
from .early_stopping import EarlyStopping
from .errors import ConfigError, RefusedError
from .logbook import Logbook
from .model import build_model
from .optimizer import build_optimizer, build_schedule
from .run import Run
from .signals import StopRequest
from .step import Step
from .task import Task
from .trainer import Trainer


@dataclass(frozen=True)
class Experiment:
    """Everything that a run needs, built and checked before anything is written."""

    settings: Settings
    device: torch.device
    precision: torch.dtype
    splits: dict[str, ArrayDataset]
    data_sha256: str
    task: Task
    normalisation: Normalisation
    model: nn.Module
    early_stopping: EarlyStopping

    @classmethod
    def compose(cls, settings: Settings, *, one_batch: bool = False) -> "Experiment":
        """Build all parts; with `one_batch`, every split keeps one batch only. Raises ConfigError, DataError."""
        device = choose_device(settings.device)
        seed_everything(settings.seed, deterministic=settings.deterministic)
        arrays = load_splits(settings.data, Task.strata)
        task = Task.from_targets(arrays["train"].y, **asdict(settings.task))
        splits = {
            name: ArrayDataset(split.x, task.encode(split.y, f"in the {name} split")) for name, split in arrays.items()
        }
        sample_shape = tuple(splits["train"].x.shape[1:])
        for name, dataset in splits.items():
            if dataset.x.shape[1:] != sample_shape:
                what = f"samples have shape {tuple(dataset.x.shape[1:])} in {name} but {sample_shape} in train"
                raise ConfigError(what, str(settings.data.path), "give all splits the same shape")
        normalisation = Normalisation.measure(splits["train"].x)
        if one_batch:
            splits = {name: first(dataset, settings.batch_size) for name, dataset in splits.items()}
        model = build_model(sample_shape, task.out_size, **asdict(settings.model))
        choices = [f"val_{name}" for name in task.maximize]
        if settings.monitor not in choices:
            what, fix = f"--monitor is {settings.monitor}", f"choose one of: {', '.join(choices)}"
            raise ConfigError(what, "in the settings", fix)
        return cls(
            settings=settings,
            device=device,
            precision=choose_precision(settings.precision, device),
            splits=splits,
            data_sha256=sha256(settings.data.path),
            task=task,
            normalisation=normalisation,
            model=model,
            early_stopping=EarlyStopping(
                patience=settings.patience,
                maximize=task.maximize[settings.monitor.removeprefix("val_")],
            ),
        )

    def batches(self, split: str) -> Batches:
        """Return the batches of a split: shuffled for train, in order and larger for the others."""
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
        checkpoint = load_checkpoint(run.last) if run.last.exists() else None
        if checkpoint:
            self.check_same_data(checkpoint, run)
            torch.set_num_threads(checkpoint["threads"])  # sums differ in their last bit with another number
        # channels_last is the fastest layout of convolutions, on CPU and GPU alike
        model = self.model.to(self.device)
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = build_optimizer(model, lr=settings.lr, weight_decay=settings.weight_decay)
        step = Step(model, self.task, optimizer, device=self.device, precision=self.precision)
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
        return trainer

    def context(self) -> dict[str, Any]:
        """Return what a checkpoint tells about the experiment, in plain types and tensors."""
        return {
            "format": 1,
            "settings": to_yaml(self.settings),
            "task": self.task.state_dict(),
            "sample_shape": list(self.splits["train"].x.shape[1:]),
            "normalisation": {"mean": self.normalisation.mean, "std": self.normalisation.std},
            "data_sha256": self.data_sha256,
            "torch_version": str(torch.__version__),
            "threads": torch.get_num_threads(),
        }

    def check_same_data(self, checkpoint: dict[str, Any], run: Run) -> None:
        """Raise RefusedError if the data is not what the run has learned from so far."""
        if checkpoint["data_sha256"] != self.data_sha256:
            raise RefusedError(
                f"the data has changed since the run began (SHA-256 {self.data_sha256[:12]}...)",
                f"{self.settings.data.path}, for {run.folder}",
                "put the old file back, or start a new run",
            )

    @property
    def exact(self) -> bool:
        """Whether the same run on the same machine gives the same bits."""
        return self.device.type == "cpu" or (self.device.type == "cuda" and self.settings.deterministic)

    def describe(self) -> str:
        """Return what is going to be trained, a line each."""
        train = self.splits["train"]
        sizes = ", ".join(f"{len(dataset):,} {name}" for name, dataset in self.splits.items())
        weights = sum(p.numel() for p in self.model.parameters())
        format_name = str(self.precision).removeprefix("torch.")
        return "\n".join(
            [
                f"data    {self.settings.data.path}: {sizes}; a sample is {tuple(train.x.shape[1:])} {train.x.dtype}",
                f"task    {self.task.describe()}",
                f"model   {type(self.model).__name__}, {weights:,} weights",
                f"device  {self.device}, {format_name}, {torch.get_num_threads()} threads",
            ]
        )
