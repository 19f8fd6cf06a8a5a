"""A registry of images that takes what is pushed, as the OCI distribution specification has it.

It is reached as a proxy, so that it stands in for a registry of any name.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from attrs import Factory, frozen


@frozen
class Registry:
    """What a registry holds.

    Attributes:
        address: Where it listens, as a proxy's URL.
        blobs: Digest → content.
        manifests: "repository:reference" → manifest.
    """

    address: str
    blobs: dict[str, bytes] = Factory(dict)
    manifests: dict[str, bytes] = Factory(dict)


@contextmanager
def registry() -> Iterator[Registry]:
    """Serve an empty registry on a port of this machine, without TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def parse_request(self) -> bool:
            is_good = super().parse_request()
            if is_good:  # what a proxy is asked for is a whole URL
                self.path = re.sub(r"^http://[^/]+", "", self.path)
            return is_good

        def body(self) -> bytes:
            if "Transfer-Encoding" not in self.headers:
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def answer(self, code: int, data: bytes = b"", **headers: str) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_GET(self) -> None:
            kind, _, name = self.path.rpartition("/")
            known = found.manifests if kind.endswith("/manifests") else found.blobs
            key = f"{kind.split('/')[2]}:{name}" if known is found.manifests else name
            if self.path == "/v2/":
                self.answer(200)
            elif key in known:
                digest = hashlib.sha256(known[key]).hexdigest()
                self.answer(200, known[key], Docker_Content_Digest=f"sha256:{digest}")
            else:
                self.answer(404)

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            place = f"{self.path}{len(uploads)}"
            uploads[place] = self.body()
            self.answer(202, Location=place, Range="0-0")

        def do_PATCH(self) -> None:
            uploads[self.path] += self.body()
            self.answer(202, Location=self.path, Range=f"0-{len(uploads[self.path]) - 1}")

        def do_PUT(self) -> None:
            path, _, query = self.path.partition("?")
            content = uploads.pop(path, b"") + self.body()
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            if "/manifests/" in path:
                found.manifests[f"{path.split('/')[2]}:{path.rpartition('/')[2]}"] = content
            else:
                assert digest in query.replace("%3A", ":")
                found.blobs[digest] = content
            self.answer(201, Location=path, Docker_Content_Digest=digest)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    uploads: dict[str, bytes] = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Registry(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
