import pytest
from fake_results import TASK, fake_result, write_results, write_volume_results

from sxtbench.benchmark.board import build_board
from sxtbench.benchmark.method_page import citation_of
from sxtbench.benchmark.result import Method


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    root = tmp_path_factory.mktemp("methods")
    write_results(root)
    write_volume_results(root)
    turned = Method(name="turned", description="plain\n\u202edesrever", training_data="a\u200fb", authors=["A & B"])
    fake_result("fbp", 0.5, method=turned, flags=["regenerated"]).save(root / "results" / TASK / "tiny" / "fbp.json")
    return build_board(root / "results", root / "board").parent


def test_a_method_has_one_page_with_its_results_on_every_task(board):
    page = (board / "methods" / "fbp.html").read_text()
    assert page.count("<tr>") == 1 + 2
    assert 'href="../limited-angle-reconstruction-tiny.html"' in page
    assert f'href="../results/{TASK}/tiny/fbp.json"' in page
    assert '5 <span class="span">of 5, fixed training data</span>' in page
    assert '<span class="chip flag">regenerated</span>' in page
    assert "A &amp; B" in page


def test_text_cannot_turn_or_hide_other_text(board):
    page = (board / "methods" / "fbp.html").read_text()
    assert "\u202e" not in page
    assert "\u200f" not in page
    assert "plain \ufffddesrever" in page
    assert "a\ufffdb" in page


def test_controls_have_a_page_and_neither_rank_nor_citation(board):
    page = (board / "methods" / "oracle.html").read_text()
    assert "never ranked" in page
    assert "@misc" not in page
    assert '<th scope="col">rank</th>' not in page


def test_a_citation_stays_within_its_fields():
    links = [{"href": "https://example.org/a_b?x=1", "text": "example.org"}]
    method = {"slug": "evil", "name": "x}}, note = {\\input{/etc/passwd}", "authors": ["A_B & C", "D"], "links": links}
    text = citation_of(method)
    assert text.splitlines()[1:3] == [
        "  author = {A\\_B \\& C and D},",
        "  title = {x, note = input/etc/passwd},",
    ]
    assert text.splitlines()[3] == "  howpublished = {\\url{https://example.org/a_b?x=1}}"
    braced = {"slug": "a", "name": "a", "authors": [], "links": [{"href": "https://example.org/}x{", "text": ""}]}
    assert "url" not in citation_of(braced)
