# ruff: noqa
"""Relative and dotted imports."""

from . import VALUE
from .sub import deep
import functions_package.sub.deep as pd


def helper(x):
    return x + VALUE + deep.deepest() + pd.deepest()
