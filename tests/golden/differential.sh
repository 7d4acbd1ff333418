#!/bin/sh
# Random command lines on all profiles at hand, run by the real pprof and by us: standard output,
# messages and exit status have to be the same, byte for byte.
#
# usage: differential.sh STROBE [COUNT [SEED [PROFILE_TOOL]]]
#        With PROFILE_TOOL (profile_tool.c) half of the lines are on profiles of odd shapes.
# Environment: COMMANDS (reports to compare), PROFILES (folders of profiles), KEEP=folder (where
# differences go). Exits 77 where there is no pprof.
set -u
strobe=${1:?usage: differential.sh STROBE [COUNT [SEED [PROFILE_TOOL]]]}
count=${2:-200}
seed=${3:-1}
tool=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
commands=${COMMANDS:-"-top -text -traces -raw -tree -tags -dot -comments -peek=. -callgrind -proto -topproto"}
folders=${PROFILES:-"$here/profiles $here/../../../shared/pprof/profiles"}

command -v pprof >/dev/null || { echo "no pprof in PATH: skipped"; exit 77; }
files=$(find $folders -maxdepth 1 -type f 2>/dev/null | sort)
[ -n "$files" ] || { echo "no profiles in $folders: skipped"; exit 77; }
case $strobe in */*) strobe=$(cd "$(dirname "$strobe")" && pwd)/$(basename "$strobe") ;; esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" TZ=UTC LC_ALL=C.UTF-8
unset PPROF_BINARY_PATH PPROF_TOOLS DEBUGINFOD_URLS

# As many odd ones as others; other seeds have others.
if [ -n "$tool" ]; then
    for i in $(seq 60); do
        "$tool" odd "$scratch/odd$i.pb" $((seed * 1000 + i)) || exit 1
        files="$files
$scratch/odd$i.pb"
    done
fi

# One command line a line: three in four of the options are left out each time.
awk -v seed="$seed" -v count="$count" -v files="$files" -v commands="$commands" '
function pick(list,   parts, n) { n = split(list, parts, "\n"); return parts[1 + int(rand() * n)] }
function maybe(p, s) { if (rand() < p) line = line " " s }
function word(   w) {
    w = pick("main\nruntime\npricing|Compound\n^main\\.main$\ncatalog\n.\n(?i)APPLY\n\\.go$\nnosuch\nmal+oc\n[A-Z]\\w+\nstore|Grow\n\\(\\*\nfile\nmain.go\n^$\n(?:os|io)\\.\n[[:upper:]]{2}\n\\bmain\\b\n(\n*a\n[z-a]\n(?=x)\na{3,2}\n\\8\nx**\n(?P<n>main)\n[^[:alpha:]]x")
    return "\x27" w "\x27"
}
function tag() {
    return "\x27" pick("tenant=beta\nbeta\nalpha,gamma\nstage=.\nsize=1kb:20kb\n:2kb\nbytes=1kb:\nbytes=16b:64b\ndepth=3:5\n2kb:\nnosuch\nage=:300d\next=pm\nmode=exec,x\n=x\n16\n(\n:4") "\x27"
}
BEGIN {
    srand(seed)
    gsub(/ /, "\n", commands)
    for (i = 0; i < count; i++) {
        line = pick(commands)
        maybe(.2, "-focus=" word()); maybe(.15, "-ignore=" word()); maybe(.15, "-hide=" word())
        maybe(.15, "-show=" word()); maybe(.1, "-show_from=" word())
        maybe(.1, "-prune_from=" word()); maybe(.12, "-tagfocus=" tag())
        maybe(.1, "-tagignore=" tag()); maybe(.08, "-tagshow=" word())
        maybe(.08, "-taghide=" word())
        maybe(.12, "-tagroot=" pick("tenant\nstage,tenant\nbytes\nnosuch\nsize,ext\ndepth"))
        maybe(.1, "-tagleaf=" pick("tenant\nstage,tenant\nbytes\nsize\ndepth,ext"))
        maybe(.3, "-nodecount=" pick("0\n1\n3\n7\n20\n-1\n-5\n1000"))
        maybe(.25, "-nodefraction=" pick("0\n0.01\n0.1\n0.5\n1e-3\n2"))
        maybe(.25, "-edgefraction=" pick("0\n0.01\n0.2\n1"))
        maybe(.15, "-trim=" pick("false\ntrue\n0"))
        maybe(.3, "-" pick("cum\nflat"))
        maybe(.5, "-" pick("functions\nfilefunctions\nlines\naddresses\nfiles"))
        maybe(.2, "-noinlines"); maybe(.15, "-showcolumns")
        maybe(.25, "-sample_index=" pick("0\n1\nalloc_space\ninuse_objects\nspace\nsamples\ncpu\n7\nx"))
        maybe(.12, "-mean"); maybe(.15, "-divide_by=" pick("2\n0.5\n3\n1000\n0\n-1"))
        maybe(.3, "-unit=" pick("ms\ns\nauto\nminimum\nkb\nMB\nbytes\nns\nbogus\nhr"))
        maybe(.15, "-relative_percentages"); maybe(.15, "-compact_labels")
        maybe(.15, "-drop_negative"); maybe(.15, "-call_tree"); maybe(.05, "-all_frames")
        maybe(.08, "-add_comment=" pick("x\n\x27#y\x27"))
        maybe(.1, "-trim_path=" pick("example.com\n/srv\n/nosuch"))
        maybe(.05, "-symbolize=" pick("none\nbogus"))
        base = pick(files)
        maybe(.12, "-" pick("base\ndiff_base") "=" base); maybe(.08, "-normalize")
        line = line " " pick(files)
        if (rand() < .15) line = line " " pick(files)
        print line
    }
}' >"$scratch/lines"

# Compressed profiles are compared as what is in them: compressors differ.
run() {
    eval "$1" >"$2" 2>"$2.err" </dev/null
    status=$?
    # Labels of several units are told of in any order.
    sort -o "$2.err" "$2.err"
    if [ "$(head -c 2 "$2" | od -An -tx1)" = " 1f 8b" ]; then
        gzip -dc "$2" >"$2.plain" && mv "$2.plain" "$2"
    fi
    return $status
}

# pprof orders by maps and unstable sorts: where weights differ in sign only, or nodes in nothing
# that is printed, two runs of it differ. Such lines are told apart by running it again.
is_unstable() {
    for again in 1 2 3 4 5 6 7 8; do
        run "pprof $1" "$scratch/again"
        cmp -s "$scratch/want" "$scratch/again" && cmp -s "$scratch/want.err" "$scratch/again.err" ||
            return 0
    done
    return 1
}

n=0 bad=0 unstable=0
while IFS= read -r line; do
    n=$((n + 1))
    run "pprof $line" "$scratch/want"
    want=$?
    run "\"$strobe\" pprof $line" "$scratch/got"
    got=$?
    # Files given twice are told of in any order by pprof, which reads them at the same time.
    if [ $got != $want ] || ! cmp -s "$scratch/want" "$scratch/got" ||
        ! cmp -s "$scratch/want.err" "$scratch/got.err"; then
        if [ $got = $want ] && is_unstable "$line"; then
            unstable=$((unstable + 1))
            continue
        fi
        bad=$((bad + 1))
        echo "differs (status $got, pprof $want): $line"
        if [ -n "${KEEP:-}" ]; then
            mkdir -p "$KEEP"
            for f in want got want.err got.err; do cp "$scratch/$f" "$KEEP/$n.$f"; done
        fi
    fi
done <"$scratch/lines"
echo "$n command lines compared, $bad differ; in $unstable more pprof differs from itself"
[ $bad = 0 ]
