#!/bin/sh
# faults.sh - the second half of make faults: what a system does to a program. Needs ./bert, build/convert and build/formula;
# no weights. Every line is one promise of tests/THREATS.md; the last line is the count.
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD
work=$(mktemp -d) || exit 2
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

# ok NAME CONDITION...: counts; says what was not so
ok() {
    promise=$1
    shift
    if "$@"; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $promise: $* (exit code ${code:-}, stderr: $(head -c 300 "$work/err" 2> /dev/null))"
    fi
}
skip() { skipped=$((skipped + 1)) && echo "SKIPPED: $1"; }

# run COMMAND...: its exit code in $code, its streams in $work/out and $work/err. A run that hangs ends with 124.
run() {
    timeout 60 "$@" > "$work/out" 2> "$work/err"
    code=$?
}
one_line() { [ "$(wc -l < "$work/err")" -eq 1 ] && grep -q '^bert: \|^convert: ' "$work/err"; }
said() { one_line && grep -qF -- "$1" "$work/err"; }
silent() { [ ! -s "$work/out" ]; }
same() { cmp -s "$1" "$2"; }
no_temporary() { ! ls "$1" | grep -q '\.tmp-'; }

bert=$root/bert model=$work/tiny
build/formula tiny "$model" || exit 2
"$bert" tokenize -m "$model" --format ids 'the cat sat' > "$work/ids"
"$bert" embed -m "$model" 'the cat' 'on the mat' > "$work/vectors"
"$bert" trace -m "$model" -o "$work/trace" 'the cat sat on the mat'

echo '== special files, as every kind of input'
mkdir "$work/d" && mkfifo "$work/fifo" && ln -s loop "$work/loop" && ln -s trace "$work/link"
long=$(printf '%05000d' 0)
for file in "$work/d" "$work/fifo" /dev/zero /dev/null "$work/loop" "$work/none" "$work/$long"; do
    for command in "compare $work/trace $file" "embed -m $model --inputs $file" "verify -m $model $file" \
                   "tokenize -m $file x" "embed -m $file x"; do
        run "$bert" $command
        ok "$(echo "$command" | head -c 60)" [ $code -eq 3 ]
        ok 'one line' one_line
        ok 'nothing on stdout' silent
    done
    run build/convert --sha256 "$file"
    ok "convert --sha256" [ $code -eq 3 ]
done
for name in config.json vocab.txt model.safetensors tokenizer_config.json; do
    for kind in directory fifo device loop socket; do
        cp -r "$model" "$work/special" && rm -f "$work/special/$name"
        case $kind in
        directory) mkdir "$work/special/$name" ;;
        fifo) mkfifo "$work/special/$name" ;;
        device) ln -s /dev/zero "$work/special/$name" ;;
        loop) ln -s "$name" "$work/special/$name" ;;
        socket) ${PYTHON:-python3} -c 'import socket, os, sys; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind(sys.argv[2])' \
            "$work/special" "$name" 2> /dev/null || { rm -rf "$work/special" && skip 'no Python for a socket' && continue; } ;;
        esac
        run "$bert" embed -m "$work/special" x
        # a link that leads nowhere but to itself is no file: an optional one is not there
        if [ $kind$name = looptokenizer_config.json ]; then ok "$name: $kind" [ $code -eq 0 ]
        else ok "$name: $kind" said "$name" && ok "$name: $kind" [ $code -eq 3 ]; fi
        rm -rf "$work/special"
    done
done
run "$bert" compare "$work/trace" "$work/link"
ok 'a symbolic link is followed' [ $code -eq 0 ]
run "$bert" tokenize -m "$model" --format ids -f "$work/d"
ok '-f of a directory' [ $code -eq 3 ]
(sleep 0.2; echo 'the cat sat' > "$work/fifo") &
run "$bert" tokenize -m "$model" --format ids -f "$work/fifo"
ok '-f of a FIFO is read: text may stream' same "$work/out" "$work/ids"
if [ "$(id -u)" -ne 0 ]; then
    chmod 000 "$work/trace" && run "$bert" compare "$work/trace" "$work/trace"
    ok 'no permission' said 'Permission denied'
    chmod 644 "$work/trace"
fi

for arguments in '' 'one' '--nonsense x' 'a b c'; do
    run build/convert $arguments
    ok "convert $arguments: usage" [ $code -eq 2 ]
    ok 'one line' one_line
done

echo '== standard streams'
for n in 0 1 2 01 02 12 012; do
    set --
    case $n in *0*) in='<&-' ;; *) in='</dev/null' ;; esac
    case $n in *1*) out='>&-' ;; *) out=">$work/out" ;; esac
    case $n in *2*) err='2>&-' ;; *) err="2>$work/err" ;; esac
    eval "'$bert' tokenize -m '$model' --format ids 'the cat sat' $in $out $err"
    code=$?
    case $n in *1*) ok "fds $n closed" [ $code -eq 6 ] ;; *) ok "fds $n closed" same "$work/out" "$work/ids" ;; esac
    eval "'$bert' trace -m '$model' -o '$work/again' 'the cat sat on the mat' $in $out $err"
    ok "fds $n closed, -o" same "$work/again" "$work/trace"
    rm -f "$work/again"
    eval "build/convert --sha256 '$work/trace' $in $out $err"
    code=$?
    case $n in *1*) ok "convert, fds $n closed" [ $code -eq 6 ] ;; *) ok "convert, fds $n closed" [ $code -eq 0 ] ;; esac
done
if [ -w /dev/full ]; then
    for command in 'tokenize the' 'vocab 1:3' 'embed the' 'embed --format npy the' 'similarity the cat' 'rank the cat' 'fill-mask [MASK]' \
                   'next-sentence a b' 'attention the' 'trace the' info 'help' "compare $work/trace $work/trace" "verify $work/trace"; do
        verb=${command%% *} rest=
        case $command in *' '*) rest=${command#* } ;; esac
        case $verb in help | compare) m= ;; *) m="-m $model" ;; esac
        timeout 60 "$bert" $verb $m $rest > /dev/full 2> "$work/err"
        code=$?
        ok "$verb > /dev/full" [ $code -eq 6 ]
        ok "$verb > /dev/full" one_line
    done
    build/convert --sha256 "$work/trace" > /dev/full 2> "$work/err"
    code=$?
    ok 'convert > /dev/full' [ $code -eq 6 ]
else skip '/dev/full is missing'; fi
yes 'the cat' | head -100000 > "$work/many"
{ "$bert" tokenize -m "$model" --format ids -f "$work/many" 2> "$work/err"; echo $? > "$work/code"; } | head -1 > "$work/out"
code=$(cat "$work/code")
ok 'a broken pipe ends it as SIGPIPE does' [ "$code" -eq 141 ]
ok 'and silently' [ ! -s "$work/err" ]
{ (trap '' PIPE; "$bert" tokenize -m "$model" --format ids -f "$work/many" 2> "$work/err"; echo $? > "$work/code"); } | head -1 > "$work/out"
code=$(cat "$work/code")
ok 'where SIGPIPE is ignored: exit code 6' [ "$code" -eq 6 ]

echo '== output files'
size=$(wc -c < "$work/trace")
for limit in 0 1 2 4 8 16 32 64 96 128 $((size / 1024)); do       # kilobytes; the last one may be too small by less than one
    mkdir -p "$work/o" && echo old > "$work/o/answer"
    (trap '' XFSZ; ulimit -f "$limit" 2> /dev/null; exec "$bert" trace -m "$model" -o "$work/o/answer" 'the cat sat on the mat') \
        > "$work/out" 2> "$work/err"
    code=$?
    if [ $code -eq 0 ]; then ok "limit $limit" same "$work/o/answer" "$work/trace"; else
        ok "limit of $limit blocks: exit code 6" [ $code -eq 6 ]
        ok "limit of $limit blocks: the old file" [ "$(cat "$work/o/answer")" = old ]
    fi
    (ulimit -f "$limit" 2> /dev/null; exec "$bert" trace -m "$model" -o "$work/o/answer" 'the cat sat on the mat') > "$work/out" 2> "$work/err"
    code=$?
    ok "limit of $limit blocks, by SIGXFSZ" [ $code -eq 153 -o $code -eq 0 ]
    ok "limit of $limit: nothing left behind" no_temporary "$work/o"
    rm -r "$work/o"
done
cp "$work/trace" "$work/self"
run "$bert" embed -m "$model" --inputs "$work/self" --format npy -o "$work/self"
ok 'an output may replace its own input' [ $code -eq 0 ]
run "$bert" embed -m "$model" x -o "$model/model.safetensors/x"
ok '-o below a file' [ $code -eq 6 ]
run "$bert" embed -m "$model" x -o "$work/d"
ok '-o of a directory' said 'is a directory'
if [ "$(id -u)" -eq 0 ] && command -v setpriv > /dev/null; then as='setpriv --reuid=65534 --clear-groups'; else as=; fi
if [ "$(id -u)" -ne 0 ] || [ -n "$as" ]; then
    mkdir "$work/locked" && echo old > "$work/locked/answer" && chmod 755 "$work" && chmod 555 "$work/locked"
    if $as test -x "$bert" && $as test -r "$model/vocab.txt"; then
        run $as "$bert" tokenize -m "$model" -o "$work/locked/answer" x
        ok 'a directory that cannot be written: exit code 6' [ $code -eq 6 ]
        ok 'and the old file' [ "$(cat "$work/locked/answer")" = old ]
        ok 'and the reason' said 'Permission denied'
    else skip 'the program cannot be run by another user here'; fi
    chmod 755 "$work/locked"
else skip 'root may write everywhere'; fi
run sh -c "umask 077; exec '$bert' tokenize -m '$model' -o '$work/private' x"
ok 'umask 077' [ "$(ls -l "$work/private" | cut -c1-10)" = -rw------- ]

echo '== signals'
mkdir "$work/k"
whole=0 old=0 n=0
while [ $n -lt 60 ]; do                                           # killed at many moments of a run of some 20 ms
    n=$((n + 1))
    echo old > "$work/k/answer"
    "$bert" trace -m "$model" -o "$work/k/answer" 'the cat sat on the mat' 2> /dev/null &
    pid=$!
    sleep "0.0$(printf '%02d' $((n % 30)))"
    { kill -9 $pid; wait $pid; } 2> /dev/null
    if same "$work/k/answer" "$work/trace"; then whole=$((whole + 1)); elif [ "$(cat "$work/k/answer")" = old ]; then old=$((old + 1)); fi
done
ok "kill -9: the old file ($old times) or the whole new one ($whole times)" [ $((whole + old)) -eq 60 ]
rm -f "$work/k/"*
for signal in HUP:1 INT:2 TERM:15; do
    name=${signal%:*}
    mkfifo "$work/k/lines"
    { echo the; sleep 5; } > "$work/k/lines" &
    writer=$!
    # a background job of a script ignores SIGINT, and all that nohup started SIGHUP; Python gives them back
    ${PYTHON:-python3} -c 'import os, signal as s, sys; s.signal(s.SIG'$name', s.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' \
        "$bert" tokenize -m "$model" -o "$work/k/answer" -f "$work/k/lines" 2> /dev/null &
    pid=$!
    n=0
    while [ $n -lt 100 ] && no_temporary "$work/k"; do sleep 0.05; n=$((n + 1)); done
    kill -$name $pid
    wait $pid
    code=$?
    kill $writer 2> /dev/null
    ok "SIG$name: seen from outside as by default" [ $code -eq $((128 + ${signal#*:})) ]
    ok "SIG$name removes the temporary file" no_temporary "$work/k"
    ok "SIG$name makes no answer" [ ! -e "$work/k/answer" ]
    rm -f "$work/k/lines"
done

echo '== weights that change while they are mapped'
cp -r "$model" "$work/moving" && mkfifo "$work/lines"
"$bert" embed -m "$work/moving" -f "$work/lines" > "$work/out" 2> "$work/err" &
pid=$!
{ echo 'the cat'; sleep 0.5; build/formula odd "$work/odd" && mv "$work/odd/model.safetensors" "$work/moving/model.safetensors"
  echo 'on the mat'; } > "$work/lines"
wait $pid
code=$?
ok 'replaced by rename: harmless' same "$work/out" "$work/vectors"
cp "$model/model.safetensors" "$work/moving/"
"$bert" embed -m "$work/moving" -f "$work/lines" > "$work/out" 2> "$work/err" &
pid=$!
{ echo 'the cat'; sleep 0.5; : > "$work/moving/model.safetensors"; echo 'on the mat'; } > "$work/lines"
wait $pid
code=$?
ok 'cut while mapped: exit code 3' [ $code -eq 3 ]
ok 'cut while mapped: names the file' said 'moving/model.safetensors: was shortened'

echo '== limits of the process, its environment'
for kb in 64 128 256; do
    (ulimit -s $kb && exec "$bert" embed -m "$model" 'the cat' 'on the mat') > "$work/out" 2> "$work/err"
    ok "stack of $kb kB" same "$work/out" "$work/vectors"
    (ulimit -s $kb && exec "$bert" verify -m "$model" "$work/trace") > "$work/out" 2> "$work/err"
    code=$?
    ok "stack of $kb kB, verify" [ $code -eq 0 ]
done
for kb in 4000 6000 8000 12000 20000; do
    (ulimit -v $kb && exec "$bert" embed -m "$model" 'the cat' 'on the mat') > "$work/out" 2> "$work/err"
    code=$?
    # 127 and above 128: the system could not even load the program
    if [ $code -eq 0 ]; then ok "$kb kB of addresses" same "$work/out" "$work/vectors"
    else ok "$kb kB of addresses" [ $code -eq 6 -o $code -eq 127 -o $code -gt 128 ]; fi
done
(ulimit -v 60000 && exec "$bert" tokenize -m "$model" -f /dev/zero) > "$work/out" 2> "$work/err"
code=$?
ok 'no end and no memory: exit code 6' [ $code -eq 6 ]
ok 'and one line' said 'out of memory'
for locale in tr_TR.UTF-8 de_DE.UTF-8 C; do
    LC_ALL=$locale LANG=$locale "$bert" embed -m "$model" 'the cat' 'on the mat' > "$work/out" 2> "$work/err"
    ok "locale $locale" same "$work/out" "$work/vectors"
done
env -i "$bert" embed -m "$model" 'the cat' 'on the mat' > "$work/out" 2> "$work/err"
ok 'an empty environment' same "$work/out" "$work/vectors"
for n in 1 2 3 4 5 6 7 8; do "$bert" embed -m "$model" 'the cat' 'on the mat' > "$work/out$n" & done
wait
for n in 1 2 3 4 5 6 7 8; do ok "run $n of eight at a time" same "$work/out$n" "$work/vectors"; done

echo '== large and strange files: linear time, bounded memory (each within 60 s and 600 MB)'
make_big() {
    ${PYTHON:-python3} - "$1" "$2" << 'PYTHON'
import sys
kind, path = sys.argv[1:]
size = 99_000_000
header = {
    "spaces": lambda: b"{" + b" " * size + b"}",
    "tensors": lambda: b"{" + b",".join(b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(10**6)) + b"}",
    "name": lambda: b'{"' + b"n" * size + b'":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
    "nesting": lambda: b'{"x":' + b"[" * size,
    "metadata": lambda: b'{"__metadata__":{"a":"' + b"m" * size + b'"}}',
    "unfinished": lambda: b'{"x":"' + b"\\u0041" * (size // 6),
}[kind]()
open(path, "wb").write(len(header).to_bytes(8, "little") + header)
PYTHON
}
for kind in spaces:1 tensors:1 name:1 metadata:1 nesting:3 unfinished:3; do
    make_big "${kind%:*}" "$work/big" || { skip 'no Python for large files' && break; }
    (ulimit -v 600000; exec timeout 60 "$bert" compare "$work/big" "$work/trace") > "$work/out" 2> "$work/err"
    code=$?
    # read to its end, it is a trace without ids, and differs: 1. (3: refused by the reader)
    ok "99 MB of ${kind%:*}" [ $code -eq "${kind#*:}" -o $code -eq 3 ]
    ok "99 MB of ${kind%:*}: a line" [ "$(wc -c < "$work/err")" -lt 1200 ]
done
rm -f "$work/big"
cp -r "$model" "$work/lines.d"
awk 'BEGIN { for (i = 0; i < 1000000; i++) print "w" i }' >> "$work/lines.d/vocab.txt"
run "$bert" tokenize -m "$work/lines.d" --format ids 'the w999999'
ok 'a vocabulary of a million lines' [ $code -eq 0 ]
run "$bert" embed -m "$work/lines.d" x
ok 'more pieces than the model has rows' [ $code -eq 3 ]
head -c 16777300 /dev/zero | tr '\000' '\n' > "$work/lines.d/vocab.txt"
run "$bert" tokenize -m "$work/lines.d" x
ok 'a vocabulary of 17 million lines' said 'more than 16777216 lines'
{ cat "$model/config.json" | tr -d '\n' | sed 's/}$//'; head -c 20000000 /dev/zero | tr '\000' ' '; echo '}'; } > "$work/lines.d/config.json"
cp "$model/vocab.txt" "$work/lines.d/"
run "$bert" embed -m "$work/lines.d" 'the cat' 'on the mat'
ok 'a configuration with 20 MB of spaces' same "$work/out" "$work/vectors"
head -c 268435457 /dev/zero | timeout 60 "$bert" tokenize -m "$model" > "$work/out" 2> "$work/err"
code=$?
ok 'a line of more than 256 MiB: exit code 4' [ $code -eq 4 ]
ok 'and its number' said 'line 1: more than 268435456 bytes'
awk 'BEGIN { for (i = 0; i < 64; i++) { printf "the"; for (j = 0; j < 4000; j++) printf "%1000s", ""; print "cat" } }' > "$work/blanks"
(ulimit -v 150000; exec timeout 60 "$bert" embed -q -m "$model" -f "$work/blanks") > "$work/out" 2> "$work/err"
code=$?
ok '64 lines with 4 MB of blanks' [ $code -eq 0 -a "$(sort -u "$work/out" | wc -l)" -eq 1 -a "$(wc -l < "$work/out")" -eq 64 ]

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && { [ $skipped -eq 0 ] || [ "${SKIPS_FAIL:-0}" != 1 ]; }
