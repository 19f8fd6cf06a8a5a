"""The page is for everybody: small screens, dark rooms, screen readers; and nobody's script."""

from typing import Any

import pytest
from bed import OK, Bed, ScriptedExecutor, bed, pod, steps
from browsing import BAD, Tab, address, held
from playwright.async_api import Page, expect

from aiowf.engine.pod import Pod, PodResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"viewport": {"width": 360, "height": 740}}
DARK = {"color_scheme": "dark", "reduced_motion": "reduce"}
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>{{x}}&amp;"
LONG = "x" * 300
VIEWS = ("graph", "timeline", "logs", "details")

# Texts whose contrast with what lies behind them is below 4.5 (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const exempt = node.closest("noscript, [aria-disabled], .unseen, .skip");
    if (exempt || !node.checkVisibility() || !walker.currentNode.data.trim()) continue;
    const [one, other] = [parse(getComputedStyle(node).color), ground(node)].map(light);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push([walker.currentNode.data.trim(), ratio]);
  }
  return weak;
}"""


def some() -> ScriptedExecutor:
    """Return an executor under which some pods succeed, one fails and one goes on."""

    def behave(one: Pod) -> PodResult | None:
        return {"bad": BAD, "slow": None}.get(one.template_name, OK)

    return ScriptedExecutor(behave)


async def fill(running: Bed, name: str = "wf") -> None:
    """Run a workflow that has something of everything."""
    templates = [pod("a"), pod("bad"), pod("slow"), {"name": "pause", "suspend": {}}]
    many = {"name": "many", "template": "a", "withSequence": {"count": "12"}}
    spec = steps(["a"], [many], ["a", "bad", "slow", "pause"], templates=templates)
    await running.create(
        {**spec, "arguments": {"parameters": [{"name": "text", "value": LONG}]}},
        name,
        labels={"long": "y" * 63},
    )
    (await running.executor.pod("slow")).say(LONG, "a line")


async def visit(page: Page, running: Bed, view: str) -> None:
    """Open a view of the workflow, and wait until it is there."""
    await page.goto(address(running, f"/workflows/ns/wf?view={view}"))
    await expect(page.get_by_role("tab", selected=True)).to_have_text(view.capitalize())
    ready = {
        "graph": page.get_by_role("button", name="bad, Failed"),
        "timeline": page.get_by_role("row", name="bad"),
        "logs": page.get_by_text("a line"),
        "details": page.get_by_text(LONG),
    }
    await expect(ready[view]).to_be_visible()


@pytest.mark.parametrize("tab", [PHONE], indirect=True)
async def test_nothing_is_wider_than_a_small_phone(tab: Tab) -> None:
    """At 360 px no view scrolls to the side, and what can be pressed is large enough."""
    async with bed(some()) as running:
        await fill(running)
        await running.create(
            steps(["a"], templates=[pod("a")]), "w" * 63, labels={"label": "x" * 63}
        )
        page = tab.page
        await page.goto(address(running))
        await expect(page.get_by_role("link", name="w" * 63)).to_be_visible()
        assert [] == await _wide(page)
        for view in VIEWS:
            await visit(page, running, view)
            assert [] == await _wide(page), view
            assert [] == await page.evaluate(
                """() => [...document.querySelectorAll("main .actions button, main [role=tab]")]
                  .filter((node) => node.getBoundingClientRect().height < 24)"""
            )
        await visit(page, running, "graph")
        await page.get_by_role("button", name="bad, Failed").click()
        await expect(page.get_by_role("complementary", name="Step bad")).to_be_in_viewport()
        assert [] == await _wide(page)
        await page.get_by_role("group", name="Actions").get_by_text("Delete").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert [] == await _wide(page)


async def _wide(page: Page) -> Any:
    """Return what makes the page scroll to the side."""
    return await page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
          [...document.querySelectorAll("main *")]
            .filter((node) => node.getBoundingClientRect().right > innerWidth)
            .map((node) => node.outerHTML.slice(0, 120))"""
    )


@pytest.mark.parametrize("tab", [{}, DARK], indirect=True, ids=["light", "dark"])
async def test_every_text_can_be_read(tab: Tab, request: pytest.FixtureRequest) -> None:
    """All texts have a contrast of 4.5 or more, in the light and in the dark."""
    dark = "dark" in request.node.name
    async with bed(some()) as running:
        await fill(running)
        page = tab.page
        await page.goto(address(running))
        await expect(page.get_by_role("link", name="wf", exact=True)).to_be_visible()
        ground = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)") == ground
        assert [] == await page.evaluate(CONTRAST)
        for view in VIEWS:
            await visit(page, running, view)
            assert [] == await page.evaluate(CONTRAST), view
        turning = "getComputedStyle(document.querySelector('.head .disc')).animationName"
        assert ("none" if dark else "turn") == await page.evaluate(turning)


async def test_no_text_of_a_workflow_becomes_markup(tab: Tab) -> None:
    """Parameters, messages, item names and log lines are shown as they are, wherever they stand."""
    direction, escape = "a\u202eb", "\x1b[31mred\x1b[0m \x1b]0;title\x07"
    message = PodResult(exit_code=1, reason="Error", message=HOSTILE + direction)

    def behave(one: Pod) -> PodResult | None:
        return message if one.template_name == "bad" else None

    executor = ScriptedExecutor(behave)
    item = {"name": "say", "template": "say", "withItems": [HOSTILE]}
    both = [item, {"name": "bad", "template": "bad"}]
    async with bed(executor) as running:
        await running.create(
            {
                **steps(both, templates=[pod("say"), pod("bad")]),
                "arguments": {"parameters": [{"name": HOSTILE, "value": HOSTILE}]},
            },
            annotations={"note": HOSTILE},
        )
        (await executor.pod("say")).say(HOSTILE, escape)
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        step = page.locator("button.step", has_text="say(0:")
        await expect(step).to_contain_text("<img src=x")
        await step.click()
        await expect(page.get_by_role("heading", name="say(0:<img")).to_be_visible()
        await expect(page.get_by_role("list", name="What failed")).to_contain_text("a\\u202eb")
        for view, text in (("timeline", "say(0:<img"), ("details", HOSTILE), ("logs", HOSTILE)):
            await page.get_by_role("tab", name=view.capitalize()).click()
            await expect(page.get_by_role("tabpanel")).to_contain_text(text)
        await expect(page.get_by_role("log")).to_contain_text("red \\x1b]0;title\\x07")
        (await executor.pod("say")).end(OK)
        await expect(page).to_have_title("Failed: wf · aiowf")
        await page.goto(address(running))
        await expect(page.get_by_role("row", name="wf")).to_be_visible()
        assert 0 == await page.evaluate("document.querySelectorAll('main img, main script').length")


async def test_the_policy_stops_what_gets_in_all_the_same(tab: Tab) -> None:
    """Neither an inline script nor markup from text nor another host is possible."""
    async with bed() as running:
        page = tab.page
        await page.goto(address(running))
        await expect(page.get_by_text("There are no workflows yet.")).to_be_visible()
        stopped = await page.evaluate(
            """async (other) => {
              const stopped = [];
              document.addEventListener("securitypolicyviolation", (event) =>
                stopped.push(event.effectiveDirective));
              try { document.body.innerHTML = "<b>x</b>"; } catch { stopped.push("markup"); }
              const script = document.createElement("script");
              try { script.textContent = "document.title = 'x'"; } catch { stopped.push("text"); }
              document.body.append(script);
              try { await fetch(other); } catch { stopped.push("fetch"); }
              while (!stopped.includes("connect-src")) await new Promise(requestAnimationFrame);
              return [document.title, ...new Set(stopped)];
            }""",
            "http://127.0.0.2:9/",
        )
        assert {"markup", "text", "fetch", "connect-src"} <= set(stopped)
        assert "Workflows · aiowf" == stopped[0]
        # The browser complains of each, as it should; and it asked for what it did not get.
        assert tab.problems
        tab.problems.clear()
        tab.requests.clear()


async def test_a_screen_reader_finds_its_way(tab: Tab) -> None:
    """Landmarks, headings, names and states are in the accessibility tree."""
    async with bed(some()) as running:
        await fill(running)
        page = tab.page
        await page.goto(address(running))
        await expect(page.locator("body")).to_match_aria_snapshot(
            """
            - link "Skip to the content"
            - banner:
              - link "aiowf"
              - status: Live
            - main:
              - heading "Workflows" [level=1]
              - search:
                - searchbox "Search"
                - combobox "Created"
                - group "Phase":
                  - radio /All/ [checked]
              - table "Workflows, the newest first":
                - rowgroup:
                  - row "Workflow Progress Duration Created"
                - rowgroup:
                  - row /wf/:
                    - cell:
                      - link "wf"
            """
        )
        await visit(page, running, "graph")
        await page.get_by_role("button", name="bad, Failed").click()
        await expect(page.get_by_role("main")).to_match_aria_snapshot(
            """
            - navigation "Breadcrumb":
              - link "Workflows"
              - link "ns"
            - heading "wf" [level=1]
            - group "Actions":
              - button "Stop"
              - button "Retry" [disabled]
            - list "What failed":
              - listitem:
                - button "bad"
            - tablist "Views":
              - tab "Graph" [selected]
              - tab "Timeline"
            - tabpanel "Graph":
              - group "Zoom"
              - group /Graph of \\d+ steps/:
                - button "a, Succeeded"
                - button /many, 12 steps/
                - button "bad, Failed" [pressed]
            - complementary "Step bad":
              - heading "bad" [level=2]
              - button "Close the step"
              - button "Show the log"
            """
        )
        for view in VIEWS:
            await page.get_by_role("tab", name=view.capitalize()).click()
            assert [] == await _nameless(page)


async def _nameless(page: Page) -> Any:
    """Return what can be focused and has no name, and ids that are there twice."""
    return await page.evaluate(
        """() => {
          const named = (node) => node.getAttribute("aria-label") || node.textContent.trim()
            || node.labels?.length || node.getAttribute("aria-labelledby");
          const all = [...document.querySelectorAll("a, button, input, select, [tabindex='0']")];
          const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
          return [
            ...all.filter((node) => !named(node)).map((node) => node.outerHTML),
            ...ids.filter((id, index) => ids.indexOf(id) !== index),
          ];
        }"""
    )


async def test_the_focus_stays_when_the_list_changes(tab: Tab) -> None:
    """New workflows and changed ones leave the focus alone; a deleted one gives it to the next."""
    executor = held("slow")
    async with bed(executor) as running:
        for name in ("one", "two", "three"):
            await running.create(steps(["slow"], templates=[pod("slow")]), name)
        page = tab.page
        await page.goto(address(running))
        link = page.get_by_role("link", name="two")
        await expect(link).to_be_visible()
        await link.focus()
        await running.create(steps(["slow"], templates=[pod("slow")]), "four")
        await expect(page.get_by_role("link", name="four")).to_be_visible()
        for state in list(executor.states.values()):
            state.end(OK)
        await expect(page.get_by_role("row", name="two Succeeded")).to_be_visible()
        await expect(link).to_be_focused()
        outline = "getComputedStyle(document.activeElement)"
        await page.keyboard.press("Tab")
        await page.keyboard.press("Shift+Tab")
        assert "solid 2px" == await page.evaluate(
            f"{outline}.outlineStyle + ' ' + {outline}.outlineWidth"
        )
        async with running.client.delete("/api/v1/workflows/ns/two"):
            pass
        await expect(link).to_have_count(0)
        await expect(page.get_by_role("link", name="one")).to_be_focused()
