"""Values too large for a parameter travel by the replies; a marker stands for them."""

import os
from typing import Any

from .output import LIMIT, fail

MARK = "aiowf.dev/value"


def escaped(value: Any) -> Any:
    """Wrap a dict that looks like a marker."""
    return {MARK: None, "value": value} if isinstance(value, dict) and MARK in value else value


def reply_name(task: str, output: str) -> str:
    """Name a value of a task where the replies are: the task, or `<task>.stdout`."""
    return task if output == "return" else task + "." + output


def digest(data: bytes) -> str:
    """Return the SHA-256 of a value's JSON text."""
    import hashlib

    return hashlib.sha256(data).hexdigest()


def send_large(name: str, data: bytes) -> bytes:
    """Put the value where the replies go; return the marker that stands for it."""
    import json

    get: Any = os.environ.get
    output = reply_name(get("AIOWF_TASK", ""), name)
    mark = {MARK: digest(data), "size": len(data)}
    if get("AIOWF_REPLY_CLIENT"):
        mark["place"] = by_kafka("send", output, data)
    elif get("AIOWF_REPLY_SOCKET") or get("AIOWF_REPLY_URL"):
        exchange("PUT", output, data)
    else:
        fail(
            "the value has %d bytes, the limit is %d: set KAFKA_BOOTSTRAP_SERVERS where the client "
            "runs, or write it to the shared directory" % (len(data), LIMIT)
        )
    return json.dumps(mark).encode()


def by_kafka(act: str, *args: Any) -> Any:
    """Let the code that the workflow brings along speak to Kafka."""
    names: dict[str, Any] = {}
    exec(os.environ["AIOWF_REPLY_CLIENT"], names)
    return names[act + "_by_kafka"](*args)


def exchange(method: str, name: str, data: Any = None) -> bytes:
    """Put or get a large value."""
    import http.client
    import socket
    import urllib.parse

    get: Any = os.environ.get
    url = urllib.parse.urlsplit(get("AIOWF_REPLY_URL") or "http://replies")
    link = getattr(http.client, url.scheme.upper() + "Connection")(url.netloc, timeout=60)
    if get("AIOWF_REPLY_SOCKET"):
        link.sock = socket.socket(socket.AF_UNIX)
        link.sock.connect(get("AIOWF_REPLY_SOCKET"))
    token = get("AIOWF_REPLY_TOKEN")
    headers = {"Authorization": "Bearer " + token} if token else {}
    path = url.path.rstrip("/") + get("AIOWF_REPLY_VALUE_PATH", "") + "/" + name
    link.request(method, path, data, headers)
    answer = link.getresponse()
    body: bytes = answer.read()
    link.close()
    if answer.status // 100 != 2:
        fail("%s %s: %d %s" % (method, path, answer.status, answer.reason))
    return body
