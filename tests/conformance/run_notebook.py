#!/usr/bin/env python3
"""run_notebook.py - executes notebooks/7-verify-your-own.ipynb in the repository's root.

    python3 tests/conformance/run_notebook.py           runs it; exits 1 if a cell fails or the promised sentences are missing
    python3 tests/conformance/run_notebook.py --write   and stores the outputs
"""
import os
import re
import sys

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATH = os.path.join(ROOT, "notebooks", "7-verify-your-own.ipynb")
PROMISED = (r"first difference: encoder\.layer\.3\.output\.dense\b", r"bias", r"no difference")


def said(notebook):
    """Everything that the cells printed."""
    return "".join(output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)


def tidy(notebook):
    """What differs from run to run says nothing: cell ids, times, the version of the kernel."""
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"}})


def main():
    notebook = nbformat.read(PATH, as_version=4)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": ROOT}}).execute()
    except CellExecutionError as error:
        sys.exit(f"{os.path.basename(PATH)}: {error}")
    tidy(notebook)
    text = said(notebook)
    missing = [p for p in PROMISED if not re.search(p, text)]
    paths = any(word in text for word in (ROOT, os.path.expanduser("~") + "/", "site-packages"))
    if sys.argv[1:] == ["--write"]:
        nbformat.write(notebook, PATH)
    for pattern in missing:
        print(f"{os.path.basename(PATH)}: nothing printed matches /{pattern}/")
    if paths:
        print(f"{os.path.basename(PATH)}: a path of this machine is in the outputs")
    if not missing:
        print(f"{os.path.basename(PATH)}: {len(notebook.cells)} cells, {len(text.splitlines())} lines printed")
    sys.exit(1 if missing or paths else 0)


if __name__ == "__main__":
    main()
