"""What a study is, and what becomes of its findings: tables, figures, a page, a record.

A study is a module that has

- `SIZES`: the settings of "fast" (under a minute on two cores), "default" (under ten) and "paper" (the paper's own);
- `DISAGREEMENTS`: the numbers of `published.DISAGREEMENTS` that bear on it;
- `run(size, *, source, seed, report)`: one of `SIZES` (a test passes its own), where phantoms come from (or the
  simulator itself), the seed of noise, and a function that is told what is going on; it returns `Findings` and writes
  nothing.

It makes figures with `figures.new_figure`, so that no window system is asked, and takes the published tables from
`published`.
"""

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pandas as pd

from sxtbench.errors import InputError
from sxtbench.files import atomic_path, require_writable, write_text
from sxtbench.studies import STUDIES, load_study
from sxtbench.studies.figures import save_png
from sxtbench.studies.phantom import phantom_source
from sxtbench.studies.published import CITATION, DISAGREEMENTS, EXPERIMENT_PHOTONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = ("fast", "default", "paper")
RECORD = "study.json"
Size = Mapping[str, Any]
Report = Callable[[str], None]


@dataclass(frozen=True)
class Check:
    """A statement that a study tests.

    Parameters
    ----------
    name : str
        What is compared.
    value : float
        What came out.
    wanted : str
        What was asked for, in words: "at least 5 dB".
    passed : bool
        Whether it is so.
    kind : {"exact", "trend"}
        "exact": the paper's number itself, or an identity. "trend": a band for a synthetic specimen, which replicates
        the direction of a published result and not its size.
    published : str
        The paper's value, where it has one.
    """

    name: str
    value: float
    wanted: str
    passed: bool
    kind: Literal["exact", "trend"]
    published: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", float(self.value))
        object.__setattr__(self, "passed", bool(self.passed))


@dataclass(frozen=True, eq=False)
class Findings:
    """What a study found.

    Parameters
    ----------
    text : str
        Markdown: what was done and what came out, beside the published numbers.
    tables : dict of DataFrame
        By name; each is written as `<name>.csv`.
    figures : dict of Figure
        By name; each is written as `<name>.png`.
    checks : tuple of Check
        What was tested.
    fluence : str
        A sentence: how far the settings lie above the experiment's fluence (`fluence_text`).
    captions : dict of str
        By the figure's name: what is to be seen, for the page.
    """

    text: str
    tables: dict[str, pd.DataFrame]
    figures: dict[str, "Figure"]
    checks: tuple[Check, ...]
    fluence: str
    captions: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


class Source(Protocol):
    """Where specimens come from: a `PhantomSource`, or a simulator."""

    @property
    def description(self) -> str:
        """What they are, for the page."""
        ...


class StudyModule(Protocol):
    """A module that is a study."""

    SIZES: Mapping[str, Size]
    DISAGREEMENTS: tuple[int, ...]

    @staticmethod
    def run(size: Size, *, source: Any, seed: int, report: Report) -> Findings:
        """Do it."""
        ...


@dataclass(frozen=True)
class Setting:
    """How a study was run: what its page and its record say.

    Parameters
    ----------
    study : str
        Name of the study.
    size : str
        "fast", "default" or "paper".
    settings : mapping
        The numbers behind the size.
    specimen : str
        Where phantoms came from, in words.
    seed : int
        Seed of noise and of our own specimen.
    seconds : float
        Wall time.
    machine : str
        Processor and cores.
    """

    study: str
    size: str
    settings: Size
    specimen: str
    seed: int
    seconds: float
    machine: str


def run_study(
    name: str,
    out: Path,
    *,
    size: str = "default",
    specimen: Path | None = None,
    source: Source | None = None,
    seed: int = 0,
    report: Report = lambda line: None,
    machine: str = "",
) -> Findings:
    """Run a study and write what it found, when all of it is there.

    Parameters
    ----------
    name : str
        As in `sxtbench.studies.STUDIES`.
    out : Path
        Folder for the tables (csv), the figures (png), the page (report.md) and the record (study.json).
    size : str
        "fast", "default" or "paper".
    specimen : Path, optional
        A folder of OpenOrganelle (N5 or Zarr); our own mammalian specimen by default.
    source : Source, optional
        Where specimens come from, for a study that takes no phantoms (`Entry.phantoms`); it goes before `specimen`.
    seed : int
        Seed of noise and of our own specimen.
    report : callable
        Told what is going on, a line at a time.
    machine : str
        Processor and cores, for the record.

    Returns
    -------
    Findings

    Raises
    ------
    InputError
        For another name or size, for a folder that cannot be written or holds the findings of another study, and for a
        specimen that cannot be read.
    """
    module = load_study(name)
    if size not in SIZES:
        raise InputError(f"size is {size!r}, expected one of: {', '.join(SIZES)}")
    if seed < 0:
        raise InputError(f"the seed is {seed}, expected 0 or more")
    require_own_folder(name, out)
    source = source or phantom_source(specimen, seed)
    started = perf_counter()
    findings = module.run(module.SIZES[size], source=source, seed=seed, report=report)
    seconds = perf_counter() - started
    setting = Setting(
        name, size, module.SIZES[size], source.description, seed, seconds, machine or platform.processor()
    )
    write_findings(findings, out, setting, [DISAGREEMENTS[i] for i in module.DISAGREEMENTS])
    return findings


def require_own_folder(name: str, out: Path) -> None:
    """Raise `InputError` unless `out` can be written and holds no other study's findings."""
    record = out / RECORD
    if record.is_file():
        try:
            other = json.loads(record.read_text(encoding="utf-8")).get("study")
        except (ValueError, AttributeError):
            other = None
        if other != name:
            raise InputError(f"{out} holds the findings of {other or 'something else'}: choose another folder")
    require_writable(out)


def write_findings(findings: Findings, out: Path, setting: Setting, disagreements: Sequence[str]) -> None:
    """Write tables, figures and page, each whole or not at all, and the record last.

    Parameters
    ----------
    findings : Findings
        What was found.
    out : Path
        Folder; made where it is missing. Other files in it stay.
    setting : Setting
        How it was run.
    disagreements : sequence of str
        What to say on the page of the paper's text and its code.
    """
    for name, table in findings.tables.items():
        write_text(out / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    for name, figure in findings.figures.items():
        save_png(figure, out / f"{name}.png")
    write_text(out / "report.md", page(findings, setting, disagreements))
    with atomic_path(out / RECORD) as temporary:
        temporary.write_text(json.dumps(record_of(findings, setting), indent=1) + "\n", encoding="utf-8")


def record_of(findings: Findings, setting: Setting) -> dict[str, Any]:
    """Return the record: settings, version, machine, time, checks."""
    return {
        "study": setting.study,
        "version": version("sxtbench"),
        "size": setting.size,
        "settings": dict(setting.settings),
        "specimen": setting.specimen,
        "seed": setting.seed,
        "seconds": round(setting.seconds, 1),
        "machine": setting.machine,
        "checks": [
            {"name": c.name, "kind": c.kind, "value": _finite(c.value), "wanted": c.wanted, "passed": c.passed}
            for c in findings.checks
        ],
    }


def page(findings: Findings, setting: Setting, disagreements: Sequence[str]) -> str:
    """Return the page of a study, Markdown."""
    entry = STUDIES[setting.study]
    option = {"fast": " --fast", "default": "", "paper": " --paper"}[setting.size]
    parts = [
        f"# {setting.study}: {entry.title}",
        *([f"Figure {entry.figure} of {CITATION}."] if entry.figure else []),
        f"`sxtbench study {setting.study} --out DIR{option}`, seed {setting.seed}, {setting.seconds:.0f} s on "
        f"{setting.machine}, sxtbench {version('sxtbench')}. Specimen: {setting.specimen}.",
        findings.text.strip(),
    ]
    for name in findings.figures:
        parts.append(f"![{name}]({name}.png)")
        if name in findings.captions:
            parts.append(findings.captions[name])
    parts += ["## How far from the experiment", findings.fluence]
    if findings.checks:
        parts += [
            "## Checks",
            "*exact*: the paper's own number, or an identity. *trend*: the direction and rough size of a published "
            "result on another specimen; absolute values depend on the specimen's texture and are not replicated.",
            markdown_table(_check_table(findings.checks)),
        ]
    if disagreements:
        parts += [
            "## Where the paper's text and its code disagree",
            "\n".join(f"- {line}" for line in disagreements),
        ]
    if findings.tables:
        parts += ["## Tables", "\n".join(f"- [{name}.csv]({name}.csv)" for name in findings.tables)]
    return "\n\n".join(parts) + "\n"


def fluence_text(photons: float, pixel_size_nm: float, images: int | None = None) -> str:
    """Say how a fluence compares with the experiment's 600 photons per 20-nm pixel and image.

    Parameters
    ----------
    photons : float
        Incident photons per detector pixel and image.
    pixel_size_nm : float, nm
        Edge of that pixel.
    images : int, optional
        Number of images; the paper's experiments have 92.

    >>> fluence_text(10000, 20.0)
    '10000 photons per 20-nm pixel and image: 16.7 times the 600 that match the noise of the experiment.'
    """
    share = photons * (20.0 / pixel_size_nm) ** 2 / EXPERIMENT_PHOTONS
    text = (
        f"{photons:.0f} photons per {pixel_size_nm:g}-nm pixel and image: {share:.1f} times the "
        f"{EXPERIMENT_PHOTONS} that match the noise of the experiment."
    )
    if images is not None:
        text += f" With {images} images instead of 92 the sum is {share * images / 92:.0f} times the experiment's."
    return text


def markdown_table(table: pd.DataFrame, digits: int = 3) -> str:
    """Return a small table as Markdown; numbers with so many digits, missing ones as a dash.

    >>> print(markdown_table(pd.DataFrame({"n": [2], "dB": [1.23456]})))
    | n | dB |
    |---|---|
    | 2 | 1.23 |
    """
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * len(table.columns)]
    for row in table.itertuples(index=False):
        lines.append("| " + " | ".join(_cell(value, digits) for value in row) + " |")
    return "\n".join(lines)


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return str(value)


def _check_table(checks: Sequence[Check]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "": ["pass" if c.passed else "**FAIL**" for c in checks],
            "kind": [c.kind for c in checks],
            "check": [c.name for c in checks],
            "here": [f"{c.value:.5g}" for c in checks],
            "wanted": [c.wanted for c in checks],
            "published": [c.published for c in checks],
        }
    )


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
