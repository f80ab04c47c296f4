"""Record sources as operations: records of CSV and JSON files, read, and written so that the old file stays until the new one is whole.

A record has a key, features, and perhaps predictions: `{key, features: {name: value}, prediction: {name: {value, confidence}}}`.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from weir.operation import Definition, operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CELL_CHARACTERS_MAX = 16 * 1024 * 1024
PREDICTION, CONFIDENCE = "prediction_", "confidence_"


class SourceError(ValueError):
    """A source that cannot be read or written."""


@dataclass
class Source:
    """What a configuration says: `{plugin: csv or json, config: {filename, key, tag, delimiter}}`, or all in one map."""

    kind: str
    filename: str
    key: str | None  # the column with the keys; None: `key` where there is one, else rows are numbered
    tag: str
    delimiter: str

    @classmethod
    def parse(cls, given: Any) -> Source:
        if isinstance(given, str):
            given = {"filename": given}
        if not isinstance(given, dict):
            raise SourceError("config `source` is a file's name, or {plugin: csv or json, config: {filename: …}}")
        config = given.get("config") or given
        filename = config.get("filename")
        if not isinstance(filename, str) or not filename:
            raise SourceError("config `source`: `filename` names the file")
        kind = given.get("plugin") or ("json" if filename.endswith(".json") else "csv")
        if kind not in ("csv", "json"):
            raise SourceError(f"config `source`: there are csv and json, and no {kind!r}")
        delimiter = config.get("delimiter", ",")
        if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
            raise SourceError(f"config `source`: `delimiter` is one character, not {delimiter!r}")
        return cls(kind, os.path.expanduser(filename), config.get("key"), config.get("tag", "untagged"), delimiter)

    def records(self) -> Iterator[dict[str, Any]]:
        return self.csv_records() if self.kind == "csv" else self.json_records()

    # --- CSV

    def csv_records(self) -> Iterator[dict[str, Any]]:
        csv.field_size_limit(CELL_CHARACTERS_MAX)
        with open(self.filename, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter, skipinitialspace=True, strict=True)
            try:
                columns = next(reader, [])
                key = self.key_column(columns)
                for number, row in enumerate(row for row in reader if row):
                    if len(row) != len(columns):
                        self.fail(reader.line_num, f"there are {len(row)} cells for {len(columns)} columns")
                    yield record_of(columns, row, key, str(number))
            except csv.Error as error:
                self.fail(reader.line_num, str(error))

    def fail(self, line: int, problem: str) -> None:
        raise SourceError(f"{self.filename}:{line}: {problem}")

    def key_column(self, columns: list[str]) -> int | None:
        twice = next((name for at, name in enumerate(columns) if name in columns[:at]), None)
        if twice is not None:
            self.fail(1, f"two columns are called {twice!r}")
        wanted = "key" if self.key is None else self.key
        if wanted in columns:
            return columns.index(wanted)
        if self.key is not None:
            self.fail(1, f"there is no column {self.key!r} for the keys, but {', '.join(columns)}")
        return None

    def csv_text(self, records: dict[str, Any], file: Any) -> None:
        key = self.key or "key"
        columns: dict[str, None] = {key: None}
        for record in records.values():
            columns.update(dict.fromkeys(row_of("", record)))
        writer = csv.writer(file, delimiter=self.delimiter, lineterminator="\n")
        writer.writerow(columns)
        for name, record in records.items():
            row = {**row_of(name, record), key: name}
            writer.writerow([text_of(row.get(column)) for column in columns])

    # --- JSON

    def json_whole(self) -> dict[str, Any]:
        """All tags of the file; none when it is not there."""
        try:
            with open(self.filename, encoding="utf-8") as file:
                whole = json.load(file)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise SourceError(f"{self.filename}: {error}") from None
        if not isinstance(whole, dict) or not all(isinstance(tagged, dict) for tagged in whole.values()):
            raise SourceError(f"{self.filename} is no file of records: {{TAG: {{KEY: {{features: {{…}}}}}}}}")
        return whole

    def json_records(self) -> Iterator[dict[str, Any]]:
        if not os.path.exists(self.filename):
            raise FileNotFoundError(f"there is no file {self.filename}")
        for key, record in self.json_whole().get(self.tag, {}).items():
            if not isinstance(record, dict) or not isinstance(record.get("features", {}), dict):
                raise SourceError(f"{self.filename}: record {key!r} is no map with features")
            yield {**record, "key": key, "features": record.get("features", {})}

    # --- both

    def write(self, records: dict[str, Any]) -> int:
        """All records, in place of those that are there; of a JSON file those of other tags stay. Gives their number."""
        partial = f"{self.filename}.{os.getpid()}.partial"
        try:
            with open(partial, "w", encoding="utf-8", newline="") as file:
                if self.kind == "csv":
                    self.csv_text(records, file)
                else:
                    json.dump({**self.json_whole(), self.tag: records}, file, ensure_ascii=False, indent=2)
                    file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, self.filename)
        except BaseException:
            if os.path.exists(partial):
                os.unlink(partial)
            raise
        return len(records)


# --- cells ----------------------------------------------------------------------------------------


def value_of(cell: str) -> Any:
    """Numbers, truth, lists and maps as JSON and Python write them; all else is a text."""
    first = cell[:1]
    if first in "-0123456789[{" or cell in ("true", "false", "null"):
        try:
            return json.loads(cell, parse_constant=no_number)
        except ValueError:
            pass
    if cell in ("True", "False"):
        return cell == "True"
    if first in ("[", "(", "{"):
        import ast

        try:
            return ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    return cell


def no_number(text: str) -> Any:
    raise ValueError(text)


def text_of(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def record_of(columns: list[str], row: list[str], key: int | None, number: str) -> dict[str, Any]:
    features: dict[str, Any] = {}
    prediction: dict[str, dict[str, Any]] = {}
    for at, (name, cell) in enumerate(zip(columns, row)):
        if at == key or cell == "":
            continue
        if name.startswith(PREDICTION):
            prediction.setdefault(name[len(PREDICTION) :], {"confidence": None})["value"] = value_of(cell)
        elif name.startswith(CONFIDENCE):
            prediction.setdefault(name[len(CONFIDENCE) :], {"value": None})["confidence"] = value_of(cell)
        else:
            features[name] = value_of(cell)
    record: dict[str, Any] = {"key": row[key] if key is not None else number, "features": features}
    if prediction:
        record["prediction"] = prediction
    return record


def row_of(key: str, record: Any) -> dict[str, Any]:
    if not isinstance(record, dict) or not isinstance(record.get("features", {}), dict):
        raise SourceError(f"record {key!r} is no map with features")
    row = dict(record.get("features", {}))
    for name, said in record.get("prediction", {}).items():
        row[PREDICTION + name] = said.get("value")
        row[CONFIDENCE + name] = said.get("confidence")
    return row


def by_key(records: Iterable[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record in records:
        key = record.pop("key")
        if key in found:
            raise SourceError(f"two records have the key {key!r}")
        found[key] = record
    return found


# --- operations -----------------------------------------------------------------------------------


@dataclass
class SourceConfig:
    """source: {plugin: csv or json, config: {filename, key, tag, delimiter}}"""

    source: Any = field(default=None)


Records = Annotated[Any, Definition("records", primitive="Dict[str, Any]")]
Names = Annotated[Any, Definition("features", primitive="List[str]")]
PredictNames = Annotated[Any, Definition("predict_features", primitive="List[str]")]


@operation(config=SourceConfig, outputs={"records": Records})
def read(config: SourceConfig) -> Any:
    """Reads all records of a source, as {key: {features: …}}."""
    return {"records": by_key(Source.parse(config.source).records())}


@operation(
    config=SourceConfig,
    outputs={
        "record": Annotated[Any, Definition("record", primitive="Dict[str, Any]")],
        "features": Annotated[Any, Definition("record_features", primitive="Dict[str, Any]")],
    },
)
def each(config: SourceConfig) -> Iterator[Any]:
    """Reads the records of a source one after the other: each is an output of its own."""
    for record in Source.parse(config.source).records():
        yield {"record": record, "features": record["features"]}


@operation(config=SourceConfig, outputs={"path": str, "count": int})
def write(records: Records, config: SourceConfig) -> Any:
    """Writes records, in place of all that the source has (of a JSON file, that its tag has)."""
    source = Source.parse(config.source)
    return {"path": source.filename, "count": source.write(records)}


@operation(config=SourceConfig, outputs={"path": str, "count": int})
def update(records: Records, config: SourceConfig) -> Any:
    """Gives records of a source further features and predictions; those that it has not are added."""
    source = Source.parse(config.source)
    whole = by_key(source.records()) if os.path.exists(source.filename) else {}
    for key, record in records.items():
        known = whole.setdefault(key, {})
        for part in ("features", "prediction"):
            if record.get(part):
                known[part] = {**known.get(part, {}), **record[part]}
    return {"path": source.filename, "count": source.write(whole)}


@operation(
    config=SourceConfig,
    outputs={
        "matrix": Annotated[list, Definition("matrix", primitive="List[List[Any]]")],
        "keys": Annotated[list, Definition("keys", primitive="List[str]")],
        "unprocessed_matrix": Annotated[list, Definition("unprocessed_matrix", primitive="List[List[Any]]")],
    },
)
def convert_records_to_list(features: Names, predict_features: PredictNames, config: SourceConfig) -> Any:
    """Makes rows of the records of a source: of their features, and of those that are to be predicted."""
    rows: dict[str, list[Any]] = {"matrix": [], "keys": [], "unprocessed_matrix": []}
    for record in Source.parse(config.source).records():
        rows["keys"].append(record["key"])
        for name, wanted in (("matrix", features), ("unprocessed_matrix", predict_features)):
            rows[name].append([record["features"].get(feature) for feature in wanted])
    return rows
