"""Takes safeguards out of a rendered project, one at a time, and runs its tests: each must be missed by one.

    python -m benchmarks.reliability.mutations            # a minute or two for each
    python -m benchmarks.reliability.mutations 0 3        # these

A safeguard that no test misses could be lost without anyone noticing.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.origin import environment, render


class Mutation(NamedTuple):
    """A line of a file in the package, what takes its place, and the tests that must notice."""

    safeguard: str
    file: str
    line: str
    instead: str
    tests: str


MUTATIONS = (
    Mutation("fsync of a file", "storage.py", "os.fsync(file.fileno())\n        if v", "\n        if v", "checkpoint"),
    Mutation("fsync of the folder", "storage.py", "sync_folder(path.parent)", "pass", "checkpoint"),
    Mutation("the rename", "storage.py", "temporary.replace(path)", "path.write_bytes(data)", "checkpoint"),
    Mutation("keeping the checkpoint before", "storage.py", "path.replace(keep)", "pass", "checkpoint"),
    Mutation("verification of what was written", "storage.py", "verify(temporary)", "pass", "checkpoint"),
    Mutation("verification of what is read", "checkpoint.py", "    verify(path)", "    pass", "checkpoint"),
    Mutation("weights_only", "checkpoint.py", '"cpu", weights_only=True', '"cpu", weights_only=False', "checkpoint"),
    Mutation("refusal without the last one", "checkpoint.py", "and must_have_saved(run)", "and False", "commands"),
    Mutation("refusal of pickles", "array_file.py", "if dtype.hasobject:", "if False:", "array_file"),
    Mutation("safe YAML", "settings_file.py", "(yaml.SafeLoader)", "(yaml.UnsafeLoader)", "settings_file"),
    Mutation("the lock", "run.py", "self._lock.acquire()", "pass", "run"),
    Mutation("the signal flag", "signals.py", "self.signal_number = number", "pass", "commands"),
    Mutation("the writer's close", "logbook.py", "self.writer.close()", "pass", "trainer"),
    Mutation("__del__ of the trainer", "trainer.py", 'if hasattr(self, "saver"):', "if False:", "trainer"),
    Mutation("cutting metrics.jsonl back", "logbook.py", "file.truncate(end)", "pass", "logbook"),
    Mutation("metrics on the disk first", "saver.py", "self.before()", "pass", "saver"),
    Mutation("the best one that is owed", "saver.py", "data if best else self.best", "data if best else None", "saver"),
    Mutation("telling the first error", "trainer.py", "suppress(StorageError, OSError)", "suppress()", "commands"),
    Mutation("purge_step", "logbook.py", "purge_step=step + 1 if step else 0", "purge_step=None", "logbook"),
    Mutation("random states", "trainer.py", "restore_random_states(state", "print(state", "trainer"),
    Mutation("finite losses", "losses.py", "(~losses.isfinite())", "(losses > losses)", "trainer"),
    Mutation("finite weights", "losses.py", "if not all(parameter", "if not all(True or parameter", "trainer"),
)  # fmt: skip


def notices(project: Path, mutation: Mutation) -> bool:
    """Return whether a test fails without the safeguard."""
    (path,) = (project / "src").glob(f"*/{mutation.file}")
    before = path.read_text()
    assert before.count(mutation.line) == 1, f"{mutation.file} must have {mutation.line!r} once"
    path.write_text(before.replace(mutation.line, mutation.instead))
    try:
        return not passes(project, mutation.tests)
    finally:
        path.write_text(before)


def passes(project: Path, tests: str) -> bool:
    """Return whether tests pass. Anything but a failed test ends the script."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/test_{tests}.py"]
    variables = environment(project, OMP_NUM_THREADS="1")
    result = subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True)
    if result.returncode not in (0, 1):
        raise SystemExit(result.stdout + result.stderr)
    return result.returncode == 0


def missed(chosen: list[int]) -> dict[str, Any]:
    """Try mutations; return how many were tried, and the safeguards that no test misses."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        project = render(Path(folder), model="mlp")
        for tests in sorted({MUTATIONS[number].tests for number in chosen}):
            if not passes(project, tests):
                wrong.append(f"test_{tests}.py fails with every safeguard in place")
        for number in chosen:
            shutil.rmtree(project / "runs", ignore_errors=True)
            noticed = notices(project, MUTATIONS[number])
            print(f"{'noticed' if noticed else 'MISSED '}  {MUTATIONS[number].safeguard}", file=sys.stderr, flush=True)
            if not noticed:
                wrong.append(MUTATIONS[number].safeguard)
    return {"count": len(chosen), "wrong": wrong}


def main() -> None:
    chosen = [int(text) for text in sys.argv[1:]] or list(range(len(MUTATIONS)))
    if wrong := missed(chosen)["wrong"]:
        raise SystemExit(f"nobody notices that these are gone: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
