"""Finds, in text, what its sender may not have declared; pure functions of the text."""
