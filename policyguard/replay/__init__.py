"""Decides recorded calls once more: by what decided them, or by something else."""
