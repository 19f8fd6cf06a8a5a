"""The script that runs in the pod: our code, the user's definitions, and one call."""

import inspect
import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from attrs import field, frozen

from aiowf.tasks.functions.pod.embedding import embedded
from aiowf.tasks.functions.watch import Watch
from aiowf.tasks.reference import Reference
from aiowf.wire import inert
from aiowf.wire.labels import PARAMETER_CALL

_CALL = f"r'{{{{inputs.parameters.{PARAMETER_CALL}}}}}'"


def call_parameter(arguments: str) -> str:
    """Return the arguments of a call, JSON text from `bind`, as the value of that parameter.

    It stands between single quotes in the script, and nothing in it is an escape there. Argo writes
    it into the template by Go's `strconv.Quote`, which spells what cannot be printed in ways that
    JSON does not know.
    """
    text = arguments.replace("'", "\\u0027")
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


@frozen
class Input:
    """An earlier task's value among the arguments."""

    path: tuple[int | str, ...]
    """Where it stands: 0 for args or 1 for kwargs, then index or key, and so on."""
    name: str
    """Name of the input parameter, and of its file below `<base>/in`."""
    reference: Reference
    form: Literal["json", "text"] = "json"
    """What the file holds: JSON, as tasks of ours write it, or raw text."""

    def as_code(self) -> str:
        """Return what the pod's `fill` takes."""
        output = "return" if self.reference.kind == "output" else self.reference.kind
        return repr((self.path, self.name, self.form, self.reference.task, output))


@frozen(eq=False, slots=False)
class ShippedFunction:
    """A function with everything it needs, ready to become a script.

    Attributes:
        name: The function's name.
        signature: Its parameters.
        return_annotation: The type of its value; Any where there is none.
        imports: Top-level names of the third-party modules that it imports, sorted.
        hints: The resolved annotations by parameter name.
    """

    name: str
    signature: inspect.Signature | None
    return_annotation: Any
    imports: tuple[str, ...]
    hints: dict[str, Any]
    is_simple: frozenset[str]
    """Parameters whose values arrive as JSON has them."""
    refused: dict[str, str]
    """Parameters that cannot get a value, with their types."""
    is_small: bool
    """Whether the value is too small to travel by the replies."""
    plain_counts: range
    """How many positional arguments it takes if no other is given, each as JSON has it."""
    watch: Watch
    """What it was made from."""
    _statements: str = field(alias="statements")
    """What rebuilds the user's modules in the pod."""
    _expression: str = field(alias="expression")
    _structure: str = field(alias="structure")
    """The decoder of the arguments, or "" where JSON's own types do."""
    _is_rich: bool = field(alias="is_rich")
    """Whether the value may need more than JSON's own types."""
    _pod_names: frozenset[str] = field(alias="pod_names")
    """What the statements and the decoder use of the pod's code."""
    _texts: dict[tuple[bool, ...], tuple[str, str]] = field(factory=dict, init=False)

    def script(
        self,
        arguments: str | None = "[[], {}]",
        *,
        requirements: Sequence[str] = (),
        inputs: Iterable[Input] = (),
        raw_return: bool = False,
        capture_stdout: bool = False,
        raw_stdout: bool = False,
    ) -> str:
        """Return the source of a script that calls the function and writes its value.

        Args:
            arguments: JSON text, from `bind`; None: the template's input parameter, as
                `call_parameter` writes it.
            requirements: What pip installs before anything else runs.
            inputs: The values of earlier tasks, from `bind`.
            raw_return: Also write `<base>/return-env`, for a variable of a later task.
            capture_stdout: Also write `<base>/stdout`: what the task printed, as JSON text.
            raw_stdout: Also write `<base>/stdout-env`, for a variable of a later task.
        """
        given = [each.as_code() for each in inputs]
        shape = bool(requirements), bool(given), raw_return, capture_stdout, raw_stdout
        try:
            before, after = self._texts[shape]
        except KeyError:
            before, after = self._texts[shape] = self._parts(*shape)
        literal = _CALL if arguments is None else inert.python_code(repr(arguments))
        call = f"parse({literal})"
        if given:
            call = f"fill({call}, [{', '.join(given)}])"
        if requirements:
            names = inert.python_code(repr(list(requirements)))
            return f"requirements = {names}\n{before}{call}{after}"
        return f"{before}{call}{after}"

    def program(self) -> str:
        """Return the source of a program: the words of its command line are the arguments.

        What the function returns is the exit code, as for a console script.
        """
        head = [embedded("sys", "begin", "call", *sorted(self._pod_names)), "begin()"]
        call = f"sys.exit(call({self._expression}, sys.argv[1:], {{}}))"
        return "\n".join((f"# {self.name}", *head, self._statements, call, ""))

    def is_same(self, other: "ShippedFunction") -> bool:
        """Tell whether the scripts of both do the same."""
        return self is other or self.script() == other.script()

    def _parts(
        self, installs: bool, has_inputs: bool, raw_return: bool, keeps_stdout: bool, raw_out: bool
    ) -> tuple[str, str]:
        """Return what stands before and after the arguments."""
        to_json = ", encode_any" if self._is_rich else ""
        value = "value" if self.is_small else "escaped(value)"
        send = "" if self.is_small else ", send=send_large"
        begin = ["begin()"]
        end = [f"deliver('return', {value}{to_json}{send})"]
        if keeps_stdout:
            begin.append("finish = tee()")
            end.append(f"finish({raw_out})")
        if installs:
            begin.append("install(requirements)")
        if raw_return:
            end.append(f"write_env('return-env', value{to_json})")
        used = {
            "encode_any": self._is_rich,
            "escaped": not self.is_small,
            "send_large": not self.is_small,
            "fill": has_inputs,
            "install": installs,
            "write_env": raw_return,
            "tee": keeps_stdout,
        }
        names = {"parse", "begin", "call", "deliver", *self._pod_names}
        names.update(name for name, is_used in used.items() if is_used)
        head = [f"# {self.name}", embedded(*sorted(names)), *begin, self._statements]
        opening = f"value = call({self._expression}, *"
        if self._structure:
            opening += f"{self._structure}(*"
        closing = "))" if self._structure else ")"
        return "\n".join(head) + opening, "\n".join((closing, *end, ""))
