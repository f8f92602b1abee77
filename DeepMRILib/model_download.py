"""Fetching one file from the network, when the user has asked for it."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from DeepMRILib.device import in_words
from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.progress import Progress, silent

MAX_DOWNLOAD_BYTES = 4 * 1024**3
_PIECE = 256 * 1024
_TIMEOUT_SECONDS = 30.0


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follow a redirection to https alone: any other would undo the first address's promise."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: PLR0917 - urllib's
        check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_url(url: str) -> str:
    """The address, if it is https or a file of this computer.

    Raises:
        InputError: any other address.
    """
    parts = urlsplit(url)
    local = parts.scheme == "file" and parts.netloc in ("", "localhost")
    if not local and not (parts.scheme == "https" and parts.netloc):
        raise InputError(f"The address {url!r} cannot be used: models come from https:// or file:/// addresses only.")
    return url


def fetch(url: str, target: Path, *, max_bytes: int = MAX_DOWNLOAD_BYTES, progress: Progress | None = None) -> None:
    """Write what lies at an address into a file; what an interrupted download left is for the caller to remove.

    Raises:
        InputError: not an https or file address.
        WeightsError: not to be had, or larger than ``max_bytes``.
        Cancelled: by ``progress``.
    """
    check_url(url)
    # Named one by one: build_opener would add handlers for http, ftp and data addresses.
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPSHandler, urllib.request.FileHandler, _OnlyHttps):
        opener.add_handler(handler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.UnknownHandler())
    try:
        with opener.open(url, timeout=_TIMEOUT_SECONDS) as answer, target.open("wb") as file:
            _copy(answer, file, url, max_bytes, progress or silent)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"{url} could not be downloaded ({reason}). Check the network and the address, or get the model folder "
            "by other means and add it."
        ) from error


def _copy(answer: Any, file: IO[bytes], url: str, max_bytes: int, progress: Progress) -> None:
    announced = int(answer.headers.get("Content-Length") or 0)
    arrived, told = 0, 0.0
    while piece := answer.read(_PIECE):
        arrived += len(piece)
        if max(arrived, announced) > max_bytes:
            raise WeightsError(
                f"{url} is larger than the {in_words(max_bytes)} that are allowed for it; nothing was kept."
            )
        file.write(piece)
        if time.monotonic() - told > 0.1:
            told = time.monotonic()
            progress(arrived / announced if announced else 0.0, f"Downloading, {in_words(arrived)}")
    if arrived < announced:
        raise WeightsError(f"{url} ended after {in_words(arrived)} of {in_words(announced)}. Try again.")
    progress(1.0, f"Downloaded {in_words(arrived)}")
