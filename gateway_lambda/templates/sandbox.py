"""The Jinja environment of chat templates: what transformers gives them, and no more.

transformers' environment (its `chat_template_utils`) is the reference: sandboxed and immutable, blocks trimmed, `break`
and `continue`, a `generation` tag, plain `tojson`, a `dict` and a `namespace` without their dangerous parts. In
addition, constants are not folded, so that nothing of a template runs while it is compiled. And there are shorter ways
for what templates do most: reading a key of a plain dict, and calling a method of a text.
"""

from __future__ import annotations

from types import BuiltinMethodType
from typing import Any, Final, NoReturn

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from gateway_lambda.templates.bounds import RenderContext
from gateway_lambda.templates.errors import TemplateRaised
from gateway_lambda.templates.filters import FILTERS, REFUSED_FILTERS

_DICT_ATTRIBUTES: Final = frozenset(dir(dict))
_TEXT_METHODS: Final = frozenset(name for name in dir(str) if name[0] != "_") - {"format", "format_map"}
"""Those of texts that the sandbox gives as they are: a format could reach attributes."""


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """The environment of every chat template. It has no state of a rendering, so a process needs only one."""

    context_class = RenderContext

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            cache_size=0,
            extensions=[GenerationTag, LoopControlExtension],
        )
        self.filters.update(FILTERS)
        for name in REFUSED_FILTERS:
            del self.filters[name]
        self.globals = {
            "raise_exception": raise_exception,
            "range": self.globals["range"],
            "dict": TemplateDict(),
            "namespace": TemplateNamespace,
            "cycler": self.globals["cycler"],
            "joiner": self.globals["joiner"],
        }

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: Jinja's order, the attribute first and then the key."""
        if obj.__class__ is dict:
            if attribute not in _DICT_ATTRIBUTES:
                try:
                    return obj[attribute]
                except KeyError:
                    return self.undefined(obj=obj, name=attribute)
        elif isinstance(obj, str) and attribute in _TEXT_METHODS:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: the key first and then the attribute."""
        try:
            return obj[argument]
        except (TypeError, LookupError):
            if isinstance(argument, str):
                return self.getattr(obj, str(argument))
        return self.undefined(obj=obj, name=argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call `obj`; a method of a plain value needs none of what Jinja does for functions that take its context."""
        if type(__obj) is not BuiltinMethodType:
            return super().call(__context, __obj, *args, **kwargs)
        if kwargs:
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
        return __obj(*args, **kwargs)


class _UnfoldingGenerator(CodeGenerator):
    """Python for a template that computes nothing while compiling."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, (nodes.TemplateData, nodes.Const)):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


ChatEnvironment.code_generator_class = _UnfoldingGenerator


class GenerationTag(Extension):
    """`{% generation %}…{% endgeneration %}` marks what a model wrote, for training; here it prints its body."""

    tags: set[str] = {"generation"}  # noqa: RUF012  # as the base declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class TemplateDict:
    """`dict(…)` and `dict.fromkeys(…)`, and nothing else of the type."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        """As `dict.fromkeys`."""
        return dict.fromkeys(*args)


class TemplateNamespace(Namespace):
    """`namespace(…)` that stores no name beginning with an underscore."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *initial = args
        values = dict(*initial, **kwargs)
        for name in values:
            _check_stored_name(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_stored_name(name)
        super().__setitem__(name, value)


def raise_exception(message: Any = "") -> NoReturn:
    """Refuse a conversation. Templates call this."""
    raise TemplateRaised(str(message))


def _check_stored_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace cannot store {name!r}, because the name begins with an underscore")
