"""The campaigns of benchmarks/reliability, with a few trials of each, from a seed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.origin import render
from benchmarks.reliability import campaigns, mutations, scoreboard
from benchmarks.reliability.campaigns import Campaign

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks, and kills as POSIX does")


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    with scoreboard.campaign(7, model="mlp") as ready:
        yield ready


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (campaigns.kills, 8),
        (campaigns.signals, 8),
        (campaigns.starts, 10),
        (campaigns.double_resumes, 6),
        (campaigns.two_rank_kills, 4),
    ],
)
def test_nothing_is_lost(campaign: Campaign, kind: Callable[[Campaign, int], dict[str, Any]], count: int) -> None:
    found = kind(campaign, count)
    assert found["wrong"] == [] and found["count"] >= count


def test_a_damaged_checkpoint_is_never_loaded_and_a_failed_save_destroys_none() -> None:
    found = scoreboard.damage(7, corruptions=300, failures=200)
    assert found["corruptions"]["wrong"] == [] == found["failures"]["wrong"]
    assert found["corruptions"]["ways"]["refused"] > 200 and found["failures"]["count"] == 200


def test_the_end_of_an_epoch_is_written_once() -> None:
    """With a checkpoint at its last step, and death before the next one."""
    with scoreboard.campaign(7, model="mlp") as campaign:
        assert campaigns.kills(campaign, 8, (("--checkpoint-every=20",),))["wrong"] == []


def test_every_safeguard_is_where_the_mutations_look_for_it(tmp_path: Path) -> None:
    project = render(tmp_path, model="mlp")
    for each in mutations.MUTATIONS:
        assert (project / "src/my_experiment" / each.file).read_text().count(each.line) == 1, each.safeguard


def test_a_safeguard_that_is_gone_is_noticed() -> None:
    """Two of many: the rename of a new checkpoint over the old one, and the lock."""
    chosen = [number for number, each in enumerate(mutations.MUTATIONS) if each.safeguard in ("the rename", "the lock")]
    assert mutations.missed(chosen) == {"count": 2, "wrong": []}
