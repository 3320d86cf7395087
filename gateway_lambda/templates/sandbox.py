"""The Jinja environment chat templates run in: what transformers gives them, and no more.

transformers' environment (its `chat_template_utils`) is the reference: sandboxed and immutable, blocks trimmed, `break`
and `continue`, a `generation` tag, plain `tojson`, a `dict` and a `namespace` without their dangerous parts. On top
come the limits of `bounds`, no folding of constants (folding would run a bomb while compiling), and shorter ways to
what templates do most: reading a key of a plain dict and calling a method of a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import BuiltinMethodType
from typing import Any, Final, NoReturn

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame, MacroRef
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from gateway_lambda.templates.bounded_filters import FILTERS, REFUSED_FILTERS
from gateway_lambda.templates.bounds import MAX_RANGE, RenderContext
from gateway_lambda.templates.errors import TemplateLimit, TemplateRaised
from gateway_lambda.templates.growing import GROWING_METHODS, bounded_method
from gateway_lambda.templates.operators import OPERATORS, joined
from gateway_lambda.templates.printing import concat, text_of

_DICT_ATTRIBUTES: Final = frozenset(dir(dict))
_PLAIN_TEXT_METHODS: Final = frozenset(name for name in dir(str) if name[0] != "_") - GROWING_METHODS
_LONG: Final = 4096
"""Results of method calls shorter than this many characters are not worth counting."""


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """The environment of every chat template; one a process is enough, it holds no state of a rendering."""

    intercepted_binops = frozenset(OPERATORS)
    context_class = RenderContext
    concat = staticmethod(concat)
    text_of = staticmethod(text_of)
    joined = staticmethod(joined)

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
            "range": bounded_range,
            "dict": TemplateDict(),
            "namespace": TemplateNamespace,
            "cycler": self.globals["cycler"],
            "joiner": self.globals["joiner"],
        }

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: Jinja's order, the attribute first and then the key."""
        if obj.__class__ is dict:
            if attribute not in _DICT_ATTRIBUTES:
                return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        elif isinstance(obj, str):
            if attribute in _PLAIN_TEXT_METHODS:
                return getattr(obj, attribute)
            if attribute in GROWING_METHODS:
                return bounded_method(obj, attribute, super().getattr(obj, attribute))
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
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        result = __obj(*args, **kwargs)
        if type(result) is str and len(result) > _LONG and isinstance(__context, RenderContext):
            __context.spend(len(result))
        return result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operator whose result may grow."""
        return OPERATORS[operator](context, left, right)


class _BoundedCodeGenerator(CodeGenerator):
    """Python for a template: nothing is computed while compiling, loops and macros count their steps."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counted: list[list[nodes.Node]] = []

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        self._counted.append(node.body)
        super().visit_For(node, frame)

    def macro_body(self, node: nodes.Macro | nodes.CallBlock, frame: Frame) -> tuple[Frame, MacroRef]:
        self._counted.append(node.body)
        return super().macro_body(node, frame)

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        if any(nodes is body for body in self._counted):
            self.writeline("context.step()")
        super().blockvisit(nodes, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        if frame.eval_ctx.volatile or frame.eval_ctx.autoescape:
            super().visit_Concat(node, frame)
            return
        self.write("environment.joined(context, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def write_commons(self) -> None:
        super().write_commons()
        self.writeline("text_of = environment.text_of")

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile or frame.eval_ctx.autoescape:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("text_of(")

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, (nodes.TemplateData, nodes.Const)):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


ChatEnvironment.code_generator_class = _BoundedCodeGenerator


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
    """What templates call to refuse a conversation."""
    raise TemplateRaised(str(message))


def bounded_range(*args: int) -> range:
    """`range` of at most `MAX_RANGE` numbers."""
    numbers = range(*args)
    try:
        count = len(numbers)
    except OverflowError:
        count = MAX_RANGE + 1
    if count > MAX_RANGE:
        raise TemplateLimit(f"the chat template asks for a range of more than {MAX_RANGE} numbers")
    return numbers


def _check_stored_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace cannot store {name!r}: names beginning with an underscore are refused")
