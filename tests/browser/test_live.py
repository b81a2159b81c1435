"""The page "Try it": QRNet in the reader's browser does what qrlib does."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from browser.conftest import EVERYWHERE, PHONE, Visit, new_page, settle, until
from qrlib import classifiers, metrics, models, weights
from qrlib.distortions import BLUR_SIGMAS, NOISE_SIGMAS, gaussian_blur
from qrlib.inference import recognition, recover

pytestmark = pytest.mark.slow

#: Floats go to Python as bytes, each array as base64.
LATEST = """() => {
  const latest = qrLive.latest, plain = {};
  for (const [key, value] of Object.entries(latest)) {
    if (!(value instanceof Float32Array)) { plain[key] = value; continue; }
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte));
    plain[key] = btoa(text.join(""));
  }
  return plain;
}"""


class Demo:
    """The page: what a reader does there, and what it then shows."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def start(self) -> Demo:
        self.page.click(".qr-live-start")
        until(self.page, "() => window.qrLive.latest")
        self.settle()
        return self

    def settle(self) -> dict[str, Any]:
        """What is shown once nothing is under way: planes of floats as tensors (1, 3, H, W)."""
        self.page.wait_for_selector("#qr-live:not([aria-busy])")
        latest = self.page.evaluate(LATEST)
        for key in {"clean", "distorted", "restored", "filtered"} & latest.keys():
            floats = np.frombuffer(base64.b64decode(latest[key]), "<f4")
            planes = floats.reshape(1, 3, latest["height"], latest["width"])
            latest[key] = torch.from_numpy(planes.copy())
        return latest

    def picture(self, name: str) -> dict[str, Any]:
        self.page.check(f'[name="qr-picture"][value="{name}"]', force=True)
        return self.settle()

    def distort(self, kind: str, strength: float | None = None) -> dict[str, Any]:
        self.page.check(f'[name="qr-kind"][value="{kind}"]', force=True)
        if strength is not None:
            self.page.fill("#qr-level", str(strength))
        return self.settle()

    def upload(self, name: str, content: bytes, kind: str = "") -> dict[str, Any]:
        self.page.evaluate("window.before = qrLive.latest, 0")
        file = {"name": name, "mimeType": kind, "buffer": content}
        self.page.set_input_files("#qr-file", files=[file])
        until(
            self.page,
            "() => qrLive.latest !== window.before"
            " || !document.querySelector('.qr-live-stage [role=alert]').hidden",
        )
        return self.settle()

    @property
    def message(self) -> str:
        alert = self.page.locator(".qr-live-stage [role=alert]")
        return alert.inner_text() if alert.is_visible() else ""

    def canvas(self, pane: str) -> np.ndarray:
        """The bytes that a pane shows, (H, W, 3)."""
        url = self.page.evaluate(
            "pane => document.querySelector(`[data-pane=${pane}] canvas`).toDataURL()", pane
        )
        image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def started(browser: Browser, server: str, html: Path) -> Iterator[Callable[[str], Visit]]:
    """The page of each site, opened once: it takes a while to start."""
    visits: dict[str, Visit] = {}

    def start(site: str) -> Visit:
        if site not in visits:
            visits[site] = Visit(new_page(browser), site)
            visits[site].page.goto(f"{site}try.html")
            Demo(visits[site].page).start()
        return visits[site]

    yield start
    for visit in visits.values():
        visit.page.context.close()


@pytest.fixture
def demo(started: Callable[[str], Visit], site: str) -> Iterator[Demo]:
    """The started page, with what it shows at first."""
    visit = started(site)
    demo = Demo(visit.page)
    first = visit.page.evaluate("qrLive.samples[qrLive.manifest.first].id")
    demo.picture(first)
    demo.distort("blur", 6)
    demo.distort("noise", 60)
    yield demo
    visit.check()


@pytest.fixture(scope="session")
def manifest(html: Path) -> dict[str, Any]:
    text = (html / "live" / "manifest.js").read_text()
    return json.loads(text.partition("=")[2].rstrip(";\n"))


@pytest.fixture
def root(html: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project that the book was built from: its networks are those of the page."""
    root = html.parents[1]
    for name in ("results", "runs"):
        monkeypatch.setenv(f"QRLIB_{name.upper()}", str(root / name))
    return root


def network(key: str, manifest: dict[str, Any], root: Path) -> models.QRNet:
    """The network of that key, by way of PyTorch."""
    entry = next(n for n in manifest["networks"] if n["key"] == key)
    profile, run = re.fullmatch(r"records/(.+)/(.+)\.json", entry["record"]).groups()  # type: ignore[union-attr]
    variant = key.removesuffix(f"-{profile}")
    if (root / "results" / profile / "weights").is_dir():
        return models.load_qrnet(profile, variant)
    net = models.QRNet()
    net.load_state_dict(weights.read(root / "runs" / profile / run / "best.safetensors")[0])
    return net.eval()


def encoded(pixels: np.ndarray, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


@EVERYWHERE
def test_restores_measures_and_answers_as_pytorch_does(
    demo: Demo, manifest: dict[str, Any], root: Path
) -> None:
    shown = demo.settle()
    restored = recover.recover(shown["distorted"], network(shown["network"], manifest, root))
    assert (shown["restored"] - restored).abs().max() < 1e-2
    bytes_of_it = (restored[0].permute(1, 2, 0).numpy() * 255).round()
    assert np.abs(demo.canvas("restored") - bytes_of_it).max() <= 2.55
    for name in ("distorted", "restored", "filtered"):
        measured = shown["measures"][name]
        assert measured["psnr"] == pytest.approx(
            metrics.psnr(shown[name], shown["clean"]).item(), abs=1e-3
        )
        assert measured["ssim"] == pytest.approx(
            metrics.ssim(shown[name], shown["clean"]).item(), abs=1e-4
        )
    assert set(shown["answers"]) == {"clean", "distorted", "restored", "filtered"}
    for confidence in shown["answers"].values():
        assert len(confidence) == len(manifest["classifier"]["classes"])
        assert sum(confidence) == pytest.approx(1, abs=1e-4)
    top = manifest["classifier"]["classes"][int(np.argmax(shown["answers"]["restored"]))]
    first = demo.page.locator('[data-pane="restored"] li').first
    assert first.inner_text().startswith(top)


def test_blur_is_qrlibs(demo: Demo, manifest: dict[str, Any]) -> None:
    scale = manifest["side"] / 224
    for strength in (5.3, *BLUR_SIGMAS):
        shown = demo.distort("blur", strength)
        assert shown["sigma"] == pytest.approx(strength * scale)
        expected = gaussian_blur(shown["clean"], shown["sigma"])
        assert (shown["distorted"] - expected).abs().max() < 1e-5
    assert (shown["distorted"] - shown["clean"]).abs().max() > 1e-2
    none = demo.distort("blur", 0)
    assert torch.equal(none["distorted"], none["clean"])


def test_noise_is_qrlibs_statistically_and_seeded(demo: Demo) -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    demo.upload("grey.png", encoded(grey, "PNG"))
    for strength in NOISE_SIGMAS[:2]:  # little of which is clipped at mid-grey
        shown = demo.distort("noise", strength)
        noise = (shown["distorted"] - shown["clean"]).numpy().ravel() * 255 / strength
        assert abs(noise.mean()) < 0.02
        assert abs(noise.std() - 1) < (0.01 if strength == 20 else 0.03)
        for share, quantile in ((0.1587, -1), (0.5, 0), (0.8413, 1)):
            assert np.mean(noise < quantile) == pytest.approx(share, abs=0.01)
        planes = noise.reshape(3, -1)
        assert np.abs(np.corrcoef(planes) - np.eye(3)).max() < 0.03
        assert abs(np.corrcoef(planes[0][:-1], planes[0][1:])[0, 1]) < 0.03
    strong = demo.distort("noise", 100)["distorted"]
    assert strong.min() == 0
    assert strong.max() == 1
    assert torch.equal(demo.distort("noise", strength)["distorted"], shown["distorted"])
    demo.page.click("text=New noise")
    assert not torch.equal(demo.settle()["distorted"], shown["distorted"])


def test_every_control_changes_what_is_shown(demo: Demo) -> None:
    page = demo.page
    before = demo.canvas("restored")
    page.focus("#qr-level")
    page.keyboard.press("End")
    strong = demo.settle()
    assert strong["sigma"] == 100
    assert not np.array_equal(demo.canvas("restored"), before)
    expect(page.locator(".qr-live-strength")).to_have_text("σ = 100 of 255, level 5 of 5")
    page.click(".qr-live-levels >> text=1")
    weak = demo.settle()
    assert weak["sigma"] == 20
    assert weak["measures"]["distorted"]["psnr"] > strong["measures"]["distorted"]["psnr"]
    blurred = demo.distort("blur")
    assert blurred["kind"] == "blur"
    wipe = page.locator(".qr-live-wipe")
    wipe.focus()
    page.keyboard.press("Home")
    assert "0%" in page.eval_on_selector("#qr-live", "e => e.style.getPropertyValue('--cut')")
    visible = page.eval_on_selector(".qr-live-over", "e => getComputedStyle(e).clipPath")
    assert visible == "inset(0px 0px 0px 0%)"
    other = page.locator('[name="qr-picture"]').nth(1).get_attribute("value")
    first = demo.settle()["clean"]
    if torch.equal(first, demo.picture(other or "")["clean"]):
        other = page.locator('[name="qr-picture"]').nth(0).get_attribute("value")
        assert not torch.equal(first, demo.picture(other or "")["clean"])
    expect(page.locator(".qr-live-time")).to_have_text(re.compile(r"\d+ ms to restore"))


def test_each_network_restores_as_pytorch_does(
    demo: Demo, manifest: dict[str, Any], root: Path
) -> None:
    keys = [n["key"] for n in manifest["networks"]]
    assert {"qrnet-quick", "recnet-quick"} <= set(keys)
    before = demo.settle()
    for key in keys:
        demo.page.select_option("#qr-network", key)
        shown = demo.settle()
        assert shown["network"] == key
        assert torch.equal(shown["distorted"], before["distorted"])
        restored = recover.recover(shown["distorted"], network(key, manifest, root))
        assert (shown["restored"] - restored).abs().max() < 1e-2
    assert demo.message == ""


def test_photographs_are_classified_on_request(
    demo: Demo, manifest: dict[str, Any], html: Path
) -> None:
    shown = demo.picture("chelsea")
    assert "answers" not in shown
    expect(demo.page.locator('[data-pane="clean"] ol')).to_be_hidden()
    demo.page.click("text=What does a classifier see?")
    expect(demo.page.locator('[data-pane="restored"] ol')).to_be_visible()
    expect(demo.page.locator('[data-pane="restored"] li')).to_have_count(3)
    shown = demo.settle()
    named = recognition.recognise(shown["restored"][0], 1)[0]
    confidence = np.array(shown["answers"]["restored"])
    assert classifiers.imagenet_classes()[int(confidence.argmax())] == named[0]
    assert confidence.max() == pytest.approx(named[1], abs=5e-3)
    assert confidence.sum() == pytest.approx(1, abs=1e-3)
    expect(demo.page.locator('[data-pane="restored"] li').first).to_contain_text("as before")
    demo.page.reload()
    demo.start()


def test_photographs_are_scaled_to_the_size_that_is_chosen(demo: Demo) -> None:
    shown = demo.picture("chelsea")
    assert shown["network"] == demo.page.input_value("#qr-network")
    for side in (64, 256):
        demo.page.select_option("#qr-size", str(side))
        assert demo.settle()["width"] == side


def test_an_uploaded_png_is_taken_as_it_is(demo: Demo) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    shown = demo.upload("noise.png", encoded(pixels, "PNG"))
    assert demo.message == ""
    name = demo.page.locator("#qr-file-name")
    expect(name).to_have_text("noise.png")
    assert np.array_equal(demo.canvas("clean"), pixels)
    assert shown["restored"].shape == (1, 3, 37, 53)
    assert torch.isfinite(shown["restored"]).all()
    demo.picture("chelsea")
    expect(name).to_have_text("")


def test_work_that_takes_long_says_so(demo: Demo) -> None:
    for busy in (False, True):
        demo.page.eval_on_selector("#qr-live", "(e, busy) => e.ariaBusy = busy || null", busy)
        expect(demo.page.locator(".qr-live-working")).to_be_visible(visible=busy)
    demo.page.eval_on_selector("#qr-live", "e => e.removeAttribute('aria-busy')")


def test_numbers_of_the_former_picture_go_while_another_is_worked_on(demo: Demo) -> None:
    shown = demo.page.locator('[data-pane="restored"] .qr-live-measures')
    expect(shown).to_be_visible()
    demo.page.evaluate(
        """() => {
          const { engine } = qrLive, { run } = engine;
          engine.run = async (question) => {
            engine.run = run;
            await new Promise((go) => { window.release = go; });
            return run(question);
          };
        }"""
    )
    demo.page.check('[name="qr-picture"][value="chelsea"]', force=True)
    expect(shown).to_be_hidden()
    expect(demo.page.locator(".qr-live-announce")).to_have_text("Working on the new picture.")
    until(demo.page, "() => window.release")
    demo.page.evaluate("release()")
    demo.settle()
    expect(shown).to_be_visible()
    expect(demo.page.locator(".qr-live-announce")).to_contain_text("The picture is restored.")


def test_a_photo_is_turned_upright_by_its_exif_tag(demo: Demo) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30, 0] = 255  # red on the left, as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: red comes to the top
    shown = demo.upload("turned.jpg", encoded(pixels, "JPEG", exif=exif, quality=95))
    assert (shown["height"], shown["width"]) == (60, 40)
    red = shown["clean"][0, 0]
    assert red[:25].mean() > 0.9
    assert red[35:].mean() < 0.1


def test_a_large_photo_is_scaled_down_and_says_so(demo: Demo) -> None:
    ramp = np.linspace(0, 255, 6000).astype(np.uint8)
    pixels = np.repeat(np.tile(ramp, (4000, 1))[..., None], 3, axis=2)
    shown = demo.upload("large.jpg", encoded(pixels, "JPEG", quality=50))
    if shown["width"] != 256:  # the size stays as it was chosen last
        demo.page.select_option("#qr-size", "256")
        shown = demo.settle()
    assert (shown["height"], shown["width"]) == (171, 256)
    expected = torch.from_numpy(np.linspace(0, 1, 256, dtype=np.float32))
    assert (shown["clean"][0, 0] - expected).abs().max() < 0.02
    expect(demo.page.locator(".qr-live-scaled")).to_contain_text("scaled down from 6000 × 4000")


def test_the_smallest_picture_takes_noise_and_explains_blur(demo: Demo) -> None:
    shown = demo.upload("one.png", encoded(np.full((1, 1, 3), 200, np.uint8), "PNG"))
    assert shown["restored"].shape == (1, 3, 1, 1)
    assert demo.message == ""
    expect(demo.page.locator('[data-pane="restored"]')).to_contain_text("needs 11 pixels")
    demo.distort("blur")
    assert "too small for that blur" in demo.message
    # An earlier result would be taken for this picture's.
    expect(demo.page.locator('[data-pane="restored"]')).to_be_hidden()
    demo.distort("noise")
    assert demo.message == ""


def test_of_a_long_strip_the_middle_is_shown(demo: Demo) -> None:
    ramp = np.tile(np.linspace(0, 255, 3000).astype(np.uint8), (10, 1))
    shown = demo.upload("strip.png", encoded(np.repeat(ramp[..., None], 3, 2), "PNG"))
    assert (shown["height"], shown["width"]) == (10, 80)
    assert abs(shown["clean"].mean() - 0.5) < 0.02
    expect(demo.page.locator(".qr-live-scaled")).to_contain_text("this is the middle")


def test_a_file_that_is_cut_off_is_shown_and_said_to_be(demo: Demo) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    whole = encoded(noise, "JPEG", quality=90)
    demo.upload("half.jpg", whole[: len(whole) // 2])
    assert "is cut off" in demo.message
    demo.upload("whole.jpg", whole + b"what a camera puts behind it")
    assert demo.message == ""


def test_a_picture_that_is_bad_already_is_only_restored(demo: Demo) -> None:
    demo.upload("grey.png", encoded(np.full((40, 50, 3), 90, np.uint8), "PNG"))
    shown = demo.distort("none")
    assert torch.equal(shown["distorted"], shown["clean"])
    assert shown["measures"] == {}
    expect(demo.page.locator('[data-pane="distorted"]')).to_be_hidden()
    expect(demo.page.locator('[data-pane="restored"]')).to_be_visible()
    expect(demo.page.locator("#qr-level")).to_be_hidden()


def test_the_gaussian_filter_is_the_best_of_its_strengths(demo: Demo) -> None:
    shown = demo.distort("noise", 60)
    assert shown["filterSigma"] > 0
    assert shown["measures"]["filtered"]["psnr"] > shown["measures"]["distorted"]["psnr"]
    for sigma in (0.6, 1.0, 1.4, 2.0):
        other = gaussian_blur(shown["distorted"], sigma)
        psnr = metrics.psnr(other, shown["clean"]).item()
        assert shown["measures"]["filtered"]["psnr"] >= psnr - 1e-3
    assert "filtered" not in demo.distort("blur")


def test_all_networks_are_compared_on_one_picture(demo: Demo, manifest: dict[str, Any]) -> None:
    shown = demo.settle()
    demo.page.click("text=Compare all networks")
    rows = demo.page.locator(".qr-live-table tbody tr")
    expect(rows).to_have_count(len(manifest["networks"]) + 2)
    own = next(n["title"] for n in manifest["networks"] if n["key"] == shown["network"])
    named = demo.page.get_by_role("rowheader", name=own, exact=True)
    expect(rows.filter(has=named)).to_contain_text(
        f"{shown['measures']['restored']['psnr']:.1f} dB"
    )


def test_a_part_of_the_record_is_computed_again(demo: Demo, html: Path) -> None:
    demo.page.click("text=Check the record")
    said = demo.page.locator(".qr-live-verified")
    expect(said).to_contain_text("The answers agree")
    text = (html / "live" / "verify.js").read_text()
    wanted = json.loads(text.partition("=")[2].rstrip(";\n"))
    told = re.search(r"agree for (\d+) of (\d+) images", said.inner_text())
    assert told
    alike, n = map(int, told.groups())
    assert n == len(wanted["right"])
    assert alike >= n - 1  # weights of half the bytes may turn a close call


def test_a_link_names_an_example_and_never_a_photo_of_ones_own(demo: Demo) -> None:
    page = demo.page
    demo.picture("chelsea")
    demo.distort("blur", 4)
    link = page.url
    demo.upload("own.png", encoded(np.full((20, 30, 3), 90, np.uint8), "PNG"))
    assert "#" not in page.url
    page.evaluate("hash => (location.hash = hash)", link.partition("#")[2])
    expect(page.locator('[name="qr-picture"][value="chelsea"]')).to_be_checked()
    shown = demo.settle()
    assert shown["kind"] == "blur"
    assert page.input_value("#qr-level") == "4"


def test_a_link_that_names_what_the_page_does_not_have_says_so(demo: Demo) -> None:
    page = demo.page
    demo.picture("chelsea")
    demo.distort("noise", 30)
    page.evaluate("location.hash = 'picture=gone&kind=noise'")
    expect(page.locator(".qr-live-stage [role=alert]")).to_contain_text('picture "gone"')
    expect(page.locator('[name="qr-picture"][value="chelsea"]')).to_be_checked()
    page.evaluate("location.hash = 'picture=chelsea&kind=noise&strength=900&network=best'")
    demo.settle()
    assert 'strength "900", network "best"' in demo.message
    usual = page.evaluate("qrLive.manifest.levels.noise[qrLive.manifest.shownLevel - 1]")
    assert demo.settle()["sigma"] == usual
    demo.distort("noise", 30)
    assert not demo.message


def test_grey_and_transparent_pictures_work(demo: Demo) -> None:
    grey = np.tile(np.arange(0, 240, 8, dtype=np.uint8), (30, 1))
    shown = demo.upload("grey.png", encoded(grey, "PNG"))
    assert torch.equal(shown["clean"][0, 0], shown["clean"][0, 2])
    assert np.array_equal(demo.canvas("clean")[..., 0], grey)
    clear = np.zeros((20, 20, 4), np.uint8)
    clear[:, 10:] = (0, 0, 255, 255)
    demo.upload("clear.png", encoded(clear, "PNG"))
    assert demo.canvas("clean")[0, 0].tolist() == [255, 255, 255]
    assert demo.canvas("clean")[0, 19].tolist() == [0, 0, 255]


def test_what_is_no_picture_is_named_and_leaves_the_last_one(demo: Demo) -> None:
    before = demo.settle()["clean"]
    for name, kind in (("notes.txt", "text/plain"), ("broken.png", "image/png")):
        demo.upload(name, b"no picture at all", kind)
        assert f'cannot read "{name}" as a picture' in demo.message
        assert torch.equal(demo.settle()["clean"], before)
    demo.distort("blur")
    assert demo.message == ""


DROP = """(content) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
  const target = document.querySelector("#qr-live :not([hidden])");
  target.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
}"""


def test_nothing_heavy_comes_before_the_start(visit: Callable, manifest: dict[str, Any]) -> None:
    opened = visit("try.html")
    asked: list[str] = []
    opened.page.on("request", lambda request: asked.append(request.url))
    opened.page.wait_for_load_state("networkidle")
    assert [url for url in asked if "/_static/" not in url] == []  # the icon may come late
    assert 10_000 < opened.loaded() < 3_000_000
    cost = opened.page.inner_text(".qr-live-cost")
    expect(opened.page.locator(".qr-live-poster img")).to_be_visible()
    demo = Demo(opened.page).start()
    loaded = [url for url in asked if "/live/" in url]
    first = ["worker", "ort", "wasm", "classifier", manifest["crops"]]
    parts = [manifest["payloads"][key] for key in first]
    assert len(loaded) == sum(part["parts"] for part in parts) + 1
    total = sum(part["bytes"] for part in parts) + manifest["samples"]
    assert f"the examples {total / 1e6:.1f} MB" in cost
    # The other networks come when they are chosen.
    demo.page.select_option("#qr-network", "recnet-quick")
    assert demo.settle()["network"] == "recnet-quick"
    more = [url for url in asked if "/live/" in url][len(loaded) :]
    assert len(more) == manifest["payloads"]["recnet-quick"]["parts"]
    assert all("/live/recnet-quick-" in url for url in more)


def test_networks_and_classifier_are_linked_to_their_records(
    html: Path, manifest: dict[str, Any]
) -> None:
    for entry in (*manifest["networks"], manifest["classifier"]):
        record = json.loads((html / entry["record"]).read_text())
        assert f"records/{record['profile']}/{record['name']}.json" == entry["record"]


def test_a_link_to_a_picture_says_so_before_the_start(visit: Callable) -> None:
    page = visit("try.html#picture=0&kind=noise").page
    expect(page.locator(".qr-live-start")).to_have_text("Show the picture of this link")


@pytest.mark.parametrize("name", ["WebAssembly", "Worker", "DecompressionStream"])
def test_a_browser_that_cannot_says_so_and_shows_the_picture(
    browser: Browser, server: str, name: str
) -> None:
    page = new_page(browser)
    page.add_init_script(f"delete window.{name}")
    page.goto(f"{server}try.html")
    expect(page.locator("#qr-live [role=alert]")).to_contain_text("cannot run QRNet")
    expect(page.locator(".qr-live-poster img")).to_be_visible()
    expect(page.locator(".qr-live-begin")).to_be_hidden()
    page.context.close()


def test_a_download_that_fails_says_so_and_can_be_repeated(visit: Callable) -> None:
    opened = visit("try.html")
    name = opened.page.evaluate("qrLive.manifest.payloads.wasm.name")
    opened.page.evaluate("qrLive.manifest.payloads.wasm.name = 'lost'")
    opened.page.click(".qr-live-start")
    alert = opened.page.locator("#qr-live [role=alert]").first
    expect(alert).to_contain_text("could not be started")
    expect(alert).to_contain_text("lost-0.js could not be loaded")
    opened.page.evaluate("name => (qrLive.manifest.payloads.wasm.name = name)", name)
    Demo(opened.page).start()
    opened.errors.clear()  # the browser logs the request that failed


def test_a_photo_is_chosen_on_the_poster_and_loads_no_more_than_it_needs(
    visit: Callable, manifest: dict[str, Any]
) -> None:
    """On a phone, from the keyboard; before that the page fits any width."""
    opened = visit("try.html", width=320)
    page = opened.page
    for width in (320, 800, 1000, 1199, 1200, 1600, PHONE):
        page.set_viewport_size({"width": width, "height": 844})
        settle(page)
        assert opened.too_wide() == 0, width
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.focus("#qr-first")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    content = encoded(np.full((30, 40, 3), 90, np.uint8), "PNG")
    chooser.value.set_files(files=[{"name": "a.png", "mimeType": "image/png", "buffer": content}])
    until(page, "() => window.qrLive.latest")
    assert Demo(page).settle()["network"] == manifest["networks"][0]["key"]
    expect(page.locator(".qr-live-announce")).to_contain_text("restored")
    needed = ["worker", "ort", "wasm", manifest["networks"][0]["key"]]
    parts = sum(manifest["payloads"][key]["parts"] for key in needed)
    assert len([url for url in asked if "/live/" in url]) == parts
    page.click("text=Show examples")
    page.locator('[name="qr-picture"]').first.wait_for(state="attached")


def test_fits_a_phone(visit: Callable) -> None:
    """Started by dropping a photo."""
    opened = visit("try.html", width=PHONE, dark=True)
    demo = Demo(opened.page)
    pixels = np.full((30, 50, 3), 90, np.uint8)
    demo.page.evaluate(DROP, base64.b64encode(encoded(pixels, "PNG")).decode())
    until(demo.page, "() => qrLive.latest?.height < qrLive.latest?.width")
    shown = demo.settle()
    assert (shown["height"], shown["width"]) == (30, 50)
    expect(demo.page.locator("#qr-file-name")).to_have_text("dropped.png")
    assert opened.too_wide() == 0
