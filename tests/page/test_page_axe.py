"""What axe-core, the engine of most accessibility checkers, finds on the page: nothing."""

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from bed import OK, ScriptedExecutor, bed, pod, single, steps
from browsing import BAD, Tab, address
from playwright.async_api import Page, expect

from aiowf.engine.pod import Pod, PodResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
FOUND = """async () => {
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => [id, html.slice(0, 200), failureSummary]));
}"""
TABS = {
    "light": {},
    "dark phone": {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
}


async def violations(page: Page) -> Any:
    """Return what axe-core finds by all its rules, those that are advice included."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)
    return await page.evaluate(FOUND)


def behave(one: Pod) -> PodResult | None:
    """Let some pods succeed, one fail and one go on."""
    return {"bad": BAD, "slow": None}.get(one.template_name, OK)


GATE = {
    "name": "gate",
    "suspend": {},
    "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
}
SPEC = steps(
    [{"name": "many", "template": "a", "withSequence": {"count": "12"}}],
    ["a", "bad", "slow", "gate"],
    ["a"],
    templates=[pod("a"), pod("bad"), pod("slow"), GATE],
)


@pytest.mark.parametrize("tab", TABS.values(), indirect=True, ids=TABS)
async def test_axe_finds_nothing(tab: Tab) -> None:
    """In every view and state, on a light desk and on a dark phone."""
    page, wrong = tab.page, {}
    async with bed(ScriptedExecutor(behave)) as running:
        await page.goto(address(running))
        await expect(page.get_by_text("There are no workflows yet.")).to_be_visible()
        wrong["empty"] = await violations(page)
        await running.create({**SPEC, "arguments": {"parameters": [{"name": "p", "value": "v"}]}})
        await running.run(single(pod("a")), "other")
        (await running.executor.pod("slow")).say("a line")
        await expect(page.get_by_role("link", name="wf", exact=True)).to_be_visible()
        wrong["list"] = await violations(page)
        await page.goto(address(running, "/workflows/ns/wf"))
        for name in ("bad, Failed", "gate, Suspended", "a, Waiting", "many, 12 steps"):
            await page.get_by_role("button", name=name).click()
            wrong[name] = await violations(page)
        for view in ("Timeline", "Logs", "Details"):
            await page.get_by_role("tab", name=view).click()
            wrong[view] = await violations(page)
        await page.get_by_role("group", name="Actions").get_by_text("Delete").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        wrong["question"] = await violations(page)
        await page.goto(address(running, "/nothing"))
        wrong["missing"] = await violations(page)
    assert {} == {state: found for state, found in wrong.items() if found}


async def test_axe_finds_nothing_where_a_token_is_asked_for(tab: Tab) -> None:
    """The form that everybody meets first has no mistake either."""
    tab.refusals = True
    async with bed(token="right") as running:
        await tab.page.goto(address(running))
        await expect(tab.page.get_by_label("Token")).to_be_visible()
        assert [] == await violations(tab.page)
