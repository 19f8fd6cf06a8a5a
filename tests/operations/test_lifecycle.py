"""Time to live, garbage collection of pods, and notices at the end."""

from typing import Any

import pytest

from aiowf import operations, tasks
from aiowf.errors import ConfigurationError
from aiowf.manifest import EnvVar, PodGC, TTLStrategy, unstructure
from aiowf.manifest.rendering import ReplyTarget, Submission
from aiowf.operations import OnExitNotify, PodExecutionContext
from aiowf.profile import Profile

A = tasks.BashTask("a", "echo a")
RUNTIME = Profile(runtime_image="runtime:1")
PAYLOAD = '{"a": "it\'s {{workflow.name}} $(HOME) $$ `x` \\"ä\\"\\n"}\n'


def render(submission: Submission | None = None, **options: Any) -> dict[str, Any]:
    """Return the JSON of an operation's spec."""
    op = operations.DistributedSyncOperation("op", A, **options)
    spec: dict[str, Any] = unstructure(op.to_workflow(RUNTIME, submission=submission).spec)
    return spec


def handler(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the container of the exit handler, and its literal variables."""
    (template,) = (t for t in spec["templates"] if t["name"] == spec["onExit"])
    env = template["container"]["env"]
    return template["container"], {each["name"]: each["value"] for each in env if "value" in each}


def test_by_default_a_workflow_lives_an_hour() -> None:
    """Twenty minutes after success, two hours after a failure; its pods as long."""
    spec = render()
    assert spec["ttlStrategy"] == {
        "secondsAfterCompletion": 3600,
        "secondsAfterSuccess": 1200,
        "secondsAfterFailure": 7200,
    }
    assert spec["podGC"] == {"strategy": "OnWorkflowSuccess", "deleteDelayDuration": "1200s"}


@pytest.mark.parametrize(
    ("ttl", "delay"),
    [
        ({"secondsAfterSuccess": 60}, "60s"),
        ({"secondsAfterSuccess": 0}, "0s"),
        ({"secondsAfterFailure": 60}, "600s"),
        ({}, "600s"),
        (TTLStrategy(seconds_after_success=5), "5s"),
    ],
)
def test_any_part_of_a_time_to_live(ttl: Any, delay: str) -> None:
    """It takes the place of the default as a whole."""
    spec = render(ttl_strategy=ttl)
    assert spec["ttlStrategy"] == unstructure(ttl)
    assert spec["podGC"]["deleteDelayDuration"] == delay


def test_without_time_to_live_a_workflow_stays() -> None:
    """Its pods go ten minutes after success."""
    spec = render(ttl_strategy=None)
    assert "ttlStrategy" not in spec
    assert spec["podGC"]["deleteDelayDuration"] == "600s"


@pytest.mark.parametrize(
    ("ttl", "message"),
    [
        ({"secondsAfterSucces": 1}, "secondsAfterSuccess"),
        ({"seconds_after_success": 1}, "secondsAfterSuccess"),
        ({"secondsAfterSuccess": "60"}, "int"),
        ({"secondsAfterSuccess": -1}, "whole seconds"),
        (TTLStrategy(seconds_after_success=1.5), "whole seconds"),  # type: ignore[arg-type]
        (60, "TTLStrategy"),
    ],
)
def test_a_wrong_time_to_live_is_refused(ttl: Any, message: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ConfigurationError, match=message):
        render(ttl_strategy=ttl)


@pytest.mark.parametrize(
    ("pod_gc", "expected"),
    [
        (
            {"strategy": "OnPodCompletion", "deleteDelayDuration": 30},
            {"strategy": "OnPodCompletion", "deleteDelayDuration": "30s"},
        ),
        ({"deleteDelayDuration": "1m30s"}, {"deleteDelayDuration": "1m30s"}),
        ("OnPodSuccess", {"strategy": "OnPodSuccess"}),
        (PodGC(strategy="OnWorkflowCompletion"), {"strategy": "OnWorkflowCompletion"}),
        (
            {"labelSelector": {"matchLabels": {"a": "b"}}},
            {"labelSelector": {"matchLabels": {"a": "b"}}},
        ),
        (None, None),
    ],
)
def test_garbage_collection_of_pods(pod_gc: Any, expected: Any) -> None:
    """It takes the place of the default as a whole; a number of seconds becomes text."""
    assert render(pod_gc=pod_gc).get("podGC") == expected


@pytest.mark.parametrize(
    ("pod_gc", "message"),
    [
        ({"strategy": "OnPodComplete"}, "OnPodCompletion"),
        ({"delayDuration": "1s"}, "deleteDelayDuration"),
        ({"deleteDelayDuration": "soon"}, "deleteDelayDuration"),
        ("always", "OnPodSuccess"),
        (7, "PodGC"),
    ],
)
def test_a_wrong_garbage_collection_is_refused(pod_gc: Any, message: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ConfigurationError, match=message):
        render(pod_gc=pod_gc)


@pytest.mark.parametrize(
    "notify",
    [{"queue": "done", "payload": PAYLOAD}, OnExitNotify("done", PAYLOAD)],
)
def test_a_notice_goes_out_at_the_end(notify: Any) -> None:
    """No shell touches the payload: it stands in a variable, spelt so that it arrives unchanged."""
    container, env = handler(render(on_exit_notify=notify))
    assert container["image"] == "runtime:1"
    assert (container["command"], container["args"]) == (
        ["python", "-m", "aiowf.runtime"],
        ["notify"],
    )
    assert env["workflow_result"] == "{{workflow.status}}"
    assert env["queue_name"] == "done"
    assert env["payload"].replace("$$", "$").replace("$(AIOWF_LB)", "{") == PAYLOAD
    assert "{{" not in env["payload"]
    assert env["AIOWF_WORKFLOW_NAME"] == "{{workflow.name}}"


def test_a_notice_says_only_what_was_given() -> None:
    """No payload, no variable; an image of the user's own runs its own command."""
    _, env = handler(render(on_exit_notify={"queue": "q"}))
    assert "payload" not in env
    container, env = handler(render(on_exit_notify={"image": "mine:1", "payload": ""}))
    assert container["image"] == "mine:1"
    assert "command" not in container
    assert "queue_name" not in env
    assert env["payload"] == ""
    _, env = handler(render(on_exit_notify={"image": "mine:1", "queue": "not Kafka's {{x}}"}))
    assert env["queue_name"] == "not Kafka's $(AIOWF_LB)$(AIOWF_LB)x}}"


@pytest.mark.parametrize(
    ("notify", "message"),
    [
        ({"queu": "q"}, "queue"),
        ({}, "queue"),
        ({"payload": "x"}, "queue"),
        ({"queue": "q", "payload": {"a": 1}}, r"json\.dumps"),
        ({"queue": 7}, "queue"),
        ({"queue": "my topic"}, 'on_exit_notify.queue: .*\nuse "my-topic"'),
        ({"queue": "q" * 250}, "249"),
        ({"queue": ".."}, "topic"),
        ("q", "mapping"),
    ],
)
def test_a_wrong_notice_is_refused(notify: Any, message: str) -> None:
    """The message says what would be right."""
    with pytest.raises(ConfigurationError, match=message):
        render(on_exit_notify=notify)


def test_without_a_runtime_image_there_is_no_notice() -> None:
    """The error says how one is built."""
    op = operations.SingleTaskOperation("op", A, on_exit_notify={"queue": "q"})
    with pytest.raises(ConfigurationError, match="docker build"):
        op.to_workflow()


def test_the_clients_notice_goes_out_from_the_same_handler() -> None:
    """Alone, or with the user's."""
    reply = ReplyTarget(env=(EnvVar(name="AIOWF_REPLY_TOPIC", value="t"),), notify=True)
    submission = Submission(workflow_name="op-x", reply=reply)
    for notify in (None, {"queue": "q"}):
        spec = render(submission, on_exit_notify=notify)
        assert len(spec["templates"]) == 2
        _, env = handler(spec)
        assert env["AIOWF_REPLY_TOPIC"] == "t"
        assert env.get("queue_name") == (notify and "q")


def test_who_is_not_asked_to_notify_does_not() -> None:
    """There is no exit handler then."""
    submission = Submission(workflow_name="op-x", reply=ReplyTarget(notify=False))
    assert "onExit" not in render(submission)
    assert "onExit" not in render()


def test_the_exit_handler_mounts_what_every_container_does() -> None:
    """Such as the certificate that a notice's pod has to show to Kafka."""
    mount = {"name": "certificate", "mountPath": "/certificate"}
    volume = {"name": "certificate", "secret": {"secretName": "kafka-user"}}
    op = operations.SingleTaskOperation("op", A, on_exit_notify={"queue": "q"})
    profile = Profile(runtime_image="runtime:1", volumes=[volume], mounts=[mount])
    container, _ = handler(unstructure(op.to_workflow(profile).spec))
    assert container["volumeMounts"] == [mount]


def test_the_exit_handler_may_run_where_the_other_pods_do() -> None:
    """It satisfies the workflow's affinity by itself, when no other pod is left."""
    spec = render(
        shared_directory="claim:/data",
        pod_context=PodExecutionContext("a", "b", required=True),
        on_exit_notify={"queue": "q"},
    )
    (template,) = (t for t in spec["templates"] if t["name"] == "exit-handler")
    terms = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    for term in terms:
        (expression,) = term["labelSelector"]["matchExpressions"]
        assert template["metadata"]["labels"][expression["key"]] in expression["values"]
