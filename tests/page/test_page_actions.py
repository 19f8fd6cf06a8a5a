"""What can be done on the page, with keys alone, and what it says when something cannot."""

from typing import Any

import pytest
from aiohttp import web
from bed import OK, ScriptedExecutor, bed, pod, single, steps
from browsing import BAD, Tab, address, held
from playwright.async_api import Locator, Page, Route, expect

from aiowf.engine.pod import Pod, PodResult
from aiowf.engine.server import create_app

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def tab_to(page: Page, target: Locator) -> None:
    """Press the tabulator key until something has the focus."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await target.evaluate("node => node === document.activeElement"):
            return
    raise AssertionError(f"the tabulator key does not reach {target}")


async def test_stop_and_retry_need_only_keys(tab: Tab) -> None:
    """From the list to a workflow, to its Stop, and then to its Retry; the focus stays there."""
    broken = True

    def behave(one: Pod) -> PodResult | None:
        return None if broken else OK

    async with bed(ScriptedExecutor(behave)) as running:
        await running.create(single(pod("a")))
        page = tab.page
        await page.goto(address(running))
        link = page.get_by_role("link", name="wf", exact=True)
        await expect(link).to_be_visible()
        await tab_to(page, link)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="wf")).to_be_focused()
        stop, retry = (page.get_by_role("button", name=name) for name in ("Stop", "Retry"))
        await expect(stop).not_to_have_attribute("aria-disabled", "true")
        await expect(retry).to_have_attribute("aria-disabled", "true")
        await expect(retry).to_have_attribute("title", "Only what has failed can be retried.")
        await tab_to(page, stop)
        await page.keyboard.press("Enter")
        await expect(page.locator("dd[data-phase='Failed']")).to_be_visible()
        await expect(page.locator("#spoken")).to_contain_text("wf: Failed")
        await expect(stop).to_be_focused()
        await expect(stop).to_have_attribute("aria-disabled", "true")
        await page.keyboard.press("Enter")  # which does nothing
        broken = False
        await expect(retry).not_to_have_attribute("aria-disabled", "true")
        await tab_to(page, retry)
        await page.keyboard.press("Space")
        await expect(page.locator("dd[data-phase='Succeeded']")).to_be_visible()
        await expect(page.get_by_role("button", name="wf, Succeeded")).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_count(0)


async def test_the_graph_and_the_views_need_only_keys(tab: Tab) -> None:
    """Arrow keys lead from step to step and from view to view; Escape closes a step."""
    spec = steps(["a"], ["b", "c"], templates=[pod("a"), pod("b"), pod("c")])
    async with bed() as running:
        await running.run(spec)
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        a, b, c = (page.get_by_role("button", name=f"{n}, Succeeded") for n in "abc")
        await expect(a).to_be_visible()
        await tab_to(page, a)
        await page.keyboard.press("ArrowRight")
        await expect(b.or_(c).and_(page.locator(":focus"))).to_be_visible()
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("ArrowDown")
        await expect(c).to_be_focused()
        await page.keyboard.press("Enter")
        panel = page.get_by_role("complementary", name="Step c")
        await expect(panel).to_be_visible()
        await expect(c).to_have_attribute("aria-pressed", "true")
        await tab_to(page, panel.get_by_role("button", name="Close the step"))
        await page.keyboard.press("Escape")
        await expect(panel).to_be_hidden()
        await expect(c).to_be_focused()

        graph, timeline = (page.get_by_role("tab", name=n) for n in ("Graph", "Timeline"))
        await graph.focus()
        await page.keyboard.press("ArrowRight")
        await expect(timeline).to_be_focused()
        await expect(timeline).to_have_attribute("aria-selected", "true")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("complementary", name="Step b")).to_be_visible()
        assert "view=timeline" in page.url
        await page.reload()
        await expect(page.get_by_role("complementary", name="Step b")).to_be_visible()
        await page.get_by_role("tab", name="Timeline").press("End")
        await expect(page.get_by_role("tab", name="Details")).to_be_focused()
        await page.go_back()
        await expect(page).to_have_url("about:blank")


async def test_what_waits_is_resumed(tab: Tab) -> None:
    """A workflow is suspended and resumed as a whole; a pause that waits also alone."""
    executor = held("a", "b")
    spec = steps(
        ["a"],
        [{"name": "first", "template": "wait"}, {"name": "second", "template": "wait"}],
        ["b"],
        templates=[pod("a"), pod("b"), {"name": "wait", "suspend": {}}],
    )
    async with bed(executor) as running:
        await running.create(spec)
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        suspend, resume = (page.get_by_role("button", name=n) for n in ("Suspend", "Resume"))
        resume = resume.and_(page.get_by_role("group", name="Actions").get_by_role("button"))
        await suspend.click()
        await expect(page.locator("dd[data-phase='Suspended']")).to_be_visible()
        await resume.click()
        await expect(page.locator("dd[data-phase='Running']")).to_be_visible()
        await expect(resume).to_have_attribute("aria-disabled", "true")
        (await executor.pod("a")).end(OK)
        await page.get_by_role("button", name="first, Suspended").click()
        await page.get_by_role("button", name="Resume this step").click()
        await expect(page.get_by_role("button", name="first, Succeeded")).to_be_visible()
        await expect(page.get_by_role("button", name="second, Suspended")).to_be_visible()
        await resume.click()
        await expect(page.get_by_role("button", name="b, Running")).to_be_visible()
        await page.get_by_role("button", name="Terminate").click()
        await expect(page.locator("dd[data-phase='Failed']")).to_be_visible()


async def test_a_pause_is_given_the_values_that_it_waits_for(tab: Tab) -> None:
    """Resume leads to a form for them; what is typed stays, and reaches the steps that follow."""
    supplied = {"valueFrom": {"supplied": {}}}
    about = {"name": "go", "default": "no", "enum": ["yes", "no"], "description": "Ship it?"}
    outputs = [
        {"name": "go", **supplied},
        {"name": "note", **supplied},
        {"name": "to", "valueFrom": {"supplied": {}, "default": "eu"}},
    ]
    gate = {
        "name": "gate",
        "suspend": {},
        "inputs": {"parameters": [about]},
        "outputs": {"parameters": outputs},
    }
    told = "{{steps.gate.outputs.parameters.go}} {{steps.gate.outputs.parameters.note}}"
    say = pod("say", inputs={"parameters": [{"name": "told"}]})
    say["container"]["args"] = ["{{inputs.parameters.told}}"]
    then = {**with_value("told", told), "name": "say", "template": "say"}
    executor = held("slow", "say")
    async with bed(executor) as running:
        await running.create(steps(["gate", "slow"], [then], templates=[gate, pod("slow"), say]))
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        await expect(page.get_by_role("button", name="gate, Suspended")).to_be_visible()
        resume = page.get_by_role("group", name="Actions").get_by_role("button", name="Resume")
        await resume.press("Enter")
        panel = page.get_by_role("complementary", name="Step gate")
        go, note, to = (panel.get_by_label(name, exact=True) for name in ("go", "note", "to"))
        await expect(go).to_be_focused()
        await expect(go).to_have_accessible_description("Ship it?")
        await expect(go).to_have_value("no")
        await expect(to).to_have_value("eu")
        await go.select_option("yes")
        give = panel.get_by_role("button", name="Resume this step")
        await give.click()
        await expect(note).to_be_focused()  # it is still empty
        await page.keyboard.type("two\nlines")
        (await executor.pod("slow")).end(OK)
        await expect(page.get_by_role("button", name="slow, Succeeded")).to_be_visible()
        await expect(note).to_have_value("two\nlines")
        await tab_to(page, give)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="gate, Succeeded")).to_be_visible()
        await expect(panel.get_by_role("heading", name="gate")).to_be_focused()
        await expect(panel.locator(".facts", has_text="Outputs")).to_contain_text("two\nlines")
        assert ("yes two\nlines",) == (await executor.pod("say")).pod.container.args


def with_value(name: str, value: str) -> dict[str, Any]:
    """Return arguments with one parameter."""
    return {"arguments": {"parameters": [{"name": name, "value": value}]}}


async def test_a_workflow_is_submitted_again(tab: Tab) -> None:
    """Resubmit makes a new workflow like this one, whatever became of it, and shows that."""
    async with bed(held("a")) as running:
        await running.create({**single(pod("a")), **with_value("seed", "17")})
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        await page.get_by_role("button", name="Resubmit").press("Enter")
        heading = page.get_by_role("heading", name="wf-")
        await expect(heading).to_be_focused()
        await expect(page.locator("#spoken")).to_contain_text("was submitted")
        name = await heading.text_content() or ""
        assert address(running, f"/workflows/ns/{name}") == page.url
        await expect(page.get_by_role("button", name=f"{name}, Running")).to_be_visible()
        again = await running.get(name)
        assert with_value("seed", "17")["arguments"] == again["spec"]["arguments"]
        await page.go_back()
        await expect(page.get_by_role("heading", name="wf", exact=True)).to_be_visible()


async def test_delete_asks_first(tab: Tab) -> None:
    """Escape and Cancel leave everything as it is; Delete deletes, and leads back to the list."""
    async with bed(held("a")) as running:
        await running.create(single(pod("a")))
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        delete = page.get_by_role("group", name="Actions").get_by_role("button", name="Delete")
        await delete.press("Enter")
        dialog = page.get_by_role("dialog", name="Delete wf?")
        await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await expect(delete).to_be_focused()
        await delete.click()
        await dialog.get_by_role("button", name="Cancel").click()
        await expect(dialog).to_have_count(0)
        assert "wf" == (await running.get())["metadata"]["name"]
        await delete.click()
        await dialog.get_by_role("button", name="Delete").click()
        await expect(page.get_by_text("There are no workflows yet.")).to_be_visible()
        assert [("ns", "wf")] == running.gone_workflows
        await expect(page).to_have_url(address(running))


async def test_a_refused_action_says_why(tab: Tab) -> None:
    """What the engine answers stands on the page until it is closed."""
    tab.refusals = True
    async with bed(held("a")) as running:
        await running.create(single(pod("a")))
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        stop = page.get_by_role("button", name="Stop")
        await expect(stop).to_be_visible()

        async def end_first(route: Route) -> None:
            # Somebody else is sooner, and this page has not heard of it yet.
            await running.put("terminate")
            await running.finished()
            await route.continue_()

        await page.route("**/stop", end_first)
        await stop.click()
        alert = page.get_by_role("alert")
        await expect(alert).to_contain_text("Stop: cannot shutdown a completed workflow")
        await alert.get_by_role("button", name="Close").click()
        await expect(alert).to_have_count(0)


async def test_what_is_deleted_meanwhile_stays_in_sight(tab: Tab) -> None:
    """The last state is kept, nothing can be done to it, and a new one of its name is shown."""
    async with bed(held("slow")) as running:
        await running.run(single(pod("a")))
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        await expect(page.locator("dd[data-phase='Succeeded']")).to_be_visible()
        async with running.client.delete("/api/v1/workflows/ns/wf"):
            pass
        banner = page.get_by_text("This workflow was deleted.")
        await expect(banner).to_be_visible()
        await expect(page.get_by_role("button", name="wf, Succeeded")).to_be_visible()
        delete = page.get_by_role("button", name="Delete")
        await expect(delete).to_have_attribute("aria-disabled", "true")
        await running.create(single(pod("slow")))
        await expect(page.locator("dd[data-phase='Running']")).to_be_visible()
        await expect(banner).to_be_hidden()


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/workflows/ns/nothing", "There is no such workflow"),
        ("/nothing", "There is nothing at this address"),
        ("/workflows/ns/%ff", "There is nothing at this address"),
    ],
)
async def test_what_is_not_there_is_told(tab: Tab, path: str, title: str) -> None:
    """An address that leads nowhere says so, and shows the way back."""
    tab.refusals = True
    async with bed() as running:
        await tab.page.goto(address(running).removesuffix("/") + path)
        await expect(tab.page.get_by_role("heading", name=title)).to_be_visible()
        await tab.page.get_by_role("link", name="All workflows").click()
        await expect(tab.page.get_by_text("There are no workflows yet.")).to_be_visible()


async def test_the_token_is_asked_for_and_kept_out_of_sight(tab: Tab) -> None:
    """Without a token, and with a wrong one, the page asks; it keeps the right one for the tab."""
    tab.refusals = True
    async with bed(token="right") as running:
        page = tab.page
        await page.goto(address(running, "/?q=w"))
        ask = page.get_by_label("Token")
        await expect(ask).to_be_focused()
        for token in ("wrong", "right"):
            await expect(page.get_by_role("heading", name="asks for a token")).to_be_visible()
            await ask.fill(token)
            await page.keyboard.press("Enter")
        await expect(page.get_by_text("There are no workflows yet.")).to_be_visible()
        assert address(running, "/?q=w") == page.url
        await page.reload()
        await expect(page.get_by_text("There are no workflows yet.")).to_be_visible()
        assert [] == await tab.context.cookies()
        assert 0 == await page.evaluate("localStorage.length")
        # A new tab borrows it from this one, and a link brings its own.
        other = await tab.context.new_page()
        await other.goto(address(running))
        await expect(other.get_by_text("There are no workflows yet.")).to_be_visible()
        await page.goto("about:blank")
        await other.evaluate("sessionStorage.clear()")
        await other.reload()
        await expect(other.get_by_label("Token")).to_be_visible()
        await other.goto(f"{address(running)}#token=right")
        await expect(other.get_by_text("There are no workflows yet.")).to_be_visible()
        assert address(running) == other.url
    assert not [asked for asked in tab.requests if "right" in asked or "wrong" in asked]


async def test_a_token_that_ends_is_asked_for_again(tab: Tab) -> None:
    """The engine comes back with another token: the page asks, and goes on where it was."""
    tab.refusals = True
    runners = []

    async def start(port: int, token: str) -> int:
        runner = web.AppRunner(create_app(ScriptedExecutor(), token=token), shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        return int(runner.addresses[0][1])

    page = tab.page
    port = await start(0, "old")
    await page.goto(f"http://127.0.0.1:{port}/workflows/ns#token=old")
    await expect(page.get_by_text("There are no workflows yet.")).to_be_visible()
    await runners[0].cleanup()
    await start(port, "new")
    await page.get_by_label("Token").fill("new")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", name="Workflows in ns")).to_be_visible()
    await expect(page.locator("#connection")).to_have_text("Live")
    await runners[1].cleanup()


async def test_a_failure_is_told_first(tab: Tab) -> None:
    """The step that failed and its message stand at the top, and lead to the step."""

    def behave(one: Pod) -> PodResult:
        return BAD if one.template_name == "b" else OK

    async with bed(ScriptedExecutor(behave)) as running:
        await running.run(steps(["a"], ["b"], templates=[pod("a"), pod("b")]))
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        failed = page.get_by_role("list", name="What failed")
        await expect(failed).to_contain_text("ValueError: no such seed")
        await failed.get_by_role("button", name="b").click()
        await expect(page.get_by_role("complementary", name="Step b")).to_be_visible()
