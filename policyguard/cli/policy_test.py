"""`policyguard policy test` and `policy mutate`: what rules do, and who would notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.evidence import Evidence, record_evidence, record_option

if TYPE_CHECKING:
    from policyguard.testing.coverage import Coverage
    from policyguard.testing.mutate import MutationReport, State
    from policyguard.testing.rego_tests import RegoResult, RegoRunner
    from policyguard.vocabulary.decision import BundleRef

_FAILED: Final = 1
_directory: Final = click.argument(
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIRECTORY",
)
_json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print it as JSON."
)


@click.command(
    short_help="Run the `*_test.rego` of a directory, without an OPA binary."
)
@_directory
@click.option("--run", "pattern", metavar="TEXT", help="Only tests whose name has it.")
@click.option("--coverage", is_flag=True, help="Show the lines that no test reaches.")
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit 1 if fewer of the lines are reached.",
)
@_json_option
@click.pass_context
def test(
    ctx: click.Context,
    *,
    directory: Path,
    pattern: str | None,
    coverage: bool,
    min_coverage: float | None,
    as_json: bool,
) -> None:
    """Run the tests beside the rules in DIRECTORY, and say why one fails.

    A failure shows the statement that does not hold, both its sides, the rules that
    fired with the facts that decided, and their input. Exit code 0 if all hold, 1 if
    one does not or coverage is too low, 2 if the policy does not load.
    """
    from policyguard.cli.progress import ProgressBar
    from policyguard.testing.coverage import coverage_of
    from policyguard.testing.rego_tests import RegoRunner
    from policyguard.testing.sources import read_policy

    measuring = coverage or min_coverage is not None
    runner = RegoRunner(read_policy(directory), coverage=measuring)
    tests = [item for item in runner.tests() if (pattern or "") in item.short]
    results = []
    with ProgressBar() as bar:
        for index, item in enumerate(tests, start=1):
            results.append(runner.run(item))
            bar.advance("tests", index, len(tests))
    found = (
        coverage_of(runner.base, runner.tree, modules=runner.policy.modules)
        if measuring
        else None
    )
    failed = any(result.state in {"failed", "error"} for result in results)
    low = found is not None and found.lines * 100 < (min_coverage or 0)
    if as_json:
        document = {
            "tests": [_result(result, runner) for result in results],
            "coverage": None if found is None else _coverage(found),
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _print_results(results, runner, found, least=min_coverage)
    ctx.exit(_FAILED if failed or low or not results else 0)


@click.command(short_help="Put small faults into rules, and see which tests notice.")
@_directory
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="PATH",
    help="A module to mutate, below DIRECTORY; may be repeated. Default: all with tests.",
)
@click.option(
    "--operator",
    "operators",
    multiple=True,
    metavar="NAME",
    help="A kind of fault, as `relation changed`; may be repeated. Default: all.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit 1 if fewer of the real faults are noticed.",
)
@click.option(
    "--inputs",
    type=click.IntRange(0),
    default=600,
    show_default=True,
    metavar="N",
    help="On how many inputs a survivor is compared with its rule.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="In how many processes, a module in each.",
)
@click.option(
    "--suite",
    "suite_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the few cases that notice all faults instead, as `*_test.rego`.",
)
@click.option(
    "--strength",
    type=click.IntRange(2, 3),
    default=None,
    metavar="N",
    help="With --suite: also cases in which each combination of the values that tests"
    " give to 2 facts, or 3, is.",
)
@_json_option
@record_option
@click.pass_context
def mutate(
    ctx: click.Context,
    *,
    directory: Path,
    files: tuple[str, ...],
    operators: tuple[str, ...],
    min_score: float | None,
    inputs: int,
    jobs: int,
    suite_file: Path | None,
    strength: int | None,
    as_json: bool,
    recording: bool,
) -> None:
    """Make mutants of the rules in DIRECTORY, and run the tests that reach each.

    A mutant that no test notices is shown with an input on which it finds something
    else. One that finds the same on every input that is at hand does not count, which
    is evidence that it is no fault, not proof. Exit code 1 if the score is too low.
    `--record` needs a bundle: a directory with a manifest.

    `--suite` writes the few cases, of the inputs that tests give and variations of them,
    that together notice each fault which any of them shows, and tries them as written.
    They say what the rule answers today: read them before they are kept.
    """
    if suite_file is not None:
        from policyguard.cli.suite_view import write_suite

        if operators or min_score is not None or recording or jobs > 1:
            raise click.UsageError(
                "--suite takes every kind of fault, in one process: give no --operator,"
                " --min-score, --jobs or --record"
            )
        write_suite(
            directory, suite_file, files=files, inputs=inputs, strength=strength or 0,
            as_json=as_json,
        )  # fmt: skip
        return
    if strength is not None:
        raise click.UsageError("--strength is about the cases of --suite")
    from policyguard.cli.progress import ProgressBar
    from policyguard.testing.mutate import mutate as try_mutants
    from policyguard.testing.sources import read_policy

    bundle = _bundle(directory) if recording else None
    with ProgressBar() as bar:
        report = try_mutants(
            read_policy(directory),
            files=files,
            operators=operators,
            compared_on=inputs,
            jobs=jobs,
            progress=bar.advance,
        )
    if as_json:
        click.echo(json.dumps(_report(report), indent=2, ensure_ascii=False))
    else:
        _print_report(report)
    if bundle is not None:
        from policyguard.settings import load_settings

        record_evidence(_evidence(report, bundle), settings=load_settings(), place=None)
    low = min_score is not None and report.score * 100 < min_score
    ctx.exit(_FAILED if low or not report.results else 0)


def _bundle(directory: Path) -> BundleRef:
    from policyguard.bundle.source import load_directory
    from policyguard.vocabulary.decision import BundleRef

    bundle = load_directory(directory)
    return BundleRef(revision=bundle.revision, digest=bundle.digest)


def _evidence(report: MutationReport, bundle: BundleRef) -> Evidence:
    kinds: tuple[State, ...] = ("killed", "survived", "equivalent", "stillborn")
    return Evidence(
        examined="mutation",
        # Equivalence is seen on some inputs, never on all.
        tier="sampled",
        counts={kind: report.count(kind) for kind in kinds},
        document=_report(report),
        bundle=bundle,
    )


def _print_results(
    results: list[RegoResult],
    runner: RegoRunner,
    coverage: Coverage | None,
    *,
    least: float | None,
) -> None:
    from policyguard.cli.terminal import output
    from policyguard.testing.failures import explain_failure

    console = output()
    for result in results:
        if result.state == "failed":
            console.print(f"FAILED {result.test.short}", style="bold red")
            console.print(explain_failure(runner, result.test).text(), soft_wrap=True)
        elif result.state == "error":
            console.print(f"ERROR {result.test.short}", style="bold red")
            console.print(f"  {result.message}", soft_wrap=True)
    states = ("passed", "failed", "error", "skipped")
    counts = {name: sum(item.state == name for item in results) for name in states}
    shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    seconds = sum(result.seconds for result in results)
    console.print(f"{shown or 'no tests'} in {seconds:.1f} s")
    if coverage is None:
        return
    for file in coverage.files:
        if file.missed:
            lines = ", ".join(map(str, file.missed))
            console.print(f"{file.file}: no test reaches {lines}", soft_wrap=True)
    console.print(
        f"{coverage.lines:.1%} of the lines are reached, and {coverage.whole_rules:.1%}"
        f" of {coverage.rules} rules in every line"
    )
    if least is not None and coverage.lines * 100 < least:
        console.print(f"{least:g} % are demanded", style="bold red")


def _print_report(report: MutationReport) -> None:
    from policyguard.cli.terminal import output, plain_table

    console = output()
    console.print(report.text(), soft_wrap=True)
    if not report.results:
        console.print("no module has a test: nothing was mutated")
        return
    table = plain_table()
    table.add_column("fault")
    table.add_column("noticed", justify="right")
    table.add_column("of", justify="right")
    for name, (killed, real) in report.by_operator().items():
        table.add_row(name, str(killed), str(real))
    console.print(table)
    if report.untested:
        console.print(f"without a test: {', '.join(report.untested)}", soft_wrap=True)


def _result(result: RegoResult, runner: RegoRunner) -> dict[str, Any]:
    from policyguard.testing.failures import explain_failure

    why = result.message or None
    if result.state == "failed":
        why = explain_failure(runner, result.test).text()
    return {
        "name": result.test.short,
        "file": result.test.file,
        "line": result.test.line,
        "state": result.state,
        "why": why,
    }


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "lines": round(coverage.lines, 4),
        "rules": round(coverage.whole_rules, 4),
        "missed": {
            file.file: list(file.missed) for file in coverage.files if file.missed
        },
        "missed_rules": list(coverage.missed_rules),
    }


def _report(report: MutationReport) -> dict[str, Any]:
    return {
        "score": round(report.score, 4),
        "killed": report.count("killed"),
        "killed_elsewhere": report.elsewhere,
        "survived": report.count("survived"),
        "equivalent": report.count("equivalent"),
        "stillborn": report.count("stillborn"),
        "compared_on": report.inputs,
        "operators": {
            name: {"killed": killed, "of": real}
            for name, (killed, real) in report.by_operator().items()
        },
        "survivors": [
            {
                "file": item.mutant.file,
                "line": item.mutant.line,
                "operator": item.mutant.operator,
                "before": item.mutant.before,
                "after": item.mutant.after,
                "input": None if item.witness is None else item.witness.input,
                "data": {} if item.witness is None else dict(item.witness.data),
                "rule": None if item.witness is None else item.witness.rule,
                "mutant": None if item.witness is None else item.witness.mutant,
            }
            for item in report.survivors
        ],
        "untested": list(report.untested),
    }
