"""How clients are made from the contract, in each language and without any hand's work.

`python -m tests.clients.generators typescript FOLDER` is what `make client FOR=typescript` runs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "schema" / "openapi.yaml"
NODE_MODULES = Path(__file__).parent / "node_modules"
# An assignment to a property of C# after which nothing marks it as set, as its setter does.
SET_UNMARKED = re.compile(r"this\._([A-Z]\w*) = (\w+);\n(?! *if \(this\.\1 )")
# An argument of a constructor of Dart that is sent unless it is given.
PRESENT_UNASKED = re.compile(r"= const Optional\.present\(const (?:\[\]|\{\})\)")


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
        # It ends before Java's second compiler is worth its work: half the processor's time.
        env={**os.environ, "JAVA_OPTS": "-XX:TieredStopAtLevel=1"},
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


def java(target):
    """openapi-generator: the HTTP client of Java itself, and Jackson."""
    # A list is null until it is set: an empty one would be sent, and empty the stored one.
    options = "containerDefaultToNull=true,openApiNullable=true,useSingleRequestParameter=true"
    native = ("--library", "native", f"--additional-properties={options}")
    return openapi_generator("java", target, *native)


def csharp(target, *more):
    """openapi-generator: HttpClient and Newtonsoft.Json."""
    # Otherwise each nullable property is sent, as null.
    options = ",".join(["conditionalSerialization=true", *more])
    library = ("--library", "httpclient", f"--additional-properties={options}")
    said = openapi_generator("csharp", target, *library)
    components = yaml.safe_load(CONTRACT.read_text("utf-8"))["components"]["schemas"]
    for model in target.glob("src/*/Model/*.cs"):
        text = model.read_text("utf-8")
        # A constructor's required arguments would not be sent (the generator's issue 13128).
        text = SET_UNMARKED.sub(r"this.\1 = \2;\n", text)
        # An enum that may be null would not be read when it is (its issue 9190).
        for enum in nullable_enums(components, model.stem):
            text = re.sub(rf"\b{enum} (?=_?[A-Z]\w*(;|\n)|\w+ = default)", f"{enum}? ", text)
        model.write_text(text, "utf-8")
    return said


def nullable_enums(components, name):
    """Names the enums of this component's properties that may be null."""
    for schema in components.get(name, {}).get("properties", {}).values():
        parts = schema.get("oneOf", [])
        if {"type": "null"} in parts:
            names = [part["$ref"].rpartition("/")[2] for part in parts if "$ref" in part]
            yield from (each for each in names if "enum" in components[each])


def go(target):
    """openapi-generator: net/http."""
    # A package of the app's own module, in which two enums may have the same value.
    options = "packageName=catalogue,withGoMod=false,enumClassPrefix=true"
    return openapi_generator(
        *("go", target, f"--additional-properties={options}"),
        "--global-property=apiTests=false,modelTests=false",
    )


def php(target):
    """openapi-generator: Guzzle."""
    return openapi_generator("php", target)


def ruby(target):
    """openapi-generator: Typhoeus."""
    return openapi_generator("ruby", target)


def swift(target):
    """openapi-generator: URLSession."""
    options = "--additional-properties=useCustomDateWithoutTime=true"
    return openapi_generator("swift6", target, options)


def dart(target):
    """openapi-generator: http."""
    said = openapi_generator("dart", target, "--additional-properties=useOptional=true")
    # A list that nobody has set would be sent as an empty one, which empties the stored one.
    for model in target.glob("lib/model/*.dart"):
        text = model.read_text("utf-8")
        model.write_text(PRESENT_UNASKED.sub("= const Optional.absent()", text), "utf-8")
    return said


CLIENTS = {
    "python": python,
    "typescript": typescript,
    "kotlin": kotlin,
    "java": java,
    "csharp": csharp,
    "go": go,
    "php": php,
    "ruby": ruby,
    "swift": swift,
    "dart": dart,
}


if __name__ == "__main__":
    language, folder = sys.argv[1:]
    if language not in CLIENTS:
        sys.exit(f"Say for what: make client FOR={'|'.join(CLIENTS)}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    CLIENTS[language](Path(folder).resolve())
