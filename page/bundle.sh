#!/bin/sh
# bundle.sh MODEL_DIRECTORY OUT - one file of everything: page.html with the style, the modules, the two programs, the
# model and the C of the sixteen steps. Modules become one script, in the order in which they use each other, without
# their import and export words; so no two may have a name of theirs in common. Binary parts are gzip, as base64.
set -eu
model=$1 out=$2
[ -f "$model/config.json" ] || { echo "make page: $model/config.json is not there: PAGE_MODEL=DIRECTORY names a model" >&2; exit 1; }
work=$(dirname "$out")/page
mkdir -p "$work"

# modules FILE ...: without import lines and the word export
modules() { sed '/^import .* from /d; s/^export //' "$@"; }
packed() { gzip -9 -n -c "$1" | base64 | tr -d '\n'; }

{
    printf '<script type="text/plain" id="worker" data-model="%s">\n' "$(basename "$model")"
    modules page/wasi.js page/core.js page/worker.js
    echo '</script>'
    for build in exact relaxed; do
        printf '<script type="text/plain" id="%s">' $build
        packed "$work/$build.wasm"
        echo '</script>'
    done
    # What a directory can have and tokenizer_load and bert_load read.
    for file in config.json vocab.txt tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json \
                model.safetensors; do
        [ -f "$model/$file" ] || continue
        printf '<script type="text/plain" data-file="%s">' "$file"
        packed "$model/$file"
        echo '</script>'
    done
    # How the pocket model grew (weights/pocket/growth.py).
    if [ -f "$model/growth.json" ]; then
        echo '<script type="application/json" id="growth">'
        cat "$model/growth.json"
        echo '</script>'
    fi
    for file in tokenizer.c bert.c; do
        printf '<script type="text/plain" id="source-%s" data-source="%s">' "${file%.c}" "$file"
        packed "$file"
        echo '</script>'
    done
} > "$work/data"
modules page/strings.js page/draw.js page/steps.js page/app.js > "$work/app"

# A line that is @NAME@ becomes a file.
sed -e "/^@STYLE@\$/{r page/page.css
d}" -e "/^@DATA@\$/{r $work/data
d}" -e "/^@APP@\$/{r $work/app
d}" page/page.html > "$out.new"
mv "$out.new" "$out"
echo "$out: $(wc -c < "$out") bytes, with the model $(basename "$model")"
