"""How clients are made from the contract, in each language and without any hand's work.

`python -m tests.clients.generators typescript FOLDER` is what `make client FOR=typescript` runs.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "schema" / "openapi.yaml"
NODE_MODULES = Path(__file__).parent / "node_modules"


def run(*command, cwd=ROOT, **kwargs):
    """Run this to its end; what it says is shown where it fails."""
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        **kwargs,
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def program(name):
    """A program that is installed beside this Python."""
    return Path(sys.executable).parent / name


def node(name, *arguments, **kwargs):
    """Run a program out of the lock of npm's packages."""
    return run(NODE_MODULES / ".bin" / name, *arguments, **kwargs)


def openapi_generator(language, target, *options):
    return run(
        program("openapi-generator-cli"),
        *("generate", "-i", CONTRACT, "-g", language, "-o", target, *options),
    )


def python(target):
    """openapi-python-client: attrs and httpx, typed."""
    client = program("openapi-python-client")
    return run(
        *(client, "generate", "--path", CONTRACT, "--output-path", target, "--meta", "none"),
        *("--fail-on-warning", "--overwrite"),
        # It formats what it has written.
        env={**os.environ, "PATH": f"{client.parent}:{os.environ['PATH']}"},
    )


def typescript(target):
    """openapi-typescript: types alone, for openapi-fetch."""
    return node("openapi-typescript", CONTRACT, "-o", target / "catalogue.ts")


def kotlin(target):
    """openapi-generator: OkHttp and gson."""
    options = ("--library", "jvm-okhttp4", "--additional-properties=serializationLibrary=gson")
    return openapi_generator("kotlin", target, *options)


def swift(target):
    """openapi-generator: URLSession."""
    options = "--additional-properties=useCustomDateWithoutTime=true"
    return openapi_generator("swift6", target, options)


def dart(target):
    """openapi-generator: http."""
    return openapi_generator("dart", target, "--additional-properties=useOptional=true")


CLIENTS = {
    "python": python,
    "typescript": typescript,
    "kotlin": kotlin,
    "swift": swift,
    "dart": dart,
}


if __name__ == "__main__":
    language, folder = sys.argv[1:]
    if language not in CLIENTS:
        sys.exit(f"Say for what: make client FOR={'|'.join(CLIENTS)}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    CLIENTS[language](Path(folder).resolve())
