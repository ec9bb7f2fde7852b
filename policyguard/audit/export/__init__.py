"""What leaves the trail: forms that tools which are not ours read and verify."""

from __future__ import annotations
