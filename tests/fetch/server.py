# SPDX-License-Identifier: MIT
#
# A server as fetch.sh needs it: profiles, errors and symbol pages. Prints its port, and what was
# posted to it.
import http.server
import sys
import threading

HEAP = open(sys.argv[1], "rb").read()
LEGACY = (b"heap profile: 1: 16 [1: 16] @ heapprofile\n"
          b"1: 16 [1: 16] @ 0x401001 0x402001\n2: 64 [2: 64] @ 0x403001\n")


TOGETHER = threading.Barrier(5, timeout=30)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/debug/pprof/heap":
            self.answer(HEAP)
        elif path in ("/debug/pprof/legacy", "/pprof/heap", "/other/heap"):
            self.answer(LEGACY)
        elif path == "/together":  # answers when five ask at the same time
            try:
                TOGETHER.wait()
                self.answer(HEAP)
            except threading.BrokenBarrierError:
                self.send_error(503)
        elif path == "/busy":
            self.answer(b"already in use\n", 500,
                        [("X-Go-Pprof", "1"), ("Content-Type", "text/plain; charset=utf-8")])
        elif path == "/moved":
            self.answer(b"", 302, [("Location", "/debug/pprof/heap")])
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(HEAP[:100])
        elif path == "/query":
            print("query", query, flush=True)
            self.answer(HEAP)
        else:
            self.send_error(404)

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print("posted", self.path, asked, flush=True)
        lines = "".join("%s\tname_%s\n" % (a, a[2:]) for a in asked.split("+"))
        self.answer(("num_symbols: 1\n" + lines).encode())


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
