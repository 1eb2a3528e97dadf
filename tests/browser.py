"""A real browser for tests: headless Chromium through chromedriver's HTTP interface (W3C
WebDriver), standard library only."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element in WebDriver's JSON
KEYS = {"left": "\ue012", "right": "\ue014", "enter": "\ue007", "tab": "\ue004"}
PHONE = {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": True}}
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class Browser:
    """One window at a time, of those that were opened."""

    def __init__(self, session: str, process: int, profile: Path):
        self.session, self.process, self.profile = session, process, profile
        self.is_killed = False

    def kill(self) -> None:
        """End the browser as a crash does: it writes nothing more."""
        os.kill(self.process, signal.SIGKILL)
        self.is_killed = True

    def new_window(self) -> str:
        """The handle of a new window, for switch()."""
        return self.call("POST", "window/new", {"type": "tab"})["handle"]

    def window(self) -> str:
        return self.call("GET", "window")

    def switch(self, handle: str) -> None:
        self.call("POST", "window", {"handle": handle})

    def wait_until_kept(self, text: str, seconds: float = 20) -> None:
        """Wait until the browser has written to its disk what a page stored: it takes its time."""
        end = time.monotonic() + seconds
        folder = self.profile / "Default" / "Local Storage" / "leveldb"
        while not any(text.encode() in path.read_bytes() for path in folder.glob("*.log")):
            assert time.monotonic() < end, f"not kept within {seconds} s"
            time.sleep(0.1)

    def call(self, method: str, path: str, body: dict | None = None):
        return _call(method, f"{self.session}/{path}", body)

    def open(self, address: str) -> None:
        self.call("POST", "url", {"url": address})

    def reload(self) -> None:
        self.call("POST", "refresh", {})

    def run(self, script: str, *arguments):
        """What the JavaScript returns; `arguments[0]` ... inside."""
        return self.call("POST", "execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> str:
        return self.call("POST", "element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector: str) -> None:
        self.call("POST", f"element/{self.find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        self.call("POST", f"element/{self.find(selector)}/value", {"text": text})

    def press(self, key: str) -> None:
        """A key to whatever has the focus: a letter, or left, right, enter, tab."""
        value = KEYS.get(key, key)
        actions = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self.call(
            "POST", "actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]}
        )

    def tap(self, selector: str) -> None:
        """A finger on the middle of an element."""
        origin = {ELEMENT: self.find(selector)}
        move = {"type": "pointerMove", "origin": origin, "x": 0, "y": 0, "duration": 0}
        actions = [move, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        finger = {
            "type": "pointer",
            "id": "finger",
            "parameters": {"pointerType": "touch"},
            "actions": actions,
        }
        self.call("POST", "actions", {"actions": [finger]})

    def wait(self, condition: str, *arguments, seconds: float = 15):
        """Wait until the JavaScript expression is true; its value."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(f"return ({condition})", *arguments)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(
                    f"not within {seconds} s: {condition}; the page says: "
                    f"{self.run('return document.body.innerText')!r}"
                )
            time.sleep(0.02)

    def screenshot(self, path: Path) -> None:
        Path(path).write_bytes(base64.b64decode(self.call("GET", "screenshot")))

    def console(self) -> list[str]:
        """What the page complained of since the last look: blocked resources, exceptions, failed
        requests."""
        return [entry["message"] for entry in self.call("POST", "se/log", {"type": "browser"})]


@contextmanager
def open_browser(folder: Path, *, phone: bool = False, size_wh: tuple[int, int] = (1280, 800)):
    """A Browser with its own profile in `folder`; the test is skipped where Chromium or its
    driver is not installed."""
    chromium = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip(
            f"no {'Chromium' if chromium is None else 'chromedriver'} here (Debian: apt-get "
            "install chromium chromium-driver)"
        )
    flags = [
        *FLAGS,
        f"--user-data-dir={folder / 'profile'}",
        f"--window-size={size_wh[0]},{size_wh[1]}",
    ]
    options = {"binary": chromium, "args": flags} | ({"mobileEmulation": PHONE} if phone else {})
    wanted = {
        "capabilities": {
            "alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        }
    }
    process = subprocess.Popen(
        [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        port = next(
            found[1]
            for line in process.stdout
            if (found := re.search(r"started successfully on port (\d+)", line))
        )
        base = f"http://127.0.0.1:{port}/session"
        answer = _call("POST", base, wanted)
        session = f"{base}/{answer['sessionId']}"
        process_id = answer["capabilities"]["goog:processID"]
        browser = Browser(session, process_id, folder / "profile")
        try:
            yield browser
        finally:
            if not browser.is_killed:
                _call("DELETE", session)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def _call(method: str, address: str, body: dict | None = None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        address, data, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(
            f"{method} {address.rpartition('/')[2]}: {json.load(error)['value']['message']}"
        ) from None
