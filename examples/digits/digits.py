"""Handwritten digits: five kinds of models learn to read them, the best is chosen by cross-validation, and a report shows how good it is.

Each function is a step. The same steps are wired in digits.dataflow.yaml, digits.pipeline.yaml and digits.workflow.yaml. The model is kept as
weir.models has them, so that `dffml.model.predict` can use it.
"""

import hashlib
import html
import inspect
import io
import json
import os
from dataclasses import dataclass

import weir

CANDIDATES = {
    "logistic": ("sklearn.linear_model:LogisticRegression", {"C": 0.01, "max_iter": 200}),
    "neighbours": ("sklearn.neighbors:KNeighborsClassifier", {"n_neighbors": 3}),
    "vectors": ("sklearn.svm:SVC", {"C": 10.0, "gamma": 0.001}),
    "forest": ("sklearn.ensemble:RandomForestClassifier", {"n_estimators": 60, "random_state": 0}),
    "boosted": ("xgboost:XGBClassifier", {"n_estimators": 25, "max_depth": 3, "n_jobs": 1, "random_state": 0}),
}


def load():
    "The digits that scikit-learn brings along: 1,797 pictures of 8 by 8 points, and what they show."
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {"pictures": digits.data.astype(int).tolist(), "labels": digits.target.tolist()}


def split(pictures, labels, seed):
    "Three quarters to learn from, one to examine the best model with; of each digit the same share."
    from sklearn.model_selection import train_test_split

    kept, tested, kept_labels, tested_labels = train_test_split(
        pictures, labels, test_size=0.25, random_state=seed, stratify=labels
    )
    return {
        "training": {"pictures": kept, "labels": kept_labels},
        "testing": {"pictures": tested, "labels": tested_labels},
    }


@dataclass
class Candidate:
    candidate: str = "logistic"


def estimator(name):
    from importlib import import_module

    path, parameters = CANDIDATES[name]
    module, kind = path.split(":")
    return getattr(import_module(module), kind)(**parameters)


@weir.operation(config=Candidate)
def evaluate(training, config):
    "How good a kind of model is: five times it learns from four fifths and is asked about the other."
    import numpy
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from threadpoolctl import threadpool_limits

    candidate = config.candidate
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    pictures, labels = numpy.array(training["pictures"]), numpy.array(training["labels"])
    with threadpool_limits(1):  # others are evaluated beside it
        scores = cross_val_score(estimator(candidate), pictures, labels, cv=folds)
    print(f"{candidate}: {scores.mean():.4f} ± {scores.std():.4f}")
    return {
        "name": candidate,
        "scores": [round(float(score), 6) for score in scores],
        "mean": round(float(scores.mean()), 6),
        "deviation": round(float(scores.std()), 6),
    }


def select(logistic, neighbours, vectors, forest, boosted):
    "The best first."
    found = [logistic, neighbours, vectors, forest, boosted]
    return sorted(found, key=lambda one: (-one["mean"], one["name"]))


def fit(training, ranking):
    "The best kind of model, once it has learned from all that there is to learn from."
    from weir import models

    path, parameters = CANDIDATES[ranking[0]["name"]]
    settings = {
        "plugin": path,
        "config": {"directory": ".", "features": [{"name": "picture", "length": 64}], "predict": "digit:int", **parameters},
    }
    records = [
        {"picture": picture, "digit": label} for picture, label in zip(training["pictures"], training["labels"])
    ]
    return models.pack(models.learn(models.Settings.parse(settings), records))


def report(model, ranking, testing):
    "What the model makes of pictures that it has not seen: numbers, and a page with plots."
    from sklearn.metrics import accuracy_score, confusion_matrix
    from weir import models

    records = [{"picture": picture} for picture in testing["pictures"]]
    found = [value for _, value in models.unpack(model).predict(records)]
    true = testing["labels"]
    wrong = [at for at, (one, other) in enumerate(zip(found, true)) if one != other]
    numbers = {
        "best": ranking[0]["name"],
        "accuracy": round(float(accuracy_score(true, found)), 6),
        "candidates": {one["name"]: {"mean": one["mean"], "deviation": one["deviation"]} for one in ranking},
        "confusion": confusion_matrix(true, found).tolist(),
        "tested": len(true),
        "wrong": len(wrong),
    }
    mistakes = [(testing["pictures"][at], found[at], true[at]) for at in wrong[:12]]
    return {"numbers": numbers, "page": page_of(numbers, plot_candidates(ranking), plot_confusion(numbers), plot_mistakes(mistakes))}


def figure(width, height, **more):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "digits"  # the same plot is the same text
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height), layout="constrained", **more)


def svg_of(drawn):
    from matplotlib import pyplot

    text = io.StringIO()
    drawn.savefig(text, format="svg", metadata={"Date": None})
    pyplot.close(drawn)
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]


def plot_candidates(ranking):
    drawn, axes = figure(6, 2.6)
    names = [one["name"] for one in reversed(ranking)]
    means = [one["mean"] for one in reversed(ranking)]
    axes.barh(names, means, xerr=[one["deviation"] for one in reversed(ranking)], color="#4a7ab5")
    axes.set_xlim(min(means) - 0.05, 1)
    axes.set_xlabel("accuracy in cross-validation")
    return svg_of(drawn)


def plot_confusion(numbers):
    drawn, axes = figure(4.6, 4.2)
    table = numbers["confusion"]
    axes.imshow(table, cmap="Blues")
    for row, counts in enumerate(table):
        for column, count in enumerate(counts):
            if count:
                axes.text(column, row, str(count), ha="center", va="center", color="white" if row == column else "black")
    axes.set(xlabel="read as", ylabel="is", xticks=range(len(table)), yticks=range(len(table)))
    return svg_of(drawn)


def plot_mistakes(mistakes):
    if not mistakes:
        return ""
    drawn, axes = figure(6, 1.4 * (1 + (len(mistakes) - 1) // 6), ncols=6, nrows=1 + (len(mistakes) - 1) // 6, squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, (picture, found, true) in zip(axes.flat, mistakes):
        place.imshow([picture[at : at + 8] for at in range(0, 64, 8)], cmap="gray_r")
        place.set_title(f"{true}, read as {found}", fontsize=8)
    return svg_of(drawn)


def page_of(numbers, candidates, confusion, mistakes):
    best = html.escape(numbers["best"])
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Digits</title>
<h1>Digits</h1>
<p>The best model is <b>{best}</b>: it reads {numbers["accuracy"]:.1%} of {numbers["tested"]} pictures that it has not seen.</p>
{candidates}
<h2>What it reads as what</h2>
{confusion}
<h2>Where it is wrong</h2>
{mistakes or "<p>Nowhere.</p>"}
</html>
"""


def write(model, numbers, page, directory):
    "Puts the model, the page and the numbers into a folder; each file is replaced as a whole."
    from weir import models

    os.makedirs(directory, exist_ok=True)
    models.keep(model, os.path.join(directory, "model"))
    models.write_whole(os.path.join(directory, "report.html"), page.encode())
    models.write_whole(os.path.join(directory, "report.json"), (json.dumps(numbers, indent=2) + "\n").encode())
    return numbers


def keys(seed):
    "For the workflow's caches: a word for each step that changes when it, or a step before it, does something else."
    helpers = {
        evaluate: [estimator],
        report: [figure, svg_of, plot_candidates, plot_confusion, plot_mistakes, page_of],
    }
    before = {split: [load], evaluate: [split], select: [evaluate], fit: [split, select], report: [fit, select, split]}
    words = {}
    for step in (load, split, evaluate, select, fit, report):
        parts = [str(seed), repr(CANDIDATES)] + [inspect.getsource(getattr(part, "function", part)) for part in (step, *helpers.get(step, []))]
        parts += [words[earlier.__name__] for earlier in before.get(step, [])]
        words[step.__name__] = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    return words
