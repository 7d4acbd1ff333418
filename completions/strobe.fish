# SPDX-License-Identifier: MIT
# Completion of `strobe` for fish: verbs and options from the program itself, else files.
function __strobe_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] complete $words[2..-1] 2>/dev/null
end
complete -c strobe -f -n '__strobe_complete | string length -q' -a '(__strobe_complete)'
