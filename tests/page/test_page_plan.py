"""What has not begun is drawn from the templates, where it will be."""

from typing import Any

import pytest
from bed import OK, ScriptedExecutor, bed, dag, pod, steps
from browsing import BAD, Tab, address, held
from playwright.async_api import expect

from aiowf.engine.pod import Pod, PodResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

INNER = steps(["a"], ["a", {"name": "b", "template": "a"}])["templates"][0] | {"name": "inner"}
RETRIED = pod("retried", retryStrategy={"limit": "2"})
TEMPLATES = [pod("a"), RETRIED, INNER, {"name": "wait", "suspend": {}}]

# The steps and edges of a workflow, and which of the steps are planned.
GRAPH = """async (workflow) => {
  const { stepsOf } = await import("/assets/steps.js");
  const { steps, junctions, edges } = stepsOf(workflow);
  return {
    steps: [...steps].map(([id, step]) => [id, step.label, step.path]),
    junctions: [...junctions],
    edges: edges.map(([from, to]) => [from, to]).sort(),
    planned: [...steps.values()].filter((step) => step.node.planned).map((step) => step.label),
    dashed: edges.filter(([, , weak]) => weak).length,
  };
}"""


def tasks(**needs: str) -> list[dict[str, Any]]:
    """Return DAG tasks; the template of `a2` is `a`."""
    return [
        {"name": name, "template": name.rstrip("23"), **({"depends": text} if text else {})}
        for name, text in needs.items()
    ]


SPECS = {
    "steps": steps(["a"], ["inner", "retried"], ["inner"], ["a"], templates=TEMPLATES),
    "dag": dag(
        *tasks(a="", inner="a", retried="a", a2="inner && (retried.Succeeded || !a.Failed)"),
        *tasks(inner2="a2", a3="inner2 && inner"),
        templates=TEMPLATES,
    ),
    "target": dag(*tasks(a="", inner="a", a2="a"), target="inner", templates=TEMPLATES),
    "exit": {**steps(["a", "inner"], templates=TEMPLATES), "onExit": "retried"},
    "one": {"entrypoint": "retried", "templates": TEMPLATES},
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
async def test_the_plan_is_what_comes(tab: Tab, spec: dict[str, Any]) -> None:
    """Before the first step and after the last one the graph has the same boxes and lines."""
    async with bed() as running:
        workflow = await running.run(spec)
        await tab.page.goto(address(running))
        before = await tab.page.evaluate(GRAPH, {**workflow, "status": {}})
        after = await tab.page.evaluate(GRAPH, workflow)
    assert ([], 0 if "onExit" not in spec else 3) == (after.pop("planned"), after.pop("dashed"))
    assert [label for _, label, _ in after["steps"]] == before.pop("planned")
    assert before.pop("dashed") == len(before["edges"])
    assert before == after


async def test_a_template_that_calls_itself_is_planned_once(tab: Tab) -> None:
    """What is inside is drawn when it begins, for nobody knows how often that will be."""
    again = {"name": "main", "template": "main", "when": "{{tasks.a.status}} != Succeeded"}
    spec = dag(*tasks(a=""), {**again, "depends": "a"}, templates=TEMPLATES)
    async with bed(held("a")) as running:
        await running.create(spec)
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        await page.get_by_role("button", name="main, Waiting").click()
        panel = page.get_by_role("complementary", name="Step main")
        await expect(panel).to_contain_text("Runs aftera")
        await expect(panel).to_contain_text("Runs if{{tasks.a.status}} != Succeeded")
        await expect(page.locator("button.step")).to_have_count(2)
        (await running.executor.pod("a")).end(OK)
        await expect(page.get_by_role("button", name="main, Skipped")).to_be_visible()


async def test_what_is_done_for_each_item_is_one_box_until_it_begins(tab: Tab) -> None:
    """The box tells how many there will be where that is known."""
    loops = (
        {"name": "x", "template": "a", "withItems": [1, 2, 3]},
        {"name": "y", "template": "a", "withSequence": {"count": "2"}},
        {"name": "z", "template": "a", "withParam": "{{steps.wait.outputs.result}}"},
    )
    async with bed(held("a")) as running:
        await running.create(steps(["wait"], loops[:2], templates=TEMPLATES))
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        for name, told in (("x", "3 items"), ("y", "2 items")):
            box = page.get_by_role("button", name=f"{name}, Waiting")
            await expect(box).to_contain_text(f"Waiting · {told}")
        await running.put("resume")
        await expect(page.get_by_role("button", name="x(0:1), Running")).to_be_visible()
        await expect(page.locator("button.step")).to_have_count(6)
        workflow = {**await running.get(), "status": {}}
        workflow["spec"]["templates"][0]["steps"].append([loops[2]])
        assert ["wait", "x", "y", "z"] == (await page.evaluate(GRAPH, workflow))["planned"]


async def test_what_never_ran_is_told_apart(tab: Tab) -> None:
    """After a failure the rest is not waiting any more; a retry lets it wait again."""
    results = iter([BAD])

    def behave(one: Pod) -> PodResult | None:
        return OK if one.template_name == "a" else next(results, None)

    inside = {"name": "dag", "dag": {"tasks": tasks(a="", bad="a", inner="bad")}}
    spec = steps(["dag"], ["a"], templates=[inside, pod("bad"), *TEMPLATES])
    async with bed(ScriptedExecutor(behave)) as running:
        await running.run(spec)
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        last = page.locator("button.step", has_text="Not run")
        await expect(last).to_have_count(1)
        await page.get_by_role("tab", name="Timeline").click()
        await expect(page.get_by_role("row", name="Not run")).to_have_count(0)
        await page.get_by_role("tab", name="Graph").click()
        await page.get_by_role("button", name="Retry").click()
        await expect(page.get_by_role("button", name="bad, Running")).to_be_visible()
        await expect(last).to_have_count(0)
        await expect(page.get_by_role("button", name="a, Waiting")).not_to_have_count(0)


async def test_the_plan_of_a_stored_template_is_drawn(tab: Tab) -> None:
    """A workflow that was submitted from a WorkflowTemplate has no templates of its own."""
    template = {
        "metadata": {"name": "stored"},
        "spec": steps(["wait"], ["inner"], templates=TEMPLATES),
    }
    async with bed() as running:
        async with running.client.post(
            "/api/v1/workflow-templates/ns", json={"template": template}
        ) as response:
            assert 200 == response.status, await response.text()
        await running.create({"workflowTemplateRef": {"name": "stored"}})
        other = {"name": "other", "templateRef": {"name": "stored", "template": "inner"}}
        await running.create(steps(["wait"], [other], templates=TEMPLATES[3:]), "other")
        page = tab.page
        await page.goto(address(running, "/workflows/ns/wf"))
        await expect(page.get_by_role("button", name="Waiting")).to_have_count(3)
        await page.goto(address(running, "/workflows/ns/other"))
        await expect(page.get_by_role("button", name="Waiting")).not_to_have_count(0)


async def test_a_page_without_the_plan_shows_what_has_begun(tab: Tab) -> None:
    """A server that cannot tell the templates costs the plan, and nothing else."""
    tab.refusals = True
    async with bed() as running:
        await running.create(steps(["wait"], ["a"], templates=TEMPLATES))
        page = tab.page
        await page.route("**/workflows/ns/wf?fields=*", lambda route: route.fulfill(status=500))
        await page.goto(address(running, "/workflows/ns/wf"))
        await expect(page.get_by_role("button", name="wait, Suspended")).to_be_visible()
        await expect(page.locator("button.step")).to_have_count(1)
