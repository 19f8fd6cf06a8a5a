"""A second module, with names that the first one has as well."""

import threading
from dataclasses import dataclass
from types import SimpleNamespace

Names = list[str]
SPACE = SimpleNamespace(one=[1])
OTHERS_LOCK = threading.Lock()


@dataclass
class Far:
    x: int


def same_name() -> str:
    return "other " + _helper()


def _helper() -> str:
    return "helper"
