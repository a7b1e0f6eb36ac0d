#!/usr/bin/env python3
"""A receiver of webhooks for tests: hook_receiver.py PORT LOG SECRET MODE_FILE.

Writes a line "ID JOB TYPE" to LOG for each event that it took, after it has checked its signature: below /jobs that of
the tenant "default". MODE_FILE says what
it does: ok, 500, 410, hang, endless, redirect, and others as ok."""
import base64, hashlib, hmac, http.server, json, os, sys, time

port, log, secret, mode_file = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
key = base64.b64decode(secret[len("whsec_"):])
tenant_key = hmac.new(key, b"gopmill webhook\0default", hashlib.sha256).digest()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        mode = open(mode_file).read().strip()
        if mode == "500":
            return self.say(500)
        if mode == "410":
            return self.say(410)
        if mode == "redirect":
            return self.say(302, [("Location", "http://169.254.169.254/")])
        if mode == "hang":
            time.sleep(3600)
        name, stamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        mac = hmac.new(tenant_key if self.path.startswith("/jobs") else key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
        signed = "v1," + base64.b64encode(mac).decode() in self.headers["webhook-signature"].split(" ")
        event = json.loads(body)
        wrong = [] if signed else ["signature"]
        wrong += [] if event["id"] == name and event["specversion"] == "1.0" else ["id"]
        wrong += [] if abs(int(stamp) - time.time()) < 300 else ["timestamp"]
        wrong += [] if event["subject"] == event["data"]["id"] else ["subject"]
        wrong += [] if self.headers["Content-Type"].startswith("application/cloudevents+json") else ["type"]
        wrong += [] if self.headers.get("traceparent") == event.get("traceparent") == event["data"].get("traceparent") else ["trace"]
        line = f'{name} {event["subject"]} {event["type"]} {" ".join(wrong)}'.strip() + "\n"
        with open(log, "a") as out:
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
        if mode == "endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                self.close_connection = True
            return None
        return self.say(200)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True


server = Server(("127.0.0.1", port), Receiver)
print("READY", server.server_address[1], flush=True)
server.serve_forever()
