"""What the log endpoint gives of the logs of pods."""

import json

from bed import Bed, ScriptedExecutor, bed, pod, single

from aiowf.engine.pod import LogLine, PodResult

MAIN = "logOptions.container=main"
SECOND = 1_000_000_000
START = 1_795_449_144 * SECOND + 873_902_010


async def contents(bed: Bed, options: str) -> list[str]:
    """Return the texts of all log entries."""
    query = "&".join([MAIN, *(f"logOptions.{option}" for option in options.split())])
    async with bed.stream(f"workflows/ns/wf/log?{query}", Accept="") as response:
        lines = (await response.text()).splitlines()
    return [json.loads(line)["result"]["content"] for line in lines]


async def test_options() -> None:
    """Times, limits and tails are those of kubelet, as a real server passes them on."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(single(pod("p")))
        state = await running.executor.pod("p")
        for seconds, text in enumerate((b"line 1", b"", b"last \xc3\xbcn\r")):
            state.output.append(LogLine(text, START + seconds * SECOND))
        state.end(PodResult(exit_code=0))
        await running.finished()
        stamped = [
            "2026-11-23T15:52:24.873902010Z line 1",
            "2026-11-23T15:52:25.873902010Z ",
            "2026-11-23T15:52:26.873902010Z last ün",
        ]
        now = START / SECOND + 3.5
        running.controller.clock.time = lambda: now
        for options, expected in (
            ("timestamps=true", stamped),
            ("timestamps=true follow=true", stamped),
            ("timestamps=true tailLines=1", stamped[2:]),
            ("tailLines=0", []),
            ("tailLines=7", ["line 1", "", "last ün"]),
            ("sinceSeconds=3", ["", "last ün"]),
            ("sinceSeconds=2 follow=true", ["last ün"]),
            ("sinceSeconds=1", []),
            ("limitBytes=20", ["2026-11-23T15:52:24."]),
            ("limitBytes=68 timestamps=true", [stamped[0], "2026-11-23T15:52:25.873902010Z"]),
            ("limitBytes=1000", ["line 1", "", "last ün"]),
            ("tailLines=2 limitBytes=40", ["", "2026-11-"]),
        ):
            assert (options, await contents(running, options)) == (options, expected)


async def test_the_tail_of_a_pod_that_goes_on() -> None:
    """The end of what there is comes first, and then what follows."""
    async with bed(ScriptedExecutor(lambda p: None)) as running:
        await running.create(single(pod("p")))
        state = await running.executor.pod("p")
        state.say("1", "2", "3")
        query = f"{MAIN}&logOptions.follow=true&logOptions.tailLines=1"
        async with running.stream(f"workflows/ns/wf/log?{query}", Accept="") as response:
            first = await response.content.readline()
            state.say("4")
            second = await response.content.readline()
            state.end(PodResult(exit_code=0))
            rest = await response.content.read()
        found = [json.loads(line)["result"]["content"] for line in (first, second)]
        assert (found, rest) == (["3", "4"], b"")
