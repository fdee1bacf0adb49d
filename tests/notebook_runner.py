"""Run the code cells of a notebook in one process, as Jupyter would: python notebook_runner.py FILE.ipynb."""

import json
import sys
from pathlib import Path

import matplotlib


def code_cells(path: Path) -> list[str]:
    """Return the source of each code cell."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


if __name__ == "__main__":
    matplotlib.use("Agg")
    names: dict[str, object] = {"__name__": "__main__"}
    for number, source in enumerate(code_cells(Path(sys.argv[1]))):
        exec(compile(source, f"cell {number}", "exec"), names)
