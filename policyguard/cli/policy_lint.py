"""`policyguard policy lint`: what would make rules silent, with place and remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from policyguard.engines.lint.policy import LintReport

_FOUND: Final = 1


@click.command(short_help="Find what would make rules silent, or engines differ.")
@click.argument(
    "paths",
    nargs=-1,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH…",
)
@click.option(
    "--rules", "show_rules", is_flag=True, help="List the lint rules, and why they are."
)
@click.option(
    "--exemptions",
    "show_exemptions",
    is_flag=True,
    help="List what is exempt, and why.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def lint(
    ctx: click.Context,
    *,
    paths: tuple[Path, ...],
    show_rules: bool,
    show_exemptions: bool,
    as_json: bool,
) -> None:
    """Lint the modules, tests, METADATA and data in each PATH.

    A PATH is a directory of Rego, read as a bundle is, or a `*.rego` file. A comment
    `# policyguard ignore:RULE -- the reason` exempts its line, or the next one if it
    stands alone; one that exempts nothing is found, too. Exit code 0 if nothing is
    found, 1 if something is, 2 if a PATH cannot be read.
    """
    if show_rules:
        _print_rules(as_json=as_json)
        return
    if not paths:
        raise click.UsageError("give a PATH, or --rules")
    from policyguard.testing.linting import lint_paths

    report = lint_paths(paths)
    if as_json:
        click.echo(json.dumps(_report(report), indent=2, ensure_ascii=False))
    else:
        _print_report(report, show_exemptions=show_exemptions)
    ctx.exit(_FOUND if report.findings else 0)


def _print_rules(*, as_json: bool) -> None:
    from policyguard.engines.lint.catalogue import LINT_RULES

    rules = LINT_RULES.values()
    if as_json:
        document = [
            {
                "rule": rule.name,
                "stage": rule.stage,
                "exemptable": rule.exemptable,
                "why": rule.why,
                "remedy": rule.remedy,
            }
            for rule in rules
        ]
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from policyguard.cli.terminal import output, plain_table

    table = plain_table()
    for title in ("rule", "refused", "exempt", "why"):
        table.add_column(title)
    for rule in rules:
        table.add_row(
            rule.name,
            "at load" if rule.stage == "load" else "in CI",
            "by comment" if rule.exemptable else "never",
            rule.why,
        )
    output().print(table)


def _print_report(report: LintReport, *, show_exemptions: bool) -> None:
    from policyguard.cli.terminal import output, printable

    console = output()
    for finding in report.findings:
        console.print(printable(finding.text()), soft_wrap=True)
    if show_exemptions:
        for item in report.exemptions:
            console.print(
                printable(f"{item.file}:{item.covers}: {item.rule}: {item.reason}"),
                style="dim",
                soft_wrap=True,
            )
    found, exempt = len(report.findings), len(report.exemptions)
    console.print(
        f"{found} found in {report.modules} modules, {exempt} lines exempt",
        style="bold red" if found else "bold green",
    )


def _report(report: LintReport) -> dict[str, Any]:
    return {
        "findings": [
            {
                "file": item.file,
                "line": item.line or None,
                "rule": item.rule,
                "message": item.message,
                "remedy": item.remedy,
            }
            for item in report.findings
        ],
        "exemptions": [
            {
                "file": item.file,
                "line": item.covers,
                "rule": item.rule,
                "reason": item.reason,
            }
            for item in report.exemptions
        ],
        "modules": report.modules,
    }
