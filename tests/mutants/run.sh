#!/bin/sh
# run.sh - make mutants: plants each mistake of `list` in a copy of the sources, and names the first test that fails.
# A mutant that no test catches, or that can no longer be planted, fails the run. Needs no weights.
#     sh tests/mutants/run.sh [NAME]          only the mutants whose name contains NAME
set -u
cd "$(dirname "$0")/../.." || exit 2
copy=build/mutants
caught=0 survived=0

# fresh: a copy of the sources without the mistake, and without weights
fresh() {
    rm -rf "$copy"
    mkdir -p "$copy/weights/bert-base-uncased" "$copy/tests"
    cp ./*.c ./*.h Makefile "$copy/"
    cp weights/*.c weights/*.h "$copy/weights/"
    cp weights/bert-base-uncased/vocab.txt "$copy/weights/bert-base-uncased/"
    cp -R tests/*.c tests/*.h tests/golden "$copy/tests/"
}

# first_failure: builds the copy and prints the first test that fails, or "does not compile"
first_failure() {
    if make -s -C "$copy" bert build/tests CFLAGS="${MUTANT_CFLAGS:--O1 -march=native}" > "$copy/log" 2>&1; then
        (cd "$copy" && SKIPS_FAIL=0 timeout 300 build/tests > log 2>&1) || awk '/^[a-z]/ { test = $1 } /FAILED/ { print test; found = 1; exit }
            END { if (!found) print test " (crash)" }' "$copy/log"
    else
        echo 'does not compile'
    fi
}

fresh
control=$(first_failure)
if [ -n "$control" ]; then
    echo "without any mistake: $control fails"
    exit 1
fi
while IFS='|' read -r name file command meaning; do
    name=$(echo "$name" | tr -d ' ') file=$(echo "$file" | tr -d ' ') meaning=$(echo "$meaning" | sed 's/^ *//')
    case $name in '' | '#'*) continue ;; *"${1:-}"*) ;; *) continue ;; esac
    fresh
    sed "$command" "$file" > "$copy/$file"
    if cmp -s "$file" "$copy/$file"; then first='its sed command changes nothing any more'; else first=$(first_failure); fi
    case $first in
    '') verdict=SURVIVED ;;
    'does not compile' | 'its sed'*) verdict=$first ;;
    *) verdict= ;;
    esac
    if [ -z "$verdict" ]; then
        caught=$((caught + 1))
        printf '%-30s %-50s caught by %s\n' "$name" "$meaning" "$first"
    else
        survived=$((survived + 1))
        printf '%-30s %-50s %s\n' "$name" "$meaning" "$verdict"
    fi
done < tests/mutants/list
echo "$caught mutants caught, $survived survived"
[ "$survived" -eq 0 ] && [ "$caught" -gt 0 ]
