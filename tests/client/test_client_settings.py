"""What a client is told, and what it reads from the environment."""

from pathlib import Path
from typing import Any

import pytest

import aiowf
from aiowf.client.settings import read_settings

VALUES = {
    "namespace": "mnp",
    "domain": "example.org",
    "registry": {"name": "registry.example.org/mnp/", "secret": "pull-secret"},
    "task-images": {"myapp-mytask": "registry.example.org/mnp/myapp-mytask:1"},
    "apps": {
        "argo": {
            "harness": {"subdomain": "argo", "service": {"name": "argo-server", "port": 2746}}
        },
        "events": {"kafka": {"name": "bootstrap", "port": 9092}},
    },
}


def test_nothing_said_is_the_embedded_engine() -> None:
    """An empty environment means the embedded engine and a profile that assumes nothing."""
    settings = read_settings(None, environ={})
    assert ("local", True, None, aiowf.Profile()) == (
        settings.server,
        settings.is_local,
        settings.namespace,
        settings.profile,
    )


def test_the_environment_is_read() -> None:
    """Server, namespace and user interface come from variables where the caller is silent."""
    environ = {
        "ARGO_SERVER": "argo.example.org:443",
        "ARGO_NAMESPACE": "sims",
        "AIOWF_UI_URL": "https://argo.example.org",
    }
    settings = read_settings(None, environ=environ)
    assert (
        settings.server,
        settings.namespace,
        settings.ui,
    ) == ("argo.example.org:443", "sims", "https://argo.example.org")
    said = read_settings("other:1", environ=environ, namespace="mine", ui="http://ui")
    assert (said.server, said.namespace, said.ui) == ("other:1", "mine", "http://ui")


def test_cloudharness_names_everything() -> None:
    """Server, namespace, images, Kafka and user interface come from allvalues.yaml."""
    settings = read_settings("cloudharness", profile=VALUES, environ={})
    assert (
        settings.server,
        settings.namespace,
        settings.ui,
    ) == ("http://argo-server.mnp:2746", "mnp", "https://argo.example.org")
    assert settings.kafka is not None
    assert settings.kafka.bootstrap_servers == "bootstrap.mnp:9092"
    assert settings.profile.image("myapp-mytask") == "registry.example.org/mnp/myapp-mytask:1"


def test_cloudharness_without_argo_is_an_error() -> None:
    """A deployment that has no Argo cannot be connected to."""
    with pytest.raises(aiowf.ConfigurationError, match="no application argo"):
        read_settings("cloudharness", profile={"apps": {}}, environ={})
    with pytest.raises(aiowf.ConfigurationError, match="reads the values itself"):
        read_settings("cloudharness", profile=aiowf.Profile(), environ={})


def test_what_the_deployment_lacks_is_left_out() -> None:
    """Without Kafka, domain and names there are defaults, or nothing."""
    values = {"apps": {"argo": {"harness": {}}}}
    settings = read_settings("cloudharness", profile=values, environ={"ARGO_SERVER": "argo:1"})
    assert (
        settings.server,
        settings.namespace,
        settings.kafka,
        settings.ui,
    ) == ("argo:1", "default", None, None)


def test_a_profile_may_be_a_file(tmp_path: Path) -> None:
    """AIOWF_PROFILE names an allvalues.yaml for any server."""
    import yaml

    path = tmp_path / "allvalues.yaml"
    path.write_text(yaml.safe_dump(VALUES))
    settings = read_settings("argo:2746", environ={"AIOWF_PROFILE": str(path)})
    assert settings.profile.service_account == "argo-workflows"
    named = read_settings("argo:2746", profile=aiowf.Profile(base_image="x:1"), environ={})
    assert named.profile.base_image == "x:1"


@pytest.mark.parametrize(
    "options", [{"completion": "never"}, {"max_active": 0}, {"max_active": "2"}, {"ui": "argo"}]
)
def test_a_wrong_option_is_named(options: dict[str, Any]) -> None:
    """What cannot be is refused before anything is opened, by its name."""
    with pytest.raises(aiowf.ConfigurationError, match=next(iter(options))):
        aiowf.connect("local", **options)


def test_secrets_are_not_shown() -> None:
    """Neither a token nor the credentials of Kafka stand in a repr."""
    kafka = {
        "bootstrap_servers": "kafka:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "me",
        "sasl_password": "hush",
    }
    client = aiowf.connect("argo:2746", token="Bearer hush", kafka=kafka)
    assert "hush" not in repr(client.settings) + repr(client)


@pytest.mark.parametrize(
    ("server", "shown"),
    [
        ("http://me:hush@argo:2746/base", "http://argo:2746/base"),
        ("me:hush@argo:2746", "argo:2746"),
        ("unix:/tmp/a@b/socket", "unix:/tmp/a@b/socket"),
        ("local", "local"),
    ],
)
def test_the_password_of_a_server_is_not_shown(server: str, shown: str) -> None:
    """An URL may hold one, for HTTP basic authentication."""
    client = aiowf.connect(server)
    assert f"<Client {shown} [new]>" == repr(client)
    assert f"server={shown!r}, " in repr(client.settings)
    assert server == client.settings.server


def test_a_stand_in_for_an_image_is_a_command() -> None:
    """A text is split as a shell splits words; what is no command is refused, with the image."""
    settings = aiowf.connect("local", images={"sum": "python '/a b/sum.py'"}).settings
    assert {"sum": ["python", "/a b/sum.py"]} == settings.images
    with pytest.raises(aiowf.ConfigurationError, match=r"images\['sum'\]"):
        aiowf.connect("local", images={"sum": []})


def test_a_misspelt_server_is_told() -> None:
    """A word that is nearly one that means something is taken for a mistake, and not for a host."""
    for server in ("locale", "lokal", "cloudharnes"):
        with pytest.raises(aiowf.ConfigurationError, match="did you mean"):
            aiowf.connect(server)
    for server in ("localhost", "local", "argo"):
        assert server == aiowf.connect(server).settings.server
