"""Puts an experiment together: settings -> data -> task -> model -> trainer. The only file that knows them all."""

from dataclasses import asdict
from typing import Any

import torch

from .array_file import ArrayFile, check_memory
from .arrays import enlarge, load_splits
from .batches import Batches
from .checkpoint import load_best, load_weights, load_what_fits
from .config import Settings
from .data import Normalisation, build_dataset
from .device import channels_last, choose_device, choose_precision, seed_everything
from .early_stopping import EarlyStopping
from .errors import ConfigError, RefusedError
from .logbook import Logbook
from .model import build_model
from .optimizer import build_optimizer, build_schedule
from .run import Run
from .settings_file import to_yaml
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
        self.data_sha256 = file.sha256(settings.data.x, settings.data.y, settings.data.groups)
        if checkpoint and checkpoint["data_sha256"] != self.data_sha256:
            fix = "put the old data back, or start a new run"
            raise RefusedError("the data has changed since the run began", str(settings.data.path), fix)
        arrays = load_splits(file, settings.data)
        self.targets = Targets.learn(arrays["train"].y, f"in the training split of {file.path}")
        self.task = Task(self.targets, **asdict(settings.task))
        limit = settings.batch_size if one_batch else None
        self.sizes = {name: len(split.x[:limit]) for name, split in arrays.items()}
        encoded = {
            name: self.targets.encode(split.y, f"in the {name} split of {file.path}") for name, split in arrays.items()
        }
        self.splits = {name: build_dataset(split.x[:limit], encoded[name][:limit]) for name, split in arrays.items()}
        train = self.splits["train"]
        self.sample_shape = tuple(train[0][0].shape)
        self.input_shape = enlarge(self.sample_shape, settings.model.minimum_size)
        if checkpoint:
            self.normalisation = Normalisation(**checkpoint["normalisation"])
        else:
            batches = Batches(train, batch_size=1024, device=torch.device("cpu"))
            self.normalisation = Normalisation.measure(x for x, _ in batches.epoch())
        train.training = True  # type: ignore[attr-defined]  # from here on, its augmentation may be at work

        with torch.device("meta"):  # shapes only
            weights = build_model(self.input_shape, self.targets.out_size, **asdict(settings.model)).parameters()
        nbytes = 4 * sum(weight.nbytes for weight in weights)  # with gradients and the optimizer's two moments
        check_memory(nbytes, "for the model", "use smaller settings of --model")
        self.model = build_model(self.input_shape, self.targets.out_size, **asdict(settings.model))
        self.not_loaded: list[str] = []
        if checkpoint:
            load_weights(self.model, checkpoint["model"])
        elif settings.init_from:
            self.not_loaded = self.init_from(load_best(settings.init_from))
        directions = {f"val_{name}": maximize for name, maximize in self.task.maximize.items()}
        if settings.monitor not in directions:
            what, fix = f"--monitor is {settings.monitor}", f"choose one of: {', '.join(directions)}"
            raise ConfigError(what, "in the settings", fix)
        self.early_stopping = EarlyStopping(patience=settings.patience, maximize=directions[settings.monitor])

    def init_from(self, other: dict[str, Any]) -> list[str]:
        """Take what fits from another run's checkpoint; return the names of the weights that start anew.

        Where the targets are others, so are the weights whose shape depends on their number. Raises ConfigError.
        """
        anew: set[str] = set()
        if other["targets"] != self.targets.state_dict():
            with torch.device("meta"):  # shapes only
                wider = build_model(self.input_shape, self.targets.out_size + 1, **asdict(self.settings.model))
            own = self.model.state_dict()
            anew = {name for name, weight in wider.state_dict().items() if weight.shape != own[name].shape}
        return load_what_fits(self.model, other["model"], but=anew)

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
