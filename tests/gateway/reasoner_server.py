"""A reasoner as a process: `python reasoner_server.py MODE`. Prints its address, and `asked` whenever it has read a question.

good   answers in form: a rule is violated whose id stands in the text after `indeed-`, with that as the quote
hang   reads the question and never answers
drip   answers a byte at a time, without end
"""

from __future__ import annotations

import json
import re
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODE = sys.argv[1] if __name__ == "__main__" else ""


def verdicts(question: str) -> str:
    """What a model would say of the question in our own form."""
    said, _, wanted = question.rpartition("\nGive a verdict on: ")
    lines = []
    for rule in wanted.rstrip(".").split(", "):
        quote = f"indeed-{rule}" if f"indeed-{rule}" in said else ""
        lines.append({"rule": rule, "verdict": "violates" if quote else "allowed", "quote": quote, "rationale": "scripted"})
    return json.dumps({"verdicts": lines})


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        print("asked", flush=True)
        while MODE == "hang":
            time.sleep(60)
        content = verdicts(body["messages"][-1]["content"])
        answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer) if MODE == "good" else 1_000_000))
        self.end_headers()
        while MODE == "drip":
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.02)
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    assert re.fullmatch("good|hang|drip", MODE)
    ThreadingHTTPServer.daemon_threads = True
    socketserver.TCPServer.allow_reuse_address = True
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()
