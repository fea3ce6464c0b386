"""A font that can show Chinese, on machines that have none installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from features.errors import InputError


def chinese_font() -> Path:
    """Path of Noto Sans SC (OFL), which also holds Latin, as shipped inside the package zhplot.

    Only the file is used; the package is not imported, since importing it changes matplotlib's settings.

    Raises:
        InputError: the package is not installed.
    """
    try:
        files = metadata.files("zhplot") or []
    except metadata.PackageNotFoundError:
        raise InputError(
            "the package zhplot, which carries the Chinese font, is missing; `make setup`"
        ) from None
    for file in files:
        if file.name == "NotoSansSC-Regular.ttf":
            return Path(str(file.locate()))
    raise InputError("the package zhplot holds no NotoSansSC-Regular.ttf; reinstall it with `make setup`")
