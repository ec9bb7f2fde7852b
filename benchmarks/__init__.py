"""Measurements, as ratios within one run; compared by people, never a gate."""
