"""The commands of docs/kafka.md that need brokers, with a real one."""

from pathlib import Path

import pytest
from broker import Broker, tool
from walkthrough import pattern, perform, steps

pytestmark = pytest.mark.kafka

ADDRESS = "my-cluster-kafka-bootstrap.kafka.svc:9092"


def test_the_topic_is_made_and_found_as_the_page_says(own: Broker, tmp_path: Path) -> None:
    """Kafka's own tool makes it, and `aiowf doctor` sees it; as written, but for the address."""
    script = tmp_path / "kafka-topics.sh"
    script.write_text(f'#!/bin/sh\nexec {tool("TopicCommand")} "$@"\n')
    script.chmod(0o755)
    found = [step for step in steps("kafka.md") if ADDRESS in step.command]
    assert 2 == len(found)
    for step in found:
        here = step.at(ADDRESS, own.server)
        printed = perform(here, tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin").strip()
        assert here.expected is not None
        assert pattern(here.expected).fullmatch(printed), printed
