# SPDX-License-Identifier: MIT
"""http_hostile.py HOST:PORT PID: clients that are silent, slow, greedy or half gone, hundreds of
them; whoever asks politely is answered all the same, and the program grows by little."""
import socket
import sys
import time

host, port = sys.argv[1].rsplit(":", 1)
GROWTH_MAX = 128 << 20


def connect():
    s = socket.create_connection((host, int(port)))
    s.settimeout(20)
    return s


def resident():
    with open(f"/proc/{sys.argv[2]}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


def polite(when):
    s = connect()
    s.sendall(b"GET /debug/pprof/cmdline HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    got = b""
    while part := s.recv(65536):
        got += part
    assert got.startswith(b"HTTP/1.1 200"), (when, got)


def send(s, what):
    """What a server that has had enough may refuse."""
    try:
        s.sendall(what)
    except OSError:
        pass


before = resident()
polite("alone")

s = connect()
s.sendall(b"GET /debug/pprof/profile?seconds=30 HTTP/1.1\r\nHost: x\r\n\r\n")
time.sleep(1)
s.shutdown(socket.SHUT_WR)
assert s.recv(100).startswith(b"HTTP/1.1 200"), "who only ends his side gets what there is"

silent = [connect() for _ in range(200)]
polite("beside silent ones")
for s in silent:
    send(s, b"GET / HT")
polite("beside slow ones")

greedy = []
for _ in range(60):
    s = connect()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    send(s, b"GET /debug/pprof/heap?debug=1 HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
    greedy.append(s)
polite("beside greedy ones that read nothing")

waiting = []
for _ in range(40):
    s = connect()
    send(s, b"GET /debug/pprof/heap?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
    waiting.append(s)
polite("beside ones that wait")

s = connect()
send(s, b"GET / HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n")
try:
    assert s.recv(40).startswith(b"HTTP/1.1 413"), "a head without end"
except ConnectionResetError:
    pass
grown = resident() - before
assert grown < GROWTH_MAX, f"the program has grown by {grown} bytes"
