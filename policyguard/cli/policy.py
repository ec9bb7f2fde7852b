"""`policyguard policy`: the rules as people read them, one by one or all in a table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.instants import instant_of
from policyguard.cli.override import override
from policyguard.cli.policy_compare import compare
from policyguard.cli.policy_impact import impact
from policyguard.cli.policy_lint import lint
from policyguard.cli.policy_matrix import matrix
from policyguard.cli.policy_prove import prove
from policyguard.cli.policy_report import report
from policyguard.cli.policy_table import table
from policyguard.cli.policy_test import mutate, test
from policyguard.cli.policy_whatif import whatif
from policyguard.errors import ConfigurationError

if TYPE_CHECKING:
    from policyguard.bundle.rulebook import RuleInfo, RuleWindow
    from policyguard.bundle.source import Bundle

_MOST_ALIKE: Final = 3


def _instant(_: click.Context, __: click.Parameter, value: str | None) -> datetime:
    return datetime.now(UTC) if value is None else instant_of(value)


_at_option: Final = click.option(
    "--at",
    metavar="INSTANT",
    callback=_instant,
    help="The day or instant whose statuses are shown, in UTC; without it now.",
)
_json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print it as JSON."
)
_config_option: Final = click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml, which names the bundle; without it the one that"
    " POLICYGUARD_CONFIG names, or else the shipped bundle.",
)


@click.group(
    commands=(
        override,
        test,
        mutate,
        lint,
        impact,
        prove,
        compare,
        matrix,
        whatif,
        table,
        report,
    ),
    short_help="Read, lint, test, prove, compare and soften rules.",
)
def policy() -> None:
    """Read the rules of the policy bundle, test them, and soften one for a time."""


@policy.command("list")
@click.option("--regime", metavar="NAME", help="Only the rules of one regime.")
@_at_option
@_json_option
@_config_option
def list_(
    *, regime: str | None, at: datetime, as_json: bool, config: str | None
) -> None:
    """List every rule by its regime, with its status on one day.

    A regime is a family of rules on one body of law. `policy explain RULE` shows all of
    one rule.
    """
    bundle = _bundle(config)
    rules = [rule for rule in bundle.rules.values() if regime in {None, rule.regime}]
    if not rules:
        known = ", ".join(sorted({rule.regime for rule in bundle.rules.values()}))
        raise ConfigurationError(f"there is no regime `{regime}`: known are {known}")
    if as_json:
        document = [_summary(rule, at=at) for rule in rules]
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from policyguard.cli.policy_view import print_rules
    from policyguard.cli.terminal import output

    print_rules(output(), rules, revision=bundle.revision, at=at)


@policy.command(short_help="Explain one rule: what it says and since when.")
@click.argument("rule", metavar="RULE")
@_at_option
@_json_option
@_config_option
def explain(*, rule: str, at: datetime, as_json: bool, config: str | None) -> None:
    """Explain one rule: what it says, since when, by which facts, and what helps.

    RULE is an id, as EAR-01.
    """
    from policyguard.bundle.additions import overrides_of
    from policyguard.bundle.reading import read_rule

    bundle = _bundle(config)
    info = _rule(bundle, rule)
    reading = read_rule(bundle.modules[info.file], others=bundle.modules.values())
    overrides = overrides_of(bundle.data, info.id)
    if as_json:
        document = _summary(info, at=at) | {
            "description": info.description,
            "as_of": info.as_of.isoformat(),
            "windows": [_window(window) for window in info.windows],
            "effects": list(reading.effects),
            "obligations": list(reading.obligations),
            "facts": list(reading.facts),
            "exceptions": list(info.exceptions),
            "remedies": list(reading.remedies),
            "overrides": [_override(item) for item in overrides],
            "file": info.file,
            "bundle": {"revision": bundle.revision, "digest": bundle.digest},
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from policyguard.cli.policy_view import print_rule
    from policyguard.cli.terminal import output

    print_rule(
        output(),
        info,
        reading,
        overrides=[_override(item) for item in overrides],
        revision=bundle.revision,
        at=at,
    )


def _bundle(config: str | None) -> Bundle:
    from policyguard.assembly import bundle_of
    from policyguard.settings import load_settings

    return bundle_of(load_settings(config))


def _rule(bundle: Bundle, name: str) -> RuleInfo:
    found = bundle.rules.get(name.upper())
    if found is not None:
        return found
    alike = get_close_matches(name.upper(), bundle.rule_ids, n=_MOST_ALIKE, cutoff=0.5)
    meant = (
        f"did you mean {', '.join(f'`{item}`' for item in alike)}? " if alike else ""
    )
    raise ConfigurationError(
        f"there is no rule `{name}`: {meant}`policyguard policy list` shows all"
    )


def _summary(rule: RuleInfo, *, at: datetime) -> dict[str, Any]:
    window = rule.window_at(int(at.timestamp()))
    return {
        "id": rule.id,
        "regime": rule.regime,
        "title": rule.title,
        "citation": rule.citation,
        "severity": rule.severity,
        "locked": rule.locked,
        "status": window.status if window else None,
        "verified": window.verified if window else None,
    }


def _window(window: RuleWindow) -> dict[str, Any]:
    return {
        "from": _text(window.since),
        "to": _text(window.until),
        "status": window.status,
        "verified": window.verified,
    }


def _override(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": item["id"],
        "to": item["to"],
        "from": _text(item["from"]),
        "until": _text(item["to_instant"]),
        "author": item["author"],
        "reason": item["reason"],
    }


def _text(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
