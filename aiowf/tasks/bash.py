"""Tasks whose source is a Bash script."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import ResourceRequirements, ScriptTemplate, Template
from aiowf.tasks.functions.pod.embedding import embedded
from aiowf.tasks.options import EnvValue, TaskOptions, check_text
from aiowf.tasks.rendering import TaskContext
from aiowf.tasks.resources import Resources
from aiowf.tasks.task import InlinedTask, Shape
from aiowf.tasks.volumes import Volume
from aiowf.wire.inert import bash_source, python_code
from aiowf.wire.labels import OUTPUT_STDOUT_ENV


# mypy takes attrs' own __init__, which nobody calls, for an override.
@frozen(init=False, slots=False)
class BashTask(InlinedTask[None]):  # type: ignore[override]
    """Run a Bash script in the profile's base image.

    The source arrives as it is written: neither Argo nor Kubernetes substitutes anything in it.

    Args:
        name: Name, unique in its operation.
        source: The script.
        resources: As every task has them, as all that follow; see Task.

    Raises:
        ConfigurationError: One of these cannot be; the message says which and why.
    """

    keeps_stdout: ClassVar[bool] = True

    source: str

    def __init__(
        self,
        name: str,
        source: str,
        *,
        resources: Resources | Mapping[str, Any] | ResourceRequirements | None = None,
        volume_mounts: str | Volume | Sequence[str | Volume] = (),
        retry_limit: int | None = None,
        env: Mapping[str, EnvValue] | None = None,
        image_pull_policy: str = "IfNotPresent",
        template_overrides: Mapping[str, Any] | Template | None = None,
        options: TaskOptions | None = None,
        **env_variables: EnvValue,
    ) -> None:
        super().__init__(
            name,
            resources=resources,
            volume_mounts=volume_mounts,
            retry_limit=retry_limit,
            env=env,
            image_pull_policy=image_pull_policy,
            template_overrides=template_overrides,
            options=options,
            **env_variables,
        )
        if not isinstance(source, str):
            raise ConfigurationError(f"{source!r:.80} is no Bash source", where="source")
        self._put(source=check_text(source, "source"))

    @property
    def shape(self) -> Shape | None:
        """What decides how the template comes out, and its source."""
        if self.__class__ is not BashTask:
            return None
        return self._shape_with(None, bash_source(self.source))

    def body(self, context: TaskContext, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of the Template that are this type's own."""
        wanted = context.wanted.get(self.name)
        script = ScriptTemplate(
            image=context.profile.base_image,
            command=("python",) if wanted else ("bash",),
            source=_kept(self.source, OUTPUT_STDOUT_ENV in wanted)
            if wanted
            else bash_source(self.source),
            **parts,
        )
        return {"script": script}


def _kept(source: str, env: bool) -> str:
    """Return a Python script that runs the Bash script and keeps what it prints."""
    code = python_code(repr(source.encode()))
    return (
        f"{embedded('encode', 'output', 'env', 'tee')}"
        f"import subprocess\n"
        f"finish = tee()\n"
        f"write('script', {code})\n"
        f"code = subprocess.run(['bash', os.path.join(BASE, 'script')]).returncode\n"
        f"if code:\n"
        f"  sys.exit(code if code > 0 else 128 - code)\n"
        f"finish({env})\n"
    )
