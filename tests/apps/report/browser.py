"""A page in a browser: what axe-core finds in it, and what a script in it measures.

Chromium writes down what the page has become; no driver is needed. `axe.min.js` is taken from
where `make .venv/axe` puts it, or from the file that AXE_CORE names.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
AXE = Path(os.environ.get("AXE_CORE") or ROOT / ".venv/axe/node_modules/axe-core/axe.min.js")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REQUIRED = "UNROLLED_BROWSER"
"""Where this is set, as in continuous integration, a missing browser is an error."""


def missing() -> str:
    """What is missing for these tests; empty if nothing is."""
    if not any(map(shutil.which, BROWSERS)):
        return "no chromium is installed"
    return "" if AXE.exists() else f"axe-core is not installed ({AXE}): make .venv/axe"


needs_browser = pytest.mark.skipif(
    bool(missing()) and not os.environ.get(REQUIRED), reason=missing() or "nothing"
)


def measured(page: str, folder: Path, script: str, width: int = 1280, dark: bool = False) -> Any:
    """Return what an asynchronous script returns that runs in a page, as JSON.

    Args:
        page: the HTML.
        folder: for files.
        script: the body of an asynchronous function without arguments.
        width: of the window in pixels.
        dark: whether the reader's system is.
    """
    lacks = missing()
    assert not lacks, lacks
    folder.mkdir(parents=True, exist_ok=True)
    inner = folder / "page.html"
    inner.write_text(page.replace("</body>", f"<script>{_told(script)}</script></body>"))
    outer = folder / "frame.html"
    # A window is at least 500 pixels wide, a frame is as narrow as one likes.
    outer.write_text(
        '<!doctype html><body style="margin:0"><script>addEventListener("message",'
        'each=>{let at=document.createElement("pre");at.id="told";at.textContent=each.data;'
        f'document.body.append(at)}})</script><iframe src="page.html" '
        f'style="border:0;width:{width}px;height:844px"></iframe>'
    )
    program = next(filter(None, map(shutil.which, BROWSERS)))
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'profile'}", f"--window-size={max(width, 500)},900",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
        "--virtual-time-budget=60000", "--dump-dom", outer.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page told nothing: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    told = json.loads(html.unescape(found[1]))
    assert "error" not in told, told
    return told["value"]


def _told(script: str) -> str:
    return (
        f"(async()=>{{{script}}})().then(value=>({{value}}),error=>({{error:String(error)}}))"
        '.then(told=>parent.postMessage(JSON.stringify(told),"*"))'
    )


def violations(page: str, folder: Path, width: int = 1280, dark: bool = False) -> list[str]:
    """Return what axe-core finds: the rule, and the first element that breaks it."""
    script = (
        f"{AXE.read_text(encoding='utf-8') if AXE.exists() else ''};"
        "let found=await axe.run(document,{resultTypes:['violations']});"
        "return {rules:found.passes.length,found:found.violations.map(each=>"
        "`${each.id} (${each.nodes.length}): ${each.nodes[0].html.slice(0,200)} "
        "${each.nodes[0].failureSummary}`)}"
    )
    told = measured(page, folder, script.replace("</script", "<\\/script"), width, dark)
    assert told["rules"] > 20  # it did look
    return told["found"]
