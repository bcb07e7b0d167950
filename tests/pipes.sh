#!/bin/sh
# pipes.sh - many processes, one copy of the weights: two of them by hand, then GNU parallel, then Apache Spark.
#
#     sh tests/pipes.sh [processes]       `processes`: the first part alone, which needs nothing but Linux's /proc
#
# PYTHON says which python3 has pyspark (tests/pipes-requirements.txt). What is not installed is skipped aloud;
# SKIPS_FAIL=1 fails then.
set -u
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3}
work=build/pipes
passed=0 failed=0 skipped=0
rm -rf "$work"
mkdir -p "$work"

model=weights/bert-base-uncased
if [ ! -f $model/model.safetensors ]; then
    model=$work/tiny
    build/formula tiny $model || exit 1
fi
weights=$(wc -c < $model/model.safetensors)

# Twenty lines of different lengths, and their vectors from one process: what everything below must give.
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    echo "line $n: the man went to the $(seq -s ' ' $((n % 7 + 1))) river bank"
done > $work/lines
./bert embed -q -m $model -f $work/lines > $work/expected || exit 1

# judge NAME COMMAND...: counts
judge() {
    name=$1
    shift
    if "$@"; then passed=$((passed + 1)); echo "passed: $name"; else failed=$((failed + 1)); echo "FAILED: $name"; fi
}

skip() {
    skipped=$((skipped + 1))
    echo "    SKIPPED: $1"
}

# ----------------------------------------------------------------------------------------------------------------------
# Two processes at once. Each has answered a line, so each has read all weights of the layers; both still run.
# Rss counts a page in every process that has it, Pss divides it by their number. Other processes that use the same file
# (as in a test that runs beside this one) make Pss smaller still.
# ----------------------------------------------------------------------------------------------------------------------

# mapping PID FIELD...: sum of those fields of /proc/PID/smaps over the mapping of the weights, in bytes
mapping() {
    awk -v wanted=" $2 " '/^[0-9a-f]+-[0-9a-f]+ / { ours = /model\.safetensors$/ }
        ours && index(wanted, " " substr($1, 1, length($1) - 1) " ") { sum += $2 * 1024 }
        END { print sum + 0 }' "/proc/$1/smaps"
}

# start N: a bert that reads a pipe; its process id is in $work/pid.N
start() {
    mkfifo "$work/in.$1"
    ./bert embed -q -m $model < "$work/in.$1" > "$work/out.$1" &
    echo $! > "$work/pid.$1"
}

# answered N COUNT: waits until process N has answered so many lines; not longer than two minutes
answered() {
    tries=0
    while [ "$(wc -l < "$work/out.$1")" -lt "$2" ] && [ $tries -lt 1200 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
}

counted_once() {
    one=$(mapping "$first" Rss) two=$(mapping "$second" Rss)
    own=$(($(mapping "$first" 'Private_Dirty Anonymous') + $(mapping "$second" 'Private_Dirty Anonymous')))
    share=$(($(mapping "$first" Pss) + $(mapping "$second" Pss)))
    larger=$((one > two ? one : two))
    echo "the weights: $weights bytes; resident in each process: $one and $two; in both together: $share; copies: $own"
    [ "$one" -gt $((weights / 2)) ] && [ "$two" -gt $((weights / 2)) ] && [ $own -eq 0 ] &&
        [ $share -le $((larger + larger / 50)) ]
}

if [ -r /proc/self/smaps ]; then
    start 1
    start 2
    exec 8> $work/in.1 9> $work/in.2
    first=$(cat $work/pid.1) second=$(cat $work/pid.2)
    sed 1q $work/lines >&8
    sed 1q $work/lines >&9
    answered 1 1
    answered 2 1
    judge 'two processes hold the weights in memory once' counted_once
    sed 1d $work/lines >&8
    sed 1d $work/lines >&9
    exec 8>&- 9>&-
    wait "$first" "$second"
    judge 'two processes give the same bits as one' cmp $work/out.1 $work/expected
    judge 'and the second one, too' cmp $work/out.2 $work/expected
else
    skip 'there is no /proc/self/smaps here'
fi

# A line's bits do not depend on the lines before it: the file backwards gives the vectors backwards.
sed '1!G;h;$!d' $work/lines | ./bert embed -q -m $model | sed '1!G;h;$!d' > $work/backwards
judge 'the lines in the opposite order give the same bits' cmp $work/backwards $work/expected

# ----------------------------------------------------------------------------------------------------------------------
# GNU parallel: blocks of three lines, two processes at a time, the answers in order
# ----------------------------------------------------------------------------------------------------------------------
bad_block() {
    { sed 7q $work/lines; printf 'a line that is not UTF-8: \377\n'; sed 1,7d $work/lines; } > $work/bad
    parallel --pipe -N 3 -k -j 2 sh tests/embed_part.sh ./bert embed -q -m $model \
        < $work/bad > $work/out 2> $work/said
    code=$?
    cat $work/said
    [ $code -ne 0 ] && grep -q "this part's line 2, byte 27: 0xFF is not valid UTF-8" $work/said &&
        grep -aq 'the line is: a line that is' $work/said
}

if [ "${1:-}" = processes ]; then
    :
elif command -v parallel > /dev/null 2>&1 && parallel --version 2>&1 | grep -q GNU; then
    parallel --pipe -N 3 -k -j 2 ./bert embed -q -m $model < $work/lines > $work/out
    judge 'GNU parallel: the same vectors in the same order' cmp $work/out $work/expected
    judge 'GNU parallel: a bad line is named' bad_block
else
    skip 'GNU parallel is not installed'
fi

# ----------------------------------------------------------------------------------------------------------------------
# Apache Spark
# ----------------------------------------------------------------------------------------------------------------------
spark() {
    "$python" tests/pipes_spark.py $model $work/lines > $work/spark 2>&1
    code=$?
    if [ $code -eq 0 ]; then grep -a -E '(Spark|bert): ' $work/spark; else cat $work/spark; fi | cut -c1-120 | tail -n 20
    [ $code -eq 0 ] && grep -q "this part's line .*tokens, at most" $work/spark &&
        grep -q 'the line is: toolong toolong' $work/spark
}

if [ "${1:-}" = processes ]; then
    :
elif ! command -v java > /dev/null 2>&1; then
    skip 'Java is not installed'
elif ! "$python" tests/check_versions.py tests/pipes-requirements.txt 2> /dev/null; then
    skip "$python has no pyspark of the pinned version (tests/pipes-requirements.txt)"
else
    judge 'Spark: the same vectors in the same order, and a bad line is named' spark
fi

rm -rf $work
echo "pipes: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ] && { [ $skipped -eq 0 ] || [ "${SKIPS_FAIL:-0}" != 1 ]; }
