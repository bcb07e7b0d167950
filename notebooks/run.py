#!/usr/bin/env python3
"""run.py - executes the notebooks and compares what they print with what is committed.

    python3 notebooks/run.py                    all of them; exits 1 if a cell fails or prints something else
    python3 notebooks/run.py 2-bank 3           these; the beginning of a name is enough
    python3 notebooks/run.py --write 2-bank     stores the outputs instead of comparing them

Text must be equal, character by character: bert's numbers are the same bits everywhere, and a cell rounds what a
library computes. In a cell tagged `digits-vary` (its metadata) numbers may differ, words may not. Pictures must be
there; their dots are not compared.
"""
import base64
import difflib
import glob
import os
import re
import struct
import sys
import time

import matplotlib.font_manager      # noqa: F401     builds matplotlib's cache of fonts here, where it may say so
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)
PROMISED = {"7-verify-your-own": (r"first difference: encoder\.layer\.3\.output\.dense\b", r"bias", r"no difference")}
LARGEST = 200_000       # bytes of a picture


def tidy(notebook):
    """What differs from run to run says nothing: cell ids, times, the version of the kernel, how a stream was cut."""
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"
        cell.metadata.pop("execution", None)
    notebook.metadata = nbformat.from_dict({
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"}})


def text_of(cell):
    """What a cell printed, and the value of its last line."""
    return "".join(output.get("text", "") if output.output_type == "stream"
                   else output.get("data", {}).get("text/plain", "") + "\n"
                   for output in cell.get("outputs", []) if output.get("name") != "stderr")


def pictures_of(cell):
    """The bytes of a cell's PNGs."""
    return [base64.b64decode(output.data["image/png"]) for output in cell.get("outputs", [])
            if "image/png" in output.get("data", {})]


def without_digits(text):
    """Numbers as #, blanks as one: a number of other width moves a column."""
    return re.sub(r"\s+", " ", re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "#", text))


def same_text(cell, old, new):
    if "digits-vary" in cell.metadata.get("tags", []):
        return without_digits(old) == without_digits(new)
    return old == new


def complaints_of_cell(i, old, new):
    """What is wrong with one executed cell, as lines."""
    for output in new.get("outputs", []):
        if output.get("name") == "stderr":
            yield f"cell {i} writes to stderr: {output.text.strip()}"
    for word in (ROOT, os.path.expanduser("~") + "/", "site-packages"):
        if word in text_of(new):
            yield f"cell {i} prints a path of this machine"
    for picture in pictures_of(new):
        width, height = struct.unpack(">II", picture[16:24])
        if picture[:8] != b"\x89PNG\r\n\x1a\n" or min(width, height) < 50 or len(picture) > LARGEST:
            yield f"cell {i}: a picture of {width} x {height} dots and {len(picture)} bytes"
    if old is None:
        return
    if len(pictures_of(old)) != len(pictures_of(new)):
        yield f"cell {i}: {len(pictures_of(new))} pictures, {len(pictures_of(old))} are committed"
    if not same_text(new, text_of(old), text_of(new)):
        yield f"cell {i} prints something else:"
        yield from difflib.unified_diff(text_of(old).splitlines(), text_of(new).splitlines(), "committed", "computed",
                                        lineterm="", n=1)


def execute(path):
    """The notebook, run in its own folder, as Jupyter runs it."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", coalesce_streams=True,
                   resources={"metadata": {"path": FOLDER}}).execute()
    tidy(notebook)
    return notebook


def check(path, write):
    """Runs one notebook, prints what is wrong and a line about it; whether all is well."""
    name = os.path.basename(path).removesuffix(".ipynb")
    start = time.monotonic()
    try:
        notebook = execute(path)
    except CellExecutionError as error:
        print(f"{name}: {error}")
        return False
    committed = nbformat.read(path, as_version=4).cells
    complaints = [complaint for i, (old, new) in enumerate(zip(committed, notebook.cells))
                  for complaint in complaints_of_cell(i, None if write else old, new)]
    said = "".join(text_of(cell) for cell in notebook.cells)
    complaints += [f"nothing printed matches /{pattern}/" for pattern in PROMISED.get(name, ())
                   if not re.search(pattern, said)]
    if write:
        nbformat.write(notebook, path)
    pictures = [picture for cell in notebook.cells for picture in pictures_of(cell)]
    for complaint in complaints:
        print(f"{name}: {complaint}")
    verdict = "FAILED" if complaints else "written" if write else "equal"
    print(f"{name}: {len(notebook.cells)} cells, {len(said.splitlines())} lines, {len(pictures)} pictures of"
          f" {sum(map(len, pictures)) // 1000} kB, {time.monotonic() - start:.0f} s: {verdict}", flush=True)
    return not complaints


def main():
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    names = [name for name in sys.argv[1:] if name != "--write"]
    paths = sorted(glob.glob(os.path.join(FOLDER, "*.ipynb")))
    chosen = [path for path in paths if not names or any(os.path.basename(path).startswith(name) for name in names)]
    if not chosen or any(name.startswith("-") for name in names):
        sys.exit(__doc__)
    sys.exit(0 if all([check(path, "--write" in sys.argv) for path in chosen]) else 1)


if __name__ == "__main__":
    main()
