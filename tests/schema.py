"""Argo's own JSON schema, for every test that makes a manifest."""

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

PATH = Path(__file__).parent / "data" / "argo-schema.json"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"


@cache
def argo_schema() -> dict[str, Any]:
    """Return the schema as Argo publishes it."""
    schema: dict[str, Any] = json.loads(PATH.read_text())
    return schema


def validate(manifest: Any, kind: str = "Workflow") -> None:
    """Check a manifest (JSON data) against Argo's schema, in which no unknown field is allowed.

    Raises:
        AssertionError: It does not fit; the message says where.
    """
    error = best_match(_validator(kind).iter_errors(manifest))
    assert error is None, f"{error.json_path}: {error.message[:500]}"


@cache
def _validator(kind: str) -> Draft202012Validator:
    definitions = _strict_definitions()
    name = next(
        name for name in definitions if name.startswith("io.argoproj") and name.endswith(f".{kind}")
    )
    schema = {"$ref": f"#/definitions/{name}", "definitions": definitions}
    return Draft202012Validator(schema)


@cache
def _strict_definitions() -> dict[str, Any]:
    definitions: dict[str, Any] = copy.deepcopy(argo_schema()["definitions"])
    # The published schema says "string", and Argo takes both (retryStrategy.limit: 3).
    definitions[_INT_OR_STRING] = {"type": ["string", "integer"]}
    _close(definitions)
    return definitions


def _close(part: Any) -> None:
    """Allow no other properties where some are listed."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            part.setdefault("additionalProperties", False)
        for item in part.values():
            _close(item)
    elif isinstance(part, list):
        for item in part:
            _close(item)
