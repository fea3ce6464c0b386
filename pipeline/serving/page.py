"""The page: one document with its style and scripts inside, in the look of the report, free of any data.

Runs, texts and answers come to it as JSON and are set as text, never as markup. Its policy runs the two
scripts named by their digests, and lets it speak with the server it came from and no one else.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Page:
    """The document, and the content security policy (CSP level 3) it is to be sent with."""

    html: str
    policy: str


def build_page() -> Page:
    """Put the parts together."""
    style = "\n".join(
        [_read("pipeline.report", "static/base.css"), _read("pipeline.report", "static/figures.css"),
         _read("pipeline.serving", "static/demo.css")]
    )  # fmt: skip
    scripts = [_read("pipeline.report", "static/theme.js"), _read("pipeline.serving", "static/demo.js")]
    html = _read("pipeline.serving", "templates/page.html")
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
