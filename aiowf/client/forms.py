"""Forms: workflows rendered and checked once, with gaps for what differs between submissions."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson
from attrs import define, field, frozen

from aiowf.manifest import Workflow, unstructure
from aiowf.manifest.checks import check_size, check_workflow
from aiowf.wire import labels

# A form has the size of its workflow, a few KB.
_MOST_FORMS = 256
# What Argo substitutes; a form is checked with the parts that it was made with.
_TAG = b"{{"
# Which value fills a gap: the workflow's name, its idempotency key, or one of the parts.
_NAME, _KEY, _PARTS = 0, 1, 2


WINDOW_SECONDS = 60.0


@frozen(kw_only=True)
class Terms:
    """What is to be known of a workflow, and does not differ between submissions.

    Attributes:
        window: Seconds after the first sending in which it may be sent once more.
        decoders: Task name → what reads its return value.
        wants_files: Whether files of the shared directory come back.
        wants_notice: Whether its exit handler tells this client of the end.
        replies: Whether its pods send replies.
    """

    window: float = WINDOW_SECONDS
    decoders: Mapping[str, Callable[[str | bytes], Any]] = field(factory=dict)
    wants_files: bool = False
    wants_notice: bool = False
    replies: bool = False


@frozen
class Form:
    """A checked workflow as JSON text with gaps.

    Attributes:
        terms: What is the same for all that it becomes.
        is_reusable: Whether it has a gap for each part; else it is good for the parts alone that it
            was made with.
    """

    terms: Terms
    is_reusable: bool
    _metadata: Mapping[str, Any]
    _pieces: tuple[bytes, ...]  # of the text behind the metadata; a gap follows each but the last
    _gaps: tuple[int, ...]

    def fill(
        self,
        name: str,
        key: str,
        parts: Sequence[bytes],
        *,
        tags: Mapping[str, str],
        notes: Mapping[str, str],
    ) -> bytes:
        """Return the body of the request that creates a workflow.

        Args:
            name: Its full name.
            key: What tells it from another of the same name.
            parts: JSON of the parts.
            tags: Further labels.
            notes: Further annotations.

        Raises:
            ConfigurationError: It is too large to be sent.
        """
        metadata = {**self._metadata, "name": name}
        metadata["labels"] = {**(metadata.get("labels") or {}), **tags}
        if notes:
            metadata["annotations"] = {**(metadata.get("annotations") or {}), **notes}
        values = (orjson.dumps(name), orjson.dumps(key), *parts)
        texts = [b'{"workflow":{"metadata":', orjson.dumps(metadata, default=unstructure)]
        for piece, gap in zip(self._pieces, self._gaps, strict=False):
            texts += (piece, values[gap])
        body = b"".join((*texts, self._pieces[-1], b"}"))
        check_size(body)
        return body


def make_form(
    workflow: Workflow, name: str, key: str, parts: Sequence[bytes] = (), *, terms: Terms
) -> Form:
    """Check a workflow, and make its form.

    Args:
        workflow: The workflow as rendered for one submission.
        name: Its full name.
        key: What tells it from another of the same name.
        parts: JSON of the parts in it that differ between submissions.
        terms: What is the same for all.

    Raises:
        ConfigurationError: Argo would refuse it.
    """
    # What is added is right by itself, and so it goes into the data, behind the checks.
    data = unstructure(workflow)
    metadata = data.pop("metadata")
    data.setdefault("apiVersion", "argoproj.io/v1alpha1")
    data.setdefault("kind", "Workflow")
    spec = data["spec"] = data.get("spec") or {}  # null is allowed, as is podMetadata: null
    pods = spec["podMetadata"] = spec.get("podMetadata") or {}
    pods["labels"] = {**(pods.get("labels") or {}), labels.OPERATION_ID: key}
    text = orjson.dumps(data, default=unstructure)
    check_workflow(workflow, text)
    text = b"," + text[1:]
    gaps = _gaps(text, name, key, parts)
    if gaps is None:
        return Form(terms, False, metadata, (text,), ())
    ends = (0, *(end for _, end, _ in gaps))
    begins = (*(begin for begin, _, _ in gaps), len(text))
    pieces = tuple(text[end:begin] for end, begin in zip(ends, begins, strict=True))
    return Form(terms, True, metadata, pieces, tuple(which for _, _, which in gaps))


def _gaps(
    text: bytes, name: str, key: str, parts: Sequence[bytes]
) -> list[tuple[int, int, int]] | None:
    """Return begin, end and value of each gap, in their order; None if a place is not certain."""
    found = []
    for which, word in ((_NAME, name), (_KEY, key)):
        places = _places(text, orjson.dumps(word))
        if len(places) != text.count(word.encode()):
            return None  # it is a part of some other text
        found += [(begin, end, which) for begin, end in places]
    for which, part in enumerate(parts, _PARTS):
        places = _places(text, part)
        if len(places) != 1 or _TAG in part:
            return None
        found += [(begin, end, which) for begin, end in places]
    found.sort()
    bounds = list(chain.from_iterable((begin, end) for begin, end, _ in found))
    return found if bounds == sorted(bounds) else None


def _places(text: bytes, word: bytes) -> list[tuple[int, int]]:
    """Return where a word begins and ends, each time that it occurs."""
    places, end = [], 0
    while (begin := text.find(word, end)) >= 0:
        end = begin + len(word)
        places.append((begin, end))
    return places


@define
class Forms:
    """The forms that a client has made, the latest ones."""

    # In the order in which they were made; never more than _MOST_FORMS.
    _known: dict[Hashable, Form] = field(factory=dict, init=False)

    def find(self, shape: Hashable, parts: Sequence[bytes]) -> Form | None:
        """Return the form for what has this shape, and these parts in it."""
        try:
            found = self._known.get(shape)
        except TypeError:  # it holds a mapping, which cannot be hashed
            return None
        return found if found is not None and not any(_TAG in part for part in parts) else None

    def keep(self, shape: Hashable, form: Form) -> None:
        """Keep a form for whatever else has this shape."""
        if form.is_reusable:
            try:
                self._known[shape] = form
            except TypeError:
                return
            if len(self._known) > _MOST_FORMS:
                del self._known[next(iter(self._known))]
