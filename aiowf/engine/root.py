"""The outermost frame of a workflow: its entrypoint, then its exit handler, then the verdict."""

from contextlib import suppress

from attrs import define, field

from aiowf.engine.calls import Call
from aiowf.engine.closing import closing_message
from aiowf.engine.frames import Frame
from aiowf.engine.nodes import UNSUCCESSFUL, Node
from aiowf.engine.plan import ExecutionError
from aiowf.engine.variables import failures


def _nobody() -> Node:
    """The node around the entry node: there is none, so its id is empty."""
    return Node(
        id="",
        name="",
        display_name="",
        type="",
        template=None,
        boundary="",
        owner=None,
        started=0.0,
    )


@define(eq=False)
class RootFrame(Frame):
    """Owns the entry node and the exit handler's."""

    node: Node = field(init=False, factory=_nobody)
    # Each is set once: the entry node when it is fulfilled, the handler's when it is started.
    _entry: Node | None = field(init=False, default=None)
    _handler: Node | None = field(init=False, default=None)

    def start(self) -> None:
        """Start the entrypoint, or leave it until the workflow is resumed."""
        self.submit(self._enter)
        self.fill()

    def _enter(self) -> None:
        run = self.run
        try:
            call = Call(
                name=run.name,
                display_name=run.name,
                template=run.spec["entrypoint"],
                arguments=run.spec.get("arguments") or {},
            )
            run.execute(call, self)
        except ExecutionError as error:
            run.end("Error", f"error in entry template execution: {error}")

    def advance(self, child: Node) -> None:
        """Go on to the exit handler, or to the end."""
        if self._entry is None:
            self._entry = child
            handler = self.run.spec.get("onExit")
            if handler and self.run.shutdown != "Terminate":
                self._start_handler(handler)
                return
        self._finish(self._entry)

    def _start_handler(self, template: str) -> None:
        run, entry = self.run, self._entry
        assert entry is not None
        now = run.host.clock.time()
        run.variables["workflow.status"] = entry.phase
        run.variables["workflow.failures"] = failures(run)
        run.variables["workflow.duration"] = f"{now - (run.started or now):f}"
        name = f"{run.name}.onExit"
        call = Call(
            name=name,
            display_name=name,
            template=template,
            arguments=run.spec.get("arguments") or {},
            flag={"hooked": True},
            on_exit=True,
        )
        run.starved.clear()
        self.active += 1
        with suppress(ExecutionError):  # its node is in phase Error, and says why
            run.execute(call, self)
        self._handler = run.table.named(name)

    def _finish(self, entry: Node) -> None:
        """End the workflow as its entry node and its exit handler say."""
        run, handler = self.run, self._handler
        if entry.phase in UNSUCCESSFUL:
            run.end(entry.phase, closing_message(run) if run.shutdown else entry.message)
        elif handler is not None and handler.phase in UNSUCCESSFUL:
            run.end(handler.phase, handler.message)
        else:
            run.end("Succeeded", "")
