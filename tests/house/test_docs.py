"""The documentation has everything that exists, and what is generated is fresh."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import yaml
from house.repository import (
    DOCS,
    PACKAGE,
    ROOT,
    files,
    marked_blocks,
    name_of,
    tree_of,
)
from pydantic import BaseModel

import policyguard
from docs import generate
from docs.pages import commands, error_classes
from policyguard.bundle.rulebook import RuleInfo, read_rules
from policyguard.catalog.load import load_catalog
from policyguard.errors import ConfigurationError
from policyguard.settings import Settings, load_settings

REFERENCE = DOCS / "reference"
RULEBOOK = ROOT / "policies/policyguard/rulebook/data.json"
# The words of the house, and those that stand for something else.
WORDS = {
    "Caller", "ModelCall", "Decision", "verdict", "Outcome", "Finding", "effect",
    "Obligation", "Advice", "rule", "regime", "bundle", "catalog", "engine",
    "deployment", "Approval", "Override", "AuditRecord", "trail", "checkpoint",
    "model", "check", "evaluate", "validate", "verify",
}  # fmt: skip
CODE = re.compile(r"(engine|guard|obligation|trail)\.(?!json$)[a-z_]+")
NEVER = {"violation", "violations", "principal", "waiver", "pdp", "sth", "mute"}
NEVER_CLASSES = {"Event", "Issue", "Pack", "Payload", "Query", "Registry", "Request",
                 "Result", "Subject", "User", "Principal"}  # fmt: skip


def page(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


def generated(name: str) -> str:
    return page(f"generated/{name}")


def rules() -> dict[str, dict[str, object]]:
    # Without the file no test may be lost: that it is fresh is a test of its own.
    book = json.loads(RULEBOOK.read_bytes()) if RULEBOOK.is_file() else {"rules": {}}
    return dict(book["rules"])


@cache
def shipped_rules() -> dict[str, RuleInfo]:
    folder = ROOT / "policies"
    texts = (
        (str(file.relative_to(folder)), file.read_text("utf-8"))
        for file in (folder / "policyguard/rules").rglob("*.rego")
        if not file.stem.endswith("_test")
    )
    return {rule.id: rule for rule in read_rules(sorted(texts))}


def keys_of(kind: type[BaseModel], *, prefix: str = "") -> set[str]:
    """List each key that a settings file may have, sections by dots."""
    found: set[str] = set()
    for name, field in kind.model_fields.items():
        inner = [item for item in classes(field.annotation) if item is not kind]
        for item in inner:
            found |= keys_of(item, prefix=f"{prefix}{name}.")
        if not inner:
            found.add(f"{prefix}{name}")
    return found


def classes(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [kind for part in get_args(annotation) for kind in classes(part)]


def keys_in(value: object, *, prefix: str = "") -> set[str]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return set().union(*(keys_in(item, prefix=prefix) for item in value))
    if not isinstance(value, dict):
        return {prefix.rstrip(".")}
    return set().union(
        *(keys_in(item, prefix=f"{prefix}{key}.") for key, item in value.items())
    )


def identifiers(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


def test_what_is_generated_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_stale_file_is_named_until_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "made/page.md"
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "STEPS", (lambda: {file: b"new"},))

    codes = [generate.main(given) for given in (["--check"], [], ["--check"], ["--x"])]

    printed = capsys.readouterr()
    assert codes == [1, 0, 0, 2]
    assert printed.out == "stale, run `make fmt`: made/page.md\nwritten: made/page.md\n"
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("name", policyguard.__all__)
def test_each_exported_name_is_in_the_reference(name: str) -> None:
    assert f"## `{name}`\n" in generated("python.md")


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_each_command_is_in_the_reference(name: str) -> None:
    assert f"## {name}\n" in generated("cli.md")


def test_the_reference_shows_commands_as_the_program_does_and_none_cut_off() -> None:
    lines = generated("cli.md").splitlines()

    assert [
        line for line in lines if line.startswith("  ") and line.endswith("...")
    ] == []
    assert sum(line.startswith("  -h, --help ") for line in lines) == len([*commands()])


@pytest.mark.parametrize("name", [kind.__name__ for kind in error_classes()])
def test_each_error_is_in_the_reference(name: str) -> None:
    assert f"| `{name}` |" in generated("errors.md")


def test_each_code_of_a_missing_decision_is_explained() -> None:
    text = (DOCS / "explanation/decision.md").read_text("utf-8")
    codes = {
        node.value
        for path in files(".py", under=PACKAGE)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value)
    }

    assert "trail.not_durable" in codes
    assert {code for code in codes if f"| `{code}` |" not in text} == set()


def test_the_guide_to_configuration_has_every_key(tmp_path: Path) -> None:
    text = marked_blocks(DOCS / "how-to/configure.md")["every-key"]
    file = tmp_path / "policyguard.toml"
    file.write_text(text, "utf-8")

    fleet = marked_blocks(DOCS / "how-to/share-a-trail-in-postgresql.md")["fleet-keys"]

    # A trail is in files or in a database, so one file cannot have all.
    assert keys_in(tomllib.loads(text)) | keys_in(tomllib.loads(fleet)) == keys_of(
        Settings
    )
    assert load_settings(file).tenant.id == "acme"


def test_the_guide_shows_the_message_that_a_wrong_key_gets(tmp_path: Path) -> None:
    shown = marked_blocks(DOCS / "how-to/configure.md")["wrong-key"]
    file = tmp_path / "policyguard.toml"
    file.write_text('[tenant]\nprofil = "strict"\n', "utf-8")

    with pytest.raises(ConfigurationError) as caught:
        load_settings(file)

    assert str(caught.value).replace(str(file), "policyguard.toml") == shown


@pytest.mark.parametrize("mark", ["overlay", "replacement"])
def test_the_guide_to_catalog_entries_shows_overlays_that_load(
    mark: str, tmp_path: Path
) -> None:
    text = marked_blocks(DOCS / "how-to/add-catalog-entry.md")[mark]
    file = tmp_path / "ours.yaml"
    file.write_text(text, "utf-8")
    shipped = sorted((ROOT / "policies/catalog").glob("*.yaml"))

    catalog = load_catalog(shipped, overlays=[file])

    assert catalog.version.endswith(f"+{yaml.safe_load(text)['version']}")


def test_the_guide_to_openssl_has_the_commands_that_are_tested() -> None:
    guide = (DOCS / "how-to/verify-with-openssl.md").read_text("utf-8")
    tested = (ROOT / "tests/conformance/test_openssl.py").read_text("utf-8")
    script = re.search(r'VERIFY = r"""\nset -eu\n(.*?)"""', tested, re.DOTALL)

    assert script is not None
    assert script[1] in guide


@pytest.mark.parametrize("rule_id", sorted(rules()))
def test_each_rule_has_a_page_a_test_and_an_entry_in_the_index(rule_id: str) -> None:
    file = ROOT / "policies" / str(rules()[rule_id]["file"])
    own = REFERENCE / f"rules/{rule_id}.md"

    assert file.with_name(f"{file.stem}_test.rego").is_file()
    assert own.read_text("utf-8").startswith(f"# {rule_id}")
    assert rule_id in page("rules/index.md")


@pytest.mark.parametrize("rule_id", sorted(rules()))
def test_a_page_has_the_exceptions_that_the_metadata_have(rule_id: str) -> None:
    own = (REFERENCE / f"rules/{rule_id}.md").read_text("utf-8")
    part = own.partition("## Does not object when\n")[2].partition("\n## ")[0]
    shown = [
        re.sub(r"\[([^]]+)\]\([^)]+\)|[`*]", r"\1", " ".join(item.split()))
        for item in re.split(r"^- ", part, flags=re.MULTILINE)[1:]
    ]

    info = shipped_rules()[rule_id]

    assert list(info.exceptions) == shown
    assert shown, "a rule without a limit to what it objects to"


def test_there_is_no_page_for_a_rule_that_does_not_exist() -> None:
    pages = {path.stem for path in (REFERENCE / "rules").glob("*.md")}

    assert rules(), "the rulebook is missing"
    assert pages - {"index"} == set(rules())


def test_the_glossary_has_the_words_of_the_house() -> None:
    glossary = page("glossary.md").lower()

    assert {word for word in WORDS if word.lower() not in glossary} == set()


@pytest.mark.parametrize("path", files(".py", under=PACKAGE), ids=name_of)
def test_no_identifier_uses_a_word_that_means_something_else(path: Path) -> None:
    names = identifiers(path)
    words = {
        word.lower()
        for name in names
        for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    }

    assert words & NEVER == set()
    assert {name.lstrip("_") for name in names} & NEVER_CLASSES == set()
