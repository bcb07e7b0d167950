#!/bin/sh
# mnnconvert_installs.sh - MNN's command mnnconvert runs `pip install` when it starts, in whatever Python comes first in PATH.
#
# One would guess: a converter reads a model and writes one; called by its full path, it leaves other Pythons as they are.
# What happens: it looks for a package with which it would report its use, and where that is missing it runs
# `pip install -U aliyun-log-python-sdk`: not for its own Python, but with the first pip of PATH. That makes protobuf older there.
# Its own Python still lacks the package afterwards.
# Seen with MNN 3.6.1, 2026-11-30; a bystander with protobuf 7.36.2. Exits with 1 if it is otherwise. Both are installed into a temporary
# folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in own bystander; do
    python3 -m venv "$folder/$name"
done
"$folder/own/bin/pip" install --quiet MNN==3.6.1
"$folder/bystander/bin/pip" install --quiet protobuf==7.36.2

packages() { "$folder/$1/bin/pip" list --format=freeze --disable-pip-version-check | grep -v '^pip=\|^setuptools='; }
packages own > "$folder/own.before"
packages bystander > "$folder/before"
PATH=$folder/bystander/bin:$PATH "$folder/own/bin/mnnconvert" --version > "$folder/said" 2>&1 || true
packages own > "$folder/own.after"
packages bystander > "$folder/after"
grep -i "^mnn=" "$folder/own.after"
echo "the Python of MNN itself: $(cmp -s "$folder/own.before" "$folder/own.after" && echo as before || echo other packages)"
echo "the first one in PATH: $(grep -c . "$folder/before") package before, $(grep -c . "$folder/after") after \`mnnconvert --version\`; protobuf" \
     "$(sed -n 's/^protobuf==//p' "$folder/before"), then $(sed -n 's/^protobuf==//p' "$folder/after")"
cmp -s "$folder/own.before" "$folder/own.after" && grep -q aliyun-log-python-sdk "$folder/after" && ! grep -q protobuf==7.36.2 "$folder/after"
