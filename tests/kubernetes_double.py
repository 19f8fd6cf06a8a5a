"""A Kubernetes API that `kubectl` talks to: discovery, creation and reading of a few kinds."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from kubernetes_validate import latest_version, validate

# Group and version → resource → kind.
KINDS: Mapping[str, Mapping[str, str]] = {
    "v1": {
        "configmaps": "ConfigMap",
        "persistentvolumeclaims": "PersistentVolumeClaim",
        "secrets": "Secret",
        "serviceaccounts": "ServiceAccount",
    },
    "rbac.authorization.k8s.io/v1": {"rolebindings": "RoleBinding", "roles": "Role"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "kafka.strimzi.io/v1": {"kafkatopics": "KafkaTopic"},
}
_FOREIGN = "kafka.strimzi.io/v1"  # of a definition of its own: Kubernetes' schemas do not know it
_PROTOBUF = b"k8s\0"


class Kubernetes:
    """What a cluster holds.

    Attributes:
        server: Its address.
        objects: Namespace, kind and name → object.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}

    def configure(self, directory: Path) -> Path:
        """Write what leads kubectl here; return its path, for KUBECONFIG."""
        path = directory / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "double", "cluster": {"server": self.server}}],
            "contexts": [{"name": "double", "context": {"cluster": "double", "user": "me"}}],
            "users": [{"name": "me", "user": {}}],
            "current-context": "double",
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Answer a request: status and JSON."""
        if method == "GET" and (found := _discovery(path)) is not None:
            return 200, found
        prefix, namespaces, rest = path.partition("/namespaces/")
        namespace, resource, *name = rest.split("/")
        version = prefix.removeprefix("/apis/").removeprefix("/api/")
        kind = KINDS.get(version, {}).get(resource)
        if not namespaces or kind is None:
            return 404, _status(404, "NotFound", f"the server has no {path}")
        if method == "POST":
            return self._create(namespace, kind, _read(body))
        found = self.objects.get((namespace, kind, name[0]))
        if found is None:
            return 404, _status(404, "NotFound", f'{resource} "{name[0]}" not found')
        if method == "PATCH":
            _merge(found, json.loads(body))
        return 200, found

    def _create(self, namespace: str, kind: str, made: dict[str, Any]) -> tuple[int, Any]:
        key = (namespace, kind, made["metadata"]["name"])
        if key in self.objects:
            return 409, _status(409, "AlreadyExists", f"{key[2]} already exists")
        if made["apiVersion"] != _FOREIGN:
            validate(made, latest_version(), strict=True)
        for subject in made.get("subjects", ()):
            # The schema lets it out, Kubernetes' own validation of role bindings does not.
            assert subject.get("namespace"), "subjects[0].namespace: Required value"
        made["metadata"] |= {"namespace": namespace, "uid": f"uid-{len(self.objects)}"}
        self.objects[key] = made
        return 201, made


@contextmanager
def kubernetes() -> Iterator[Kubernetes]:
    """Serve an empty cluster on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                code, found = cluster.answer(self.command, self.path.partition("?")[0], body)
            except Exception as error:
                code, found = 422, _status(422, "Invalid", f"{type(error).__name__}: {error}")
            data = json.dumps(found).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PATCH = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        cluster = Kubernetes(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield cluster
        finally:
            server.shutdown()
            thread.join()


def _merge(found: dict[str, Any], change: Mapping[str, Any]) -> None:
    """Change an object; that lists are merged by their keys is not known here."""
    for name, value in change.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict) and isinstance(found.get(name), dict):
            _merge(found[name], value)
        else:
            found[name] = value


def _discovery(path: str) -> Any:
    """Return what tells a client which kinds there are; None: the path is of something else."""
    if path == "/version":
        return {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [version.split("/") for version in KINDS if "/" in version]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*g) for g in groups]}
    if path == "/openapi/v3":
        places = [_place(version).removeprefix("/") for version in KINDS]
        return {"paths": {each: {"serverRelativeURL": f"/openapi/v3/{each}"} for each in places}}
    version = next((each for each in KINDS if path.endswith(_place(each))), None)
    if version is None:
        return None
    return _schema(version) if path.startswith("/openapi/v3/") else _resources(version)


def _place(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _group(name: str, version: str) -> dict[str, Any]:
    found = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [found], "preferredVersion": found}


def _resources(version: str) -> dict[str, Any]:
    verbs = ["create", "get", "patch"]
    resources = [
        {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs}
        for name, kind in KINDS[version].items()
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}


def _schema(version: str) -> dict[str, Any]:
    """Return as much of OpenAPI as says that the server itself refuses unknown fields."""
    *group, number = version.split("/")
    paths = {
        f"{_place(version)}/namespaces/{{namespace}}/{name}/{{name}}": {
            "patch": {
                "parameters": [{"name": "fieldValidation", "in": "query"}],
                "responses": {},
                "x-kubernetes-group-version-kind": {
                    "group": "".join(group),
                    "version": number,
                    "kind": kind,
                },
            }
        }
        for name, kind in KINDS[version].items()
    }
    info = {"title": "Kubernetes", "version": "v1.33.0"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    told = {"status": "Failure", "code": code, "reason": reason, "message": message}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, **told}


def _read(body: bytes) -> dict[str, Any]:
    """Read an object: JSON, or a Secret as kubectl's own types write it."""
    if not body.startswith(_PROTOBUF):
        made: dict[str, Any] = json.loads(body)
        return made
    unknown = _fields(body.removeprefix(_PROTOBUF))
    version, kind = (_text(_fields(unknown[1][0]), number) for number in (1, 2))
    assert (version, kind) == ("v1", "Secret")
    secret = _fields(unknown[2][0])
    data = [_fields(entry) for entry in secret[2]]
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": _text(_fields(secret[1][0]), 1)},
        "type": _text(secret, 3),
        "data": {_text(each, 1): base64.b64encode(each[2][0]).decode() for each in data},
    }


def _fields(data: bytes) -> dict[int, list[bytes]]:
    """Return the fields of a message of Protocol Buffers that have a length."""
    found: dict[int, list[bytes]] = {}
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                return value

    while at < len(data):
        tag, length = number(), number()
        if tag & 7 == 2:
            found.setdefault(tag >> 3, []).append(data[at : at + length])
            at += length
    return found


def _text(fields: Mapping[int, list[bytes]], number: int) -> str:
    return fields[number][0].decode()
