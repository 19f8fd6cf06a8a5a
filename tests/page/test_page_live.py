"""The page shows what happens, when it happens."""

import asyncio
import time
from typing import Any

import pytest
from aiohttp import ClientSession, web
from bed import OK, ScriptedExecutor, State, bed, dag, pod, single, steps
from browsing import BAD, Tab, address, held
from playwright.async_api import expect

from aiowf.engine import ServeSettings
from aiowf.engine.admission import Admitted
from aiowf.engine.exchange import CONTROLLER
from aiowf.engine.pod import Pod, PodResult
from aiowf.engine.server import create_app
from benchmarks.chromium import served

pytestmark = pytest.mark.asyncio(loop_scope="session")

SEEDS = """
import json, os
print("seeds of", os.environ["REGION"], flush=True)
os.makedirs("/tmp/aiowf", exist_ok=True)
open("/tmp/aiowf/return", "w").write(json.dumps({"seeds": [1, 2]}))
"""


def script(name: str, source: str, **more: Any) -> dict[str, Any]:
    """Return a template that runs a source."""
    about = {"image": "python:3.12", "command": ["python"], "source": source}
    return {"name": name, "script": about, **more}


async def test_a_workflow_runs_while_the_page_is_open(tab: Tab) -> None:
    """Real processes: from the empty list to the final state of every node, log and result."""
    extract = script(
        "extract",
        SEEDS,
        outputs={"parameters": [{"name": "return", "valueFrom": {"path": "/tmp/aiowf/return"}}]},
    )
    extract["script"]["env"] = [{"name": "REGION", "value": "{{workflow.parameters.region}}"}]
    work = script("work", "print('worked')")
    fail = script("fail", "raise SystemExit('out of seeds')")
    spec = {
        **steps(["extract"], ["work", "fail"], ["work"], templates=[extract, work, fail]),
        "arguments": {"parameters": [{"name": "region", "value": "eu"}]},
        "onExit": "work",
    }
    page = tab.page
    async with served(ServeSettings(port=0, token="a+token/for&tests")) as engine:
        await page.goto(engine.page)
        await expect(page.get_by_text("There are no workflows yet.")).to_be_visible()
        assert engine.url == page.url
        headers = {"Authorization": f"Bearer {engine.token}"}
        async with ClientSession(engine.url, headers=headers) as client:
            body = {"workflow": {"metadata": {"name": "etl"}, "spec": spec}}
            async with client.post("/api/v1/workflows/default", json=body) as response:
                assert 200 == response.status, await response.text()
        await page.get_by_role("link", name="etl").click()
        await expect(page).to_have_url(f"{engine.url}workflows/default/etl")
        nodes = page.locator("button.step")
        await expect(nodes).to_have_count(5)
        await expect(page.get_by_role("button", name="work, Not run")).to_be_visible()
        for name, phase in {
            "extract": "Succeeded",
            "work": "Succeeded",
            "fail": "Failed",
            "onExit": "Succeeded",
        }.items():
            await expect(
                page.locator(f"button.step[aria-label^='{name}, {phase}']")
            ).to_be_visible()
        await expect(page.locator("dd[data-phase='Failed']")).to_have_text("Failed")
        await expect(page.get_by_role("list", name="What failed")).to_contain_text("fail")

        await page.get_by_role("tab", name="Timeline").click()
        rows = page.get_by_role("table").get_by_role("row")
        await expect(rows).to_have_count(5)
        await page.get_by_role("tab", name="Logs").click()
        log = page.get_by_role("log")
        await expect(log).to_contain_text("extract seeds of eu")
        await expect(log).to_contain_text("fail out of seeds")
        await expect(page.get_by_text("End of the log")).to_be_visible()
        await page.get_by_role("tab", name="Details").click()
        await expect(page.get_by_role("row", name="extract return")).to_contain_text('"seeds": [')


async def test_every_change_of_a_dag_is_seen_in_place(tab: Tab) -> None:
    """Nodes change in one document: those that were there, or are to come, stay themselves."""
    executor = held("a", "b", "c")
    spec = dag("a", *({"name": n, "dependencies": ["a"]} for n in "bc"), templates=map(pod, "abc"))
    async with bed(executor) as running:
        await running.create(spec)
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        first = page.get_by_role("button", name="a, Running")
        await expect(first).to_be_visible()
        waiting = page.get_by_role("button", name="b, Waiting")
        for button in (first, waiting):
            await button.evaluate("node => { node.mark = 17; }")
        places = await _places(tab)
        await first.focus()
        (await executor.pod("a")).end(OK)
        done = page.get_by_role("button", name="a, Succeeded")
        await expect(done).to_be_focused()
        assert 17 == await done.evaluate("node => node.mark")
        begun = page.get_by_role("button", name="b, Running")
        assert 17 == await begun.evaluate("node => node.mark")
        (await executor.pod("b")).end(BAD)
        await expect(page.get_by_role("button", name="b, Failed")).to_be_visible()
        await expect(page.locator("#spoken")).to_contain_text("b: Failed")
        (await executor.pod("c")).end(OK)
        await expect(page.get_by_role("button", name="c, Succeeded")).to_be_visible()
        await expect(page.locator("#spoken")).to_contain_text("wf: Failed")
        await expect(page).to_have_title("Failed: wf · aiowf")
        assert places == await _places(tab)


async def _places(tab: Tab) -> Any:
    """Return where each step stands."""
    return await tab.page.locator("button.step").evaluate_all(
        "steps => steps.map((step) => [step.dataset.node, step.style.left, step.style.top])"
    )


async def test_three_hundred_nodes_stay_usable(tab: Tab) -> None:
    """Many alike steps are one until they are opened; each change changes one button."""
    executor = held("one", "end")
    spec = steps(
        [{"name": "one", "template": "one", "withSequence": {"count": "300"}}],
        ["end"],
        templates=[pod("one"), pod("end")],
    )
    async with bed(executor) as running:
        await running.create(spec)
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        crowd = page.get_by_role("button", name="one, 300 steps: 300 Running")
        await expect(crowd).to_have_attribute("aria-expanded", "false")
        await expect(page.get_by_role("button", name="end, Waiting")).to_be_visible()
        assert 2 == await page.locator(".boxes button").count()
        await crowd.press("Enter")
        nodes = page.locator("button.step.cell")
        await expect(nodes).to_have_count(300)
        await nodes.evaluate_all("nodes => nodes.forEach((node, index) => { node.mark = index; })")
        states = _states(executor)
        for state in states[:100]:
            state.end(OK)
        states[100].end(BAD)
        await expect(page.locator("button.step[data-phase='Succeeded']")).to_have_count(100)
        await expect(page.locator("button.step[data-phase='Failed']")).to_have_count(1)
        marks = await nodes.evaluate_all("nodes => nodes.map((node) => node.mark)")
        assert list(range(300)) == marks
        for state in states:
            state.end(OK)
        await expect(page.locator("button.step[data-phase='Succeeded']")).to_have_count(299)

        # A frame with all of them takes a fraction of a second even on a busy machine.
        await page.get_by_role("button", name="Fit to the window").click()
        await page.get_by_role("tab", name="Timeline").click()
        await expect(page.locator(".timeline tbody tr")).to_have_count(300)
        await page.get_by_role("tab", name="Graph").click()
        await expect(page.get_by_role("button", name="300 steps")).to_be_visible()


def _states(executor: ScriptedExecutor) -> list[State]:
    return [state for state in executor.states.values() if state.pod.template_name == "one"]


async def test_a_graph_of_many_layers_has_no_boxes_on_one_another(tab: Tab) -> None:
    """The layout goes to the right along every edge, and leaves each box its room."""
    async with bed() as running:
        await tab.page.goto(address(running))
        found = await tab.page.evaluate(
            """async () => {
              const { layout } = await import("/assets/layout.js");
              const boxes = new Map();
              const edges = [];
              for (let n = 0; n < 300; n += 1) {
                boxes.set(n, { w: n % 7 ? 180 : 8, h: n % 11 ? 46 : 200 });
                for (const back of [3, 17, 40]) {
                  if (n >= back && (n * back) % 5) edges.push([n - back, n]);
                }
              }
              const { places, width, height } = layout(boxes, edges, { across: 40, down: 12 });
              const rects = [...places].map(([id, { x, y }]) => ({ id, x, y, ...boxes.get(id) }));
              const outside = rects.filter(({ x, y, w, h }) =>
                x < 0 || y < 0 || x + w > width + 0.01 || y + h > height + 0.01);
              const touching = rects.filter((one) => rects.some((other) => one !== other
                && one.x < other.x + other.w && other.x < one.x + one.w
                && one.y < other.y + other.h - 0.01 && other.y < one.y + one.h - 0.01));
              const backward = edges.filter(([from, to]) =>
                places.get(from).x + boxes.get(from).w >= places.get(to).x);
              const loops = [[1, 2], [2, 1], [3, 3], [4, "unknown"]];
              const odd = layout(boxes, loops, { across: 9, down: 9 });
              return [rects.length, outside, touching, backward, odd.places.size];
            }"""
        )
        assert [300, [], [], [], 300] == found


async def test_a_chain_goes_to_the_right(tab: Tab) -> None:
    """Each step stands to the right of what it waits for, with its attempts in one box."""
    tries = pod("b", retryStrategy={"limit": "1"})
    spec = steps(["a"], ["b"], ["c", "a"], templates=[pod("a"), tries, pod("c")])
    results = iter([BAD, OK])

    def behave(one: Pod) -> PodResult | None:
        return next(results) if one.template_name == "b" else OK

    async with bed(ScriptedExecutor(behave)) as running:
        await running.run(spec)
        await tab.page.goto(address(running, "/workflows/ns/wf"))
        nodes = tab.page.locator("button.step")
        await expect(nodes).to_have_count(4)
        lefts = await nodes.evaluate_all("nodes => nodes.map((n) => parseFloat(n.style.left))")
        assert lefts[0] < lefts[1] < lefts[2] == lefts[3]
        await tab.page.get_by_role("button", name="b, Succeeded, 2 attempts").click()
        panel = tab.page.get_by_role("complementary", name="Step b")
        await expect(panel.get_by_role("listitem")).to_have_count(2)
        await panel.get_by_role("button", name="Log", exact=True).first.click()
        await expect(tab.page.locator("#pod option:checked")).to_have_text("b, attempt 1")


async def test_logs_stream_and_follow_the_end(tab: Tab) -> None:
    """Lines appear as they are written; who scrolls up is left alone."""
    executor = held("a")
    async with bed(executor) as running:
        await running.create(single(pod("a")))
        state = await executor.pod("a")
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf?view=logs"))
        await expect(page.get_by_text("Waiting for output …")).to_be_visible()
        state.say(*(f"line {n}" for n in range(200)))
        log = page.get_by_role("log")
        last = log.locator("> div:last-child .text")
        await expect(last).to_have_text("line 199")
        await expect(last).to_be_in_viewport()
        await log.evaluate("log => { log.scrollTop = 0; }")
        await expect(page.get_by_label("Follow the end")).not_to_be_checked()
        state.say("line 200")
        await expect(last).to_have_text("line 200")
        await expect(last).not_to_be_in_viewport()
        await page.get_by_label("Follow the end").check()
        await expect(last).to_be_in_viewport()
        state.say(*(f"more {n}" for n in range(5100)))
        await expect(last).to_have_text("more 5099")
        await expect(last).to_be_in_viewport()
        assert 5000 == await log.locator("> div").count()
        await expect(page.get_by_text("Only the latest 5000 lines are shown.")).to_be_visible()
        state.end(OK)
        await expect(page.get_by_text("End of the log")).to_be_visible()


async def test_the_list_is_live_and_filtered(tab: Tab) -> None:
    """Text, phase and age choose; the address remembers; what is created or deleted is seen."""
    executor = held("slow")
    async with bed(executor) as running:
        await running.run(single(pod("a")), "etl-1", labels={"team": "blue"})
        await running.create(single(pod("slow")), "etl-2")
        page = tab.page
        await page.goto(address(running))
        names = page.locator("table.list tbody a")
        await expect(names).to_have_text(["etl-2", "etl-1"])
        await running.create(single(pod("slow")), "train-1")
        await expect(names).to_have_text(["train-1", "etl-2", "etl-1"])
        await page.get_by_label("Search").fill("ETL")
        await expect(names).to_have_text(["etl-2", "etl-1"])
        await expect(page.get_by_text("2 of 3 workflows")).to_be_visible()
        await page.get_by_label("Succeeded").check()
        await expect(names).to_have_text(["etl-1"])
        await expect(page).to_have_url(address(running, "/?q=ETL&phase=Succeeded"))
        for state in list(executor.states.values()):
            state.end(OK)
        await expect(names).to_have_text(["etl-2", "etl-1"])
        await page.get_by_label("Search").fill("blue")
        await expect(names).to_have_text(["etl-1"])
        await page.reload()
        await expect(names).to_have_text(["etl-1"])
        await page.get_by_label("Search").fill("nothing like that")
        await expect(page.get_by_text("No workflow matches these filters.")).to_be_visible()
        await page.get_by_role("button", name="Show all").click()
        await expect(names).to_have_count(3)
        await page.get_by_label("Created").select_option("Last hour")
        await expect(names).to_have_count(3)
        async with running.client.delete("/api/v1/workflows/ns/etl-1"):
            pass
        await expect(names).to_have_text(["train-1", "etl-2"])


async def test_a_long_list_is_shown_in_parts(tab: Tab) -> None:
    """The newest 250 are shown, and more when they are asked for."""
    async with bed() as running:
        for number in range(260):
            await running.create(single(pod("a")), f"wf-{number}")
        await tab.page.goto(address(running))
        rows = tab.page.locator("table.list tbody tr")
        await expect(rows).to_have_count(250)
        await expect(rows.first).to_contain_text("wf-259")
        await tab.page.get_by_role("button", name="Show 10 more").click()
        await expect(rows).to_have_count(260)
        await expect(tab.page.get_by_role("button", name="more")).to_be_hidden()


async def test_what_is_old_is_filtered_by_age(tab: Tab) -> None:
    """A workflow of two hours ago is not of the last hour."""
    async with bed() as running:
        await running.run(single(pod("a")))
        await tab.page.clock.set_fixed_time(time.time() + 7200)
        await tab.page.goto(address(running, "/?age=3600"))
        await expect(tab.page.get_by_text("No workflow matches these filters.")).to_be_visible()
        await tab.page.get_by_label("Created").select_option("Last day")
        await expect(tab.page.get_by_role("cell", name="2 h ago")).to_be_visible()


async def test_a_lost_connection_comes_back(tab: Tab) -> None:
    """The page says that the engine is gone, and shows the new state once it is back."""
    tab.refusals = True  # the workflow is not there any more
    page, runners = tab.page, []

    async def start(port: int, name: str) -> int:
        app = create_app(ScriptedExecutor())
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        workflow = {"metadata": {"name": name}, "spec": single(pod("a"))}
        app[CONTROLLER].create(Admitted(workflow, None, {}), "ns")
        assert site._server is not None
        return int(site._server.sockets[0].getsockname()[1])  # type: ignore[attr-defined]

    port = await start(0, "before")
    await page.goto(f"http://127.0.0.1:{port}/")
    await expect(page.get_by_role("link", name="before")).to_be_visible()
    await expect(page.locator("#connection")).to_have_text("Live")
    await runners[0].cleanup()
    await expect(page.locator("#connection")).to_contain_text("Connection lost.")
    await expect(page.get_by_role("link", name="before")).to_be_visible()
    await page.get_by_role("button", name="Try now").click()
    await start(port, "after")
    await expect(page.locator("#connection")).to_have_text("Live")
    await expect(page.locator("table.list tbody a")).to_have_text(["after"])
    await expect(page.locator("#spoken")).to_have_text("Connected again")

    await page.goto(f"http://127.0.0.1:{port}/workflows/ns/after")
    await expect(page.get_by_role("heading", name="after")).to_be_visible()
    await runners[1].cleanup()
    await start(port, "other")
    await expect(page.get_by_text("This workflow was deleted.")).to_be_visible()
    await runners[2].cleanup()


async def test_a_page_that_nobody_sees_gives_its_connection_back(tab: Tab) -> None:
    """Ten seconds after it was hidden the watch ends; it is there again when the page is."""
    async with bed() as running:
        page, watches = tab.page, running.controller.store._watches
        await page.clock.install()
        await page.goto(address(running))
        await expect(page.get_by_text("There are no workflows yet.")).to_be_visible()
        assert 1 == len(watches)
        await _turn(tab, hidden=True)
        await page.clock.run_for(11_000)
        async with asyncio.timeout(20):
            while watches:
                await page.evaluate("1")
        await running.create(single(pod("a")))
        await _turn(tab, hidden=False)
        await expect(page.get_by_role("link", name="wf", exact=True)).to_be_visible()


async def _turn(tab: Tab, *, hidden: bool) -> None:
    await tab.page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )
