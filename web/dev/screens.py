"""Take pictures of every page at phone and desktop width, light and dark, against the mock server.

Usage: python dev/screens.py OUTPUT_DIR [name-filter], with `npm run dev:mock` not running: it starts its own.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

WEB = Path(__file__).resolve().parent.parent
SIZES = {"phone": (390, 844), "desktop": (1440, 900)}
BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]


@contextlib.contextmanager
def mock_server() -> Iterator[str]:
    process = subprocess.Popen(
        ["node_modules/.bin/vite", "--port", "0", "--clearScreen", "false"],
        cwd=WEB,
        env={"PATH": "/usr/bin:/bin", "SPILLWAY_MOCK": "1", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found.group()
                break
        else:
            raise RuntimeError("vite didn't start")
    finally:
        process.terminate()
        process.wait()


def sign_in(page: Page) -> None:
    page.evaluate("localStorage.setItem('spillway.session', JSON.stringify({name: 'ada', token: 't-mock'}))")


def discover(page: Page) -> None:
    page.get_by_test_id("stream-card").first.wait_for()


def playing(page: Page) -> None:
    page.locator("[data-testid=player-state][data-state=playing]").wait_for(state="attached", timeout=15_000)
    page.wait_for_timeout(800)


def stats(page: Page) -> None:
    playing(page)
    page.get_by_test_id("mute").click()
    page.get_by_test_id("stats-toggle").click()
    page.get_by_test_id("quality").click()
    page.wait_for_timeout(2500)


def create(page: Page) -> None:
    page.get_by_test_id("stream-title").fill("Thursday workshop: soldering for beginners")
    page.get_by_test_id("stream-category").fill("talks")
    page.get_by_test_id("create-stream").click()
    page.get_by_test_id("go-live").wait_for()
    page.wait_for_timeout(1500)


def live(page: Page) -> None:
    create(page)
    page.get_by_test_id("go-live").click()
    page.locator("[data-testid=live-state][data-state=live]").wait_for(timeout=15_000)
    page.wait_for_timeout(4000)


def keys(page: Page) -> None:
    page.get_by_test_id("keys").first.click()
    page.wait_for_timeout(300)


def still(page: Page) -> None:
    page.wait_for_timeout(900)


# name: (path, signed in, scenario, what to do before the picture)
SHOTS: dict[str, tuple[str, bool, str, Callable[[Page], None]]] = {
    "discover": ("/", False, "full", discover),
    "discover-empty": ("/", False, "empty", still),
    "discover-error": ("/", False, "error", still),
    "watch": ("/watch/s1", False, "full", playing),
    "watch-stats": ("/watch/s1", True, "full", stats),
    "watch-offline": ("/watch/mine2", True, "full", still),
    "watch-error": ("/watch/nothing", False, "full", still),
    "studio-signup": ("/studio", False, "full", still),
    "studio-lobby": ("/studio", True, "full", still),
    "studio-ready": ("/studio", True, "full", create),
    "studio-live": ("/studio", True, "full", live),
    "dashboard": ("/dashboard", True, "full", still),
    "dashboard-keys": ("/dashboard", True, "full", keys),
}


def shoot(context: BrowserContext, base: str, name: str, target: Path, problems: list[str]) -> None:
    path, signed_in, scenario, prepare = SHOTS[name]
    context.request.post(f"{base}/__mock/scenario", data=scenario)
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(f"{target.name}: {error}"))
    if signed_in:
        page.goto(f"{base}/favicon.svg")
        sign_in(page)
    page.goto(base + path)
    prepare(page)
    page.screenshot(path=target, full_page="studio" in name or "dashboard" in name)
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        problems.append(f"{target.name}: wider than the screen")
    page.close()


def main(out: Path, wanted: str) -> int:
    out.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    with mock_server() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER)
        peer = browser.new_page()
        peer.goto(f"{base}/dev/peer.html")
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                for name in SHOTS:
                    label = f"{name}-{size}-{scheme}"
                    if not re.search(wanted, label):
                        continue
                    context = browser.new_context(
                        viewport={"width": width, "height": height},
                        color_scheme="dark" if scheme == "dark" else "light",
                        has_touch=size == "phone",
                    )
                    try:
                        shoot(context, base, name, out / f"{label}.png", problems)
                    except Exception as error:
                        # One page that doesn't come up must not hide the others; it is reported below.
                        problems.append(f"{label}: {str(error).splitlines()[0]}")
                    context.close()
        browser.close()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
