"""`policyguard policy override`: sign a dated softening of one rule into a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from policyguard.cli.approve import end_of
from policyguard.cli.passphrase_option import own_key, own_passphrase_option
from policyguard.errors import ConfigurationError


@click.command(short_help="Sign a dated softening of one rule.")
@click.argument("rule", metavar="RULE")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["require_approval", "advise"]),
    required=True,
    help="What stronger findings of the rule become.",
)
@click.option("--by", metavar="NAME", required=True, help="Your key's name.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    required=True,
    help="Your private key, as `policyguard keys generate` makes it.",
)
@click.option("--reason", required=True, help="Why; it is part of what is signed.")
@click.option(
    "--until",
    metavar="INSTANT",
    required=True,
    help="When it ends: 30d, 2026-12-01 or 2026-12-01T12:00:00Z; at most 366 days away.",
)
@click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml; without it the one that POLICYGUARD_CONFIG names.",
)
@own_passphrase_option
def override(
    *,
    rule: str,
    file: Path,
    to: str,
    by: str,
    key: Path,
    reason: str,
    until: str,
    config: str | None,
    secret_file: Path | None,
    ask: bool,
) -> None:
    """Sign an override of RULE, and write it to FILE.

    It holds when a settings file names FILE in `overrides` under [authority]. The rule
    is still evaluated; what it finds is recorded with the override's id. A locked rule
    cannot be softened.
    """
    from policyguard.assembly import bundle_of
    from policyguard.assembly_authority import overriding_of
    from policyguard.identity import new_id
    from policyguard.settings import load_settings
    from policyguard.vocabulary.override import Override

    settings = load_settings(config)
    signer = own_key(key, name=by, secret_file=secret_file, ask=ask)
    now = datetime.now(UTC).replace(microsecond=0)
    signed = overriding_of(settings, bundle=bundle_of(settings)).sign(
        Override.model_validate(
            {
                "id": new_id(),
                "rule": rule.upper(),
                "tenant": settings.tenant.id,
                "to": to,
                "since": now,
                "until": end_of(until).replace(microsecond=0),
                "author": by,
                "reason": reason,
            }
        ),
        signer=signer,
        now=now,
    )
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(signed)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write `{file}`: {(error.strerror or 'error').lower()}: choose"
            " another path"
        ) from error
    click.echo(f'written: add overrides = ["{file.name}"] under [authority]')
