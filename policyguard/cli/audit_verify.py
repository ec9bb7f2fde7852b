"""`policyguard audit verify`: a trail, or what somebody was handed of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from policyguard.cli.command_line import UNANSWERED
from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output
from policyguard.cli.trail_option import PlaceType, trail_of, trail_option

if TYPE_CHECKING:
    from policyguard.audit.outside.attested import Attested, Vouchers
    from policyguard.audit.verify import Verified
    from policyguard.cli.audit_view import Proved
    from policyguard.tlog import Checkpoint

_RECORD: Final = "????????-????-7???-????-????????????.json"
"""The file of a record that was proved: its id, a UUID of version 7."""


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--trust",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The public keys, witnesses and quorum that you trust, whatever the settings"
    " name; PATH needs it.",
)
@click.option(
    "--timestamp-roots",
    "roots",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The certificates of time-stamping authorities that you trust, in PEM.",
)
@click.option(
    "--people",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file of people whom you trust: its erasers may order erasures, and nobody"
    " else; without it as the settings say.",
)
@click.option(
    "--minimum",
    metavar="INDEX",
    type=click.IntRange(min=0),
    default=0,
    help="Tiles in PATH may lack records below this: they were pruned.",
)
@click.option(
    "--lock",
    "lock",
    metavar="DIR",
    type=PlaceType(),
    help="The directory or URL of the lock database; without it where settings put it, or"
    " beside the trail.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@trail_option
@click.pass_context
def verify(
    context: click.Context,
    *,
    path: Path | None,
    lock: str | Path | None,
    trust: Path | None,
    roots: Path | None,
    people: Path | None,
    minimum: int,
    as_json: bool,
    directory: str | Path | None,
) -> None:
    """Verify every record, checkpoint and content of the trail.

    With PATH, verify what `audit export`, `audit query --proofs` or `audit prove` wrote
    there, from these files and the trusted keys alone.

    Exits with 0 if it is intact, with 1 if something was changed, which is named, and
    with 2 if it cannot be told: there is no trail, it may not be read or its server is
    away, content, callers or people are gone that nobody has ordered to erase, an order
    was not carried out, a power failure cut the log off and it was not opened since, a
    newer version of policyguard has made a part of the trail, or too few witnesses have
    cosigned for the quorum in the trust file.
    """
    from policyguard.cli.audit_view import print_proved, print_verified

    verified: Verified | list[Proved]
    with ProgressBar() as bar:
        if path is None:
            place = trail_of(directory)
            verified = verified_trail(
                place, lock=lock, trust=trust, roots=roots, people=people, bar=bar
            )
        else:
            verified = _handed_out(
                path, trust=_given(trust), roots=roots, minimum=minimum, bar=bar
            )
    if minimum and not as_json:
        output().print(f"records below {minimum} may be missing: they were pruned")
    if isinstance(verified, list):
        if as_json:
            click.echo(json.dumps(_proved_document(verified), indent=2))
        else:
            print_proved(output(), verified)
        return
    if as_json:
        document = verified_document(verified, exported=path is not None)
        click.echo(json.dumps(document, indent=2))
    else:
        print_verified(output(), verified, exported=path is not None)
    if not verified.is_complete:
        context.exit(UNANSWERED)


def verified_trail(
    place: str | Path,
    *,
    bar: ProgressBar,
    lock: str | Path | None = None,
    trust: Path | None = None,
    roots: Path | None = None,
    people: Path | None = None,
) -> Verified:
    """Verify a trail by what the settings say, and what else is given.

    Raises:
        ConfigurationError: the settings, or a file of what is trusted, cannot be used.
        TamperedError: something is not what was signed; names the place.
        TrailError: there is no trail, or it cannot be read.
    """
    from policyguard.audit.creation import read_trust
    from policyguard.audit.reader import source_of
    from policyguard.audit.verify import verify_trail
    from policyguard.cli.erasing import known_erasers
    from policyguard.cli.outside_settings import vouchers_given, vouchers_of
    from policyguard.cli.trail_reading import lock_of, passphrase_set
    from policyguard.settings import load_settings

    vouchers: Vouchers | None = None
    if trust is not None:
        vouchers = vouchers_given(read_trust(trust), roots=roots)
    elif roots is not None or load_settings().outside.is_set:
        source = source_of(place)
        source.require_present()
        vouchers = vouchers_of(source.trust(), roots=roots)
    return verify_trail(
        place,
        lock=lock or lock_of(place),
        passphrase=passphrase_set(),
        vouchers=vouchers,
        erasers=known_erasers(load_settings(), people=people),
        progress=bar.advance,
    )


def _handed_out(
    path: Path, *, trust: Path, roots: Path | None, minimum: int, bar: ProgressBar
) -> Verified | list[Proved]:
    """Verify what somebody was handed: proofs of records, or exported logs."""
    from policyguard.audit.creation import read_trust
    from policyguard.audit.query_proofs import PROOF, verify_proofs
    from policyguard.cli.audit_view import Proved

    trusted = read_trust(trust)
    if any(path.glob(f"*{PROOF}")) or any(path.glob(_RECORD)):
        found = verify_proofs(path, trust=trusted, progress=bar.advance)
        return [
            Proved(origin=origin, records=count, size=newest.size, root=newest.root)
            for origin, (newest, count) in sorted(found.items())
        ]
    from policyguard.cli.outside_settings import vouchers_given

    vouchers = vouchers_given(trusted, roots=roots)
    return _exported(path, vouchers=vouchers, minimum=minimum, bar=bar)


def _exported(
    folder: Path, *, vouchers: Vouchers, minimum: int, bar: ProgressBar
) -> Verified:
    """Verify every exported log in a folder."""
    from policyguard.audit.export.chain import predecessor_in
    from policyguard.audit.log_chain import require_continued
    from policyguard.audit.verify import Verified
    from policyguard.errors import TamperedError

    keys = [log.key for log in vouchers.trust.logs]
    exports = _exports_in(folder)
    looked = [
        _verified_export(path, vouchers=vouchers, minimum=minimum, bar=bar)
        for path in exports
    ]
    found = [item for item, _ in looked]
    missing = {key.key_name for key in keys} - {item.origin for item in found}
    if missing:
        raise TamperedError(
            f"the log {min(missing)} is trusted and is not in the export"
        )
    require_continued(
        {item.origin: (item.size, item.root) for item in found},
        {
            item.origin: predecessor_in(place)
            for item, place in zip(found, exports, strict=True)
        },
    )
    return Verified(
        outside=tuple((item.origin, attested) for item, attested in looked),
        logs=tuple((item.origin, item.size, item.root) for item in found),
        checkpoints=len(found),
        erased=0,
        missing=0,
        nameless=0,
        unfinished=0,
        memory=False,
        pending=0,
    )


def _exports_in(folder: Path) -> list[Path]:
    """Return the folders of exported logs: a checkpoint is written last."""
    from policyguard.audit.export.jsonl import CHECKPOINT, RECORDS
    from policyguard.errors import ConfigurationError, TamperedError, TrailError

    if (folder / CHECKPOINT).is_file():
        raise ConfigurationError(
            f"`{folder}` is one exported log: give the directory that it is in, which"
            " has all logs of the trail"
        )
    exports = sorted(path.parent for path in folder.glob(f"*/{CHECKPOINT}"))
    records = {
        path.parent for part in (RECORDS, "tile") for path in folder.glob(f"*/{part}")
    }
    if not exports and records:
        raise TrailError(
            f"the checkpoint is missing from `{min(records)}`: the export was not"
            " finished, or somebody has changed it: export once more"
        )
    if not exports:
        raise ConfigurationError(
            f"there is no exported log and no proof in `{folder}`: give the directory"
            " that `policyguard audit export` or `audit query --proofs` wrote"
        )
    for path in exports:
        if path not in records:
            raise TamperedError(
                f"the records are missing from `{path}`: it has neither `{RECORDS}` nor"
                " tiles"
            )
    return exports


def _verified_export(
    place: Path, *, vouchers: Vouchers, minimum: int, bar: ProgressBar
) -> tuple[Checkpoint, Attested]:
    """Verify one exported log, and what others have said about it."""
    from policyguard.audit.export.jsonl import RECORDS, verify_jsonl
    from policyguard.audit.export.tiles import verify_tiles
    from policyguard.audit.layout import read_small
    from policyguard.audit.outside.watched import (
        ExportedLog,
        settled,
        verified_attestations,
    )

    keys = [log.key for log in vouchers.trust.logs]

    def look() -> tuple[Checkpoint, Attested]:
        found = (
            verify_jsonl(place, vkeys=keys, progress=bar.advance)
            if (place / RECORDS).exists()
            else verify_tiles(place, vkeys=keys, minimum=minimum, progress=bar.advance)
        )
        log = ExportedLog(
            directory=place,
            origin=found.origin,
            vkeys=[key for key in keys if key.key_name == found.origin],
        )
        return found, verified_attestations(log, new=found, vouchers=vouchers)

    return settled(look, note=lambda: read_small(place / "checkpoint"))


def _given(trust: Path | None) -> Path:
    if trust is None:
        raise click.UsageError(
            "give the file of trusted keys with --trust: not the one that came with the"
            " export, which proves nothing"
        )
    return trust


def _proved_document(proved: list[Proved]) -> dict[str, object]:
    return {
        "intact": True,
        "proofs": [
            {
                "origin": item.origin,
                "records": item.records,
                "size": item.size,
                "root": item.root.hex(),
            }
            for item in proved
        ],
    }


def verified_document(
    verified: Verified, *, exported: bool = False
) -> dict[str, object]:
    """Return a verification as JSON has it; of an export, null for what is not in it."""
    from policyguard.cli.outside_view import attested_document

    contents = {
        "erased": verified.erased,
        "missing": verified.missing,
        "nameless": verified.nameless,
        "unfinished": verified.unfinished,
        "pending": verified.pending,
        "orders": dict(verified.orders),
        "orders_compared": verified.orders_compared,
    }
    return {
        "intact": True,
        "complete": verified.is_complete,
        "logs": [
            {"origin": origin, "size": size, "root": root.hex()}
            for origin, size, root in verified.logs
        ],
        "checkpoints": verified.checkpoints,
        **(dict.fromkeys(contents) if exported else contents),
        "lock_database": verified.memory,
        "outside": {
            origin: attested_document(attested) for origin, attested in verified.outside
        },
    }
