"""`train`: put the experiment together, fit it, score its best checkpoint on the test split."""

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
    """Train in a new run directory or, to resume, in `folder`; a trial leaves nothing behind."""
    if fast_dev_run:
        with tempfile.TemporaryDirectory() as temporary:
            settings = replace(settings, epochs=1, runs_dir=Path(temporary))
            train(Experiment(settings, one_batch=True), Run.create(settings), stop)
        print("every phase works on one batch; nothing was kept")
    else:
        experiment = Experiment(settings)  # everything is checked before a run directory exists
        train(experiment, Run(folder, settings) if folder else Run.create(settings), stop)
        print(f"look at it: tensorboard --logdir {settings.runs_dir}")


def train(experiment: Experiment, run: Run, stop: StopRequest) -> None:
    """Train, then write the scores of the best checkpoint on the test split to evaluation.json."""
    with run, experiment.trainer(run, stop) as trainer:
        run.begin()
        write_capsule(
            run,
            exact=experiment.exact,
            data_sha256=experiment.data_sha256,
            device=str(experiment.device),
            threads=torch.get_num_threads(),
        )
        for line in [*experiment.describe(), f"run     {run.folder}"]:
            trainer.logbook.write(line)
        if trainer.global_step:
            trainer.logbook.write(f"resumed after step {trainer.global_step}, in epoch {trainer.epoch + 1}")
        run.outcome = trainer.fit()
        trainer.logbook.write(f"{run.outcome[0].replace('_', ' ')}: {run.outcome[1]}")

        if "test" in experiment.splits:
            best = experiment.early_stopping.best_epoch
            scores = trainer.evaluate(experiment.batches("test"))
            run.write_json("evaluation.json", {"split": "test", "best_epoch": best, **scores})
            merit = experiment.task.figure_of_merit
            line = f"test {merit} {scores[merit]:.4f} on {scores['samples']} samples, with the weights of epoch {best}"
            trainer.logbook.write(line, colour=Style.BRIGHT)
