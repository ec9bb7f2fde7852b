"""`policyguard keys`: make, show and rotate signing keys; answer a compromise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from policyguard.cli.passphrase_option import (
    keys_given,
    own_key,
    own_passphrase_option,
    passphrase_of,
    passphrase_option,
)
from policyguard.cli.trail_option import log_option, trail_of, trail_option

_NEW_KEY: Final = "policyguard"
"""A key file has no name in it; a name is given where the key is used."""


@click.group(short_help="Make, show and rotate signing keys.")
def keys() -> None:
    """Make, show and rotate signing keys, and answer a compromise."""


@keys.command(short_help="Make a new key, and print its public side.")
@click.argument("file", type=click.Path(path_type=Path))
@own_passphrase_option
def generate(file: Path, *, secret_file: Path | None, ask: bool) -> None:
    """Make a new Ed25519 key in FILE, and print its public side as PEM.

    FILE is PKCS#8 PEM that only its owner may read. A file that exists is never
    overwritten.
    """
    from policyguard.signing.ed25519 import Ed25519Signer, format_public_pem

    passphrase = passphrase_of(secret_file, ask=ask, new=True)
    signer = Ed25519Signer.generate(key_name=_NEW_KEY)
    signer.save(file, passphrase=passphrase() if passphrase else None)
    click.echo(format_public_pem(signer.public_key), nl=False)


@keys.command(short_help="Print the public keys of a trail's logs.")
@click.option(
    "--pem", is_flag=True, help="Print one key as SPKI PEM, as OpenSSL reads it."
)
@click.option(
    "--trust",
    "as_trust",
    is_flag=True,
    help="Print them as a trust file, which `audit verify` reads.",
)
@log_option
@trail_option
def show(
    *, pem: bool, as_trust: bool, origin: str | None, directory: str | Path | None
) -> None:
    """Print the public keys of a trail's logs, one verifier key a line.

    A log whose key was rotated has several: the newest is the last. With --pem, print
    the newest key of the log that was written last, or of --log. With --trust, print
    what an auditor gives `audit verify --trust`, with the witnesses and the quorum.
    """
    if pem and as_trust:
        raise click.UsageError("give --pem or --trust")
    from policyguard.cli.trail_reading import chosen_log, opened
    from policyguard.signing.ed25519 import format_public_pem
    from policyguard.signing.trust_file import TrustedLog

    reader = opened(trail_of(directory))
    if pem:
        log = chosen_log(reader, origin)
        click.echo(format_public_pem(log.vkey.public_key), nl=False)
        return
    logs = [reader.log(origin)] if origin else reader.logs
    if as_trust:
        keys = tuple(TrustedLog(key=vkey) for log in logs for vkey in log.vkeys)
        click.echo(replace(reader.trust, logs=keys).format(), nl=False)
        return
    for log in logs:
        for vkey in log.vkeys:
            click.echo(vkey.format())


@keys.command(short_help="Hand logs over to new keys.")
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
@passphrase_option
@log_option
@trail_option
def rotate(
    *,
    as_json: bool,
    secret_file: Path | None,
    ask: bool,
    origin: str | None,
    directory: str | Path | None,
) -> None:
    """Hand a log over to a new key, or each log that no process writes now.

    The handover is a record under the old key; the old private key is gone afterwards,
    and the old public key stays trusted for what it has signed. A running application
    hands its own log over with `Trail.rotate_key()`. Give the new public keys that are
    printed to whoever verifies the trail.
    """
    from policyguard.audit.rotation import rotate_logs
    from policyguard.audit.stores.fleet import place_of
    from policyguard.cli.trail_reading import lock_of, opened

    place = trail_of(directory)
    reader = opened(place)
    chosen = [reader.log(origin)] if origin else list(reader.logs)
    done = rotate_logs(
        place_of(place, lock_of(place)),
        origins=[log.origin for log in chosen],
        keys=keys_given(secret_file, ask=ask),
        all_of_them=origin is not None,
    )
    for name, vkey in done.items():
        if as_json:
            new = vkey.format() if vkey else None
            click.echo(json.dumps({"origin": name, "new": new}))
        elif vkey is None:
            click.echo(f"{name}: left as it is: a process writes it, or it is closed")
        else:
            click.echo(f"{name}: new key\n  {vkey.format()}")


@keys.command(short_help="Close a log whose key was stolen, and begin its successor.")
@click.option(
    "--reason",
    required=True,
    metavar="TEXT",
    help="What happened, in a sentence: it is public, and stays.",
)
@click.option("--log", "origin", required=True, metavar="ORIGIN", help="The log.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@passphrase_option
@trail_option
def compromise(
    *,
    reason: str,
    origin: str,
    as_json: bool,
    secret_file: Path | None,
    ask: bool,
    directory: str | Path | None,
) -> None:
    """Close a log whose key may be in other hands, and begin the log that continues it.

    The new log's first record, under a new key, names the old one: its size, its root
    and the reason. Whatever the old key signs beyond that counts no more. The trail is
    verified first, and the old private key is removed. Stop the process that writes
    the log before.
    """
    from policyguard.audit.succession import begin_successor
    from policyguard.cli.outside_settings import vouchers_of
    from policyguard.cli.trail_reading import lock_of, opened

    place = trail_of(directory)
    successor = begin_successor(
        place,
        origin=origin,
        reason=reason,
        lock=lock_of(place),
        keys=keys_given(secret_file, ask=ask),
        vouchers=vouchers_of(opened(place).trust),
    )
    old, vkey = successor.predecessor, successor.vkey
    if as_json:
        document = {
            "origin": vkey.key_name,
            "vkey": vkey.format(),
            "predecessor": old.model_dump(mode="json"),
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"closed     {old.origin} at {old.size} records, root {old.root}")
    click.echo(f"successor  {vkey.key_name}")
    click.echo(f"  {vkey.format()}")
    click.echo("hand the new key to whoever verifies the trail; they keep the old one")


@keys.command(short_help="Print the public side of a key under a name.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("name")
@own_passphrase_option
def vkey(file: Path, name: str, *, secret_file: Path | None, ask: bool) -> None:
    """Print the public side of the private key in FILE under a NAME, as one line.

    It is what a file of people has after a role: `approver <vkey>`. NAME is the person's,
    as bob@acme.example.
    """
    from policyguard.signing.keyring import VerifierKey

    signer = own_key(file, name=name, secret_file=secret_file, ask=ask)
    click.echo(VerifierKey.of_signer(signer).format())
