"""`python -m infra.packaging`: make the function's zip, and print its path, size and digest."""

import sys
from pathlib import Path

from infra.packaging.function import build_function_zip
from infra.packaging.problem import PackagingError

if len(sys.argv) > 1:
    sys.exit("usage: python -m infra.packaging")
try:
    package = build_function_zip(root=Path(__file__).parents[2])
except PackagingError as problem:
    sys.exit(f"packaging: {problem}")
print(f"{package.path}\n{package.size:,} bytes, sha256 {package.sha256}")
