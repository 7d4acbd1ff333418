#!/bin/sh
# Random sessions of the shell, typed into the real pprof and into ours through a pipe: reports,
# messages and exit status have to be the same, byte for byte.
#
# usage: shell.sh STROBE [COUNT [SEED]]
# Environment: PROFILES (folders), KEEP=folder (where differences go). Exits 77 without pprof.
set -u
strobe=${1:?usage: shell.sh STROBE [COUNT [SEED]]}
count=${2:-100}
seed=${3:-1}
here=$(cd "$(dirname "$0")" && pwd)
folders=${PROFILES:-"$here/profiles $here/../../../shared/pprof/profiles"}

command -v pprof >/dev/null || { echo "no pprof in PATH: skipped"; exit 77; }
files=$(find $folders -maxdepth 1 -name '*.pb*' 2>/dev/null | sort)
[ -n "$files" ] || { echo "no profiles in $folders: skipped"; exit 77; }
case $strobe in */*) strobe=$(cd "$(dirname "$strobe")" && pwd)/$(basename "$strobe") ;; esac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" TZ=UTC LC_ALL=C.UTF-8
unset PPROF_BINARY_PATH PPROF_TOOLS DEBUGINFOD_URLS BROWSER DISPLAY

# A session a line, its lines parted by "\n", behind the profile and a tab.
awk -v seed="$seed" -v count="$count" -v files="$files" '
function pick(list,   parts, n) { n = split(list, parts, "|"); return parts[1 + int(rand() * n)] }
function word() { return pick("main|runtime|^main\\.main$|catalog|.|nosuch|mal+oc|(|*a|-runtime|--|-|3|07|-1|+4|99999999999|>out|> out|>|-cum|--cum|Grow|µ|x=y|\\") }
function option() { return pick("focus|ignore|hide|show|show_from|prune_from|tagfocus|tagignore|tagshow|taghide|tagroot|tagleaf|nodecount|nodefraction|edgefraction|unit|divide_by|sample_index|mean|trim|drop_negative|call_tree|noinlines|showcolumns|compact_labels|relative_percentages|granularity|sort|output|trim_path|intel_syntax|normalize|cum|flat|lines|functions|files|filefunctions|addresses|bogus") }
function value() { return pick("main|runtime|.|(||true|false|T|no|maybe|1|0|3|0.1|1e-3|abc|99999999999999999999|cpu|alloc_space|samples|ms|auto|tenant|tenant=beta|lines|cum|  x  |5 //: five|//:|//: x //:|delay") }
function command() { return pick("top|top|top5|text|tree|peek|traces|raw|tags|comments|dot|callgrind|proto|topproto|top10x|Top|lists|TOP|dot3|peek2|tags7|nodecount3|focus|bogus|bogus9|help|o|options|eog9") }
function line(   s, n) {
    if (rand() < .35)
        return option() pick("=| = |= | =") value()
    if (rand() < .15) return option()
    if (rand() < .1) return "help " pick(option() "|" command() "|top peek|weblist|q|:")
    if (rand() < .1) return pick(":|: top||   |total_cpu|mean_delay|cpu|samples|mean_samples|alloc_space|inuse_space|# x|top;|top=3|=|=3|reset|\ttop\t2 ")
    s = command()
    for (n = int(rand() * 4); n > 0; n--) s = s pick(" |  |\t") word()
    return s
}
BEGIN {
    srand(seed)
    gsub(/\n/, "|", files)
    for (i = 0; i < count; i++) {
        session = ""
        for (n = 1 + int(rand() * 8); n > 0; n--) session = session line() "\\n"
        if (rand() < .2) session = session pick("q|quit|exit|quit now") "\\ntop\\n"
        if (rand() < .1) session = session "top 1"
        options = rand() < .2 ? pick("-lines |-cum |-focus=main |-nodecount=4 |-unit=ms |-mean |-sample_index=0 ") : ""
        print options pick(files) "\t" session
    }
}' >"$scratch/sessions"

# In a folder of its own; the files that appear there are a part of the result.
session() {
    rm -rf "$scratch/at"
    mkdir "$scratch/at"
    (cd "$scratch/at" && eval "$1" <"$scratch/in" >"$2" 2>"$2.err")
    status=$?
    for f in "$scratch"/at/*; do
        [ -f "$f" ] || continue
        echo "== ${f##*/}" >>"$2"
        case $f in *.gz) gzip -dc "$f" ;; *) cat "$f" ;; esac >>"$2" 2>/dev/null ||
            cat "$f" >>"$2"
    done
    # A profile in a file of another name.
    sed -i '/^\x1f\x8b/,$d' "$2"
    return $status
}

n=0 bad=0 unstable=0
tab=$(printf '\t')
while IFS= read -r line; do
    n=$((n + 1))
    printf '%b' "$(printf '%s' "${line#*"$tab"}" | sed 's/\\\([^n]\)/\\\\\1/g')" >"$scratch/in"
    command=${line%%"$tab"*}
    session "pprof $command" "$scratch/want"
    want=$?
    session "\"$strobe\" pprof $command" "$scratch/got"
    got=$?
    if [ $got = $want ] && cmp -s "$scratch/want" "$scratch/got" &&
        cmp -s "$scratch/want.err" "$scratch/got.err"; then
        continue
    fi
    mv "$scratch/got" "$scratch/kept"
    mv "$scratch/got.err" "$scratch/kept.err"
    again=same
    for k in 1 2 3 4; do
        session "pprof $command" "$scratch/got"
        cmp -s "$scratch/want" "$scratch/got" && cmp -s "$scratch/want.err" "$scratch/got.err" ||
            again=other
    done
    if [ $again = other ]; then
        unstable=$((unstable + 1))
        continue
    fi
    bad=$((bad + 1))
    echo "differs (status $got, pprof $want): $line"
    if [ -n "${KEEP:-}" ]; then
        mkdir -p "$KEEP"
        cp "$scratch/in" "$KEEP/$n.in"
        for f in want want.err kept kept.err; do cp "$scratch/$f" "$KEEP/$n.$f"; done
    fi
done <"$scratch/sessions"
echo "$n sessions compared, $bad differ; in $unstable more pprof differs from itself"
[ $bad = 0 ]
