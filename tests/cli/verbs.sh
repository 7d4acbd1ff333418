#!/bin/sh
# SPDX-License-Identifier: MIT
# verbs.sh STROBE PROFILES: the short verbs that pprof has not: diff, merge, convert, what a shell
# completes, and what a terminal gets that a pipe does not.
set -u
strobe=$1 profiles=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
one=$profiles/kern_cpu.pb.gz
failed=0
wrong()
{
    echo "wrong: $*"
    failed=1
}
# expect TEXT FILE: the text stands in the file.
expect()
{
    grep -qF -e "$1" "$2" || {
        wrong "no '$1' in:"
        cat "$2"
    }
}
unset PAGER NO_COLOR
export STROBE_PAGER=cat TERM=xterm

# merge: twice the same is exactly twice as much, and diff says so of each function.
"$strobe" merge -o "$tmp/two.pb.gz" "$one" "$one" 2>/dev/null || wrong "merge fails"
"$strobe" diff "$one" "$tmp/two.pb.gz" >"$tmp/diff" || wrong "diff fails"
expect "more (100%)" "$tmp/diff"
"$strobe" top -compact_labels -nodecount=1 "$one" | tail -1 >"$tmp/top"
name=$(awk '{ print $6 }' "$tmp/top")
expect "$name" "$tmp/diff"
awk '/change%/ { rows = 1; next } /^[0-9]/ { rows = 0 } rows && $3 != "+" $1 {
    print "not doubled: " $0; bad = 1 } END { exit bad }' "$tmp/diff" || wrong "a function"
"$strobe" diff "$tmp/two.pb.gz" "$one" | grep -q ' less (50.00%)' || wrong "half is not 50% less"
"$strobe" diff "$one" "$one" | grep -q 'no change' || wrong "the same profile has changed"
"$strobe" diff -normalize "$one" "$tmp/two.pb.gz" >"$tmp/shares" || wrong "diff -normalize fails"
expect "no change" "$tmp/shares"
"$strobe" diff -diff_base="$one" "$tmp/two.pb.gz" | cmp -s - "$tmp/diff" || wrong "-diff_base"
"$strobe" diff "$one" 2>"$tmp/err" && wrong "diff takes one profile"
expect "the one before and the one after" "$tmp/err"

# Profiles of different kinds cannot be compared or merged: which kinds they are is said. pprof's
# own words stay where pprof's own front was asked.
"$strobe" diff "$one" "$profiles/orders_block.pb.gz" 2>"$tmp/err" && wrong "diff of two kinds"
expect "kern_cpu.pb.gz is a CPU profile (samples, cpu)" "$tmp/err"
expect "orders_block.pb.gz is a block or mutex profile (contentions, delay)" "$tmp/err"
expect "give profiles of one kind" "$tmp/err"
"$strobe" diff -normalize "$one" "$profiles/orders_block.pb.gz" 2>"$tmp/shares"
cmp -s "$tmp/err" "$tmp/shares" || wrong "diff -normalize of two kinds"
"$strobe" merge -o "$tmp/none.pb.gz" "$one" "$profiles/orders_block.pb.gz" 2>"$tmp/err"
expect "nothing that can be added up" "$tmp/err"
"$strobe" pprof -top -diff_base "$one" "$profiles/orders_block.pb.gz" 2>"$tmp/err"
echo "pprof: profiles have empty common sample type list" | cmp -s - "$tmp/err" ||
    wrong "pprof's words for two kinds: $(cat "$tmp/err")"

# A command line that is wrong: what is, what may have been meant, where the help is; status 2.
mistake()
{
    said=$1
    shift
    "$strobe" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    [ $status = 2 ] || wrong "$* ends with $status"
    [ ! -s "$tmp/out" ] && [ "$(wc -l <"$tmp/err")" -le 2 ] || wrong "$* prints $(cat "$tmp/err")"
    expect "$said" "$tmp/err"
    expect "See 'strobe help $1'." "$tmp/err"
}
mistake "no option '--hz': did you mean -F?" record --hz 3 true
mistake "no option '--no-kernal': did you mean --no-kernel?" record --no-kernal true
mistake "no option '--nothing-like-it'" record --nothing-like-it true
mistake "'-F'" record -F
mistake "no option '-nodecout': did you mean -nodecount?" top -nodecout=3 "$one"
mistake "no option '--fcous': did you mean -focus?" diff "$one" --fcous main "$one"
mistake "no option '-htpp': did you mean -http?" web -htpp=: "$one"
mistake "no option '--servr': did you mean --server?" push --servr x "$one"
mistake "no option '--lisen': did you mean --listen?" serve --lisen=:1
mistake "no option '--knd': did you mean --kind?" suite run --knd cpu
mistake "no option '--nosuch'" suite --nosuch
mistake "'-x'" version -x
"$strobe" pprof -nosuch "$one" 2>"$tmp/err"
[ "$(head -1 "$tmp/err")" = "flag provided but not defined: -nosuch" ] || wrong "pprof's own words"

# peek: the expression is the first word.
"$strobe" peek "^$name" "$one" >"$tmp/short" || wrong "peek fails"
"$strobe" pprof -peek="^$name" "$one" >"$tmp/long" 2>&1
cmp -s "$tmp/short" "$tmp/long" || wrong "peek is not pprof -peek"

# convert: by ending and by name; what is written is what the verb of that format prints.
"$strobe" convert -o "$tmp/x.folded" "$one" 2>/dev/null || wrong "convert -o fails"
"$strobe" folded "$one" | cmp -s - "$tmp/x.folded" || wrong "convert to folded"
"$strobe" convert -to=dot "$one" >"$tmp/x.dot" || wrong "convert -to fails"
"$strobe" dot "$one" | cmp -s - "$tmp/x.dot" || wrong "convert to dot"
"$strobe" convert -to=nothing "$one" 2>"$tmp/err" && wrong "a format that is none"
expect "there is no format 'nothing'" "$tmp/err"

# Completion: verbs with what they do; options from the verb's own help; nothing for files.
"$strobe" complete di >"$tmp/complete"
expect "diff	" "$tmp/complete"
"$strobe" complete diff -nodec >"$tmp/complete"
expect "-nodecount=	so many functions" "$tmp/complete"
[ -z "$("$strobe" complete top "$one")" ] || wrong "files are completed"

# A terminal gets colours and the pager; a pipe, NO_COLOR and -o do not.
if command -v script >/dev/null; then
    esc=$(printf '\033')
    script -qec "$strobe top $one" /dev/null </dev/null | tr -d '\r' >"$tmp/terminal"
    grep -q "$esc" "$tmp/terminal" || wrong "no colour on a terminal"
    sed "s/$esc\[[0-9;]*m//g" "$tmp/terminal" >"$tmp/plain"
    "$strobe" top "$one" | cmp -s - "$tmp/plain" || wrong "a terminal gets other text"
    NO_COLOR=1 script -qec "$strobe top $one" /dev/null </dev/null | grep -q "$esc" &&
        wrong "NO_COLOR has colours"
    printf '#!/bin/sh\nsed "s/^/paged: /"\n' >"$tmp/pager"
    chmod +x "$tmp/pager"
    STROBE_PAGER=$tmp/pager script -qec "$strobe top $one" /dev/null </dev/null |
        grep -q '^paged: ' || wrong "no pager on a terminal"
    STROBE_PAGER=/nonexistent script -qec "$strobe top $one" /dev/null </dev/null >"$tmp/none"
    expect "flat%" "$tmp/none"
else
    echo "there is no 'script': terminals are not tried"
fi
exit $failed
