"""Do the first lines of docs/clients.md run as they stand there?

Those in Kotlin, Java, C#, Go, PHP and Ruby run beside their scenarios (test_kotlin.py …), those in
Swift and Dart are parsed (test_parsed.py).
"""

import sys

from tests.clients.generators import NODE_MODULES, node, python, run, typescript


def test_python(tmp_path, lines, titles):
    python(tmp_path / "catalogue")
    (tmp_path / "first.py").write_text(lines("python"))
    assert run(sys.executable, "first.py", cwd=tmp_path) == titles


def test_typescript(tmp_path, lines, titles):
    (tmp_path / "client").mkdir()
    typescript(tmp_path / "client")
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "first.ts").write_text(lines("typescript"))
    options = (
        "--strict",
        "--noEmit",
        "--module",
        "preserve",
        "--target",
        "es2022",
        "--skipLibCheck",
    )
    node("tsc", *options, "first.ts", cwd=tmp_path)
    node(*("esbuild", "first.ts", "--format=esm", "--bundle", "--outfile=first.mjs"), cwd=tmp_path)
    assert run("node", "first.mjs", cwd=tmp_path) == titles
