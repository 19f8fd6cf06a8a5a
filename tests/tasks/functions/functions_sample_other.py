"""A second module, with names that the first one has as well."""

from dataclasses import dataclass


@dataclass
class Far:
    x: int


def same_name() -> str:
    return "other " + _helper()


def _helper() -> str:
    return "helper"
