"""What a submission says of itself: `submission.json`, as a frozen model in which every text is a stranger's.

A submission is a ZIP (or a folder) of `submission.json`, `predictions/<sample id>.npy` and `SHA256SUMS`.
"""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationError

from sxtbench.benchmark.controls import CONTROLS
from sxtbench.benchmark.evaluate import file_name
from sxtbench.benchmark.hostile import Unreadable, read_json, shown
from sxtbench.benchmark.records import Digest, Record, Slug
from sxtbench.benchmark.result import Environment, Method, Resources

STATEMENT = "submission.json"
CHECKSUMS = "SHA256SUMS"
PREDICTIONS = "predictions/"
SCHEMA_VERSION = 1

_MARKUP = re.compile(
    r"<[A-Za-z/!?]|&(?:#\d+|#[xX][0-9A-Fa-f]+|[A-Za-z]\w*);|\]\(|\{\{|\{%|<%|javascript:", re.IGNORECASE
)
_HTTPS = re.compile(r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?(?:[/?#][!#-;=?-\[\]_a-z~]*)?")


def _plain(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds control, formatting or line-breaking characters; plain printable text is wanted")
    if _MARKUP.search(text):
        raise ValueError("looks like markup (a tag, an entity, a link or a template); plain text is wanted")
    if text != text.strip():
        raise ValueError("begins or ends with a space")
    return text


def _prose(text: str) -> str:
    for line in text.split("\n"):
        _plain(line.strip(" "))
    return text


def _https(text: str) -> str:
    if not _HTTPS.fullmatch(text):
        raise ValueError("is no web address, expected https://host/path in ASCII")
    return text


def _no_control(name: str) -> str:
    if file_name(name).lower() in CONTROLS:
        raise ValueError(f"{name} is that of a control; choose another")
    return name


def _plain_values(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for text in _texts(values):
        _plain(text)
        if len(text) > 300:
            raise ValueError(f"holds a text of {len(text)} characters, expected at most 300")
    return values


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


PlainLine = Annotated[str, StringConstraints(max_length=300), AfterValidator(_plain)]
PlainName = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_plain)]
Prose = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_prose)]
HttpsLink = Annotated[str, StringConstraints(max_length=300, pattern="^https://"), AfterValidator(_https)]
Values = Annotated[dict[PlainName, JsonValue], AfterValidator(_plain_values)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class SubmittedMethod(Method):
    """Who and what answered, and what it learned from."""

    name: Annotated[PlainName, AfterValidator(_no_control)]
    description: Prose = ""
    authors: Annotated[tuple[PlainName, ...], Field(min_length=1, max_length=100)]
    links: Annotated[tuple[HttpsLink, ...], Field(max_length=20)] = ()
    licence: Annotated[PlainLine, Field(min_length=1)]
    training_data: Annotated[Prose, Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(max_length=1000)] = ()
    parameters: Values = Field({}, description="settings of the method")


class SubmittedResources(Resources):
    """What it took, as the authors say."""

    device: PlainLine = ""


class SubmittedEnvironment(Environment):
    """Where it ran, as the authors say."""

    python: PlainLine = ""
    platform: PlainLine = ""
    cpu: PlainLine = ""
    packages: Annotated[dict[PlainName, PlainLine], Field(max_length=200)] = Field({})


class Frame(Record):
    """What the answers are for: the part that decides which files there must be."""

    task: Slug
    version: int = Field(ge=1)
    task_hash: Digest
    tier: Slug
    split: Slug
    fingerprint: Digest = Field(description="of the split that was answered")
    shifted_fingerprint: Digest | None = Field(None, description="of the shifted domain, where that was answered too")
    fits_apart: bool = Field(
        False,
        description="whether predictions/<axis>=<level>/ hold the answers after the other fits of a training axis",
    )


class Submission(Frame):
    """The content of `submission.json`."""

    schema_version: Literal[1] = 1
    method: SubmittedMethod
    resources: SubmittedResources = SubmittedResources()
    environment: SubmittedEnvironment = SubmittedEnvironment()
    resumed: bool = Field(False, description="predicted in several runs: time and memory are those of the last")

    def to_json(self) -> str:
        """Serialise canonically: sorted keys, one space of indent, a newline at the end."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1, allow_nan=False) + "\n"


def parse(raw: bytes) -> tuple[Submission | Frame | None, list[str]]:
    """Read `submission.json`.

    Parameters
    ----------
    raw : bytes
        Its content, already limited in length.

    Returns
    -------
    Submission, or only its Frame where the rest is wrong, or None
        What can be relied on.
    list of str
        One line a fault; without any, the first is a `Submission`.
    """
    try:
        content = read_json(raw)
    except Unreadable as error:
        return None, [f"{STATEMENT}: {error}"]
    if not isinstance(content, dict):
        return None, [f"{STATEMENT}: holds a JSON {type(content).__name__}, expected an object"]
    try:
        # In strict mode, true is no number and "1" neither; only text gives tuples from lists in that mode.
        return Submission.model_validate_json(json.dumps(content), strict=True), []
    except ValidationError as error:
        faults = list(dict.fromkeys(_lines(error)))
    frame = {name: content[name] for name in Frame.model_fields if name in content}
    try:
        return Frame.model_validate_json(json.dumps(frame), strict=True), faults
    except ValidationError:
        return None, faults


def _lines(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False):
        place = ".".join(shown(str(part), 60) for part in problem["loc"] if part != "[key]")
        yield f"{STATEMENT}: {place or 'the whole'}: {shown(problem['msg'].removeprefix('Value error, '), 200)}"


def submission_schema() -> dict[str, Any]:
    """Return the JSON Schema of `submission.json`."""
    schema = Submission.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
