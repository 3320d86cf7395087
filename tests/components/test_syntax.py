"""How components are written, held over their syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.structure.source import Module, modules

COMPONENTS = [
    (module, node)
    for module in modules("infra/components")
    for node in ast.walk(module.tree)
    if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("ComponentResource") for base in node.bases)
]
each_component = pytest.mark.parametrize(
    ("module", "node"), COMPONENTS, ids=[f"{module.name.rpartition('.')[2]}.{node.name}" for module, node in COMPONENTS]
)


def test_there_are_components() -> None:
    assert {"Gateway", "Service"} <= {node.name for _, node in COMPONENTS}


@each_component
def test_a_component_registers_its_outputs_once_and_last(module: Module, node: ast.ClassDef) -> None:
    registering = [call for call in calls(node) if ast.unparse(call.func) == "self.register_outputs"]
    last = constructor(node).body[-1]
    assert len(registering) == 1
    assert isinstance(last, ast.Expr)
    assert last.value is registering[0]


@each_component
def test_a_component_s_type_is_its_module_and_name(module: Module, node: ast.ClassDef) -> None:
    (first,) = [call for call in calls(node) if ast.unparse(call.func) == "super().__init__"]
    assert ast.literal_eval(first.args[0]) == f"servestack:{module.name.rpartition('.')[2]}:{node.name}"


@each_component
def test_every_child_has_the_component_for_its_parent(module: Module, node: ast.ClassDef) -> None:
    without = [
        ast.unparse(call.func)
        for call in calls(node)
        if makes_a_resource(call) and not re.search(r"parent=self\b|\binside\b", ast.unparse(call))
    ]
    assert without == []


@each_component
def test_every_child_s_name_is_derived_from_the_component_s(module: Module, node: ast.ClassDef) -> None:
    fixed = [
        ast.unparse(call.args[0])
        for call in calls(node)
        if makes_a_resource(call) and "name" not in ast.unparse(call.args[0])
    ]
    assert fixed == []


@each_component
def test_a_component_takes_its_arguments_as_frozen_keywords(module: Module, node: ast.ClassDef) -> None:
    parameters = [argument.arg for argument in constructor(node).args.args]
    assert parameters[:3] == ["self", "name", "args"]
    assert parameters[-1] == "opts"


@each_component
def test_a_component_says_what_it_creates_and_types_what_it_gives(module: Module, node: ast.ClassDef) -> None:
    assert ast.get_docstring(node)
    declared = {ast.unparse(one.target) for one in node.body if isinstance(one, ast.AnnAssign)}
    assigned = {
        target.attr
        for one in ast.walk(node)
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
    }
    assert assigned - declared == set()


def test_arguments_are_frozen_and_given_by_keyword() -> None:
    loose = [
        f"{module.name}.{node.name}"
        for module in modules("infra/components")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and node.name.endswith("Args")
        and [ast.unparse(one) for one in node.decorator_list] != ["dataclass(frozen=True, kw_only=True)"]
    ]
    assert loose == []


def test_no_resource_is_made_inside_apply() -> None:
    found = [
        f"{module.name}:{inner.lineno}"
        for module in modules("infra/components", "infra")
        for call in ast.walk(module.tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "apply"
        for argument in call.args
        for inner in ast.walk(argument)
        if isinstance(inner, ast.Call) and makes_a_resource(inner)
    ]
    assert found == []


def test_no_policy_is_written_outside_of_policies() -> None:
    found = [
        module.name
        for module in modules("infra/components")
        if not module.name.endswith(".policies") and '"Effect"' in module.text
    ]
    assert found == []


def constructor(node: ast.ClassDef) -> ast.FunctionDef:
    return next(one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def makes_a_resource(call: ast.Call) -> bool:
    """`aws.lb.Listener(…)`, `random.RandomBytes(…)`, or a component: capitalised, and no Args or options."""
    name = ast.unparse(call.func)
    own = {node.name for _, node in COMPONENTS} | {"Readiness", "Teardown"}
    if name in own:
        return True
    return bool(re.fullmatch(r"(aws|random)\.([a-z_]+\d?\.)?[A-Z]\w+", name)) and not name.endswith("Args")
