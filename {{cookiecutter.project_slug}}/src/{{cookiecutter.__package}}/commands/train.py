"""`train`: compose the experiment, fit it, score the best checkpoint on the test split."""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from colorama import Style

from ..capsule import write_capsule
from ..config import Settings
from ..experiment import Experiment
from ..run import Run
from ..signals import StopRequest


def run(settings: Settings, *, folder: Path | None, fast_dev_run: bool, stop: StopRequest) -> None:
    """Train in a new run directory or, to resume, in `folder`."""
    if fast_dev_run:
        with tempfile.TemporaryDirectory() as temporary:
            trial = replace(settings, epochs=1, runs_dir=Path(temporary))
            train(Experiment.compose(trial, one_batch=True), Run.create(trial), stop)
        print("every phase works on one batch; nothing was kept")
    else:
        experiment = Experiment.compose(settings)
        train(experiment, Run(folder, settings) if folder else Run.create(settings), stop)


def train(experiment: Experiment, run: Run, stop: StopRequest) -> None:
    """Train in the run directory, then write evaluation.json."""
    with run, experiment.trainer(run, stop) as trainer:
        write_capsule(
            run,
            exact=experiment.exact,
            data_sha256=experiment.data_sha256,
            device=str(experiment.device),
            threads=torch.get_num_threads(),
        )
        for line in experiment.describe().splitlines():
            trainer.logbook.write(line)
        trainer.logbook.write(f"run     {run.folder}")
        run.outcome = trainer.fit()
        trainer.logbook.write(f"{run.outcome[0]} after {trainer.epoch} epochs: {run.outcome[1]}")
        if "test" in experiment.splits:
            best = trainer.early_stopping.best_epoch
            scores = trainer.evaluate(experiment.batches("test"))
            run.write_json("evaluation.json", {"split": "test", "best_epoch": best, **scores})
            merit = experiment.task.figure_of_merit
            line = f"test {merit} {scores[merit]:.4f} on {scores['samples']} samples, by epoch {best}, the best one"
            trainer.logbook.write(line, colour=Style.BRIGHT)
        trainer.logbook.write(f"look at it: tensorboard --logdir {run.settings.runs_dir}")
