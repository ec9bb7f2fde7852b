"""Measures weights where they lie: files, digests, format, what loading them would run.

Nothing is loaded and nothing is executed: files are read as bytes.
"""
