"""`policyguard audit prepare`: make the tables of a trail that a fleet shares."""

from __future__ import annotations

import click


@click.command(short_help="Make the tables and roles of a trail in PostgreSQL.")
@click.argument("url", metavar="URL")
@click.option(
    "--lock",
    "lock",
    metavar="URL",
    help="The database that remembers how long each log was: on another server, so that"
    " no backup puts back both.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="First part of each log's origin, as acme.example/policyguard; without it a"
    " random one.",
)
def prepare(url: str, *, lock: str | None, name: str | None) -> None:
    """Make the tables and roles of a trail in the database at URL.

    Where an older version has made them, what they lack is added, and no record is
    touched. Tables that lack nothing are left alone, and a second trail is not made.

    Run it once, as the account that shall own the tables, and which may create roles.
    Applications log in with another account, which is granted `policyguard_writer`: it
    adds records, and changes and removes none. Auditors get `policyguard_reader`, and
    who takes checkpoints outside gets `policyguard_anchor`. `policyguard_eraser` alone
    removes anything: what is erasable.
    """
    from policyguard.audit.stores.postgres_schema import (
        ANCHOR,
        ERASER,
        READER,
        WRITER,
        has_tables,
        prepare_database,
    )
    from policyguard.audit.stores.postgres_server import server_of
    from policyguard.audit.stores.postgres_upgrade import bring_up

    server, memory = server_of(url), server_of(lock)
    if has_tables(server):
        made = bring_up(server, lock=memory, name=name)
        click.echo(f"brought up {server.where}")
    else:
        made = prepare_database(server, lock=memory, name=name)
        click.echo(f"prepared   {server.where}")
    if memory is not None:
        click.echo(f"lock       {memory.where}")
    click.echo(f"trail      {made}")
    click.echo("grant      to the accounts that log in, on each server:")
    click.echo(f"             GRANT {WRITER} TO …;   -- applications")
    click.echo(f"             GRANT {READER} TO …;   -- auditors")
    click.echo(f"             GRANT {ANCHOR} TO …;   -- who runs audit anchor")
    click.echo(f"             GRANT {ERASER} TO …;   -- who erases, with {WRITER}")
    click.echo("configure  url under [trail], and passphrase_file under [signing]")
