import json
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from fake_results import TASK, fake_result, write_results

from sxtbench.benchmark.board import build_board
from sxtbench.benchmark.result import Method

CHROMIUM = shutil.which("chromium")
PAGE = f"{TASK}-tiny.html"
HOSTILE = "<img src=x onerror=document.title='taken'><script>document.title='taken'</script> أبجد"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="Debian's chromium is not installed: NOTHING OF THE BOARD'S JS IS TESTED"
    ),
]

# What a user does, and what the page then shows; it lands in an attribute that --dump-dom prints.
USER = """
const pick = (selector) => document.querySelector(selector);
const shown = (things) => [...things].filter((thing) => !thing.hidden);
const names = () => shown(document.querySelectorAll("#fixed tbody.ranked tr")).map((row) => row.dataset.method);
const enter = (selector, value) => {
  const input = pick(selector);
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
};
const heads = () => shown(pick("#fixed").tHead.rows[0].cells).map((head) => head.dataset.key);
const found = { linked: names(), heads: heads() };
found.state = pick("#fixed th[data-key=headline]").getAttribute("aria-sort");
pick("#fixed th[data-key=method] button").click();
found.byName = names();
pick("#fixed th[data-key=method] button").click();
found.byNameDown = names();
found.address = location.hash;
enter("[data-find]", "unet");
found.filtered = names();
found.count = pick("[data-count]").textContent;
found.tiles = document.querySelectorAll(".gallery .tile.off").length;
found.marks = document.querySelectorAll("figure[data-cost=time] g.off").length;
enter("[data-find]", "");
enter("[data-origin]", "reported");
found.reported = names();
enter("[data-origin]", "");
enter("[data-track]", "stream");
found.tracks = [...document.querySelectorAll("section.track")].map((section) => section.hidden);
enter("[data-track]", "");
enter("[data-columns]", "photons");
found.photons = heads();
const line = "g[data-series='0']";
pick(".legend li[data-series='0'] button").click();
found.line = getComputedStyle(pick(line)).display;
const stage = pick(".stage");
found.sides = [...stage.querySelectorAll("img")].map((image) => image.getAttribute("src"));
enter("[data-divider]", "80");
found.divider = getComputedStyle(stage.querySelector("img[data-side=left]")).clipPath;
enter("[data-window=high]", "50");
found.white = pick("[data-says=high]").textContent;
found.filter = getComputedStyle(pick(".tile.input img")).filter;
found.label = getComputedStyle(pick(".tile.truth img")).filter;
found.slope = Number(pick("#grey-window feFuncR").getAttribute("slope"));
found.wide = document.documentElement.scrollWidth > innerWidth;
found.title = document.title;
document.documentElement.dataset.found = JSON.stringify(found);
"""


class Found(HTMLParser):
    def handle_starttag(self, tag, attrs):
        if tag == "html":
            self.found = json.loads(dict(attrs)["data-found"])


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    root = tmp_path_factory.mktemp("browser")
    write_results(root)
    evil = fake_result("evil", 0.5, method=Method(name=HOSTILE[:100], description=HOSTILE), flags=["long " * 40])
    evil.save(root / "results" / TASK / "tiny" / "evil.json")
    board = build_board(root / "results", root / "board").parent
    page = board / PAGE
    page.write_text(page.read_text().replace("</body>", '<script src="static/user.js" defer></script></body>'))
    (board / "static" / "user.js").write_text(USER)
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={root / 'profile'}", "--virtual-time-budget=2000", "--window-size=500,900"]
    address = f"{page.as_uri()}#sort=fixed,headline,ascending"
    done = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, timeout=240, check=True)
    parser = Found()
    parser.feed(done.stdout)
    return parser.found, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_no_console_error_and_no_text_injected(seen):
    found, console = seen
    assert not console
    assert found["title"].startswith("Limited-angle segmentation")


def test_a_linked_view_and_clicks_sort(seen):
    found, _ = seen
    ranked = ["unet-2.5d", "cgne-random-forest", "watershed", "evil", "fbp-otsu"]
    assert found["linked"] == ranked[::-1]
    assert found["state"] == "ascending"
    assert found["byNameDown"] == found["byName"][::-1]
    assert sorted(found["byName"]) == sorted(ranked)
    assert found["address"] == "#sort=fixed,method,descending"


def test_filters_choose_methods_origins_and_tracks_everywhere(seen):
    found, _ = seen
    assert found["filtered"] == ["unet-2.5d"]
    assert found["count"] == "2 of 6 methods"
    assert found["tiles"] == 3  # the answers of the other three that have pictures; input, truth and controls stay
    assert found["marks"] == 4
    assert found["reported"] == ["watershed"]
    assert found["tracks"] == [True, False]


def test_columns_are_those_of_the_scores_or_of_an_axis(seen):
    found, _ = seen
    assert "dice-1" in found["heads"] or "iou-1" in found["heads"]
    assert not [key for key in found["heads"] if key.startswith("at-")]
    always = ["rank", "method", "headline", "ranks", "next"], ["time", "memory", "parameters"]
    assert found["photons"] == [*always[0], "at-photons-0-25", *always[1]]


def test_a_legend_hides_its_line(seen):
    assert seen[0]["line"] == "none"


def test_slices_have_a_divider_and_one_grey_window(seen):
    found, _ = seen
    assert [source.rpartition("/")[2] for source in found["sides"]] == ["truth.png", "unet-2.5d.png"]
    assert found["divider"] == "inset(0px 20% 0px 0px)"
    assert found["white"] == "0.40 µm⁻¹"
    assert found["slope"] == pytest.approx(2.0)
    assert "grey-window" in found["filter"]
    assert found["label"] == "none"


def test_a_page_is_no_wider_than_a_phone(seen):
    assert seen[0]["wide"] is False
