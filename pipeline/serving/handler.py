"""HTTP: three things to get and one to post, each answered with JSON or the page, mistakes included.

The server listens on the loopback address, yet any page in the same browser can send requests there. So a
request must name this host (against DNS rebinding), come from this page if it says where from, and post JSON,
which other sites' forms cannot.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import numpy as np

from pipeline.serving.engine import RequestError

if TYPE_CHECKING:
    from pipeline.serving.server import DemoServer

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
