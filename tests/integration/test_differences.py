"""Tests that compiled policy which has differed is not used by the next process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from guards import SUMMER, settings
from unit.engines.test_sampling import ASKED, COMPILABLE, RIGHT, unreadable, until

from policyguard import Settings
from policyguard.assembly import build_core
from policyguard.assembly_engine import engine_of, recall
from policyguard.engines.regorus import COMPILED, RegorusEngine
from policyguard.errors import TrailError
from policyguard.settings import EngineSettings


def versions(given: Settings) -> tuple[str, str]:
    """Return the digest of the bundle in use, and the version of what answers."""
    core = build_core(settings=given, clock=lambda: SUMMER)
    try:
        newest = core.policies.newest
        return newest.bundle.digest, newest.snapshot.info.version
    finally:
        core.close()


def test_the_next_process_does_not_use_what_has_differed(tmp_path: Path) -> None:
    given = settings(tmp_path).model_copy(
        update={"engine": EngineSettings(compare_one_in=1)}
    )
    bundle, before = versions(given)
    core = build_core(settings=given, clock=lambda: SUMMER)
    engine = engine_of(given)
    assert isinstance(engine, RegorusEngine)
    recall(engine, trail=core.trail)
    policy = replace(COMPILABLE, bundle_digest=bundle)
    wrong = engine.admit(policy, translated=unreadable())
    file = core.trail.policy_memory.with_name("differs") / f"{bundle}.json"
    until(lambda: bool(wrong.evaluate(ASKED)) and file.exists())
    core.close()
    _, after = versions(given)
    file.unlink()
    _, trusted = versions(given)

    assert wrong.evaluate(ASKED) == RIGHT
    assert [COMPILED in version for version in (before, after, trusted)] == [
        True,
        False,
        True,
    ]


def test_a_memory_that_cannot_be_read_lets_nothing_start(tmp_path: Path) -> None:
    given = settings(tmp_path)
    core = build_core(settings=given, clock=lambda: SUMMER)
    core.close()
    core.trail.policy_memory.with_name("differs").write_bytes(b"")

    with pytest.raises(TrailError, match=r"not to be trusted"):
        versions(given)
