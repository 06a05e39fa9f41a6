"""Records what `train` prints with its defaults, for the README of each combination (a minute or a few for each).

    python scripts/record_outputs.py                         # all of them
    python scripts/record_outputs.py classification-cnn      # these

Needs what the rendered project needs. Run it when a default or a line of the log has changed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).parents[1]
OUTPUTS = ROOT / "templates" / "outputs"
SHOWN = 3  # epochs, before the last


def record(task: str, model: str) -> None:
    """Render a combination, train it, and write the lines of its log, most epochs left out."""
    output = OUTPUTS / f"{task}-{model}.txt"
    if not output.exists():  # the README, which is rendered before anything is recorded, includes it
        output.write_text("...\n")
    with tempfile.TemporaryDirectory() as folder:
        answers = {"task": task, "model": model}
        project = cookiecutter(
            str(ROOT), no_input=True, default_config=True, extra_context=answers, output_dir=folder, accept_hooks=False
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(project) / "src")}
        command = [sys.executable, "-m", "my_experiment", "train"]
        result = subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, text=True)
    lines = result.stdout.splitlines()
    epochs = [number for number, line in enumerate(lines) if line.startswith("epoch ")]
    kept = [*lines[: epochs[SHOWN]], "...", *lines[epochs[-1] :]]
    output.write_text("\n".join(kept) + "\n")
    print(f"{task}-{model}: {lines[-2]}", flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in OUTPUTS.iterdir()):
        record(*name.split("-"))
