# SPDX-License-Identifier: MIT
# interrupt.sh BUILD SOURCE: whenever a run is interrupted, nothing of it is left: a command, a
# server with children of its own and a load that ignores signals, after SIGINT, SIGTERM, SIGHUP.
set -eu
. "$2/tests/suite/lib.sh"
needs awk python3

definition command <<'END'
needs: [awk]
command: [awk, "BEGIN { for (;;) s += 1; print \"$WORK\" }"]
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
END
definition server <<'END'
needs: [python3]
ports: [PORT]
prepare: |
  echo "trap '' TERM; while :; do sleep 1; done" >stay.sh
start: [sh, -c, "setsid sh stay.sh & exec python3 -m http.server --bind 127.0.0.1 $PORT"]
ready: http://127.0.0.1:$PORT/
load: |
  trap '' TERM INT
  echo "$PORT" >"$STATE_DIRECTORY/port"
  (setsid sleep 300 &)
  sleep 300
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {url: "http://127.0.0.1:$PORT/", when: during}}
END
definition prepare <<'END'
needs: [sh]
prepare: sleep 300
command: [sh, -c, "true"]
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
END

batch=0
for signal in INT TERM HUP; do
    for program in command server prepare; do
        for wait in 0.4 1.5; do
            batch=$((batch + 1))
            # A shell's background jobs ignore SIGINT, and strobe would inherit that; env resets it.
            env --default-signal=INT "$strobe" suite run "$program" --as "i$batch" \
                >"$here/out" 2>&1 &
            pid=$!
            sleep $wait
            kill -$signal $pid
            status=0
            wait $pid || status=$?
            [ $status -gt 128 ] || fail "$program ended with $status after SIG$signal"
            nothing_is_left
        done
    done
done
if [ -s "$here/state/port" ]; then
    port=$(cat "$here/state/port")
    # Connections of the past may still be waiting; what must be free is listening.
    python3 -c "import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $port))
s.listen()" ||
        fail "port $port is still taken"
fi
