"""Print what a large board costs: 200 methods on the tiny tier of seven tasks, made of the committed results.

Run: python benchmarks/board_build.py [--methods 200] [--workers 2] [--keep DIR]

Every synthetic method is a committed result under another name. Printed are the seconds of the build (wall, processor),
the largest page with its style and script, and, where chromium is installed, the time until the largest page has been
read, its script has run and everything is laid out.
"""

import argparse
import json
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from sxtbench.benchmark.board import build_board
from sxtbench.benchmark.page import CONTROLS
from sxtbench.content import content_folder

PROBE = """
addEventListener("load", () => {
  const read = performance.now();
  const height = document.body.offsetHeight;
  document.documentElement.dataset.seen = `${read.toFixed(0)} ${performance.now().toFixed(0)} ${height}`;
});
"""


def main() -> None:
    """Make the results, build the board, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=None)
    options = parser.parse_args()
    root = options.keep or Path(tempfile.mkdtemp())
    tasks = synthetic_results(root / "results", options.methods)
    megabytes = sum(path.stat().st_size for path in (root / "results").rglob("*.json")) / 1e6
    print(f"{options.methods} methods x {tasks} tasks: {megabytes:.0f} MB of results")
    wall, processor = time.perf_counter(), time.process_time()
    previews = content_folder("leaderboard") / "previews"
    board = build_board(root / "results", root / "board", previews_dir=previews, workers=options.workers).parent
    own, readers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    spent = time.process_time() - processor + readers.ru_utime + readers.ru_stime
    print(f"build, {options.workers} workers: {time.perf_counter() - wall:.1f} s wall, {spent:.1f} s processor")
    print(f"memory of a process at most: {max(own.ru_maxrss, readers.ru_maxrss) / 1024:.0f} MB")
    assets = sum(path.stat().st_size for path in (board / "static").iterdir())
    page = max(board.rglob("*.html"), key=lambda path: path.stat().st_size)
    print(f"largest page: {page.name}, {(page.stat().st_size + assets) / 1e3:.0f} kB of HTML, CSS and JS")
    first_view(page)
    if options.keep is None:
        shutil.rmtree(root)


def synthetic_results(folder: Path, methods: int) -> int:
    """Write committed results of the tiny tier under other names, and the controls under their own."""
    tasks = sorted((content_folder("leaderboard") / "results").glob("*/tiny"))
    for tier in tasks:
        target = folder / tier.parent.name / "tiny"
        target.mkdir(parents=True, exist_ok=True)
        own = [path for path in sorted(tier.glob("*.json")) if path.stem not in CONTROLS]
        for control in (path for path in tier.glob("*.json") if path.stem in CONTROLS):
            shutil.copy(control, target)
        for i in range(methods):
            content = json.loads(own[i % len(own)].read_text())
            content["method"]["name"] = f"method-{i:03d}"
            (target / f"method-{i:03d}.json").write_text(json.dumps(content))
    return len(tasks)


def first_view(page: Path) -> None:
    """Print when a page has been read and laid out in Chromium."""
    if shutil.which("chromium") is None:
        print("first view: not measured, chromium is not installed")
        return
    (page.parent / "static" / "probe.js").write_text(PROBE)
    probed = page.with_name("probed.html")
    probed.write_text(page.read_text().replace("</head>", '<script src="static/probe.js"></script></head>'))
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"]
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [*command, f"--user-data-dir={profile}", probed.as_uri()], capture_output=True, text=True, check=True
        )
    [(read, laid_out)] = re.findall(r'data-seen="(\d+) (\d+) \d+"', done.stdout)
    print(f"first view: read and its script run after {read} ms, laid out after {laid_out} ms")


if __name__ == "__main__":
    main()
