"""What `aiowf doctor` finds."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
from cli_testing import Done
from mock_kafka import MockCluster
from respx_server import serve

from aiowf.cli.doctor.finding import (
    judge_clock,
    judge_disk,
    judge_images,
    judge_permissions,
    judge_topic,
    judge_version,
)

Command = Callable[..., Done]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("finding", "state", "said"),
    [
        (judge_clock(NOW, None), "ok", "does not tell"),
        (judge_clock(NOW, NOW + timedelta(seconds=2)), "ok", "like the server's"),
        (judge_clock(NOW, NOW + timedelta(seconds=60)), "warn", "60 s behind"),
        (judge_clock(NOW, NOW - timedelta(hours=1)), "fail", "3,600 s ahead of"),
        (judge_version("v4.1.2"), "ok", "Argo v4.1.2"),
        (judge_version("v3.4.0"), "warn", "which is old"),
        (judge_version(None), "warn", "the server says nothing"),
        (judge_permissions("ns", [], []), "ok", "may list, get, create and watch"),
        (judge_permissions("ns", ["create"], ["get"]), "fail", "may not create workflows in"),
        (judge_permissions("ns", [], ["get"]), "warn", "nobody can say"),
        (judge_topic("t", 0, 12), "warn", "t does not exist"),
        (judge_topic("t", 3, 12), "ok", "t with 3 partitions"),
        (judge_images("python", None, embedded=False), "warn", "no runtime image"),
        (judge_images("python", "rt", embedded=False), "ok", "notices in rt"),
        (judge_images("python", None, embedded=True), "ok", "none is pulled"),
        (judge_disk("/tmp", 10**10), "ok", "MiB are free in /tmp"),
        (judge_disk("/tmp", 10**8), "warn", "95 MiB"),
        (judge_disk("/tmp", 10**6), "fail", "1 MiB"),
    ],
)
def test_judgements(finding: Any, state: str, said: str) -> None:
    """Facts become ok, warn or fail; what is not ok says what to do."""
    assert (state, True) == (finding.state, said in finding.said)
    assert finding.state == "ok" or finding.hint or finding.said == "the server says nothing"


@pytest.fixture
def found(aiowf: Command) -> Callable[..., dict[str, tuple[str, str]]]:
    """Run the doctor; give check → state and what was said."""

    def run(*words: str) -> dict[str, tuple[str, str]]:
        done = aiowf("doctor", "-o", "json", *words)
        facts = json.loads(done.out)
        assert done.code == any(fact["state"] == "fail" for fact in facts)
        return {fact["check"]: (fact["state"], fact["said"]) for fact in facts}

    return run


@pytest.mark.usefixtures("server")
def test_an_engine_that_is_well(found: Any, aiowf: Command) -> None:
    """All is well, and told in lines."""
    facts = found()
    assert {"ok"} == {state for state, _ in facts.values()}
    assert list(facts) == [
        "connection",
        "version",
        "token",
        "permissions",
        "clock",
        "images",
        "kafka",
    ]
    done = aiowf("doctor")
    assert (0, "") == (done.code, done.err)
    assert "✓ permissions: may list, get, create and watch workflows" in done.out


def test_without_a_server_the_engine_is_tried(found: Any) -> None:
    """It starts, and there is room for it."""
    facts = found()
    assert ["server", "engine", "disk", "images", "kafka"] == list(facts)
    assert "starts here" in facts["engine"][1]


@pytest.mark.usefixtures("server")
def test_a_token_that_is_wrong_or_missing(
    found: Any, aiowf: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers, and the token is at fault."""
    monkeypatch.setenv("ARGO_TOKEN", "Bearer wrong")
    assert ["ok", "fail"] == [found()[check][0] for check in ("connection", "token")]
    monkeypatch.delenv("ARGO_TOKEN")
    done = aiowf("doctor")
    assert (1, True) == (done.code, "✗ token: none is given, and the server asks" in done.out)
    assert '\n  Set ARGO_TOKEN to "Bearer …"' in done.out


def test_settings_that_make_no_sense(
    found: Any, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    """Address, profile and Kafka are each told; one does not hide the others."""
    monkeypatch.setenv("AIOWF_PROFILE", "/nowhere.yaml")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "nobody")
    facts = found("--server", f"http://127.0.0.1:{unused_tcp_port}")
    assert {"connection": "fail", "images": "fail", "kafka": "fail"} == {
        check: state for check, (state, _) in facts.items()
    }
    assert "fail" == found("--server", "http://")["server"][0]


@pytest.fixture(scope="module")
def cluster() -> Iterator[MockCluster]:
    """A Kafka cluster."""
    made = MockCluster()
    made.create("there", 3)
    yield made
    made.close()


def test_kafka_and_its_topic(
    found: Any, cluster: MockCluster, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    """A broker that answers, with a topic; and one that nobody has started."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", cluster.servers)
    monkeypatch.setenv("AIOWF_REPLY_TOPIC", "there")
    facts = found()
    assert ("ok", "there with 3 partitions") == facts["topic"]
    assert "lets us in (PLAINTEXT)" in facts["kafka"][1]
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{unused_tcp_port}")
    state, said = found()["kafka"]
    assert ("fail", True) == (state, "nobody listens at this address" in said)


async def test_a_server_that_lets_only_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is told by its verb; a clock that is wrong, too."""
    from aiowf.argo import ArgoSession
    from aiowf.cli.doctor.server import check_server

    router = respx.Router(assert_all_called=False)
    date = {"Date": "Thu, 01 Jan 2015 00:00:00 GMT"}
    router.get(path="/api/v1/version").respond(200, json={"version": "v4.1.0"}, headers=date)
    router.get(path="/api/v1/userinfo").respond(200, json={"subject": "me"})
    router.get(path="/api/v1/workflows/argo").respond(200, json={"metadata": {}, "items": None})
    router.get(path__regex="/api/v1/workflows/argo/.+").respond(
        404, json={"code": 5, "message": "x"}
    )
    refusal = {"code": 7, "message": "not allowed"}
    router.post(path="/api/v1/workflows/argo").respond(403, json=refusal)
    router.get(path="/api/v1/workflow-events/argo").mock(
        return_value=httpx.Response(500, json={"code": 13, "message": "oops"})
    )
    async with serve(router) as url, ArgoSession(url, token="t", namespace="argo") as session:
        found = {each.check: each async for each in check_server(session)}
    assert "accepted, of me" == found["token"].said
    assert "may not create workflows in namespace argo" == found["permissions"].said
    assert ("fail", True) == (found["clock"].state, "ahead of the server's" in found["clock"].said)
