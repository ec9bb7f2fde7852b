"""How an erasure looks: what went, what stayed, until when, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from policyguard.cli.audit_view import counted, short_id
from policyguard.cli.terminal import plain_table, printable

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.audit.erasure_plan import Kept, Plan


def print_plan(
    console: Console,
    plan: Plan,
    *,
    orders: Sequence[str],
    done: bool,
    not_reached: str | None = None,
) -> None:
    """Print what was erased, or would be, what was not, and what nobody has reached."""
    if plan.empty:
        console.print("nothing to erase")
    else:
        word = "ERASED" if done else "WOULD ERASE"
        parts = [
            counted(plan.count, "record", "records"),
            counted(len(plan.callers), "caller", "callers"),
            counted(len(plan.people), "person", "people"),
            counted(len(plan.approvals), "approval", "approvals"),
        ]
        said = ", ".join(part for part in parts if not part.startswith("0 "))
        console.print(Text.assemble((word, "bold green"), f": {said}"))
        if done and not_reached is None:
            _remark(
                console, "content, salts and keys are in no file of the trail any more"
            )
        elif done:
            _remark(console, "content, salts and keys are in no table any more")
            _remark(console, f"not reached: {not_reached}")
        if orders:
            _remark(console, f"the order is recorded at {', '.join(orders)}")
    if plan.gone:
        said = counted(plan.gone, "record", "records")
        _remark(console, f"erased before: {said}")
    if plan.kept:
        _print_kept(console, plan)
    if plan.unknown:
        console.print()
        named = ", ".join(printable(item) for item in plan.unknown)
        console.print(
            Text.assemble(("NOT KNOWN", "bold yellow"), f": {named}"), soft_wrap=True
        )


def _print_kept(console: Console, plan: Plan) -> None:
    console.print()
    said = counted(len(plan.kept), "record", "records")
    console.print(Text.assemble(("KEPT", "bold yellow"), f": {said}"))
    if plan.held_names:
        names = counted(len(plan.held_names), "name stays", "names stay")
        _remark(console, f"{names}, because such a record is theirs")
    console.print()
    table = plain_table()
    for name in ("entry", "record", "until", "because"):
        table.add_column(name, no_wrap=name != "because", overflow="fold")
    for item in plan.kept:
        why = "\n".join(reason.why for reason in item.reasons)
        table.add_row(
            Text(item.place, "dim"), short_id(item.record), _until(item), Text(why)
        )
    console.print(table)


def _until(item: Kept) -> str:
    return "lifted" if item.until is None else item.until.isoformat()


def _remark(console: Console, text: str) -> None:
    console.print(Text(f"  {text}", "dim"), soft_wrap=True)


def document(
    plan: Plan,
    *,
    orders: Sequence[str],
    done: bool,
    not_reached: str | None = None,
) -> dict[str, Any]:
    """Return the report as JSON has it."""
    return {
        "done": done,
        "orders": list(orders),
        "records": {slot: list(ids) for slot, ids in plan.records.items()},
        "callers": list(plan.callers),
        "people": list(plan.people),
        "approvals": list(plan.approvals),
        "erased_before": plan.gone,
        "kept": [
            {
                "record": item.record,
                "entry": item.place,
                "until": item.until.isoformat() if item.until else None,
                "reasons": [
                    {
                        "why": reason.why,
                        "until": reason.until.isoformat() if reason.until else None,
                    }
                    for reason in item.reasons
                ],
            }
            for item in plan.kept
        ],
        "names_kept": list(plan.held_names),
        "unknown": list(plan.unknown),
        "not_reached": not_reached,
    }
