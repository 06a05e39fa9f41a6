"""`train`: put the experiment together, fit it, score its best checkpoint on the test split."""

import shlex
import tempfile
from dataclasses import replace
from pathlib import Path

from colorama import Style

from ..capsule import write_capsule
from ..checkpoint import DAMAGED, last_checkpoint
from ..config import Settings
from ..device import name_of
from ..experiment import Experiment
from ..inference import Trained
from ..run import Run
from ..signals import StopRequest
from ..summary import summarize
from ..torchrun import is_follower


def run(settings: Settings, *, folder: Path | None, fast_dev_run: bool, stop: StopRequest) -> str:
    """Train in a new run directory or, to resume, in `folder`; a trial leaves nothing behind. Return what to say."""
    if fast_dev_run or is_follower():
        with tempfile.TemporaryDirectory() as temporary:
            settings = replace(settings, epochs=1 if fast_dev_run else settings.epochs, runs_dir=Path(temporary))
            began = Run(folder, settings) if folder else None
            experiment = Experiment(settings, trial=fast_dev_run, checkpoint=last_checkpoint(began) if began else None)
            with Run.create(settings) as run:
                train(experiment, run, stop, trial=fast_dev_run)
    elif folder:
        with Run(folder, settings) as run:
            train(Experiment(settings, checkpoint=last_checkpoint(run)), run, stop)
    else:
        experiment = Experiment(settings)  # everything is checked before a run directory exists
        with Run.create(settings) as run:
            train(experiment, run, stop)
    if fast_dev_run:
        return "every phase except the figures works on one batch; nothing was kept"
    own = run.folder.parent.name == settings.name  # else it was put somewhere else, and is looked at alone
    runs = run.folder.parent.parent if own else run.folder
    return f"look at it: {shlex.join(['tensorboard', '--logdir', runs.as_posix()])}"


def train(experiment: Experiment, run: Run, stop: StopRequest, *, trial: bool = False) -> None:
    """Train, then write the scores of the best checkpoint on the test split to evaluation.json, and draw figures."""
    if not trial:  # which has nothing to save
        stop.listen(met=True)
    with experiment.trainer(run, stop) as trainer:
        run.begin()
        if experiment.checkpoint and experiment.checkpoint["damaged"] and not is_follower():
            run.last.replace(run.last.with_name(DAMAGED))  # it must not take the place of a whole one at the next save
        facts = {name: trainer.context[name] for name in ("data_sha256", "resident", "processes")}
        changed = write_capsule(run, exact=experiment.exact, device=name_of(experiment.device), **facts)
        for line in (*summarize(experiment), f"run     {run.folder}"):
            trainer.logbook.write(line)
        if experiment.checkpoint:
            trainer.logbook.write(f"resumed after step {trainer.global_step}, from {experiment.checkpoint['source']}")
            if experiment.checkpoint["source"] != run.last.name:
                trainer.save()  # last.pt gets what is continued: there may be no step left that would save it
        if changed:
            trainer.logbook.write(f"changed since it began: {', '.join(changed)}; it need not end with the same bits")
        run.outcome = trainer.fit()
        experiment.workers.go_on_alone()
        if is_follower():
            return
        trainer.logbook.write(f"{run.outcome[0].replace('_', ' ')}: {run.outcome[1]}")
        if not (trial or experiment.data.resident):  # it was read all the time
            experiment.data.require_unchanged()
        trained, splits = Trained(run.folder, experiment.settings), experiment.data.splits
        if "test" in splits:
            scores = trained.score(splits["test"], trainer.heed_requests)
            run.write_json("evaluation.json", {"split": "test", **scores})
            merit = experiment.task.figure_of_merit
            score = f"test {merit} {scores[merit]:.4f} on {scores['samples']} samples"
            trainer.logbook.write(f"{score}, with the weights of epoch {scores['best_epoch']}", colour=Style.BRIGHT)
        if not trial:  # one step later than the last scalars: should it be done twice, TensorBoard drops the first one
            trainer.logbook.figures(trained.figures(splits["val"]), step=trainer.global_step + 1)
        trainer.heed_requests()
