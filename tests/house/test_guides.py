"""The commands in the how-to guides do what the guides say, on the tutorial's trail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from house.repository import DOCS, marked_blocks
from house.test_readme import run_page

from policyguard.audit.reader import TrailReader

GUIDES = (
    "add-a-rule",
    "approve-a-call",
    "discharge-obligations",
    "erase-a-person",
    "export-to-others",
    "lint-your-rules",
    "prove-your-rules",
    "query-the-trail",
    "read-a-rule",
    "read-and-verify-the-trail",
    "run-in-production",
    "show-that-nothing-leaves",
    "see-what-a-change-would-do",
    "show-verdicts",
    "soften-a-rule",
    "test-your-rules",
    "verify-with-go",
    "verify-with-openssl",
)
BLOCKS = [
    (guide, name)
    for guide in GUIDES
    for name in marked_blocks(DOCS / f"how-to/{guide}.md")
    if name.startswith("shell-")
]
MISSING = [tool for tool in ("openssl", "base64", "od") if shutil.which(tool) is None]


@dataclass(frozen=True)
class Reader:
    """Has gone through the tutorial, and reads on."""

    folder: Path

    def shell(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a block where the tutorial has left its trail."""
        installed = Path(sys.executable).parent
        return subprocess.run(
            ["sh", "-eu", "-c", text],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}",
                "POLICYGUARD_CONFIG": str(self.folder / "policyguard.toml"),
                "RECORD": self.record,
                "CALL": self.call,
                "REVISION": self.revision,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def record(self) -> str:
        """The id of the record that the tutorial has proved."""
        return (self.folder / "record-id").read_text("utf-8")

    @property
    def call(self) -> str:
        """The call that this record is about."""
        return str(self.leaf["call_id"])

    @property
    def revision(self) -> str:
        """The revision of the bundle that decided it."""
        return str(self.leaf["bundle"]["revision"])

    @property
    def origin(self) -> str:
        """The log that it stands in."""
        (log,) = TrailReader.open(self.folder / "trail").logs
        return log.origin

    @property
    def leaf(self) -> dict[str, Any]:
        """What the leaf of this record says."""
        logs = TrailReader.open(self.folder / "trail").logs
        entries = [entry for log in logs if (entry := log.find(self.record))]
        return dict(json.loads(entries[0].body))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    place = tmp_path_factory.mktemp("tutorial")
    run_page(DOCS / "tutorial/first-ten-minutes.md", place)
    return Reader(folder=place)


def run_guide(guide: str, reader: Reader) -> dict[str, str]:
    """Run the blocks of a guide in order, and return what each printed."""
    printed = {}
    for name, text in marked_blocks(DOCS / f"how-to/{guide}.md").items():
        if name.startswith("shell-"):
            done = reader.shell(text)
            assert (name, done.returncode, done.stderr.strip()) == (name, 0, "")
            printed[name] = done.stdout
    return printed


def test_the_guide_to_the_trail_reads_verifies_and_proves(reader: Reader) -> None:
    printed = run_guide("read-and-verify-the-trail", reader)

    assert "deny" in printed["shell-list"]
    assert "alice@acme.example" in printed["shell-show"]
    assert "INTACT" in printed["shell-verify"]
    assert len(list((reader.folder / "for-the-auditor").iterdir())) == len(
        ("proof", "bytes", "key")
    )
    assert printed["shell-call"].count("deny") == 1


def test_the_guide_to_erasure_erases(reader: Reader, tmp_path: Path) -> None:
    # Of a copy: the guides share one trail.
    copy = Reader(folder=Path(shutil.copytree(reader.folder, tmp_path / "copy")))
    blocks = marked_blocks(DOCS / "how-to/erase-a-person.md")
    made = copy.shell(blocks["shell-key"]).stdout
    refused = copy.shell(
        "policyguard audit erase --caller alice@acme.example --key privacy.pem --yes"
        " || true"
    ).stderr
    settings = copy.folder / "policyguard.toml"
    listed = f'erasers = ["{made.splitlines()[-1]}"]'
    text = settings.read_text("utf-8")
    assert text.count("[trail]\n") == 1
    settings.write_text(text.replace("[trail]\n", f"[trail]\n{listed}\n"), "utf-8")

    printed = {
        name: copy.shell(text).stdout
        for name, text in blocks.items()
        if name != "shell-key"
    }

    assert "policyguard keys vkey privacy.pem NAME" in refused
    assert "WOULD ERASE" in printed["shell-dry-run"]
    assert "ERASED" in printed["shell-erase"]
    assert "INTACT" in printed["shell-erase"]


def test_the_guide_to_exports_writes_three_forms(reader: Reader) -> None:
    printed = run_guide("export-to-others", reader)

    assert "INTACT" in printed["shell-tiles"]
    assert "INTACT" in printed["shell-lines"]
    assert '"kind":"genesis"' in printed["shell-lines"]
    assert "events; go on with --after app-1:" in printed["shell-opa"]


def test_the_guide_to_queries_asks_and_proves(reader: Reader) -> None:
    printed = run_guide("query-the-trail", reader)

    assert "denies-by-rule" in printed["shell-questions"]
    assert "COMPLETE" in printed["shell-span"]
    assert '"columns"' in printed["shell-sql"]
    assert "INTACT: each of these records" in printed["shell-proofs"]


def test_the_guide_to_approvals_lets_a_call_through_and_takes_it_back(
    reader: Reader,
) -> None:
    printed = run_guide("approve-a-call", reader)

    assert "approval required by FACT-02" in printed["shell-ask"]
    assert "bob@acme.example" in printed["shell-approve"]
    assert printed["shell-again"].startswith("allowed: ")
    assert "revoked" in printed["shell-revoke"]


def test_the_guide_to_own_rules_adds_one_that_objects(reader: Reader) -> None:
    printed = run_guide("add-a-rule", reader)

    assert printed["shell-test"].startswith("2 passed in ")
    assert "SURVIVED" in printed["shell-test"] or "100.0%" in printed["shell-test"]
    assert printed["shell-ask"].startswith("denied by ACME-01: ")


def test_the_guide_to_tests_finds_the_hole_in_them_and_closes_it(
    reader: Reader,
) -> None:
    printed = run_guide("test-your-rules", reader)

    assert printed["shell-rule"].startswith("2 passed in ")
    assert "SURVIVED spend/spend.rego" not in printed["shell-mutate"]
    assert (
        "SURVIVED spend.rego:7: relation changed: changed `<` to `<=`"
        in printed["shell-mutate"]
    )
    assert printed["shell-better"].startswith("100.0% of ")


def test_the_guide_to_proofs_finds_the_hole_closes_it_and_compares(
    reader: Reader,
) -> None:
    printed = run_guide("prove-your-rules", reader)

    assert "it falls silent by data.classes" in printed["shell-own"]
    assert "CHECKED" not in printed["shell-repaired"]
    assert "looser ACME-01: " in printed["shell-compare"]


def test_the_guide_to_verdicts_shows_them_what_would_change_one_and_a_page(
    reader: Reader,
) -> None:
    printed = run_guide("show-verdicts", reader)

    assert "✗ GDPR-01" in printed["shell-matrix"]
    assert "glm-5.2@api.scaleway.ai" in printed["shell-whatif"]
    assert "report.html: matrix, impact, table" in printed["shell-report"]


def test_the_guide_to_overrides_softens_a_rule_and_refuses_a_locked_one(
    reader: Reader,
) -> None:
    printed = run_guide("soften-a-rule", reader)

    assert "denied by GDPR-01" in printed["shell-before"]
    assert "approval required by GDPR-01" in printed["shell-after"]
    assert "to require_approval" in printed["shell-explain"]


def test_the_guide_to_obligations_adds_a_rule_that_obliges(reader: Reader) -> None:
    printed = run_guide("discharge-obligations", reader)

    assert "to be done" in printed["shell-ask"]


def test_the_guide_to_rules_lists_and_explains_them(reader: Reader) -> None:
    printed = run_guide("read-a-rule", reader)

    assert "GDPR-01" in printed["shell-list"]
    assert "15 CFR 744.22" in printed["shell-explain"]


def test_the_guide_to_production_prints_a_checkpoint(reader: Reader) -> None:
    (text,) = run_guide("run-in-production", reader).values()

    origin, size, _root, empty, signature = text.splitlines()

    assert (size, empty) == ("4", "")
    assert signature.startswith(f"— {origin} ")


@pytest.mark.skipif(bool(MISSING), reason=f"not installed, so not verified: {MISSING}")
def test_the_guide_to_openssl_verifies_checkpoint_key_and_record(
    reader: Reader,
) -> None:
    printed = run_guide("verify-with-openssl", reader)

    computed, stated = printed["shell-key"].splitlines()
    assert "Verified Successfully" in printed["shell-signature"]
    assert computed == stated
    assert printed["shell-path"] == ""


def test_the_guide_to_go_gets_what_its_program_reads(reader: Reader) -> None:
    printed = run_guide("verify-with-go", reader)

    *written, vkey = printed["shell-files"].splitlines()
    assert [name.rpartition(".")[2] for name in written[:2]] == ["tlog-proof", "json"]
    assert vkey.startswith(reader.origin + "+")


def test_the_guide_to_the_doctor_shows_a_client_that_holds(reader: Reader) -> None:
    printed = run_guide("show-that-nothing-leaves", reader)

    assert printed["shell-try"].startswith("holds  application:client  openai.OpenAI")
    assert (
        "2 calls denied, 0 reached a transport, 0 connections" in printed["shell-try"]
    )


def test_the_guides_that_are_run_have_commands() -> None:
    assert {guide for guide, _ in BLOCKS} == set(GUIDES)
