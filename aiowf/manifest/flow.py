"""What flows between templates: parameters and artifacts.

Every class is frozen, takes keywords only and names its fields as Argo does, in snake case. None
means that the field is absent. `extra` holds what a typed field cannot say: unknown fields, and
explicit nulls.
"""

from aiowf.manifest.fields import (
    Raw,
    named,
    value,
)
from aiowf.manifest.kubernetes import (
    ConfigMapKeySelector,
)


@value
class SuppliedValueFrom:
    """A value that is supplied from outside while a suspend node waits.

    Source: `io.argoproj.workflow.v1alpha1.SuppliedValueFrom`.
    """

    extra: Raw | None = None


@value
class ValueFrom:
    """Where a parameter takes its value from (`io.argoproj.workflow.v1alpha1.ValueFrom`)."""

    config_map_key_ref: ConfigMapKeySelector | None = None
    default: str | int | float | bool | None = None
    event: str | None = None
    expression: str | None = None
    jq_filter: str | None = None
    json_path: str | None = None
    parameter: str | None = None
    path: str | None = None
    supplied: SuppliedValueFrom | None = None
    extra: Raw | None = None


@value
class Parameter:
    """A named string that a template takes or gives (`io.argoproj.workflow.v1alpha1.Parameter`)."""

    default: str | int | float | bool | None = None
    description: str | None = None
    enum: tuple[str | int | float | bool, ...] | None = None
    global_name: str | None = None
    name: str | None = None
    value: str | int | float | bool | None = None
    value_from: ValueFrom | None = None
    extra: Raw | None = None


@value
class RawArtifact:
    """An artifact whose content stands in the manifest.

    Source: `io.argoproj.workflow.v1alpha1.RawArtifact`.
    """

    data: str | None = None
    extra: Raw | None = None


@value
class NoneStrategy:
    """An artifact that is stored as it is (`io.argoproj.workflow.v1alpha1.NoneStrategy`)."""

    extra: Raw | None = None


@value
class ArchiveStrategy:
    """How an artifact is packed (`io.argoproj.workflow.v1alpha1.ArchiveStrategy`)."""

    none: NoneStrategy | None = None
    tar: Raw | None = None
    zip: Raw | None = None
    extra: Raw | None = None


@value
class Artifact:
    """A named file or directory that a template takes or gives.

    Source: `io.argoproj.workflow.v1alpha1.Artifact`.
    """

    archive: ArchiveStrategy | None = None
    archive_logs: bool | None = None
    artifact_gc: Raw | None = named("artifactGC")
    artifactory: Raw | None = None
    azure: Raw | None = None
    deleted: bool | None = None
    from_: str | None = None
    from_expression: str | None = None
    gcs: Raw | None = None
    git: Raw | None = None
    global_name: str | None = None
    hdfs: Raw | None = None
    http: Raw | None = None
    mode: int | None = None
    name: str | None = None
    optional: bool | None = None
    oss: Raw | None = None
    path: str | None = None
    plugin: Raw | None = None
    raw: RawArtifact | None = None
    recurse_mode: bool | None = None
    s3: Raw | None = None
    sub_path: str | None = None
    extra: Raw | None = None


@value
class Arguments:
    """Parameters and artifacts that a caller passes (`io.argoproj.workflow.v1alpha1.Arguments`)."""

    artifacts: tuple[Artifact, ...] | None = None
    parameters: tuple[Parameter, ...] | None = None
    extra: Raw | None = None


@value
class Inputs:
    """What a template takes (`io.argoproj.workflow.v1alpha1.Inputs`)."""

    artifacts: tuple[Artifact, ...] | None = None
    parameters: tuple[Parameter, ...] | None = None
    extra: Raw | None = None


@value
class Outputs:
    """What a template or a node gives (`io.argoproj.workflow.v1alpha1.Outputs`)."""

    artifacts: tuple[Artifact, ...] | None = None
    exit_code: str | None = None
    parameters: tuple[Parameter, ...] | None = None
    result: str | None = None
    extra: Raw | None = None
