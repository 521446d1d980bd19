# SPDX-License-Identifier: GPL-2.0-only
"""docs/schema.json: generated from types, strict, and met by the JSON of every command."""

import json
import shlex
from typing import Annotated, Literal, NotRequired, TypedDict

import jsonschema
import pytest

from tests.commands.schema import PATH, Schema, generated
from tests.support.helpers import vmacheck, vmacheck_json
from vmacheck.checker.files.json_types import AtLeast, AtMost
from vmacheck.model.calls.interleaving import POINTS

SCHEMA = json.loads(PATH.read_text(encoding="utf-8"))
COMMANDS = [
    ("check", "check rmap40 --pages 3"),
    ("check", "check anonmm rmap39 --pages 2 --depth 2"),
    ("check", "check rmap40 --pages 3 -p two_vmas_exist"),
    ("check", "check linux-2.6.8 --segments 3 -p rmap_finds_every_page"),
    ("check", "check linux-2.6.8 --threads 2 --pages 2 --prot RW,RWX"),
    ("compare", "compare andrea+importer rmap40+importer --pages 3"),
    ("compare", "compare anonmm linux-2.6.8 --pages 2 --by result"),
    ("compare", "compare rmap39+importer rmap40+importer --pages 3 --by walk"),
    ("compare_classes", "compare linux-6.12 linux-6.18 --pages 3 --classes"),
    ("run", "run rmap40 'mmap(0,2,RW); write(1); munmap(0,1)'"),
    ("run", "run linux-2.6.8 'mmap(0,1,RW); fork(); p1 t1: write(0); t1: @anon_vma'"),
    ("claims", "claims C10 C11"),
    ("claims", "claims C3-today C15-today"),
    ("prove", "prove linux-2.6.8 vmas_are_sorted_and_disjoint --vmas 1"),
    ("prove", "prove rmap40 rmap_finds_every_page --vmas 1"),
    ("prove_depth", "prove rmap40 adjacent_vmas_share_anon_vma --depth 2"),
    ("prove_equivalent", "prove --equivalent rmap40 linux-2.6.8 find_mergeable_anon_vma --vmas 1"),
    ("prove_equivalent", "prove --equivalent rmap40 linux-2.6.8 vma_adjust --vmas 1"),
    ("tradeoff", "tradeoff rmap40+importer --pages 2"),
    ("coverage", "coverage rmap40 --pages 2"),
    ("graph", "graph rmap40 --pages 1"),
    ("graph", "graph linux-2.6.8 --pages 1 --threads 1"),
    ("list_kernels", "list kernels"),
    ("list_properties", "list properties"),
    ("list_operations", "list operations"),
    ("list_claims", "list claims"),
    ("list_functions", "list functions linux-6.18"),
    ("show", "show rmap40 find_mergeable_anon_vma"),
    ("replay", "replay 'mmap(0,1,RW); write(0)'"),
    ("conform", "conform linux-2.6.8 --pages 1 --depth 1"),
    ("conform", "conform linux-2.6.8 --pages 2 --depth 3"),
    ("conform", "conform linux-6.18+sticky --pages 1 --states 3"),
    ("conform", "conform linux-6.18+sticky --pages 1 --walks 2 --length 3"),
    ("conform", "conform linux-6.18+sticky --processes 2 --pages 1 --depth 2"),
    ("conform", "conform linux-6.18+sticky --pages 2 --random 5"),
    ("conform", "conform linux-2.6.8 --pages 3 --random 30"),
    ("check", "check linux-6.18 --pages 2 --processes 2 --prot RW --ops mmap,munmap,write"),
    ("run", "run linux-6.18 'mmap(0,1,RW); write(0); fork(); p1: write(0)'"),
]


def validator(name):
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_is_generated():
    assert PATH.read_text(encoding="utf-8") == generated(), "python -m tests.commands.schema writes docs/schema.json"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[command for _, command in COMMANDS])
def test_an_answer_keeps_to_it(name, command):
    code, data = vmacheck_json(*shlex.split(command))
    assert code != 2
    validator(name).validate(data)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    assert not validator(name).is_valid({**data, "more": 1})
    for key in data:
        assert not validator(name).is_valid({other: value for other, value in data.items() if other != key})


@pytest.mark.proofs
def test_a_least_program_keeps_to_it():
    trace = "mmap(0,1,RW); mmap(2,1,RW); write(0); write(2); mmap(1,1,RW)"
    validator("minimise").validate(vmacheck_json("minimise", "rmap40", "adjacent_vmas_share_anon_vma", trace)[1])


def test_jobs_keep_to_it(tmp_path):
    (tmp_path / "vmacheck.toml").write_text(
        '[defaults]\npages = 2\n[job.a]\nkernel = "rmap40"\n[job.b]\ncompare = ["rmap39", "rmap40"]\n'
        '[job.c]\nclaims = ["C10"]\n[job.d]\nkernel = "linux-2.6.8"\nproperties = ["rmap_finds_every_page"]\nstates = 7\n'
    )
    vmacheck("ci", str(tmp_path / "vmacheck.toml"), "--json", str(tmp_path / "out.json"))
    data = json.loads((tmp_path / "out.json").read_text())
    validator("ci").validate(data)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    data["jobs"][0]["outcomes"][0]["expekted"] = None
    assert not validator("ci").is_valid(data)


def objects(part):
    if isinstance(part, dict):
        if "properties" in part and part.get("type") == "object":
            yield part
        for value in part.values():
            yield from objects(value)
    elif isinstance(part, list):
        for value in part:
            yield from objects(value)


def test_it_is_strict():
    for name, part in SCHEMA["$defs"].items():
        assert all(one["additionalProperties"] is False for one in objects(part)), name
        assert part.get("description") or "anyOf" in part, name


def test_the_points_of_threads_are_those_of_the_model():
    assert SCHEMA["$defs"]["thread_step"]["properties"]["threads"]["items"]["enum"] == [*POINTS, None]


class InnerData(TypedDict):
    """One of two."""

    number: Annotated[int, AtLeast(1), AtMost(3)]


class OuterOfAllData(TypedDict):
    """Of every type that
    answers have."""

    schema: Literal[1]
    words: Annotated[list[str], AtLeast(1)]
    kind: Literal["a", None]
    more: NotRequired[InnerData | int | None]
    counts: dict[str, float]
    sure: bool


def test_how_a_type_becomes_a_schema():
    schema = Schema()
    assert schema.of(list[OuterOfAllData]) == {"type": "array", "items": {"$ref": "#/$defs/outer_of_all"}}
    assert schema.definitions["outer_of_all"] == {
        "description": "Of every type that answers have.",
        "type": "object",
        "properties": {
            "schema": {"const": 1},
            "words": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "kind": {"enum": ["a", None]},
            "more": {"anyOf": [{"$ref": "#/$defs/inner"}, {"type": "integer"}, {"type": "null"}]},
            "counts": {"type": "object", "additionalProperties": {"type": "number"}},
            "sure": {"type": "boolean"},
        },
        "required": ["schema", "words", "kind", "counts", "sure"],
        "additionalProperties": False,
    }
    number = {"type": "integer", "minimum": 1, "maximum": 3}
    assert schema.definitions["inner"]["properties"] == {"number": number}
    with pytest.raises(KeyError):
        schema.of(bytes)
