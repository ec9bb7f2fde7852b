"""`policyguard audit anchor` and `monitor`: let others remember, and remember oneself."""

from __future__ import annotations

import json
import os
import re
import time
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from policyguard.cli.command_line import UNANSWERED, one_line
from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output
from policyguard.cli.trail_option import log_option, trail_of, trail_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policyguard.audit.outside.monitor import Monitor, Watch
    from policyguard.audit.outside.watched import Watched
    from policyguard.signing.keyring import VerifierKey

    _SpanType = click.ParamType[int]
else:
    # Generic for type checkers alone before click 8.5.
    _SpanType = click.ParamType

_TAMPERED: Final = 1
_SPAN: Final = re.compile(r"([1-9][0-9]{0,6})([smhd]?)", re.ASCII)
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Span(_SpanType):
    """Is a length of time as people write it: `90s`, `15m`, `1h`, `2d`."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return it in seconds."""
        match = _SPAN.fullmatch(str(value))
        if match is None:
            self.fail(f"`{value}` is not a time such as 90s, 15m, 1h or 2d", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


@click.command(
    short_help="Take the newest checkpoints to witnesses, an authority, sinks."
)
@_json_option
@log_option
@trail_option
@click.pass_context
def anchor(
    context: click.Context,
    *,
    as_json: bool,
    origin: str | None,
    directory: Path | None,
) -> None:
    """Take the newest checkpoint of each log to everybody that [outside] names.

    Cosignatures and time stamps are kept beside the log, go into proofs and exports,
    and are verified by `audit verify`. What fails is said, and tried again the next
    time. Run it every hour; no application waits for it.

    Exits with 0 if everybody has it, with 1 if somebody knows another history of a log,
    and with 2 if somebody could not be reached, or nobody is named.
    """
    from policyguard.audit.outside.anchor import take_log
    from policyguard.cli.outside_settings import outside_of
    from policyguard.cli.outside_view import print_taken, taken_document
    from policyguard.cli.trail_reading import opened
    from policyguard.errors import ConfigurationError
    from policyguard.identity import wall_clock

    reader = opened(trail_of(directory))
    outside = outside_of(reader.trust)
    if outside.is_nobody:
        raise ConfigurationError(
            "nobody is named to take checkpoints to: add witnesses, timestamp_url or"
            " sinks under [outside] in the settings"
        )
    logs = [reader.log(origin)] if origin else list(reader.logs)
    with ProgressBar() as bar:
        done = [
            take_log(log, outside=outside, now=wall_clock, progress=bar.advance)
            for log in logs
        ]
    if as_json:
        click.echo(json.dumps([taken_document(item) for item in done], indent=2))
    else:
        print_taken(output(), done)
    if any(item.tampered for item in done):
        context.exit(_TAMPERED)
    if not all(item.is_whole for item in done):
        context.exit(UNANSWERED)


@click.command(short_help="Keep the last checkpoints, and see that the next follow.")
@click.option(
    "--exported",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Look at what `audit export` wrote there, instead of a trail.",
)
@click.option(
    "--trust",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The public keys, witnesses and quorum that you trust, whatever the settings"
    " name; --exported needs it.",
)
@click.option(
    "--minimum",
    metavar="INDEX",
    type=click.IntRange(min=0),
    default=0,
    help="Tiles in --exported may lack records below this: they were pruned.",
)
@click.option(
    "--state",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the last checkpoints are kept: not beside the trail. Without it in the"
    " user's state directory.",
)
@click.option(
    "--max-age",
    metavar="TIME",
    type=Span(),
    help="Warn if records are there and the newest cosignature or time stamp is older;"
    " without it as the settings say, or 24h.",
)
@click.option(
    "--every", metavar="TIME", type=Span(), help="Look again and again, until stopped."
)
@_json_option
@trail_option
@click.pass_context
def monitor(
    context: click.Context,
    *,
    exported: Path | None,
    trust: Path | None,
    minimum: int,
    state: Path | None,
    max_age: int | None,
    every: int | None,
    as_json: bool,
    directory: Path | None,
) -> None:
    """Compare each log with the checkpoint that was seen last, and keep the new one.

    A log that is shorter, another one, or gone is found, also if every file of the
    trail was put back: the monitor's memory is its own. Run it as another user or on
    another machine, on the trail or on an export.

    Exits with 0 if all is well, with 1 if a log was tampered with, and with 2 if records
    have been without a witness or a time stamp for too long, or it cannot be told.
    With --every, it ends at the first tampering only.
    """
    from policyguard.errors import TamperedError, TrailError
    from policyguard.identity import wall_clock

    place = exported if exported is not None else trail_of(directory)
    while True:
        code = 0
        try:
            with ProgressBar() as bar:
                watcher, logs = _watcher(
                    place,
                    exported=exported,
                    trust=trust,
                    minimum=minimum,
                    state=state,
                    max_age=max_age,
                    bar=bar,
                )
                watches = watcher.look(logs, now=wall_clock())
            code = _say_watched(watches, state=watcher.state, as_json=as_json)
        except TamperedError as error:
            _say_tampered(str(error), as_json=as_json)
            context.exit(_TAMPERED)
        except TrailError as error:
            if every is None:
                raise
            click.echo(f"policyguard: {one_line(str(error))}", err=True)
        if every is None:
            context.exit(code)
        time.sleep(every)


def _watcher(
    place: str | Path,
    *,
    exported: Path | None,
    trust: Path | None,
    minimum: int,
    state: Path | None,
    max_age: int | None,
    bar: ProgressBar,
) -> tuple[Monitor, list[Watched]]:
    from policyguard.audit.creation import keys_by_origin, read_trust
    from policyguard.audit.outside.monitor import Monitor
    from policyguard.audit.outside.watched import LocalLog
    from policyguard.cli.outside_settings import vouchers_given, vouchers_of
    from policyguard.cli.trail_reading import opened
    from policyguard.settings import load_settings

    logs: list[Watched]
    if exported is not None:
        if trust is None:
            raise click.UsageError(
                "give the file of trusted keys with --trust: not the one that came with"
                " the export, which proves nothing"
            )
        given = read_trust(trust)
        vouchers = vouchers_given(given)
        logs = _exported(exported, keys=keys_by_origin(given), minimum=minimum, bar=bar)
    else:
        reader = opened(place)
        vouchers = (
            vouchers_given(read_trust(trust))
            if trust is not None
            else vouchers_of(reader.trust)
        )
        logs = [LocalLog(log=log, progress=bar.advance) for log in reader.logs]
    hours = load_settings().outside.max_age_hours
    watcher = Monitor(
        state=state or _default_state(place),
        vouchers=vouchers,
        patience=timedelta(seconds=max_age) if max_age else timedelta(hours=hours),
    )
    return watcher, logs


def _exported(
    folder: Path,
    *,
    keys: Mapping[str, Sequence[VerifierKey]],
    minimum: int,
    bar: ProgressBar,
) -> list[Watched]:
    """Return the logs of an export, and those that it should have.

    Raises:
        TrailError: there is a log of which no key is known, or none at all: passed over,
            it would look as if it were watched.
    """
    from policyguard.audit.outside.watched import ExportedLog
    from policyguard.errors import TrailError

    found = [
        (_stated_origin(path), path.parent)
        for path in sorted(folder.glob("*/checkpoint"))
    ]
    named = {origin for origin, _ in found}
    if unknown := named - keys.keys():
        raise TrailError(
            f"the export has the log `{min(unknown)}`, and the trust file has no key of"
            " it: add its line, as `policyguard keys show --trust` prints it"
        )
    missing = [
        (origin, folder / origin.rpartition("/")[2])
        for origin in sorted(keys.keys() - named)
    ]
    if not (found or missing):
        raise TrailError(
            f"there is nothing to watch: no log in `{folder}`, and no key in the trust"
            " file"
        )
    return [
        ExportedLog(
            directory=place,
            origin=origin,
            vkeys=keys[origin],
            minimum=minimum,
            progress=bar.advance,
        )
        for origin, place in found + missing
    ]


def _say_watched(watches: Sequence[Watch], *, state: Path, as_json: bool) -> int:
    from policyguard.cli.outside_view import (
        is_unanchored,
        print_watches,
        watch_document,
    )

    late = any(map(is_unanchored, watches))
    if as_json:
        document = {
            "intact": True,
            "complete": not late,
            "logs": [watch_document(item) for item in watches],
        }
        click.echo(json.dumps(document))
    else:
        print_watches(output(), watches, state=state)
    return UNANSWERED if late else 0


def _say_tampered(reason: str, *, as_json: bool) -> None:
    from policyguard.cli.audit_view import tampered

    if as_json:
        click.echo(json.dumps({"intact": False, "reason": one_line(reason)}))
    else:
        output().print(tampered(one_line(reason)), soft_wrap=True)


def _stated_origin(checkpoint: Path) -> str:
    from policyguard.audit.layout import read_small

    return read_small(checkpoint).partition(b"\n")[0].decode("utf-8", "replace")


def _default_state(place: str | Path) -> Path:
    """Return a state file of this user's for a place (XDG base directories)."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    named = place if isinstance(place, str) else str(place.absolute())
    name = sha256(named.encode()).hexdigest()[:16]
    return Path(base) / "policyguard" / "monitor" / f"{name}.json"
