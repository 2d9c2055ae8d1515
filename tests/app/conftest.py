"""A page of its own for each module of tests: a server in a folder, and a browser."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deepdiva.audio import write_wav

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")


class Server:
    """`deepdiva app` as a process."""

    def __init__(self, folder, evaluations, presets):
        self.folder = folder
        self.presets = presets
        self._evaluations = evaluations
        self._port = 0
        self.start()

    def start(self, *options):
        command = [sys.executable, "-m", "deepdiva", "app", "--no-browser", "--no-compile"]
        command += ["--folder", self.folder, "--port", str(self._port)]
        command += ["--evaluations", str(self._evaluations), *options]
        environment = {**os.environ, "DEEPDIVA_DIVA_PRESETS": str(self.presets)}
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
        )
        told = self.process.stdout.readline()
        self.address = re.search(r"http://\S+", told)[0]
        self._port = int(re.search(r":(\d+)/", self.address)[1])

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    (folder / "presets").mkdir()
    found = Server(folder / "matched", 64, folder / "presets")
    yield found
    found.end()


@pytest.fixture(scope="session")
def chromium():
    from playwright import sync_api

    if not CHROMIUM.exists():
        missing = f"{CHROMIUM} does not exist (Debian: apt-get install chromium)"
        if "CI" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=[
                "--no-sandbox",
                "--headless",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def window(chromium):
    """A window of the browser; what goes wrong in a page of it is an error of the test."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    context.set_default_timeout(90_000)
    yield context
    context.close()


@pytest.fixture
def page(window, server):
    found = window.new_page()
    errors = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    found.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    found.goto(server.address)
    found.errors = errors
    yield found
    found.close()
    assert [error for error in errors if "ERR_CONNECTION" not in error] == []


@pytest.fixture(scope="session")
def sound_file(tmp_path_factory):
    """Writes a sound and says where it lies."""
    folder = tmp_path_factory.mktemp("sounds")

    def write(name, samples, rate=44100):
        path = folder / name
        write_wav(path, samples, rate, force=True)
        return path

    return write
