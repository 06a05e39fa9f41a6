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
    with run:
        checkpoint = experiment.last_checkpoint(run)
        run.begin()
        with experiment.trainer(run, stop, checkpoint) as trainer:
            write_capsule(
                run,
                exact=experiment.exact,
                data_sha256=experiment.data_sha256,
                device=experiment.device_name,
                threads=torch.get_num_threads(),
            )
            for line in [*describe(experiment), f"run     {run.folder}"]:
                trainer.logbook.write(line)
            if checkpoint:
                trainer.logbook.write(f"resumed after step {trainer.global_step}")
            run.outcome = trainer.fit()
            trainer.logbook.write(f"{run.outcome[0].replace('_', ' ')}: {run.outcome[1]}")

            if "test" in experiment.splits:
                scores = trainer.evaluate(experiment.batches("test"))
                run.write_json("evaluation.json", {"split": "test", **scores})
                merit = experiment.task.figure_of_merit
                score = f"test {merit} {scores[merit]:.4f} on {scores['samples']} samples"
                trainer.logbook.write(f"{score}, with the weights of epoch {scores['best_epoch']}", colour=Style.BRIGHT)


def describe(experiment: Experiment) -> list[str]:
    """Return what is going to be trained, a line each."""
    sizes = ", ".join(f"{len(dataset):,} {name}" for name, dataset in experiment.splits.items())
    parameters = sum(parameter.numel() for parameter in experiment.model.parameters())
    precision = str(experiment.precision).removeprefix("torch.")
    return [
        f"data    {experiment.settings.data.path}: {sizes}; a sample is {experiment.sample_shape}",
        f"task    {experiment.task.describe()}",
        f"model   {type(experiment.model).__name__} with {parameters:,} parameters",
        f"device  {experiment.device_name}, {precision}, {torch.get_num_threads()} threads",
    ]
