"""`python -m sxtbench` is the command line."""

from sxtbench.cli import main

main()
