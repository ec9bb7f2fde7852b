"""Looks for what makes a policy silent, or makes two engines answer differently."""
