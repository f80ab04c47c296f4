"""Values: what Python has becomes weir's and comes back."""

import enum
import math

import pytest

from weir import Error, _weir


def there_and_back(value):
    return _weir.decode(_weir.encode(value))


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -1, 2**63 - 1, -(2**63), 0.5, math.inf, "", "ä😀\0x", [], {}, [1, [2, [None]]]]
    + [{"b": 1, "a": {"": [0.0]}}, "x" * 100_000, b"", b"\0\xff", {"b": [b"z" * 100_000]}, {str(i): i for i in range(1_000)}],
)
def test_what_weir_holds_comes_back_as_it_was(value):
    back = there_and_back(value)
    assert back == value and type(back) is type(value)


def test_the_order_of_members_stays():
    assert list(there_and_back({"b": 1, "a": 2})) == ["b", "a"]


def test_a_number_keeps_its_type():
    assert [type(item) for item in there_and_back([1, 1.0, True])] == [int, float, bool]


def test_what_is_like_a_value_becomes_one():
    class Level(enum.IntEnum):
        HIGH = 3

    class Index:
        def __index__(self):
            return 7

    assert there_and_back((1, (2,))) == [1, [2]]
    assert there_and_back([Level.HIGH, Index()]) == [3, 7]


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (2**63, OverflowError, r"value: an int of more than 64 bits"),
        ({"a": [1, {"b": 2**70}]}, OverflowError, r"value\['a'\]\[1\]\['b'\]: an int"),
        ([0, object()], TypeError, r"value\[1\]: .* the type object"),
        ({1: 2}, TypeError, r"value\[1\]: a key that is no str"),
        ("\ud800", ValueError, r"surrogates"),
        ({"\ud800": 1}, ValueError, r"surrogates"),
    ],
)
def test_what_cannot_be_a_value_is_refused_with_its_place(value, error, says):
    with pytest.raises(error, match=says):
        _weir.encode(value)


def test_a_value_without_end_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="deeper than 128"):
        _weir.encode(endless)


def test_an_exception_of_a_value_is_passed_on():
    class Broken:
        def __index__(self):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        _weir.encode([Broken()])


def test_a_list_that_changes_meanwhile_is_safe():
    class Popping:
        def __index__(self):
            items.clear()
            return 1

    items = [Popping(), 2, 3]
    assert there_and_back(items) == [1]


def test_bytes_of_others_are_read_with_care():
    whole = _weir.encode({"a": [1, "text", 0.5]})
    for length in range(len(whole)):
        with pytest.raises(Error):
            _weir.decode(whole[:length])
    with pytest.raises(ValueError, match="behind"):
        _weir.decode(whole + b"\0")
