# ruff: noqa
"""Definitions far down."""

from enum import Enum


class E(Enum):
    A = 1


DEFAULT = E.A


def deepest(e=E.A):
    return e.value
