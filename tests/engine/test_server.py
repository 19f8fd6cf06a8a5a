"""The HTTP server: watches, logs, lists, refusals of what the engine does not run."""

import asyncio
import io
import json
from typing import Any

import pytest
from bed import SSE, Bed, ScriptedExecutor, bed, dag, messages, nodes_of, pod, single, steps

from aiowf.engine import streams, watching
from aiowf.engine.pod import PodResult
from aiowf.errors import ConfigurationError

SUSPENDED = single({"name": "s", "suspend": {}})
EOF = b'{"error":{"grpc_code":8,"http_code":429,"message":"EOF","http_status":"Too Many Requests"}}'


async def lines_of(response: Any) -> list[bytes]:
    """Return what a stream says until it ends."""
    return (await response.read()).split(b"\n")


async def test_a_watch_in_both_framings(bed: Bed) -> None:
    """Server-Sent Events have a blank before their two line ends; the others are lines of JSON."""
    await bed.create(SUSPENDED)
    path = "workflow-events/ns?fields=result.type,error&listOptions.timeoutSeconds=1"
    async with bed.stream(path) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        text = await response.read()
    assert text.startswith(b'data: {"result":{"type":"ADDED"}} \n\n\n')
    assert text.endswith(b"data: " + EOF + b" \n\n")
    async with bed.stream(path, Accept="application/json") as response:
        assert response.headers["Content-Type"] == "application/json"
        text = await response.read()
    assert text.startswith(b'{"result":{"type":"ADDED"}}\n')
    assert text.endswith(EOF)


@pytest.mark.parametrize(
    ("fields", "end"),
    [("result.type", b"data: {} \n\n"), ("-result.object.spec", b"data: " + EOF + b" \n\n")],
)
async def test_fields_filter_the_error_of_a_stream(bed: Bed, fields: str, end: bytes) -> None:
    """An error is asked for like everything else, but never left out by name."""
    path = f"workflow-events/ns?fields={fields}&listOptions.timeoutSeconds=1"
    async with bed.stream(path) as response:
        assert (response.status, await response.read()) == (429, end)


async def test_keepalives(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle stream of events is kept open, and begins with its first keepalive."""
    monkeypatch.setattr(streams, "KEEPALIVE", 0.05)
    async with bed.stream("workflow-events/ns") as response:
        assert await response.content.readline() == b":\n"
        assert await response.content.readline() == b":\n"


async def test_a_watch_whose_client_has_gone(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server notices that nobody reads, with and without keepalives, and stops watching."""
    monkeypatch.setattr(streams, "KEEPALIVE", 0.02)
    await bed.create(SUSPENDED)
    for accept in ("text/event-stream", "application/json"):
        async with bed.stream("workflow-events/ns", Accept=accept) as response:
            await response.content.readline()
            response.close()
    async with asyncio.timeout(10):
        while bed.controller.store._watches:
            await bed.get()


async def test_a_watch_resumes_from_a_resource_version(bed: Bed) -> None:
    """Everything after a version is told again, in order; an old version is refused."""
    first = await bed.create(SUSPENDED, "first")
    await bed.run(single(pod("p")))
    await bed.client.delete("/api/v1/workflows/ns/wf")
    seen = []
    version = first["metadata"]["resourceVersion"]
    path = f"workflow-events/ns?listOptions.resourceVersion={version}"
    async with bed.stream(path) as response:
        async for kind, workflow in messages(response):
            seen.append((kind, workflow["metadata"]["name"], workflow["status"].get("phase")))
            if kind == "DELETED":
                break
    assert next(row for row in seen if row[1] == "wf") == ("ADDED", "wf", None)
    assert seen[-1] == ("DELETED", "wf", "Succeeded")
    assert ("MODIFIED", "wf", "Running") in seen
    bed.controller.store._forgotten = 1000000
    async with bed.stream("workflow-events/ns?listOptions.resourceVersion=1") as response:
        text = await response.text()
    assert response.status == 400
    assert "too old resource version: 1 (1000000)" in text


async def test_the_history_is_bounded(bed: Bed) -> None:
    """Old events are forgotten, and a watch cannot resume before them."""
    await bed.create(SUSPENDED)
    store = bed.controller.store
    run = store.get("ns", "wf")
    for _ in range(5000):
        store.publish("MODIFIED", run, run.labels)
    assert 100 < store._forgotten < store.version
    async with bed.stream("workflow-events/ns?listOptions.resourceVersion=101") as response:
        assert "too old resource version" in await response.text()


async def test_a_watch_that_falls_behind_is_ended(bed: Bed) -> None:
    """The queue of a watch is bounded: its end tells the client to list again."""
    await bed.create(SUSPENDED)
    store = bed.controller.store
    run = store.get("ns", "wf")
    async with bed.stream("workflow-events/ns?fields=error,result.type") as response:
        await response.content.readline()
        for _ in range(20000):
            store.publish("MODIFIED", run, run.labels)
        text = await response.read()
    assert text.endswith(EOF + b" \n\n")


async def test_bookmarks_and_initial_events(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bookmarks come when asked for, and after the present state."""
    monkeypatch.setattr(watching, "_BOOKMARK_EVERY", 0.05)
    await bed.create(SUSPENDED)
    path = (
        "workflow-events/ns?listOptions.allowWatchBookmarks=true&listOptions.sendInitialEvents=true"
        "&listOptions.resourceVersionMatch=NotOlderThan&fields=result.type,result.object.metadata"
    )
    seen: list[tuple[str, Any]] = []
    async with bed.stream(path) as response:
        async for kind, workflow in messages(response):
            seen.append((kind, workflow["metadata"].get("annotations")))
            if len(seen) == 4:
                break
    assert [row for row in seen if row[0] == "BOOKMARK"] == [
        ("BOOKMARK", {"k8s.io/initial-events-end": "true"}),
        *[("BOOKMARK", None)] * (sum(row[0] == "BOOKMARK" for row in seen) - 1),
    ]
    assert seen[0][0] == "ADDED"
    async with bed.stream("workflow-events/ns?listOptions.sendInitialEvents=true") as response:
        assert response.status == 400


async def test_a_workflow_that_enters_and_leaves_a_selection(bed: Bed) -> None:
    """A change of labels looks like the coming and going of the object."""
    await bed.create(SUSPENDED, "first")
    await bed.until(lambda found: found["status"]["startedAt"], "first")
    seen = []
    selector = "listOptions.labelSelector=workflows.argoproj.io/phase%3DRunning"
    async with bed.stream(f"workflow-events/ns?{selector}") as response:
        await bed.create(single(pod("p")))
        async for kind, workflow in messages(response):
            if workflow["metadata"]["name"] == "wf":
                seen.append((kind, workflow["status"]["phase"]))
            if kind == "DELETED":
                break
    assert (seen[0], seen[-1]) == (("ADDED", "Running"), ("DELETED", "Succeeded"))


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("listOptions.fieldSelector=metadata.name%3Dnope", 404, '"nope\\" not found'),
        ("listOptions.fieldSelector=metadata.name%3D%40latest", 404, "no workflows found"),
        (
            "listOptions.fieldSelector=status.phase%3Dx",
            400,
            "field label not supported: status.phase",
        ),
        ("listOptions.fieldSelector=nonsense", 400, "can't understand 'nonsense'"),
        ("listOptions.labelSelector=a%3D%3D%3Db", 400, "unable to parse requirement"),
        ("listOptions.resourceVersion=abc", 400, "invalid syntax"),
        ("listOptions.limit=x", 400, "invalid syntax"),
        ("listOptions.timeoutSeconds=x", 400, "invalid syntax"),
    ],
)
async def test_watches_that_are_refused(bed: Bed, query: str, status: int, message: str) -> None:
    """A watch that cannot begin has the error's own status."""
    async with bed.stream(f"workflow-events/ns?{query}") as response:
        assert (response.status, message in await response.text()) == (status, True)


async def test_a_watch_of_all_namespaces(bed: Bed) -> None:
    """An empty namespace means all of them; another one sees nothing."""
    await bed.create(SUSPENDED)
    async with bed.stream(
        "workflow-events/?listOptions.fieldSelector=metadata.namespace%3Dns"
    ) as r:
        assert (await anext(messages(r)))[1]["metadata"]["name"] == "wf"
    async with bed.stream("workflow-events/other?listOptions.timeoutSeconds=1") as response:
        assert response.status == 429
    response = await bed.client.get("/api/v1/workflows/?fields=items.metadata.name")
    assert (await response.json())["items"][0]["metadata"] == {"name": "wf"}


async def test_changes_are_told_together(bed: Bed) -> None:
    """Many pods of one workflow make few events, and the last one is complete."""
    names = [f"t{n}" for n in range(100)]
    await bed.create(steps(names, templates=[pod(name) for name in names]))
    seen = []
    async with bed.stream("workflow-events/ns?listOptions.resourceVersion=1") as response:
        assert response.status == 400
    async with bed.stream("workflow-events/ns") as response:
        async for _, workflow in messages(response):
            seen.append(workflow["status"].get("progress"))
            if workflow["status"]["finishedAt"]:
                break
    assert seen[-1] == "100/100"
    assert len(seen) < 50


async def names_of(bed: Bed, query: str) -> list[str]:
    """Return the names in a page of a list."""
    response = await bed.client.get(f"/api/v1/workflows/ns?{query}")
    page = await response.json()
    assert response.status == 200, page
    return [item["metadata"]["name"] for item in page["items"] or ()]


async def test_lists(bed: Bed) -> None:
    """Selectors, filters and pages of a list, the newest first."""
    for name in ("a-1", "a-2", "b-1"):
        await bed.create(SUSPENDED, name, labels={"x": name[0]})
    await bed.until(lambda found: found["status"]["startedAt"], "b-1")
    name = "listOptions.fieldSelector=metadata.name"
    for query, names in (
        ("", ["b-1", "a-2", "a-1"]),
        ("listOptions.labelSelector=x%3Da", ["a-2", "a-1"]),
        ("listOptions.limit=2", ["b-1", "a-2"]),
        ("listOptions.limit=2&listOptions.continue=2", ["a-1"]),
        ("listOptions.continue=9", []),
        (f"{name}%3Da-1", ["a-1"]),
        (f"{name}!%3Da-1", ["b-1", "a-2"]),
        (f"{name}%3Da&nameFilter=Prefix", ["a-2", "a-1"]),
        (f"{name}%3D-1&nameFilter=Contains", ["b-1", "a-1"]),
        (f"{name}%3Da-1&nameFilter=NotEquals", ["b-1", "a-2"]),
        ("listOptions.fieldSelector=metadata.namespace%3Dother", []),
        ("listOptions.fieldSelector=spec.startedAt%3E2020-01-01T00:00:00Z", ["b-1", "a-2", "a-1"]),
        ("listOptions.fieldSelector=spec.startedAt%3C2020-01-01T00:00:00Z", []),
        ("createdAfter=2099-01-01T00:00:00Z", []),
        ("finishedBefore=2020-01-01T00:00:00Z", ["b-1", "a-2", "a-1"]),
    ):
        assert (query, await names_of(bed, query)) == (query, names)
    counted = "listOptions.fieldSelector=ext.showRemainingItemCount%3Dtrue&listOptions.limit=2"
    response = await bed.client.get(f"/api/v1/workflows/ns?{counted}&fields=metadata")
    page = await response.json()
    assert (page["metadata"]["continue"], page["metadata"]["remainingItemCount"]) == ("2", 1)
    assert page["items"] is None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("listOptions.continue=abc", "listOptions.continue must be int"),
        ("listOptions.continue=-1", "listOptions.continue must >= 0"),
        ("listOptions.limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("listOptions.fieldSelector=status.phase%3Dx", "unsupported requirement status.phase=x"),
    ],
)
async def test_lists_that_are_refused(bed: Bed, query: str, message: str) -> None:
    """Parameters that do not parse are refused in Argo's words."""
    response = await bed.client.get(f"/api/v1/workflows/ns?{query}")
    assert (response.status, await response.json()) == (400, {"code": 3, "message": message})


async def test_get(bed: Bed) -> None:
    """By name, the newest, with fields, with a uid."""
    created = await bed.create(SUSPENDED)
    uid = created["metadata"]["uid"]
    assert (await bed.get("@latest", "metadata.name"))["metadata"] == {"name": "wf"}
    assert (await bed.get("wf", "metadata.uid"))["status"] == {
        "startedAt": None,
        "finishedAt": None,
    }
    assert (await bed.client.get(f"/api/v1/workflows/ns/wf?uid={uid}")).status == 200
    assert (await bed.client.get("/api/v1/workflows/ns/wf?uid=other")).status == 500


async def test_dry_runs(bed: Bed) -> None:
    """A dry run answers as a creation would, and creates nothing."""
    body = {"workflow": {"metadata": {"name": "wf"}, "spec": SUSPENDED}, "serverDryRun": True}
    assert (await bed.client.post("/api/v1/workflows/ns", json=body)).status == 200
    assert (await bed.get())["code"] == 5
    await bed.create(SUSPENDED)
    assert (await bed.client.post("/api/v1/workflows/ns", json=body)).status == 409
    body = {**body, "serverDryRun": False, "createOptions": {"dryRun": ["All"]}}
    assert (await bed.client.post("/api/v1/workflows/ns", json=body)).status == 200


async def test_bodies_that_are_refused(bed: Bed) -> None:
    """What is no request for a workflow is refused."""
    for body, message in (
        (b"x" * (3 * 1024 * 1024 + 1), "Request entity too large: limit is 3145728"),
        (b"{nope", "invalid JSON"),
        (b'{"workflow": 5}', "json: cannot unmarshal number into Go struct field workflow"),
        (b'{"workflow": {"spec": {"podGC": []}}}', "workflow.spec.podGC"),
        (b'{"workflow": {"spec": {"hooks": []}}}', "workflow.spec.hooks"),
        (b'{"workflow": {"metadata": {"labels": []}}}', "workflow.metadata.labels"),
        (b'{"workflow": {"metadata": {"finalizers": {}}}}', "workflow.metadata.finalizers"),
        (b'{"workflow": {"spec": {"activeDeadlineSeconds": "1"}}}', "activeDeadlineSeconds"),
    ):
        response = await bed.client.post("/api/v1/workflows/ns", data=io.BytesIO(body))
        answer = await response.json()
        assert (response.status, message in answer["message"]) == (400, True), answer


def with_step(**step: Any) -> dict[str, Any]:
    """Return a specification with one odd step."""
    return steps([{"name": "p", **step}], templates=[pod("p")])


PARAMETER = {"parameters": [{"name": "v", "valueFrom": {"path": "/x"}}]}
CLAIMLESS = {"volumeClaimTemplates": [{"spec": {}}]}


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (single(pod("p", daemon=True)), "spec.templates[0].daemon"),
        (single(pod("p", sidecars=[{"name": "s"}])), "spec.templates[0].sidecars"),
        (single({"name": "p", "http": {}}), "spec.templates[0].http"),
        (single(pod("p"), synchronization={"mutexes": []}), "spec.synchronization"),
        (with_step(hooks={"exit": {"template": "p"}}), "spec.templates[0].steps[0][0].hooks"),
        (with_step(onExit="p"), "spec.templates[0].steps[0][0].onExit"),
        (
            with_step(arguments={"parameters": [{"name": "v", "valueFrom": {"event": "e"}}]}),
            "spec.templates[0].steps[0][0].arguments.parameters[0].valueFrom",
        ),
        (
            with_step(arguments={"artifacts": [{"name": "a", "from": "{{x}}"}]}),
            "spec.templates[0].steps[0][0].arguments.artifacts[0].from",
        ),
        (
            dag({"name": "p", "onExit": "p"}, templates=[pod("p")]),
            "spec.templates[0].dag.tasks[0].onExit",
        ),
        (
            single(pod("p", inputs={"artifacts": [{"name": "a", "s3": {"key": "k"}}]})),
            "spec.templates[0].inputs.artifacts[0].s3",
        ),
        (
            single(
                pod(
                    "p",
                    inputs={"parameters": [{"name": "v", "valueFrom": {"configMapKeyRef": {}}}]},
                )
            ),
            "spec.templates[0].inputs.parameters[0].valueFrom.configMapKeyRef",
        ),
        (
            single(pod("p", outputs={"parameters": [{"name": "v", "valueFrom": {"event": "e"}}]})),
            "spec.templates[0].outputs.parameters[0].valueFrom.event",
        ),
        (
            single(pod("p", outputs={"parameters": [{"name": "v"}]})),
            "spec.templates[0].outputs.parameters[0].valueFrom",
        ),
        (single(pod("p"), podGC={"deleteDelayDuration": "soon"}), "spec.podGC.deleteDelayDuration"),
        (
            single(pod("p", retryStrategy={"backoff": {"duration": "x"}})),
            "spec.templates[0].retryStrategy.backoff.duration",
        ),
        (
            single(pod("p", retryStrategy={"expression": "f(x)"})),
            "spec.templates[0].retryStrategy.expression",
        ),
        (
            single({"name": "p", "container": {"image": "i", "args": ["{{=sprig.x(1)}}"]}}),
            "spec.templates[0].container.args[0]",
        ),
        (single(pod("p"), **CLAIMLESS), "spec.volumeClaimTemplates[0].metadata.name"),
    ],
)
async def test_what_the_engine_does_not_run_is_refused(
    bed: Bed, spec: dict[str, Any], where: str
) -> None:
    """A workflow that cannot run here is refused with the field."""
    assert (await bed.refused(spec)).partition(": ")[0] == where


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            with_step(
                arguments={"parameters": [{"name": "v", "value": "{{steps.zz.outputs.result}}"}]}
            ),
            "templates.main.steps failed to resolve {{steps.zz.outputs.result}}",
        ),
        (
            dag(
                {
                    "name": "p",
                    "arguments": {"parameters": [{"name": "v", "value": "{{tasks.q.id}}"}]},
                },
                templates=[pod("p")],
            ),
            "templates.main.tasks.p failed to resolve {{tasks.q.id}}",
        ),
        (
            steps(["p"], templates=[pod("p", inputs={"parameters": [{"name": "x"}]})]),
            "templates.main.steps[0].p templates.p inputs.parameters.x was not supplied",
        ),
        (
            steps([{"name": "a b", "template": "p"}], templates=[pod("p")]),
            "templates.main.steps[0].name: 'a b' is invalid: name must consist of alpha-numeric "
            "characters or '-', and must start with an alpha-numeric character "
            "(e.g. My-name1-2, 123-NAME)",
        ),
        (
            single(pod("p" * 129)),
            f"spec.templates[0].name: '{'p' * 129}' is invalid: "
            "must be no more than 128 characters",
        ),
        (single({"name": "", "suspend": {}}, entrypoint="x"), "spec.templates[0].name is required"),
        (
            single(pod("p"), arguments={"parameters": [{"name": "v"}]}),
            "spec.arguments.v.value or spec.arguments.v.valueFrom is required",
        ),
        (single(pod("p"), onExit="nope"), "template name 'nope' undefined"),
        (
            single(pod("p", parallelism=1)),
            "templates.p.parallelism is only valid for steps and dag templates",
        ),
        (
            {"entrypoint": "m", "templates": [{"name": "m", "steps": [[]], "timeout": "1s"}]},
            "templates.m.timeout is only valid for leaf templates",
        ),
        (
            dag({"name": "p", "depends": "q &&"}, templates=[pod("p")]),
            "templates.main.tasks.p unable to parse the depends logic 'q &&'",
        ),
        (
            dag({"name": "p", "depends": "q"}, {"name": "q", "dependencies": ["p"]}, templates=[]),
            "templates.main cannot use both 'depends' and 'dependencies' in the same DAG template",
        ),
        (
            dag({"name": "p", "depends": "q"}, {"name": "q", "continueOn": {"failed": True}}),
            "templates.main cannot use 'continueOn' when using 'depends'. Instead use "
            "'dep-task.Failed'/'dep-task.Errored'",
        ),
        (
            dag({"name": "p"}, templates=[pod("p")], failFast=True),
            None,
        ),
        (
            {"entrypoint": "t0", "templates": [pod(f"t{n}") for n in range(201)]},
            'Workflow.argoproj.io "wf" is invalid: spec.templates: Too many: 201: '
            "must have at most 200 items",
        ),
    ],
)
async def test_argos_own_refusals(bed: Bed, spec: dict[str, Any], message: str | None) -> None:
    """An invalid workflow is refused in Argo's words."""
    if message is None:
        await bed.create(spec)
    else:
        assert await bed.refused(spec) == message


async def test_a_target_that_is_not_there(bed: Bed) -> None:
    """A DAG's target must be one of its tasks."""
    spec = dag({"name": "p"}, templates=[pod("p")])
    spec["templates"][0]["dag"]["target"] = "q"
    assert await bed.refused(spec) == "templates.main.targets target 'q' is not defined"


async def test_the_executor_refuses_too() -> None:
    """What the executor cannot have is refused at submission, with the field."""
    executor = ScriptedExecutor()

    def refuse(thing: Any, where: str) -> None:
        raise ConfigurationError("not here", where=where)

    executor.check_volume = refuse  # type: ignore[method-assign]
    async with bed(executor) as running:
        own = single(pod("p", volumes=[{"name": "v", "emptyDir": {}}]))
        assert await running.refused(own) == "spec.templates[0].volumes[0]: not here"
        shared = single(pod("p"), volumes=[{"name": "v", "emptyDir": {}}])
        assert await running.refused(shared) == "spec.volumes[0]: not here"
        executor.check = refuse  # type: ignore[method-assign]
        script = {"name": "p", "script": {"image": "i", "source": "x"}}
        assert await running.refused(single(script)) == "spec.templates[0].script: not here"


async def entries(bed: Bed, query: str) -> list[tuple[str, str]]:
    """Return pod and text of every log entry."""
    async with bed.stream(f"workflows/ns/wf/log?{query}", Accept="") as response:
        rows = [json.loads(line)["result"] for line in await lines_of(response) if line]
    return [(row["podName"], row["content"]) for row in rows]


async def test_logs() -> None:
    """Logs can be selected by pod, label and text, and cut to their end."""
    main = "logOptions.container=main"
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(steps(["a", "b"], templates=[pod("a"), pod("b")]))
        first, second = await running.executor.pod("a"), await running.executor.pod("b")
        first.say("one", "two", "three")
        second.say("zwei\r")
        second.output.append(b"\xff")
        a, b = first.pod.name, second.pod.name
        first.end(PodResult(exit_code=0))
        await running.until(lambda found: found["status"]["progress"] == "1/2")
        for query, expected in (
            (main, [(a, "one"), (a, "two"), (a, "three"), (b, "zwei"), (b, "\ufffd")]),
            (f"{main}&podName={a}&logOptions.tailLines=2", [(a, "two"), (a, "three")]),
            (f"{main}&grep=e$", [(a, "one"), (a, "three")]),
            (f"{main}&selector=workflows.argoproj.io/completed%3Dfalse&grep=z", [(b, "zwei")]),
            (f"{main}&podName=nope", []),
            ("", []),
            (f"{main}&logOptions.previous=true", []),
        ):
            assert (query, await entries(running, query)) == (query, expected)
        running.executor.forget(first.pod.key)
        assert await entries(running, f"{main}&podName={a}") == []
        path = f"workflows/ns/wf/{b}/log?{main}"
        async with running.stream(path) as response:
            assert (await response.content.readline()).startswith(
                b'data: {"result":{"content":"zwei"'
            )


async def test_logs_are_followed_to_the_end_of_the_workflow() -> None:
    """Following gives the lines of pods that start later, and ends with the workflow."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(steps(["a"], ["b"], templates=[pod("a"), pod("b")]))
        query = "logOptions.container=main&logOptions.follow=true&logOptions.tailLines=5"
        following = asyncio.create_task(entries(running, query))
        for name in ("a", "b"):
            state = await running.executor.pod(name)
            state.say(f"1 {name}")
            await asyncio.sleep(0)
            state.say(f"2 {name}")
            state.end(PodResult(exit_code=0))
        rows = await following
    assert [text for _, text in rows] == ["1 a", "2 a", "1 b", "2 b"]


async def test_following_the_logs_of_a_deleted_workflow() -> None:
    """The stream ends when the workflow goes; nobody left following leaves anything behind."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(single(pod("p")))
        state = await running.executor.pod("p")
        query = "logOptions.container=main&logOptions.follow=true"
        async with running.stream(f"workflows/ns/wf/log?{query}") as response:
            state.say("x")
            await response.content.readline()
        following = asyncio.create_task(entries(running, query))
        await running.get()
        await running.client.delete("/api/v1/workflows/ns/wf")
        assert [text for _, text in await following] == ["x"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("grep=[", 500), ("logOptions.tailLines=x", 400), ("selector=a%3D%3D%3D", 400)],
)
async def test_logs_that_are_refused(bed: Bed, query: str, status: int) -> None:
    """Parameters that do not parse are refused."""
    await bed.create(SUSPENDED)
    async with bed.stream(f"workflows/ns/wf/log?logOptions.container=main&{query}") as response:
        assert response.status == status


async def test_logs_of_a_missing_workflow(bed: Bed) -> None:
    """A missing workflow is a 404 in the framing of the stream."""
    async with bed.stream("workflows/ns/nope/log?logOptions.container=main") as response:
        assert (response.status, (await response.read())[:18]) == (404, b'data: {"error":{"g')


async def test_the_token_is_asked_for() -> None:
    """Without the token nothing below /api/ answers; streams say so in their own framing."""
    async with bed(token="t") as running:
        get = running.client.get
        assert (await get("/api/v1/info")).status == 401
        assert (await get("/api/v1/info", headers={"Authorization": "Bearer t"})).status == 200
        assert (await get("/elsewhere")).status == 200
        response = await get("/api/v1/workflow-events/ns", headers=SSE)
        assert (response.status, (await response.read())[:18]) == (401, b'data: {"error":{"g')


async def test_an_event_keeps_the_metadata_of_its_moment(bed: Bed) -> None:
    """What is sent later than it happened has the labels and the phase of then."""
    await bed.create(single(pod("p")), labels={"s": "1"})
    await bed.finished()
    async with bed.stream("workflow-events/ns?listOptions.resourceVersion=100") as response:
        kind, workflow = await anext(messages(response))
    assert (kind, workflow["metadata"]["labels"]) == ("ADDED", {"s": "1"})
    assert nodes_of(await bed.get())["wf"]["phase"] == "Succeeded"
