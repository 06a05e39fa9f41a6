"""`train`: put the experiment together, fit it, score its best checkpoint on the test split."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from colorama import Style

from ..capsule import write_capsule
from ..checkpoint import last_checkpoint
from ..config import Settings
from ..errors import printable
from ..experiment import Experiment
from ..inference import Trained
from ..run import Run
from ..signals import StopRequest
from ..trainer import Trainer


def run(settings: Settings, *, folder: Path | None, fast_dev_run: bool, stop: StopRequest) -> None:
    """Train in a new run directory or, to resume, in `folder`; a trial leaves nothing behind."""
    if fast_dev_run:
        with tempfile.TemporaryDirectory() as temporary:
            settings = replace(settings, epochs=1, runs_dir=Path(temporary))
            with Run.create(settings) as run:
                train(Experiment(settings, one_batch=True), run, stop)
        print("every phase works on one batch; nothing was kept")
    elif folder:
        with Run(folder, settings) as run:
            train(Experiment(settings, checkpoint=last_checkpoint(run)), run, stop)
    else:
        experiment = Experiment(settings)  # everything is checked before a run directory exists
        with Run.create(settings) as run:
            train(experiment, run, stop)
    if not fast_dev_run:
        print(f"look at it: tensorboard --logdir {printable(str(settings.runs_dir))}")


def train(experiment: Experiment, run: Run, stop: StopRequest) -> None:
    """Train, then write the scores of the best checkpoint on the test split to evaluation.json."""
    run.begin()
    with experiment.trainer(run, stop) as trainer:
        write_capsule(
            run,
            exact=experiment.exact,
            data_sha256=experiment.data_sha256,
            device=experiment.device_name,
            threads=torch.get_num_threads(),
        )
        for line in describe(experiment, trainer):
            trainer.logbook.write(line)
        run.outcome = trainer.fit()
        trainer.logbook.write(f"{run.outcome[0].replace('_', ' ')}: {run.outcome[1]}")
        if "test" in experiment.splits:
            scores = Trained(run.folder, experiment.settings).score(experiment.splits["test"], trainer.leave_if_asked)
            run.write_json("evaluation.json", {"split": "test", **scores})
            merit = experiment.task.figure_of_merit
            score = f"test {merit} {scores[merit]:.4f} on {scores['samples']} samples"
            trainer.logbook.write(f"{score}, with the weights of epoch {scores['best_epoch']}", colour=Style.BRIGHT)


def describe(experiment: Experiment, trainer: Trainer) -> Iterator[str]:
    """Tell what is going to be trained, line by line."""
    settings, shape, used = experiment.settings, experiment.sample_shape, experiment.input_shape
    sizes = ", ".join(f"{size:,} {name}" for name, size in experiment.sizes.items())
    resized = f", resized to {used}, the least that the model takes" if used != shape else ""
    parameters = sum(parameter.numel() for parameter in experiment.model.parameters())
    yield f"data    {settings.data.path}: {sizes}; a sample is {shape}{resized}"
    yield f"task    {experiment.targets.describe()}"
    yield f"model   {type(experiment.model).__name__} with {parameters:,} parameters"
    yield f"device  {experiment.device_name}, {str(experiment.precision)[6:]}, {torch.get_num_threads()} threads"
    if not trainer.train_batches.whole:
        yield f"loader  a DataLoader reads {type(experiment.splits['train']).__name__} sample by sample (slower)"
    if settings.init_from and not experiment.checkpoint:
        yield f"init    {settings.init_from}; weights that start anew: {', '.join(experiment.not_loaded) or 'none'}"
    yield f"run     {trainer.run.folder}"
    if experiment.checkpoint:
        yield f"resumed after step {trainer.global_step}"
