import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fake_results import (
    TASK,
    VOLUME_TASK,
    fake_result,
    fake_volume_result,
    result_of,
    write_results,
    write_volume_results,
)
from PIL import Image

from sxtbench.benchmark.board import build_board
from sxtbench.benchmark.compare import compare_all, sentence
from sxtbench.benchmark.result import Method, Preview, aggregate, load_result
from sxtbench.benchmark.task import load_task_file
from sxtbench.content import content_folder
from sxtbench.errors import InputError

HOSTILE = "<script>alert(1)</script>"
PAGE = f"{TASK}-tiny.html"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    root = tmp_path_factory.mktemp("leaderboard")
    write_results(root)
    return root


@pytest.fixture(scope="module")
def board(content):
    build_board(content / "results", content / "board")
    return content / "board"


@pytest.fixture
def copy(content, tmp_path):
    for name in ("results", "previews"):
        shutil.copytree(content / name, tmp_path / name)
    return tmp_path


def put(root: Path, slug: str, result) -> None:
    result.save(root / "results" / TASK / "tiny" / f"{slug}.json")


def build(root: Path) -> str:
    build_board(root / "results", root / "board")
    return (root / "board" / PAGE).read_text()


class Page(HTMLParser):
    """Collects what a page refers to, its tables and whether its tags are closed."""

    void = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.tags, self.references, self.rows, self.misnested = [], [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.references += [(tag, attributes[key]) for key in ("src", "href") if key in attributes]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and "data-sort" in attributes:
            self.rows[-1].append(attributes["data-sort"])
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.misnested.append(tag)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_two_builds_are_equal_and_replace_one_another(content, board, tmp_path):
    build_board(content / "results", tmp_path / "b")
    (tmp_path / "b" / "stale.html").write_text("old")
    build_board(content / "results", tmp_path / "b")
    assert files(board) == files(tmp_path / "b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b"]


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    root = tmp_path_factory.mktemp("volumes")
    write_volume_results(root)
    write_results(root, groups=9)
    build_board(root / "results", root / "board")
    return root / "board"


def test_workers_make_the_same_board(volumes, tmp_path):
    build_board(volumes.parent / "results", tmp_path / "b", workers=2)
    assert files(tmp_path / "b") == files(volumes)


def test_pages_are_whole_and_need_no_network(board):
    paths = sorted(board.rglob("*.html"))
    assert [path.parent.name for path in paths].count("methods") == 7
    for path in paths:
        page = Page(path.read_text())
        assert not page.open
        assert not page.misnested
        for tag, reference in page.references:
            if reference.startswith(("https://example.org/", "data:,", "#")):
                assert tag == "a" or reference in ("data:,", "#main")
            else:
                assert not re.match(r"[a-z]+:|//|/", reference)
                assert (path.parent / reference).is_file(), reference
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
        assert not any(key.startswith("on") or key == "style" for _, attributes in page.tags for key in attributes)
    css = (board / "static" / "board.css").read_text()
    assert "url(" not in css
    assert "@import" not in css


def test_ranks_follow_the_means_within_a_track(content, board):
    page = Page((board / PAGE).read_text())
    ranked = [row for row in page.rows if row and row[0]]
    names = [row[1] for row in ranked]
    assert names == ["unet-2.5d", "cgne-random-forest", "watershed", "fbp-otsu", "unet-stream"]
    assert [row[0] for row in ranked] == ["1", "2", "3", "4", "1"]
    for row in ranked:
        stored = json.loads((content / "results" / TASK / "tiny" / f"{row[1]}.json").read_text())
        [headline] = [a for a in stored["aggregates"] if a["metric"] == "miou@1" and not a["level"]]
        assert float(row[2]) == pytest.approx(headline["mean"])
    controls = [row for row in page.rows if row and not row[0]]
    assert [row[1] for row in controls] == ["oracle", "trivial"] * 2
    assert [float(row[2]) for row in controls[:2]] == [1.0, 0.0]


def test_index_and_machine_readable_summary(board):
    index = (board / "index.html").read_text()
    assert PAGE in index
    assert "unet-2.5d" in index
    assert "Read as trends" in index
    [page] = json.loads((board / "board.json").read_text())["pages"]
    assert page["tracks"]["fixed"][0]["method"] == "unet-2.5d"
    assert [r["method"] for r in page["tracks"]["stream"]] == ["unet-stream"]


def test_page_tells_of_few_groups_curves_and_classes(board):
    html = (board / PAGE).read_text()
    assert "Few specimens, wide intervals" in html
    assert "always called inconclusive" in html
    assert html.count('<figure class="plot">') == 2 + 3
    assert html.count('class="dot"') == 5 * 3 * 6


def test_hostile_text_is_escaped(copy):
    method = Method(
        name=HOSTILE,
        description=f'"><img src=x onerror=alert(1)>{HOSTILE}',
        authors=[HOSTILE],
        licence="'\"><b>",
        links=["https://example.org/?a=1&b=%22"],
        training_data="{{ 7 * 7 }}",
    )
    preview = Preview(file="truth.png", kind="answer", sample=HOSTILE, caption=HOSTILE)
    put(copy, "evil", fake_result("evil", 0.05, method=method, flags=[HOSTILE], previews=[preview]))
    build(copy)
    for name in (PAGE, "index.html", "methods/evil.html"):
        text = (copy / "board" / name).read_text()
        assert HOSTILE not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        page = Page(text)
        assert not page.misnested
        root = "../" if "/" in name else ""
        assert [a for t, a in page.tags if t == "script"] == [{"src": f"{root}static/board.js", "defer": None}]
    assert "{{ 7 * 7 }}" in text


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", " javascript:alert(1)", "file:///etc/passwd"]
)
def test_hostile_links_are_refused(copy, link):
    path = copy / "results" / TASK / "tiny" / "fbp-otsu.json"
    stored = json.loads(path.read_text())
    stored["method"]["links"] = [link]
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"method\.links\.0"):
        build(copy)
    assert not (copy / "board").exists()


@pytest.mark.parametrize(
    "file", ["../../../secret.png", "/etc/passwd.png", "a/b.png", "..png", "a.svg", ".png", "a.png\n"]
)
def test_hostile_preview_names_are_refused(copy, file):
    path = copy / "results" / TASK / "tiny" / "fbp-otsu.json"
    stored = json.loads(path.read_text())
    stored["previews"][0]["file"] = file
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"previews\.0\.file"):
        build(copy)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p.unlink(), "no such picture"),
        (lambda p: p.write_bytes(b"<svg onload=alert(1)>"), "not a readable PNG"),
        (lambda p: p.write_bytes(p.read_bytes()[:60]), "not a readable PNG"),
        (lambda p: p.write_bytes(p.read_bytes() + b"\0" * 60_000), "at most 60000 are allowed"),
        (lambda p: Image.new("L", (2000, 10)).save(p), "at most 1024 a side"),
        (lambda p: Image.new("L", (10, 10)).save(p, format="JPEG"), "not a readable PNG"),
        (lambda p: (p.unlink(), p.symlink_to("/etc/passwd")), "no such picture"),
    ],
)
def test_bad_pictures_are_refused_and_nothing_is_left(copy, make, says):
    make(copy / "previews" / TASK / "tiny" / "truth.png")
    with pytest.raises(InputError, match=says):
        build(copy)
    assert sorted(p.name for p in copy.iterdir()) == ["previews", "results"]


def test_other_data_or_protocol_are_not_ranked(copy):
    put(copy, "old-data", fake_result("old-data", 0.01, fingerprint="c" * 64))
    put(copy, "old-task", fake_result("old-task", 0.01, task_hash="d" * 64, version=2))
    few = fake_result("cherry", 0.01)
    rows = [r for r in few.rows if r.group != "test-00003"]
    put(copy, "cherry", few.model_copy(update={"rows": tuple(rows), "aggregates": aggregate(rows, few.axes)}))
    html = build(copy)
    ranked = [row[1] for row in Page(html).rows if row and row[0]]
    assert not {"old-data", "old-task", "cherry"} & set(ranked)
    others = html[html.index("Not comparable") :]
    assert "other dataset fingerprint" in others
    assert "other task version, task hash" in others
    assert "other set of samples" in others


def test_without_an_oracle_the_most_common_protocolranks_of(copy):
    folder = copy / "results" / TASK / "tiny"
    (folder / "oracle.json").unlink()
    put(copy, "old-data", fake_result("old-data", 0.01, fingerprint="0" * 64))
    assert "old-data" not in [row[1] for row in Page(build(copy)).rows if row and row[0]]


def test_claims_beyond_the_rows_are_refused(copy):
    path = copy / "results" / TASK / "tiny" / "fbp-otsu.json"
    stored = json.loads(path.read_text())
    for found in stored["aggregates"]:
        found["mean"] = 0.99
    path.write_text(json.dumps(stored))
    with pytest.raises(InputError, match=r"fbp-otsu\.json: .*its rows give"):
        build(copy)


def test_files_in_the_wrong_place_are_refused(copy):
    folder = copy / "results" / TASK
    shutil.copytree(folder / "tiny", folder / "small")
    with pytest.raises(InputError, match=f"is a result of {TASK}/tiny, expected one of {TASK}/small"):
        build(copy)
    shutil.rmtree(folder / "small")
    (folder / "tiny" / "oracle.json").rename(folder / "tiny" / "Bad Name.json")
    with pytest.raises(InputError, match="expected a file named like"):
        build(copy)


def test_never_replaces_what_is_no_board(copy):
    (copy / "board").mkdir()
    (copy / "board" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds something else than a board"):
        build(copy)
    assert (copy / "board" / "thesis.tex").read_text() == "years of work"


def test_empty_and_missing_results(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        build_board(tmp_path / "results", tmp_path / "board")
    (tmp_path / "results").mkdir()
    assert "No results yet" in build_board(tmp_path / "results", tmp_path / "board").read_text()


def test_controls_alone_make_a_page(tmp_path):
    put(tmp_path, "oracle", fake_result("oracle", 0.0, groups=1))
    html = build(tmp_path)
    assert "No method is ranked here yet" in html
    assert "one specimen" in html


def test_a_page_of_volumes_is_made_from_the_task_and_the_registry(volumes):
    html = (volumes / f"{VOLUME_TASK}-tiny.html").read_text()
    page = Page(html)
    assert not page.open
    assert not page.misnested
    assert [row[1] for row in page.rows if row and row[0]] == ["tv", "cgne", "sirt", "fbp-affine", "fbp"]
    keys = list(dict.fromkeys(a["data-key"] for t, a in page.tags if t == "th" and "data-key" in a))
    assert keys[:7] == ["rank", "method", "headline", "ranks", "next", "mean-tilt-range-deg", "mean-photons"]
    reported = load_task_file(content_folder("tasks") / VOLUME_TASK / "task.yaml").report.columns
    held = {"rmse@1": [""], "lac_bias@1": ["-1", "-2", "-3"], "lac_slope@1": [""], "fsc_mean_in@1": [""]}
    held |= {"fsc_mean_out@1": [""], "fsc_resolution_in@1": [""], "data_consistency@1": [""]}
    levels = ["at-tilt-range-140", "at-tilt-range-120", "at-tilt-range-80", "at-photons-0-25"]
    assert keys[-7:] == [*levels, "time", "memory", "parameters"]
    assert keys[7:-7] == [name.partition("@")[0] + end for name in reported for end in held.get(name, [])]
    assert len(keys[7:-7]) == 9
    assert "PSNR, dB" in html
    assert "differences up to 0.2 dB do not matter" in html
    assert "LAC in grey, 0 to 0.8 µm⁻¹" in html
    assert 'alt="The LAC answered by tv, sample test-00000' in html
    assert "IoU" not in html
    assert "PSNR per specimen" in html
    assert html.count('class="dot"') == 5 * 10
    assert "the bar runs from trivial (left) to the best end of an interval (right)" in html
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_curves_of_the_score_and_of_the_information_stand_on_the_page(volumes):
    html = (volumes / f"{VOLUME_TASK}-tiny.html").read_text()
    captions = re.findall(r"<figcaption>([^<]*against[^<]*)</figcaption>", html)
    assert captions == [
        "PSNR, dB against tilt range, degrees",
        "PSNR, dB against photons",
        "FSC in the cone against tilt range, degrees",
        "FSC out of the cone against tilt range, degrees",
        "FSC in the cone against photons",
        "FSC out of the cone against photons",
    ]
    ticks = [re.findall(r'text-anchor="end">([^<]+)</text>', part) for part in html.split("<figcaption>")[1:]]
    by_caption = dict(zip(re.findall(r"<figcaption>([^<]*)", html), ticks, strict=True))
    assert by_caption[captions[2]] == by_caption[captions[3]]
    assert by_caption[captions[0]] != by_caption[captions[1]]
    assert "Information in and out of the measured directions" not in (volumes / PAGE).read_text()


def test_a_signed_column_sorts_by_its_distance_from_the_best(volumes, tmp_path):
    page = Page((volumes / f"{VOLUME_TASK}-tiny.html").read_text())
    stored = json.loads((volumes / "results" / VOLUME_TASK / "tiny" / "tv.json").read_text())
    [slope] = [a["mean"] for a in stored["aggregates"] if a["metric"] == "lac_slope@1" and not a["level"]]
    [row] = [row for row in page.rows if row[1:2] == ["tv"]]
    assert float(row[11]) == pytest.approx(abs(slope - 1), rel=1e-6)


def test_verdicts_stand_beside_the_ranks(volumes):
    html = (volumes / f"{VOLUME_TASK}-tiny.html").read_text()
    results = [
        load_result(volumes / "results" / VOLUME_TASK / "tiny" / f"{name}.json")
        for name in ("tv", "cgne", "sirt", "fbp-affine", "fbp")
    ]
    expected = compare_all(results)
    [table] = json.loads((volumes / "board.json").read_text())["pages"][0]["tracks"].values()
    assert [row["against_next"] for row in table] == [expected[i, i + 1].verdict for i in range(4)] + [None]
    assert table[0]["against_next"] == "better"
    matrix = html[html.index('class="plain matrix"') :].partition("</table>")[0]
    found = re.findall(r'<span class="verdict (\w+)" title="([^"]+)">', matrix)
    assert [verdict for verdict, _ in found] == [expected[i, j].verdict for i in range(5) for j in range(5) if i != j]
    assert found[0][1] == sentence(expected[0, 1])
    assert "Holm-adjusted" in html


def test_below_eight_specimens_every_verdict_is_inconclusive(board):
    verdicts = re.findall(r'<span class="verdict (\w+)"', (board / PAGE).read_text())
    assert set(verdicts) == {"inconclusive"}
    assert len(verdicts) == 3 + 4 * 3


def test_ties_are_shown_as_groups(tmp_path):
    base = np.linspace(0.4, 0.6, 10)
    for name, shift in (("a", 0.1), ("b", 0.0995), ("c", 0.0)):
        put(tmp_path, name, result_of(name, base + shift, tier="tiny"))
    html = build(tmp_path)
    ties = re.findall(r'<span class="chip tie" title="tied with ([^"]+)">tie (\w+)</span>', html)
    assert ties == [("b", "a"), ("a", "a")]
    assert "tied with b" in (tmp_path / "board" / "index.html").read_text()


def test_a_task_that_does_not_ship_shows_every_metric(tmp_path):
    for name, gain in (("mine", 1.0), ("other", 0.0)):
        result = fake_volume_result(name, gain, task="new-task")
        result.save(tmp_path / "results" / "new-task" / "tiny" / f"{name}.json")
    build_board(tmp_path / "results", tmp_path / "board")
    page = Page((tmp_path / "board" / "new-task-tiny.html").read_text())
    keys = [a["data-key"] for t, a in page.tags if t == "th" and "data-key" in a]
    assert {"rmse", "lac_bias-1", "fsc_mean_in", "data_consistency"} <= set(keys)


def test_the_shipped_results_make_a_board(tmp_path):
    """Those of one task and tier; tests/cli builds the whole board."""
    for name in ("results", "previews"):
        shutil.copytree(content_folder("leaderboard") / name / TASK / "small", tmp_path / name / TASK / "small")
    build_board(tmp_path / "results", tmp_path / "board")
    html = (tmp_path / "board" / f"{TASK}-small.html").read_text()
    assert 'class="verdict better" title="gradient-boosting is better than fbp-otsu.' in html
