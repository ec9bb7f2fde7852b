"""`policyguard doctor`: show that what is denied reaches no network."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.terminal import output, printable
from policyguard.errors import ConfigurationError

if TYPE_CHECKING:
    from policyguard.integrations.smoke import Trial

_FOUND: Final = 1


@click.command(short_help="Show that what is denied reaches no network.")
@click.argument("targets", metavar="MODULE[:ATTRIBUTE]...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the trials as JSON.")
@click.pass_context
def doctor(context: click.Context, targets: tuple[str, ...], *, as_json: bool) -> None:
    """Try the clients of an application with calls that have to be denied.

    MODULE:ATTRIBUTE is a client, several in a list or dict, or a function that returns
    them; MODULE alone stands for all clients among its names. The module is imported, and
    so its code runs. Nothing is sent: what stands behind the guard is taken away
    meanwhile. Each trial leaves a refused decision in the trail.

    Exits with 0 when every client denied every trial and nothing left, with 1 when one
    did not or has no guard, and with 2 when there is no client.
    """
    from policyguard.integrations.smoke import tried

    clients = [found for target in targets for found in _clients(target)]
    trials = [(name, tried(client)) for name, client in clients]
    if as_json:
        click.echo(json.dumps([_document(*item) for item in trials], indent=2))
    else:
        _show(trials)
    context.exit(0 if all(trial.holds for _, trial in trials) else _FOUND)


def _clients(target: str) -> Iterator[tuple[str, Any]]:
    """Yield the clients that a target stands for, with their names.

    Raises:
        ConfigurationError: it cannot be imported, or there is no client.
    """
    from policyguard.integrations.smoke import clients_in

    module, _, attribute = target.partition(":")
    found = dict(_named(target, _imported(module), attribute))
    clients = [
        (name, client) for name, item in found.items() for client in clients_in(item)
    ]
    if not clients:
        raise ConfigurationError(
            f"no client in `{target}`: name a client of httpx, httpx2, openai, anthropic"
            " or Bedrock's runtime, a model of LangChain's, or a function that returns one"
        )
    yield from clients


def _imported(name: str) -> Any:
    # As `python -m` does, which an installed program does not.
    sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ConfigurationError(
            f"cannot import `{name}`: {type(error).__name__}: {error}: run this where"
            " the application runs"
        ) from error
    finally:
        sys.path.remove("")


def _named(target: str, module: Any, attribute: str) -> Iterator[tuple[str, Any]]:
    from policyguard.integrations.smoke import clients_in

    if not attribute:
        names = [name for name in vars(module) if not name.startswith("__")]
        yield from ((f"{target}:{name}", getattr(module, name)) for name in names)
        return
    thing: Any = module
    for step in attribute.split("."):
        if not hasattr(thing, step):
            raise ConfigurationError(f"no `{step}` in `{target}`")
        thing = getattr(thing, step)
    if callable(thing) and not clients_in(thing):
        thing = _called(target, thing)
    if isinstance(thing, Mapping):
        yield from ((f"{target}[{key}]", item) for key, item in thing.items())
    elif isinstance(thing, (list, tuple)):
        yield from ((f"{target}[{key}]", item) for key, item in enumerate(thing))
    else:
        yield target, thing


def _called(target: str, function: Any) -> Any:
    try:
        return function()
    except Exception as error:
        raise ConfigurationError(
            f"`{target}` raises {type(error).__name__}: {error}: name a function that"
            " needs no arguments"
        ) from error


def _document(name: str, trial: Trial) -> dict[str, object]:
    decision = trial.decision
    return {
        "target": name,
        "client": trial.client,
        "protected": trial.protected,
        "routes": trial.routes,
        "refused": trial.refused,
        "sent": trial.sent,
        "connections": trial.connections,
        "decision": decision.id if decision else None,
        "fault": trial.fault or None,
        "holds": trial.holds,
    }


def _show(trials: list[tuple[str, Trial]]) -> None:
    from rich.text import Text

    for name, trial in trials:
        style = "green" if trial.holds else "bold red"
        word = "holds" if trial.holds else "does not hold"
        head = Text.assemble((word, style), f"  {printable(name)}  {trial.client}")
        output().print(head, soft_wrap=True)
        output().print(Text(f"  {_sentence(trial)}", "dim"), soft_wrap=True)


def _sentence(trial: Trial) -> str:
    if not trial.routes:
        return "it has no client that could be guarded; nothing was tried"
    if not trial.protected:
        before = "it" if trial.routes == 1 else f"all of its {trial.routes} transports"
        return (
            f"no guard before {before}: `guard.protect` it after it is built; nothing"
            " was tried"
        )
    counts = (
        f"{trial.refused} calls denied, {trial.sent} reached a transport,"
        f" {'uncounted' if trial.connections is None else trial.connections} connections"
    )
    if trial.fault:
        return f"{counts}; the call ended with {trial.fault}"
    if trial.decision is None:
        return counts
    if trial.decision.code:
        return (
            f"{counts}; no decision [{trial.decision.code}], record {trial.decision.id}"
        )
    rules = ", ".join(sorted({item.id for item in trial.decision.findings}))
    return (
        f"{counts}; {_transports(trial.routes)}; by {rules}, record {trial.decision.id}"
    )


def _transports(count: int) -> str:
    return f"{count} transport" if count == 1 else f"{count} transports"
