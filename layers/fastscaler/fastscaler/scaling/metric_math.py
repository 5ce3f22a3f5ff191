"""Metric math: which metrics an expression is made of, and the same expression with CloudWatch's ids.

Source: Amazon CloudWatch user guide, "Using metric math". Only functions that make one value per period from values of
that period are let through: none that finds metrics by itself (SEARCH, METRICS), and none that makes data where there
is none (FILL), since missing is not zero.
"""

import re
from collections.abc import Mapping

FUNCTIONS = ("ABS", "AVG", "CEIL", "FLOOR", "IF", "LOG", "LOG10", "MAX", "MIN", "PERIOD", "STDDEV", "SUM")
OPERATORS = ("AND", "OR")
NAME = r"[A-Za-z][A-Za-z0-9_]*"

_TOKEN = re.compile(
    rf"\s*(?:(?P<call>{NAME})(?=\s*\()|(?P<name>{NAME})|(?P<other>\d+(?:\.\d+)?|&&|\|\||[<>=!]=|[-+*/^()\[\],<>]))"
)


def names(expression: str) -> tuple[str, ...]:
    """The metrics that the expression names, each once, in their order; as far as it can be read."""
    found = [token["name"] for token in _TOKEN.finditer(expression) if token["name"]]
    return tuple(dict.fromkeys(name for name in found if name not in OPERATORS))


def problem(expression: str) -> str | None:
    """What CloudWatch, or this project, would refuse in the expression; None for one that can be used."""
    position, text = 0, expression.rstrip()
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return f"cannot be read from {text[position:].lstrip()[:20]!r} on"
        if token["call"] and token["call"] not in (*FUNCTIONS, *OPERATORS):
            return f"has no function {token['call']}; allowed are {', '.join(FUNCTIONS)}"
        position = token.end()
    if not names(expression):
        return "must name at least one of the Metrics"
    for opening, closing in ("()", "[]"):
        if expression.count(opening) != expression.count(closing):
            return f"has {expression.count(opening)} {opening} and {expression.count(closing)} {closing}"
    return None


def rename(expression: str, ids: Mapping[str, str]) -> str:
    """The expression with every metric's name replaced by its query's id."""
    return re.sub(rf"{NAME}(?!\s*\()", lambda name: ids.get(name[0], name[0]), expression)
