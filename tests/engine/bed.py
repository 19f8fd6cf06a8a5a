"""A test bed for the controller: a server, an executor that does as it is told, a clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from attrs import define, field

from aiowf.engine.clock import Clock, Timer
from aiowf.engine.exchange import CONTROLLER
from aiowf.engine.pod import LogLine, Pod, PodResult
from aiowf.engine.server import create_app
from aiowf.manifest import Container, ScriptTemplate, Volume

SSE = {"Accept": "text/event-stream"}
OK = PodResult(exit_code=0)


class FastClock(Clock):
    """A clock whose timers go off early."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def call_later(
        self, seconds: float, callback: Callable[[], object], *, awaited: bool = True
    ) -> Timer:
        """Call sooner."""
        return super().call_later(seconds / self.factor, callback, awaited=awaited)


class ScriptedLog:
    """A reader of what a test made a pod say."""

    def __init__(self, state: "State") -> None:
        self._state, self._read = state, 0

    async def lines(self, *, follow: bool) -> list[LogLine]:
        """Return what is new; with follow, wait for some."""
        while follow and self._read == len(self._state.output) and not self._state.result.done():
            await self._state.news.wait()
        new = self._state.output[self._read :]
        self._read += len(new)
        return new


@define(eq=False)
class State:
    """What a test knows of one pod."""

    pod: Pod
    result: "asyncio.Future[PodResult]"
    output: list[LogLine] = field(factory=list)
    news: asyncio.Event = field(factory=asyncio.Event)

    def say(self, *lines: str) -> None:
        """Write lines to the pod's output."""
        self.output += [LogLine(line.encode(), time.time_ns()) for line in lines]
        self._wake()

    def end(self, result: PodResult) -> None:
        """End the pod."""
        if not self.result.done():
            self.result.set_result(result)
        self._wake()

    def _wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


class ScriptedExecutor:
    """Pods end as `behave` says, or when the test ends them (`behave` gives None)."""

    def __init__(self, behave: Callable[[Pod], PodResult | None] = lambda pod: OK) -> None:
        self.behave = behave
        self.states: dict[str, State] = {}
        self.killed: list[str] = []
        self.forgotten: list[str] = []
        self.limit = asyncio.Semaphore(1000)
        self.running = 0
        self.most = 0
        self._news = asyncio.Event()

    def check(self, container: Container | ScriptTemplate, where: str) -> str | None:
        """Accept everything."""
        return None

    def check_volume(self, volume: Volume, where: str) -> None:
        """Accept everything."""

    async def run(self, pod: Pod, started: Callable[[], None]) -> PodResult:
        """Run a pod."""
        state = State(pod, asyncio.get_running_loop().create_future())
        self.states[pod.key] = state
        async with self.limit:
            if state.result.done():
                return state.result.result()
            self.running += 1
            self.most = max(self.most, self.running)
            started()
            self._news.set()
            self._news = asyncio.Event()
            result = self.behave(pod)
            if result is not None:
                await asyncio.sleep(0)
                state.end(result)
            try:
                return await state.result
            finally:
                self.running -= 1

    def kill(self, pod_key: str, *, grace: float) -> None:
        """Kill a pod."""
        self.killed.append(pod_key)
        state = self.states.get(pod_key)
        if state is not None:
            state.end(PodResult(exit_code=143, reason="Error"))

    def read_log(self, pod_key: str) -> ScriptedLog | None:
        """Return a reader of a pod's log."""
        state = self.states.get(pod_key)
        return ScriptedLog(state) if state is not None else None

    def forget(self, pod_key: str) -> None:
        """Forget a pod."""
        self.states.pop(pod_key, None)
        self.forgotten.append(pod_key)

    async def pod(self, template: str) -> State:
        """Wait until a pod of a template runs, and return it."""
        while True:
            for state in self.states.values():
                if state.pod.template_name == template:
                    return state
            await self._news.wait()


@define(eq=False)
class Bed:
    """A running engine and its client."""

    client: "TestClient[Any, Any]"
    executor: Any
    gone_claims: list[tuple[str, str]]
    gone_workflows: list[tuple[str, str]]

    @property
    def controller(self) -> Any:
        """The engine's controller."""
        return self.client.app[CONTROLLER]

    async def create(self, spec: dict[str, Any], name: str = "wf", **metadata: Any) -> Any:
        """Submit a workflow, which must be accepted."""
        workflow = {"metadata": {"name": name, **metadata}, "spec": spec}
        response = await self.client.post("/api/v1/workflows/ns", json={"workflow": workflow})
        answer = await response.json()
        assert response.status == 200, answer
        return answer

    async def refused(self, spec: dict[str, Any]) -> str:
        """Submit a workflow that must be refused; return why."""
        workflow = {"metadata": {"name": "wf"}, "spec": spec}
        response = await self.client.post("/api/v1/workflows/ns", json={"workflow": workflow})
        answer = await response.json()
        assert (response.status, answer["code"]) == (400, 3), answer
        return str(answer["message"])

    async def get(self, name: str = "wf", fields: str = "") -> Any:
        """Return a workflow."""
        response = await self.client.get(f"/api/v1/workflows/ns/{name}?fields={fields}")
        return await response.json()

    async def put(self, verb: str, body: Any = None, name: str = "wf") -> tuple[int, Any]:
        """Do something to a workflow; return status and answer."""
        response = await self.client.put(f"/api/v1/workflows/ns/{name}/{verb}", json=body or {})
        return response.status, await response.json()

    @asynccontextmanager
    async def stream(self, path: str, **headers: str) -> AsyncIterator[ClientResponse]:
        """Open a stream."""
        async with asyncio.timeout(20):
            async with self.client.get(f"/api/v1/{path}", headers={**SSE, **headers}) as response:
                yield response

    async def until(self, test: Callable[[Any], bool], name: str = "wf") -> Any:
        """Watch a workflow until it is as wanted; return it."""
        path = f"workflow-events/ns?listOptions.fieldSelector=metadata.name%3D{name}"
        async with self.stream(path) as response:
            async for kind, workflow in messages(response):
                assert kind != "DELETED", workflow
                if test(workflow):
                    return workflow
        raise AssertionError("the watch ended")

    async def finished(self, name: str = "wf") -> Any:
        """Watch a workflow to its end; return it."""
        return await self.until(lambda workflow: workflow["status"]["finishedAt"], name)

    async def run(self, spec: dict[str, Any], name: str = "wf", **metadata: Any) -> Any:
        """Submit a workflow, and return it when it has finished."""
        await self.create(spec, name, **metadata)
        return await self.finished(name)


async def messages(response: ClientResponse) -> AsyncIterator[tuple[str, Any]]:
    """Yield the events of a stream of Server-Sent Events."""
    async for line in response.content:
        if line.startswith(b"data: "):
            result = orjson.loads(line[6:]).get("result")
            if result:
                yield result["type"], result["object"]


@asynccontextmanager
async def bed(executor: Any = None, **options: Any) -> AsyncIterator[Bed]:
    """Run an engine."""
    executor = executor or ScriptedExecutor()
    claims: list[tuple[str, str]] = []
    workflows: list[tuple[str, str]] = []
    app = create_app(
        executor,
        claim_gone=lambda *what: claims.append(what),
        workflow_gone=lambda *what: workflows.append(what),
        **options,
    )
    async with TestClient(TestServer(app)) as client:
        yield Bed(client, executor, claims, workflows)


def nodes_of(workflow: Any) -> dict[str, Any]:
    """Return the nodes of a workflow by name."""
    return {node["name"]: node for node in workflow["status"]["nodes"].values()}


def pod(name: str, **more: Any) -> dict[str, Any]:
    """Return a container template."""
    return {"name": name, "container": {"image": "i", "command": ["true"]}, **more}


def steps(*groups: Any, templates: Any = (), **spec: Any) -> dict[str, Any]:
    """Return a specification of groups; a step is the name of its template, or a mapping."""
    main = [[_step(one) for one in group] for group in groups]
    return {
        "entrypoint": "main",
        "templates": [{"name": "main", "steps": main}, *templates],
        **spec,
    }


def dag(*tasks: dict[str, Any], templates: Any = (), **more: Any) -> dict[str, Any]:
    """Return a specification of a DAG."""
    main = {"name": "main", "dag": {"tasks": [_step(task) for task in tasks], **more}}
    return {"entrypoint": "main", "templates": [main, *templates]}


def single(template: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a specification of one template."""
    return {"entrypoint": template["name"], "templates": [template], **spec}


def _step(step: Any) -> dict[str, Any]:
    if isinstance(step, str):
        return {"name": step, "template": step}
    return {"template": step["name"], **step}
