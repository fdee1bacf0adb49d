"""`croissant.json`: a dataset for machines, in the vocabulary of MLCommons, with provenance and responsible AI."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sxtbench.content import content_folder
from sxtbench.datasets.build import read_statement
from sxtbench.datasets.card import CardSource, card_source, citation
from sxtbench.datasets.slices import FOLDER
from sxtbench.datasets.tables import IMAGE
from sxtbench.errors import InputError
from sxtbench.files import write_text
from sxtbench.hashing import sha256_file

NAME = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
_MAKERS = "The sxtbench developers"
_TYPES = {"bool": "BOOL", "int32": "INTEGER", "int64": "INTEGER", "double": "FLOAT", "string": "TEXT"}


def write_croissant(folder: Path) -> Path:
    """Write `croissant.json` (Croissant 1.1) from the statement, the manifest and the slices of a folder.

    Its record sets are `samples`, a record a row of the manifest, and, where there are slices, `slices`.

    Parameters
    ----------
    folder : Path
        A dataset.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    InputError
        Where mlcroissant is not installed, or the folder holds no dataset.
    """
    try:
        import mlcroissant as mlc
    except ImportError:
        raise InputError('croissant.json needs mlcroissant: pip install "sxtbench[hub]"') from None
    statement = read_statement(folder)
    source = card_source(statement["task"])
    context = mlc.Context(conforms_to=CONFORMS_TO)
    context.rdf = mlc.Rdf(context=_vocabulary(mlc))
    tables = {"samples": [folder / "manifest" / f"{split}.parquet" for split in statement["splits"]]}
    if shards := sorted((folder / FOLDER).glob("*.parquet")):
        tables["slices"] = shards
    metadata = mlc.Metadata(
        ctx=context,
        name=statement["name"],
        description=" ".join(source.intro.split()),
        version=statement["version"],
        date_published=_date(statement["version"]),
        license=["https://creativecommons.org/licenses/by/4.0/"],
        creators=[mlc.Organization(ctx=context, name=_MAKERS)],
        keywords=source.front["tags"],
        cite_as=citation(source.cites),
        distribution=_distribution(mlc, context, folder, tables),
        record_sets=[_record_set(mlc, context, name, files[0]) for name, files in tables.items()],
        **_responsible_ai(source),
    )
    content = metadata.to_json()
    content["conformsTo"] = [CONFORMS_TO, RAI]
    content |= _provenance(folder, statement)
    write_text(folder / NAME, json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n")
    return folder / NAME


def _vocabulary(mlc: Any) -> dict[str, Any]:
    """Return the vocabulary of Croissant 1.1 and of provenance; mlcroissant's own is that of 1.0."""
    newer = {name: f"cr:{name}" for name in ("arrayShape", "containedIn", "isArray")}
    tagged = {name: {"@container": "@language"} for name in ("description", "name")}
    return {**mlc.Rdf().context, **newer, **tagged, "prov": "http://www.w3.org/ns/prov#"}


def _date(version: str) -> str:
    """Return when a version of the data was made, as their list of changes says."""
    text = (content_folder("data_cards") / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(version)}, (\d{{4}}-\d\d-\d\d)$", text, re.MULTILINE)
    if found is None:
        raise InputError(f"data_cards/CHANGELOG.md: has no heading `## {version}, <date>`")
    return found[1]


def _distribution(mlc: Any, context: Any, folder: Path, tables: dict[str, list[Path]]) -> list[Any]:
    """Return the tables with their checksums; containers as sets of files, whose checksums stand in the manifest."""
    files = [
        mlc.FileObject(
            ctx=context,
            id=path.relative_to(folder).as_posix(),
            name=path.relative_to(folder).as_posix(),
            content_url=path.relative_to(folder).as_posix(),
            content_size=f"{path.stat().st_size} B",
            encoding_formats=["application/x-parquet"],
            sha256=sha256_file(path),
        )
        for paths in tables.values()
        for path in paths
    ]
    sets = {
        "samples": ("manifest/*.parquet", "application/x-parquet", "The manifest, a row a sample."),
        "slices": (f"{FOLDER}/*.parquet", "application/x-parquet", "2-D slices to train on."),
        "inputs": ("inputs/*/*.zarr.zip", "application/zip", "What a method gets: a Zarr 3 hierarchy a specimen."),
        "targets": ("targets/*/*.zarr.zip", "application/zip", "The truth: a Zarr 3 hierarchy a specimen."),
        "objects": (
            "targets/*/*.objects.parquet",
            "application/x-parquet",
            "What was placed where, a table a specimen.",
        ),
    }
    return files + [
        mlc.FileSet(
            ctx=context,
            id=f"{name}-files",
            name=f"{name}-files",
            includes=[pattern],
            encoding_formats=[form],
            description=said,
        )
        for name, (pattern, form, said) in sets.items()
        if name in tables or name not in ("samples", "slices")
    ]


def _record_set(mlc: Any, context: Any, name: str, table: Path) -> Any:
    return mlc.RecordSet(
        ctx=context,
        id=name,
        name=name,
        fields=[_field(mlc, context, name, field) for field in pq.read_schema(table)],
    )


def _field(mlc: Any, context: Any, record_set: str, field: pa.Field) -> Any:
    many = pa.types.is_list(field.type)
    kind = str(field.type.value_type if many else field.type)
    picture = field.type == IMAGE
    source = mlc.Source(
        ctx=context,
        file_set=f"{record_set}-files",
        extract=mlc.Extract(ctx=context, column=field.name),
        transforms=[mlc.Transform(ctx=context, json_path="bytes")] if picture else [],
    )
    return mlc.Field(
        ctx=context,
        id=f"{record_set}/{field.name}",
        name=field.name,
        data_types=[mlc.DataType.IMAGE_OBJECT if picture else getattr(mlc.DataType, _TYPES[kind])],
        source=source,
        **({"is_array": True, "array_shape": "-1"} if many else {}),
    )


def _responsible_ai(source: CardSource) -> dict[str, Any]:
    plain = {name: " ".join(text.split()) for name, text in source.sections.items()}
    return {
        "data_collection": plain["made"],
        "data_collection_type": ["Software Collection", "Others: simulation"],
        "data_collection_missing_data": "None is missing; no sample was removed.",
        "data_preprocessing_protocol": [
            "LAC is rounded to 2^-13 1/um and reconstructions to 2^-11 1/um, below the noise; counts are as drawn."
        ],
        "data_annotation_protocol": [
            "Labels follow from the simulated geometry at the centres of voxels; nobody annotated."
        ],
        "machine_annotation_tools": ["sxtbench"],
        "data_use_cases": [
            f"Comparing methods on the tasks {', '.join(source.tasks)} of sxtbench; training on the split train."
        ],
        "data_limitations": [
            "Synthetic specimens: scores are trends, not a replication of results on real cells.",
            plain["limits"],
        ],
        "data_biases": [
            "Specimens follow one recipe with the shapes and absorption that its authors chose; real cells vary more."
        ],
        "data_social_impact": "No people are shown and none is affected; wrong use would be a claim about real cells.",
        "personal_sensitive_information": ["None."],
        "data_release_maintenance_plan": "Versioned; a new MAJOR changes data and re-scores all results.",
    }


def _provenance(folder: Path, statement: dict[str, Any]) -> dict[str, Any]:
    environment = json.loads((folder / "recipe" / "environment.json").read_text(encoding="utf-8"))
    software = {"@type": "prov:SoftwareAgent", "name": f"sxtbench {environment['sxtbench']}"}
    recipe = {
        "@type": "prov:Entity",
        "name": "recipe/recipe.yaml",
        "description": f"The distributions of all parameters; nothing else went in. Hash {statement['recipe_sha256']}.",
    }
    return {
        "rai:hasSyntheticData": True,
        "prov:wasDerivedFrom": recipe,
        "prov:wasAttributedTo": {"@type": "prov:Organization", "name": _MAKERS},
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "name": "sxtbench generate",
            "description": f"Simulation with Python {environment['python']}, numpy {environment['numpy']} on "
            f"{environment['system']} {environment['machine']}.",
            "prov:wasAssociatedWith": software,
            "prov:used": recipe,
        },
    }
