"""Tests that a guard stops trusting compiled policy which the interpreter contradicts."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest
from guards import CN, SUMMER, TICKETS, settings

from policyguard import Guard
from policyguard.assembly import policy_set
from policyguard.assembly_engine import engine_of
from policyguard.engines.compiled.translate import Translated, translate
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.regorus import COMPILED, RegorusEngine
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.guard.policy import Policy, PolicyInUse
from policyguard.guard.watching import readings


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """Return a guard whose compiled policy cannot read whether the GDPR is in scope."""
    known = settings(tmp_path)
    known = known.model_copy(
        update={"engine": known.engine.model_copy(update={"compare_one_in": 1})}
    )
    made = Guard(settings=known, clock=lambda: SUMMER)
    core = made.core
    given = policy_set(bundle=core.bundle, catalog=core.catalog)
    right = translate(
        syntax_tree(compile_modules(given.modules)), entrypoint=given.entrypoint
    )
    fault = tuple(
        part.replace("I['scope']['gdpr']", "I['scope']['gdpr']['is']")
        for part in right.parts
    )
    engine = engine_of(known)
    assert isinstance(engine, RegorusEngine)
    assert fault != right.parts
    policy = Policy(
        snapshot=engine.admit(
            given,
            translated=Translated(parts=fault, entry=right.entry, rules=right.rules),
        ),
        bundle=core.bundle,
        catalog=core.catalog,
    )
    return Guard.of_core(replace(core, policies=PolicyInUse(policy)))


def test_a_wrong_answer_is_forgotten_and_its_bundle_interpreted(
    guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    described = Described(model="glm-5.2", host=CN.split("/")[2])
    asked = guard.core.question(described=described, facts=facts_of(**TICKETS))
    with caplog.at_level(logging.ERROR, logger="policyguard"):
        first = guard.check(asked)
        end = time.monotonic() + 60
        while guard.core.snapshot.info.version.endswith(COMPILED):
            assert time.monotonic() < end
            time.sleep(0.01)
        then = guard.check(asked)
        while not caplog.records:
            assert time.monotonic() < end
            time.sleep(0.01)
    measured = {item.instrument.name: item.value for item in readings(guard.core)}

    assert "GDPR-01" not in {item.id for item in first.findings}
    assert first.engine.version.endswith(COMPILED)
    assert "GDPR-01" in {item.id for item in then.findings}
    assert not then.engine.version.endswith(COMPILED)
    assert measured["policyguard.engine.differed"] == 1
    assert guard.core.bundle.digest in caplog.text
    assert "policyguard audit replay --all" in caplog.text
    guard.close()
