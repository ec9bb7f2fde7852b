"""Says what a tool call sends where: its arguments, to whoever runs the tool.

No protocol tells which model reads what a tool is given. So the application says for each
tool where it sends, and the guard asks about every model that the catalog knows there. A
tool of which nobody has said it is unknown, and not allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from policyguard.catalog.endpoints import endpoint_of
from policyguard.errors import ConfigurationError
from policyguard.guard.describe import Described
from policyguard.vocabulary.value import ToolName

Tools: TypeAlias = Mapping[str, str | None]
"""The address that each tool sends to, by its name; `None`: it sends nothing."""
_NAME: Final = TypeAdapter(ToolName)


def named(tools: Tools) -> Tools:
    """Return a copy of tools, each by a name that records can have.

    Raises:
        ConfigurationError: one has no such name.
    """
    for name in tools:
        try:
            _NAME.validate_python(name)
        except ValidationError as error:
            raise ConfigurationError(
                f"`{ascii(name)[:64]}` is no name of a tool: records have up to 128"
                " printable characters of ASCII"
            ) from error
    return dict(tools)


def sends_nothing(name: str, tools: Tools) -> bool:
    """Say whether a tool is known to send nothing anywhere."""
    return name in tools and tools[name] is None


def described(name: str, tools: Tools) -> Described:
    """Say what a call of a tool sends where."""
    address = tools.get(name)
    if address is None:
        why = f"nobody has said where the tool `{name[:64]}` sends its arguments"
        return Described(opaque=True, why=why)
    return Described(host=endpoint_of(address), upload=True, tool=name)


class ToolCall:
    """Is one call of a tool, as a callable that the guard can describe."""

    def __init__(self, described: Described, run: Callable[[], Any]) -> None:
        """Keep what to run.

        Args:
            described: What the call sends where.
            run: Makes the call.
        """
        self.described = described
        self._run = run

    def __call__(self, arguments: Any) -> Any:
        """Make the call; its arguments are given so that they can be searched."""
        del arguments
        return self._run()
