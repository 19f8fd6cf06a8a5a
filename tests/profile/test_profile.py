"""Profiles: the default one, one's own, and that of a CloudHarness deployment."""

import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from aiowf.errors import ConfigurationError
from aiowf.manifest import (
    EnvVar,
    LocalObjectReference,
    Toleration,
    Workflow,
    WorkflowSpec,
    check_fields,
    unstructure,
)
from aiowf.profile import ImageCatalogue, Profile
from aiowf.profile.addresses import cloudharness_addresses

VALUES = Path(__file__).parents[1] / "data" / "manifest" / "allvalues.yaml"


def test_the_default_assumes_nothing_of_a_cluster() -> None:
    """Tasks run in the slim image of this Python, and that is all."""
    profile = Profile()
    assert profile.base_image == f"python:3.{sys.version_info.minor}-slim"
    assert unset(profile) == {name for name in fields() if name != "base_image"}


def fields() -> set[str]:
    """Return the names of all attributes of a profile."""
    return {field.name for field in attrs.fields(Profile)}


def unset(profile: Profile) -> set[str]:
    """Return the attributes that say nothing."""
    return {name for name in fields() if not getattr(profile, name)}


def test_a_profile_takes_what_people_write() -> None:
    """Names stand for references to secrets, mappings for variables, tolerations and images."""
    profile = Profile(
        image_pull_secrets=["a", LocalObjectReference(name="b")],
        tolerations=[{"key": "k", "operator": "Exists"}, Toleration(key="l")],
        env={"A": "1"},
        images={"x": "y:1"},
    )
    assert profile.image_pull_secrets == (
        LocalObjectReference(name="a"),
        LocalObjectReference(name="b"),
    )
    assert profile.tolerations == (Toleration(key="k", operator="Exists"), Toleration(key="l"))
    assert profile.env == (EnvVar(name="A", value="1"),)
    assert profile.images == ImageCatalogue({"x": "y:1"})
    assert Profile(env=[EnvVar(name="A", value="1")]).env == profile.env


def test_profiles_are_equal_by_value_and_hashable() -> None:
    """A profile is a frozen value."""
    one, other = (Profile(env={"A": "1"}, images={"x": "y:1"}) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert attrs.evolve(one, service_account="s") != other


def test_images_of_its_own_may_be_names_of_the_catalogue() -> None:
    """Also a reference that looks like a name stays when the profile evolves."""
    images = {"base": "alpine", "runtime": "r/runtime:1"}
    profile = Profile(base_image="base", runtime_image="runtime", images=images)
    assert (profile.base_image, profile.runtime_image) == ("alpine", "r/runtime:1")
    assert attrs.evolve(profile) == profile


def test_parts_may_be_written_in_the_words_of_kubernetes() -> None:
    """As mappings, like tolerations; they become values."""
    profile = Profile(
        volumes=[{"name": "v", "emptyDir": {}}], mounts=[{"name": "v", "mountPath": "/v"}]
    )
    assert [(each.name, each.empty_dir is not None) for each in profile.volumes] == [("v", True)]
    assert [each.mount_path for each in profile.mounts] == ["/v"]


@pytest.mark.parametrize("values", [None, 3, ["a"]])
def test_values_are_a_path_or_a_mapping(values: Any) -> None:
    """Anything else is told what would be right."""
    with pytest.raises(ConfigurationError, match=r"allvalues\.yaml"):
        Profile.cloudharness(values)


def test_images_come_from_the_catalogue() -> None:
    """A profile resolves names as its catalogue does, and says where a wrong one stands."""
    profile = Profile(images={"samples-sum": "r/samples-sum:1"})
    assert profile.image("samples-sum") == "r/samples-sum:1"
    with pytest.raises(ConfigurationError) as caught:
        profile.image("samples-some", "the task sum")
    assert caught.value.where == "the task sum"


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"env": {"1 a": "x"}}, "env"),
        ({"env": {"A": 1}}, "env.A"),
        ({"image_pull_secrets": "one"}, "image_pull_secrets"),
        ({"images": {"x": "Not An Image"}}, "images.x"),
        ({"tolerations": [{"key": 1}]}, "tolerations[0].key"),
        ({"tolerations": [{"keyy": "a"}]}, "tolerations[0]"),
        ({"tolerations": {"key": "a"}}, "tolerations"),
        ({"env": ["A"]}, "env[0]"),
        ({"env": None}, "env"),
        ({"image_pull_secrets": None}, "image_pull_secrets"),
        ({"image_pull_secrets": [3]}, "image_pull_secrets[0]"),
        ({"images": ["x"]}, "images"),
        ({"volumes": "x"}, "volumes"),
        ({"mounts": [{"mountPath": 1}]}, "mounts[0].mountPath"),
        ({"base_image": "Not An Image"}, "base_image"),
        ({"base_image": None}, "base_image"),
        ({"runtime_image": 3}, "runtime_image"),
        ({"runtime_image": "mispelt", "images": {"misspelt": "x:1"}}, "runtime_image"),
        ({"service_account": "A b"}, "service_account"),
    ],
)
def test_wrong_values_are_refused_when_the_profile_is_built(
    options: dict[str, Any], where: str
) -> None:
    """Nothing wrong waits in a profile until something is submitted."""
    with pytest.raises(ConfigurationError) as caught:
        Profile(**options)
    assert caught.value.where == where


def test_cloudharness_from_a_file() -> None:
    """Images, registry secret, service account, toleration and volumes come from allvalues.yaml."""
    profile = Profile.cloudharness(VALUES, environ={})
    assert profile.base_image == "registry.example/research/cloudharness-base:1.4"
    assert profile.runtime_image is None
    assert profile.service_account == "argo-workflows"
    assert profile.image_pull_secrets == (LocalObjectReference(name="research-pull-secret"),)
    assert unstructure(list(profile.tolerations)) == [
        {"key": "cloudharness/temporary-job", "operator": "Equal", "value": "true"}
    ]
    assert unstructure(list(profile.volumes)) == [
        {"name": "cloudharness-allvalues", "configMap": {"name": "cloudharness-allvalues"}},
        {"name": "cloudharness-kc-accounts", "secret": {"secretName": "accounts"}},
    ]
    assert unstructure(list(profile.mounts)) == [
        {
            "name": "cloudharness-allvalues",
            "mountPath": "/opt/cloudharness/resources/allvalues.yaml",
            "subPath": "allvalues.yaml",
        },
        {"name": "cloudharness-kc-accounts", "mountPath": "/opt/cloudharness/resources/auth"},
    ]
    assert profile.usesvolume_namespace == "research-dev"


def test_cloudharness_knows_every_applications_images() -> None:
    """Those of tasks, of applications, and those that several applications share."""
    profile = Profile.cloudharness(VALUES, environ={})
    assert sorted(profile.images) == [
        "accounts",
        "cloudharness-base",
        "samples",
        "samples-print-file",
        "samples-sum",
    ]
    assert profile.image("samples-print-file").startswith("registry.example/research/")


def test_cloudharness_copies_no_secret_whose_name_merely_contains_the_prefix() -> None:
    """Only names that begin with CH_ reach the pods: of the values, then of the environment."""
    environ = {"CH_DOMAIN": "here", "BATCH_TOKEN": "secret", "MY_CH_KEY": "secret", "PATH": "/"}
    profile = Profile.cloudharness(VALUES, environ=environ)
    assert {item.name: item.value for item in profile.env} == {
        "CH_DOMAIN": "here",
        "CH_USE_PUBLIC": "True",
        "CH_EMPTY": "",
        "CH_WORKFLOW_NAME": "{{workflow.name}}",
    }


def test_cloudharness_reads_the_environment_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without other words the variables of this process count."""
    monkeypatch.setenv("CH_CURRENT_APP_NAME", "samples")
    names = [item.name for item in Profile.cloudharness({}).env]
    assert names == ["CH_CURRENT_APP_NAME", "CH_WORKFLOW_NAME"]


def test_cloudharness_of_next_to_nothing() -> None:
    """What the values do not tell is left out, or the default."""
    profile = Profile.cloudharness({"apps": None}, environ={})
    assert profile.base_image == Profile().base_image
    assert profile.image_pull_secrets == ()
    assert [volume.name for volume in profile.volumes] == ["cloudharness-allvalues"]


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"apps": ["samples"]}, "values.apps"),
        ({"task-images": "x"}, "values.task-images"),
        ({"task-images": {"a": 1}}, "images.a"),
    ],
)
def test_values_of_another_form_are_refused(values: dict[str, Any], where: str) -> None:
    """What is no allvalues.yaml is not taken for an empty one."""
    with pytest.raises(ConfigurationError) as caught:
        Profile.cloudharness(values)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"apps": {"argo": {"harness": "x"}}}, "values.apps.argo.harness"),
        ({"apps": {"argo": {"harness": {"service": 2746}}}}, "values.apps.argo.harness.service"),
        ({"apps": {"argo": None, "events": {"kafka": ["x"]}}}, "values.apps.events.kafka"),
        ({"apps": {"argo": None, "events": ""}}, "values.apps.events"),
    ],
)
def test_addresses_of_another_form_are_refused(values: dict[str, Any], where: str) -> None:
    """A deployment whose parts cannot be read is not taken for one with default addresses."""
    with pytest.raises(ConfigurationError, match="expected a mapping, not a") as caught:
        cloudharness_addresses(values)
    assert where == caught.value.where


def test_addresses_of_next_to_nothing() -> None:
    """Parts that are null have the default addresses."""
    addresses = cloudharness_addresses({"apps": {"argo": None, "events": {"kafka": None}}})
    assert "http://argo-server.default:2746" == addresses.server
    assert "bootstrap.default:9092" == addresses.kafka
    assert addresses.ui is None


@pytest.mark.parametrize("text", ["- a list", "a: [", "\x00"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    path = tmp_path / "values.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=str(path)):
        Profile.cloudharness(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Profile.cloudharness(str(tmp_path / "none.yaml"))


def test_without_pyyaml_a_path_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install; a mapping needs nothing."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigurationError) as caught:
        Profile.cloudharness(VALUES)
    assert caught.value.hint == 'pip install "aiowf[yaml]"'
    assert Profile.cloudharness({}).service_account == "argo-workflows"


def test_what_a_profile_gives_is_argos() -> None:
    """Volumes, tolerations and secrets have no field that Argo does not know."""
    profile = Profile.cloudharness(VALUES, environ={})
    spec = WorkflowSpec(
        volumes=profile.volumes,
        tolerations=profile.tolerations,
        image_pull_secrets=profile.image_pull_secrets,
    )
    check_fields(unstructure(Workflow(spec=spec)))
