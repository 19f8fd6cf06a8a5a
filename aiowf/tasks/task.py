"""What all tasks have in common."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from attrs import Attribute, fields, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import ResourceRequirements, Template
from aiowf.manifest.names import task_name
from aiowf.manifest.template import KINDS
from aiowf.tasks.frozen import EMPTY, FrozenMapping
from aiowf.tasks.options import (
    NO_OPTIONS,
    EnvValue,
    TaskOptions,
    as_overrides,
    check_pull_policy,
    check_retry_limit,
    environment,
)
from aiowf.tasks.reference import Reference
from aiowf.tasks.rendering import Input, TaskContext, render
from aiowf.tasks.resources import Resources, as_resources
from aiowf.tasks.volumes import Volume, as_volumes
from aiowf.wire.inert import env_value

T_co = TypeVar("T_co", covariant=True)
_name = lru_cache(4096)(task_name)
Decoder = Callable[[str | bytes], Any]
Shape = tuple[Hashable, tuple[Any, ...]]


@frozen(init=False, slots=False)
class Task(ABC, Generic[T_co]):
    """A unit of work of an operation: one container, which runs to its end.

    Tasks are values: they never change, are equal if they say the same, and may stand in several
    operations. `attrs.evolve(task, name="other")` makes a variant. The type parameter is the type
    of the value that the task produces.

    Args:
        name: Name, unique in its operation; spaces become "-", capitals lower case.
        resources: What it needs: Resources, or Kubernetes' mapping of requests and limits.
        volume_mounts: Volumes for this task alone: "claim:/path[:mode]" or Volume, one or several.
        retry_limit: None: ten retries, with growing waits, of what was no fault of the task (lost
            nodes, evictions, kills); a number: that many retries of any failure; 0: none.
        env: Environment variables whose names clash with options.
        image_pull_policy: "IfNotPresent", "Always" or "Never".
        template_overrides: What is merged into Argo's template, in Argo's own camelCase: a mapping,
            or a Template.
        options: Further options.
        env_variables: Environment variables: str, int, float, bool, or an earlier task's value.

    Raises:
        ConfigurationError: One of these cannot be; the message says which and why.
    """

    always_produces: ClassVar[tuple[str, ...]] = ()  # output parameters, asked for or not
    replies: ClassVar[bool] = False  # whether its pods may send replies
    keeps_stdout: ClassVar[bool] = False  # its own script does; Argo does it for foreign images
    kind: ClassVar[str] = ""  # of its template, which overrides cannot change; "": any
    beyond: ClassVar[str] = "options are given by name"  # what a positional argument too many means

    name: str
    resources: Resources | None
    volume_mounts: tuple[Volume, ...]
    retry_limit: int | None
    env: FrozenMapping[str | Reference]
    image_pull_policy: str
    template_overrides: FrozenMapping[Any]
    options: TaskOptions

    if not TYPE_CHECKING:  # type checkers know it by the constructor, and the attributes

        def __new__(cls, *args: Any, **_: Any) -> Any:
            """Refuse positional arguments beyond the constructor's before it does."""
            if len(args) >= cls.__init__.__code__.co_argcount:
                _refuse_beyond(cls, args)
            return super().__new__(cls)

        def __getattr__(self, name: str) -> Any:
            """Say of the value that there is none, but text that is printed."""
            if name == "output":
                raise NoOutputError(
                    f"a {type(self).__name__} returns no value",
                    where="output",
                    hint=f"take {self.name}.stdout, what it prints; a PythonTask returns a value",
                )
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
            )

    def __init__(
        self,
        name: str,
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
        if options is not None and not isinstance(options, TaskOptions):
            raise ConfigurationError(
                f"expected TaskOptions(…), not {options!r:.80}", where="options"
            )
        self._put(
            name=_name(name) if isinstance(name, str) else task_name(name),
            resources=as_resources(resources),
            volume_mounts=_claims(volume_mounts),
            retry_limit=check_retry_limit(retry_limit),
            env=environment(env, env_variables),
            image_pull_policy=check_pull_policy(image_pull_policy),
            template_overrides=as_overrides(template_overrides),
            options=options or NO_OPTIONS,
        )
        if self.template_overrides is not EMPTY:
            self._check_overrides()

    def _check_overrides(self) -> None:
        """Refuse overrides that make another template of it."""
        if self.template_overrides.get("name", self.name) != self.name:
            raise ConfigurationError(
                "the name of a template is its task's", where="template_overrides.name"
            )
        given = [kind for kind in KINDS.values() if kind in self.template_overrides]
        if self.kind and given not in ([], [self.kind]):
            other = next(kind for kind in given if kind != self.kind)
            raise ConfigurationError(
                f"the template of this task is a {self.kind}, and cannot be a {other} too",
                where=f"template_overrides.{other}",
                hint=f'say it of the "{self.kind}"',
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (type(self), {each.name: getattr(self, each.name) for each in _given(self)})

    def _put(self, **values: Any) -> None:
        """Set fields while the value is made."""
        vars(self).update(values)

    @property
    def needs_left_brace(self) -> bool:
        """Whether the container needs the variable that spells braces."""
        return self.env is not EMPTY

    @property
    def stdout(self) -> Reference:
        """What the task prints, for a later task of the same operation."""
        return Reference(self.name, "stdout", str)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The values of earlier tasks that it takes."""
        return Input.of_texts(self.env.values()) if self.env is not EMPTY else ()

    @property
    def decoder(self) -> Decoder | None:
        """What turns the JSON of the task's value into the value; None if it produces none."""
        return None

    @property
    def shape(self) -> Shape | None:
        """What decides how the template comes out, and the parts in which it may differ.

        Tasks that take no value of another one, and whose first items are equal, have templates
        that differ in these parts alone: JSON data that stand in the template as they are. None,
        for all types that do not say it: nobody knows.
        """
        return None

    def _shape_with(self, own: Hashable, *parts: Any) -> Shape | None:
        """Return the shape of a task, from what its type adds to what all have in common."""
        if self.template_overrides is not EMPTY:
            return None  # in which 1 and True are equal, and do not render alike
        names: tuple[str, ...] = ()
        if self.env is not EMPTY:
            # As they are, not as str() has them: an enum's value is what is rendered.
            given = ((name, value) for name, value in self.env.items() if isinstance(value, str))
            values = [{"name": name, "value": env_value(value)} for name, value in given]
            names = tuple(self.env)
            parts = (*values, *parts)
        kind = self.__class__, self.name, self.image_pull_policy, self.retry_limit
        key = kind, self.resources, self.volume_mounts, self.options, names, own
        return key, parts

    @abstractmethod
    def body(self, context: TaskContext, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of the Template that are this type's own.

        Args:
            context: What the operation gives to its tasks.
            parts: The fields of the container that all types have.
        """

    def to_template(self, context: TaskContext) -> Template:
        """Render Argo's template.

        Args:
            context: What the operation gives to its tasks.

        Raises:
            ConfigurationError: The profile lacks an image, or the overrides do not fit.
        """
        return render(self, context)


class NoOutputError(ConfigurationError, AttributeError):
    """A task has no return value: wrong configuration, and for Python a missing attribute too."""


def _refuse_beyond(cls: type[Task[Any]], given: tuple[Any, ...]) -> None:
    code = cls.__init__.__code__
    names = code.co_varnames[1 : code.co_argcount]
    if code.co_flags & inspect.CO_VARARGS:
        return
    beyond = given[len(names) :]
    rest = ", ".join(f"{one!r:.40}" for one in beyond)
    call = f"({rest})" if len(beyond) > 1 else f"({rest},)"
    if len(beyond) == 1 and isinstance(beyond[0], tuple | list):
        call = f"{tuple(beyond[0])!r:.60}"  # the arguments as one tuple, which only lacks its name
    raise ConfigurationError(
        f"{cls.__name__}({', '.join(names)}) got more than that without a name: {rest}",
        hint=cls.beyond.format(rest=call),
    )


def _given(task: Task[Any]) -> "list[Attribute[Any]]":
    return [each for each in fields(type(task)) if each.init]


def _make(cls: type[Task[Any]], given: Mapping[str, Any]) -> Task[Any]:
    """Make a task again, from its pickled fields."""
    return cls(**given)


def _claims(volume_mounts: Any) -> tuple[Volume, ...]:
    volumes = as_volumes(volume_mounts, "volume_mounts")
    for volume in volumes:
        if volume.claim is None:
            raise ConfigurationError(
                f"the volume {volume.path!r} of a task has no claim",
                where="volume_mounts",
                hint='say "claim:/path"; a directory for all tasks is the operation\'s '
                "shared_directory",
            )
    return volumes


class InlinedTask(Task[T_co]):
    """A task whose source stands in the manifest."""

    kind: ClassVar[str] = "script"


class ContainerizedTask(Task[T_co]):
    """A task that runs what is in its image."""

    kind: ClassVar[str] = "container"
