"""The abstract bases of all operations."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cache
from inspect import CO_VARARGS
from types import CodeType
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import frozen

from aiowf.errors import ConfigurationError

SEVERAL_TASKS = (
    "it takes one task. Several, one after the other: PipelineOperation(name, (a, b)); if their "
    "files shall come back: PipelineOperation(name, (a, b, SendResultTask()), "
    "shared_directory=True)"
)


@frozen(slots=False)
class ManagedOperation(ABC):
    """Something that a service does, here or in a workflow.

    Attributes:
        name: Its name; a last "-" is added where there is none.
    """

    name: str

    if not TYPE_CHECKING:  # type checkers know the options by the constructor

        def __new__(cls, *args: Any, **options: Any) -> Any:
            """Refuse misspelt options before the constructor does, with the nearest right one.

            And positional arguments too many, as when several tasks are no tuple.
            """
            code = getattr(cls.__init__, "__code__", None)
            if code is not None and len(args) >= code.co_argcount:
                _refuse_beyond(cls.__name__, code)
            if options and not options.keys() <= _option_names(cls):
                refuse_options(cls.__name__, options, _option_names(cls))
            return super().__new__(cls)

    def __attrs_post_init__(self) -> None:
        vars(self)["name"] = self._prefix(self.name)

    @staticmethod
    def _prefix(name: str) -> str:
        """Return the name with its last "-"."""
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"expected a name, not {name!r:.80}", where="name")
        return name if name.endswith("-") else f"{name}-"

    @abstractmethod
    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Do it."""


class UnknownOptionError(ConfigurationError, TypeError):
    """An operation has no such option: wrong configuration, and for Python a wrong call as well."""


@cache
def _option_names(cls: type) -> frozenset[str]:
    """Return the names that the constructor takes, and those it hands on to the next class's."""
    from inspect import Parameter, signature

    names: set[str] = set()
    for each in cls.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = signature(vars(each)["__init__"]).parameters
        names.update(parameters)
        if Parameter.VAR_KEYWORD not in {one.kind for one in parameters.values()}:
            break
    return frozenset(names - {"self"})


def refuse_options(whose: str, options: Iterable[str], known: frozenset[str]) -> NoReturn:
    """Raise for the first option that is not known, with the nearest right one."""
    from aiowf.manifest.names import nearest

    name = next(name for name in options if name not in known)
    raise UnknownOptionError(f"{whose} has no such option", where=name, hint=nearest(name, known))


def _refuse_beyond(whose: str, code: CodeType) -> None:
    if code.co_flags & CO_VARARGS:
        return
    names = code.co_varnames[1 : code.co_argcount]
    hint = "options are given by name"
    if "task" in names:
        hint = SEVERAL_TASKS
    elif "tasks" in names:
        hint = f"several tasks are one tuple: {whose}(name, (a, b))"
    raise ConfigurationError(
        f"{whose}({', '.join(names)}) got more than that without a name", hint=hint
    )


class SyncOperation(ManagedOperation):
    """An operation whose `execute` gives what came of it."""
