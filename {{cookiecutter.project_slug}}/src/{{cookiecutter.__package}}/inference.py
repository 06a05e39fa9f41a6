"""A model at work: its scores over a split, and the best checkpoint of a run, ready for new samples."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset

from .array_file import Array
from .arrays import channels_first, input_shape
from .batches import Batches, evaluation_batch_size
from .checkpoint import load_best
from .checks import check
from .config import Settings
from .data import Normalisation, Pairs, build_dataset
from .device import choose_device, choose_precision, prepare
from .errors import DataError, note
from .memory import check_memory
from .model import build_model
from .progress import progress
from .run import settings_of
from .scale import other_scale
from .settings_file import check_changes
from .splits import Samples
from .step import forward
from .targets import Targets
from .task import Metrics, Task
from .weights import load_weights


class Trained:
    """The best checkpoint of a run directory, with the statistics and the names that it was trained with.

    Raises ConfigError if there is none, RefusedError if it is damaged, or model.py or the settings have changed.
    """

    def __init__(self, run: Path, settings: Settings) -> None:
        checkpoint = load_best(run)
        check_changes(checkpoint["settings"], settings, run)  # by another seed, samples of train would be those of test
        self.settings = settings
        self.epoch, self.data_sha256 = checkpoint["progress"]["epoch"], checkpoint["data_sha256"]
        self.sample_shape = tuple(checkpoint["sample_shape"])
        self.trained_batch = checkpoint["batch_size"] / settings.accumulate  # what was computed at once
        self.statistics = Normalisation(**checkpoint["statistics"])
        self.normalisation = self.statistics if settings.data.normalise else None
        self.device = choose_device(settings.device)
        self.precision = choose_precision(settings.precision.replace("auto", "fp32"), self.device)  # auto: to train
        self.targets = Targets(**checkpoint["targets"])
        self.task = Task(self.targets, settings.task, self.device)
        self.input_shape = input_shape(self.sample_shape, settings.data.resize, settings.model.minimum_size)
        model = build_model(self.input_shape, self.targets.out_size, **asdict(settings.model))
        load_weights(model, checkpoint["model"])
        self.model = prepare(model, self.device).eval()

    @classmethod
    def of(cls, run: str | Path, *, device: str = "auto") -> "Trained":
        """Return what a run has learned, for a notebook: `Trained.of("runs/...").predict(x)["prediction"]`."""
        return cls(Path(run), replace(settings_of(Path(run))[0], device=device))

    def forward(self, x: Tensor) -> Tensor:
        """Return the model's outputs for a batch of normalised samples. Raises DataError if they are no numbers."""
        output = forward(self.model, x, precision=self.precision, sides=self.input_shape[1:])
        if not output.isfinite().all():
            fix = "look for values far from those that it learned from, or train with --precision fp32"
            raise DataError("the model's outputs are not finite", "for some of the samples", fix)
        return output

    def check_samples(self, dataset: Pairs, path: Path) -> None:
        """Raise DataError if the samples, of this file, have another shape than in training; doubt another scale."""
        shape = tuple(dataset[0][0].shape)
        if shape != self.sample_shape:
            what = f"the samples have shape {shape}, and the run learned {self.sample_shape}"
            fix = "give the same columns or sides; one sample: x[None]; see --data.channels; pictures: import --colours"
            raise DataError(what, f"in {path}", fix)
        if doubt := other_scale(dataset, self.statistics):
            note(f"in {path}, {doubt}")

    def batches(self, dataset: Pairs) -> Batches:
        """Return the samples in batches, in their order."""
        size = evaluation_batch_size(self.trained_batch, self.input_shape, self.device)
        return Batches(dataset, batch_size=size, device=self.device, normalisation=self.normalisation)

    def score(self, dataset: Pairs, after_batch: Callable[[], object] = lambda: None) -> dict[str, float]:
        """Return best_epoch, samples, loss and metrics."""
        batches = self.batches(dataset)
        metrics = self.task.metrics(self.device, batches.count)
        with progress(len(batches), "scoring", unit=" batches") as bar:
            scores = score(self.forward, self.task, metrics, batches, lambda: (bar.update(), after_batch()))
        return {"best_epoch": self.epoch, "samples": batches.count, **scores, **metrics.details()}

    @torch.inference_mode()
    def figures(self, dataset: Pairs) -> dict[str, Array]:
        """Return what a person should look at in the validation split: images (H, W, 4), by name."""
        from .figures import SAMPLES, draw  # which import matplotlib: half a second
        from .plots import drawn, style

        if (count := len(dataset)) > SAMPLES:  # type: ignore[arg-type]  # some from everywhere in the file
            dataset = Subset(dataset, [k * count // SAMPLES for k in range(SAMPLES)])
        parts = [(self.forward(x).float().cpu(), y.cpu()) for x, y in self.batches(dataset).epoch()]
        output, target = (torch.cat(part) for part in zip(*parts, strict=True))
        with style():
            figures = draw(dataset, output, target, self.task)
            for figure in figures.values():
                figure.suptitle(f"{len(target):,} samples of the validation\nweights of epoch {self.epoch}", fontsize=8)
            return {name: drawn(figure) for name, figure in figures.items()}

    @torch.inference_mode()
    def predict(self, x: Samples, path: Path | None = None) -> dict[str, Array]:
        """Return what the task predicts for samples (N, ...): as a file has them or, of a `path`, loaded from there."""
        if path is None:
            x, path = channels_first(check(np.asarray(x), "in x"), self.settings.data.channels, "in x"), Path("x")
        dataset = build_dataset(x, np.zeros(len(x), np.int64), self.settings.data)  # nobody looks at the targets
        self.check_samples(dataset, path)
        batches, done, predictions = self.batches(dataset), 0, dict[str, Array]()
        if batches.count != len(x):  # which prediction would be whose?
            what = f"the dataset has {batches.count} samples, and the file {len(x)}"
            raise DataError(what, f"in {path}", "let build_dataset keep all of them, each once")
        for batch, _ in progress(len(batches), "predicting", unit=" batches", over=batches.epoch()):
            for name, array in self.task.predict(self.forward(batch)).items():
                if not done:  # room for all of them at once: many small arrays would lie scattered in the memory
                    check_memory(len(batches) * array.nbytes, f"for the predictions of {path}", "give fewer samples")
                    predictions[name] = np.empty((len(x), *array.shape[1:]), array.dtype)
                common = np.result_type(predictions[name], array)  # texts may get longer
                predictions[name] = predictions[name].astype(common, copy=False)
                predictions[name][done : done + len(batch)] = array
            done += len(batch)
        return predictions


@torch.inference_mode()
def score(
    forward: Callable[[Tensor], Tensor], task: Task, metrics: Metrics, batches: Batches, after: Callable[[], object]
) -> dict[str, float]:
    """Return loss and metrics over all batches of a split, each sample weighing the same."""
    losses = torch.zeros(len(batches), device=batches.device)  # kept one by one, they would lie scattered in the memory
    for batch, ((x, y), count) in enumerate(zip(batches.epoch(), batches.sizes, strict=True)):
        output = forward(x if len(x) else x.new_zeros(1, *x.shape[1:]))[: len(x)]  # a share may be empty
        if batches.workers:
            output, y = batches.workers.gather(output, count), batches.workers.gather(y, count)
        losses[batch] = task.loss(output, y) * count
        metrics.update(output, y)
        after()
    numbers = metrics.compute()
    if "loss" in numbers or not {*task.maximize} <= {"loss", *numbers}:
        raise ValueError(f"Metrics.compute, in task.py, returned {', '.join(numbers)}: not what maximize there names")
    loss = losses.cpu().double().sum().item() / batches.count
    return {"loss": loss, **{name: float(number) for name, number in numbers.items()}}
