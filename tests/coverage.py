"""make coverage: which lines of the readers and the tokenizer no test reaches.

    python3 tests/coverage.py COMPILER LINKER_FLAGS SUITE CORE REST FOREIGN FILES

SUITE, CORE, REST and FOREIGN are lists of sources, separated by blanks: of the tests, of the library, of the rest of
`bert`, of the converter; FILES are those that are counted.

Builds the tests, the fault injection and `bert` with gcc's --coverage, runs them without the real weights (the short
tests, in a copy of the sources), and adds up what gcov counted. A line that nothing reached must stand, as it is
written, in tests/COVERAGE-readers.md, which has the reason; one that does not, fails."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
HERE = os.path.join(ROOT, "build", "coverage")
FAST = ["bert.c", "tensor.c", "learn.c"]


def run(command, **more):
    return subprocess.run(command, shell=isinstance(command, str), cwd=HERE, check=True, **more)


def includes(source, files):
    """Whether the source is one of these files or includes one, itself or by way of another source."""
    if source in files:
        return True
    with open(os.path.join(HERE, source), encoding="utf-8") as f:
        inner = re.findall(r'#include "([\w./]+\.c)"', f.read())
    return any(includes(path if os.path.exists(os.path.join(HERE, path)) else "tests/" + path, files) for path in inner)


def build(compiler, wraps, suite, core, rest, foreign, files):
    """What is counted is compiled for each program, since gcov's counts lie beside the objects; the rest once, with
    the optimizer (at -O0 the suite would compute for ten minutes)."""
    def compiled(name, source, flags):
        counted = includes(source, files)
        target = f"{name if counted or flags else 'rest'}/{source.replace('/', '_')[:-2]}.o"
        if not os.path.exists(os.path.join(HERE, target)):
            os.makedirs(os.path.dirname(os.path.join(HERE, target)), exist_ok=True)
            level = "-g -O0 --coverage" if counted else "-O3" if source in FAST else "-O1"
            run(f"{compiler} -march=native {level} {flags} -c {source} -o {target}")
        return target

    def program(name, sources, flags={}, links=""):
        objects = [compiled(name, source, flags.get(source, "")) for source in sources]
        run(f"{compiler} --coverage {links} {' '.join(objects)} -o {name}/{name} -lm")
    made = foreign + ["tests/formula.c", "tests/torch_file.c"]
    program("suite", suite)
    program("faults", core + rest + made + ["tests/faults.c", "tests/checkpoint.c"],
            {"cli/main.c": "-Dmain=bert_main", "tests/faults.c": "-DCOVERAGE"}, wraps)
    program("sweep", core + [file for file in rest if file != "cli/main.c"] + made + ["tests/sweep.c", "tests/sweep_questions.c"],
            links="-Wl,--wrap=file_open,--wrap=malloc,--wrap=calloc,--wrap=realloc")
    program("cli", core + rest)
    shutil.copy(os.path.join(HERE, "cli", "cli"), os.path.join(HERE, "bert"))


def copy_sources():
    shutil.rmtree(HERE, ignore_errors=True)
    os.makedirs(os.path.join(HERE, "weights/bert-base-uncased"))
    for pattern in ("*.c", "*.h", "README.md", "weights/*.[ch]", "verify/*.[ch]", "cli/*", "build/steps.h"):
        for path in glob.glob(os.path.join(ROOT, pattern)):
            copy = os.path.join(HERE, os.path.relpath(path, ROOT))
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copy(path, copy)
    for folder in ("tests", "weights/pocket"):
        shutil.copytree(os.path.join(ROOT, folder), os.path.join(HERE, folder))
    shutil.copy(os.path.join(ROOT, "weights/bert-base-uncased/vocab.txt"), os.path.join(HERE,
                                                                                        "weights/bert-base-uncased"))


def counts(files):
    """{file: {line: largest count}} over all objects; a file that two programs include is added up."""
    lines = {f: {} for f in files}
    for data in glob.glob(HERE + "/*/*.gcda"):
        text = run(["gcov", "--json-format", "--stdout", data], capture_output=True, text=True).stdout
        for unit in text.splitlines():
            for file in json.loads(unit)["files"]:
                name = os.path.relpath(os.path.join(HERE, file["file"]), HERE).replace("tests/../", "")
                if name not in lines:
                    continue
                for line in file["lines"]:
                    n = line["line_number"]
                    lines[name][n] = lines[name].get(n, 0) + line["count"]
    return lines


def runs(environment, log, *command):
    """Whether the command succeeds. What it prints is in the log, and in a second one what it says on stderr."""
    path = os.path.join(HERE, log)
    with open(path, "w") as out, open(path + ".err", "w") as err:
        start = time.monotonic()
        code = subprocess.run(command, cwd=HERE, env=environment, stdout=out, stderr=err).returncode
        print(f"{' '.join(command)}: {time.monotonic() - start:.0f} s", flush=True)
    if code != 0:
        print(f"{' '.join(command)} failed ({code}): see {path}")
    return code == 0


def last_line(name):
    with open(os.path.join(HERE, name), errors="replace") as f:
        return f.read().splitlines()[-1]


def main():
    compiler, wraps = sys.argv[1:3]
    suite, core, rest, foreign, files = (argument.split() for argument in sys.argv[3:])
    copy_sources()
    build(compiler, wraps, suite, core, rest, foreign, files)
    environment = dict(os.environ, SHORT="1", SKIPS_FAIL="0")
    passed = [runs(environment, "suite.log", "suite/suite"), runs(environment, "faults.log", "faults/faults")]
    passed += [runs(environment, f"sweep-{some}.log", "sweep/sweep", some) for some in ("number", "key", "tensors")]
    print("tests:", last_line("suite.log"))
    print("faults:", last_line("faults.log"))
    with open(os.path.join(ROOT, "tests/COVERAGE-readers.md")) as f:
        listed = [line.strip() for line in f if line.startswith("    ")]
    reached = total = unexplained = 0
    for name, lines in counts(files).items():
        source = open(os.path.join(HERE, name)).read().splitlines()
        missing = [n for n, count in sorted(lines.items()) if count == 0]
        reached += len(lines) - len(missing)
        total += len(lines)
        percent = 100 - 100 * len(missing) / max(len(lines), 1)
        print(f"{name:26} {len(lines) - len(missing):4} of {len(lines):4} lines, {percent:.1f} %")
        for n in missing:
            text = source[n - 1].strip()
            known = text in listed
            unexplained += not known
            if known:
                listed.remove(text)                                     # each is listed as often as it occurs
            print(f"    {n:4} {text}{'' if known else '        NOT in COVERAGE-readers.md'}")
    for text in listed:
        print("in COVERAGE-readers.md, but reached or gone:", text)
    print(f"{reached} of {total} lines, {100 * reached / max(total, 1):.1f} %; {unexplained} without a reason")
    return bool(not all(passed) or unexplained or listed or total == 0)


if __name__ == "__main__":
    sys.exit(main())
