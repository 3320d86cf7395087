"""Whether a template loops over the parts of a message's content, or takes content as one text.

Templates of vision models loop over `message['content']` and look at the `type` of each part. Older templates
concatenate content, and would print the repr of a list. The syntax tree tells them apart; nothing is rendered.
"""

from __future__ import annotations

from typing import Final

from jinja2 import nodes

_MOST_HANDS: Final = 8
"""How many variables and macros content is followed through, one after the other; templates use one or two."""


def iterates_content_parts(tree: nodes.Template) -> bool:
    """Return whether the template loops over the content of a message, or reads the `type` of one of its parts."""
    names = _names_for_content(tree)
    if any(_is_content(loop.iter, names) for loop in tree.find_all(nodes.For)):
        return True
    return any(
        _key(access) in ("type", "text")
        and isinstance(access.node, nodes.Getitem)
        and _is_content(access.node.node, names)
        for access in tree.find_all((nodes.Getitem, nodes.Getattr))
    )


def _names_for_content(tree: nodes.Template) -> set[str]:
    """Variables and macro parameters that hold a message's content."""
    names = {"content"}
    macros = {macro.name: [argument.name for argument in macro.args] for macro in tree.find_all(nodes.Macro)}
    for _ in range(_MOST_HANDS):
        found = {
            assign.target.name
            for assign in tree.find_all(nodes.Assign)
            if isinstance(assign.target, nodes.Name) and _is_content(assign.node, names)
        }
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name in macros:
                arguments = zip(macros[call.node.name], call.args, strict=False)
                found.update(name for name, argument in arguments if _is_content(argument, names))
        if found <= names:
            break
        names |= found
    return names


def _is_content(node: nodes.Node | None, names: set[str]) -> bool:
    if isinstance(node, nodes.Filter):
        return node.name not in ("items", "dictsort") and _is_content(node.node, names)
    if isinstance(node, nodes.CondExpr):
        return _is_content(node.expr1, names) or _is_content(node.expr2, names)
    if isinstance(node, nodes.Name):
        return node.name in names
    return isinstance(node, (nodes.Getitem, nodes.Getattr)) and _key(node) == "content"


def _key(node: nodes.Getitem | nodes.Getattr) -> object:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) else None
