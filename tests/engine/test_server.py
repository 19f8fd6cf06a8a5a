"""The HTTP server: watches, lists, logs, tokens."""

import asyncio
import gc
import json
import weakref
from typing import Any
from urllib.parse import quote

import pytest
from bed import SSE, Bed, ScriptedExecutor, bed, messages, nodes_of, pod, single, steps

from aiowf.engine import streams, watching
from aiowf.engine.pod import LogLine, PodResult
from aiowf.engine.run import WorkflowRun

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


@pytest.mark.parametrize("version", ["100000", "²"])
async def test_a_watch_from_nowhere_is_refused(bed: Bed, version: str) -> None:
    """Whoever was told a version by an engine before this one has missed what came since."""
    await bed.create(SUSPENDED)
    path = f"workflow-events/ns?listOptions.resourceVersion={quote(version)}"
    async with bed.stream(path) as response, asyncio.timeout(5):
        assert 400 == response.status
        assert "resource" in await response.text()


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


async def test_the_history_does_not_hold_what_was_deleted_long_ago(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events hold whole workflows; whoever was away for longer begins anew."""
    monkeypatch.setattr("aiowf.engine.store._DELETED", 2)
    versions, gone = [], []
    for n in range(4):
        await bed.create(SUSPENDED, f"w{n}")
        gone.append(weakref.ref(bed.controller.store.get("ns", f"w{n}")))
        await bed.client.delete(f"/api/v1/workflows/ns/w{n}")
        versions.append(bed.controller.store.version)
    gc.collect()
    assert [True, True, False, False] == [each() is None for each in gone]
    async with bed.stream(
        f"workflow-events/ns?listOptions.resourceVersion={versions[1]}"
    ) as response:
        assert "w2" == (await anext(messages(response)))[1]["metadata"]["name"]
    async with bed.stream(
        f"workflow-events/ns?listOptions.resourceVersion={versions[0]}"
    ) as response:
        assert "too old resource version" in await response.text()


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
        ("listOptions.fieldSelector=metadata.name%3D", 500, "resource name may not be empty"),
        ("listOptions.fieldSelector=nonsense", 400, "can't understand 'nonsense'"),
        ("listOptions.labelSelector=a%3D%3D%3Db", 400, "unable to parse requirement"),
        ("listOptions.resourceVersion=abc", 400, "invalid syntax"),
        ("listOptions.limit=x", 400, "invalid syntax"),
        ("listOptions.timeoutSeconds=x", 400, "invalid syntax"),
        ("listOptions.timeoutSeconds=" + "9" * 19, 400, "value out of range"),
        ("listOptions.timeoutSeconds=" + "9" * 4500, 400, "value out of range"),
        ("listOptions.resourceVersion=" + "9" * 4500, 400, "invalid syntax"),
    ],
)
async def test_watches_that_are_refused(bed: Bed, query: str, status: int, message: str) -> None:
    """A watch that cannot begin has the error's own status."""
    async with bed.stream(f"workflow-events/ns?{query}") as response:
        assert (response.status, message in await response.text()) == (status, True)


async def test_a_body_that_cannot_be_decoded_is_refused(bed: Bed) -> None:
    """One that says it is compressed, and is not."""
    headers = {"Content-Encoding": "gzip"}
    async with bed.client.post("/api/v1/workflows/ns", data=b"{}" * 99, headers=headers) as answer:
        assert (400, "cannot be decoded" in await answer.text()) == (answer.status, True)


async def test_a_watch_of_all_namespaces(bed: Bed) -> None:
    """An empty namespace means all of them; another one sees nothing."""
    await bed.create(SUSPENDED)
    async with bed.stream(
        "workflow-events/?listOptions.fieldSelector=metadata.namespace%3Dns"
    ) as r:
        assert (await anext(messages(r)))[1]["metadata"]["name"] == "wf"
    async with bed.stream("workflow-events/?listOptions.fieldSelector=metadata.name%3Dwf") as r:
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
        second.output.append(LogLine(b"\xff", 2))
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


async def test_a_search_in_logs_that_takes_for_ever_is_refused() -> None:
    """The engine does nothing else meanwhile."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(single(pod("p")))
        (await running.executor.pod("p")).say("a" * 40 + "b")
        query = "logOptions.container=main&grep=(a%2B)%2B%24"
        async with running.stream(f"workflows/ns/wf/log?{query}") as response:
            assert (500, True) == (response.status, "took longer than" in await response.text())


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


async def test_a_watch_begins_with_what_it_may_see(
    bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To watch one workflow costs nothing for all the others that are kept."""
    for name in ("a", "b"):
        await bed.run(single(pod("p")), name)
    heads: list[str] = []
    head = WorkflowRun.head

    def counted(run: WorkflowRun) -> Any:
        heads.append(run.name)
        return head(run)

    monkeypatch.setattr(WorkflowRun, "head", counted)
    assert (await bed.finished("a"))["metadata"]["name"] == "a"
    assert heads == ["a"]
