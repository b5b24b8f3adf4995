#!/usr/bin/env python3
"""The status page in Debian's Chromium, for readers who use the keyboard, a small screen, or a dark one.

    python3 tests/peers/page_browser.py URL [FOLDER]      FOLDER: screenshots go there

Speaks to the browser by pipes (--remote-debugging-pipe), so nothing but Python and Chromium is needed.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

BYTES_MAX = 150_000
CONTRAST_MIN = 4.5
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
STEP_S_MAX = 30.0

# Each visible text whose contrast is too low, and how low; colours of layers behind one another are blended.
CONTRASTS = """(() => {
  const parse = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (top, under) => [0, 1, 2].map((n) => top[n] * top[3] + under[n] * (1 - top[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = (color) => color.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, n) => sum + part * [0.2126, 0.7152, 0.0722][n], 0);
  const found = [];
  let count = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length || element.closest("title")) continue;
    const back = behind(element);
    const [a, b] = [over(parse(getComputedStyle(element).color), back), back].map(light).sort((a, b) => b - a);
    const contrast = (a + 0.05) / (b + 0.05);
    count += 1;
    if (contrast < %f) found.push(`${contrast.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return { count, found };
})()""" % CONTRAST_MIN

# What can be used, in the order of the document: links, and what scrolls.
CONTROLS = """(() => {
  window.controls = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")];
  const reachable = window.controls.filter((control) => control.tabIndex >= 0 && control.getClientRects().length);
  return { all: window.controls.length, reachable: reachable.map((control) => window.controls.indexOf(control)),
           positive: window.controls.filter((control) => control.tabIndex > 0).length };
})()"""

# The control that has the focus, and whether that can be seen.
FOCUSED = """(() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  return {
    control: window.controls.indexOf(at),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    shown: box.width > 0 && box.height > 0 && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
    text: at.innerText.slice(0, 40),
  };
})()"""

SORTED = """[...document.querySelectorAll("[aria-sort]")].map((head) => [head.innerText.split(" ")[0], head.ariaSort])"""
FOCUS_HEAD = """[...document.querySelectorAll("#collections th a")].find((link) => link.innerText.startsWith("%s")).focus()"""


class Browser:
    """A page in a browser of its own."""

    def __init__(self, profile: str) -> None:
        # The browser reads from 3 and writes to 4.
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        wanted = {3: commands, 4: answers}

        def place() -> None:
            copies = {to: os.dup(fd) for to, fd in wanted.items()}
            for to, fd in copies.items():
                os.dup2(fd, to)

        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        self.process = subprocess.Popen(
            ["chromium", *flags, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=place,
        )
        os.close(commands)
        os.close(answers)
        self.rest = b""
        self.last = 0
        self.events: list[dict] = []
        self.session = None
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def receive(self) -> dict:
        while b"\0" not in self.rest:
            read = os.read(self.answers, 1 << 20)
            assert read, "the browser has ended"
            self.rest += read
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def do(self, method: str, **params: object) -> dict:
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self.events.append(answer)

    def value(self, script: str) -> object:
        result = self.do("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, f"{script}: {result}"
        return result["result"].get("value")

    def until(self, what: str, script: str) -> None:
        deadline = time.monotonic() + STEP_S_MAX
        while not self.value(script):
            assert time.monotonic() < deadline, f"not in time: {what}"
            time.sleep(0.02)

    def open(self, url: str) -> None:
        self.do("Page.navigate", url=url)
        self.until(url, f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def show(self, width: int, scheme: str) -> None:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.do("Emulation.setDeviceMetricsOverride", **size)
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.do("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)

    def picture(self, path: Path) -> None:
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.do("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def told(self, method: str) -> list[dict]:
        return [event["params"] for event in self.events if event.get("method") == method]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def expect(what: str, want: object, got: object) -> None:
    assert want == got, f"{what}: wanted {want!r}, got {got!r}"


def check_look(browser: Browser, url: str, folder: Path | None) -> None:
    for width in WIDTHS:
        for scheme in SCHEMES:
            browser.show(width, scheme)
            browser.open(url)
            where = f"{width} px, {scheme}"
            wide = browser.value("[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]")
            assert max(wide[:2]) <= wide[2], f"{where}: the page scrolls sideways, {wide}"
            told = browser.value(CONTRASTS)
            assert told["count"] > 50, f"{where}: {told}"
            expect(f"{where}: texts of low contrast", [], told["found"])
            if folder:
                browser.picture(folder / f"page-{scheme}-{width}.png")
    print(f"page_browser: contrast of all texts at least {CONTRAST_MIN}, nothing scrolls sideways: {WIDTHS} px, {SCHEMES}")


def check_keyboard(browser: Browser, url: str) -> None:
    for width in WIDTHS:
        browser.show(width, "light")
        browser.open(url)
        controls = browser.value(CONTROLS)
        expect("controls out of order", 0, controls["positive"])
        expect("controls that Tab passes over", controls["all"], len(controls["reachable"]))
        reached = []
        for _ in controls["reachable"]:
            browser.press("Tab", 9)
            # It scrolls smoothly to what has the focus.
            deadline = time.monotonic() + STEP_S_MAX
            while not (focused := browser.value(FOCUSED))["shown"] and time.monotonic() < deadline:
                time.sleep(0.02)
            assert focused["shown"] and focused["outline"] >= 2, f"{width} px: the focus is not seen: {focused}"
            reached.append(focused["control"])
        expect("order of Tab", controls["reachable"], reached)
        print(f"page_browser: {width} px: Tab reaches {len(reached)} controls in order, each is seen")


def check_sorting(browser: Browser, url: str) -> None:
    browser.show(360, "dark")
    browser.open(url)
    expect("sorted at first", [["bytes", "descending"]], browser.value(SORTED))
    for column, order in [("keys", "descending"), ("keys", "ascending"), ("name", "ascending"), ("name", "descending")]:
        browser.value(FOCUS_HEAD % column)
        browser.press("Enter", 13, "\r")
        want = json.dumps([[column, order]], separators=(",", ":"))
        browser.until(f"{column}, {order}", f"document.readyState === 'complete' && JSON.stringify({SORTED}) === '{want}'")
        # Who goes on by the keyboard is still at the table.
        browser.press("Tab", 9)
        browser.until("the focus is in the table", "document.activeElement.closest('#collections') !== null")
    print("page_browser: sorted by the keyboard, and told by aria-sort")


def check_traffic(browser: Browser, url: str) -> None:
    browser.value("1")
    origin = urlsplit(url).netloc
    asked = [told["request"]["url"] for told in browser.told("Network.requestWillBeSent")]
    others = [each for each in asked if urlsplit(each).netloc != origin and not each.startswith("about:")]
    expect("requests to others", [], others)
    sizes = [told["encodedDataLength"] for told in browser.told("Network.loadingFinished")]
    assert sizes and max(sizes) < BYTES_MAX, sizes
    said = [*browser.told("Runtime.consoleAPICalled"), *browser.told("Runtime.exceptionThrown"), *browser.told("Log.entryAdded")]
    expect("what the console says", [], said)
    print(f"page_browser: {len(asked)} requests, none to others, at most {max(sizes):.0f} bytes each; the console is silent")


def main() -> None:
    url = sys.argv[1]
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(prefix="lokikv-page.", ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            check_look(browser, url, folder)
            check_keyboard(browser, url)
            check_sorting(browser, url)
            check_traffic(browser, url)
        finally:
            browser.end()


if __name__ == "__main__":
    main()
