"""Exits 0 if every package of requirements.txt is installed in its pinned version."""
import importlib.metadata
import pathlib
import sys

for line in pathlib.Path(__file__).with_name("requirements.txt").read_text().splitlines():
    name, _, version = line.split("#")[0].strip().partition("==")
    if name and importlib.metadata.version(name).split("+")[0] != version:
        sys.exit(f"{name} is {importlib.metadata.version(name)}, expected {version}")
