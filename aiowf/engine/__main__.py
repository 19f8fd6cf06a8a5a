"""Serve the engine to any Argo client: `python -m aiowf.engine`, until Ctrl-C or SIGTERM."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

from aiowf.engine.launcher import launch
from aiowf.errors import EngineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aiowf.engine", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=2746, help="port to listen on (%(default)s)")
    parser.add_argument("--token", help="what requests must carry; default: a random one")
    parser.add_argument("--max-pods", type=int, help="pods at a time; default: one for each CPU")
    parser.add_argument("--claims", help="directory of persistent claims; default: none persist")
    chosen = parser.parse_args(arguments)
    try:
        return asyncio.run(serve(chosen))
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1


async def serve(chosen: argparse.Namespace) -> int:
    """Run an engine until a signal, or until it ends on its own."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with launch(
        address=(chosen.host, chosen.port),
        token=chosen.token,
        max_pods=chosen.max_pods,
        claims=chosen.claims,
    ) as engine:
        print(f"ARGO_SERVER={chosen.host}:{chosen.port} ARGO_SECURE=false")
        print(f"ARGO_TOKEN='Bearer {engine.token}'", flush=True)
        engine.died.add_done_callback(lambda _: stop.set())
        await stop.wait()
        if engine.died.done():
            raise EngineError(engine.died.result())
    return 0


if __name__ == "__main__":
    sys.exit(main())
