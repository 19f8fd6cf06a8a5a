"""Images are pulled before their pods have a turn, by a program that does as podman does."""

import asyncio
from pathlib import Path

import pytest
from pod_testing import MakeExecutor, MakePod, nothing

from aiowf.engine.executor.containers import Containers
from aiowf.engine.executor.pulling import Pulls, pull
from aiowf.engine.pod import ImagePullError
from aiowf.manifest import Container

# It has the image `here`, can pull `there`, is told nothing of `silent`, and runs every image.
PODMAN = """#!/bin/sh
echo "$*" >> {calls}
case "$*" in
    *inspect*" here" | *pull*" there" | *pull*" here") echo 0123 ;;
    *pull*silent) sleep 1000 ;;
    *pull*) echo trying >&2; echo "Error: no route to $3" >&2; exit 125 ;;
esac
"""


@pytest.fixture
def podman(tmp_path: Path) -> Path:
    """Return the program; what it was called with stands in `calls` beside it."""
    program = tmp_path / "podman"
    program.write_text(PODMAN.format(calls=tmp_path / "calls"))
    program.chmod(0o700)
    return program


@pytest.mark.parametrize(
    ("image", "policy", "expected"),
    [
        ("here", None, ["image inspect --format {{.Id}} here"]),
        ("there", None, ["image inspect --format {{.Id}} there", "pull --quiet there"]),
        ("here", "Always", ["pull --quiet here"]),
        ("here", "Never", ["image inspect --format {{.Id}} here"]),
    ],
)
async def test_an_image_is_pulled_as_its_policy_says(
    podman: Path, image: str, policy: str | None, expected: list[str]
) -> None:
    """One that is here is not asked for, but where that is wanted."""
    await pull([str(podman)], Container(image=image, image_pull_policy=policy))
    calls = podman.with_name("calls")
    assert expected == (calls.read_text().splitlines() if calls.exists() else [])


async def test_why_an_image_cannot_be_had(podman: Path) -> None:
    """The pod says so in Kubernetes' words, with the last ones of podman."""
    why = 'ErrImagePull: failed to pull and unpack image "nowhere": Error: no route to nowhere'
    with pytest.raises(ImagePullError) as caught:
        await pull([str(podman)], Container(image="nowhere"))
    assert why == str(caught.value)


async def test_an_image_that_is_never_pulled(podman: Path) -> None:
    """Where it is not here either, the pod waits as on a cluster."""
    with pytest.raises(ImagePullError, match=r"ErrImageNeverPull.*nowhere.*policy of Never"):
        await pull([str(podman)], Container(image="nowhere", image_pull_policy="Never"))


async def test_pods_share_a_pull(
    podman: Path, make_pod: MakePod, make_executor: MakeExecutor
) -> None:
    """However many want an image, it is asked for once; what fails, fails for all of them."""
    containers = Containers(command=(str(podman),), all_pods=True, engine=str(podman.parent))
    pods = [make_pod("true", container={"image": "nowhere"}) for _ in range(5)]
    async with make_executor(containers=containers) as executor:
        runs = [executor.run(pod, nothing) for pod in pods]
        ends = await asyncio.gather(*runs, return_exceptions=True)
    assert [ImagePullError] * 5 == [type(end) for end in ends]
    calls = podman.with_name("calls").read_text().splitlines()
    assert ["image inspect --format {{.Id}} nowhere", "pull --quiet nowhere"] == calls


async def test_a_pull_lasts_as_long_as_somebody_waits(podman: Path) -> None:
    """The first who waits may go; with the last one goes the pull, and the next one is another."""
    pulls, silent = Pulls([str(podman)]), Container(image="silent", image_pull_policy="Always")
    first, second = (asyncio.create_task(pulls.have(silent)) for _ in range(2))
    calls = podman.with_name("calls")
    async with asyncio.timeout(20):
        while not calls.exists():  # nobody would tell
            await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait([first])
        assert not second.done()
        second.cancel()
        third = asyncio.create_task(pulls.have(silent))
        await asyncio.wait([second])
        while len(calls.read_text().splitlines()) < 2:  # nobody would tell
            await asyncio.sleep(0.01)
        third.cancel()
        await pulls.aclose()
        await asyncio.wait([third])


async def test_a_pod_without_its_image_has_no_turn(
    podman: Path, make_pod: MakePod, make_executor: MakeExecutor
) -> None:
    """It does not start, and neither does one that is killed while its image is pulled."""
    containers = Containers(command=(str(podman),), all_pods=True, engine=str(podman.parent))
    started: list[None] = []
    silent, lost, found = (
        make_pod("true", container={"image": image}) for image in ("silent", "nowhere", "there")
    )
    async with make_executor(max_pods=1, containers=containers) as executor:
        running = asyncio.create_task(executor.run(silent, lambda: started.append(None)))
        with pytest.raises(ImagePullError, match="no route"):
            await executor.run(lost, lambda: started.append(None))
        executor.kill(silent.key, grace=0)
        assert 143 == (await running).exit_code
        assert [] == started
        assert 0 == (await executor.run(found, lambda: started.append(None))).exit_code
    assert [None] == started
