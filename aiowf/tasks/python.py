"""Tasks that run a Python function."""

import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from attrs import field, fields, frozen

from aiowf.errors import ConfigurationError
from aiowf.manifest import ResourceRequirements, ScriptTemplate, Template
from aiowf.tasks.frozen import FrozenMapping, freeze_mapping
from aiowf.tasks.functions import (
    BoundCall,
    ShippedFunction,
    bind,
    call_parameter,
    decode_value,
    is_requirement,
    kept,
    ship,
    undeclared_imports,
)
from aiowf.tasks.options import EnvValue, TaskOptions
from aiowf.tasks.reference import Reference
from aiowf.tasks.rendering import Input, TaskContext
from aiowf.tasks.resources import Resources
from aiowf.tasks.task import Decoder, InlinedTask, Shape, Task
from aiowf.tasks.volumes import Volume
from aiowf.wire.labels import (
    OUTPUT_RETURN,
    OUTPUT_RETURN_ENV,
    OUTPUT_STDOUT,
    OUTPUT_STDOUT_ENV,
)

T = TypeVar("T")
_COMMAND = ("python",)
_NOTHING: frozenset[str] = frozenset()
_OWN = frozenset({"name", "func", "args", "kwargs"})
"""Fields in which tasks of one template may differ; of their functions the scripts are compared."""


class UndeclaredImportWarning(UserWarning):
    """A function imports what the default image does not have."""


# mypy takes attrs' own __init__, which nobody calls, for an override.
@frozen(init=False, slots=False)
class _FunctionTask(InlinedTask[T]):  # type: ignore[override]
    """What a PythonTask is, apart from the types that its constructor infers."""

    always_produces: ClassVar[tuple[str, ...]] = (OUTPUT_RETURN,)
    keeps_stdout: ClassVar[bool] = True
    replies: ClassVar[bool] = True
    beyond: ClassVar[str] = "pass the arguments of the function as args={rest}"

    func: Callable[..., Coroutine[Any, Any, T] | T]
    args: tuple[Any, ...] = field(eq=False)
    kwargs: FrozenMapping[Any] = field(eq=False)
    image: str | None
    requirements: tuple[str, ...]
    # `args` and `kwargs` as text; equality goes by it.
    _call: BoundCall = field(init=False, repr=False)
    _shipped: ShippedFunction = field(init=False, repr=False, eq=False)

    def __init__(
        self,
        name: str,
        func: Callable[..., Any],
        *,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        image: str | None = None,
        requirements: str | Sequence[str] = (),
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
        _check_call(func, args, kwargs, image)
        shipped = ship(func)
        needed = _requirements(requirements)
        self._put(
            func=func,
            args=tuple(map(kept, args)),
            kwargs=freeze_mapping({name: kept(value) for name, value in (kwargs or {}).items()}),
            image=image,
            requirements=needed,
            _call=bind(shipped, args, kwargs),
            _shipped=shipped,
        )
        if image is None and shipped.imports:
            self._warn_of_imports()

    def _warn_of_imports(self) -> None:
        missing = undeclared_imports(self._shipped, self.requirements)
        if missing:
            names = ", ".join(missing)
            warnings.warn(
                f"the function of the task {self.name!r} imports {names}, which the default image "
                f'does not have: declare it, requirements=("{missing[0]}",), or name an image that '
                "has it, image=…",
                UndeclaredImportWarning,
                stacklevel=3,
            )

    @property
    def output(self) -> Reference:
        """The function's value, for a later task of the same operation."""
        return Reference(self.name, "output", self._shipped.return_annotation)

    @property
    def decoder(self) -> Decoder | None:
        """What turns the JSON of the task's value into the value."""
        return partial(decode_value, annotation=self._shipped.return_annotation)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The values of earlier tasks that it takes."""
        taken = self._call.inputs
        if not taken:
            return super().inputs
        by_name = {each.name: Input(each.name, each.reference, False) for each in taken}
        return (*by_name.values(), *Input.of_texts(self.env.values()))

    @property
    def call(self) -> str:
        """The arguments as the input parameter of a template that several tasks share."""
        return call_parameter(self._call.arguments)

    def may_share(self, other: "Task[Any]") -> bool:
        """Tell whether the tasks differ in nothing but their names and arguments."""
        return (
            isinstance(other, _FunctionTask)
            and all(getattr(self, name) == getattr(other, name) for name in _SHARED)
            and self._shipped.is_same(other._shipped)
        )

    @property
    def shape(self) -> Shape | None:
        """What decides how the template comes out, and its source."""
        if self.__class__ is not PythonTask:
            return None
        source = self._shipped.script(self._call.arguments, requirements=self.requirements)
        return self._shape_with((self._shipped, self.image), source)

    def body(self, context: TaskContext, parts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of the Template that are this type's own."""
        call = self._call
        texts = context.texts.get(self.name)
        if texts:
            call = call.with_text(*texts)
        wanted = context.wanted.get(self.name, _NOTHING)
        source = self._shipped.script(
            None if context.shared else call.arguments,
            requirements=self.requirements,
            inputs=call.inputs,
            raw_return=OUTPUT_RETURN_ENV in wanted,
            capture_stdout=OUTPUT_STDOUT in wanted or OUTPUT_STDOUT_ENV in wanted,
            raw_stdout=OUTPUT_STDOUT_ENV in wanted,
        )
        if context.value_env and (
            call.inputs or OUTPUT_STDOUT in wanted or not self._shipped.is_small
        ):
            parts = {**parts, "env": (*parts["env"], *context.value_env)}
        image = context.profile.base_image
        if self.image is not None:
            image = context.profile.image(self.image, f"{self.name}.image")
        return {"script": ScriptTemplate(image=image, command=_COMMAND, source=source, **parts)}


_FunctionTask.__init__.__qualname__ = "PythonTask.__init__"  # what a TypeError calls it
_SHARED = tuple(each.name for each in fields(_FunctionTask) if each.init and each.name not in _OWN)


class PythonTask(_FunctionTask[T]):
    """Run a Python function in a pod, and bring its value back.

    The function's source travels, and with it what it uses of the modules of its own package. Its
    arguments and its value travel as JSON, structured by its annotations.

    Args:
        name: Name, unique in its operation.
        func: The function, plain or async.
        args: Its positional arguments; earlier tasks' values (`task.output`) may be among them.
        kwargs: Its keyword arguments, likewise.
        image: A name in the profile's image catalogue, or an image reference; it must have Python
            3.9 or later. None: the profile's base image.
        requirements: What pip installs before the function runs: "numpy>=2".
        resources: As every task has them, as all that follow; see Task.

    Raises:
        ConfigurationError: The function or an argument cannot travel, or the function does not take
            these arguments; the message says which and why.
    """

    if TYPE_CHECKING:
        # Type checkers see what the coroutine of an async function gives. Overloads of __init__
        # would say the same, but then attrs.evolve could no longer be checked.
        @overload
        def __new__(
            cls,
            name: str,
            func: Callable[..., Coroutine[Any, Any, T]],
            *,
            args: Sequence[Any] = (),
            kwargs: Mapping[str, Any] | None = None,
            image: str | None = None,
            requirements: str | Sequence[str] = (),
            resources: Resources | Mapping[str, Any] | ResourceRequirements | None = None,
            volume_mounts: str | Volume | Sequence[str | Volume] = (),
            retry_limit: int | None = None,
            env: Mapping[str, EnvValue] | None = None,
            image_pull_policy: str = "IfNotPresent",
            template_overrides: Mapping[str, Any] | Template | None = None,
            options: TaskOptions | None = None,
            **env_variables: EnvValue,
        ) -> "PythonTask[T]": ...
        @overload
        def __new__(
            cls,
            name: str,
            func: Callable[..., T],
            *,
            args: Sequence[Any] = (),
            kwargs: Mapping[str, Any] | None = None,
            image: str | None = None,
            requirements: str | Sequence[str] = (),
            resources: Resources | Mapping[str, Any] | ResourceRequirements | None = None,
            volume_mounts: str | Volume | Sequence[str | Volume] = (),
            retry_limit: int | None = None,
            env: Mapping[str, EnvValue] | None = None,
            image_pull_policy: str = "IfNotPresent",
            template_overrides: Mapping[str, Any] | Template | None = None,
            options: TaskOptions | None = None,
            **env_variables: EnvValue,
        ) -> "PythonTask[T]": ...
        def __new__(cls, name: str, func: Callable[..., Any], **_: Any) -> "PythonTask[Any]": ...


def _check_call(func: Any, args: Any, kwargs: Any, image: Any) -> None:
    if not callable(func):
        raise ConfigurationError(f"{func!r:.80} is no function", where="func")
    is_sequence = type(args) in (tuple, list) or isinstance(args, Sequence)
    if not is_sequence or isinstance(args, str | bytes):
        raise ConfigurationError(
            f"expected a tuple, not {args!r:.80}", where="args", hint="one argument: args=(value,)"
        )
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise ConfigurationError(f"expected a mapping, not {kwargs!r:.80}", where="kwargs")
    if image is not None and (not isinstance(image, str) or not image):
        raise ConfigurationError(f"expected an image, not {image!r:.80}", where="image")


def _requirements(requirements: str | Sequence[str]) -> tuple[str, ...]:
    if not requirements:
        return ()
    several: Any = requirements
    if isinstance(requirements, str) or not isinstance(requirements, Iterable):
        several = (requirements,)
    names = tuple(several)
    for name in names:
        if not is_requirement(name):
            raise ConfigurationError(
                f"{name!r:.80} is nothing that pip could install",
                where="requirements",
                hint='a requirement looks like "numpy>=2"; several: ("numpy>=2", "pandas")',
            )
    return names
