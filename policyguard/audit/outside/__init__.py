"""Memory outside the writer's reach: witnesses, time stamps, sinks, a monitor."""

from __future__ import annotations
