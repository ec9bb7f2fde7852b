"""How a bundle looks, and what differs between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from policyguard.bundle.signature import signer_of
from policyguard.bundle.source import Bundle, load_files
from policyguard.cli.terminal import plain_table, printable

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.bundle.rulebook import RuleInfo, RuleWindow

_TEXTS: Final = ("title", "citation", "severity", "regime", "locked", "as_of")


def contents(files: Mapping[str, bytes], *, name: str) -> dict[str, Any]:
    """Return what is in a bundle, as JSON has it.

    Raises:
        BundleError: it does not load.
    """
    bundle = load_files(files, name=name)
    signed = signer_of(files)
    return {
        "revision": bundle.revision,
        "digest": bundle.digest,
        "signed": None
        if signed is None
        else {"key": signed.key, "algorithm": signed.algorithm, "scope": signed.scope},
        "modules": len(bundle.modules),
        "tests": len(bundle.tests),
        "golden": len(bundle.golden.vectors),
        "rules": [_rule(rule) for rule in bundle.rules.values()],
    }


def print_contents(console: Console, found: Mapping[str, Any]) -> None:
    """Print what is in a bundle."""
    signed = found["signed"]
    who = (
        "nobody"
        if signed is None
        else f"{signed['key'] or 'a key without a name'} ({signed['algorithm']}),"
        " not verified here"
    )
    regimes = Counter(rule["regime"] for rule in found["rules"])
    for name, value in (
        ("revision", found["revision"]),
        ("digest", f"sha256:{found['digest']}"),
        ("signed by", who),
        ("modules", f"{found['modules']}, tests {found['tests']}"),
        ("golden", f"{found['golden']} vectors"),
        ("rules", f"{len(found['rules'])} in {len(regimes)} regimes"),
    ):
        console.print(f"{name:<10} {printable(str(value))}", soft_wrap=True)
    console.print()
    table = plain_table()
    for column in ("rule", "regime", "severity", "windows"):
        table.add_column(column, no_wrap=True)
    table.add_column("title", overflow="fold")
    for rule in found["rules"]:
        table.add_row(
            rule["id"],
            rule["regime"],
            rule["severity"],
            str(len(rule["windows"])),
            printable(rule["title"]),
        )
    console.print(table)


def differences(old: Bundle, new: Bundle) -> dict[str, Any]:
    """Return what differs between two bundles, as JSON has it."""
    before = {rule.id: _rule(rule) for rule in old.rules.values()}
    after = {rule.id: _rule(rule) for rule in new.rules.values()}
    both = before.keys() & after.keys()
    changed = {
        rule: _changes(before[rule], after[rule])
        | _text_change(old, new, old.rules[rule].file)
        for rule in sorted(both)
    }
    return {
        "revision": [old.revision, new.revision],
        "digest": [old.digest, new.digest],
        "rules": {
            "added": sorted(after.keys() - before.keys()),
            "removed": sorted(before.keys() - after.keys()),
            "changed": {rule: what for rule, what in changed.items() if what},
        },
        "files": {
            path: _word(path, old.files, new.files)
            for path in sorted(old.files.keys() | new.files.keys())
            if old.files.get(path) != new.files.get(path)
        },
    }


def print_differences(console: Console, found: Mapping[str, Any]) -> None:
    """Print what differs between two bundles."""
    old, new = found["revision"]
    if not found["files"]:
        console.print(
            f"the same: revision {printable(old)}, sha256:{found['digest'][0]}"
        )
        return
    console.print(f"revision   {printable(old)} → {printable(new)}", soft_wrap=True)
    for side, digest in zip(("old", "new"), found["digest"], strict=True):
        console.print(f"{side:<10} sha256:{digest}", soft_wrap=True)
    rules = found["rules"]
    for mark, style, ids in (
        ("+", "green", rules["added"]),
        ("-", "red", rules["removed"]),
    ):
        for rule in ids:
            console.print(f"{mark} rule {printable(rule)}", style=style)
    for rule, what in rules["changed"].items():
        console.print(f"~ rule {printable(rule)}", style="yellow")
        for field, (before, after) in what.items():
            console.print(
                f"    {field}: {printable(_shown(before))} → {printable(_shown(after))}",
                soft_wrap=True,
            )
    console.print()
    for path, word in found["files"].items():
        console.print(f"{word:<8} {printable(path)}", soft_wrap=True)


def _rule(rule: RuleInfo) -> dict[str, Any]:
    return {
        "id": rule.id,
        "title": rule.title,
        "citation": rule.citation,
        "regime": rule.regime,
        "severity": rule.severity,
        "locked": rule.locked,
        "as_of": rule.as_of.isoformat(),
        "file": rule.file,
        "windows": [_window(window) for window in rule.windows],
    }


def _window(window: RuleWindow) -> dict[str, Any]:
    return {
        "from": _instant(window.since),
        "to": _instant(window.until),
        "status": window.status,
        "verified": window.verified,
    }


def _instant(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [before[name], after[name]]
        for name in (*_TEXTS, "windows")
        if before[name] != after[name]
    }


def _text_change(old: Bundle, new: Bundle, path: str) -> dict[str, Any]:
    before, after = old.modules.get(path), new.modules.get(path)
    if before is None or after is None or before == after:
        return {}
    return {"lines": [before.count("\n"), after.count("\n")]}


def _word(path: str, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> str:
    if path not in old:
        return "added"
    return "removed" if path not in new else "changed"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(_shown(item) for item in value) or "none"
    if isinstance(value, dict):
        since, until = value.get("from") or "…", value.get("to") or "…"
        seen = "" if value.get("verified") else ", not verified"
        return f"{value.get('status')} {since} to {until}{seen}"
    return str(value)
