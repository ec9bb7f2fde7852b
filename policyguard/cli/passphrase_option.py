"""How a command is given a passphrase: by a file or at a prompt, never as an argument."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from policyguard.signing.ed25519 import Ed25519Signer
    from policyguard.signing.key_source import KeySource
    from policyguard.signing.passphrase import Passphrase

F = TypeVar("F", bound=Callable[..., Any])


def passphrase_option(command: F) -> F:
    """Add `--passphrase-file FILE` and `--ask-passphrase`, for the keys of a trail."""
    return _passphrase_options(
        command,
        "Key files are encrypted with the first line of FILE; without it as the"
        " settings or POLICYGUARD_PASSPHRASE_FILE say.",
    )


def own_passphrase_option(command: F) -> F:
    """Add the same two options, for the key file of one person."""
    return _passphrase_options(
        command,
        "The key is encrypted with the first line of FILE; without it and"
        " --ask-passphrase it is not, whatever the settings of a trail say.",
    )


def _passphrase_options(command: F, meaning: str) -> F:
    with_file = click.option(
        "--passphrase-file",
        "secret_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help=meaning,
    )
    with_prompt = click.option(
        "--ask-passphrase", "ask", is_flag=True, help="Ask for the passphrase here."
    )
    return with_file(with_prompt(command))


def passphrase_of(
    secret_file: Path | None, *, ask: bool, new: bool
) -> Passphrase | None:
    """Return where the passphrase comes from; `None`: nobody said.

    Args:
        secret_file: The file that was given.
        ask: Whether a person is asked, once.
        new: Whether it is a new one, which is typed twice.
    """
    from policyguard.signing.passphrase import passphrase_file

    if ask:
        typed = click.prompt(
            "Passphrase", hide_input=True, confirmation_prompt=new, err=True
        )
        return lambda: str(typed).encode()
    return passphrase_file(secret_file) if secret_file is not None else None


def own_key(
    path: Path, *, name: str, secret_file: Path | None, ask: bool
) -> Ed25519Signer:
    """Return the signer of a person's key file, which may be encrypted.

    Raises:
        ConfigurationError: the file cannot be used, or the passphrase does not fit.
    """
    from policyguard.signing.ed25519 import Ed25519Signer

    passphrase = passphrase_of(secret_file, ask=ask, new=False)
    return Ed25519Signer.load(
        path, key_name=name, passphrase=passphrase() if passphrase else None
    )


def keys_given(secret_file: Path | None, *, ask: bool) -> KeySource:
    """Return where a trail's keys come from: as given, or as the settings say.

    Raises:
        ConfigurationError: the settings cannot be used.
    """
    from policyguard.assembly import keys_of
    from policyguard.settings import load_settings
    from policyguard.signing.key_source import FileKeys

    given = passphrase_of(secret_file, ask=ask, new=False)
    if given is not None:
        return FileKeys(passphrase=given)
    return keys_of(load_settings())
