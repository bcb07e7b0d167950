#!/bin/sh
# embed_part.sh - one part of a larger text through a command such as `./bert embed -q`, for GNU parallel and Spark.
#
#     sh tests/embed_part.sh ./bert embed -q [options] < PART > VECTORS
#
# A line that is rejected ends the command with its number within the part, which says little about the whole: here the
# line itself is shown as well. The exit code is the command's.
set -u
part=$(mktemp) || exit 6
trap 'rm -f "$part" "$part.said"' EXIT
cat > "$part"
"$@" -f "$part" 2> "$part.said"
code=$?
sed "s|^bert: $part: |bert: this part's |" "$part.said" >&2
line=$(sed -n 's/^bert: [^ ]*: line \([0-9]*\).*/\1/p' "$part.said" | head -n 1)
[ $code -eq 0 ] || [ -z "$line" ] || echo "bert: the line is: $(sed -n "${line}p" "$part" | cut -c1-200)" >&2
exit $code
