"""Keeps a call that broke a property: as a test beside the rules, and as one of pytest.

The test beside the rules puts before them what they see of the call, so that `opa test`
and `policyguard policy test` run it without a catalog. It says what should be: it fails
until the rules are repaired. What speaks of decisions, and not of findings alone, needs
the catalog, and is kept for pytest alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from policyguard.canonical import Json
from policyguard.errors import ConfigurationError
from policyguard.testing.breaches import Breach
from policyguard.testing.rule_table import OBJECTS
from policyguard.testing.trial import Trial
from policyguard.testing.viewed import seen_by, views_of

_SETS: Final = ", ".join(json.dumps(effect) for effect in sorted(OBJECTS))


def to_opa_test(breach: Breach, trial: Trial, *, name: str) -> str | None:
    """Return a module of tests that fails while the call breaks the property.

    Args:
        breach: The call, and the change that shows it.
        trial: The policy that was asked.
        name: What the test is called, without `test_`.

    Returns:
        Nothing where no such test can show it: where the property speaks of decisions,
        or the call cannot be looked at at all.
    """
    rules = [rule for rule in breach.rules if rule in trial.analyst.rules]
    if breach.after is None or not rules:
        return None
    before, after = views_of(trial, [breach.call, breach.after])
    if before is None or after is None:
        return None
    path = trial.analyst.set_of(trial.analyst.rules[rules[0]])
    asked = sorted(set(rules) | set(_of_set(trial, path)))
    views = {"after": seen_by(trial, asked, after)}
    if not breach.property.breaks_only_objections:
        views["before"] = seen_by(trial, asked, before)
    package = ".".join(path[:-1])
    lines = [
        f"package {package}_test",
        "",
        f"# {breach.property.says}.",
        f"# When {breach.fact} = {_inline(breach.value)}: {breach.said}.",
        f"test_{name} if {{",
        *_body(breach, ".".join(path)),
        "}",
    ]
    for which, view in sorted(views.items()):
        lines += ["", f"_{name}_{which} := {_sets(view)}"]
    return "\n".join(lines).replace("VIEW_", f"_{name}_") + "\n"


def to_pytest(breach: Breach, trial: Trial, *, name: str, rules: str | None) -> str:
    """Return a module of pytest that fails while the call breaks the property.

    Args:
        breach: The call that breaks it.
        trial: The policy that was asked.
        name: What the test is called, without `test_`.
        rules: The directory of the rules, from where the module will lie; nothing if
            the policy is the one that settings name.
    """
    facts = [] if breach.fact is None else [breach.fact]
    chosen = list(trial.chosen)
    config = "" if trial.config is None else f", config={str(trial.config)!r}"
    named = f", rules={chosen!r}" if chosen else ""
    where = "None" if rules is None else f"Path(__file__).parent / {rules!r}"
    return (
        f'"""{breach.property.says[0].upper()}{breach.property.says[1:]}."""\n\n'
        "import json\nfrom pathlib import Path\n\n"
        "from policyguard.testing.breaches import breach_of\n"
        "from policyguard.testing.properties import property_named\n"
        "from policyguard.testing.trial import Trial\n\n"
        f"RULES = {where}\n"
        f'CALL = json.loads(r"""\n{json.dumps(breach.call, indent=1)}\n""")\n\n\n'
        f"def test_{name}() -> None:\n"
        f"    prop = property_named({breach.property.name!r}, facts={facts!r})\n"
        f"    breach = breach_of(prop, Trial.of(RULES{config}{named}), CALL)\n\n"
        "    assert breach is None, breach.text()\n"
    )


def save_breach(breach: Breach, trial: Trial, directory: Path) -> list[Path]:
    """Write a call that broke a property as tests, in place of what was found before.

    Args:
        breach: The call.
        trial: The policy that was asked.
        directory: Where the tests go: best the one with the rules.

    Returns:
        The files: a test beside the rules, where that can show it, and one of pytest.

    Raises:
        ConfigurationError: they cannot be written.
    """
    name = f"found_{breach.property.name}"
    rules = None
    if trial.directory is not None:
        rules = os.path.relpath(trial.directory.resolve(), directory.resolve())
    texts = {
        directory / f"{name}_test.rego": to_opa_test(breach, trial, name=name),
        directory / f"test_{name}.py": to_pytest(breach, trial, name=name, rules=rules),
    }
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            if text is not None:
                path.write_text(text, "utf-8")
                written.append(path)
    except OSError as error:
        raise ConfigurationError(
            f"`{directory}` cannot be written to: {error.strerror}"
        ) from error
    return written


def _body(breach: Breach, findings: str) -> list[str]:
    if breach.property.breaks_only_objections:
        return [
            f"\tsome finding in data.{findings} with input as VIEW_after",
            f"\tfinding.effect in {{{_SETS}}}",
        ]
    return [
        f"\tbefore := {{[f.id, f.effect] | some f in data.{findings}}} with input as VIEW_before",
        f"\tafter := {{[f.id, f.effect] | some f in data.{findings}}} with input as VIEW_after",
        "\tbefore == after",
    ]


def _of_set(trial: Trial, path: tuple[str, ...]) -> list[str]:
    """Return the rules on trial that contribute to a set: the test looks at all."""
    return [
        rule
        for rule in trial.rules
        if trial.analyst.set_of(trial.analyst.rules[rule]) == path
    ]


def _sets(view: Json) -> str:
    """Return a view as Rego: its groups of countries are sets, which JSON has not."""
    text = json.dumps(view, indent="\t", ensure_ascii=False)
    if not isinstance(view, dict) or "groups" not in view:
        return text
    groups = json.dumps(view["groups"], ensure_ascii=False)
    as_sets = (
        f"{{name: {{c | some c in countries}} | some name, countries in {groups}}}"
    )
    rest = {key: item for key, item in view.items() if key != "groups"}
    whole = json.dumps(rest, indent="\t", ensure_ascii=False)
    return f'object.union({whole}, {{"groups": {as_sets}}})'


def _inline(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
