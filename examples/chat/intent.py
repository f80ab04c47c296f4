"""The model: what somebody wants who says a text."""

import csv
import functools
import os
import re

import weir

WORD = re.compile(r"[^\W_]+")


@weir.operation(outputs={"model": str, "accuracy": float})
def train(texts: str, path: str):
    """Trains a model on a table of intents and texts, writes it, and says how often it is right about texts that it did not see.

    Without a table on the one that is beside this file.
    """
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    texts = texts or os.path.join(os.path.dirname(__file__), "intents.csv")
    with open(texts, newline="") as file:
        rows = list(csv.DictReader(file))
    x, y = [row["text"] for row in rows], [row["intent"] for row in rows]
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=100, max_iter=1000))
    accuracy = cross_val_score(model, x, y, cv=4).mean()
    model.fit(x, y)
    part = f"{path}.part"
    joblib.dump(model, part)
    os.replace(part, path)  # a bot that goes on has the old one or the new one
    return {"model": path, "accuracy": round(float(accuracy), 3)}


@functools.lru_cache(maxsize=4)
def load(path: str, changed_ns: int):
    import joblib

    return joblib.load(path)


@weir.operation(outputs={"intent": str, "certainty": float})
def classify(text: str, model: str = "intent.model"):
    "What somebody wants who says this."
    if not WORD.search(text):
        raise ValueError(f"there is no word in {text!r}")
    found = load(model, os.stat(model).st_mtime_ns)
    chances = found.predict_proba([text])[0]
    best = chances.argmax()
    return {"intent": str(found.classes_[best]), "certainty": float(chances[best])}
