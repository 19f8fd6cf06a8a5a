"""Requests about WorkflowTemplates and ClusterWorkflowTemplates."""

from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from attrs import frozen

from aiowf.engine.exchange import ADMISSION, CONTROLLER, TEMPLATES, answer, body_of, decoded
from aiowf.engine.fields import parse_fields
from aiowf.engine.listing import integer
from aiowf.engine.normalise import member
from aiowf.engine.refusal import invalid
from aiowf.engine.selectors import label_selector
from aiowf.engine.templates import CLUSTER, NAMESPACED, Kind

# ClusterWorkflowTemplates are in no namespace; what they refer to is looked up in none.
_NO_NAMESPACE = "default"


def routes() -> list[web.RouteDef]:
    """Return the routes to add to an application."""
    return [
        *_Routes(NAMESPACED, "workflow template").at(
            "/api/v1/workflow-templates/{namespace:[^/]*}"
        ),
        *_Routes(CLUSTER, "cluster workflow template").at("/api/v1/cluster-workflow-templates"),
    ]


@frozen
class _Routes:
    """The routes of one kind of template.

    Attributes:
        kind: The kind.
        words: What the kind is called in a sentence.
    """

    kind: Kind
    words: str

    def at(self, base: str) -> list[web.RouteDef]:
        """Return the routes below a path."""
        one = f"{base}/{{name}}"
        plain: list[tuple[Any, str, Handler]] = [
            (web.post, base, self._create),
            (web.post, f"{base}/lint", self._lint),
            (web.put, one, self._update),
            (web.delete, one, self._delete),
        ]
        return [
            *(method(path, handler) for method, path, handler in plain),
            web.get(base, self._list, allow_head=False),
            web.get(one, self._get, allow_head=False),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        template = await self._given(request)
        namespace = self._namespace(request)
        request.app[ADMISSION].check_template(self.kind, template, namespace)
        if not template["metadata"].get("name"):
            raise invalid("metadata.name: Required value: a template needs a name")
        return answer(request.app[TEMPLATES].create(self.kind, namespace, template))

    async def _lint(self, request: web.Request) -> web.Response:
        template = await self._given(request)
        request.app[ADMISSION].lint_template(self.kind, template, self._namespace(request))
        return answer(template)

    async def _update(self, request: web.Request) -> web.Response:
        template = await self._given(request)
        namespace, name = self._namespace(request), request.match_info["name"]
        request.app[ADMISSION].check_template(self.kind, template, namespace)
        return answer(request.app[TEMPLATES].update(self.kind, namespace, name, template))

    async def _delete(self, request: web.Request) -> web.Response:
        namespace, name = self._namespace(request), request.match_info["name"]
        request.app[TEMPLATES].delete(self.kind, namespace, name)
        return answer({})

    async def _get(self, request: web.Request) -> web.Response:
        namespace, name = self._namespace(request), request.match_info["name"]
        return answer(request.app[TEMPLATES].get(self.kind, namespace, name))

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        matches = label_selector(query.get("listOptions.labelSelector"))
        namespace = request.match_info.get("namespace", "")
        found = [
            template
            for template in request.app[TEMPLATES].all(self.kind, namespace)
            if matches(template["metadata"].get("labels") or {})
            and query.get("namePattern", "") in template["metadata"]["name"]
        ]
        found = found[: integer(query.get("listOptions.limit")) or None]
        version = str(request.app[CONTROLLER].store.version)
        listed = {"metadata": {"resourceVersion": version}, "items": found or None}
        fields = parse_fields(query.get("fields"))
        return answer(listed if fields is None else fields.prune(listed))

    async def _given(self, request: web.Request) -> dict[str, Any]:
        given = member(await body_of(request), "template")
        if given is None:
            raise invalid(f"{self.words} was not found in the request body")
        return decoded(given)

    def _namespace(self, request: web.Request) -> str:
        return request.match_info.get("namespace", _NO_NAMESPACE)
