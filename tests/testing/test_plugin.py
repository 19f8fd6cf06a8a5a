"""The plugin in a pytest of its own: other plugins, processes, settings, mistakes."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

STRICT = "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function\n"
OPERATION = """
    import os
    import pytest
    from aiowf import operations, tasks

    OPERATION = operations.DistributedSyncOperation("t-", tasks.CommandBasedTask("t", "true"))
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in a process of its own."""
    pytester.makeini(STRICT)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_pytest_starts_without_loading_the_engine() -> None:
    """Who does not use the plugin does not pay for it."""
    code = (
        "import sys, aiowf.testing.plugin as p; "
        "print([m for m in ('aiohttp', 'asyncio', 'attrs', 'aiowf.client') if m in sys.modules])"
    )
    # pytest itself, which is there anyway, is loaded first, and may load some of them.
    code = code.replace("import sys,", "import sys, pytest; had = set(sys.modules); import")
    code = code.replace("in sys.modules]", "in set(sys.modules) - had]")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


def test_with_asyncio_in_strict_mode_and_with_anyio(pytester: pytest.Pytester) -> None:
    """Any plugin for asynchronous tests will do; each session has one engine."""
    pytester.makepyfile(
        OPERATION
        + """
    SERVERS = set()

    @pytest.mark.asyncio
    async def test_asyncio(aiowf_engine):
        await OPERATION.execute()
        assert ["t-"] == [each.operation for each in aiowf_engine.submissions]
        SERVERS.add(aiowf_engine.server)

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_anyio(aiowf_engine, anyio_backend):
        await OPERATION.execute()
        assert ["t-"] == [each.operation for each in aiowf_engine.submissions]
        SERVERS.add(aiowf_engine.server)

    def test_one_engine(aiowf_engine):
        assert {aiowf_engine.server} == SERVERS == {os.environ["ARGO_SERVER"]}

    def test_nothing_stays():
        assert "ARGO_SERVER" not in os.environ
    """
    )
    run(pytester, "-W", "error").assert_outcomes(passed=4)


def test_a_loop_for_all_tests_and_processes_for_some(pytester: pytest.Pytester) -> None:
    """A client that outlives a test serves the next one; each process has its own engine."""
    pytester.makepyfile(
        OPERATION
        + """
    pytestmark = pytest.mark.asyncio(loop_scope="module")

    @pytest.mark.parametrize("turn", range(6))
    async def test_operation(aiowf_engine, turn):
        await OPERATION.execute()
        assert 1 == len(aiowf_engine.submissions)
    """
    )
    run(pytester, "-n", "2", "-W", "error").assert_outcomes(passed=6)


def test_mistakes_in_a_mark_are_told(pytester: pytest.Pytester) -> None:
    """A misspelt mark says what it takes."""
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.aiowf(image={"a": "true"})
    def test_unknown(aiowf_engine): ...

    @pytest.mark.aiowf("skip")
    def test_position(aiowf_engine): ...

    @pytest.mark.aiowf(clock="fast")
    def test_clock(aiowf_engine): ...

    @pytest.mark.aiowf(images={"a": []})
    def test_no_command(aiowf_engine): ...

    def opened(file=open("/dev/null")):
        return file

    @pytest.mark.aiowf(images={"a": opened})
    def test_cannot_travel(aiowf_engine): ...
    """
    )
    result = run(pytester, "--strict-markers")
    result.assert_outcomes(errors=5)
    result.stdout.fnmatch_lines_random(
        [
            "*takes images=* and clock=*, by name, and not image",
            "*takes images=* and clock=*, by name, and not 'skip'",
            '*clock=\'fast\'*: it must be "real" or "skip"',
            "*images?'a'?: expected the words of a command*",
            "*cannot travel*",
        ]
    )


def test_an_engine_that_does_not_start_is_an_error(pytester: pytest.Pytester) -> None:
    """The reason is told."""
    pytester.makeconftest(
        """
    import pytest

    @pytest.fixture(scope="session", autouse=True)
    def no_interpreter():
        patch = pytest.MonkeyPatch()
        patch.setattr("sys.executable", "/no/python")
        yield
        patch.undo()
    """
    )
    pytester.makepyfile("def test_it(aiowf_engine): ...")
    result = run(pytester, "-W", "error")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*EngineError*did not start*"])
