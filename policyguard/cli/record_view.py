"""How one record looks: what is signed, what the vault still knows, what belongs to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table
from rich.text import Text

from policyguard.audit.people import DataKeys
from policyguard.canonical import parse_json
from policyguard.cli.audit_view import heading, records_table
from policyguard.cli.terminal import VERDICT_STYLE, printable
from policyguard.errors import TamperedError
from policyguard.vocabulary.record import ApprovalRecord, DecisionRecord, EraseRecord

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.audit.outside.attested import Seen
    from policyguard.audit.reader import TrailReader
    from policyguard.cli.trail_reading import Found

_NOTHING: Final = "-"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def content_of(found: Found, *, reader: TrailReader) -> dict[str, Any] | None:
    """Return what the vault knows of a record, with the caller; `None`: nothing.

    Raises:
        TamperedError: it is not what was recorded.
        TrailError: the vault or the callers cannot be read.
    """
    if not isinstance(found.record, DecisionRecord | ApprovalRecord):
        return None
    sealed = found.log.content(found.record.id)
    if sealed is None:
        return None
    if sealed.commitment() != found.record.input:
        raise TamperedError(
            f"the content of {found.entry.name} in the vault was changed: it is not what"
            " was recorded: run `policyguard audit verify`"
        )
    document: Any = parse_json(sealed.body)
    pseudonym = found.record.caller
    caller = reader.caller(pseudonym) if pseudonym else None
    content = {"caller": caller, **document}
    if isinstance(found.record, DecisionRecord) and found.record.prompt is not None:
        content["prompt"] = _prompt_of(found, found.record, reader=reader)
    return content


def _prompt_of(
    found: Found, record: DecisionRecord, *, reader: TrailReader
) -> str | None:
    """Return what was sent; `None`: erased, or this process has no key to it."""
    sealed = found.log.source.prompt(record.id)
    keys = DataKeys.of(reader.source)
    if sealed is None or keys is None or record.prompt is None:
        return None
    opened = keys.open(sealed, leaf=found.entry.leaf, committed=record.prompt)
    return None if opened is None else opened.decode("utf-8", "backslashreplace")


def print_record(
    console: Console,
    found: Found,
    *,
    content: dict[str, Any] | None,
    seen: Seen,
    orders: Sequence[Found],
    related: Sequence[Found],
) -> None:
    """Print one record: what is signed, what is in the vault, what belongs to it.

    Args:
        console: Where to.
        found: The record.
        content: What the vault has of it; `None`: nothing.
        seen: When others saw the log without it, and with it.
        orders: The records of the orders to erase it.
        related: The other records of the same call.
    """
    console.print(Text(f"{found.record.kind} {found.record.id}", "bold"))
    console.print(Text(found.entry.name, "dim"))
    heading(console, "In the log (signed, without personal data)")
    _print(console, _signed(found.record.model_dump(mode="json")))
    if seen.absent or seen.present:
        heading(console, "In the log by the clocks of others")
        times = {
            name: Text(f"{said} at {time:%Y-%m-%dT%H:%M:%SZ}" if time else "never seen")
            for name, said, time in (
                ("not yet", "others saw the log without it", seen.absent),
                ("there", "others saw the log with it", seen.present),
            )
        }
        _print(console, times)
    if isinstance(found.record, DecisionRecord | ApprovalRecord):
        heading(console, "In the vault (erasable, bound to the log by a commitment)")
        if content is None:
            console.print(Text(_gone(orders), "yellow"))
        else:
            _print(console, _kept(content))
    if related:
        heading(console, "Of the same call")
        console.print(records_table(related, width=console.width))


def _gone(orders: Sequence[Found]) -> str:
    """Say why the vault has nothing: by an order, or nobody knows why."""
    if not orders:
        return "gone, and nobody has ordered that: this record is not replayable"
    named = (
        f"{item.record.id} of {item.record.time[:10]}, {item.record.reason}"
        for item in orders
        if isinstance(item.record, EraseRecord)
    )
    return f"erased: this record is not replayable\nby order {', '.join(named)}"


def _print(console: Console, fields: Mapping[str, Text]) -> None:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in fields.items():
        table.add_row(name, text)
    console.print(table)


def _signed(record: Mapping[str, Any]) -> dict[str, Text]:
    """Return a leaf's fields."""
    fields = {name: Text(_plain(value)) for name, value in record.items()}
    for name, value in record.items():
        if isinstance(value, dict):
            fields[name] = Text(_reference(value))
        elif name == "rules":
            fields[name] = Text("\n".join(map(_rule, value)) or _plain(value))
        elif name == "verdict":
            fields[name].stylize(VERDICT_STYLE[value])
    return fields


def _reference(value: Mapping[str, Any]) -> str:
    """Return a reference on one line, and its digest on one that it fills."""
    known = {name: item for name, item in value.items() if item not in (None, [])}
    digests = [
        item
        for item in known.values()
        if isinstance(item, str) and _DIGEST.fullmatch(item)
    ]
    others = [
        item if isinstance(item, str) else f"{name} {_plain(item)}"
        for name, item in known.items()
        if item not in digests
    ]
    return "\n".join([" · ".join(others), *digests])


def _rule(rule: Mapping[str, Any]) -> str:
    parts = [rule["id"], rule["effect"], rule["status"].replace("_", " ")]
    if not rule["verified"]:
        parts.append("date not verified by a person")
    parts += [
        f"{item['by']} {item['id']} of {item['effect']}" for item in rule["softened"]
    ]
    if rule["missing"]:
        parts.append(f"missing {', '.join(rule['missing'])}")
    return " · ".join(parts)


def _rejected(item: Mapping[str, Any]) -> str:
    why = ", ".join(item["rules"]) or item["code"] or ""
    return _plain(f"{item['deployment']} · {item['verdict']} {why}".rstrip())


def _found(item: Mapping[str, Any]) -> str:
    if not item["complete"]:
        return "not searched: too large, or not readable"
    counts = ", ".join(f"{one['kind']} {one['count']}x" for one in item["kinds"])
    extra = ", ".join(item["undeclared"])
    return _plain(
        (counts or "nothing") + (f" · not declared: {extra}" if extra else "")
    )


def _kept(content: Mapping[str, Any]) -> dict[str, Text]:
    """Return what the vault knows: who asked, what was found, and the whole question."""
    fields = {"caller": Text(_plain(content.get("caller")))}
    if content.get("detail"):
        fields["detail"] = Text(_plain(content["detail"]))
    if "statement" in content:
        return {
            **fields,
            "statement": Text(
                "\n".join(map(printable, content["statement"].splitlines()))
            ),
        }
    findings = [_finding(item) for item in content.get("findings") or []]
    fields["findings"] = Text("\n\n").join(findings) if findings else Text(_NOTHING)
    if content.get("requests"):
        fields["requests"] = Text(_plain(", ".join(map(str, content["requests"]))))
    if content.get("found"):
        fields["found"] = Text(_found(content["found"]))
    if content.get("offered"):
        fields["offered"] = Text(_plain(", ".join(map(str, content["offered"]))))
    if content.get("rejected"):
        fields["rejected"] = Text("\n".join(map(_rejected, content["rejected"])))
    if "prompt" in content:
        kept = content["prompt"]
        fields["prompt"] = Text(
            _plain(kept) if kept else "sealed", "" if kept else "dim"
        )
    question = content.get("input")
    for name, value in question.items() if isinstance(question, dict) else ():
        lines = [
            f"{path} = {_plain(item)}" if path else _plain(item)
            for path, item in _leaves(value)
        ]
        fields[f"input.{name}"] = Text("\n".join(lines) or _NOTHING)
    return fields


def _finding(finding: Mapping[str, Any]) -> Text:
    """Return a finding as people read it: what was found, and by which facts."""
    lines = [_plain(finding["msg"])]
    lines += [
        f"{name} = {'unknown' if fact is None else _plain(fact)}"
        for name, fact in finding["facts"].items()
    ]
    if finding["missing"]:
        lines.append(f"missing: {', '.join(finding['missing'])}")
    effect = finding["effect"]
    return Text.assemble(
        (finding["id"], "bold"),
        " · ",
        (effect, VERDICT_STYLE.get(effect, "")),
        f" · {_plain(finding['citation'] or finding['title'])}\n",
        "\n".join(lines),
    )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Walk to each value that is known; a list of plain values is one."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    elif value is not None:
        yield path, value


def _plain(value: Any) -> str:
    """Return a value as people write it: nothing known is a dash, no items are none."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        known = ["unknown" if item is None else _plain(item) for item in value]
        return ", ".join(known) or "none"
    return json.dumps(value, ensure_ascii=False)
