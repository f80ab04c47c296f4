"""Models as operations: they learn from records, are scored on records, and predict what records lack.

A model is an estimator of scikit-learn or XGBoost (or any class with their methods), what it learns from and what it predicts. It lives in a
folder: `model.json` says what it is, and names the file of its state by its content. That file is written first and `model.json` is replaced at
once, so a reader finds the old model or the new one, never half of one. XGBoost's state is its own JSON; all other state is a pickle of joblib's,
which can run code when it is read: load only what you or somebody you trust has trained.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from weir.operation import Definition, operation

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
CARD = "model.json"
CARD_BYTES_MAX = 64 * 1024 * 1024

LINEAR, ENSEMBLE, CLUSTER = "sklearn.linear_model", "sklearn.ensemble", "sklearn.cluster"

# As DFFML calls them.
PLUGINS = {
    "slr": f"{LINEAR}:LinearRegression",
    "scikitknn": "sklearn.neighbors:KNeighborsClassifier",
    "scikitadaboost": f"{ENSEMBLE}:AdaBoostClassifier",
    "scikitsvc": "sklearn.svm:SVC",
    "scikitgpc": "sklearn.gaussian_process:GaussianProcessClassifier",
    "scikitgpr": "sklearn.gaussian_process:GaussianProcessRegressor",
    "scikitdtc": "sklearn.tree:DecisionTreeClassifier",
    "scikitdtr": "sklearn.tree:DecisionTreeRegressor",
    "scikitrfc": f"{ENSEMBLE}:RandomForestClassifier",
    "scikitmlp": "sklearn.neural_network:MLPClassifier",
    "scikitgnb": "sklearn.naive_bayes:GaussianNB",
    "scikitbnb": "sklearn.naive_bayes:BernoulliNB",
    "scikitmnb": "sklearn.naive_bayes:MultinomialNB",
    "scikitqda": "sklearn.discriminant_analysis:QuadraticDiscriminantAnalysis",
    "scikitlda": "sklearn.discriminant_analysis:LinearDiscriminantAnalysis",
    "scikitlr": f"{LINEAR}:LinearRegression",
    "scikitlor": f"{LINEAR}:LogisticRegression",
    "scikiteln": f"{LINEAR}:ElasticNet",
    "scikitbyr": f"{LINEAR}:BayesianRidge",
    "scikitlas": f"{LINEAR}:Lasso",
    "scikitard": f"{LINEAR}:ARDRegression",
    "scikitrsc": f"{LINEAR}:RANSACRegressor",
    "scikitomp": f"{LINEAR}:OrthogonalMatchingPursuit",
    "scikitlars": f"{LINEAR}:Lars",
    "scikitridge": f"{LINEAR}:Ridge",
    "scikitgbc": f"{ENSEMBLE}:GradientBoostingClassifier",
    "scikitetc": f"{ENSEMBLE}:ExtraTreesClassifier",
    "scikitbgc": f"{ENSEMBLE}:BaggingClassifier",
    "scikitkmeans": f"{CLUSTER}:KMeans",
    "scikitbirch": f"{CLUSTER}:Birch",
    "scikitmbkmeans": f"{CLUSTER}:MiniBatchKMeans",
    "scikitap": f"{CLUSTER}:AffinityPropagation",
    "scikitms": f"{CLUSTER}:MeanShift",
    "xgbclassifier": "xgboost:XGBClassifier",
    "xgbregressor": "xgboost:XGBRegressor",
}

TYPES = {"int": int, "float": float, "str": str, "bool": bool}


class ModelError(ValueError):
    """A model that is not as it should be, or records that do not fit it."""


class ModelNotTrained(ModelError):
    """There is no model in the folder yet."""


# --- what a model is ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """A feature of records: its name, the type of its values, and how many there are of them."""

    name: str
    dtype: str | None = None
    length: int = 1

    @classmethod
    def parse(cls, given: Any) -> Feature:
        """`name`, `name:type`, `name:type:length`, or a map of `name`, `dtype` and `length`."""
        if isinstance(given, str):
            name, *rest = given.split(":")
            given = {"name": name, **dict(zip(("dtype", "length"), rest))}
            if len(rest) > 2:
                raise ModelError(f"a feature is name:type:length, not {':'.join((name, *rest))!r}")
        if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not given["name"]:
            raise ModelError(f"a feature is name:type:length or a map with a name, not {given!r}")
        dtype = given.get("dtype")
        if dtype is not None and dtype not in TYPES:
            raise ModelError(f"feature {given['name']}: its type is one of {', '.join(TYPES)}, not {dtype!r}")
        try:
            length = int(given.get("length", 1))
        except (TypeError, ValueError):
            length = 0
        if length < 1:
            raise ModelError(f"feature {given['name']}: its length is a number from 1 on, not {given.get('length')!r}")
        return cls(given["name"], dtype, length)

    def values(self, key: str, features: dict[str, Any]) -> list[Any]:
        """As many values as the feature has, each of its type."""
        value = features.get(self.name)
        if value is None:
            raise ModelError(f"record {key!r} has no feature {self.name!r}")
        values = list(value) if hasattr(value, "__iter__") and not isinstance(value, (str, dict)) else [value]
        if len(values) == 1 and hasattr(values[0], "__iter__") and not isinstance(values[0], (str, dict)):
            values = list(values[0])
        if len(values) != self.length:
            raise ModelError(f"record {key!r}: feature {self.name!r} has {len(values)} values, where {self.length} are meant")
        return [self.one(key, item) for item in values]

    def one(self, key: str, value: Any) -> Any:
        if self.dtype is None or value is None:
            return value
        try:
            return TYPES[self.dtype](value)
        except (TypeError, ValueError):
            raise ModelError(f"record {key!r}: feature {self.name!r} is meant to be {self.dtype}, and is {value!r}") from None


@dataclass
class Settings:
    """What the configuration says of a model."""

    estimator: str
    directory: str
    features: list[Feature]  # empty: all that records have
    predict: Feature | None
    parameters: dict[str, Any]

    @classmethod
    def parse(cls, given: Any) -> Settings:
        """`{plugin: NAME, config: {directory, features, predict, …}}`, or what `config` is and `plugin` in one map."""
        if not isinstance(given, dict) or not isinstance(given.get("plugin"), str):
            raise ModelError("config `model` is {plugin: ESTIMATOR, config: {directory: …, features: […], predict: …}}")
        config = dict(given.get("config") or {key: value for key, value in given.items() if key != "plugin"})
        directory = config.pop("directory", None) or config.pop("location", None)
        config.pop("location", None)
        if not isinstance(directory, str):
            raise ModelError("config `model`: `directory` names the folder where the model is kept")
        features = config.pop("features", None) or []
        if isinstance(features, dict):
            features = [{"name": name, **value} if isinstance(value, dict) else name for name, value in features.items()]
        predict = config.pop("predict", None) or config.pop("tcluster", None)
        config.pop("tcluster", None)
        return cls(
            estimator=estimator_named(given["plugin"]),
            directory=os.path.expanduser(directory),
            features=[Feature.parse(feature) for feature in ([features] if isinstance(features, str) else features)],
            predict=Feature.parse(predict) if predict is not None else None,
            parameters=config,
        )

    def make(self) -> Any:
        """The estimator, which has not learned yet."""
        kind = class_of(self.estimator)
        try:
            return kind(**self.parameters)
        except TypeError as error:
            raise ModelError(f"{self.estimator}: {error}") from None


def estimator_named(name: str) -> str:
    """`module:Class` of the name."""
    known = PLUGINS.get(name)
    if known:
        return known
    module, _, kind = name.partition(":")
    if not module or not kind:
        raise ModelError(
            f"there is no model {name!r}: name a class, as sklearn.svm:SVC, or one of {', '.join(sorted(PLUGINS))}"
        )
    return name


def class_of(estimator: str) -> Any:
    module, _, kind = estimator.partition(":")
    try:
        found = getattr(import_module(module), kind, None)
    except ImportError as error:
        missing = {"sklearn": "scikit-learn", "xgboost": "xgboost-cpu"}.get(module.split(".")[0], module.split(".")[0])
        raise ModelError(f"{estimator}: {error}; `pip install {missing}` where this Python is, {sys.executable}") from None
    if not callable(found):
        raise ModelError(f"{estimator}: the module has no class {kind!r}")
    return found


# --- records --------------------------------------------------------------------------------------


def features_of(records: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and features of each: of {key: {features: …}}, of a list of records, or of one of features."""
    if isinstance(records, dict):
        pairs: Any = records.items()
    elif isinstance(records, (list, tuple)):
        pairs = (
            (str(one.get("key", at)) if isinstance(one, dict) else str(at), one) for at, one in enumerate(records)
        )
    else:
        raise ModelError(f"records are a map or a list, not {type(records).__name__}")
    for key, record in pairs:
        if not isinstance(record, dict):
            raise ModelError(f"record {key!r} is a {type(record).__name__}, and no map with features")
        features = record.get("features", record)
        if not isinstance(features, dict):
            raise ModelError(f"record {key!r}: its features are a {type(features).__name__}, and no map")
        yield key, features


def matrix_of(records: Any, features: list[Feature]) -> tuple[list[str], Any]:
    """Keys, and a row of numbers for each record."""
    keys: list[str] = []
    rows: list[list[Any]] = []
    for key, given in features_of(records):
        keys.append(key)
        rows.append([value for feature in features for value in feature.values(key, given)])
    if not rows:
        raise ModelError("there are no records")
    return keys, import_module("numpy").array(rows)


def targets_of(records: Any, target: Feature) -> list[Any]:
    found = []
    for key, given in features_of(records):
        values = target.values(key, given)
        found.append(values[0] if len(values) == 1 else values)
    return found


def plain(value: Any) -> Any:
    """As a value of weir: numbers of numpy as Python's, and no number that is none."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- models that have learned ---------------------------------------------------------------------


class Model:
    """An estimator that has learned, and its card: what `model.json` says."""

    def __init__(self, card: dict[str, Any], estimator: Any) -> None:
        self.card = card
        self.estimator = estimator
        self.features = [Feature.parse(feature) for feature in card["features"]]
        self.target = Feature.parse(card["predict"])

    def predict(self, records: Any) -> list[tuple[str, Any]]:
        """The key of each record, and what is predicted for it."""
        keys, matrix = matrix_of(records, self.features)
        found = plain(self.estimator.predict(matrix))
        classes = self.card.get("classes")
        if classes is not None:
            found = [classes[int(index)] for index in found]
        return [(key, self.target.one(key, value)) for key, value in zip(keys, found)]

    def score(self, records: Any, scorer: str | None = None) -> float:
        """How good it is: what the estimator itself calls its score, or what `scorer` measures: a name of scikit-learn's scorers, or
        `module:function` of (true, predicted)."""
        _, matrix = matrix_of(records, self.features)
        if is_clusterer(self.estimator):
            labels = self.estimator.predict(matrix)
            return float(import_module("sklearn.metrics").silhouette_score(matrix, labels))
        true = targets_of(records, self.target)
        if scorer and ":" in scorer:
            module, _, name = scorer.partition(":")
            return float(getattr(import_module(module), name)(true, [value for _, value in self.predict(records)]))
        true = self.encoded(true)
        if not scorer:
            return float(self.estimator.score(matrix, true))
        try:
            return float(import_module("sklearn.metrics").get_scorer(scorer)(self.estimator, matrix, true))
        except ValueError as error:
            raise ModelError(f"config `scorer`: {error}") from None

    def encoded(self, true: list[Any]) -> Any:
        """As the estimator has learned them: XGBoost's classes are numbers from 0 on."""
        classes = self.card.get("classes")
        if classes is None:
            return import_module("numpy").array(true)
        known = {value: index for index, value in enumerate(classes)}
        return import_module("numpy").array([known.get(value, -1) for value in true])


def is_clusterer(estimator: Any) -> bool:
    return getattr(estimator, "_estimator_type", None) == "clusterer"


def is_xgboost(estimator: str) -> bool:
    return estimator.startswith("xgboost:")


def learn(settings: Settings, records: Any) -> Model:
    """A model that has learned from the records; it is nowhere yet."""
    estimator = settings.make()
    clusters = is_clusterer(estimator)
    if not settings.predict and not clusters:
        raise ModelError("config `model`: `predict` names the feature that is to be predicted")
    target = settings.predict or Feature("cluster")
    features = settings.features
    if not features:
        first = next(iter(features_of(records)), ("", {}))[1]
        features = [Feature(name, length=length_of(first[name])) for name in sorted(first) if name != target.name]
    keys, matrix = matrix_of(records, features)
    card: dict[str, Any] = {
        "format": FORMAT,
        "estimator": settings.estimator,
        "parameters": settings.parameters,
        "features": [vars(feature) for feature in features],
        "predict": vars(target),
        "records": len(keys),
        "versions": versions(settings.estimator),
    }
    if clusters:
        estimator.fit(matrix)
    else:
        true = targets_of(records, target)
        if is_xgboost(settings.estimator) and settings.estimator.endswith("Classifier"):
            card["classes"] = plain(sorted(set(true)))
        estimator.fit(matrix, Model(card, estimator).encoded(true))
    model = Model(card, estimator)
    card["score"] = None if clusters else plain(model.score(records))
    return model


def length_of(value: Any) -> int:
    return len(value) if hasattr(value, "__len__") and not isinstance(value, (str, dict)) else 1


def versions(estimator: str) -> dict[str, str]:
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in (estimator.partition(":")[0].split(".")[0], "numpy"):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            found[name] = str(version)
    return found


# --- folders --------------------------------------------------------------------------------------


@contextmanager
def alone(directory: str) -> Iterator[None]:
    """One at a time changes the folder."""
    import fcntl

    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
        os.fsync(number)
    finally:
        os.close(number)


def write_whole(path: str, data: bytes) -> None:
    """The file as a whole, or not at all."""
    partial = f"{path}.{os.getpid()}.partial"
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def state_of(model: Model) -> tuple[bytes, str]:
    """The state of the estimator, and how its file's name ends."""
    if is_xgboost(model.card["estimator"]):
        return bytes(model.estimator.get_booster().save_raw("json")), "json"
    import io

    buffer = io.BytesIO()
    import_module("joblib").dump(model.estimator, buffer)
    return buffer.getvalue(), "joblib"


def pack(model: Model) -> dict[str, Any]:
    """The model as a value: its card, and its state in base64."""
    data, ending = state_of(model)
    digest = hashlib.sha256(data).hexdigest()
    state = {"file": f"state-{digest[:16]}.{ending}", "sha256": digest, "bytes": len(data)}
    return {"card": {**model.card, "state": state}, "state": base64.b64encode(data).decode()}


def keep(packed: Any, directory: str) -> None:
    """Puts a packed model into the folder, in place of the one that is there. Nothing of it is unpickled."""
    card, data = unpacked(packed)
    os.makedirs(directory, exist_ok=True)
    name = card["state"]["file"]
    with alone(directory):
        write_whole(os.path.join(directory, name), data)
        write_whole(os.path.join(directory, CARD), card_text(card))
        for other in os.listdir(directory):
            if other != name and other.startswith("state-"):
                os.unlink(os.path.join(directory, other))


def save(model: Model, directory: str) -> None:
    """Puts the model into the folder, in place of the one that is there."""
    packed = pack(model)
    keep(packed, directory)
    model.card = packed["card"]


def unpacked(packed: Any) -> tuple[dict[str, Any], bytes]:
    if not isinstance(packed, dict) or not isinstance(packed.get("state"), str):
        raise ModelError("this is no packed model: {card, state}")
    card = checked_card(packed.get("card"), "the packed model")
    return card, base64.b64decode(packed["state"])


def unpack(packed: Any) -> Model:
    """The model of the value. As `load`: its state is unpickled, so it must come from somebody who is trusted."""
    card, data = unpacked(packed)
    return model_of(card, data, "the packed model")


def card_text(card: dict[str, Any]) -> bytes:
    return (json.dumps(card, indent=2, sort_keys=True) + "\n").encode()


def read_card(directory: str) -> dict[str, Any]:
    """What `model.json` says, if it says all that it should."""
    path = os.path.join(directory, CARD)
    try:
        with open(path, "rb") as file:
            text = file.read(CARD_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ModelNotTrained(f"there is no model in {directory}: train it first (weir.models:train)") from None
    try:
        card = json.loads(text) if len(text) <= CARD_BYTES_MAX else None
    except ValueError:
        card = None
    return checked_card(card, path)


def checked_card(card: Any, place: str) -> dict[str, Any]:
    state = card.get("state") if isinstance(card, dict) else None
    if not isinstance(card, dict) or card.get("format") != FORMAT or not isinstance(state, dict):
        raise ModelError(f"{place} is no card of a model, or of another version of weir: train the model again")
    name = state.get("file")
    if not isinstance(name, str) or not name.startswith("state-") or "/" in name:
        raise ModelError(f"{place}: its state is in no file of the folder")
    if not isinstance(card.get("features"), list) or not isinstance(card.get("estimator"), str):
        raise ModelError(f"{place}: it does not say what the model is: train it again")
    return card


def load(directory: str, estimator: str | None = None) -> Model:
    """The model in the folder, once it is known to be whole and to be of this class.

    The state of others than XGBoost's models is unpickled, so whoever can write into the folder can run code here.
    """
    card = read_card(directory)
    if estimator and card["estimator"] != estimator:
        raise ModelError(f"the model in {directory} is a {card['estimator']}, and no {estimator}: train it again")
    path = os.path.join(directory, card["state"]["file"])
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        again = read_card(directory)
        if again["state"] != card["state"]:  # another was trained meanwhile
            return load(directory, estimator)
        raise ModelError(f"{path} is gone: train the model again") from None
    return model_of(card, data, path)


def model_of(card: dict[str, Any], data: bytes, place: str) -> Model:
    if hashlib.sha256(data).hexdigest() != card["state"].get("sha256"):
        raise ModelError(f"{place} is damaged: it is not what {CARD} says; train the model again")
    kind = class_of(card["estimator"])
    if is_xgboost(card["estimator"]):
        made = kind(**card.get("parameters", {}))
        made.load_model(bytearray(data))
    else:
        import io

        warn_of_versions(card, place)
        made = import_module("joblib").load(io.BytesIO(data))
        if not isinstance(made, kind):
            raise ModelError(f"{place} has a {type(made).__name__}, where {CARD} says {card['estimator']}")
    return Model(card, made)


def warn_of_versions(card: dict[str, Any], place: str) -> None:
    now = versions(card["estimator"])
    for name, version in card.get("versions", {}).items():
        if name not in ("python", "numpy") and now.get(name) != version:
            print(f"{place} was trained with {name} {version}, here is {now.get(name)}", file=sys.stderr)


# What was loaded, and the card's file then: whoever trains again is noticed.
_loaded: dict[str, tuple[list[tuple[int, int, int]], Model]] = {}
_LOADED_MAX = 16


def loaded(settings: Settings) -> Model:
    """The model of the configuration; read once, and again when it is another."""
    path = os.path.realpath(settings.directory)
    known = _loaded.get(path)
    if known and known[0] == mark_of(path, known[1]):
        model = known[1]
    else:
        model = load(path, settings.estimator)
    if model.card["estimator"] != settings.estimator:
        raise ModelError(f"the model in {path} is a {model.card['estimator']}, and no {settings.estimator}: train it again")
    names = [feature.name for feature in model.features]
    wanted = [feature.name for feature in settings.features]
    if wanted and wanted != names:
        raise ModelError(f"the model in {path} learned from {', '.join(names)}, and not from {', '.join(wanted)}: train it again")
    while len(_loaded) >= _LOADED_MAX and path not in _loaded:
        _loaded.pop(next(iter(_loaded)))
    _loaded[path] = (mark_of(path, model), model)
    return model


def mark_of(path: str, model: Model) -> list[tuple[int, int, int]]:
    """What changes when another model is there, or this one is damaged."""
    marks = []
    for name in (CARD, model.card["state"]["file"]):
        try:
            status = os.stat(os.path.join(path, name))
        except FileNotFoundError:
            return []
        marks.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return marks


# --- operations -----------------------------------------------------------------------------------


@dataclass
class ModelConfig:
    """model: {plugin: ESTIMATOR, config: {directory, features, predict, and the estimator's parameters}}."""

    model: Any = None


@dataclass
class ScoreConfig:
    model: Any = None
    scorer: str = ""


def settings_of(config: ModelConfig | ScoreConfig, more: dict[str, Any]) -> Settings:
    """Those of the model: of the input `model`, what `train` gave, or of the configuration."""
    given = more.pop("model", None)
    if more:
        raise ModelError(f"there is no input {next(iter(more))!r}; of further ones there is `model`, what weir.models:train gave")
    if given is None:
        return Settings.parse(config.model)
    if not isinstance(given, dict) or not isinstance(given.get("directory"), str):
        raise ModelError("the input `model` is what weir.models:train gave")
    return Settings(given["estimator"], given["directory"], [], None, {})


Records = Annotated[Any, Definition("records", primitive="Dict[str, Any]")]
Features = Annotated[Any, Definition("record_features", primitive="Dict[str, Any]")]
Prediction = Annotated[Any, Definition("model_predictions", primitive="Dict[str, Any]")]


@operation(config=ModelConfig, outputs={"model": Annotated[Any, Definition("model_card", primitive="Dict[str, Any]")]})
def train(records: Records, config: ModelConfig) -> Any:
    """Trains a model with records, and keeps it in its folder, in place of the one that is there."""
    settings = Settings.parse(config.model)
    model = learn(settings, records)
    save(model, settings.directory)
    return {"model": {**model.card, "directory": settings.directory}}


@operation(config=ScoreConfig, outputs={"score": Annotated[float, Definition("model_score")]})
def score(records: Records, config: ScoreConfig, **more: Any) -> Any:
    """Tells how good a model is on records; its predictions have that as their confidence from then on."""
    settings = settings_of(config, more)
    found = loaded(settings).score(records, config.scorer or None)
    with alone(settings.directory):
        card = read_card(settings.directory)
        card["score"] = plain(found)
        write_whole(os.path.join(settings.directory, CARD), card_text(card))
    return {"score": plain(found)}


@operation(config=ModelConfig, outputs={"prediction": Prediction})
def predict(features: Features, config: ModelConfig, **more: Any) -> Any:
    """Predicts what the features of a record lack, as {feature: {value, confidence}}."""
    model = loaded(settings_of(config, more))
    ((_, value),) = model.predict({"": {"features": features}})
    return {"prediction": {model.target.name: {"value": value, "confidence": model.card.get("score")}}}


@operation(
    config=ModelConfig,
    outputs={"records": Annotated[Any, Definition("records_predicted", primitive="Dict[str, Any]")]},
)
def predict_records(records: Records, config: ModelConfig, **more: Any) -> Any:
    """Predicts for many records at once: they come back with `prediction`."""
    model = loaded(settings_of(config, more))
    found = {}
    whole = dict(features_of(records))
    for key, value in model.predict(records):
        prediction = {model.target.name: {"value": value, "confidence": model.card.get("score")}}
        found[key] = {"features": whole[key], "prediction": prediction}
    return {"records": found}
