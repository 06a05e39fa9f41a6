"""Corrupts a checkpoint, and fails at offsets of its save; run with the rendered package on the path.

    python -m benchmarks.reliability.damage last.pt <corruptions> <failures> <seed>

Prints what happened as JSON.
"""

import json
import random
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from my_experiment.checkpoint import load_checkpoint, serialize, write_checkpoint
from my_experiment.errors import RefusedError, StorageError

from benchmarks.reliability.harness import same


def corrupt(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return how the bytes were damaged, and the damaged bytes."""
    way = chance.choice(["bit flipped", "cut off", "bytes zeroed", "bytes scrambled", "bytes added", "bytes lost"])
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.choice([1, 16, 512, 4096]))
    if way == "bit flipped":
        flipped = content[start] ^ 1 << chance.randrange(8)
        return way, content[:start] + bytes([flipped]) + content[start + 1 :]
    middle = {
        "bytes zeroed": bytes(end - start),
        "bytes scrambled": chance.randbytes(end - start),
        "bytes added": content[start:end] + chance.randbytes(end - start),
    }.get(way, b"")
    return way, content[:start] + middle + (b"" if way == "cut off" else content[end:])


def corruptions(path: Path, folder: Path, count: int, chance: random.Random) -> dict[str, Any]:
    """A damaged file is refused, unless the damage is in bytes that nobody reads, and all is still there."""
    content, whole = path.read_bytes(), load_checkpoint(path)
    damaged = folder / "damaged.pt"
    ways: Counter[str] = Counter()
    wrong = []
    for number in range(count):
        way, changed = corrupt(content, chance)
        damaged.write_bytes(changed)
        try:
            harmless = same(load_checkpoint(damaged), whole)
        except RefusedError:
            ways["refused"] += 1
            continue
        ways["harmless"] += harmless
        if not harmless:
            wrong.append(f"corruption {number}, {way}, was loaded")
    return {"count": count, "ways": dict(ways), "wrong": wrong}


def failures(path: Path, folder: Path, count: int) -> dict[str, Any]:
    """A save that fails at any offset leaves the checkpoint before it, and nothing else."""
    state = load_checkpoint(path)
    last, previous = folder / "last.pt", folder / "previous.pt"
    write_checkpoint(serialize(state), last, keep=previous)
    write_checkpoint(serialize(state), last, keep=previous)
    before, spare, size = last.read_bytes(), previous.read_bytes(), last.stat().st_size
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    wrong = []
    count = min(count, size)
    offsets = sorted({number * (size - 1) // max(1, count - 1) for number in range(count)})
    for offset in offsets:
        previous.write_bytes(spare)  # a failed save has made room
        resource.setrlimit(resource.RLIMIT_FSIZE, (offset, hard))
        try:
            write_checkpoint(serialize(state), last, keep=previous)
            wrong.append(f"a save was cut off at {offset}, and did not say so")
        except StorageError:
            pass
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        if last.read_bytes() != before or (folder / "last.pt.tmp").exists():
            wrong.append(f"a save that failed at {offset} has changed something")
    return {"count": len(offsets), "bytes": size, "wrong": wrong}


def main() -> None:
    path, counts, seed = Path(sys.argv[1]), [int(text) for text in sys.argv[2:4]], sys.argv[4]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        answers = {
            "corruptions": corruptions(path, folder, counts[0], random.Random(seed)),
            "failures": failures(path, folder, counts[1]),
        }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
