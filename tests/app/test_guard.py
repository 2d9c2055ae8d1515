"""Nobody but the page gets anything from the server, and nothing that is given becomes a path."""

import asyncio

import httpx
import numpy as np
import pytest

from deepdiva.app import server
from deepdiva.app.guard import TOKEN_HEADER
from deepdiva.app.library import Library
from deepdiva.app.server import make_app
from deepdiva.app.studio import Studio
from deepdiva.app.wav import wav_bytes

PORT = 8421
TOKEN = "the-token"


class Client:
    """Asks an application without a server, with the headers of the page or with others."""

    def __init__(self, app, *, token=TOKEN, host=f"127.0.0.1:{PORT}", **headers):
        self._app = app
        self._headers = {TOKEN_HEADER: token, "Host": host}
        self._headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    def _ask(self, method, path, **wanted):
        async def asked():
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://page", headers=self._headers
            ) as session:
                return await session.request(method, path, **wanted)

        return asyncio.run(asked())

    def get(self, path):
        return self._ask("GET", path)

    def post(self, path, **wanted):
        return self._ask("POST", path, **wanted)


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    return Studio(Library(tmp_path_factory.mktemp("library")))


@pytest.fixture(scope="module")
def app(studio):
    return make_app(studio, TOKEN, PORT)


def tone(seconds=0.4):
    time = np.arange(round(44100 * seconds)) / 44100
    return wav_bytes(np.float32(0.5 * np.sin(2 * np.pi * 220.0 * time)), 44100)


def files_of(studio):
    return {file.relative_to(studio.library.folder) for file in studio.library.folder.rglob("*")}


def test_the_page_gets_what_it_asks_for(app):
    page = Client(app, Origin=f"http://127.0.0.1:{PORT}", Sec_Fetch_Site="same-origin")
    assert page.get("/").status_code == 200
    assert page.get("/js/main.js").status_code == 200
    assert page.get("/api/keep").status_code == 200


def test_a_wrong_token_gets_nothing(app):
    for token in ("", "wrong", TOKEN + "x"):
        answer = Client(app, token=token).get("/api/keep")
        assert answer.status_code == 401
        assert "address that the terminal shows" in answer.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{PORT + 1}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_page_gets_nothing_even_with_the_token(app, headers):
    stranger = Client(app, **headers)
    assert stranger.get("/").status_code == 403
    assert stranger.get("/api/keep").status_code == 403
    assert stranger.post("/api/sounds?name=a.wav", content=tone()).status_code == 403


def test_a_name_that_resolves_to_this_machine_gets_nothing(app):
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}"):
        assert Client(app, host=host).get("/").status_code == 421


def test_answers_forbid_content_from_elsewhere(app):
    headers = Client(app).get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_a_huge_upload_is_refused_before_it_is_read(app, studio, monkeypatch):
    monkeypatch.setattr(server, "MOST_BYTES", 1000)
    before = files_of(studio)

    async def endless():
        for _ in range(100):
            yield b"0" * 100

    told = Client(app).post("/api/sounds?name=a.wav", content=b"0" * 1001)
    assert told.status_code == 413
    assert "cut the sound" in told.json()["error"]
    assert Client(app).post("/api/sounds?name=a.wav", content=endless()).status_code == 413
    assert files_of(studio) == before


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../evil.wav", "evil"),
        ("..\\..\\evil two.wav", "evil_two"),
        ("/etc/passwd.wav", "passwd"),
        ("<img src=x onerror=alert(1)>.wav", "img_src_x_onerror_alert_1"),
        ("CON.wav", "sound_CON"),
        ("....wav", "sound"),
        ("Bass_C#2.wav", "Bass_C#2"),
    ],
)
def test_a_name_never_becomes_a_path(app, studio, name, stem):
    answer = Client(app).post("/api/sounds", params={"name": name}, content=tone())
    assert answer.status_code == 201
    assert answer.json()["name"] == name
    assert answer.json()["id"] == stem
    assert (studio.library.folder / "sounds" / f"{stem}.wav").read_bytes() == tone()
    audio = Client(app).get(f"/api/sounds/{stem.replace('#', '%23')}/audio")
    assert audio.content == tone()


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/js/../../server.py", "/%2e%2e/server.py"])
def test_no_file_outside_the_page_is_served(app, path):
    assert Client(app).get(path).status_code == 404


def test_what_is_no_sound_is_refused_with_a_sentence(app, studio):
    for name in ("page.html", "program.exe", "noending"):
        answer = Client(app).post("/api/sounds", params={"name": name}, content=b"x")
        assert answer.status_code == 400
        assert "no sound that can be read" in answer.json()["error"]
    broken = Client(app).post("/api/sounds", params={"name": "broken.wav"}, content=b"RIFF?").json()
    assert broken["heard"] is None
    assert broken["error"].startswith("broken.wav")
    assert str(studio.library.folder) not in broken["error"]
    refused = Client(app).post("/api/takes", json={"sound": "broken"})
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("path", "wanted", "status", "sentence"),
    [
        ("/api/takes", {"sound": "../x"}, 404, "There is no sound"),
        ("/api/takes/nothing/stop", {}, 404, "There is no take"),
        ("/api/play", {"patch": [1.0]}, 400, "has 281 values"),
        ("/api/play", {"patch": ["<b>"]}, 400, "finite numbers"),
        ("/api/play", {"patch": None}, 400, "finite numbers"),
        ("/api/preset", {"patch": [0.0] * 281}, 400, ""),
        ("/api/keep", [], 400, "JSON object"),
    ],
)
def test_bad_requests_are_answered_with_a_sentence(app, path, wanted, status, sentence):
    answer = Client(app).post(path, json=wanted)
    assert answer.status_code == status
    if sentence:
        assert sentence in answer.json()["error"]


def test_no_json_is_answered_with_a_sentence(app):
    assert Client(app).post("/api/play", content=b"{").json()["error"] == "The request is no JSON."
