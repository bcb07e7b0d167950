#!/bin/sh
# run.sh - make mutants: plants each mistake of `list` in a copy of the sources, and names the first test that fails, and
# the first number that is not so. The table "Break it yourself" of tests/mutants/README.md must say the same.
# A mutant that no test catches, or that can no longer be planted, fails the run. Needs no weights.
#     sh tests/mutants/run.sh [NAME]          only the mutants whose name contains NAME
# `caught` has a test that fails for each mutant: it is run alone, which takes a tenth of the time. Where there is none,
# or it passes, all tests run, and that is printed.
set -u
cd "$(dirname "$0")/../.." || exit 2
copy=build/mutants
caught=0 survived=0 wrong=0

# fresh: a copy of the sources without any mistake, and without weights but the pocket model's
fresh() {
    rm -rf "$copy"
    mkdir -p "$copy/weights/bert-base-uncased"
    cp ./*.c ./*.h Makefile README.md "$copy/"
    for room in weights verify cli; do
        mkdir -p "$copy/$room"
        cp $room/*.c $room/*.h "$copy/$room/"
    done
    cp cli/*.sh "$copy/cli/"
    cp weights/bert-base-uncased/vocab.txt "$copy/weights/bert-base-uncased/"
    cp -R weights/pocket "$copy/weights/"
    cp -R tests "$copy/"
}

# first_failure [TEST]: builds the copy and prints the first test that fails, "does not compile" or "takes too long"
# (Vectors of 64 bytes, so that every machine has both of the kernel's forms.)
first_failure() {
    if ! make -s -C "$copy" bert build/tests CFLAGS="${MUTANT_CFLAGS:--O2 -march=native -mtune=generic} -DVECTOR_BYTES=64" > "$copy/log" 2>&1; then
        echo 'does not compile'
        return
    fi
    (cd "$copy" && SKIPS_FAIL=0 FIRST_ONLY=1 timeout 1800 build/tests ${1:+"$1"} > log 2>&1)
    case $? in
    0) ;;
    124) echo 'takes too long' ;;
    *) awk '/^[a-z]/ { test = $1 } /FAILED/ { print test; found = 1; exit } END { if (!found) print test " (crash)" }' "$copy/log" ;;
    esac
}

# in_table NAME TEST: a row of tests/mutants/README.md that begins with this mutant names this test
in_table() {
    row=$(grep "^| \`$1\`" tests/mutants/README.md) || return 0
    echo "$row" | grep -q "\`$2\`" || { echo "    tests/mutants/README.md says something else"; false; }
}

# first_number: the first sentence of that test
first_number() {
    sed -n 's/^    not so: //p' "$copy/log" | head -n 1
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
    sed "$command" "$file" > "$copy/$file"                      # the other files, and their objects, are as they were
    test=$(sed -n "s/^$name //p" tests/mutants/caught)
    if cmp -s "$file" "$copy/$file"; then first='its sed command changes nothing any more'; else first=$(first_failure $test); fi
    if [ -z "$first" ] && [ -n "$test" ]; then              # another test, then: slow, and said
        echo "    tests/mutants/caught: $name passes $test"
        first=$(first_failure)
    fi
    cp "$file" "$copy/$file"
    case $first in
    '') verdict=SURVIVED ;;
    'does not compile' | 'takes too long' | 'its sed'*) verdict=$first ;;
    *) verdict= ;;
    esac
    if [ -z "$verdict" ]; then
        caught=$((caught + 1))
        printf '%-30s %-50s caught by %s\n' "$name" "$meaning" "$first"
        printf '    %s\n' "$(first_number)"
        [ -n "$test" ] || echo "    add to tests/mutants/caught: $name $first"
        in_table "$name" "$first" || wrong=$((wrong + 1))
    else
        survived=$((survived + 1))
        printf '%-30s %-50s %s\n' "$name" "$meaning" "$verdict"
    fi
done < tests/mutants/list
echo "$caught mutants caught, $survived survived"
[ "$survived" -eq 0 ] && [ "$caught" -gt 0 ] && [ "$wrong" -eq 0 ]
