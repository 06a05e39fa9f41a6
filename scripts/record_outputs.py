"""Records what `train` prints with its defaults, for the README of each combination (a minute or a few for each).

    python -m scripts.record_outputs                         # all of them
    python -m scripts.record_outputs classification-cnn      # these

Needs what the rendered project needs. Run it when a default or a line of the log has changed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.origin import ROOT, environment, render
from hooks.answers import MODELS

OUTPUTS = ROOT / "templates" / "outputs"
SHOWN = 3  # epochs, before the last


def record(task: str, model: str) -> None:
    """Render a combination, train it, and write the lines of its log, most epochs left out."""
    output = OUTPUTS / f"{task}-{model}.txt"
    if not output.exists():  # the README, which is rendered before anything is recorded, includes it
        output.write_text("...\n")
    with tempfile.TemporaryDirectory() as folder:
        project = render(Path(folder), task=task, model=model)
        variables = environment(project, OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")  # so that it can be repeated
        command = [sys.executable, "-m", "my_experiment", "train"]
        result = subprocess.run(command, cwd=project, env=variables, check=True, stdout=subprocess.PIPE, text=True)
    lines = result.stdout.splitlines()
    epochs = [number for number, line in enumerate(lines) if line.startswith("epoch ")]
    kept = [*lines[: epochs[SHOWN]], "...", *lines[epochs[-1] :]]
    output.write_text("\n".join(kept) + "\n")
    print(f"{task}-{model}: {lines[-2]}", flush=True)


if __name__ == "__main__":
    offered = [f"{task}-{model}" for task, models in MODELS.items() for model in models]
    if unknown := set(sys.argv[1:]) - set(offered):
        sys.exit(f"there is no {', '.join(sorted(unknown))}; choose among: {', '.join(offered)}")
    for name in sys.argv[1:] or offered:
        record(*name.split("-", 1))
