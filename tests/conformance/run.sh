#!/bin/sh
# run.sh - the conformance kit against PyTorch, ONNX Runtime and OpenVINO; the vectors and their runners; the guide.
#     pip install -r tests/conformance/requirements.txt && sh tests/conformance/run.sh
# PYTHON says which python3. Without weights/bert-base-uncased what needs it is skipped aloud; with CI set, it fails.
set -u
cd "$(dirname "$0")/../.." || exit 2
python=${PYTHON:-python3}
work=build/conformance
weights=weights/bert-base-uncased/model.safetensors
passed=0 failed=0 skipped=0
export PYTHONDONTWRITEBYTECODE=1

# step NAME COMMAND ...: runs it, whatever became of the others
step() {
    name=$1
    shift
    echo "== $name"
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; fi
}

# fails COMMAND ...: it must exit with 1, which says "different"; a crash of Python exits with 1 too, so its words count
fails() {
    said=$("$@" 2>&1)
    code=$?
    echo "$said"
    [ $code -eq 1 ] && case $said in *'first difference'*) true ;; *) false ;; esac
}

# verify_vectors KIND MODEL_DIR: every vector of the model is its own trace, so nothing may differ
verify_vectors() {
    for vector in tests/vectors/"$1"-*.safetensors; do
        ./bert verify -q "$vector" -m "$2" > $work/said || { cat $work/said; return 1; }
        echo "$vector: $(tail -n 1 $work/said)"
    done
}

rm -rf $work
# guide NUMBER: the block of Python with that number in GUIDE.md, as printed, must print what stands below it
# ("..." is what varies with PyTorch's rounding)
guide() {
    awk -v number="$1" '/^```python/ { block++; next } /^```/ { if (block == number) exit; next } block == number' \
        tests/conformance/GUIDE.md | sed "s|mine.safetensors|$work/mine.safetensors|" > $work/guide.py
    awk -v number="$1" '/^```python/ { block++; inside = 1; next } /^```$/ { inside = 0; next }
        block == number && !inside && /^    (best|first)/ { sub(/^    /, ""); print }' \
        tests/conformance/GUIDE.md > $work/printed
    "$python" $work/guide.py 2> $work/guide.log | tee $work/said || { cat $work/guide.log; return 1; }
    [ "$(wc -l < $work/printed)" -eq 2 ] && [ "$(wc -l < $work/said)" -eq 2 ] || return 1
    paste -d '\t' $work/printed $work/said | awk -F '\t' '
        { whole = sub(/ ?\.\.\.$/, "", $1) == 0; if (whole ? $1 != $2 : index($2, $1) != 1) { print "not so: " $1; bad = 1 } }
        END { exit bad }'
}

# guide_labels: the file of labels that block 3 writes, and what becomes of it
guide_labels() {
    awk '/^```python/ { block++; next } /^```/ { if (block == 3) exit; next } block == 3' tests/conformance/GUIDE.md \
        > $work/labels.py
    (cd $work && "$python" labels.py) &&
        ./bert trace -q --gradients --inputs $work/inputs.safetensors | grep '^loss.mlm  *()  *[0-9]'
}

mkdir -p $work
step 'build' make -s bert bert64 build/formula build/convert build/learn_steps64 || exit 1
step 'the vectors are the formula and the goldens' "$python" tests/vectors/make_vectors.py --check
step 'odd, written by the formula in C' build/formula odd $work/odd
for kind in seven tiny odd; do
    model=tests/vectors/models/$kind
    [ $kind = odd ] && model=$work/odd
    vectors=$(echo tests/vectors/$kind-*.safetensors)
    # shellcheck disable=SC2086     (several names, none with a blank)
    {
        step "bert verify: $kind" verify_vectors $kind $model
        step "NumPy: $kind" "$python" tests/vectors/runner_numpy.py $model $vectors
        step "PyTorch: $kind" "$python" tests/vectors/runner_torch.py $model $vectors
        step "ONNX, exported: $kind" "$python" tests/conformance/export_onnx.py $model $work/$kind.onnx
        step "ONNX Runtime: $kind" "$python" tests/vectors/runner_onnx.py $work/$kind.onnx $vectors
    }
done

# Do the runners notice? The same model with another eps in its configuration.
cp -R tests/vectors/models/tiny $work/wrong
sed 's/0\.01/0.00001/' tests/vectors/models/tiny/config.json > $work/wrong/config.json
step 'NumPy notices a wrong eps' fails "$python" tests/vectors/runner_numpy.py $work/wrong tests/vectors/tiny-pair.safetensors
step 'PyTorch notices a wrong eps' fails "$python" tests/vectors/runner_torch.py $work/wrong tests/vectors/tiny-pair.safetensors
step 'ONNX, exported: wrong' "$python" tests/conformance/export_onnx.py $work/wrong $work/wrong.onnx
step 'ONNX Runtime notices a wrong eps' fails "$python" tests/vectors/runner_onnx.py $work/wrong.onnx tests/vectors/tiny-pair.safetensors

step 'random tokenizers' "$python" tests/conformance/test_tokenizers.py 300
step 'characters of a word' "$python" tests/unicode/words.py --check
step 'trace against forward hooks' "$python" tests/conformance/test_trace.py
step 'gradients against autograd' "$python" tests/conformance/test_learn.py
step 'planted mistakes of training are named' "$python" tests/conformance/test_learn_mistakes.py
step 'a model from text, its steps, its pieces' "$python" tests/conformance/test_train.py
step 'labels of texts and words, answers: their steps and scores' "$python" tests/conformance/test_train_tasks.py
step 'a teacher: its share of the loss' "$python" tests/conformance/test_teacher.py
step 'planted mistakes are named' "$python" tests/conformance/test_mistakes.py
step 'traces as people record them' "$python" tests/conformance/test_traces.py
step 'weights as people bring them' "$python" tests/conformance/test_weights.py
step 'a model that other people trained: antiberty' "$python" tests/conformance/test_antiberty.py
step 'sentence-transformers: equal vectors, or refused by name' "$python" tests/conformance/test_sentence_transformers.py
step 'whole directories in mixed settings, and the table of refusals' "$python" tests/conformance/test_directories.py
step 'tag and answer: the same as the pipelines' "$python" tests/conformance/test_tag_answer.py
step 'a real token classifier: Rampart' "$python" tests/conformance/test_rampart.py
step 'heads of fine-tuned models, and DistilBERT' "$python" tests/conformance/test_heads.py
step 'ONNX Runtime and OpenVINO pass' "$python" tests/conformance/test_runtimes.py
step 'the guide, with NumPy' guide 1
if [ -f $weights ] || [ -n "${CI:-}" ]; then
    step 'the guide, with PyTorch' guide 2
    step 'the guide, gradients' guide_labels
else
    echo "SKIPPED: the guide, with PyTorch: $weights is missing (make weights)"
    skipped=$((skipped + 1))
fi
rm -rf $work
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
