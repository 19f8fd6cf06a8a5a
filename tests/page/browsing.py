"""A tab of a real browser, and the engines that its page shows."""

from urllib.parse import urlsplit

from attrs import define, field
from bed import OK, Bed, ScriptedExecutor
from playwright.async_api import BrowserContext, ConsoleMessage, Page
from playwright.async_api import Error as BrowserError

from aiowf.engine.pod import PodResult

BAD = PodResult(exit_code=1, reason="Error", message="ValueError: no such seed")
# What the browser says of every answer that is not 200, and of every server that has gone.
REFUSAL = "Failed to load resource: the server responded with a status of"
GONE = "Failed to load resource: net::ERR_"


@define(eq=False, slots=False)
class Tab:
    """A tab of the browser, and what went wrong in it.

    Attributes:
        page: The tab.
        context: What it shares with no other test.
    """

    page: Page
    context: BrowserContext
    problems: list[str] = field(factory=list)
    # Addresses that were asked for.
    requests: list[str] = field(factory=list)
    # Whether the test is about refusals, of which the browser complains.
    refusals: bool = False

    def watch(self, page: Page) -> None:
        """Note what goes wrong in a page, and what it asks for."""
        page.on("console", self._heard)
        page.on("pageerror", self._failed)
        page.on("request", lambda request: self.requests.append(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        # Engines end before tabs do.
        expected = (GONE, REFUSAL) if self.refusals else (GONE,)
        if message.type in ("error", "warning") and not message.text.startswith(expected):
            self.problems.append(message.text)

    def _failed(self, error: BrowserError) -> None:
        self.problems.append(f"{error.message}\n{error.stack}")

    def check(self) -> None:
        """Fail if a script failed, the policy was broken, or another host was asked."""
        assert [] == self.problems
        hosts = {urlsplit(address).hostname for address in self.requests}
        assert hosts <= {"127.0.0.1"}


def held(*names: str) -> ScriptedExecutor:
    """Return an executor whose pods of these templates wait for the test."""
    return ScriptedExecutor(lambda pod: None if pod.template_name in names else OK)


def address(running: Bed, path: str = "/") -> str:
    """Return where the page of an engine is."""
    return str(running.client.make_url(path))
