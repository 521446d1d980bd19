# SPDX-License-Identifier: GPL-2.0-only
"""docs/schema.json, generated from the types of the answers: python -m tests.commands.schema writes it."""

import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from vmacheck.checker.commands import list as listed
from vmacheck.checker.commands import show
from vmacheck.checker.files.json_types import AtLeast, AtMost
from vmacheck.counterexamples.graphs import graph
from vmacheck.counterexamples.job_reports import text
from vmacheck.counterexamples.real_kernels import conform, random_sequences, replay
from vmacheck.counterexamples.reports import check_data, claims, classes, compare, coverage, prove_data, tradeoff

PATH = Path(__file__).parents[2] / "docs/schema.json"
ANSWERS = {
    "check": check_data.CheckData,
    "compare": compare.CompareData,
    "compare_classes": classes.CompareClassesData,
    "run": check_data.RunData,
    "claims": claims.ClaimsData,
    "prove": prove_data.ProveData,
    "prove_depth": prove_data.ProveDepthData,
    "prove_equivalent": prove_data.ProveEquivalentData,
    "minimise": prove_data.MinimiseData,
    "tradeoff": tradeoff.TradeoffData,
    "coverage": coverage.CoverageData,
    "graph": graph.GraphData,
    "list_kernels": listed.ListKernelsData,
    "list_properties": listed.ListPropertiesData,
    "list_operations": listed.ListOperationsData,
    "list_claims": listed.ListClaimsData,
    "list_functions": listed.ListFunctionsData,
    "show": show.ShowData,
    "replay": replay.ReplayData,
    "conform": conform.ConformSequencesData | random_sequences.ConformRandomData,
    "ci": text.CiData,
}
# job reports name the answers of other commands without importing them
ELSEWHERE = {**vars(check_data), **vars(claims), **vars(compare), **vars(prove_data)}
SIMPLE = {int: "integer", float: "number", str: "string", bool: "boolean", types.NoneType: "null"}


def name_of(kind: Any) -> str:
    """A type's name in $defs: property_result for PropertyResultData."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Data")).lower()


class Schema:
    """Collects the definitions that the schemas of types refer to."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self.kinds: dict[str, Any] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type. Raises KeyError for a type unknown in answers."""
        origin, inner = get_origin(kind), get_args(kind)
        if is_typeddict(kind):
            return {"$ref": f"#/$defs/{self.defined(kind)}"}
        if origin is NotRequired:
            return self.of(inner[0])
        if origin is Annotated:
            schema = self.of(inner[0])
            return {**schema, **dict(bound_of(schema, bound) for bound in inner[1:])}
        if origin is Literal:
            return {"const": inner[0]} if len(inner) == 1 else {"enum": list(inner)}
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(one) for one in inner]}
        if origin is list:
            return {"type": "array", "items": self.of(inner[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(inner[1])}
        return {"type": SIMPLE[kind]}

    def defined(self, kind: Any) -> str:
        """The name of a TypedDict among the definitions, which allow exactly its keys."""
        name = name_of(kind)
        if self.kinds.setdefault(name, kind) is not kind:
            raise ValueError(f"two types are called {name}")
        if name not in self.definitions:
            self.definitions[name] = {}
            hints = get_type_hints(kind, localns=ELSEWHERE, include_extras=True)
            self.definitions[name] = {
                "description": " ".join(kind.__doc__.split()),
                "type": "object",
                "properties": {key: self.of(hint) for key, hint in hints.items()},
                "required": [key for key in hints if key in kind.__required_keys__],
                "additionalProperties": False,
            }
        return name


def bound_of(schema: dict[str, Any], bound: AtLeast | AtMost) -> tuple[str, int]:
    """A bound as a keyword of JSON Schema."""
    least, most = ("minItems", "maxItems") if schema["type"] == "array" else ("minimum", "maximum")
    return (least if isinstance(bound, AtLeast) else most), bound.number


def definitions() -> Iterator[tuple[str, Any]]:
    """The answers by their names, and their parts."""
    schema = Schema()
    answers = {name: schema.of(kind) for name, kind in ANSWERS.items()}
    for name, one in answers.items():
        yield name, schema.definitions.pop(name) if one == {"$ref": f"#/$defs/{name}"} else one
    yield from schema.definitions.items()


def generated() -> str:
    """The text of docs/schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "SPDX-License-Identifier: GPL-2.0-only",
        "title": "What vmacheck prints with --format json, and vmacheck ci --json writes",
        "description": 'The answer of a command is one of $defs by its name; a key "schema" of 1 is in every one.',
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in ANSWERS],
        "$defs": dict(definitions()),
    }
    return json.dumps(schema, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(generated(), encoding="utf-8")
