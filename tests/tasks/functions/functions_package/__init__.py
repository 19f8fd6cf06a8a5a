# ruff: noqa
"""A package whose functions use each other."""

VALUE = 3


def top():
    return VALUE
