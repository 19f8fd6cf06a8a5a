"""Values of earlier tasks: in their files, or fetched where the replies are."""

import json
import os
from typing import Any

from .output import BASE, fail
from .replies import MARK, by_kafka, digest, exchange, reply_name


def receive(name: str, form: str, task: str, output: str) -> Any:
    """Read a value that an earlier task produced."""
    with open(os.path.join(BASE, "in", name), encoding="utf-8", newline="") as file:
        text = file.read()
    if form == "text":
        return text
    value = json.loads(text)
    if not isinstance(value, dict) or MARK not in value:
        return value
    if value[MARK] is None:
        return value["value"]
    place = value.get("place")
    data = by_kafka("fetch", *place) if place else exchange("GET", reply_name(task, output))
    if digest(data) != value[MARK]:
        fail("the value of %s is not what that task sent" % task)
    return json.loads(data)


def fill(given: list[Any], inputs: list[Any]) -> list[Any]:
    """Put each value at its path among the arguments."""
    for path, *source in inputs:
        place = given
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = receive(*source)
    return given
