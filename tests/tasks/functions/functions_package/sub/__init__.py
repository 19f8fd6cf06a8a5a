# ruff: noqa
"""A package inside."""
