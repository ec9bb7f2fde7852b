"""Where logs are kept; each store has a module of its own."""

from __future__ import annotations
