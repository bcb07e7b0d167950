"""Runs the commands in the ```console blocks of Markdown pages and checks what they print.

    python3 tests/check_documents.py                     notebooks/ERRATA.md; and what COVERAGE.md names exists
    python3 tests/check_documents.py PAGE.md ...         these pages

A line that begins with `$ ` is a command (a line that ends with a backslash goes on), the lines after it are what it
prints, stdout and stderr together. Every line must be there, in this order, with the same words; `...` stands for any
number of lines, and blanks at a line's end do not count. A command with no lines after it must print nothing. Standard library only; needs ./bert and the weights.
"""
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent


def blocks(text):
    """(line number, command, expected lines) of every command in a console block."""
    inside, found = False, []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```"):
            inside = line.strip() == "```console"
        elif inside and found and found[-1][1].endswith("\\") and not found[-1][2]:
            found[-1][1] = found[-1][1][:-1] + line
        elif inside and line.startswith("$ "):
            found.append([number, line[2:], []])
        elif inside and found:
            found[-1][2].append(line.rstrip())
    return found


def differs(printed, expected):
    """The first expected line that is not where it should be, or None."""
    at, anywhere = 0, False
    for line in expected:
        if line == "...":
            anywhere = True
            continue
        places = [i for i in range(at, len(printed)) if printed[i] == line]
        if not places or (not anywhere and places[0] != at):
            return line
        at, anywhere = places[0] + 1, False
    return None if anywhere or at == len(printed) else "(the end)"


def check_coverage(page):
    """Links lead to files, commands are commands, errata exist. The first wrong thing, or None."""
    text = (root / page).read_text()
    known = subprocess.run(["./bert", "--help"], cwd=root, text=True, stdout=subprocess.PIPE, check=True).stdout
    verbs = re.findall(r"^  ([a-z-]+) ", known, re.M)
    numbers = re.findall(r"^### (F?)(\d+)\.", (root / "notebooks/ERRATA.md").read_text(), re.M)
    for link in re.findall(r"\]\((?!https:)([^)#]+)\)", text):
        if not (root / page).parent.joinpath(link).exists():
            return f"there is no {link}"
    for row in (line for line in text.split("\n") if line.startswith("|")):
        for command in re.findall(r"`([a-z][a-z-]*)(?: [^`]*)?`", row.split("|")[-2]):
            if command not in verbs:
                return f"{command} is no command"
    for kind, number in re.findall(r"\b([EF]) (\d+)", text):
        if (kind.replace("E", ""), number) not in numbers:
            return f"there is no {kind} {number}"
    return None


passed = failed = 0
if len(sys.argv) == 1:
    wrong = check_coverage("notebooks/COVERAGE.md")
    if wrong:
        print(f"notebooks/COVERAGE.md: {wrong}")
    passed, failed = (0, 1) if wrong else (1, 0)
for page in sys.argv[1:] or ["notebooks/ERRATA.md"]:
    text = (root / page).read_text()
    commands = blocks(text)
    if not commands:
        sys.exit(f"{page}: there is no command to run")
    for heading in re.findall(r"^### (.*)", text, re.M):
        section = text.split("### " + heading + "\n", 1)[1].split("\n### ")[0]
        if "```console" not in section:
            print(f"{page}: '{heading}' proves nothing")
            failed += 1
    for number, command, expected in commands:
        done = subprocess.run(["sh", "-c", command], cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=300)
        printed = [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")]
        wrong = differs(printed, expected or [""])
        if wrong is None:
            passed += 1
            continue
        failed += 1
        print(f"{page}:{number}: {command}\n    missing: {wrong}\n    printed:")
        print("\n".join("        " + line for line in printed[:30]))
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(1 if failed else 0)
