"""Reading the sources of the package."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One file of the package."""

    module: str
    path: str
    text: str
    tree: ast.Module

    @property
    def functions(self):
        return [
            node for node in ast.walk(self.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        ]


def read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return Source(module, str(path.relative_to(ROOT)), text, ast.parse(text))


def under_type_checking(tree: ast.Module) -> set[ast.AST]:
    guards = (
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    )
    return {inner for guard in guards for child in guard.body for inner in ast.walk(child)}
