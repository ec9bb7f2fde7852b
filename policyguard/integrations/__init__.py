"""Adapters for the clients that people use: one module for each."""
