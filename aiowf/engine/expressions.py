"""The expressions of retryStrategy.expression, `{{=…}}`, `when` and `depends`.

A small part of the expr language that Argo embeds: literals, variables, comparison, arithmetic,
membership, and/or/not, the conditional operator, lists, maps, closures, and some functions. Nothing
here can reach Python.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from aiowf.engine import jsonpath
from aiowf.engine.functions import FUNCTIONS, ExpressionError, from_json, to_text
from aiowf.engine.patterns import search
from aiowf.manifest.names import nearest

# A compiled expression takes the lookup of a dotted variable name.
Lookup = Callable[[str], Any]
Evaluate = Callable[[Lookup], Any]


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+\.\d+|\d+)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<name>[A-Za-z_][A-Za-z_0-9]*)
    | (?P<op>\|\||&&|==|!=|<=|>=|=~|!~|\*\*|[-+*/%<>!()\[\],.?:])
    )""",
    re.VERBOSE,
)
# What `when` does not know.
_MORE = re.compile(r"\s*(?P<op>[{}#@])")
_WORDS = {"true": True, "false": False, "nil": None, "null": None}
_ALIASES = {"or": "||", "and": "&&", "not": "!"}


def _tokens(text: str, *, words: bool) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = (None if words else _MORE.match(text, at)) or _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"Invalid token: '{text[at:].strip()[:3]}'")
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "name" and value in _ALIASES:
            kind, value = "op", _ALIASES[value]
        elif kind == "name" and value in _INFIX_WORDS:
            kind = "op"
        found.append((kind, value))
        at = match.end()
    return found


def _contains(left: Any, right: Any) -> bool:
    if not isinstance(right, (list, str, dict)):
        raise ExpressionError(f"'in' needs a list, not {right!r}")
    return left in right


def _divide(left: Any, right: Any) -> Any:
    if right == 0:
        raise ExpressionError("division by zero")
    return left / right


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) != isinstance(right, str):
        raise ExpressionError(f"cannot add {left!r} and {right!r}")
    return left + right


def _multiply(left: Any, right: Any) -> Any:
    for number in (left, right):
        if not isinstance(number, (int, float)):
            raise ExpressionError(f"cannot multiply {number!r}")
    return left * right


_INFIX_WORDS = frozenset({"in", "contains", "startsWith", "endsWith", "matches"})
# Operator → (how tightly it binds, what it does); || and && are lazy and stand apart.
_BINARY: dict[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "==": (3, operator.eq),
    "!=": (3, operator.ne),
    "<": (3, operator.lt),
    "<=": (3, operator.le),
    ">": (3, operator.gt),
    ">=": (3, operator.ge),
    "=~": (3, lambda left, right: search(right, left)),
    "!~": (3, lambda left, right: not search(right, left)),
    "in": (3, _contains),
    "contains": (3, lambda left, right: right in left),
    "startsWith": (3, lambda left, right: left.startswith(right)),
    "endsWith": (3, lambda left, right: left.endswith(right)),
    "matches": (3, lambda left, right: search(right, left)),
    "+": (4, _add),
    "-": (4, operator.sub),
    "*": (5, _multiply),
    "/": (5, _divide),
    "%": (5, lambda left, right: int(math.fmod(left, right))),
}


# Functions whose second argument is evaluated for each item of the first, which is its `#`.
_CLOSURES: dict[str, Callable[[list[Any], list[Any]], Any]] = {
    "filter": lambda items, results: [
        item for item, keep in zip(items, map(_truth, results), strict=True) if keep
    ],
    "map": lambda items, results: results,
    "all": lambda items, results: all(map(_truth, results)),
    "any": lambda items, results: any(map(_truth, results)),
    "one": lambda items, results: sum(map(_truth, results)) == 1,
    "none": lambda items, results: not any(map(_truth, results)),
    "count": lambda items, results: sum(map(_truth, results)),
    "find": lambda items, results: next(
        (item for item, hit in zip(items, map(_truth, results), strict=True) if hit), None
    ),
}
# What one evaluation may do of it, loops within loops and all.
_MOST_ITEMS = 100_000
_LEFT = "#left"
_ELEMENT = "#"


class _Parser:
    """A precedence climber over tokens; `words` makes free variables their own names."""

    def __init__(self, text: str, *, words: bool) -> None:
        self._tokens = _tokens(text, words=words)
        self._at = 0
        self._words = words

    def parse(self) -> Evaluate:
        result = self._conditional()
        if self._at < len(self._tokens):
            raise ExpressionError(f"unexpected {self._tokens[self._at][1]!r}")
        return result

    def _peek(self) -> str:
        """The operator at hand, or "" (a string literal is no operator)."""
        if self._at < len(self._tokens):
            kind, value = self._tokens[self._at]
            return value if kind == "op" else ""
        return ""

    def _accept(self, value: str) -> bool:
        if self._peek() == value:
            self._at += 1
            return True
        return False

    def _expect(self, value: str) -> None:
        if not self._accept(value):
            raise ExpressionError(f"expected {value!r}")

    def _conditional(self) -> Evaluate:
        test = self._or()
        if not self._accept("?"):
            return test
        yes = self._conditional()
        self._expect(":")
        no = self._conditional()
        return lambda env: yes(env) if _truth(test(env)) else no(env)

    def _or(self) -> Evaluate:
        left = self._and()
        while self._accept("||"):
            left = self._either(left, self._and())
        return left

    def _and(self) -> Evaluate:
        left = self._binary(3)
        while self._accept("&&"):
            left = self._both(left, self._binary(3))
        return left

    @staticmethod
    def _either(left: Evaluate, right: Evaluate) -> Evaluate:
        return lambda env: _truth(left(env)) or _truth(right(env))

    @staticmethod
    def _both(left: Evaluate, right: Evaluate) -> Evaluate:
        return lambda env: _truth(left(env)) and _truth(right(env))

    def _binary(self, level: int) -> Evaluate:
        left = self._unary()
        while True:
            negated = self._peek() == "!" and self._tokens[self._at + 1 : self._at + 2] == [
                ("op", "in")
            ]
            self._at += negated
            binds, apply = _BINARY.get(self._peek(), (0, operator.eq))
            if binds < level:
                return left
            self._at += 1
            left = self._applied(apply, left, self._binary(binds + 1), negated=negated)

    @staticmethod
    def _applied(
        apply: Callable[[Any, Any], Any], left: Evaluate, right: Evaluate, *, negated: bool
    ) -> Evaluate:
        def evaluate(env: Lookup) -> Any:
            result = apply(left(env), right(env))
            return not result if negated else result

        return evaluate

    def _unary(self) -> Evaluate:
        if self._accept("!"):
            operand = self._unary()
            return lambda env: not _truth(operand(env))
        if self._accept("-"):
            number = self._unary()
            return lambda env: -number(env)
        return self._primary()

    def _primary(self) -> Evaluate:
        value = self._value()
        while not self._words:
            if self._accept("."):
                value = _indexed(value, _constant(self._member()))
            elif self._accept("["):
                value = self._index(value)
            else:
                break
        return value

    def _value(self) -> Evaluate:
        if self._accept("("):
            inner = self._conditional()
            self._expect(")")
            return inner
        if self._accept("["):
            items = self._arguments("]")
            return lambda env: [item(env) for item in items]
        if self._accept("{"):
            return self._map()
        if self._accept("#") or self._accept("@") or (not self._words and self._peek() == "."):
            return lambda env: env(_ELEMENT)
        if self._at >= len(self._tokens):
            raise ExpressionError("unexpected end")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return _constant(number)
        if kind == "string":
            return _constant(_unquote(text))
        if kind != "name":
            raise ExpressionError(f"unexpected {text!r}")
        return self._name(text)

    def _member(self) -> str:
        """Take what stands behind a point."""
        name = self._tokens[self._at][1] if self._at < len(self._tokens) else ""
        self._at += 1
        return name

    def _index(self, value: Evaluate) -> Evaluate:
        """Read what stands in brackets behind a value: an index, or a slice."""
        first = last = _constant(None)
        if not self._accept(":"):
            first = self._conditional()
            if self._accept("]"):
                return _indexed(value, first)
            self._expect(":")
        if not self._accept("]"):
            last = self._conditional()
            self._expect("]")
        return lambda env: value(env)[first(env) : last(env)]

    def _map(self) -> Evaluate:
        found: list[tuple[str, Evaluate]] = []
        while not self._accept("}"):
            kind, text = self._tokens[self._at]
            self._at += 1
            self._expect(":")
            found.append((_unquote(text) if kind == "string" else text, self._conditional()))
            if self._peek() != "}":
                self._expect(",")
        return lambda env: {name: value(env) for name, value in found}

    def _closure(self, name: str) -> Evaluate:
        """Read the arguments of a function that takes a closure, with braces or without."""
        items = self._conditional()
        self._expect(",")
        braces = self._accept("{")
        body = self._conditional()
        if braces:
            self._expect("}")
        self._expect(")")
        return _looped(_CLOSURES[name], items, body)

    def _arguments(self, end: str) -> list[Evaluate]:
        found: list[Evaluate] = []
        while not self._accept(end):
            found.append(self._conditional())
            if self._peek() != end:
                self._expect(",")
        return found

    def _name(self, text: str) -> Evaluate:
        if text in _WORDS:
            return _constant(_WORDS[text])
        name = self._path(text)
        if self._accept("("):
            if name in _CLOSURES:
                return self._closure(name)
            if name not in _FUNCTIONS:
                hint = nearest(name, (*_FUNCTIONS, *_CLOSURES))
                raise ExpressionError(f"unknown function {name}{f': {hint}' if hint else ''}")
            function, arguments = _FUNCTIONS[name], self._arguments(")")
            return lambda env: function(*(argument(env) for argument in arguments))
        return _constant(name) if self._words else (lambda env: env(name))

    def _path(self, name: str) -> str:
        """Read the rest of a dotted name; `a['b']` is a.b."""
        while True:
            if self._accept("."):
                name = f"{name}.{self._member()}"
            elif not self._words and self._peek() == "[" and self._is_key():
                name = f"{name}.{_unquote(self._tokens[self._at + 1][1])}"
                self._at += 3
            else:
                return name

    def _is_key(self) -> bool:
        between = self._tokens[self._at + 1 : self._at + 3]
        return [kind for kind, _ in between[:1]] == ["string"] and between[1:] == [("op", "]")]


def _constant(value: Any) -> Evaluate:
    return lambda env: value


def _indexed(value: Evaluate, key: Evaluate) -> Evaluate:
    def evaluate(env: Lookup) -> Any:
        whole, at = value(env), key(env)
        if isinstance(whole, dict):
            return whole.get(at)
        if isinstance(whole, list) and isinstance(at, int) and -len(whole) <= at < len(whole):
            return whole[at]
        raise ExpressionError(f"{to_text(whole)} has no {to_text(at)}")

    return evaluate


def _looped(
    apply: Callable[[list[Any], list[Any]], Any], items: Evaluate, body: Evaluate
) -> Evaluate:
    """Return what evaluates a closure for each item of a list."""

    def evaluate(env: Lookup) -> Any:
        found, left = items(env), env(_LEFT)
        if not isinstance(found, list):
            raise ExpressionError(f"{to_text(found)} is no list")
        left[0] -= len(found)
        if left[0] < 0:
            raise ExpressionError(f"more than {_MOST_ITEMS} items")
        return apply(found, [body(_within(env, item)) for item in found])

    return evaluate


def _within(env: Lookup, item: Any) -> Lookup:
    return lambda name: item if name == _ELEMENT else env(name)


def _jsonpath(text: Any, path: str) -> Any:
    return jsonpath.query(path, from_json(text), _matches)


def _matches(source: str, element: Any) -> bool:
    """Return whether an element has what a filter of a JSONPath wants."""
    try:
        found = evaluate(source, {_ELEMENT: element})
    except ExpressionError:
        return False  # it has no such part
    return found is not None and found is not False


_FUNCTIONS = {**FUNCTIONS, "jsonpath": _jsonpath}


def _unquote(text: str) -> str:
    return re.sub(
        r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), text[1:-1]
    )


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ExpressionError(f"expected a boolean, not {value!r}")
    return value


@lru_cache(maxsize=256)
def compile_expression(text: str, *, words: bool = False) -> Evaluate:
    """Read an expression.

    Args:
        text: The expression.
        words: Whether a free name stands for itself as a string, as in `when` and nowhere else.

    Raises:
        ExpressionError: It is outside of the language above.
    """
    try:
        parsed = _Parser(text, words=words).parse()
    except (IndexError, RecursionError) as error:
        raise ExpressionError(f"cannot read {text!r}") from error

    def evaluate(lookup: Lookup) -> Any:
        left = [_MOST_ITEMS]
        try:
            return parsed(lambda name: left if name == _LEFT else lookup(name))
        except (
            *(TypeError, ValueError, AttributeError, ArithmeticError, LookupError),
            *(RecursionError, re.error),
        ) as error:
            raise ExpressionError(str(error)) from error

    return evaluate


def evaluate(text: str, variables: Mapping[str, Any]) -> Any:
    """Evaluate an expression over variables with dotted names.

    Raises:
        ExpressionError: It cannot be read, or names a variable that is not there.
    """

    def lookup(name: str) -> Any:
        try:
            return variables[name]
        except KeyError:
            raise ExpressionError(f"unknown name {name}") from None

    return compile_expression(text)(lookup)


def is_true(text: str, variables: Mapping[str, Any]) -> bool:
    """Evaluate an expression that must be a boolean."""
    return _truth(evaluate(text, variables))


def should_execute(when: str) -> bool:
    """Evaluate a `when` clause, in which all variables are resolved and free words are strings.

    Raises:
        ExpressionError: With the text that Argo gives.
    """
    try:
        result = compile_expression(when, words=True)(lambda name: name)
    except ExpressionError as error:
        hint = ""
        if str(error).startswith("Invalid token"):
            hint = ' (hint: try wrapping the affected expression in quotes ("))'
        raise ExpressionError(f"Invalid 'when' expression '{when}': {error}{hint}") from None
    if not isinstance(result, bool):
        raise ExpressionError(f"Expected boolean evaluation for '{when}'. Got {to_text(result)}")
    return result
