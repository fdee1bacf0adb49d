"""The page of a method: what it is, how to cite it, and its results across tasks and tiers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sxtbench.benchmark.wording import plain

_SHOWN = (
    *("name", "rank", "headline", "span", "bar", "ties", "origin", "flags", "raw", "device", "seeds"),
    *("time", "memory", "parameters", "training_data"),
)
_SAID = ("description", "authors", "links", "licence", "training_data")


def method_pages(pages: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what `method.html.j2` shows, by the name of the result file: a method is known by it on every task.

    Parameters
    ----------
    pages : sequence of mapping
        From `page_of`. What a method says of itself is taken from its first result that says it.
    """
    methods: dict[str, dict[str, Any]] = {}
    for page in pages:
        for row, track, control in _rows(page):
            method = methods.setdefault(
                row["slug"],
                {"slug": row["slug"], "name": row["name"], "href": row["href"], "control": control, "results": []}
                | dict.fromkeys(_SAID, ""),
            )
            for said in _SAID:
                method[said] = method[said] or row[said]
            result = {name: row[name] for name in _SHOWN}
            result |= {name: page[name] for name in ("task", "title", "tier", "metric_title", "direction", "version")}
            result |= {"page": page["href"], "track": track, "of": _ranked(page, track)}
            method["results"].append(result)
    for method in methods.values():
        method["citation"] = "" if method["control"] else citation_of(method)
    return methods


def citation_of(method: Mapping[str, Any]) -> str:
    """Return a BibTeX entry from what a method says of itself; nothing in it can end a field or start a command.

    >>> print(citation_of({"slug": "mine", "name": "Mine {2}", "authors": ["A. Person"], "links": []}))
    @misc{mine,
      author = {A. Person},
      title = {Mine 2}
    }
    """
    fields = [("author", " and ".join(map(_tex, method["authors"])))] if method["authors"] else []
    fields.append(("title", _tex(method["name"])))
    fields += [("howpublished", f"\\url{{{link['href']}}}") for link in method["links"][:1] if _is_plain(link["href"])]
    return f"@misc{{{method['slug']},\n" + ",\n".join(f"  {key} = {{{text}}}" for key, text in fields) + "\n}"


def _tex(text: str) -> str:
    return re.sub(r"([&%$#_])", r"\\\1", re.sub(r"[{}\\^~]", "", plain(text)))


def _is_plain(address: str) -> bool:
    return not re.search(r"[{}\\]", address)


def _rows(page: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str, bool]]:
    for table in page["tables"]:
        yield from ((row, table["title"], False) for row in table["rows"])
    for table in page["tables"][:1]:
        yield from ((row, "control", True) for row in table["controls"])


def _ranked(page: Mapping[str, Any], track: str) -> int:
    return sum(row["rank"] is not None for table in page["tables"] if table["title"] == track for row in table["rows"])
