"""Downloads of models: only when asked, from https or a file, checked, and all or nothing."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, WeightsError
from DeepMRILib.model_download import _OnlyHttps, check_url, fetch
from DeepMRILib.model_store import ModelCard, ModelStore
from DeepMRILib.weight_files import sha256_of, write_safetensors

pytest.importorskip("safetensors")

WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}


def a_card(**changes) -> ModelCard:
    return replace(ModelCard("net-1", "ivim", "1.2", licence="CC-BY-4.0", source="doi:10.1002/mrm.28852"), **changes)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", library=tmp_path / "library")


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def offered(tmp_path: Path) -> tuple[str, ModelCard]:
    """A weights file at a file:// address, and its card."""
    path = tmp_path / "offered.safetensors"
    write_safetensors(path, WEIGHTS)
    return path.as_uri(), a_card(sha256=sha256_of(path))


def test_a_download_is_checked_and_stored(store: ModelStore, offered: tuple[str, ModelCard]) -> None:
    url, card = offered
    told = []
    model = store.download(url, card, licence_accepted=True, progress=lambda *report: told.append(report))
    assert model.card == card
    assert np.array_equal(store.load_weights("net-1")["a.weight"], WEIGHTS["a.weight"])
    assert told[-1][0] == 1.0


def test_the_licence_is_shown_and_must_be_accepted(store: ModelStore, offered: tuple[str, ModelCard]) -> None:
    with pytest.raises(InputError, match="comes under this licence: CC-BY-4.0. Read it, and accept it"):
        store.download(*offered)
    assert not store.folder.exists()


def test_a_download_that_is_another_file_is_not_kept(store: ModelStore, offered: tuple[str, ModelCard]) -> None:
    url, card = offered
    with pytest.raises(WeightsError, match="sha256 differs"):
        store.download(url, replace(card, sha256="0" * 64), licence_accepted=True)
    with pytest.raises(InputError, match="names no sha256"):
        store.download(url, replace(card, sha256=""), licence_accepted=True)
    with pytest.raises(WeightsError, match="larger than the 20 bytes"):
        store.download(url, card, licence_accepted=True, max_bytes=20)
    assert files_in(store.folder) == []


def test_a_cancelled_download_leaves_nothing(store: ModelStore, offered: tuple[str, ModelCard]) -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        store.download(*offered, licence_accepted=True, progress=stop)
    assert files_in(store.folder) == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/x", "ftp://h/x", "data:,x", "file://host/x", "https:///x", "/etc/passwd", "", "HTTP://h/x"],
)
def test_only_https_and_local_files_are_fetched(store: ModelStore, url: str) -> None:
    with pytest.raises(InputError, match="https:// or file:/// addresses only"):
        store.download(url, a_card(sha256="0" * 64), licence_accepted=True)
    assert files_in(store.folder) == []


def test_a_redirection_away_from_https_is_refused() -> None:
    with pytest.raises(InputError, match="https:// or file:/// addresses only"):
        _OnlyHttps().redirect_request(None, None, 302, "Found", {}, "http://example.org/x")


def test_an_address_that_does_not_answer_is_said(store: ModelStore, tmp_path: Path) -> None:
    for url in ("https://127.0.0.1:9/x", (tmp_path / "absent").as_uri()):
        with pytest.raises(WeightsError, match="could not be downloaded"):
            store.download(url, a_card(sha256="0" * 64), licence_accepted=True)
    assert files_in(store.folder) == []


class _Answers(BaseHTTPRequestHandler):
    """Good, redirected, broken-off and missing answers."""

    def do_GET(self) -> None:
        length, body = {"/good": (4, b"good"), "/short": (400, b"good")}.get(self.path, (0, b""))
        self.send_response({"/good": 200, "/short": 200, "/moved": 302}.get(self.path, 404))
        self.send_header("Content-Length", str(length))
        if self.path == "/moved":
            self.send_header("Location", "http://example.org/x")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        pass


def test_a_real_https_server_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a certificate made here: good, redirected, broken-off and missing files, and a server nobody vouches for."""
    import shutil
    import ssl

    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    make += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("no_proxy", "*")
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://localhost:{server.server_port}"
        with pytest.raises(WeightsError, match="could not be downloaded .*certificate"):
            fetch(f"{address}/good", tmp_path / "x")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        fetch(f"{address}/good", tmp_path / "good")
        assert (tmp_path / "good").read_bytes() == b"good"
        for page, error, sentence in (
            ("moved", InputError, "https:// or file:/// addresses only"),
            ("short", WeightsError, "ended after 4 bytes of 400 bytes"),
            ("absent", WeightsError, "could not be downloaded .*Not Found"),
        ):
            with pytest.raises(error, match=sentence):
                fetch(f"{address}/{page}", tmp_path / "x")
        server.shutdown()


def test_a_good_address_passes() -> None:
    assert check_url("https://zenodo.org/x") == "https://zenodo.org/x"
