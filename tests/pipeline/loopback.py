"""A web server on the loopback address that fails as it is told to, and zip files in memory."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789" * 4


@dataclass
class Fault:
    """What goes wrong with a file: a status, headers, a cut after so many bytes; `times` requests long."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    times: int = 99


@dataclass
class Web:
    """A loopback server's files and faults, whether it resumes, and the ranges it was asked for."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)
    resumes: bool = False

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one GET or HEAD as the files and faults say."""
        name = request.path.lstrip("/")
        self.ranges.append(request.headers.get("Range"))
        fault = self.faults.get(name)
        if fault is not None and fault.times > 0:
            fault.times -= 1
        else:
            fault = Fault()
        content = self.files.get(name)
        if content is None or fault.status != 200:
            request.send_response(404 if content is None else fault.status)
            for key, value in fault.headers.items():
                request.send_header(key, value)
            request.end_headers()
            return
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        start = 0
        if (wanted := request.headers.get("Range")) and self.resumes:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.resumes:
            request.send_header("Accept-Ranges", "bytes")
        request.send_header("ETag", tag)
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(content[start : fault.cut and start + fault.cut])


@contextmanager
def serving() -> Iterator[Web]:
    """Serve until the block ends."""
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        do_HEAD = do_GET  # noqa: N815  (the name that http.server looks for)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
