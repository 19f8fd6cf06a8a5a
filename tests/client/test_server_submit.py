"""Submitting to an Argo Server: templates, lint, pace, verbs and lists; respx answers for it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
import respx
from argo_double import silence, stream
from respx_server import serve

import aiowf
from aiowf import operations, tasks
from aiowf.client import pace, planning, submission
from aiowf.client.pace import Pace
from aiowf.client.planning import window_of
from aiowf.manifest import TTLStrategy, Workflow
from aiowf.wire import labels

OP = operations.DistributedSyncOperation("op-", tasks.BashTask("work", "true"))
API = "/api/v1"
WORKFLOWS = f"{API}/workflows/argo"
PARAMETERS = [
    {"name": "message"},
    {"name": "size", "value": "small", "enum": ["small", "large"]},
    {"name": "count", "default": "1"},
]
TEMPLATE = {
    "metadata": {"name": "etl.daily"},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": PARAMETERS},
        "templates": [{"name": "main", "suspend": {}}],
        "ttlStrategy": {"secondsAfterCompletion": 10},
    },
}


def workflow(name: str, phase: str = "", version: str = "1", **tags: str) -> dict[str, Any]:
    """Return a workflow as a server tells it."""
    meta = {"name": name, "namespace": "argo", "uid": f"uid-{name}", "resourceVersion": version}
    status = {"phase": phase, "startedAt": None, "finishedAt": None}
    return {"metadata": {**meta, "labels": tags}, "spec": {}, "status": status}


@pytest.fixture
def router() -> respx.Router:
    """A server whose watches say nothing."""
    made = respx.Router(assert_all_called=False)
    made.get(path=f"{API}/workflow-events/argo").mock(side_effect=lambda _: stream(silence()))
    return made


@pytest.fixture
async def client(router: respx.Router) -> AsyncIterator[aiowf.Client]:
    """A client of that server."""
    async with serve(router) as url, aiowf.connect(url, namespace="argo", token="x") as opened:
        yield opened


def created(request: httpx.Request) -> httpx.Response:
    """Answer a creation as Argo does."""
    made = json.loads(request.content)["workflow"]
    made["metadata"] |= {"uid": f"uid-{made['metadata']['name']}", "resourceVersion": "1"}
    return httpx.Response(200, json=made)


def submitted(request: httpx.Request) -> httpx.Response:
    """Answer a submission of a template as Argo does."""
    options = json.loads(request.content)["submitOptions"]
    tags = dict(pair.split("=") for pair in options["labels"].split(","))
    return httpx.Response(200, json=workflow(options["name"], **tags))


def of(route: respx.Route) -> Any:
    """Return the JSON body of the last request to a route."""
    return json.loads(route.calls.last.request.content)


# Templates


async def test_a_template_is_submitted_with_its_parameters(
    router: respx.Router, client: aiowf.Client
) -> None:
    """The name is full, the labels are ours and the user's, and values become text."""
    router.get(path=f"{API}/workflow-templates/argo/etl.daily").respond(json=TEMPLATE)
    post = router.post(path=f"{WORKFLOWS}/submit").mock(side_effect=submitted)
    run = await client.submit_from(
        "etl.daily", {"message": "a=b", "count": 3}, labels={"team": "x"}, id="monday"
    )
    again = await client.submit_from("etl.daily", {"message": "a=b"}, id="monday")
    body = json.loads(post.calls[0].request.content)
    options = body["submitOptions"]
    assert (body["resourceKind"], body["resourceName"]) == ("WorkflowTemplate", "etl.daily")
    assert options["parameters"] == ["message=a=b", "count=3"]
    tags = dict(pair.split("=") for pair in options["labels"].split(","))
    assert tags.keys() == {"team", labels.SESSION, labels.IDEMPOTENCY_KEY}
    assert run.name == again.name == options["name"]
    assert run.name.startswith("etl-daily-")


async def test_a_lost_answer_to_a_template_is_looked_for(
    router: respx.Router, client: aiowf.Client
) -> None:
    """What is submitted from a template is created once, as any other workflow is."""
    router.get(path=f"{API}/workflow-templates/argo/etl.daily").respond(json=TEMPLATE)
    made: dict[str, Any] = {}

    def lose(request: httpx.Request) -> httpx.Response:
        made["it"] = submitted(request).json()
        return httpx.Response(504, html="<html>Gateway Timeout</html>")

    post = router.post(path=f"{WORKFLOWS}/submit").mock(side_effect=lose)
    router.get(path__regex=rf"{WORKFLOWS}/etl-daily-.*").mock(
        side_effect=lambda _: httpx.Response(200, json=made["it"])
    )
    run = await client.submit_from("etl.daily", {"message": "m"})
    assert (post.call_count, run.name) == (1, made["it"]["metadata"]["name"])


@pytest.mark.parametrize(
    ("given", "options", "match"),
    [
        ({"mesage": "m"}, {}, "has no parameter 'mesage'\n.*\"message\""),
        ({}, {}, "no value for the parameter message"),
        ({"message": "m", "size": "lage"}, {}, "'lage' is none of the values(.|\n)*\"large\""),
        ({"message": "m"}, {"entrypoint": "mian"}, "no template 'mian'\n.*\"main\""),
        ({"message": "m"}, {"kind": "WorkflowTemplat"}, '"WorkflowTemplate"'),
        ({"message": object()}, {}, "cannot be a parameter"),
        ({"message": "m"}, {"labels": {"a": "b,c"}}, "cannot be said to the server"),
        ({"message": "m"}, {"id": "1", "name": "n"}, "not both"),
        ({"message": "m"}, {"id": ""}, "id="),
    ],
)
async def test_a_wrong_submission_is_told_before_it_is_sent(
    router: respx.Router,
    client: aiowf.Client,
    given: dict[str, Any],
    options: dict[str, Any],
    match: str,
) -> None:
    """An unknown or missing parameter is an error with the nearest name; nothing is created."""
    router.get(path=f"{API}/workflow-templates/argo/etl.daily").respond(json=TEMPLATE)
    post = router.post(path=f"{WORKFLOWS}/submit").mock(side_effect=submitted)
    with pytest.raises(aiowf.ConfigurationError, match=match):
        await client.submit_from("etl.daily", given, **options)
    assert post.call_count == 0


async def test_cron_and_cluster_templates_are_read_where_they_are(
    router: respx.Router, client: aiowf.Client
) -> None:
    """A CronWorkflow that refers to a cluster template has the parameters of both."""
    ref = {"workflowTemplateRef": {"name": "shared", "clusterScope": True}}
    own = {"arguments": {"parameters": [{"name": "message", "value": "m"}]}}
    cron = {"metadata": {"name": "nightly"}, "spec": {"workflowSpec": {**ref, **own}}}
    router.get(path=f"{API}/cron-workflows/argo/nightly").respond(json=cron)
    router.get(path=f"{API}/cluster-workflow-templates/shared").respond(json=TEMPLATE)
    post = router.post(path=f"{WORKFLOWS}/submit").mock(side_effect=submitted)
    await client.submit_from("nightly", {"size": "large"}, kind="CronWorkflow")
    await client.submit_from("shared", {"message": "m"}, kind="ClusterWorkflowTemplate")
    assert post.call_count == 2


# Lint


async def test_lint_names_the_place(router: respx.Router, client: aiowf.Client) -> None:
    """What the server finds wrong is told with the place; nothing is created."""
    text = "templates.work.steps[0].a template name 'x' undefined"
    lint = router.post(path=f"{WORKFLOWS}/lint")
    lint.respond(500, json={"code": 2, "message": text})
    with pytest.raises(aiowf.InvalidWorkflowError) as caught:
        await client.lint(OP)
    assert caught.value.where == "templates.work.steps[0].a"
    lint.mock(side_effect=created)
    found = await client.lint({**OP.to_dict(), "metadata": {"generateName": "wf-"}})
    assert found.spec is not None
    assert found.spec.entrypoint == "work"


# Submitting


async def test_a_429_slows_all_submissions(router: respx.Router, client: aiowf.Client) -> None:
    """After 429 nothing is sent before Retry-After is over; then all are, each once."""
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def limited(request: httpx.Request) -> httpx.Response:
        times.append(loop.time())
        if len(times) <= 3:
            return httpx.Response(429, text="Too Many Requests\n", headers={"Retry-After": "1"})
        return created(request)

    router.post(path=WORKFLOWS).mock(side_effect=limited)
    runs = await asyncio.gather(*(client.submit(OP) for _ in range(3)))
    assert len({run.name for run in runs}) == 3
    assert len(times) == 6
    assert times[3] - times[2] > 0.9
    assert client._pace.rate is not None


async def test_a_429_that_never_ends_is_told(
    router: respx.Router, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is refused for too long gets the server's own words."""
    monkeypatch.setattr(submission, "RATE_LIMITED_SECONDS", 0.2)
    text = "/workflow.WorkflowService/CreateWorkflow is rejected by grpc_ratelimit middleware"
    router.post(path=WORKFLOWS).respond(429, json={"code": 8, "message": text})
    with pytest.raises(aiowf.RateLimitedError, match="grpc_ratelimit"):
        await client.submit(OP)


async def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens: the error says so, and not that nobody knows what exists."""
    monkeypatch.setattr(submission, "NEVER_REACHED_SECONDS", 0.3)
    async with aiowf.connect("http://127.0.0.1:9", namespace="argo", token="x") as client:
        with pytest.raises(aiowf.UnavailableError, match="nobody listens there") as caught:
            await client.submit(OP)
    assert "nobody knows" not in str(caught.value)


async def test_a_server_that_goes_away_after_a_lost_answer_leaves_a_doubt(
    router: respx.Router, client: aiowf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did not have the workflow when it was asked, but may have taken it since."""
    router.get(path__regex=rf"{WORKFLOWS}/op-.*").respond(
        404, json={"code": 5, "message": "not found"}
    )
    problems = iter(("no answer within 1 s", "no connection to argo:1: nobody listens there"))

    send = client.argo.call_json

    async def call_json(request: Any) -> Any:
        if request.method == "GET":
            return await send(request)
        raise aiowf.UnavailableError(next(problems), method=request.method, path=request.path)

    monkeypatch.setattr(client.argo, "call_json", call_json)
    monkeypatch.setattr(submission, "UNREACHABLE_SECONDS", 0)
    monkeypatch.setattr(submission, "NEVER_REACHED_SECONDS", 0)
    with pytest.raises(aiowf.UnavailableError, match=r"nobody knows whether .* no answer within"):
        await client.submit(OP)


async def test_another_s_answer_is_not_taken_for_ours(
    router: respx.Router, client: aiowf.Client
) -> None:
    """An answer that is not the workflow that was sent is doubted, and the server asked."""
    posted: list[dict[str, Any]] = []

    def mixed_up(request: httpx.Request) -> httpx.Response:
        posted.append(created(request).json())
        return httpx.Response(200, json=workflow("somebody-else"))

    router.post(path=WORKFLOWS).mock(side_effect=mixed_up)
    router.get(path__regex=rf"{WORKFLOWS}/op-.*").mock(
        side_effect=lambda _: httpx.Response(200, json=posted[0])
    )
    run = await client.submit(OP)
    assert [run.name] == [each["metadata"]["name"] for each in posted]


async def test_who_may_not_look_is_told_that_it_is_unknown(
    router: respx.Router, client: aiowf.Client
) -> None:
    """Without the permission to get workflows nobody can say what became of a lost answer."""
    post = router.post(path=WORKFLOWS).respond(500, json={"code": 13, "message": "Post: EOF"})
    router.get(path__regex=rf"{WORKFLOWS}/op-.*").respond(403, json={"code": 7, "message": "no"})
    with pytest.raises(aiowf.UnavailableError, match="nobody knows whether workflow op-"):
        await client.submit(OP)
    assert post.call_count == 1


async def test_an_id_and_a_name_contradict_each_other(client: aiowf.Client) -> None:
    """A workflow with a full name cannot have one made from an id."""
    with pytest.raises(aiowf.ConfigurationError, match="would make another"):
        await client.submit({**OP.to_dict(), "metadata": {"name": "mine"}}, id="x")
    with pytest.raises(aiowf.ConfigurationError, match="needs a name"):
        await client.submit({**OP.to_dict(), "metadata": {}})


def test_the_window_is_shorter_than_the_time_to_live() -> None:
    """A workflow that may be deleted soon is not sent again late."""
    assert window_of(None) == planning.WINDOW_SECONDS
    assert window_of(TTLStrategy(seconds_after_completion=7200)) == planning.WINDOW_SECONDS
    brief = TTLStrategy(seconds_after_success=10, seconds_after_failure=4000)
    assert window_of(brief) == 5.0
    assert window_of(TTLStrategy(seconds_after_completion=0)) == 0.0


# Pace


async def test_the_pace_adapts_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal halves what was accepted, old refusals count once, and acceptance speeds up."""
    ours = Pace()
    first = await ours.turn()
    for _ in range(100):
        ours.accepted()
    ours.refused(first, 0.0)
    cut = ours.rate
    assert cut is not None
    ours.refused(first, 0.0)  # it was sent before the cut
    assert ours.rate == cut
    ours.accepted()
    assert ours.rate > cut
    monkeypatch.setattr(pace, "_CUT_EVERY", 0.0)
    later = await ours.turn()
    ours.refused(later, None)
    assert ours.rate < cut
    monkeypatch.setattr(pace, "_FREE", ours.rate)
    ours.accepted()
    assert ours.rate is None


async def test_the_pace_keeps_the_order() -> None:
    """Those who wait go on one after the other, at the reduced speed."""
    ours = Pace()
    ours.refused(await ours.turn(), 0.05)
    assert ours.rate == 5.0
    ours.rate = 100.0
    done: list[int] = []

    async def one(number: int) -> float:
        at = await ours.turn()
        done.append(number)
        return at

    times = await asyncio.gather(*(one(number) for number in range(4)))
    assert done == [0, 1, 2, 3]
    assert times[-1] - times[0] >= 0.029


# Runs


async def test_a_retried_run_can_be_awaited_again(
    router: respx.Router, client: aiowf.Client
) -> None:
    """retry() forgets the end that was seen, and the next await gives the new one."""
    router.post(path=WORKFLOWS).mock(side_effect=created)
    run = await client.submit({**OP.to_dict(), "metadata": {"name": "again"}})
    mine = {labels.SESSION: client.backend.session_id}
    get = router.get(path=f"{WORKFLOWS}/again")
    get.respond(json=workflow("again", "Failed", "5", **mine))
    listed = router.get(path=WORKFLOWS)
    listed.respond(json={"metadata": {}, "items": [workflow("again", "Failed", "5", **mine)]})
    watch = client.watching._watch
    assert watch is not None
    watch._check.set()
    assert (await run.wait(check=False, timeout=5)).phase == "Failed"
    put = router.put(path=f"{WORKFLOWS}/again/retry")
    put.respond(json=workflow("again", "Running", "7", **mine))
    await run.retry(restart_successful=True, nodes="work", parameters={"n": 1})
    assert of(put) == {
        "restartSuccessful": True,
        "nodeFieldSelector": "displayName=work",
        "parameters": ["n=1"],
    }
    assert run.phase == "Running"
    get.respond(json=workflow("again", "Succeeded", "9", **mine))
    listed.respond(json={"metadata": {}, "items": [workflow("again", "Succeeded", "9", **mine)]})
    watch._check.set()
    assert (await run.wait(timeout=5)).phase == "Succeeded"


async def test_resubmit_is_a_new_run_and_is_sent_once(
    router: respx.Router, client: aiowf.Client
) -> None:
    """Its name is the server's, so that after a failure it is not sent again."""
    put = router.put(path=f"{WORKFLOWS}/old/resubmit")
    put.respond(json=workflow("old-x7", "Running"))
    run = await client.get_run("old").resubmit(memoized=True, parameters={"a": "b"})
    assert (run.name, of(put)) == ("old-x7", {"memoized": True, "parameters": ["a=b"]})
    put.respond(503, json={"code": 14, "message": "connection refused"})
    with pytest.raises(aiowf.UnavailableError):
        await client.get_run("old").resubmit()
    put.respond(429, text="Too Many Requests\n", headers={"Retry-After": "0"})
    with pytest.raises(aiowf.RateLimitedError):
        await client.get_run("old").resubmit()
    assert put.call_count == 3
    assert client._pace.rate is not None


async def test_what_was_done_is_not_done_again(router: respx.Router, client: aiowf.Client) -> None:
    """After a lost answer the node is looked at; it is no longer suspended, so it was resumed."""
    gate = {"id": "g", "name": "w.gate", "displayName": "gate", "type": "Suspend"}
    before, after = workflow("w", "Running", "1"), workflow("w", "Running", "2")
    before["status"]["nodes"] = {"g": {**gate, "phase": "Running"}}
    after["status"]["nodes"] = {"g": {**gate, "phase": "Succeeded"}}
    answers = [before, after]
    router.get(path=f"{WORKFLOWS}/w").mock(
        side_effect=lambda _: httpx.Response(200, json=answers.pop(0))
    )
    put = router.put(path=f"{WORKFLOWS}/w/resume").respond(504, html="<html></html>")
    await client.get_run("w").resume("gate")
    assert (put.call_count, of(put)) == (1, {"nodeFieldSelector": "displayName=gate"})


async def test_what_was_not_done_is_sent_again(router: respx.Router, client: aiowf.Client) -> None:
    """set and stop of a suspended node are repeated while nothing has changed."""
    router.get(path=f"{WORKFLOWS}/w").respond(json=workflow("w", "Running"))
    done = httpx.Response(200, json=workflow("w", "Running"))
    failed = httpx.Response(503, json={"code": 14, "message": "connection refused"})
    conflict = "timed out waiting for the condition"
    clash = httpx.Response(500, json={"code": 13, "message": conflict})
    put = router.put(path=f"{WORKFLOWS}/w/set").mock(side_effect=[failed, clash, done])
    await client.get_run("w").set("gate", phase="Succeeded", message="ok", outputs={"a": "1"})
    assert (put.call_count, of(put)["outputParameters"]) == (3, '{"a": "1"}')
    stop = router.put(path=f"{WORKFLOWS}/w/stop").mock(side_effect=[failed, done])
    await client.get_run("w").stop("displayName=gate", message="no")
    assert (stop.call_count, of(stop)["message"]) == (2, "no")
    refused = httpx.Response(400, json={"code": 3, "message": "workflow must be completed"})
    router.put(path=f"{WORKFLOWS}/w/retry").mock(side_effect=[refused])
    with pytest.raises(aiowf.BadRequestError):
        await client.get_run("w").retry()
    with pytest.raises(aiowf.ConfigurationError, match="set needs nodes"):
        await client.get_run("w").set(None, phase="Succeeded")


# Lists


async def test_lists_are_filtered_by_the_server(router: respx.Router, client: aiowf.Client) -> None:
    """Phases, labels, age and number become the server's own selectors; pages are followed."""
    items = [workflow(f"w-{n}", "Running") for n in range(150)]

    def page(request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        begin = int(query.get("listOptions.continue", 0))
        size = int(query["listOptions.limit"])
        return httpx.Response(200, json={"metadata": {}, "items": items[begin : begin + size]})

    route = router.get(path=WORKFLOWS).mock(side_effect=page)
    since = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
    found = await client.list(
        phase=("Running", "Failed"), labels={"a": "b", "c": None}, created_after=since, limit=120
    )
    query = dict(route.calls.last.request.url.params)
    assert [run.name for run in found] == [f"w-{n}" for n in range(120)]
    assert query["listOptions.labelSelector"] == f"a=b,c,{labels.ARGO_PHASE} in (Running,Failed)"
    assert query["createdAfter"] == "2026-11-23T16:00:00+00:00"
    assert len([run async for run in client.list(phase="Running")]) == 150
    assert client.list(created_after=timedelta(hours=1)).created_after is not None


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"phase": "running"}, '"Running"'),
        ({"limit": 0}, "positive"),
        ({"created_after": datetime(2026, 1, 1)}, "time zone"),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(
    client: aiowf.Client, options: dict[str, Any], match: str
) -> None:
    """A misspelt phase would find nothing, silently."""
    with pytest.raises(aiowf.ConfigurationError, match=match):
        client.list(**options)


async def test_a_first_answer_that_was_damaged_leaves_doubt(
    client: aiowf.Client, router: respx.Router
) -> None:
    """An answer cut short, the first of all: the server is asked whether it has the workflow."""
    made: dict[str, Any] = {}

    def create(request: httpx.Request) -> httpx.Response:
        made.update(json.loads(request.content)["workflow"])
        return httpx.Response(200, content=b'{"metadata": {"na')

    router.post(path=WORKFLOWS).mock(side_effect=create)
    router.get(path__regex=rf"{WORKFLOWS}/op-.*").mock(
        side_effect=lambda request: httpx.Response(200, json=made)
    )
    run = await client.submit(OP)
    assert made["metadata"]["name"] == run.name


class Foreign:
    """Renders as an operation does, and has no more than `Renderable` asks for."""

    name = "foreign-"
    is_sync = wants_files = False
    claims = ()
    decoders: ClassVar[dict[str, Any]] = {}

    def to_workflow(self, profile: Any = None, *, submission: Any = None) -> Workflow:
        """Render a workflow of another one's."""
        return OP.to_workflow(profile, submission=submission)


async def test_what_says_no_shape_is_rendered_each_time(
    router: respx.Router, client: aiowf.Client
) -> None:
    """A client needs nothing of it but the members of `Renderable`."""
    router.post(path=WORKFLOWS).mock(side_effect=created)
    runs = [await client.submit(Foreign()) for _ in range(2)]
    assert 2 == len({run.name for run in runs})
    assert all(run.name.startswith("foreign-") for run in runs)
