"""The files by which a pod tells what came of it; a value too large for them travels by replies."""

import hashlib
import json
import os
import sys
from typing import Any, NoReturn

from .rich import encode

BASE = os.environ.get("AIOWF_DIR", "/tmp/aiowf")
LIMIT = 262144
MARK = "aiowf.dev/value"


def note(message: str) -> None:
    """Leave the message where Kubernetes looks for it; it becomes the node's message."""
    try:
        with open(os.environ.get("AIOWF_TERMINATION_LOG", "/dev/termination-log"), "wb") as log:
            log.write(message.encode(errors="replace")[:4096])
    except OSError:
        pass


def fail(message: str) -> NoReturn:
    """End the task with the message."""
    note(message)
    sys.exit("aiowf: " + message)


def write(name: str, data: bytes) -> None:
    """Write a file that the template's outputs name."""
    os.makedirs(BASE, exist_ok=True)
    with open(os.path.join(BASE, name), "wb") as file:
        file.write(data)


def deliver(name: str, value: Any) -> None:
    """Write the value as inert JSON, or send it if it is too large."""
    try:
        text = encode(value).replace("$", "\\u0024").replace("{" * 2, "{\\u007b")
    except (TypeError, ValueError) as error:
        fail("the value cannot be sent: %s" % error)
    data = text.encode("utf-8", "backslashreplace")
    write(name, send_large(data) if len(data) > LIMIT else data)


def send_large(data: bytes) -> bytes:
    """Put the value where the replies go; return the marker that stands for it."""
    if not (os.environ.get("AIOWF_REPLY_SOCKET") or os.environ.get("AIOWF_REPLY_URL")):
        fail(
            "the value has %d bytes, the limit is %d: configure replies (Kafka), "
            "or write it to the shared directory" % (len(data), LIMIT)
        )
    exchange("PUT", os.environ.get("AIOWF_TASK", ""), data)
    return json.dumps({MARK: hashlib.sha256(data).hexdigest(), "size": len(data)}).encode()


def exchange(method: str, task: str, data: Any = None) -> bytes:
    """Put or get the large value of a task."""
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
    path = url.path.rstrip("/") + get("AIOWF_REPLY_VALUE_PATH", "") + "/" + task
    link.request(method, path, data, headers)
    answer = link.getresponse()
    body: bytes = answer.read()
    link.close()
    if answer.status // 100 != 2:
        fail("%s %s: %d %s" % (method, path, answer.status, answer.reason))
    return body
