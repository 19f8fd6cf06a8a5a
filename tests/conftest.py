"""What every test can rely on: no settings from outside, and a loop that nothing of ours blocks."""

import os
from collections.abc import Iterator

import hypothesis
import pytest
from blockbuster import BlockBuster, blockbuster_ctx

# Settings of the machine that runs the tests would turn them away from what they test.
_SETTINGS = ("AIOWF_", "ARGO_", "CH_", "KAFKA_", "KUBERNETES_")

hypothesis.settings.register_profile("aiowf", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("aiowf")


def pytest_configure(config: pytest.Config) -> None:
    """Start from an environment that says nothing about servers, brokers or profiles."""
    for name in [name for name in os.environ if name.startswith(_SETTINGS)]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Make a blocking call of aiowf in a running event loop fail; tests themselves may block."""
    with blockbuster_ctx("aiowf") as active:
        for function in active.functions.values():
            # Read once in the life of a process: our own code for pods, Argo's field names, and the
            # source of the user's functions when a task is built.
            function.can_block_in("tasks/functions/pod/embedding.py", ("embedded", "<listcomp>"))
            function.can_block_in("manifest/spelling.py", "field_names")
            function.can_block_in("linecache.py", ("checkcache", "updatecache"))
        yield active
