"""The card of a dataset: `README.md` with the Hub's front matter and the datasheet, made from the folder it describes.

What is particular to a dataset stands in `data_cards/<task>.md`, what is common to all in `data_cards/template.md.j2`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sxtbench.content import content_file, content_folder
from sxtbench.datasets.build import dataset_files, read_statement
from sxtbench.datasets.recipe import read_yaml
from sxtbench.datasets.slices import FOLDER
from sxtbench.errors import InputError

SECTIONS = {
    "content": "What is in it",
    "hard": "What is interesting and hard about it",
    "made": "How it was made",
    "limits": "Limits",
}
"""Headings that every `data_cards/<task>.md` has, by their name in the template."""

DATASHEET = (
    "Motivation",
    "Composition",
    "Collection process",
    "Preprocessing, cleaning and labelling",
    "Uses",
    "Distribution",
    "Maintenance",
)
"""The headings of Gebru et al."""

SPLITS = ("train", "validation", "test")
WITHOUT_TABLE = "The table of baselines comes with `sxtbench package`."

_SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K"}


@dataclass(frozen=True, kw_only=True)
class CardSource:
    """What `data_cards/<task>.md` says, and which tasks it is for.

    Parameters
    ----------
    front : dict
        Its front matter: keys of the Hub.
    tasks : tuple of str
        Tasks that use the data, the dataset's owner first.
    slices : tuple of str
        Targets of the slices: `labels`, `lac` or both, by what the tasks ask for; none where they ask for neither.
    cites : tuple of str
        DOIs of the references of CITATION.cff that belong to the data.
    intro : str
        What stands above the first heading.
    sections : dict of str
        By the names of `SECTIONS`.
    """

    front: dict[str, Any]
    tasks: tuple[str, ...]
    slices: tuple[str, ...]
    cites: tuple[str, ...]
    intro: str
    sections: dict[str, str]


def card_source(task: str) -> CardSource:
    """Read `data_cards/<task>.md`; raise `InputError` where a part is missing."""
    import yaml

    path = content_folder("data_cards") / f"{task}.md"
    _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
    intro, *parts = re.split(r"^## ", body, flags=re.MULTILINE)
    found = {title.strip(): text.strip() for title, _, text in (part.partition("\n") for part in parts)}
    if sorted(found) != sorted(SECTIONS.values()):
        raise InputError(f"{path}: has the headings {sorted(found)}, expected {sorted(SECTIONS.values())}")
    keys = yaml.safe_load(front)
    kinds = _answers(task)
    wanted = {kind for found_kinds in kinds.values() for kind in found_kinds}
    return CardSource(
        tasks=tuple(kinds),
        slices=tuple(target for kind, target in {"labels": "labels", "volume": "lac"}.items() if kind in wanted),
        cites=tuple(keys.pop("cites", ())),
        front=keys,
        intro=intro.strip(),
        sections={name: found[title] for name, title in SECTIONS.items()},
    )


def _answers(owner: str) -> dict[str, list[str]]:
    """Return what the tasks on a dataset ask for, the dataset's owner first."""
    protocols = [read_yaml(path)["protocol"] for path in sorted(content_folder("tasks").glob("*/task.yaml"))]
    found = [protocol for protocol in protocols if owner in (protocol["name"], protocol.get("data"))]
    found.sort(key=lambda protocol: protocol["name"] != owner)
    return {protocol["name"]: protocol["answer"]["kinds"] for protocol in found}


def render_card(folder: Path, *, baselines: str = WITHOUT_TABLE, tiers: str = "") -> str:
    """Return the text of `README.md` for a dataset's folder.

    Parameters
    ----------
    folder : Path
        A dataset whose splits, recipe and slices, if any, are written.
    baselines, tiers : str
        Tables in Markdown that need more than the folder: scores of the baselines, sizes of the tiers.

    Raises
    ------
    InputError
        Where the folder holds no dataset.
    """
    import jinja2
    import yaml

    statement = read_statement(folder)
    statement["splits"] = {name: statement["splits"][name] for name in sorted(statement["splits"], key=_split_order)}
    source = card_source(statement["task"])
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )  # Markdown, and all that goes in is ours: nothing to escape
    template = environment.from_string((content_folder("data_cards") / "template.md.j2").read_text(encoding="utf-8"))
    slices = [split for split in statement["splits"] if any(folder.glob(f"{FOLDER}/{split}-*.parquet"))]
    text = template.render(
        name=statement["name"],
        tier=statement["tier"],
        version=statement["version"],
        recipe=statement["recipe_sha256"],
        tasks=source.tasks,
        intro=source.intro,
        **source.sections,
        slices=slices,
        slice_targets=source.slices,
        no_slices=_why_no_slices(source, statement),
        splits=list(statement["splits"]),
        rows=[
            {"name": split, "size": in_bytes(split_bytes(folder, split)), **stated}
            for split, stated in statement["splits"].items()
        ],
        environment=json.loads((folder / "recipe" / "environment.json").read_text(encoding="utf-8")),
        baselines=baselines,
        tiers=tiers,
        citation=citation(source.cites),
    )
    front = {**source.front, **_front_matter(statement, slices)}
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n{text}"


def _split_order(name: str) -> tuple[int, str]:
    return (SPLITS.index(name) if name in SPLITS else len(SPLITS), name)


def _why_no_slices(source: CardSource, statement: dict[str, Any]) -> str:
    if not source.slices:
        return "the task asks for no volume, so no reconstruction is stored"
    if "train" not in statement["splits"]:
        return "nothing may be trained on it"
    return "`sxtbench package` writes them"


def _front_matter(statement: dict[str, Any], slices: list[str]) -> dict[str, Any]:
    """Return the keys of the Hub that follow from what is there."""
    rows = sum(split["samples"] for split in statement["splits"].values())
    configs = [_config("samples", {split: f"manifest/{split}.parquet" for split in statement["splits"]}, default=True)]
    if slices:
        configs.append(_config("slices", {split: f"{FOLDER}/{split}-*.parquet" for split in slices}))
    return {
        "pretty_name": f"sxtbench: {statement['name']}",
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "size_categories": [next(name for limit, name in _SIZES.items() if rows < limit)],
        "configs": configs,
    }


def _config(name: str, files: dict[str, str], *, default: bool = False) -> dict[str, Any]:
    found = {"config_name": name, "data_files": [{"split": split, "path": path} for split, path in files.items()]}
    return {**found, "default": True} if default else found


def split_bytes(folder: Path, split: str) -> int:
    """Return the bytes of the files of one split: inputs, targets, pictures, slices and manifest."""
    places = (f"inputs/{split}/", f"targets/{split}/", f"previews/{split}/", f"{FOLDER}/{split}-", f"manifest/{split}.")
    return sum((folder / name).stat().st_size for name in dataset_files(folder) if name.startswith(places))


def in_bytes(count: float) -> str:
    """Return an amount of data in words.

    >>> in_bytes(20_000_000), in_bytes(1_650_000_000)
    ('20 MB', '1.6 GB')
    """
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def citation(dois: tuple[str, ...] = ()) -> str:
    """Return BibTeX of CITATION.cff: of the software, and of the references with these DOIs.

    Raises
    ------
    InputError
        For a DOI that CITATION.cff does not hold.

    >>> citation().partition(",")[0]
    '@software{sxtbench'
    """
    import yaml

    cff = yaml.safe_load(content_file("CITATION.cff").read_text(encoding="utf-8"))
    known = {reference["doi"]: reference for reference in cff["references"]}
    entries = [_bibtex("software", "sxtbench", cff)]
    for doi in dois:
        if doi not in known:
            raise InputError(f"CITATION.cff: has no reference with the DOI {doi}; it has {', '.join(known)}")
        key = f"{known[doi]['authors'][0]['family-names'].lower()}{known[doi]['year']}"
        entries.append(_bibtex(known[doi]["type"], key, known[doi]))
    return "\n\n".join(entries)


def _bibtex(kind: str, key: str, entry: dict[str, Any]) -> str:
    names = [
        f"{{{one['name']}}}" if "name" in one else f"{one['family-names']}, {one['given-names']}"
        for one in entry["authors"]
    ]
    fields = {"title": f"{{{entry['title']}}}", "author": " and ".join(names)}
    fields |= {name: str(entry[name]) for name in ("year", "version", "doi") if name in entry}
    return "\n".join([f"@{kind}{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"])
