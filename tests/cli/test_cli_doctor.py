"""What `aiowf doctor` finds."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
from cli_testing import Done
from mock_kafka import MockCluster
from respx_server import serve

from aiowf.argo import ArgoSession
from aiowf.argo.announced import Announced, announce
from aiowf.cli.doctor.finding import (
    Answer,
    Finding,
    judge_clock,
    judge_disk,
    judge_images,
    judge_permissions,
    judge_topic,
    judge_version,
)
from aiowf.cli.doctor.server import check_server
from aiowf.cli.doctor.variables import check_variables

Command = Callable[..., Done]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOOKS: Mapping[str, Answer] = {"list": "unknown", "get": "allowed"}
DENIED: Mapping[str, Answer] = {"get": "unknown", "create": "denied"}
CHANGES: Mapping[str, Answer] = {"list": "allowed", "stop": "allowed", "delete": "allowed"}


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
        (
            judge_permissions("ns", {"get": "allowed"}),
            "ok",
            "may get workflows in namespace ns; `--",
        ),
        (
            judge_permissions("ns", {**LOOKS, **CHANGES}),
            "ok",
            "may list, get, stop and delete workflows",
        ),
        (
            judge_permissions("ns", DENIED),
            "fail",
            "may not create workflows",
        ),
        (judge_permissions("ns", {"get": "unknown", "list": "allowed"}), "warn", "nobody can say"),
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
    assert "✓ permissions: may list, get, create and watch workflows in namespace" in done.out


@pytest.mark.usefixtures("server")
def test_stop_and_delete_are_tried_where_asked(found: Any, aiowf: Command) -> None:
    """A workflow is created, stopped and deleted; nothing of it is left."""
    state, said = found("--try")["permissions"]
    assert ("ok", True) == (state, said.startswith("may list, get, create, watch, stop and delete"))
    assert "[]" == aiowf("list", "--prefix", "aiowf-doctor-", "-o", "json").out.strip()


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
    monkeypatch.setenv("ARGO_TOKEN", "abc")
    assert 'ARGO_TOKEN has no scheme, so "Bearer " was put before it' in told(aiowf("doctor"))
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


def told(done: Done) -> str:
    """What a command said, whatever the width."""
    return " ".join(done.out.split())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ARGO_SERVER", "unix:/nowhere/a.sock", "no connection to unix:/nowhere/a.sock"),
        ("ARGO_SERVER", "ftp://x:1", "✗ server: ARGO_SERVER: 'ftp://x:1' is no server's address"),
        ("ARGO_SERVER", "127.0.0.1", "Argo's own is 2746: ARGO_SERVER=127.0.0.1:2746."),
        (
            "ARGO_SEVER",
            "x",
            '! environment: ARGO_SEVER is set, and nobody reads it did you mean "A',
        ),
        ("KAFKA_HOST", "x", '"KAFKA_BOOTSTRAP_SERVERS" names the brokers'),
        ("AIOWF_REPLY_TIMEOUT", "5", "AIOWF_REPLY_TIMEOUT is set, and nobody reads it"),
        ("ARGO_SECURE", "ture", "ARGO_SECURE='ture' counts as true"),
        ("AIOWF_PROFILE", "nope.yaml", "✗ images: AIOWF_PROFILE: nope.yaml cannot be read"),
    ],
)
def test_variables_that_are_wrong(
    aiowf: Command, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    """The variable is named with its value, and what may have been meant."""
    monkeypatch.setenv(variable, value)
    assert said in told(aiowf("doctor"))


def test_what_others_read_is_not_warned_of() -> None:
    """Kubernetes, Kafka and argo have variables of such names too."""
    names = ("ARGO_SERVER_PORT_2746_TCP_ADDR", "KAFKA_HEAP_OPTS", "ARGO_HTTP1", "ARGO_POD_UID")
    assert [] == list(check_variables(dict.fromkeys((*names, "KAFKA_SERVICE_HOST"), "x")))


def test_a_server_that_is_not_reached_is_told_alone(
    aiowf: Command, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    """Images do not matter yet; a namespace that is none is told once; a server beside is named."""
    address = f"127.0.0.1:{unused_tcp_port}"
    with announce(Announced("127.0.0.1:9", "secret")):
        said = told(aiowf("doctor", "--server", f"http://{address}"))
    assert "images" not in said
    assert "`aiowf dev` runs at http://127.0.0.1:9" in said
    monkeypatch.setenv("ARGO_NAMESPACE", "No_Such")
    assert 1 == told(aiowf("doctor", "--server", address)).count("ARGO_NAMESPACE")


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


def argo(created: httpx.Response) -> respx.Router:
    """An Argo Server that answers a dry run of a creation, and others so."""
    router = respx.Router(assert_all_called=False)
    date = {"Date": "Thu, 01 Jan 2015 00:00:00 GMT"}
    router.get(path="/api/v1/version").respond(200, json={"version": "v4.1.0"}, headers=date)
    router.get(path="/api/v1/userinfo").respond(200, json={"subject": "me"})
    router.get(path="/api/v1/workflows/argo").respond(200, json={"metadata": {}, "items": None})
    router.get(path__regex="/api/v1/workflows/argo/.+").respond(
        404, json={"code": 5, "message": "x"}
    )

    def create(request: httpx.Request) -> httpx.Response:
        is_dry = b"serverDryRun" in request.content
        return httpx.Response(200, json=WORKFLOW) if is_dry else created

    router.post(path="/api/v1/workflows/argo").mock(side_effect=create)
    router.get(path="/api/v1/workflow-events/argo").respond(200)
    return router


WORKFLOW = {"metadata": {"name": "aiowf-doctor-1", "namespace": "argo"}, "spec": {}}
REFUSAL = {"code": 7, "message": "not allowed"}


async def look(router: respx.Router) -> dict[str, Finding]:
    """What the doctor finds at a server, when it may try."""
    async with serve(router) as url, ArgoSession(url, token="t", namespace="argo") as session:
        return {each.check: each async for each in check_server(session, tries=True)}


async def test_a_server_that_lets_only_look() -> None:
    """What is refused is told by its verb; a clock that is wrong, too."""
    router = argo(httpx.Response(200, json=WORKFLOW))
    router.post(path="/api/v1/workflows/argo").respond(403, json=REFUSAL)
    router.get(path="/api/v1/workflow-events/argo").respond(500, json={"code": 13, "message": "x"})
    found = await look(router)
    assert "accepted, of me" == found["token"].said
    assert "may not create workflows in namespace argo" == found["permissions"].said
    assert ("fail", True) == (found["clock"].state, "ahead of the server's" in found["clock"].said)


async def test_a_server_that_lets_create_and_not_change() -> None:
    """Stop and delete are refused with the rule that a Role needs for them."""
    router = argo(httpx.Response(200, json=WORKFLOW))
    router.put(path="/api/v1/workflows/argo/aiowf-doctor-1/stop").respond(403, json=REFUSAL)
    router.delete(path="/api/v1/workflows/argo/aiowf-doctor-1").respond(403, json=REFUSAL)
    finding = (await look(router))["permissions"]
    assert "may not stop and delete workflows in namespace argo" == finding.said
    rule = "{apiGroups: [argoproj.io], resources: [workflows], verbs: [update, delete]}"
    assert finding.hint is not None
    assert rule in finding.hint


async def test_a_server_that_promised_too_much() -> None:
    """A creation that only its dry run was allowed is refused."""
    finding = (await look(argo(httpx.Response(403, json=REFUSAL))))["permissions"]
    assert "may not create workflows in namespace argo" == finding.said
