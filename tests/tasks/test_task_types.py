"""What each type of task renders."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiowf import tasks
from aiowf.errors import ConfigurationError
from aiowf.manifest import EnvVar, unstructure
from aiowf.profile import Profile
from aiowf.tasks import (
    BashTask,
    CommandBasedTask,
    CustomTask,
    PythonTask,
    Reference,
    SendResultTask,
    Task,
    UndeclaredImportWarning,
)
from aiowf.tasks.rendering import TaskContext

CONTEXT = TaskContext(profile=Profile(base_image="base:1", runtime_image="runtime:1"))
HERE = Path(__file__).name


def double(x: int, *, times: int = 2) -> int:
    return x * times


async def later(x: int) -> list[int]:
    return [x]


def rendered(task: Task[Any], context: TaskContext = CONTEXT) -> dict[str, Any]:
    """Return the JSON of a task's template."""
    data: dict[str, Any] = unstructure(task.to_template(context))
    return data


def run(script: dict[str, Any], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a script as a pod would: its source in a file, its own directory."""
    source = directory / "source"
    source.write_text(script["source"])
    program = {"python": sys.executable, "bash": "bash"}[script["command"][0]]
    return subprocess.run(
        [program, str(source)],
        env={**os.environ, "AIOWF_DIR": str(directory), "AIOWF_TERMINATION_LOG": "/dev/null"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_bash_task_is_a_script_in_the_base_image() -> None:
    """A source that nothing would change stands as it is."""
    script = rendered(BashTask("a", "echo $(ls -l)\n"))["script"]
    assert (script["image"], script["command"]) == ("base:1", ["bash"])
    assert script["source"] == "echo $(ls -l)\n"


def test_literal_text_of_a_bash_task_stays_literal(tmp_path: Path) -> None:
    """Nothing is left for Argo or Kubernetes, and Bash sees what was written."""
    script = rendered(BashTask("a", "echo '{{workflow.name}}' '$(HOME)' $(( $$ > 0 ))"))["script"]
    assert "{{" not in script["source"]
    assert "$$" not in script["source"]
    assert "$(HOME)" not in script["source"]
    assert run(script, tmp_path).stdout == "{{workflow.name}} $(HOME) 1\n"


@pytest.mark.parametrize("source", [None, 7, b"true"])
def test_a_bash_source_is_text(source: Any) -> None:
    """Anything else is refused when the task is built."""
    with pytest.raises(ConfigurationError, match="Bash source"):
        BashTask("a", source)


def test_bash_output_is_kept_when_it_is_wanted(tmp_path: Path) -> None:
    """It goes to the log as well, and arrives unchanged where it is taken."""
    wanted = {"a": frozenset({"stdout", "stdout-env"})}
    task = BashTask("a", "echo '{{x}} $$ $(Y)'; bash -c 'echo ä'")
    template = rendered(task, attrs.evolve(CONTEXT, wanted=wanted))
    done = run(template["script"], tmp_path)
    assert (done.returncode, done.stdout) == (0, "{{x}} $$ $(Y)\nä\n")
    text = (tmp_path / "stdout").read_text()
    assert "{{" not in text
    assert "$" not in text
    assert json.loads(text) == "{{x}} $$ $(Y)\nä"
    lb = "$(AIOWF_LB)"
    assert (tmp_path / "stdout-env").read_text() == f"{lb}{lb}x}}}} $$$$ $$(Y)\nä"
    assert [each["name"] for each in template["outputs"]["parameters"]] == ["stdout", "stdout-env"]


@pytest.mark.parametrize(("source", "code"), [("exit 3", 3), ("kill -9 $$", 137)])
def test_the_exit_code_of_bash_is_kept(source: str, code: int, tmp_path: Path) -> None:
    """Also where its output is kept, and where a signal ended it."""
    context = attrs.evolve(CONTEXT, wanted={"a": frozenset({"stdout"})})
    assert run(rendered(BashTask("a", source), context)["script"], tmp_path).returncode == code


def test_a_custom_task_runs_its_image() -> None:
    """Without a command the image's own runs."""
    container = rendered(CustomTask("a", "registry.example.com/tool:1"))["container"]
    assert container["image"] == "registry.example.com/tool:1"
    assert "command" not in container
    assert "args" not in container


@pytest.mark.parametrize("command", ["run 'a b' --n=1", ["run", "a b", "--n=1"]])
def test_text_is_split_as_a_shell_splits_it(command: Any) -> None:
    """For the command and the arguments, of both types."""
    words = ["run", "a b", "--n=1"]
    custom = rendered(CustomTask("a", "i:1", command=command, args=command))["container"]
    assert (custom["command"], custom["args"]) == (words, words)
    based = rendered(CommandBasedTask("a", command))["container"]
    assert (based["image"], based["command"]) == ("base:1", words)


def test_literal_text_of_commands_stays_literal() -> None:
    """Braces are spelt by a variable, which the container then has."""
    container = rendered(CommandBasedTask("a", ["echo", "{{x}} $(Y) $$", 3]))["container"]
    lb = "$(AIOWF_LB)"
    assert container["command"] == ["echo", f"{lb}{lb}x}}}} $$(Y) $$$$", "3"]
    assert container["env"][0] == {"name": "AIOWF_LB", "value": "{"}


@pytest.mark.parametrize("command", ["", "echo 'a", [], [None], [True], {"a": 1}, 7])
def test_wrong_commands_are_refused(command: Any) -> None:
    """They are refused when the task is built."""
    with pytest.raises(ConfigurationError, match="command"):
        CommandBasedTask("a", command)


@pytest.mark.parametrize("image", ["", None, 7])
def test_wrong_images_are_refused(image: Any) -> None:
    """An image is a text."""
    with pytest.raises(ConfigurationError, match="image"):
        CustomTask("a", image)
    if image is not None:
        with pytest.raises(ConfigurationError, match="image"):
            PythonTask("a", double, args=(1,), image=image)


def test_the_sender_runs_the_runtime() -> None:
    """No shell is between, and it is told where to reply to."""
    context = attrs.evolve(CONTEXT, reply_env=(EnvVar(name="AIOWF_REPLY_TOPIC", value="t"),))
    template = rendered(SendResultTask(), context)
    assert template["name"] == "send-result-event"
    container = template["container"]
    assert container["image"] == "runtime:1"
    assert container["command"] == ["python", "-m", "aiowf.runtime"]
    assert container["args"] == ["send-results"]
    assert {"name": "AIOWF_REPLY_TOPIC", "value": "t"} in container["env"]


@pytest.mark.parametrize("task", [BashTask("a", "true"), CustomTask("a", "i:1")])
def test_other_tasks_are_not_told_where_to_reply_to(task: Task[Any]) -> None:
    """They have nothing to send, and its secrets are none of their business."""
    context = attrs.evolve(CONTEXT, reply_env=(EnvVar(name="SECRET", value="t"),))
    assert "SECRET" not in json.dumps(rendered(task, context))


def test_the_runtime_image_is_the_profiles_or_the_clients() -> None:
    """With neither the error says how an image is built."""
    context = TaskContext(profile=Profile(), runtime_image="engine:1")
    assert rendered(SendResultTask(), context)["container"]["image"] == "engine:1"
    with pytest.raises(ConfigurationError, match=r"docker build -t .* -f docker/runtime"):
        rendered(SendResultTask(), TaskContext(profile=Profile()))


def test_every_container_knows_where_it_is() -> None:
    """Its task has a variable."""
    env = rendered(BashTask("a", "true"))["script"]["env"]
    assert {"name": "AIOWF_TASK", "value": "a"} in env


def test_a_python_task_brings_its_value(tmp_path: Path) -> None:
    """The script needs nothing but itself."""
    task = PythonTask("a", double, args=(4,), kwargs={"times": 3})
    template = rendered(task)
    assert template["outputs"]["parameters"] == [
        {"name": "return", "valueFrom": {"path": "/tmp/aiowf/return", "default": ""}}
    ]
    script = template["script"]
    assert (script["image"], script["command"]) == ("base:1", ["python"])
    assert run(script, tmp_path).returncode == 0
    assert (task.decoder or str)((tmp_path / "return").read_bytes()) == 12


def test_an_async_function_is_run(tmp_path: Path) -> None:
    """Its coroutine is awaited in the pod."""
    task = PythonTask("a", later, args=(4,))
    assert run(rendered(task)["script"], tmp_path).returncode == 0
    assert (task.decoder or str)((tmp_path / "return").read_text()) == [4]


@pytest.mark.parametrize(
    "options",
    [
        {"func": 7},
        {"args": 1},
        {"args": "x"},
        {"args": (1, 2)},
        {"args": (object(),)},
        {"kwargs": {"time": 1}, "args": (1,)},
        {"kwargs": [1], "args": (1,)},
        {"requirements": ("numpy\n",), "args": (1,)},
        {"requirements": ("-r x",), "args": (1,)},
        {"requirements": (7,), "args": (1,)},
        {"requirements": 7, "args": (1,)},
        {"requirements": "numpy>=2 pandas", "args": (1,)},
        {"requirements": "numpy >=", "args": (1,)},
    ],
)
def test_wrong_calls_are_refused(options: Any) -> None:
    """They are refused when the task is built, not in the pod."""
    with pytest.raises(ConfigurationError):
        PythonTask(**{"name": "a", "func": double, **options})


def test_a_python_task_has_an_image_and_requirements() -> None:
    """Both are the task's own."""
    task = PythonTask("a", double, args=(1,), image="py:3", requirements="numpy>=2")
    script = rendered(task)["script"]
    assert script["image"] == "py:3"
    assert "numpy>=2" in script["source"]
    assert task.requirements == ("numpy>=2",)


def imports_numpy() -> None:
    import attrs as needed

    needed.fields(int)


def test_an_undeclared_import_is_warned_of() -> None:
    """At build, at the user's own line, with both remedies."""
    with pytest.warns(UndeclaredImportWarning, match=r'requirements=\("attrs",\).*image=') as seen:
        PythonTask("a", imports_numpy)
    assert Path(seen[0].filename).name == HERE


@pytest.mark.parametrize("remedy", [{"requirements": ("attrs",)}, {"image": "mine:1"}])
def test_either_remedy_stills_the_warning(remedy: Any) -> None:
    """Nothing is warned of that was declared."""
    assert PythonTask("a", imports_numpy, **remedy).name == "a"


def test_arguments_are_what_they_were_when_the_task_was_made() -> None:
    """Whoever changes a list afterwards does not change the task."""
    values = [1]
    task = PythonTask("a", later, args=(3,), kwargs={})
    many = PythonTask("b", lambda_free, args=(values,))
    source = rendered(many)["script"]["source"]
    values.append(2)
    assert rendered(many)["script"]["source"] == source
    assert ([1],) == many.args
    assert many == attrs.evolve(many)
    assert task == PythonTask("a", later, args=[3])


def test_an_argument_that_refuses_to_be_copied_is_kept() -> None:
    """It is passed on as its text was when the task was made."""

    class Stubborn(dict[str, int]):
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("there is only one")

    only = Stubborn(a=1)
    task = PythonTask("a", lambda_free, args=(only,))
    assert task.args[0] is only


def lambda_free(values: Any) -> int:
    return sum(values)


def test_python_tasks_differ_by_function_and_arguments() -> None:
    """And by nothing that does not show in the pod."""
    one = PythonTask("a", double, args=(1,))
    assert one != PythonTask("a", double, args=(2,))
    assert one != PythonTask("a", later, args=(1,))
    assert attrs.evolve(one, args=(2,)) == PythonTask("a", double, args=(2,))
    assert pickle.loads(pickle.dumps(one)) == one


def test_references() -> None:
    """They name the task, and know the type of the value."""
    task = PythonTask("My a", later, args=(1,))
    assert task.output == Reference("my-a", "output")
    assert task.output.annotation == list[int]
    assert BashTask("b", "true").stdout == Reference("b", "stdout")
    assert not hasattr(BashTask("b", "true"), "output")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: tasks.PythonTask("a", print, 3), r"PythonTask\(name, func\).*: 3\n.*args=\(3,\)"),
        (lambda: tasks.PythonTask("a", print, 3, "x"), r"args=\(3, 'x'\)"),
        (lambda: tasks.CustomTask("a", "b:1", "echo"), "command=…"),
        (lambda: tasks.BashTask("a", "true", 1), "options are given by name"),
    ],
)
def test_arguments_without_a_name_are_refused(make: Any, said: str) -> None:
    """The error says how what was meant is passed."""
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_a_task_without_a_value_says_what_it_has() -> None:
    """The output of a Bash task is what it prints; any other attribute is missing as usual."""
    task: Any = tasks.BashTask("print it", "date")
    with pytest.raises(
        ConfigurationError, match=r"BashTask returns no value\ntake print-it\.stdout"
    ):
        _ = task.output
    assert not hasattr(task, "output")
    with pytest.raises(AttributeError, match="no attribute 'outptu'"):
        _ = task.outptu


def test_a_task_type_of_ones_own_may_take_what_it_likes() -> None:
    """Its constructor decides about arguments without a name."""

    class Shell(tasks.BashTask):
        def __init__(self, name: str, *lines: str) -> None:
            super().__init__(name, "\n".join(lines))

    assert "a\nb" == Shell("x", "a", "b").source
