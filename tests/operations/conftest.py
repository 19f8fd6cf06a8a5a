"""Every workflow that these tests render is valid."""

from collections.abc import Iterator
from typing import Any

import pytest
from schema import validate

from aiowf.manifest import unstructure
from aiowf.manifest.checks import check_workflow
from aiowf.operations import containerized


@pytest.fixture(autouse=True, scope="module")
def valid_manifests() -> Iterator[None]:
    """Check each rendered workflow against Argo's schema and by our own checks."""
    render = containerized.render

    def checked(*args: Any) -> Any:
        workflow = render(*args)
        validate(unstructure(workflow))
        check_workflow(workflow)
        return workflow

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containerized, "render", checked)
        yield
