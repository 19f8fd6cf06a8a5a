"""`@aiowf.task`: a function that runs in a pod when it is asked to, once or for many items."""

import functools
import inspect
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    NoReturn,
    ParamSpec,
    Protocol,
    TypeVar,
    Unpack,
    overload,
)

from attrs import field, frozen

from aiowf.errors import ConfigurationError, ItemFailedError
from aiowf.manifest import ResourceRequirements, Template
from aiowf.manifest.names import shortened
from aiowf.operations.containerized import OnCancel, Time
from aiowf.operations.managed import UnknownOptionError, refuse_options
from aiowf.operations.mapping import MapOperation
from aiowf.operations.options import OperationOptions
from aiowf.operations.single import DistributedSyncOperation
from aiowf.tasks.frozen import FrozenMapping, freeze_mapping
from aiowf.tasks.functions import ship
from aiowf.tasks.options import EnvValue, TaskOptions
from aiowf.tasks.python import PythonTask
from aiowf.tasks.resources import Resources
from aiowf.tasks.volumes import Volume

if TYPE_CHECKING:
    from aiowf.client import Client

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
I = TypeVar("I")  # noqa: E741
Items = Iterable[I] | AsyncIterable[I]

# A workflow's name has room for so much: a "-", ten random characters, and "-" with the number of
# an item in the names of tasks.
_LONGEST = 50
# Options of an operation's `execute`, which are arguments of the function where it is called.
_OF_EXECUTE = frozenset({"timeout", "id", "client", "pending_timeout", "on_cancel", "check"})
_ELSEWHERE = (
    "for a time limit: `async with asyncio.timeout(…)`; options of execute, such as id=: "
    "DistributedSyncOperation(name, f.task(name, …)).execute(…)"
)
_ARGUMENTS = frozenset({"func", "args", "kwargs"})  # what PythonTask takes besides its options


class _GatherOptions(OperationOptions, total=False):
    max_active: int
    chunksize: int | None
    client: "Client | None"
    id: str | None
    timeout: Time
    pending_timeout: Time
    on_cancel: OnCancel


class _MapOptions(_GatherOptions, total=False):
    ordered: bool


@frozen(slots=False, eq=False, repr=False)
class TaskFunction(Generic[P, R_co, T_co]):
    """A function that can also run in a pod; `aiowf.task` makes it.

    Calling it calls the function, here and now.

    Attributes:
        func: The function.
        name: What its workflows and tasks are called.
        options: The options of its tasks.
    """

    func: Callable[P, R_co]
    name: str
    options: FrozenMapping[Any] = field(converter=freeze_mapping)

    def __attrs_post_init__(self) -> None:
        for name in functools.WRAPPER_ASSIGNMENTS:
            vars(self)[name] = getattr(self.func, name)
        vars(self)["__wrapped__"] = self.func
        if sys.version_info >= (3, 12) and inspect.iscoroutinefunction(self.func):
            # It sets an attribute, which cannot be set here.
            vars(self).update(vars(inspect.markcoroutinefunction(lambda: None)))

    if TYPE_CHECKING:

        @property
        def __name__(self) -> str: ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.func(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<task {self.func.__module__}.{self.func.__qualname__}>"

    def __reduce__(self) -> str:
        return self.func.__qualname__  # found again by its name, as functions are

    def task(self, name: str, /, *args: Any, **kwargs: Any) -> PythonTask[T_co]:
        """Return a task that calls the function.

        Args:
            name: Name of the task, unique in its operation.
            args: Arguments of the function; earlier tasks' values (`task.output`) may be among
                them.
            kwargs: Its keyword arguments, likewise.

        Raises:
            ConfigurationError: The function or an argument cannot travel, or it does not take these
                arguments.
        """
        func: Callable[..., Any] = self.func
        return PythonTask(name, func, args=args, kwargs=kwargs, **self.options)

    async def run(self, *args: P.args, **kwargs: P.kwargs) -> T_co:
        """Run the function in a workflow, by the current client, and return its value.

        A cancelled call, or one whose `asyncio.timeout` is over, stops the workflow.

        Raises:
            ConfigurationError: The function or an argument cannot travel; nothing was sent.
            OperationFailedError: The function failed.
            ArgoError: The server refused.
        """
        try:
            task = self.task(self.name, *args, **kwargs)
        except ConfigurationError as error:
            if kwargs.keys() & _OF_EXECUTE:
                error.hint = error.hint or _ELSEWHERE
            raise
        return (await DistributedSyncOperation(self.name, task).execute()).value

    @overload
    def map(
        self,
        items: Items[I],
        /,
        *,
        return_exceptions: Literal[False] = False,
        **options: Unpack[_MapOptions],
    ) -> AsyncGenerator[tuple[I, T_co], None]: ...
    @overload
    def map(
        self, items: Items[I], /, *, return_exceptions: bool, **options: Unpack[_MapOptions]
    ) -> AsyncGenerator[tuple[I, T_co | ItemFailedError], None]: ...
    @overload
    def map(
        self,
        *iterables: Items[Any],
        return_exceptions: Literal[False] = False,
        **options: Unpack[_MapOptions],
    ) -> AsyncGenerator[tuple[Any, T_co], None]: ...
    @overload
    def map(
        self, *iterables: Items[Any], return_exceptions: bool, **options: Unpack[_MapOptions]
    ) -> AsyncGenerator[tuple[Any, T_co | ItemFailedError], None]: ...
    def map(
        self,
        *iterables: Items[Any],
        max_active: int = 64,
        ordered: bool = False,
        return_exceptions: bool = False,
        chunksize: int | None = None,
        client: "Client | None" = None,
        id: str | None = None,
        timeout: Time = None,
        pending_timeout: Time = None,
        on_cancel: str = "stop",
        **options: Any,
    ) -> AsyncGenerator[tuple[Any, Any], None]:
        """Call the function in a pod for each item, and yield each item with its value.

        Leaving the loop early, by `break`, an exception or cancellation, stops what runs, unless
        `on_cancel` says otherwise.

        Args:
            iterables: The items, as for the built-in `map`: one iterable, or several of which the
                function takes an item each; then the item that is yielded is a tuple. They may be
                endless, or asynchronous, and are read only as far as `max_active` allows, by one
                asyncio task: an asynchronous generator may hold a timeout, a task group or a
                context variable around its `yield`, and is cancelled when the loop is left early
                or another of the iterables ends sooner.
            max_active: Most items that were read and whose values were not taken yet.
            ordered: Whether in the order of the input; else as they come.
            return_exceptions: Whether an item that failed is yielded with its ItemFailedError while
                the others go on; else the error is raised and the others are stopped.
            chunksize: Most items of one workflow; None: a quarter of `max_active`, at most 100.
            client: The client to use; None: the current one.
            id: Makes it durable: the same id with the same items in the same order, `max_active`
                and `chunksize` attaches to the workflows that run or have ended, and has their
                values at once. Items that differ run in new workflows, those of the same workflow
                with them.
            timeout: Seconds (or a timedelta) for all items together, from the first that is asked
                for; also the deadline of the workflows, unless `on_cancel` leaves them.
            pending_timeout: Seconds (or a timedelta) that a pod may be pending for any reason.
            on_cancel: What becomes of the workflows when somebody leaves early, or the timeout is
                over: "stop" (exit handlers still run), "terminate" or "leave".
            options: The options of every operation, for each of the workflows: labels,
                pod_context, shared_directory, ttl_strategy and so on; see OperationOptions.

        Raises:
            ConfigurationError: The function cannot travel, or an option makes no sense.
            ItemFailedError: An item failed.
            OperationTimeoutError: The time is over.
            OperationStuckError: A pod can never start.
            ArgoError: The server refused.
        """
        _refuse_unknown("map", options, _MapOptions.__optional_keys__)
        return _Answers(
            self._map(
                iterables,
                max_active=max_active,
                ordered=ordered,
                return_exceptions=return_exceptions,
                chunksize=chunksize,
                client=client,
                id=id,
                timeout=timeout,
                pending_timeout=pending_timeout,
                on_cancel=on_cancel,
                options=options,
            )
        )

    async def _map(
        self,
        iterables: Sequence[Items[Any]],
        *,
        max_active: int,
        ordered: bool,
        return_exceptions: bool,
        chunksize: int | None,
        client: "Client | None",
        options: Mapping[str, Any],
        **terms: Any,
    ) -> AsyncGenerator[tuple[Any, Any], None]:
        from aiowf.operations.items import ItemReader  # they load asyncio
        from aiowf.operations.spread import Spread, chunk_of
        from aiowf.operations.terms import terms_of

        chunk = chunk_of(max_active, chunksize)
        if not iterables:
            raise ConfigurationError("there are no items", where="map")
        # What makes no sense is no item's fault; the task is of a function that costs nothing.
        MapOperation(self.name, PythonTask("model", int), **options)
        ship(self.func)  # nor is what cannot travel
        agreed = terms_of(**terms, options=options)
        if client is None:
            from aiowf.client.current import current_client

            client = await current_client()
        several = len(iterables) > 1

        def call(index: int, item: Any) -> PythonTask[T_co]:
            return self.task(f"{self.name}-{index}", *(item if several else (item,)))

        spread = Spread(self.name, call, ItemReader(iterables), client, max_active, chunk, agreed)
        answers = spread.answers(ordered=ordered, return_exceptions=return_exceptions)
        async with aclosing(answers):
            async for answer in answers:
                yield answer.item, answer.value if answer.error is None else answer.error

    @overload
    async def gather(
        self,
        *iterables: Items[Any],
        return_exceptions: Literal[False] = False,
        **options: Unpack[_GatherOptions],
    ) -> list[T_co]: ...
    @overload
    async def gather(
        self, *iterables: Items[Any], return_exceptions: bool, **options: Unpack[_GatherOptions]
    ) -> list[T_co | ItemFailedError]: ...
    async def gather(
        self, *iterables: Items[Any], return_exceptions: bool = False, **options: Any
    ) -> list[Any]:
        """Call the function in a pod for each item, and return the values in the items' order.

        The arguments are those of `map`, without `ordered`.
        """
        _refuse_unknown("gather", options, _GatherOptions.__optional_keys__)
        found = self.map(*iterables, ordered=True, return_exceptions=return_exceptions, **options)
        async with aclosing(found):
            return [value async for _, value in found]


def _refuse_unknown(method: str, options: Mapping[str, Any], known: frozenset[str]) -> None:
    if options.keys() <= known:
        return
    if "check" in options:
        raise UnknownOptionError(
            f"{method} has no such option",
            where="check",
            hint="with return_exceptions=True failures are yielded and not raised",
        )
    refuse_options(method, options, known | {"return_exceptions"})


_HOW_TO_TAKE = (
    "the values of map come one by one: `async for item, value in f.map(…)`, or all at once: "
    "`await f.gather(…)`"
)


class _Answers(AsyncGenerator[tuple[Any, Any], None]):
    """What `map` yields; it says how to take it where it is taken as plain iterables are."""

    def __init__(self, answers: AsyncGenerator[tuple[Any, Any], None]) -> None:
        self._answers = answers

    def __anext__(self) -> Coroutine[Any, Any, tuple[Any, Any]]:
        return self._answers.__anext__()

    def asend(self, value: None) -> Coroutine[Any, Any, tuple[Any, Any]]:
        return self._answers.asend(value)

    def athrow(self, *error: Any) -> Coroutine[Any, Any, tuple[Any, Any]]:
        return self._answers.athrow(*error)

    def aclose(self) -> Coroutine[Any, Any, None]:
        return self._answers.aclose()

    def __iter__(self) -> NoReturn:
        raise TypeError(_HOW_TO_TAKE)

    def __await__(self) -> NoReturn:
        raise TypeError(_HOW_TO_TAKE)

    def __repr__(self) -> str:  # asyncio.run says what it was given in place of a coroutine
        return f"<{_HOW_TO_TAKE}>"


class _Decorator(Protocol):
    """What `task(…)` with options returns."""

    @overload
    def __call__(
        self, func: Callable[P, Coroutine[Any, Any, T]], /
    ) -> TaskFunction[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(self, func: Callable[P, T], /) -> TaskFunction[P, T, T]: ...


@overload
def task(
    func: Callable[P, Coroutine[Any, Any, T]], /
) -> TaskFunction[P, Coroutine[Any, Any, T], T]: ...
@overload
def task(func: Callable[P, T], /) -> TaskFunction[P, T, T]: ...
@overload
def task(
    *,
    name: str | None = None,
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
) -> _Decorator: ...
def task(func: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
    """Make a function one that can also run in a pod.

    It stays callable as it was. `f.run(…)` runs it in a workflow and gives its value, `f.map(…)`
    and `f.gather(…)` do so for many items, and `f.task(name, …)` is a task for any operation.

    Args:
        func: The function, plain or async; no method.
        name: What its workflows and tasks are called; None: the function's name, with "-" for "_".
        options: The options of PythonTask: requirements, image, resources and so on; others become
            environment variables.

    Raises:
        ConfigurationError: It is no function, or an option makes no sense.
    """
    if func is None:
        return functools.partial(_made, name=name, options=options)
    return _made(func, name=name, options=options)


def _made(func: Any, /, *, name: str | None, options: Mapping[str, Any]) -> Any:
    if not isinstance(func, FunctionType):
        raise ConfigurationError(
            f"{func!r:.80} is no function",
            where="task",
            hint="options are named: @aiowf.task(requirements=…); of other callables PythonTask "
            "makes a task",
        )
    owner = func.__qualname__.rpartition(".")[0]
    where = f"{func.__code__.co_filename}:{func.__code__.co_firstlineno}"
    if owner and not owner.endswith("<locals>"):
        raise ConfigurationError(
            f"{func.__qualname__} is a method, and a task is a function",
            where=where,
            hint="put the function outside of the class; what it needs of the object, pass as an "
            "argument",
        )
    if taken := sorted(_ARGUMENTS & options.keys()):
        raise ConfigurationError(
            f"{taken[0]} is no option of a task",
            where=where,
            hint="arguments are given to run(…), map(…) and task(name, …)",
        )
    chosen = name if name is not None else func.__name__.replace("_", "-").strip("-").lower()
    # A task of a function that costs nothing: its constructor knows all options.
    model = PythonTask(shortened(chosen, _LONGEST), int, **options)
    return TaskFunction(func, model.name, options)
