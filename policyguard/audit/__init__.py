"""The trail: signed transparency logs of every decision and outcome, and their vault."""

from __future__ import annotations
