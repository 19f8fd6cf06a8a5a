"""Serve the engine to any Argo client: `python -m aiowf.engine`, until Ctrl-C or SIGTERM."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from aiowf.engine.serving import Listening, ServeSettings, serve
from aiowf.errors import EngineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m aiowf.engine", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=2746, help="port to listen on (%(default)s)")
    parser.add_argument("--unix-socket", help="Unix socket to listen on, instead of a port")
    parser.add_argument("--token", help="what requests must carry; default: one kept in a file")
    parser.add_argument("--no-auth", action="store_true", help="ask for no token")
    parser.add_argument("--max-pods", type=int, help="pods at a time; default: one for each CPU")
    parser.add_argument("--claims", help="directory of persistent claims; default: none persist")
    parser.add_argument("--db", help="SQLite file that keeps what has finished; default: none does")
    settings = ServeSettings(**vars(parser.parse_args(arguments)))
    try:
        asyncio.run(serve(settings, on_listening=_announce, on_event=_tell))
    except EngineError as error:
        _tell(str(error))
        return 1
    return 0


def _announce(listening: Listening) -> None:
    print(f"ARGO_SERVER={listening.server} ARGO_SECURE=false ARGO_HTTP1=true")
    if listening.token_is_new or (listening.token and listening.token_path is None):
        print(f"ARGO_TOKEN='Bearer {listening.token}'")
    elif listening.token:
        print(f'ARGO_TOKEN="Bearer $(cat {listening.token_path})"')
    sys.stdout.flush()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
