"""What gets into a page runs not, and reaches nobody."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from browser.conftest import EVERYWHERE, new_page
from browser.reading import REFUSED

pytestmark = pytest.mark.slow

#: What somebody would try who got a script into a page, or wrote something into its text.
ATTEMPTS = """async (other) => {
  const make = (name, set) => Object.assign(document.createElement(name), set);
  const add = (name, set) => document.body.append(make(name, set));
  const soon = () => new Promise((done) => setTimeout(done, 20));
  const attempts = {
    "connect-src": () => fetch(`${other}/fetch`).catch(() => {}),
    "img-src": () => add("img", { src: `${other}/image` }),
    "script-src-elem": () => add("script", { src: `${other}/script` }),
    "script-src-attr": () => { add("div", {}); document.body.lastChild.outerHTML = "<p onclick='1'>"; },
    "script-src": () => { try { new Function("1"); } catch {} },
    "style-src-elem": () => add("link", { rel: "stylesheet", href: `${other}/style` }),
    "frame-src": () => add("iframe", { src: `${other}/frame` }),
    "object-src": () => add("object", { data: `${other}/object` }),
    "media-src": () => add("video", { src: `${other}/video` }),
    "base-uri": () => document.head.append(make("base", { href: other })),
  };
  const found = {};
  const refusal = async () => {
    while (!window.refused.length) await soon(); // the limit of the test is the limit of this
    return window.refused.map((text) => text.split(":")[0]);
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    window.refused.length = 0;
    await attempt();
    found[name] = await refusal();
  }
  window.refused.length = 0;
  add("script", { textContent: "window.ran = true" });
  found["a script in the text"] = window.ran ? [] : await refusal();
  const code = `
    addEventListener("securitypolicyviolation", (event) => postMessage(event.effectiveDirective));
    fetch("${other}/worker").catch(() => {})`;
  const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  window.refused.length = 0;
  worker.onmessage = ({ data }) => window.refused.push(data);
  found.worker = await refusal();
  worker.terminate();
  return found;
}"""


@pytest.fixture
def other() -> Iterator[tuple[str, list[str]]]:
    """Another site, within reach, and what it was asked for."""
    asked: list[str] = []

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@EVERYWHERE
def test_what_gets_into_a_page_runs_not_and_reaches_nobody(
    browser: Browser, site: str, other: tuple[str, list[str]]
) -> None:
    address, asked = other
    page = new_page(browser)
    page.add_init_script(REFUSED)
    page.goto(f"{site}try.html")
    refused = page.evaluate(ATTEMPTS, address)
    expected = {name: [name] for name in refused}
    expected |= {"a script in the text": ["script-src-elem"], "worker": ["connect-src"]}
    assert refused == expected
    assert asked == []
    page.goto(f"{address}/seen")
    page.context.close()
    assert "/seen" in asked  # so the other site could have been reached
