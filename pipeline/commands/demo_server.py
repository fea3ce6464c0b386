"""The demo as an HTTP server on the loopback address: one page, three things to get and one to post."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import sys
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import numpy as np

from pipeline.commands.demo_engine import Engine, RequestError


@dataclass(frozen=True)
class Page:
    """The document, and the content security policy (CSP level 3) it is to be sent with."""

    html: str
    policy: str


def build_page() -> Page:
    """Put the parts together."""
    style = "\n".join(
        [_read("pipeline.report", "static/base.css"), _read("pipeline.report", "static/figures.css"),
         _read("pipeline.commands", "static/demo.css")]
    )  # fmt: skip
    scripts = [_read("pipeline.report", "static/theme.js"), _read("pipeline.commands", "static/demo.js")]
    html = _read("pipeline.commands", "templates/page.html")
    html = html.replace("/*style*/", style)
    for place, script in zip(("/*theme*/", "/*demo*/"), scripts, strict=True):
        html = html.replace(place, script)
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_digest, scripts))}; style-src {_digest(style)}; "
        f"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html, policy)


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _read(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text("utf-8")


# HTTP: three things to get and one to post, each answered with JSON or the page, mistakes included.
#
# The server listens on the loopback address, yet any page in the same browser can send requests there. So a
# request must name this host (against DNS rebinding), come from this page if it says where from, and post
# JSON, which other sites' forms cannot.

BODY = 256 * 1024  # bytes of a request that are read; more is refused
_DRAINED = 16 * 1024 * 1024  # bytes of a refused request that are taken and dropped: see `_drain`
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
log = logging.getLogger("encode-once")


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    @property
    def _demo(self) -> DemoServer:
        return cast("DemoServer", self.server)

    def do_GET(self) -> None:
        """The page, the runs, or a test text."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A prediction."""
        self._answer(self._post)

    def _get(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/":
            self._send(200, "text/html; charset=utf-8", self._demo.page.html.encode())
        elif parts.path == "/runs":
            self._send_json(200, {"runs": [asdict(run) for run in self._demo.engine.runs]})
        elif parts.path == "/example":
            run = parse_qs(parts.query).get("run", [""])[0]
            self._send_json(200, self._demo.engine.example(run, np.random.default_rng()))
        else:
            raise RequestError(404, "there is no such page; the demo is at /")

    def _post(self) -> None:
        body = self._body()
        if urlsplit(self.path).path != "/predict":
            raise RequestError(404, "nothing is posted there; predictions are at /predict")
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self._demo.hosts:
            raise RequestError(403, "this request comes from another site")
        if self.headers.get_content_type() != "application/json":
            raise RequestError(415, "expected Content-Type: application/json")
        self._send_json(200, self._demo.engine.answer(*_question(body)))

    def _answer(self, action: Any) -> None:
        """Run an action; whatever goes wrong becomes a status and one line."""
        try:
            if self.headers.get("Host") not in self._demo.hosts:
                self.close_connection = True
                raise RequestError(421, f"this server is {self._demo.url}, and nothing else")
            action()
        except RequestError as error:
            self._send_json(error.status, {"error": str(error)})
        except OSError:
            raise  # the visitor went away; the server's own `handle_error` is silent about that
        except Exception as error:
            log.error("demo: %s: %s", type(error).__name__, " ".join(str(error).split())[:500])
            self.close_connection = True
            self._send_json(500, {"error": "something went wrong here; the terminal says more"})

    def _body(self) -> bytes:
        given = self.headers.get("Content-Length")
        if given is None or not given.isascii() or not given.isdecimal() or len(given) > 18:
            self.close_connection = True
            raise RequestError(411 if given is None else 400, "expected a Content-Length in bytes")
        length = int(given)
        if length <= BODY:
            return self.rfile.read(length)
        self._drain(length)
        raise RequestError(
            413, f"the request has {length:,} bytes; at most {BODY:,} are taken: shorten the text"
        )

    def _drain(self, length: int) -> None:
        """Take what is refused, up to a limit: a browser that is cut off while sending reads no answer."""
        self.close_connection = True
        left = min(length, _DRAINED)
        while left > 0 and (part := self.rfile.read(min(left, 65536))):
            left -= len(part)

    def _send_json(self, status: int, value: object) -> None:
        # Half a surrogate pair cannot be said in UTF-8; escapes say it.
        text = json.dumps(value, ensure_ascii=True, allow_nan=False)
        self._send(status, "application/json", text.encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self._demo.page.policy)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """As JSON, for requests that the library itself refuses; nothing of the request is repeated."""
        self.close_connection = True
        self._send_json(int(code), {"error": self.responses.get(code, ("refused", ""))[0]})

    def version_string(self) -> str:
        """Neither Python's version nor the library's."""
        return "encode-once"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
        """Nothing: what people try out is theirs."""


def _question(body: bytes) -> tuple[str, str, str | None]:
    """Run, text and pair out of a request's body; RequestError 400 says what is wrong with it."""
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise RequestError(400, "the body is not JSON in UTF-8") from None
    if not isinstance(found, dict) or not found.keys() <= {"run", "text", "pair"}:
        raise RequestError(400, "expected a JSON object with run, text and, for pairs, pair")
    run, text, pair = found.get("run"), found.get("text"), found.get("pair")
    if not isinstance(run, str) or not isinstance(text, str) or not isinstance(pair, str | None):
        raise RequestError(400, "run, text and pair must be strings")
    return run, text, pair


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
