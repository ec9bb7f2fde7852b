"""`policyguard bundle`: build, sign, verify, inspect and compare policy bundles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from policyguard.cli.terminal import output, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policyguard.signing.jws import JwsKey

F = TypeVar("F", bound=Callable[..., Any])

_PATH: Final = click.Path(path_type=Path)
DIFFERENT: Final = 1


@click.group(short_help="Build, sign, verify, inspect and compare policy bundles.")
def bundle() -> None:
    """Build, sign, verify, inspect and compare policy bundles, as OPA reads them."""


def _signing_options(*, required: bool) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in (
            click.option(
                "--scope", default="", help="What the bundle may be used for."
            ),
            click.option(
                "--key-id", metavar="ID", help="The key's name; without it the file's."
            ),
            click.option(
                "--algorithm",
                metavar="ALG",
                help="EdDSA, or ES, RS, PS, HS with 256, 384 or 512.  [default: EdDSA]",
            ),
            click.option(
                "--key",
                metavar="FILE",
                type=_PATH,
                required=required,
                help="PEM of the key; of HS… the secret.",
            ),
        ):
            command = option(command)
        return command

    return add


@bundle.command(short_help="Build an archive, and sign it if told how.")
@click.argument("source", metavar="[DIR]", type=_PATH, required=False)
@click.option(
    "--output", "-o", "target", metavar="FILE", type=_PATH, required=True,
    help="Where the archive goes.",
)  # fmt: skip
@click.option(
    "--catalog", is_flag=True, help="Build the catalog, with overlays, as OPA's data."
)
@click.option(
    "--in-force",
    is_flag=True,
    help="Build what decides by the settings: their bundle, with rules and overrides.",
)
@click.option(
    "--config",
    metavar="FILE",
    help="The policyguard.toml that --catalog and --in-force use.",
)
@_signing_options(required=False)
def build(
    source: Path | None,
    target: Path,
    *,
    catalog: bool,
    in_force: bool,
    config: str | None,
    key: Path | None,
    algorithm: str | None,
    key_id: str | None,
    scope: str,
) -> None:
    """Build an archive from DIR, or from the shipped bundle, and sign it if told how.

    The same files always give the same archive. Tests are left out; a module is added
    by which an OPA server names the bundle that answers. With --in-force an OPA server
    answers by a tenant's own rules and signed overrides, too.
    """
    from policyguard.bundle.opening import built_files, open_files
    from policyguard.bundle.shipped import shipped_directory

    if sum((catalog, in_force, source is not None)) > 1:
        raise click.UsageError("DIR, --catalog and --in-force are three: give one")
    if catalog:
        files = _catalog_files(config)
    elif in_force:
        files = built_files(_files_in_force(config), name="the bundle in force")
    else:
        root = source or shipped_directory()
        files = built_files(open_files(root), name=str(root))
    if key is None and (algorithm or key_id or scope):
        raise click.UsageError("there is no key to sign with: give --key")
    signer = (
        None
        if key is None
        else _key(key, algorithm=algorithm, key_id=key_id, private=True)
    )
    _write(target, files, signer=signer, scope=scope)


@bundle.command(short_help="Sign an archive, as `opa sign` does.")
@click.argument("archive", type=_PATH)
@click.option(
    "--output", "-o", "target", metavar="FILE", type=_PATH,
    help="Where the signed archive goes; without it into ARCHIVE itself.",
)  # fmt: skip
@_signing_options(required=True)
def sign(
    archive: Path,
    target: Path | None,
    *,
    key: Path,
    algorithm: str | None,
    key_id: str | None,
    scope: str,
) -> None:
    """Sign ARCHIVE, as `opa sign` does; a signature that it has is replaced."""
    from policyguard.bundle.opening import open_files

    signer = _key(key, algorithm=algorithm, key_id=key_id, private=True)
    _write(target or archive, open_files(archive), signer=signer, scope=scope)


@bundle.command()
@click.argument("archive", type=_PATH)
@_signing_options(required=True)
def verify(
    archive: Path,
    *,
    key: Path,
    algorithm: str | None,
    key_id: str | None,
    scope: str,
) -> None:
    """Verify that ARCHIVE is signed by a key, file by file.

    Exits with 0 if it is, and with 2 and a line that names the file and the reason if
    it is not. Without --key-id the key in FILE is tried whatever its name is.
    """
    from policyguard.bundle.opening import open_files
    from policyguard.bundle.signature import signer_of, verify_files

    files = open_files(archive)
    said = signer_of(files)
    known = _key(
        key,
        algorithm=algorithm,
        key_id=key_id or (said.key if said and said.key else None),
        private=False,
    )
    signed = verify_files(files, keys=[known], scope=scope, name=f"`{archive}`")
    console = output()
    console.print("SIGNED", style="bold green", end="")
    console.print(
        f": each of {len(files) - 1} files is what {printable(signed.key)} signed"
        f" ({signed.algorithm})",
        soft_wrap=True,
    )


@bundle.command(short_help="Say what is in a bundle.")
@click.argument("source", metavar="[BUNDLE]", type=_PATH, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inspect(source: Path | None, *, as_json: bool) -> None:
    """Say what is in BUNDLE, a directory or an archive, or in the shipped one.

    A signature is named and not verified; `verify` does that.
    """
    from policyguard.bundle.opening import open_files
    from policyguard.bundle.shipped import shipped_directory
    from policyguard.cli.bundle_view import contents, print_contents

    root = source or shipped_directory()
    found = contents(open_files(root), name=str(root))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    print_contents(output(), found)


@bundle.command(short_help="Say what one bundle changes in another.")
@click.argument("old", type=_PATH)
@click.argument("new", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def diff(context: click.Context, old: Path, new: Path, *, as_json: bool) -> None:
    """Say what NEW changes in OLD: rules, their windows and texts, files.

    Exits with 0 if nothing differs, and with 1 if something does.
    """
    from policyguard.bundle.opening import open_bundle
    from policyguard.cli.bundle_view import differences, print_differences

    found = differences(open_bundle(old), open_bundle(new))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        print_differences(output(), found)
    context.exit(DIFFERENT if found["files"] else 0)


def _catalog_files(config: str | None) -> Mapping[str, bytes]:
    from policyguard.assembly import catalog_of
    from policyguard.bundle.served import catalog_files
    from policyguard.settings import load_settings

    found = catalog_of(load_settings(config))
    return catalog_files(
        version=found.version, digest=found.digest, document=found.document_json
    )


def _files_in_force(config: str | None) -> Mapping[str, bytes]:
    from policyguard.assembly import bundle_of
    from policyguard.settings import load_settings

    return bundle_of(load_settings(config)).files


def _key(
    file: Path, *, algorithm: str | None, key_id: str | None, private: bool
) -> JwsKey:
    from policyguard.signing.jws import JwsKey
    from policyguard.signing.key_file import read_key_file, read_public_file

    chosen = algorithm or "EdDSA"
    secret = private or chosen.startswith("HS")
    return JwsKey(
        id=key_id or file.stem,
        algorithm=chosen,
        material=read_key_file(file) if secret else read_public_file(file),
    )


def _write(
    target: Path, files: Mapping[str, bytes], *, signer: JwsKey | None, scope: str
) -> None:
    from policyguard.bundle.archive import pack
    from policyguard.bundle.files import SIGNATURES
    from policyguard.bundle.signature import sign_files
    from policyguard.canonical import digest

    whole = dict(files)
    if signer is not None:
        whole[SIGNATURES] = sign_files(files, key=signer, scope=scope)
    data = pack(whole)
    draft = target.with_name(f".{target.name}.tmp")
    draft.write_bytes(data)
    draft.replace(target)
    by = f", signed by {signer.id} ({signer.algorithm})" if signer else ""
    click.echo(f"{target}: {len(whole)} files, {len(data):,} bytes{printable(by)}")
    click.echo(f"sha256:{digest(data)}")
