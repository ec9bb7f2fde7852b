"""`policyguard keys`: make a signing key; show the public keys of a trail."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from policyguard.cli.trail_option import log_option, trail_of, trail_option

_NEW_KEY: Final = "policyguard"
"""A key file has no name in it; a name is given where the key is used."""


@click.group(short_help="Make a signing key, or show public keys.")
def keys() -> None:
    """Make a signing key, or show the public keys of a trail."""


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
def generate(file: Path) -> None:
    """Make a new Ed25519 key in FILE, and print its public side as PEM.

    FILE is PKCS#8 PEM that only its owner may read. A file that exists is never
    overwritten.
    """
    from policyguard.signing.ed25519 import Ed25519Signer, format_public_pem

    signer = Ed25519Signer.generate(key_name=_NEW_KEY)
    signer.save(file)
    click.echo(format_public_pem(signer.public_key), nl=False)


@keys.command()
@click.option(
    "--pem", is_flag=True, help="Print one key as SPKI PEM, as OpenSSL reads it."
)
@log_option
@trail_option
def show(*, pem: bool, origin: str | None, directory: Path | None) -> None:
    """Print the public keys of a trail's logs, one verifier key a line.

    With --pem, print the key of one log: the one that `audit checkpoint` prints, too.
    """
    from policyguard.cli.trail_reading import chosen_log, opened
    from policyguard.signing.ed25519 import format_public_pem

    reader = opened(trail_of(directory))
    if pem:
        log = chosen_log(reader, origin)
        click.echo(format_public_pem(log.vkey.public_key), nl=False)
        return
    logs = [chosen_log(reader, origin)] if origin else reader.logs
    for log in logs:
        click.echo(log.vkey.format())
