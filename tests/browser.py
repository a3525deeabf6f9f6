"""A headless Chromium for tests, spoken to over its own pipe (the DevTools protocol): no driver, no port, no network."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
]  # fmt: skip
PATIENCE_S = 90


def find_chromium() -> str | None:
    """Returns the browser's path, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One page of a fresh browser. `events`: all that it told since the last `open`."""

    def __init__(self, program: str, profile: Path) -> None:
        (read_commands, self._commands), (self._answers, write_answers) = os.pipe(), os.pipe()
        # the protocol's pipe is file descriptors 3 and 4
        move = f'exec "$0" "$@" 3<&{read_commands} 4>&{write_answers}'
        flags = [*FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", move, program, *flags],
            pass_fds=(read_commands, write_answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_commands)
        os.close(write_answers)
        self._unread, self._n_sent, self.events = b"", 0, list[dict[str, Any]]()
        self._session: dict[str, str] = {}
        pages = self.send("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in pages if target["type"] == "page")
        attached = self.send("Target.attachToTarget", targetId=page, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for part in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.send(f"{part}.enable")

    def close(self) -> None:
        self._session = {}
        self.send("Browser.close")
        self._process.wait(PATIENCE_S)
        os.close(self._commands)
        os.close(self._answers)

    def open(self, file: Path, width: int, height: int = 900) -> None:
        """Opens a file in a window of that size, and waits until it is loaded."""
        self.resize(width, height)
        self.events.clear()
        self.send("Page.navigate", url=file.as_uri())
        while "Page.loadEventFired" not in [event["method"] for event in self.events]:
            self._hear()

    def resize(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)

    def run(self, script: str) -> Any:
        """Returns what an expression of JavaScript gives; an error of the script is one here."""
        told = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def press(self, key: str) -> None:
        """Presses Tab or Enter as a person does."""
        codes = {"Tab": {"windowsVirtualKeyCode": 9}, "Enter": {"windowsVirtualKeyCode": 13, "text": "\r"}}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, **codes[key])

    def click(self, element: str) -> None:
        """Clicks in the middle of what an expression of JavaScript gives."""
        self.run(f"({element}).scrollIntoView({{block: 'center'}})")
        box = self.run(
            f"(() => {{ const b = ({element}).getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] }})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def roles(self) -> list[tuple[str, str]]:
        """Returns role and name of all that a screen reader meets."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        return [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"]]

    def photograph(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def requests(self) -> list[str]:
        """Returns the addresses that the page asked for."""
        sent = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def complaints(self) -> list[dict[str, Any]]:
        """Returns what stands on the console, whatever its level, and what was thrown."""
        heard = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [event["params"] for event in self.events if event["method"] in heard]

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Returns the browser's answer to a command of the protocol."""
        self._n_sent += 1
        number = self._n_sent
        command = {"id": number, "method": method, "params": params, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (heard := self._hear()).get("id") != number:
            pass
        assert "error" not in heard, (method, heard["error"])
        answer: dict[str, Any] = heard["result"]
        return answer

    def _hear(self) -> dict[str, Any]:
        """The next message; one that is no answer is kept among the events."""
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self._unread:
            if not select.select([self._answers], [], [], max(until - time.monotonic(), 0))[0]:
                raise TimeoutError(f"the browser said nothing for {PATIENCE_S} s")
            part = os.read(self._answers, 1 << 16)
            if not part:
                raise ConnectionError(f"the browser ended with {self._process.wait()}")
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        heard: dict[str, Any] = json.loads(message)
        if "id" not in heard:
            self.events.append(heard)
        return heard


# What every page is asked, in JavaScript; each gives the list of its faults.
CONTRAST = """(() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("script, style, title")) continue;
    const look = getComputedStyle(element), isDrawn = element.closest("svg") !== null;
    // in a figure a watermark is meant to be faint, and what stands in white stands on a colour
    if (isDrawn && (look.opacity < 1 || look.fill === "rgb(255, 255, 255)")) continue;
    const [above, below] = [light(parse(isDrawn ? look.fill : look.color)), light(behind(element))].sort((a, b) => b - a);
    if ((above + 0.05) / (below + 0.05) < 4.5) faint.push(walker.currentNode.textContent.trim());
  }
  return faint;
})()"""
HEADINGS = """[...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((heading) => Number(heading.tagName[1]))"""
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
LANDMARKS = ("banner", "navigation", "main", "contentinfo")
NAMED = ("link", "button", "image", "region", "table", "columnheader")


def faults(browser: Browser, file: Path, width: int) -> list[str]:
    """Returns what a page does that it must not do, in words: on the console, on the network, for eye, ear and hand."""
    browser.open(file, width)
    roles = browser.roles()
    found = [f"{role}: not one" for role in LANDMARKS if [r for r, _ in roles].count(role) != 1]
    found += [f"{role} without a name" for role, name in roles if role in NAMED and not name.strip()]
    levels = browser.run(HEADINGS)
    found += ["headings: not one h1, first"] if levels[:1] != [1] or levels.count(1) > 1 else []
    found += [f"heading {b} below {a}" for a, b in pairwise(levels) if b > a + 1]
    found += [f"faint: {text}" for text in browser.run(CONTRAST)]
    found += [f"wider than {width} px"] if browser.run(TOO_WIDE) else []
    found += [f"console: {complaint}" for complaint in browser.complaints()]
    found += [f"asks for {address}" for address in browser.requests() if address != file.as_uri()]
    return found
