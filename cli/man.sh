#!/bin/sh
# man.sh BERT - prints the manual page, bert(1), made from what `bert --help`, `bert COMMAND --help` and `bert help options`
# print: there is one place in which the command line is explained. The Makefile runs it.
set -eu
bert=$1
# What is printed as it stands: a backslash is \e in roff, a line must not begin with a point or a quote, - is a minus.
verbatim() {
    echo '.nf'
    sed 's/\\/\\e/g; s/-/\\-/g; s/^\([.'"'"']\)/\\\&\1/'
    echo '.fi'
}

# The examples and the text of one command, without its first line (which becomes the heading) and its last (common options).
body() {
    "$bert" help "$1" | sed '1,2d; /^Options of every command/d'
}

echo '.TH BERT 1 "" "bert '"$("$bert" --version | sed 's/[^0-9]*//')"'"'
echo '.SH NAME'
echo 'bert \- BERT from scratch in C: tokens, vectors, fillers and every intermediate'
echo '.SH SYNOPSIS'
echo '.B bert'
echo '.I COMMAND'
echo '[options] [TEXT ...]'
echo '.SH DESCRIPTION'
"$bert" --help | sed '1,/^Usage/d; /^Exit codes/,$d' | sed '1{/^$/d;}' | verbatim
echo '.SH COMMANDS'
for verb in $("$bert" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'); do
    echo ".SS bert $verb"
    body "$verb" | verbatim
done
echo '.SH OPTIONS'
body options | sed '/^Usage/,/^$/d' | verbatim
echo '.SH "EXIT STATUS"'
"$bert" --help | sed -n '/^Exit codes/,$p' | sed 's/^Exit codes: //' | tr '\n' ' ' | sed 's/\. *$//; s/; /\n.br\n/g; s/-/\\-/g'
echo
echo '.SH ENVIRONMENT'
echo '.B BERT_MODEL'
echo '\- the model directory, where'
echo '.B \-m'
echo 'is not given;'
echo '.B NO_COLOR'
echo '\- no colours on a terminal.'
