"""A real browser without a screen, that tells what it logged and what it asked the network for."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

_BROWSERS = ("chromium", "google-chrome", "chromium-browser")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
WIDE, PHONE = (1280, 900), (360, 780)


class Browser:
    """``driver`` is selenium's; what it logged is read once, so ``logged`` and ``asked`` are from the last ``open``."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, size: tuple[int, int] = WIDE, dark: bool = False) -> None:
        """Load the page as a reader with such a screen and such a wish for dark has it."""
        self.prepare(size, dark)
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(path.as_uri())

    def prepare(self, size: tuple[int, int], dark: bool = False) -> None:
        """Take such a screen, and leave the page that was shown."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get("about:blank")

    def run(self, script: str, *arguments: object) -> object:
        """Return what the body of a JavaScript function returns."""
        return self.driver.execute_script(script, *arguments)

    def logged(self) -> list[str]:
        """Return what the console was told since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked(self) -> list[str]:
        """Return the address of every request since the page was opened."""
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


@contextlib.contextmanager
def start(folder: Path) -> Iterator[Browser]:
    """Start a browser whose profile and home are in ``folder``: nothing of the user's is read or written."""
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if path is None or driver is None:
        pytest.skip("no browser to show the page in: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = path
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    with Chrome(options=options, service=Service(driver, env={**os.environ, "HOME": str(folder)})) as chrome:
        yield Browser(chrome)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with start(tmp_path_factory.mktemp("browser")) as started:
        yield started
