import pytest

from sxtbench.cli.console import progress


def fails(done: int) -> None:
    with progress("generate", 3) as bar:
        for number in range(done):
            bar(str(number))
        raise OSError("gone")


@pytest.mark.parametrize("done", [0, 1])
def test_a_bar_stays_above_an_error_only_where_something_was_done(
    done: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OSError, match="gone"):
        fails(done)
    assert ("/3" in capsys.readouterr().err) is (done > 0)
