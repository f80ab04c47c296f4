"""The operations that the dataflow cases use, as DFFML's: what each means is said where the same are written in C."""

import asyncio
import collections
from typing import Any

from weir.dffml import Definition, config, op

IMPLEMENTATIONS: dict[str, Any] = {}


class Record:
    """What was called in one case."""

    def __init__(self):
        self.parameters = collections.defaultdict(list)
        self.failures = collections.Counter()
        self.in_flight = self.most = 0


record = Record()


@config
class Constant:
    value: Any = None


@config
class Fails:
    fails: int = 0


def ports(names):
    return {name: Definition(name=f"corpus.{name}", primitive="generic") for name in names.split()}


def operation(name, inputs, outputs, **options):
    def decorate(function):
        made = op(name=name, inputs=ports(inputs), outputs=ports(outputs), **options)(function)
        IMPLEMENTATIONS[name] = made.imp
        return made

    return decorate


def called(self, **parameters):
    record.parameters[self.parent.op.instance_name].append(parameters)


def define(name, inputs, output, function):
    """A plain function of one output."""

    async def run(self, **parameters):
        called(self, **parameters)
        return {output: function(*parameters.values())}

    run.__name__ = run.__qualname__ = name
    operation(name, inputs, output)(run)


define("add", "a b", "sum", lambda a, b: a + b)
define("sub", "a b", "diff", lambda a, b: a - b)
define("mul", "a b", "product", lambda a, b: a * b)
define("neg", "a", "result", lambda a: -a)
define("eq", "a b", "result", lambda a, b: type(a) is type(b) and a == b)
define("lt", "a b", "result", lambda a, b: a < b)
define("is_even", "n", "even", lambda n: n % 2 == 0)
define("is_positive", "n", "positive", lambda n: n > 0)
define("not", "x", "result", lambda x: not x)
define("concat", "a b", "result", lambda a, b: a + b)
define("upper", "s", "result", lambda s: s.upper())
define("length", "x", "n", len)
define("split", "s", "parts", lambda s: s.split(","))
define("range", "n", "items", lambda n: list(range(n)))
define("identity", "x", "x", lambda x: x)
define("pair", "a b", "pair", lambda a, b: [a, b])
define("triple", "a b c", "triple", lambda a, b, c: [a, b, c])
define("wrap", "x", "map", lambda x: {"v": x})
define("sum_list", "xs", "total", sum)
define("null", "x", "result", lambda x: None)
define("countdown", "n", "n", lambda n: n - 1)
define("pick", "m key", "value", lambda m, key: m[key])
define("v_clamp", "x", "x", lambda x: max(0, min(10, x)))
define("v_bang", "s", "s", lambda s: s + "!")


@operation("const", "", "value", config_cls=Constant)
async def const(self):
    called(self)
    return {"value": self.parent.config.value}


@operation("dup", "x", "first second")
async def dup(self, x):
    called(self, x=x)
    return {"first": x, "second": x}


@operation("partial", "x", "first second")
async def partial(self, x):
    called(self, x=x)
    return {"first": x}


@operation("badkey", "x", "result")
async def badkey(self, x):
    called(self, x=x)
    return {"nope": x}


@operation("nothing", "x", "result")
def nothing(self, x):
    called(self, x=x)


@operation("fail", "x", "result")
async def fail(self, x):
    called(self, x=x)
    raise ValueError("fail")


@operation("fail_if_odd", "n", "n")
async def fail_if_odd(self, n):
    called(self, n=n)
    if n % 2:
        raise ValueError("odd")
    return {"n": n}


@operation("flaky", "x", "x", config_cls=Fails)
async def flaky(self, x):
    called(self, x=x)
    record.failures[self.parent] += 1
    if record.failures[self.parent] <= self.config.fails:
        raise ValueError("flaky")
    return {"x": x}


@operation("sleep_ms", "ms", "ms")
async def sleep_ms(self, ms):
    called(self, ms=ms)
    await asyncio.sleep(ms / 1000)
    return {"ms": ms}


@operation("record_lock", "x tag", "x")
async def record_lock(self, x, tag):
    called(self, x=x, tag=tag)
    record.in_flight += 1
    record.most = max(record.most, record.in_flight)
    await asyncio.sleep(0.005)
    record.in_flight -= 1
    return {"x": x}


@operation("gen", "n", "item")
async def gen(self, n):
    called(self, n=n)
    for item in range(n):
        yield {"item": item}


@operation("gen_sq", "n", "i sq")
async def gen_sq(self, n):
    called(self, n=n)
    for item in range(n):
        yield {"i": item, "sq": item * item}


@operation("gen_fail", "n", "item")
async def gen_fail(self, n):
    called(self, n=n)
    for item in range(n):
        yield {"item": item}
    raise ValueError("gen_fail")


@operation("countdown_stop", "n", "n")
async def countdown_stop(self, n):
    called(self, n=n)
    return {"n": n - 1} if n > 0 else None


@operation("collatz", "n", "n")
async def collatz(self, n):
    called(self, n=n)
    if n != 1:
        return {"n": 3 * n + 1 if n % 2 else n // 2}
    return None


@operation("div_mod", "n d", "q r")
async def div_mod(self, n, d):
    called(self, n=n, d=d)
    return {"q": n // d, "r": n % d}


@operation("mark", "x", "")
async def mark(self, x):
    called(self, x=x)


@operation("mark0", "", "")
async def mark0(self):
    called(self)


@operation("v_nonneg", "x", "x")
async def v_nonneg(self, x):
    called(self, x=x)
    if x < 0:
        raise ValueError("negative")
    return {"x": x}
