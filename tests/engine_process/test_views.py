"""The paths of a pod: through a mount namespace, and by substitution where there is none."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pod_testing import MakeExecutor, MakePod, nothing, read_log

from aiowf.engine.executor import ProcessExecutor
from aiowf.engine.executor.namespace import Namespaces
from aiowf.engine.executor.view import Mount, make_view
from aiowf.engine.pod import PodResult
from aiowf.errors import ConfigurationError
from aiowf.manifest import Volume, VolumeMount, structure

HAS_NAMESPACES = Namespaces(allowed=True).kind() is not None
needs_namespaces = pytest.mark.skipif(not HAS_NAMESPACES, reason="the kernel forbids namespaces")
BOTH = [pytest.param(True, marks=needs_namespaces, id="namespace"), pytest.param(False, id="none")]
CLAIM = structure({"name": "shared", "persistentVolumeClaim": {"claimName": "data"}}, Volume)
EMPTY = structure({"name": "empty", "emptyDir": {}}, Volume)
SHARED = VolumeMount(name="shared", mount_path="/mnt/aiowf-test/shared")


@pytest.fixture(params=BOTH)
async def executor(
    request: pytest.FixtureRequest, make_executor: MakeExecutor
) -> AsyncIterator[ProcessExecutor]:
    """Return an executor with mount namespaces, and one without."""
    async with make_executor(namespaces=request.param) as executor:
        yield executor


async def test_a_claim_is_shared(
    executor: ProcessExecutor, make_pod: MakePod, tmp_path: Path
) -> None:
    """What one pod writes to a claim the next one reads, and the machine sees nothing of it."""
    about = {"volume_mounts": (SHARED,)}
    source = "mkdir -p /mnt/aiowf-test/shared/a; echo hi > /mnt/aiowf-test/shared/a/x"
    writer = make_pod(source=source, container=about, volumes=(CLAIM,))
    reader = make_pod(
        "cat", "/mnt/aiowf-test/shared/a/x", container=about, volumes=(CLAIM,), capture_stdout=True
    )
    assert (await executor.run(writer, nothing)).exit_code == 0
    assert await executor.run(reader, nothing) == PodResult(exit_code=0, stdout="hi")
    assert (tmp_path / "claims/default/data/a/x").read_text() == "hi\n"
    assert not Path("/mnt/aiowf-test").exists()


async def test_an_empty_directory_is_the_pods_own(
    executor: ProcessExecutor, make_pod: MakePod
) -> None:
    """An emptyDir is empty in every pod, and nothing of it is left."""
    mount = VolumeMount(name="empty", mount_path="/aiowf-test-empty")
    for _ in range(2):
        pod = make_pod(
            source="ls /aiowf-test-empty; touch /aiowf-test-empty/x",
            container={"volume_mounts": (mount,)},
            volumes=(EMPTY,),
        )
        assert (await executor.run(pod, nothing)).exit_code == 0
        assert await read_log(executor, pod) == []
    assert not Path("/aiowf-test-empty").exists()


async def test_files_anywhere(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """Files are given and taken at any path, also where the machine has a directory of its own."""
    pod = make_pod(
        source="cat /aiowf-in/conf.d/a /etc/aiowf-test.conf; echo one > /tmp/out; "
        "echo two > /var/log/aiowf-test.log; echo three > /aiowf-out/x/y; ls /etc/passwd",
        files={"/aiowf-in/conf.d/a": b"A\n", "/etc/aiowf-test.conf": b"B\n"},
        outputs={
            "one": "/tmp/out",
            "two": "/var/log/aiowf-test.log",
            "three": "/aiowf-out/x/y",
            "none": "/tmp/none",
        },
    )
    result = await executor.run(pod, nothing)
    assert await read_log(executor, pod) == [b"A", b"B", b"/etc/passwd"]
    assert result == PodResult(exit_code=0, outputs={"one": "one", "two": "two", "three": "three"})
    for path in ("/etc/aiowf-test.conf", "/var/log/aiowf-test.log", "/aiowf-in", "/aiowf-out"):
        assert not Path(path).exists()


async def test_an_output_that_the_machine_has(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """A file that is there already is a copy: what the pod does to it is its own affair."""
    file = Path(__file__).with_name("pod_testing.py")
    before = file.read_text()
    pod = make_pod(source=f"echo '# more' >> {file}", outputs={"file": str(file)})
    result = await executor.run(pod, nothing)
    assert result.outputs["file"] == before + "# more"
    assert file.read_text() == before


async def test_outputs_in_a_volume(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """An output may be in a volume."""
    pod = make_pod(
        source="echo x > /mnt/aiowf-test/shared/out",
        container={"volume_mounts": (SHARED,)},
        volumes=(CLAIM,),
        outputs={"out": "/mnt/aiowf-test/shared/out"},
    )
    assert await executor.run(pod, nothing) == PodResult(exit_code=0, outputs={"out": "x"})


async def test_paths_that_only_argo_knows(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """A program that knows /dev/termination-log and /tmp/aiowf, and not our variables, works."""
    pod = make_pod(
        "bash",
        "-c",
        "cat /tmp/aiowf/in/x > /dev/termination-log; echo > /dev/null; exit 2",
        files={"/tmp/aiowf/in/x": b"because"},
    )
    assert await executor.run(pod, nothing) == PodResult(
        exit_code=2, message="because", reason="Error"
    )


@pytest.mark.parametrize("directory", ["/aiowf-test-work/deep", "/mnt/aiowf-test/shared/w", "/usr"])
async def test_the_working_directory(
    executor: ProcessExecutor, make_pod: MakePod, directory: str
) -> None:
    """It is made if it is not there; one that the machine has is used."""
    pod = make_pod(
        source="pwd; ls -d .",
        container={"working_dir": directory, "volume_mounts": (SHARED,)},
        volumes=(CLAIM,),
    )
    assert (await executor.run(pod, nothing)).exit_code == 0
    assert (await read_log(executor, pod))[0].endswith(directory.rpartition("/")[2].encode())


async def test_commands_in_a_view(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """Commands are found, and missed, in the same words."""
    about = {"volume_mounts": (SHARED,)}
    runs = [
        make_pod("python", "-c", "import attrs", container=about, volumes=(CLAIM,)),
        make_pod("no-such-command", container=about, volumes=(CLAIM,)),
        make_pod("/no/such", container=about, volumes=(CLAIM,)),
    ]
    results = [await executor.run(pod, nothing) for pod in runs]
    failed = 'failed to find name in PATH: exec: "'
    assert results == [
        PodResult(exit_code=0),
        PodResult(
            exit_code=64,
            message=f'{failed}no-such-command": executable file not found in $PATH',
            reason="Error",
        ),
        PodResult(
            exit_code=64,
            message=f'{failed}/no/such": stat /no/such: no such file or directory',
            reason="Error",
        ),
    ]


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (VolumeMount(name="other", mount_path="/x"), "volume 'other' of the pod is not defined"),
        (
            VolumeMount(name="shared", mount_path="/x", sub_path="../y"),
            "the sub-path '../y' leads out of volume 'shared'",
        ),
        (
            VolumeMount(name="shared", mount_path="/x", sub_path="link"),
            "the sub-path 'link' leads out of volume 'shared'",
        ),
    ],
)
async def test_volumes_that_a_pod_cannot_have(
    executor: ProcessExecutor, make_pod: MakePod, tmp_path: Path, mount: VolumeMount, message: str
) -> None:
    """The pod does not start, and the message says why."""
    claim = tmp_path / "claims/default/data"
    claim.mkdir(parents=True)
    (claim / "link").symlink_to("/etc")
    pod = make_pod("true", container={"volume_mounts": (mount,)}, volumes=(CLAIM,))
    assert await executor.run(pod, nothing) == PodResult(
        exit_code=128, message=message, reason="StartError"
    )


async def test_sub_paths(executor: ProcessExecutor, make_pod: MakePod, tmp_path: Path) -> None:
    """A sub-path is a directory of the volume, made if it is not there."""
    from aiowf.manifest import EnvVar

    mount = VolumeMount(name="shared", mount_path="/aiowf-test", sub_path_expr="$(WHO)/in")
    pod = make_pod(
        source="touch /aiowf-test/x",
        container={"volume_mounts": (mount,), "env": (EnvVar(name="WHO", value="me"),)},
        volumes=(CLAIM,),
    )
    assert (await executor.run(pod, nothing)).exit_code == 0
    assert (tmp_path / "claims/default/data/me/in/x").exists()


@needs_namespaces
async def test_read_only_mounts(make_executor: MakeExecutor, make_pod: MakePod) -> None:
    """A read-only mount, and one of a read-only claim, cannot be written to."""
    read_only = structure(
        {"name": "ro", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}}, Volume
    )
    mounts = (
        VolumeMount(name="shared", mount_path="/aiowf-a", read_only=True),
        VolumeMount(name="ro", mount_path="/aiowf-b"),
        VolumeMount(name="shared", mount_path="/aiowf-c"),
    )
    async with make_executor() as executor:
        pod = make_pod(
            source="for d in a b c; do touch /aiowf-$d/x 2> /dev/null; echo $?; done",
            container={"volume_mounts": mounts},
            volumes=(CLAIM, read_only),
        )
        await executor.run(pod, nothing)
        assert await read_log(executor, pod) == [b"1", b"1", b"0"]


@needs_namespaces
async def test_a_private_tmp(make_executor: MakeExecutor, make_pod: MakePod) -> None:
    """A pod with outputs in /tmp has a /tmp of its own, which holds what it cannot do without."""
    async with make_executor() as executor:
        pod = make_pod(
            source="echo x > /tmp/mine; ls -A /tmp; echo $AIOWF_DIR/* > /dev/null; ls $AIOWF_DIR",
            outputs={"mine": "/tmp/mine"},
        )
        result = await executor.run(pod, nothing)
        lines = await read_log(executor, pod)
    assert result == PodResult(exit_code=0, outputs={"mine": "x"})
    assert b"mine" in lines
    assert len(lines) < 10
    assert not Path("/tmp/mine").exists()


def test_volumes_of_other_kinds_are_refused() -> None:
    """The error says where, and which kinds there are."""
    from aiowf.engine.executor.volumes import check_volume

    for data, where in (
        ({"name": "v", "hostPath": {"path": "/"}}, "spec.volumes[0].hostPath"),
        ({"name": "v", "secret": {"secretName": "s"}}, "spec.volumes[0].secret"),
        ({"name": "v", "configMap": {"name": "s"}}, "spec.volumes[0].configMap"),
        ({"name": "v", "newKind": {}}, "spec.volumes[0].newKind"),
        ({"name": "../../v", "emptyDir": {}}, "spec.volumes[0].name"),
        ({"emptyDir": {}}, "spec.volumes[0].name"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            check_volume(structure(data, Volume), "spec.volumes[0]")
        assert caught.value.where == where
    for data in (
        {"name": "v", "emptyDir": {}},
        {"name": "v-{{workflow.name}}", "emptyDir": {}},
        {"name": "v", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "v", "secret": {"secretName": "s", "optional": True}},
    ):
        check_volume(structure(data, Volume), "spec.volumes[0]")


async def test_optional_secrets_are_empty(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """An optional Secret is an empty directory."""
    volume = structure({"name": "s", "secret": {"secretName": "s", "optional": True}}, Volume)
    mount = VolumeMount(name="s", mount_path="/aiowf-secret")
    pod = make_pod("ls", "/aiowf-secret", container={"volume_mounts": (mount,)}, volumes=(volume,))
    assert await executor.run(pod, nothing) == PodResult(exit_code=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/mnt/a", "/real/a"),
        ("cat /mnt/a/x '/mnt/a'", "cat /real/a/x '/real/a'"),
        ("/mnt/a.", "/real/a."),
        ("file:///mnt/a", "file:///real/a"),
        ("--dir=/mnt/a:/mnt/a/b", "--dir=/real/a:/real/b"),
        ("/mnt/ab /mnt/a-b x/mnt/a /mnt/a.txt", "/mnt/ab /mnt/a-b x/mnt/a /mnt/a.txt"),
        ("/tmp/aiowf/in /dev/termination-log", "/pod/in /pod/termination-log"),
        ("/out/x /out", "/pod/root/out/x /out"),
    ],
)
def test_substitution(text: str, expected: str) -> None:
    """Whole paths are replaced, the longest first; parts of other names are not."""
    view = make_view(
        "/pod", [Mount("/mnt/a", "/real/a"), Mount("/mnt/a/b", "/real/b")], ["/out/x"], [text]
    )
    assert view.substitute(text) == expected


@pytest.mark.parametrize(
    ("volumes", "named", "text", "needed"),
    [
        ([], [], "true", False),
        ([], ["/tmp/aiowf/return"], "cat $AIOWF_DIR/x /tmp/aiowf", False),
        ([], [], "echo > ${AIOWF_TERMINATION_LOG:-/dev/termination-log}", False),
        ([], [], "echo > /dev/termination-log", True),
        ([], [], "cat /tmp/aiowf/in/x", True),
        ([], ["/tmp/out"], "true", True),
        ([Mount("/mnt/a", "/real/a")], [], "true", True),
    ],
)
def test_only_pods_that_need_a_view_have_one(
    volumes: list[Mount], named: list[str], text: str, needed: bool
) -> None:
    """Whoever asks our variables pays nothing."""
    assert make_view("/pod", volumes, named, [text]).needed is needed


async def test_a_volume_whose_name_leads_elsewhere(
    executor: ProcessExecutor, make_pod: MakePod, tmp_path: Path
) -> None:
    """A name that is a path, which a parameter may have brought, is refused."""
    volume = structure({"name": f"..{tmp_path}/elsewhere", "emptyDir": {}}, Volume)
    mount = VolumeMount(name=volume.name, mount_path="/aiowf-test/x")
    pod = make_pod("true", container={"volume_mounts": (mount,)}, volumes=(volume,))
    result = await executor.run(pod, nothing)
    assert (result.exit_code, result.message) == (128, f"{volume.name!r} is no name of a volume")


async def test_the_termination_log_elsewhere(executor: ProcessExecutor, make_pod: MakePod) -> None:
    """The path of the container's own choice is seen, also by a program that has it built in."""
    container = {"termination_message_path": "/aiowf-test/why"}
    pod = make_pod("bash", "-c", "echo because > /aiowf-test/why; exit 2", container=container)
    expected = PodResult(exit_code=2, message="because", reason="Error")
    assert await executor.run(pod, nothing) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("seq 3000; exit 1", "\n".join(map(str, range(2921, 3001)))),
        ("printf 'x%.0s' {1..9000}; exit 1", "x" * 2048),
        ("echo out; echo said > $AIOWF_TERMINATION_LOG; exit 1", "said"),
        ("echo out", ""),
    ],
)
async def test_the_log_as_a_message(
    executor: ProcessExecutor, make_pod: MakePod, source: str, message: str
) -> None:
    """With FallbackToLogsOnError the end of the log is the message of a pod that says nothing."""
    container = {"termination_message_policy": "FallbackToLogsOnError"}
    result = await executor.run(make_pod(source=source, container=container), nothing)
    assert result.message == message


@needs_namespaces
async def test_mounts_in_one_another_and_over_the_machine(
    make_executor: MakeExecutor, make_pod: MakePod, tmp_path: Path
) -> None:
    """A mount hides what the machine has at its path, and nothing of the machine changes."""
    mounts = (
        VolumeMount(name="shared", mount_path="/etc"),
        VolumeMount(name="empty", mount_path="/etc/inner/deep"),
        VolumeMount(name="shared", mount_path="/usr/local/aiowf-test/x", read_only=True),
    )
    source = (
        "ls -A /etc; echo a > /etc/a; echo b > /etc/inner/deep/b; "
        "cat /usr/local/aiowf-test/x/a; touch /usr/local/aiowf-test/x/no; ls -d /usr/bin"
    )
    pod = make_pod(source=source, container={"volume_mounts": mounts}, volumes=(CLAIM, EMPTY))
    async with make_executor() as executor:
        assert (await executor.run(pod, nothing)).exit_code == 0
        lines = await read_log(executor, pod)
    assert [lines[0], lines[1], lines[-1]] == [b"inner", b"a", b"/usr/bin"]
    assert b"Read-only file system" in lines[2]
    claim = tmp_path / "claims/default/data"
    assert sorted(str(path.relative_to(claim)) for path in claim.rglob("*")) == [
        "a",
        "inner",
        "inner/deep",
    ]
    assert not Path("/usr/local/aiowf-test").exists()
