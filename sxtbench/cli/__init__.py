"""The command line: one file a group of verbs, heavy imports inside the verbs."""

import sys
import traceback
from typing import Annotated

import typer

import sxtbench
from sxtbench.cli import (
    assess,
    bench,
    board,
    compare,
    data,
    demo,
    external,
    hub,
    methods,
    own_data,
    quantify,
    scaffold,
    season,
    show,
    study,
    submit,
    train,
)
from sxtbench.errors import CheckError, InputError
from sxtbench.files import storage_fault

app = typer.Typer(
    name="sxtbench",
    help="The benchmark of soft X-ray tomography.",
    epilog="Begin with: sxtbench demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sxtbench {sxtbench.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


demo.register(app)
methods.register(app)
compare.register(app)
data.register(app)
hub.register(app)
own_data.register(app)
assess.register(app)
show.register(app)
quantify.register(app)
bench.register(app)
study.register(app)
train.register(app)
submit.register(app)
season.register(app)
scaffold.register(app)
external.register(app)
board.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Exit status: 0 fine; 1 a check found something wrong; 2 bad usage or bad input."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        status = app(words, standalone_mode=False)
        if status == 130:  # typer's word for Ctrl-C
            _fail("stopped; run the same command again to continue", 130)
        sys.exit(status if isinstance(status, int) else 0)
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # raised with the help as its message
            print(error.format_message())
            sys.exit(2)
        context = getattr(error, "ctx", None)
        hint = f" (see `{context.command_path} --help`)" if context else ""
        _fail(" ".join(error.format_message().split()) + hint, 2)
    except (InputError, CheckError) as error:
        if debug:
            traceback.print_exc()
        _fail(str(error), 2 if isinstance(error, InputError) else 1)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        reason = storage_fault(error)
        if reason is None or debug:
            raise
        _fail(f"{error.filename}: {reason}" if error.filename else reason, 2)


def _fail(message: str, status: int) -> None:
    print(f"sxtbench: {message}", file=sys.stderr)
    sys.exit(status)
