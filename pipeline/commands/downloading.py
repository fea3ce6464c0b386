"""One file over HTTP: it goes on where it stopped, asks again a few times, and comes whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

ATTEMPTS = 4
LONGEST_WAIT = 60.0  # seconds; a server that asks for more is asked another day
_TIMEOUT = 30.0
_BLOCK = 1 << 16
_LARGEST = 20 * 2**30  # bytes
_AGAIN = frozenset({408, 416, 429, 500, 502, 503, 504})


class FetchError(Exception):
    """A download failed; the message is a reason in a few words, free of addresses and credentials."""


@dataclass(frozen=True)
class Reply:
    """What a server said about a file: HTTP status, where its bytes start, and how many there are in all."""

    status: int
    start: int
    total: int | None
    tag: str | None


def download(
    url: str,
    target: Path,
    *,
    sleep: Callable[[float], None] | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> None:
    """Download one file.

    A part that an earlier call left is continued where the server says that the file has not changed.

    Args:
        url: http or https.
        target: where it goes, once it is whole.
        sleep: waits for so many seconds between attempts; `time.sleep` where None.
        progress: called with (bytes there, bytes in all or None).

    Raises:
        FetchError: the server refuses, or `ATTEMPTS` attempts did not bring the whole file.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise FetchError("its address is neither http nor https")
    target.parent.mkdir(parents=True, exist_ok=True)
    reason = ""
    for attempt in range(ATTEMPTS):
        try:
            if _attempt(url, target, progress):
                return
            reason = "the connection was cut"
            wait = float(attempt)
        except urllib.error.HTTPError as error:
            error.close()
            reason, wait = describe_status(error.code), _wait(error, attempt)
            if error.code == 416:  # what is there does not fit the file any more
                _part(target).unlink(missing_ok=True)
        except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
            reason, wait = f"it cannot be reached ({type(error).__name__})", float(attempt)
        if attempt + 1 < ATTEMPTS:
            (sleep or time.sleep)(wait)
    raise FetchError(f"{reason}, after {ATTEMPTS} attempts; what has come is kept for the next")


def check_digest(path: Path, digest: str) -> None:
    """Compare a file with `md5:...` or `sha256:...`, and remove it where it differs.

    Raises:
        FetchError: it differs.
    """
    name, _, expected = digest.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(name, usedforsecurity=False)).hexdigest()
    if found != expected:
        path.unlink()
        raise FetchError(f"{path.name} has the wrong digest ({name} {found}, expected {expected})")


def describe_status(code: int) -> str:
    """What an HTTP status means for somebody who wants a file."""
    if code in {401, 403}:
        return f"it wants a credential, or its terms accepted (HTTP {code})"
    if code in {404, 410}:
        return f"it is not there (HTTP {code})"
    return f"it limits downloads (HTTP {code})" if code == 429 else f"it answers with HTTP {code}"


def _attempt(url: str, target: Path, progress: Callable[[int, int | None], None]) -> bool:
    """Ask once; whether the file is whole now."""
    part = _part(target)
    tag_file = part.with_name(f"{part.name}.tag")
    request = urllib.request.Request(quote(url, safe=":/?&=%+@#"))
    if part.is_file() and tag_file.is_file():
        request.add_header("Range", f"bytes={part.stat().st_size}-")
        request.add_header("If-Range", tag_file.read_text("utf-8"))
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        reply = _reply(response.status, response.headers)
        if reply.start and reply.start != part.stat().st_size:
            raise ValueError("the answer starts elsewhere")
        if reply.tag is None:
            tag_file.unlink(missing_ok=True)
        else:
            tag_file.write_text(reply.tag, "utf-8")
        with part.open("ab" if reply.start else "wb") as file:
            whole = _receive(response, file, reply, progress)
    if whole:
        part.replace(target)
        tag_file.unlink(missing_ok=True)
    return whole


def _receive(
    response: http.client.HTTPResponse,
    file: IO[bytes],
    reply: Reply,
    progress: Callable[[int, int | None], None],
) -> bool:
    """Write what comes; whether it came to its end."""
    done = reply.start
    try:
        while block := response.read(_BLOCK):
            file.write(block)
            done += len(block)
            if done > _LARGEST:
                raise FetchError(f"it is larger than {_LARGEST // 2**30} GiB")
            progress(done, reply.total)
    except (http.client.IncompleteRead, ConnectionError, TimeoutError):
        return False
    return reply.total is None or done == reply.total


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _reply(status: int, headers: Message) -> Reply:
    start, total = 0, None
    if status == 206:  # "bytes 5-9/10"
        span, _, size = headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        start, total = int(span.partition("-")[0]), int(size)
    elif (length := headers.get("Content-Length")) is not None:
        total = int(length)
    tag = headers.get("ETag")
    return Reply(status, start, total, tag if tag and not tag.startswith("W/") else None)


def _wait(error: urllib.error.HTTPError, attempt: int) -> float:
    """Seconds to the next attempt; FetchError where there is no use in one."""
    if error.code not in _AGAIN:
        raise FetchError(describe_status(error.code)) from None
    asked = error.headers.get("Retry-After", "")
    wait = float(asked) if asked.isdigit() else float(2**attempt)
    if wait > LONGEST_WAIT:
        raise FetchError(f"{describe_status(error.code)} and asks to wait {wait:.0f} s") from None
    return wait
