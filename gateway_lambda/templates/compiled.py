"""Compiling a chat template, and what its text tells before any message arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import Template, nodes
from jinja2.exceptions import TemplateSyntaxError

from gateway_lambda.templates.bounds import FIRST_LOOK, MAX_OUTPUT_BYTES, RenderContext, clock, count_steps
from gateway_lambda.templates.errors import TemplateError, TemplateInvalid, TemplateLimit, TemplateRaised
from gateway_lambda.templates.memory import MAX_MEMORY, MemoryBound
from gateway_lambda.templates.sandbox import ChatEnvironment
from gateway_lambda.templates.shape import Shape
from gateway_lambda.templates.shape_trials import shape_of

MAX_TEMPLATE_BYTES: Final = 256 * 1024

_ENVIRONMENT: Final = ChatEnvironment()


class CompiledTemplate:
    """One chat template, ready to render.

    `shape` is the form in which it takes messages. The first use of it renders short conversations to find it.
    """

    __slots__ = ("_blocks", "_memory", "_root", "_shape", "_template", "source")

    def __init__(self, source: str, template: Template) -> None:
        self.source = source
        self._shape: Shape | None = None
        self._template = template
        self._root: Callable[[RenderContext], Iterator[str]] = template.root_render_func
        self._blocks = template.blocks
        self._memory = MemoryBound()

    @property
    def shape(self) -> Shape:
        """The form in which the template takes messages."""
        if self._shape is None:
            self._shape = shape_of(self.source, self.render, _ENVIRONMENT.globals)
        return self._shape

    def render(self, variables: dict[str, Any]) -> str:
        """Return the text for `variables`, which the rendering may change.

        Raises `TemplateLimit` beyond a limit of `bounds`, and `TemplateRaised` for any other problem.
        """
        try:
            return self._memory.run(self._text, variables)
        except TemplateError:
            raise
        except MemoryError:
            raise TemplateLimit(f"the chat template takes more than {MAX_MEMORY >> 20} MiB to render") from None
        except Exception as problem:  # a template can raise anything that Python can
            raise TemplateRaised(self._describe(problem)) from problem

    def _text(self, variables: dict[str, Any]) -> str:
        context = RenderContext(_ENVIRONMENT, variables, None, self._blocks)
        context.look_at = clock() + FIRST_LOOK
        pieces: list[str] = []
        size = 0
        for piece in self._root(context):
            size += len(piece)
            if size > MAX_OUTPUT_BYTES:
                raise TemplateLimit(f"the rendered prompt has more than {MAX_OUTPUT_BYTES} bytes")
            pieces.append(piece)
        return "".join(pieces)

    def _describe(self, problem: Exception) -> str:
        """What failed and where; the traceback's frames carry lines of generated Python, which Jinja maps back."""
        text = str(problem) or type(problem).__name__
        if isinstance(problem, RecursionError):
            text = "values are nested too deeply, or the template calls itself endlessly"
        line = None
        trace = problem.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals is self._root.__globals__:  # type: ignore[attr-defined]
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return text if line is None else f"{text} (line {line} of the chat template)"


@lru_cache(maxsize=256)
def compile_template(source: str) -> CompiledTemplate:
    """Compile `source`, once for equal texts. Raises `TemplateInvalid`.

    Special tokens are variables of the rendering, so a text that several models share is compiled once. Nothing of the
    template runs.
    """
    if len(source.encode("utf-8", "surrogatepass")) > MAX_TEMPLATE_BYTES:
        raise TemplateInvalid(f"the chat template has more than {MAX_TEMPLATE_BYTES // 1024} KiB")
    try:
        tree = _ENVIRONMENT.parse(source)
        _check_nodes(tree)
        count_steps(tree)
        code = _ENVIRONMENT.compile(tree)
        template = Template.from_code(_ENVIRONMENT, code, _ENVIRONMENT.globals)
        return CompiledTemplate(source, template)
    except TemplateError:
        raise
    except TemplateSyntaxError as problem:
        raise TemplateInvalid(problem.message or "syntax error", problem.lineno) from None
    except (RecursionError, MemoryError):
        raise TemplateInvalid("the chat template is nested too deeply to compile") from None
    except Exception as problem:  # Python's own compiler may refuse what Jinja generates
        raise TemplateInvalid(f"the chat template cannot be compiled: {problem}") from None


def base_variables(tokens: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first variables of every rendering: the functions of the environment and `tokens`."""
    return {**_ENVIRONMENT.globals, **tokens}


_REFUSED: Final[tuple[tuple[type[nodes.Node], str], ...]] = (
    (nodes.Pow, "** is not allowed in a chat template; write the number out"),
    (nodes.Include, "include is not allowed: a chat template is one text"),
    (nodes.Import, "import is not allowed: a chat template is one text"),
    (nodes.FromImport, "import is not allowed: a chat template is one text"),
    (nodes.Extends, "extends is not allowed: a chat template is one text"),
)


def _check_nodes(tree: nodes.Template) -> None:
    for kind, message in _REFUSED:
        for node in tree.find_all(kind):
            raise TemplateInvalid(message, node.lineno)
