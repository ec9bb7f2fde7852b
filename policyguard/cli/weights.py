"""`policyguard weights`: measure weights where they lie, and hold them to a manifest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from policyguard.cli.command_line import UNANSWERED
from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output, plain_table, printable

if TYPE_CHECKING:
    from policyguard.catalog.schema import WeightsSignature
    from policyguard.catalog.weights.evidence import Demand
    from policyguard.catalog.weights.measure import Measured
    from policyguard.catalog.weights.signature import Signer

FAILED: Final = 1
_STYLE: Final = {"holds": "green", "fails": "bold red", "unknown": "yellow"}
_PATH: Final = click.Path(path_type=Path)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(short_help="Measure weights, and hold them to a manifest.")
def weights() -> None:
    """Measure weights where they lie, and hold them to a manifest of the catalog.

    Files are read as bytes: nothing is loaded, and nothing in them is run.
    """


@weights.command(short_help="Show what lies in a directory of weights.")
@click.argument("path", type=_PATH)
@_JSON
@click.pass_context
def inspect(context: click.Context, path: Path, *, as_json: bool) -> None:
    """Show files, digests and format of the weights at PATH, and what could run.

    Exits with 1 when loading them would run code: pickles, programs, `auto_map`.
    """
    measured = _measured(path)
    if as_json:
        click.echo(json.dumps(_document(measured), indent=2))
    else:
        _show(measured)
    context.exit(FAILED if measured.dangers else 0)


@weights.command(short_help="Hold weights to a manifest, and make evidence of it.")
@click.argument("path", type=_PATH)
@click.option(
    "--weights",
    "name",
    required=True,
    metavar="ID",
    help="The manifest of the catalog.",
)
@click.option("--revision", metavar="COMMIT", help="What the loader was told, in full.")
@click.option(
    "--signature", "bundle", type=_PATH, help="An OpenSSF Model Signing file."
)
@click.option("--public-key", type=_PATH, help="Its signer's public key, as PEM.")
@click.option(
    "--certificate",
    "certificates",
    type=_PATH,
    multiple=True,
    help="A certificate of its signer's chain, as PEM; repeatable.",
)
@click.option("--identity", help="Its signer's Sigstore identity.")
@click.option("--issuer", help="Who vouches for that identity.")
@click.option("--bom", type=_PATH, help="A CycloneDX BOM that states the lineage.")
@click.option(
    "--out", type=_PATH, help="Write an overlay with the evidence to this file."
)
@click.option("--config", metavar="FILE", help="A policyguard.toml with your catalog.")
@_JSON
@click.pass_context
def verify(
    context: click.Context,
    path: Path,
    *,
    name: str,
    revision: str | None,
    bundle: Path | None,
    public_key: Path | None,
    certificates: tuple[Path, ...],
    identity: str | None,
    issuer: str | None,
    bom: Path | None,
    out: Path | None,
    config: str | None,
    as_json: bool,
) -> None:
    """Verify that the weights at PATH are those of a manifest of the catalog.

    Exits with 0 when every demand holds that can be decided, with 1 when one fails, and
    with 2 when nothing could be compared. With --out, an overlay is written whose
    evidence calls refer to by its digest (`context.weights_evidence`); nothing is
    written where a demand fails.
    """
    from policyguard.assembly import catalog_of
    from policyguard.catalog.weights.evidence import evidence_of, held_to
    from policyguard.catalog.weights.signature import Signer
    from policyguard.errors import ConfigurationError
    from policyguard.settings import load_settings

    if out is not None and out.exists():
        raise ConfigurationError(f"`{out}` exists: choose another name, or remove it")
    manifest = catalog_of(load_settings(config)).weights(name)
    signer = Signer(
        public_key=public_key,
        certificates=certificates,
        identity=identity,
        issuer=issuer,
    )
    measured = _measured(path)
    pinned = revision or measured.revision
    signature, broken = _signature(path, bundle=bundle, signer=signer)
    demands = held_to(measured, manifest=manifest, revision=pinned, signature=signature)
    if broken is not None:
        demands = (*demands[:-1], broken)
    failed = any(item.state == "fails" for item in demands)
    key, evidence = evidence_of(
        measured,
        weights=name,
        revision=pinned,
        signature=signature,
        lineage=_digest_of_file(bom),
        source=f"policyguard weights verify, measured at {path.resolve().name}",
        as_of=datetime.now(UTC).date(),
    )
    if out is not None and not failed:
        out.write_text(_overlay(key, evidence.model_dump(mode="json")), "utf-8")
    if as_json:
        document = {
            "evidence": key,
            **evidence.model_dump(mode="json", exclude={"replaces"}),
            "demands": [
                {"demand": item.name, "state": item.state, "why": item.why}
                for item in demands
            ],
        }
        click.echo(json.dumps(document, indent=2))
    else:
        _show_demands(demands)
        if not failed:
            where = f", written to {out}" if out else ""
            click.echo(f"evidence {key}{where}")
    compared = any(item.state == "holds" for item in demands[1:])
    context.exit(FAILED if failed else 0 if compared else UNANSWERED)


def _measured(path: Path) -> Measured:
    from policyguard.catalog.weights.measure import measure

    with ProgressBar() as bar:
        return measure(path, progress=bar.advance)


def _signature(
    path: Path, *, bundle: Path | None, signer: Signer
) -> tuple[WeightsSignature | None, Demand | None]:
    """Return the verified signature, or why it does not hold."""
    from policyguard.catalog.weights.evidence import Demand
    from policyguard.catalog.weights.signature import verify_weights_signature
    from policyguard.errors import InvalidSignatureError

    if bundle is None:
        return None, None
    try:
        return verify_weights_signature(path, bundle=bundle, signer=signer), None
    except InvalidSignatureError as error:
        name = "somebody who is named signed them"
        return None, Demand(name=name, state="fails", why=str(error))


def _digest_of_file(path: Path | None) -> str | None:
    from policyguard.canonical import digest

    return None if path is None else digest(path.read_bytes())


def _overlay(key: str, document: dict[str, object]) -> str:
    import yaml

    said = {name: value for name, value in document.items() if value is not None}
    said.pop("replaces", None)
    return yaml.safe_dump(
        {"evidence": {key: said}}, sort_keys=False, allow_unicode=True
    )


def _document(measured: Measured) -> dict[str, object]:
    return {
        "digest": measured.digest,
        "format": measured.format,
        "revision": measured.revision,
        "parameters": measured.parameters,
        "files": [file.model_dump(mode="json") for file in measured.files],
        "dangers": [
            {"path": item.path, "kind": item.kind, "why": item.why}
            for item in measured.dangers
        ],
    }


def _show(measured: Measured) -> None:
    table = plain_table()
    table.add_column("file")
    table.add_column("sha256", no_wrap=True)
    for file in measured.files:
        table.add_row(printable(file.path), f"{file.sha256[:16]}…")
    console = output()
    console.print(table)
    console.print()
    console.print(f"digest      {measured.digest}")
    console.print(f"format      {measured.format or 'none that is known'}")
    console.print(f"parameters  {measured.parameters:,}")
    console.print(f"revision    {measured.revision or 'not named by the place'}")
    for item in measured.dangers:
        console.print(
            printable(f"{item.kind}: {item.path}: {item.why}"), style="bold red"
        )
    if not measured.dangers:
        console.print("nothing in these files runs when they are loaded")


def _show_demands(demands: tuple[Demand, ...]) -> None:
    from rich.text import Text

    table = plain_table()
    table.add_column("demand")
    table.add_column("state")
    table.add_column("why")
    for item in demands:
        table.add_row(
            item.name, Text(item.state, style=_STYLE[item.state]), printable(item.why)
        )
    output().print(table)
