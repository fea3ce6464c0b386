"""The server: the loopback address and no other, a thread a connection."""

from __future__ import annotations

import sys
from http.server import ThreadingHTTPServer
from typing import Any

from pipeline.serving.engine import Engine
from pipeline.serving.handler import Handler
from pipeline.serving.page import build_page

ADDRESS = "127.0.0.1"


class DemoServer(ThreadingHTTPServer):
    """Serves one engine.

    Attributes:
        engine: answers. page: what visitors get. url: where.
        hosts: what the Host header of a request may be.
    """

    daemon_threads = True

    def __init__(self, engine: Engine, port: int) -> None:
        """Bind to a port of the loopback address; 0 takes a free one.

        Raises:
            OSError: the port is taken.
        """
        super().__init__((ADDRESS, port), Handler)
        self.engine = engine
        self.page = build_page()
        bound = self.server_address[1]
        self.url = f"http://{ADDRESS}:{bound}/"
        # A browser leaves the port out where it is 80.
        named = (ADDRESS, "localhost")
        self.hosts = frozenset(named if bound == 80 else (f"{name}:{bound}" for name in named))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a visitor went away, and the error's kind otherwise."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            print(f"demo: {type(error).__name__}", file=sys.stderr)
