#!/bin/sh
# run.sh - make fuzz: runs the fuzz targets, JOBS at a time (1), for SECONDS each, and fails if one finds something.
#     sh tests/fuzz/run.sh SECONDS [TARGET ...]        the targets are built already: build/fuzz/TARGET
#     sh tests/fuzz/run.sh --merge [TARGET ...]        the corpus anew: the seeds, and what was found and adds a branch
# New inputs go to build/fuzz-corpus, what libFuzzer says to build/fuzz-logs, findings to build/fuzz-findings.
set -u
cd "$(dirname "$0")/../.." || exit 2

# one SECONDS TARGET: runs it and prints one line
one() {
    seconds=$1 target=$2 log=build/fuzz-logs/$2.log
    case $target in
    fuzz_tokenizer) longest=600 ;;
    fuzz_vocab) longest=2048 ;;
    fuzz_pieces) longest=4096 ;;
    fuzz_config | fuzz_safetensors) longest=4096 ;;
    fuzz_bundle) longest=20000 ;;
    *) longest=8192 ;;
    esac
    mkdir -p "build/fuzz-corpus/$target" build/fuzz-logs build/fuzz-findings
    # The files that the readers read: in memory where there is such a place. A finding ends the target at once, so
    # that somebody else must remove them.
    FUZZ_DIRECTORY=$(mktemp -d /dev/shm/bert-fuzz-XXXXXX 2> /dev/null || mktemp -d) || exit 2
    export FUZZ_DIRECTORY
    trap 'rm -rf "$FUZZ_DIRECTORY"' EXIT
    # Time: fuzz_begin counts that of the processor. Memory: no reader may ask for more than the file is large, times a
    # small number; 256 MB at once is a finding.
    "build/fuzz/$target" -max_total_time="$seconds" -max_len=$longest -timeout=3600 -report_slow_units=3600 \
        -rss_limit_mb=1024 -malloc_limit_mb=256 -dict="tests/fuzz/$target.dict" \
        -artifact_prefix="build/fuzz-findings/$target-" -print_final_stats=1 \
        "build/fuzz-corpus/$target" "tests/fuzz/corpus/$target" > "$log" 2>&1
    status=$?
    if [ $status -ne 0 ]; then
        echo "$target: FINDING (status $status), see $log"
        grep -E 'NOT SO|ERROR:|runtime error|SUMMARY|Assertion|Test unit' "$log" | head -n 8
        exit 1
    fi
    awk -v target="$target" -v seconds="$seconds" '
        /DONE +cov:/ { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1); if ($i == "ft:") ft = $(i + 1) } }
        /number_of_executed_units/ { runs = $2 }
        /average_exec_per_sec/ { speed = $2 }
        /peak_rss_mb/ { rss = $2 }
        END { printf "%-17s no finding in %d s: %d executions, %d/s, %d edges, %d features, %d MB\n",
              target, seconds, runs, speed, cov, ft, rss; exit runs == 0 }' "$log"
}

# merge TARGET: files with 40 hexadecimal digits are libFuzzer's; those that are small enough and reach a branch that
# nothing before them reaches are kept. (Counters and values of comparisons would keep ten times as many.)
merge() {
    corpus=tests/fuzz/corpus/$1
    find "$corpus" -type f -name '????????????????????????????????????????' ! -name '*[!0-9a-f]*' -exec rm {} +
    small=$(mktemp -d) || exit 2
    find "build/fuzz-corpus/$1" -type f -size -"${BLOCKS:-5}" -exec cp {} "$small" \;          # blocks of 512 bytes
    "build/fuzz/$1" -merge=1 -use_counters=0 "$corpus" "$small" 2>&1 |
        grep 'MERGE-OUTER:.*new'
    rm -rf "$small"
}

if [ "${1:-}" = --one ]; then
    one "$2" "$3"
    exit
fi
if [ "${1:-}" = --merge ]; then
    shift
    for target in ${*:-$(cd tests/fuzz && ls fuzz_*.c | sed 's/\.c$//')}; do merge "$target"; done
    exit
fi
seconds=${1:?usage: run.sh SECONDS [TARGET ...]}
shift
if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do set -- "$@" "$(basename "$source" .c)"; done
fi
printf '%s\n' "$@" | xargs -n 1 -P "${JOBS:-1}" sh tests/fuzz/run.sh --one "$seconds" || {
    echo 'a fuzz target found something: build/fuzz-findings'
    exit 1
}
