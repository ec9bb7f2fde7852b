"""Holds what the demonstration needs beyond the shipped policies and catalog."""
