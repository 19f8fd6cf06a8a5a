"""Tasks that run what is in an image."""

import shlex
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import Container, ResourceRequirements, Template
from aiowf.tasks.options import MAX_VARIABLE_BYTES, EnvValue, TaskOptions, check_text
from aiowf.tasks.reference import Reference
from aiowf.tasks.rendering import Input, TaskContext, text_of
from aiowf.tasks.resources import Resources
from aiowf.tasks.runtime import RUNTIME_COMMAND, runtime_image
from aiowf.tasks.task import ContainerizedTask, Shape
from aiowf.tasks.volumes import Volume
from aiowf.wire.inert import env_value

Words = tuple[str | Reference, ...]
Command = str | Sequence[str | int | float | Reference]


def _words(command: Command | None, where: str) -> Words | None:
    """Return the words of a command, a text split as a shell splits it.

    Raises:
        ConfigurationError: A quote is not closed, or a word is no text.
    """
    if command is None:
        return None
    if isinstance(command, str):
        try:
            command = shlex.split(command)
        except ValueError as error:
            raise ConfigurationError(
                f"{command!r:.200} cannot be split into words: {error}", where=where
            ) from None
    if not isinstance(command, Sequence) or isinstance(command, bytes | bytearray):
        raise ConfigurationError(
            f"expected a text or a list of texts, not {command!r:.80}", where=where
        )
    for n, word in enumerate(command):
        if isinstance(word, bool) or not isinstance(word, str | int | float | Reference):
            raise ConfigurationError(f"expected a text, not {word!r:.80}", where=f"{where}[{n}]")
    return tuple(
        word
        if isinstance(word, Reference)
        else check_text(str(word), f"{where}[{n}]", limit=MAX_VARIABLE_BYTES)
        for n, word in enumerate(command)
    )


class _CommandTask(ContainerizedTask[None]):
    """A task whose container has a command and arguments, which may hold earlier tasks' values."""

    @property
    @abstractmethod
    def _texts(self) -> Words:
        """The words of the command line."""

    @property
    def needs_left_brace(self) -> bool:
        """Whether the container needs the variable that spells braces."""
        return bool(self.env) or any(
            isinstance(text, Reference) or "{{" in text for text in self._texts
        )

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The values of earlier tasks that it takes."""
        return Input.of_texts((*self.env.values(), *self._texts))

    def _shape_of(self, own: Hashable, *lines: Words | None) -> Shape | None:
        """Return the shape of a task with these parts of a command line."""
        parts = [list(map(env_value, map(str, words))) for words in lines if words]
        said = tuple(bool(words) if words is not None else None for words in lines)
        return self._shape_with((self.needs_left_brace, own, said), *parts)

    def _rendered(self, words: Words | None) -> tuple[str, ...] | None:
        if words is None:
            return None
        inputs = self.inputs
        return tuple(text_of(word, inputs) for word in words)


# mypy takes attrs' own __init__, which nobody calls, for an override.
@frozen(init=False, slots=False)
class CustomTask(_CommandTask):  # type: ignore[override]
    """Run an image.

    Args:
        name: Name, unique in its operation.
        image_name: A name in the profile's image catalogue, or an image reference.
        command: The command, a text that is split as a shell splits words, or a list; None: the
            image's own.
        args: Its arguments, likewise.
        resources: As every task has them, as all that follow; see Task.

    Raises:
        ConfigurationError: One of these cannot be; the message says which and why.
    """

    beyond: ClassVar[str] = "say command=… and args=…; options are given by name as well"

    image_name: str
    command: Words | None
    args: Words | None

    def __init__(
        self,
        name: str,
        image_name: str,
        *,
        command: Command | None = None,
        args: Command | None = None,
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
        if not isinstance(image_name, str) or not image_name:
            raise ConfigurationError(f"expected an image, not {image_name!r}", where="image_name")
        self._put(
            image_name=image_name, command=_words(command, "command"), args=_words(args, "args")
        )

    @property
    def _texts(self) -> Words:
        return (*(self.command or ()), *(self.args or ()))

    @property
    def shape(self) -> Shape | None:
        """What decides how the template comes out, and its command line."""
        if self.__class__ is not CustomTask:
            return None
        return self._shape_of(self.image_name, self.command, self.args)

    def body(self, context: TaskContext, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of the Template that are this type's own."""
        container = Container(
            image=context.profile.image(self.image_name, f"{self.name}.image_name"),
            command=self._rendered(self.command),
            args=self._rendered(self.args),
            **parts,
        )
        return {"container": container}


# mypy takes attrs' own __init__, which nobody calls, for an override.
@frozen(init=False, slots=False)
class CommandBasedTask(_CommandTask):  # type: ignore[override]
    """Run a command in the profile's base image.

    Args:
        name: Name, unique in its operation.
        command: A text that is split as a shell splits words (no shell runs it), or a list.
        resources: As every task has them, as all that follow; see Task.

    Raises:
        ConfigurationError: One of these cannot be; the message says which and why.
    """

    command: Words

    def __init__(
        self,
        name: str,
        command: Command,
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
        words = _words(command, "command")
        if not words:
            raise ConfigurationError(f"{command!r} is no command", where="command")
        self._put(command=words)

    @property
    def _texts(self) -> Words:
        return self.command

    @property
    def shape(self) -> Shape | None:
        """What decides how the template comes out, and its command line."""
        return self._shape_of(None, self.command) if self.__class__ is CommandBasedTask else None

    def body(self, context: TaskContext, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of the Template that are this type's own."""
        command = self._rendered(self.command)
        return {"container": Container(image=context.profile.base_image, command=command, **parts)}


class SendResultTask(ContainerizedTask[None]):
    """Send the files of the shared directory to whoever waits for the operation.

    Args:
        name: Name, unique in its operation.
        resources: As every task has them, as all that follow; see Task.
    """

    replies: ClassVar[bool] = True

    def __init__(
        self,
        name: str = "send-result-event",
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

    @property
    def shape(self) -> Shape | None:
        """What decides how the template comes out."""
        return self._shape_with(None) if self.__class__ is SendResultTask else None

    def body(self, context: TaskContext, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of the Template that are this type's own."""
        container = Container(
            image=runtime_image(context.profile, context.runtime_image, f"the task {self.name}"),
            command=RUNTIME_COMMAND,
            args=("send-results",),
            **parts,
        )
        return {"container": container}
