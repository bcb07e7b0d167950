"""check_versions.py REQUIREMENTS ... - exits 0 if every package of the files is installed in its pinned version."""
import importlib.metadata
import pathlib
import sys

for line in [line for path in sys.argv[1:] for line in pathlib.Path(path).read_text().splitlines()]:
    name, _, version = line.split("#")[0].strip().partition("==")
    if name and importlib.metadata.version(name).split("+")[0] != version:
        sys.exit(f"{name} is {importlib.metadata.version(name)}, expected {version}")
