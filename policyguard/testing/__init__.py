"""The kit for policy authors: tests, coverage and mutation of rules written in Rego.

What is here runs the embedded engine itself, so that what is shown of a rule is what a
guard does with it. It is no part of enforcement, and nothing of it is imported there.
"""
