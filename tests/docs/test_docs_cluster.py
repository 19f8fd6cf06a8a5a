"""The commands for a cluster: kubectl as it is, with an API that keeps what it is given."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes_double import Kubernetes, kubernetes
from walkthrough import DOCS, pattern, perform, steps

PAGES = ("deploy.md", "kafka.md")
# Who runs the commands of these pages that need more than an API.
ELSEWHERE = {"kafka-topics.sh": "kafka", "aiowf doctor": "kafka", "docker build": "containers"}

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here")


@pytest.fixture
def cluster() -> Iterator[Kubernetes]:
    """An empty cluster."""
    with kubernetes() as made:
        yield made


@pytest.mark.parametrize("page", PAGES)
def test_kubectl_does_what_the_page_says(page: str, cluster: Kubernetes, tmp_path: Path) -> None:
    """From a directory with the project's files, one command after the other; and once more."""
    shutil.copytree(DOCS.parent / "deploy", tmp_path / "deploy")
    (tmp_path / "ca.pem").write_text("PEM")
    environ = {"KUBECONFIG": str(cluster.configure(tmp_path)), "HOME": str(tmp_path)}
    found = [step for step in steps(page) if step.command.startswith("kubectl")]
    for step in found:
        printed = perform(step, tmp_path, **environ).strip()
        assert step.expected is not None
        assert pattern(step.expected).fullmatch(printed), printed
    for step in found:
        if " apply " in step.command:
            again = perform(step, tmp_path, **environ).splitlines()
            assert {"unchanged"} == {line.rpartition(" ")[2] for line in again}


def test_the_service_finds_what_the_overlay_has_made(cluster: Kubernetes, tmp_path: Path) -> None:
    """Its environment has the name that its manifest says, and the addresses of the overlay."""
    shutil.copytree(DOCS.parent / "deploy", tmp_path / "deploy")
    environ = {"KUBECONFIG": str(cluster.configure(tmp_path)), "HOME": str(tmp_path)}
    perform(next(steps("deploy.md")), tmp_path, **environ)
    data = cluster.objects["my-team", "ConfigMap", "aiowf-client"]["data"]
    assert "argo-server.workflows.svc:2746" == data["ARGO_SERVER"]
    assert "aiowf-replies" == data["AIOWF_REPLY_TOPIC"]
    assert "configMapRef: {name: aiowf-client}" in (DOCS / "deploy.md").read_text()


def test_a_change_of_the_overlay_arrives(cluster: Kubernetes, tmp_path: Path) -> None:
    """A second `apply` with another address changes the one object that has it."""
    shutil.copytree(DOCS.parent / "deploy", tmp_path / "deploy")
    environ = {"KUBECONFIG": str(cluster.configure(tmp_path)), "HOME": str(tmp_path)}
    step = next(steps("deploy.md"))
    perform(step, tmp_path, **environ)
    (name, text) = next(iter(step.files.items()))
    step.files[name] = text.replace("argo-server.workflows", "argo-server.other")
    printed = perform(step, tmp_path, **environ)
    assert "configmap/aiowf-client configured" in printed
    data = cluster.objects["my-team", "ConfigMap", "aiowf-client"]["data"]
    assert "argo-server.other.svc:2746" == data["ARGO_SERVER"]


def test_the_secret_has_the_keys_that_pods_take(cluster: Kubernetes, tmp_path: Path) -> None:
    """Under the names that the page lists."""
    (tmp_path / "ca.pem").write_text("PEM")
    environ = {"KUBECONFIG": str(cluster.configure(tmp_path)), "HOME": str(tmp_path)}
    (step,) = [step for step in steps("kafka.md") if step.command.startswith("kubectl")]
    perform(step, tmp_path, **environ)
    data = cluster.objects["my-team", "Secret", "kafka-credentials"]["data"]
    assert {"username", "password", "ca.crt", "reply-key"} == set(data)
    assert b"PEM" == base64.b64decode(data["ca.crt"])


def test_every_other_command_has_its_test() -> None:
    """What needs a broker or containers is run where they are."""
    others = [
        step.command
        for page in PAGES
        for step in steps(page)
        if not step.command.startswith("kubectl")
    ]
    for command in others:
        assert any(word in command for word in ELSEWHERE), command
