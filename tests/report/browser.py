"""A headless Chromium for tests, over its own debugging pipe: no driver, no port, no package.

Found by name, or named in ANYK_BROWSER. It lives in a session and a folder of its own, which end with it.
"""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--allow-file-access-from-files",
    "--remote-debugging-pipe",
)
PHONE, DESKTOP = (375, 800), (1280, 800)
#: An answer that takes longer never comes.
PATIENCE_SECONDS = 60.0


def find_browser():
    """The path of a browser, or None."""
    named = os.environ.get("ANYK_BROWSER")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One browser with one page; a context manager."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="anyk-browser-", ignore_cleanup_errors=True)
        to_browser, mine = os.pipe()
        theirs, from_browser = os.pipe()
        # The browser reads from 3 and writes to 4; the shell puts the pipes there, whatever numbers they have here.
        # Both numbers are far from 3 and 4, so that neither overwrites the other.
        read, write = (fcntl.fcntl(number, fcntl.F_DUPFD, 20) for number in (to_browser, from_browser))
        command = [find_browser(), *FLAGS, f"--user-data-dir={self._folder.name}", "about:blank"]
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", f'exec 3<&{read} 4>&{write} {read}<&- {write}>&-; exec "$@"', "browser", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(read, write),
            env={**os.environ, "TMPDIR": self._folder.name},
            start_new_session=True,
        )
        for number in (to_browser, from_browser, read, write):
            os.close(number)
        self._out, self._in = mine, theirs
        self._number, self._buffer = 0, b""
        #: What the page complained about: exceptions and console errors.
        self.complaints = []
        #: Addresses that were asked for.
        self.requests = []
        self._session = None
        try:
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self._call(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for number in (self._out, self._in):
            os.close(number)
        self._folder.cleanup()

    # --- what tests do ------------------------------------------------------------------------------------------------

    def open(self, path, size=DESKTOP, *, dark=False):
        """Show a file, or an address, at a size, in light or dark."""
        width, height = size
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", features=features)
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size == PHONE
        )
        self.complaints.clear()
        self.requests.clear()
        self._loaded = False
        self._call("Page.navigate", url=path if "://" in str(path) else Path(path).absolute().as_uri())
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._loaded:
            self._hear(deadline)
        return self

    def show(self, text):
        """Show HTML given as text."""
        file = Path(self._folder.name) / "shown.html"
        file.write_text(text, encoding="utf-8")
        return self.open(file)

    def evaluate(self, expression):
        """The value of an expression in the page, as JSON holds it; awaited where it is a promise."""
        told = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def text(self):
        """What a reader sees."""
        return self.evaluate("document.body.innerText")

    def hover(self, selector):
        """Move the mouse onto the middle of an element."""
        x, y = self._middle(selector)
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector):
        """Click on the middle of an element."""
        x, y = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key):
        """Press a key that has a name, such as ArrowRight or Tab."""
        codes = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        for kind in ("rawKeyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes.get(key, 0))

    def picture(self, path):
        """Write what the whole page looks like as PNG."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        Path(path).write_bytes(base64.b64decode(shot["data"]))

    # --- the wire -----------------------------------------------------------------------------------------------------

    def _middle(self, selector):
        box = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return box[0], box[1]

    def _call(self, method, **arguments):
        self._number += 1
        message = {"id": self._number, "method": method, "params": arguments}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            told = self._hear(deadline)
            if told.get("id") == self._number:
                assert "error" not in told, (method, told["error"])
                return told["result"]

    def _hear(self, deadline):
        """The next message; complaints and requests are noted on the way."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            part = os.read(self._in, 1 << 16)
            assert part, "the browser has ended"
            self._buffer += part
        line, self._buffer = self._buffer.split(b"\0", 1)
        told = json.loads(line)
        self._note(told.get("method"), told.get("params", {}))
        return told

    def _note(self, method, told):
        if method == "Runtime.exceptionThrown":
            self.complaints.append(told["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(told["args"])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(told["entry"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded = True
