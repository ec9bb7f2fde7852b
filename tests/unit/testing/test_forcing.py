"""What forces a verdict is as small as it can be, holds whatever else, and is kept back."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from integration.program import CALL, DENIED, refused, run, written
from unit.testing.trials import OWN, own

from policyguard.errors import ConfigurationError
from policyguard.testing.forcing import Forced, document_of, forced
from policyguard.vocabulary.call import ModelCall

PUBLISHED = {
    **CALL,
    "data": {"classes": ["source_code", "public"], "subjects": ["DE"]},
    "purpose": {"kind": "fine_tune", "publishes": True},
}


@cache
def of_own() -> Forced:
    return forced(own(OWN).policy, ModelCall.model_validate(PUBLISHED))


def test_the_smallest_set_is_found_and_each_of_its_facts_is_needed() -> None:
    mine = [reason for reason in of_own().reasons if reason.rule == "ACME-02"]

    assert [(dict(r.facts), r.tier, r.held, r.smallest) for r in mine] == [
        (
            {
                "purpose": "declared",
                "purpose.publishes": "true",
                "data.classes": "public+source_code",
            },
            "PROVED",
            {},
            True,
        )
    ]


def test_whole_evaluations_agree_and_what_stays_is_named() -> None:
    assert of_own().evaluations >= 100
    assert of_own().given == {
        "at": "2026-07-10T12:00:00Z",
        "tenant.profile": "balanced",
    }
    assert of_own().untold == {}


def test_a_call_that_is_allowed_is_forced_by_no_few_facts() -> None:
    with pytest.raises(ConfigurationError, match="no few facts force"):
        forced(
            own(OWN).policy,
            ModelCall.model_validate({**CALL, "data": {"classes": ["none"]}}),
        )


def test_the_document_names_rule_facts_and_how_sure_it_is() -> None:
    document = json.loads(json.dumps(document_of(of_own())))

    assert document["verdict"] == "deny"
    assert {"rule", "effects", "facts", "tier", "held", "smallest"} == set(
        document["reasons"][0]
    )


def test_the_command_shows_it_and_refuses_what_it_does_not_take(tmp_path: Path) -> None:
    rules = tmp_path / "own"
    rules.mkdir()
    (rules / "acme_02.rego").write_text(OWN, encoding="utf-8")
    asked = ("policy", "whatif", written(tmp_path, PUBLISHED), "--policy", rules)

    done = run(*asked, "--forced")

    assert done.exit_code == 0, done.stderr
    assert "  purpose.publishes = true\n" in done.stdout
    assert "callers are not told" in " ".join(done.stdout.split())
    refused(
        run(*asked, "--forced", "--to", "allow"), says="--forced asks of every fact"
    )


def test_who_is_refused_is_not_told_and_the_guard_does_not_even_load_it() -> None:
    program = (
        "import json, sys\n"
        "from policyguard import Guard\n"
        "from policyguard.errors import PolicyDenied\n"
        "from policyguard.vocabulary.call import ModelCall\n"
        "import tempfile, os\n"
        "os.environ['XDG_DATA_HOME'] = tempfile.mkdtemp()\n"
        "decision = Guard().check(ModelCall.model_validate(json.loads(sys.argv[1])))\n"
        "print(decision.verdict)\n"
        "print(decision.model_dump_json().lower())\n"
        "print([m for m in sys.modules if m.startswith('policyguard.testing')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(DENIED)],
        capture_output=True,
        text=True,
        check=False,
    )

    verdict, said, loaded = done.stdout.splitlines() or ["", "", done.stderr]
    assert (verdict, loaded) == ("deny", "[]")
    assert "whatever all other" not in said
    assert "reasons" not in said
