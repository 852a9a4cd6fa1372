"""Words of messages as people write them: Django's templates in a closed form.

Only what `template_library` has, and the payload as plain data. Loops, their nesting, what they
put out and how long templates are have limits, so that each one ends, and soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar, cast

from django.template import Context, Engine, Template, TemplateSyntaxError, VariableDoesNotExist
from django.template.base import (
    FilterExpression,
    Lexer,
    Node,
    NodeList,
    Parser,
    TokenType,
    Variable,
    VariableNode,
)
from django.template.defaulttags import ForNode
from django.utils.translation import gettext as _

from notifications.excerpts import readable

MAX_TITLE, MAX_TEXT = 500, 4000  # characters of a template
LONGEST_TITLE, LONGEST_TEXT = 200, 4000  # of what it makes
MAX_DEPTH, MAX_LOOP_DEPTH = 10, 2
MOST_ROUNDS = 400  # of all loops together
MOST_ITEMS = 20  # of one list
MOST_PUT = 20_000  # characters from variables
# What one that says the same as no template looks like.
TITLE, TEXT = "{{ human.title }}", "{{ human.text }}"

_BLOCKS = {"if", "for", "with"}


class BrokenTemplate(Exception):
    """It cannot be used; the text says why, for people."""


class _Closed(Engine):
    default_builtins: ClassVar[list[str]] = ["notifications.template_library"]


_ENGINE = _Closed(autoescape=False)  # what escapes is the channel


def rendered(title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:
    """`human` of a payload by these templates. Raises BrokenTemplate."""
    named, whole = title_of(title, payload), text_of(text, payload)
    summary = whole.split("\n", 1)[0]
    human = {"title": named, "summary": summary}
    return human if summary == whole else {**human, "detail": whole}


def title_of(template: str, payload: Mapping[str, Any]) -> str:
    """One line. Raises BrokenTemplate."""
    made = " ".join(readable(_render(template, facts_of(payload), MAX_TITLE)).split())
    return _something(made[:LONGEST_TITLE])


def text_of(template: str, payload: Mapping[str, Any]) -> str:
    """Raises BrokenTemplate."""
    made = readable(_render(template, facts_of(payload), MAX_TEXT))
    lines = [line.rstrip() for line in made.split("\n")]
    return _something("\n".join(lines).strip()[:LONGEST_TEXT])


def _something(made: str) -> str:
    if not made:
        raise BrokenTemplate(_("Nothing is left of it."))
    return made


def facts_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The variables: the payload, and in `human` all that is said below the title as `text`."""
    human = payload["human"]
    whole = {**human, "text": human.get("detail") or human["summary"]}
    facts: dict[str, Any] = _plain({**payload, "human": whole})
    return facts


def _plain(value: Any) -> Any:
    """A copy, so that a template changes nothing, of a bounded size."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value[:MOST_ITEMS]]
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)[:LONGEST_TEXT]


class _Facts(Context):
    """Counts what a template does."""

    rounds = 0
    put = 0


class _Fact(Variable):
    """Reaches what was handed in, and no method of it: `x.encode.hex` makes a text twice as long
    each time that it is written."""

    __slots__ = ()

    def _resolve_lookup(self, context: Context) -> Any:
        found: Any = context
        for name in self.lookups or ():
            found = _part(found, name)
        return found


class _Parser(Parser):
    def compile_filter(self, token: str) -> FilterExpression:
        expression: Any = super().compile_filter(token)
        expression.var = _closed(expression.var)
        for _filter, given in expression.filters:
            given[:] = [(is_name, _closed(value)) for is_name, value in given]
        return cast(FilterExpression, expression)


class _Template(Template):
    def compile_nodelist(self) -> NodeList:
        engine = self.engine
        tokens = Lexer(str(self.source)).tokenize()
        parser = _Parser(tokens, engine.template_libraries, engine.template_builtins, self.origin)
        return parser.parse()


def _closed(value: Any) -> Any:
    is_looked_up = isinstance(value, Variable) and value.lookups is not None
    return _Fact(value.var) if is_looked_up else value


def _part(whole: Any, name: str) -> Any:
    try:
        if isinstance(whole, dict) and name == "items" and name not in whole:
            return list(whole.items())
        if isinstance(whole, dict | Context):
            return whole[name]
        if isinstance(whole, list | tuple):
            return whole[int(name)]
    except (KeyError, IndexError, ValueError):
        pass
    raise VariableDoesNotExist("There is no %s.", (name,))


class _Round(Node):
    """The beginning of each round of a loop."""

    def render(self, context: Context) -> str:
        facts = cast(_Facts, context)
        facts.rounds += 1
        if facts.rounds > MOST_ROUNDS:
            raise BrokenTemplate(_("Its loops go round too often."))
        return ""


class _Few:
    """What a loop goes through: items of a list, never letters of a text."""

    def __init__(self, sequence: Any) -> None:
        self._sequence = sequence

    def resolve(self, context: Context, ignore_failures: bool = False) -> list[Any]:
        found = self._sequence.resolve(context, ignore_failures=ignore_failures)
        if isinstance(found, str | bytes) or not isinstance(found, Iterable):
            return []
        return list(islice(found, MOST_ITEMS))


class _Put:
    """What a variable puts out."""

    def __init__(self, expression: Any) -> None:
        self._expression = expression

    def resolve(self, context: Context) -> str:
        facts = cast(_Facts, context)
        found = self._expression.resolve(context)
        text = "" if found is None else str(found)
        facts.put += len(text)
        if facts.put > MOST_PUT:
            raise BrokenTemplate(_("It says too much."))
        return text


def _render(template: str, facts: dict[str, Any], most: int) -> str:
    try:
        return _compiled(template, most).render(_Facts(facts, autoescape=False, use_l10n=False))
    except BrokenTemplate:
        raise
    except RecursionError:
        raise BrokenTemplate(_("It is nested too deep.")) from None
    except TemplateSyntaxError as error:
        # The advice to load a library would lead nowhere.
        raise BrokenTemplate(str(error).split(". Did you")[0][:300]) from error
    except Exception as error:  # a filter or a method that cannot do with what it was given
        text = _("It cannot be used with these facts (%(why)s).")
        raise BrokenTemplate(text % {"why": type(error).__name__}) from error


def _compiled(template: str, most: int) -> Template:
    if len(template) > most:
        text = _("It may have at most %(count)d characters.")
        raise BrokenTemplate(text % {"count": most})
    _refuse_depth(template)
    compiled = _Template(template, engine=_ENGINE)
    # Any: their fields are set to what only looks like Django's own.
    variables: list[Any] = compiled.nodelist.get_nodes_by_type(VariableNode)
    loops: list[Any] = compiled.nodelist.get_nodes_by_type(ForNode)
    for variable in variables:
        variable.filter_expression = _Put(variable.filter_expression)
    for loop in loops:
        loop.sequence = _Few(loop.sequence)
        loop.nodelist_loop.insert(0, _Round())
    return compiled


def _refuse_depth(template: str) -> None:
    opened: list[str] = []
    for token in Lexer(template).tokenize():
        word = (token.contents.split() or [""])[0]
        if token.token_type != TokenType.BLOCK:
            continue
        if word in _BLOCKS:
            opened.append(word)
        elif word.startswith("end") and opened:
            opened.pop()
        if len(opened) > MAX_DEPTH or opened.count("for") > MAX_LOOP_DEPTH:
            raise BrokenTemplate(_("It is nested too deep."))
