#!/usr/bin/env python3
"""Calls everything in docs/openapi.yaml on a running server: openapi.py DOCUMENT ROUTES SETTING (tests/system/openapi.sh).
ROUTES: the server's table as print_routes has it. SETTING: JSON of where the server is, its tokens, and places of the test's."""
import base64
import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
import urllib.request

from openapi_check import Api, Document, Wrong, breaks, pointer

NOBODY = "01hzzzzzzzzzzzzzzzzzzzzzzz"  # no job and no upload is called so
failures = []
checks = 0


def check(what, run):
    global checks
    checks += 1
    try:
        return run()
    except (Wrong, AssertionError, OSError, KeyError, ValueError) as e:
        failures.append(what)
        print(f"FAILED: {what}: {e if isinstance(e, Wrong) else repr(e)}", flush=True)
        return None


def expect(what, ok):
    if not ok:
        raise Wrong(what)


def wait_for(what, run, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = run()
        if value:
            return value
        time.sleep(0.05)
    raise Wrong("never: " + what)


# ---- the document itself


def routes_agree(document, routes):
    with open(routes, encoding="utf-8") as f:
        server = set(f.read().split("\n")) - {""}
    ours = document.routes()
    expect(f"not in the document: {sorted(server - ours)}; not in the server: {sorted(ours - server)}", server == ours)


# ---- what holds for each operation


def args_of(op):
    return {p["name"]: "x" if p["name"] in ("node", "pipeline", "path") else NOBODY for p in op["parameters"] if p["in"] == "path"}


def tokens_are_asked_for(api, name, op):
    if op["x-role"] == "open":
        return
    args = args_of(op)
    for who in (None, "wrong"):
        api.call(name, 401, ("auth.missing", "auth.refused"), who=who, **args)
    _, connection, response = api.request(name, who="news", body=b"", **args)
    response.read(0)
    connection.close()
    expect(f"{name}: {response.status} to a token of {op['x-role']}", (response.status == 403) == (op["x-role"] != "submit"))
    if op["x-role"] != "submit":
        api.call(name, 403, "auth.denied", who="news", **args)


def parameters_are_strict(api, name, op):
    if op["x-role"] == "open" or name == "metrics":
        return
    args = args_of(op)
    if "job" in args or "upload" in args or "node" in args:
        args = dict(args, **{k: v for k, v in api.there.items() if k in args})
    if not api.uploads and name.endswith(("Upload", "Uploads", "Parts")):
        api.call(name, 400, ("uploads.not_configured", "usage.invalid"), **args)
        return
    api.call(name, 400, "usage.invalid", at="?nobody", query={"nobody": "1"}, **args)
    for p in op["parameters"]:
        if p["in"] != "query":
            continue
        schema = api.document.resolve(p["schema"])
        bad = [schema["minimum"] - 1, "x", "1x", "", 10**30] if schema.get("type") == "integer" else ["none"] if "enum" in schema else []
        bad += [schema["maximum"] + 1] if "maximum" in schema else []
        for value in bad:
            api.call(name, 400, "usage.invalid", at="?" + p["name"], query={p["name"]: value}, **args)


def other_methods_are_refused(api, path, methods):
    op = api.document.operations[next(iter(methods.values()))]
    other = "PATCH" if "PUT" in methods else "PUT"
    connection, response = api.open(other, api.path(op, args_of(op), None), "op")
    body = json.loads(response.read())
    connection.close()
    api.document.validate(body, {"$ref": "#/components/schemas/Problem"}, f"{other} {path}")
    allowed = set((response.getheader("Allow") or "").split(", "))
    expect(f"{other} {path}: {response.status}, Allow: {allowed}", response.status == 405 and set(methods) == allowed)


def what_is_not_there(api, name, op):
    args = args_of(op)
    if not args or (not api.uploads and "upload" in args):
        return
    body = api.bodies.get(name)
    if name == "listLogs" or "404" in op["responses"]:
        api.call(name, 404, "api.not_found", body=body, **args)
    if "job" in args or "upload" in args:
        for kind in ("job", "upload"):
            if kind in args and kind in api.there:  # another tenant's is not there either
                api.call(name, 404, "api.not_found", who="sport", body=body, **dict(args, **{kind: api.there[kind]}))


def bodies_are_strict(api, name, op):
    schema = api.document.body_schema(op)
    if schema is None:
        return 0
    args = {k: api.there.get(k, v) for k, v in args_of(op).items()}
    good = api.bodies.get(name, {})
    count = 0
    if api.uploads or "pload" not in name and not name.endswith("Parts"):
        for body, path in breaks(api.document, schema, good):
            where = [pointer(path)]
            if name == "createUpload" and len(path) == 1:
                where += ["", "/size"]  # one of three, and they give the size
            api.call(name, code=("usage.invalid", "limit.exceeded", "config.invalid"), at=where, body=body, **args)
            count += 1
        for text in ("[]", "{", '"x"', "{} {}", '{"a": 1, "a": 1}', "\xff"):
            api.call(name, 400, "usage.invalid", at="", body=text.encode("latin-1"), **args)
    return count


# ---- the story


class Story:
    def __init__(self, api, setting):
        self.api, self.at = api, setting

    def place(self, name):
        return f"file://{self.at['work']}/{name}"

    def job(self, out, **more):
        return {"pipeline": {"yaml": self.at["pipeline"], "name": "small.yaml"}, "source": self.place("clip.mp4"), "destination": self.place(out), **more}

    def health(self):
        api = self.api
        expect("it lives", api.call("live", 200, who=None)["live"])
        expect("it is ready", api.call("ready", 200, who=None)["ready"])
        expect("metrics are texts", "gopmill_" in api.call("metrics", 200))
        api.call("showFarm", 200)

    def pipelines(self):
        api = self.api
        names = [p["name"] for p in api.call("listPipelines", 200)["pipelines"]]
        for name in names:
            api.call("showPipeline", 200, who="news", pipeline=name)
        expect("tasks", api.call("checkPipeline", 200, body={"yaml": self.at["pipeline"]})["tasks"])
        api.call("checkPipeline", 422, "config.invalid", at="/yaml", body={"yaml": "name: x"})
        api.call("checkPipeline", 413, "limit.exceeded", claims=17 << 20)
        yaml = self.at["pipeline"]
        name = re.search(r"^name: *(\S+)", yaml, re.M).group(1)
        as_yaml = {"Content-Type": "application/yaml"}
        expect("it is stored", api.call("storePipeline", 201, body=yaml, headers=as_yaml, pipeline=name)["stored"])
        api.call("storePipeline", 200, body={"yaml": yaml}, pipeline=name)
        expect("it is shown", api.call("showPipeline", 200, who="sport", pipeline=name)["yaml"] == yaml)
        expect("and listed", any(p["name"] == name and p["stored"] for p in api.call("listPipelines", 200)["pipelines"]))
        api.call("storePipeline", 400, "config.invalid", at="", body="name: x", headers=as_yaml, pipeline="x")
        api.call("storePipeline", 400, "config.invalid", at="/yaml", body={"yaml": yaml}, pipeline="other")
        api.call("storePipeline", 409, "api.conflict", at="", body=yaml.replace(name, "vod-h264", 1), headers=as_yaml, pipeline="vod-h264")
        api.call("storePipeline", 413, "limit.exceeded", claims=17 << 20, pipeline=name)
        mark = yaml.replace("type: encode", "type: encode, watermark: {image: a.png}", 1)
        api.call("storePipeline", 422, "pipeline.bad_image", at="/assets", body={"yaml": mark, "assets": {"a.png": "aaaa"}}, pipeline=name)
        api.call("submitJob", 404, "input.missing", at="/source", body=self.job("x", source=self.place("none.mp4"), pipeline=name))
        api.call("deletePipeline", 200, pipeline=name)
        api.call("deletePipeline", 404, "api.not_found", pipeline=name)
        api.call("deletePipeline", 404, "api.not_found", pipeline="vod-h264")
        api.call("submitJob", 404, "api.not_found", at="/pipeline", body=self.job("x", pipeline=name))

    def whole_job(self):
        """Each event of the farm and the job, and nodes beside it, from submission to the end."""
        api, seen, of_farm = self.api, [], []
        farm = api.events("followFarm")
        kind, first, _ = next(farm)
        expect("the first event is farm's", kind == "farm" and first is None)

        def follow():
            ends = {api.there["job"]}
            try:
                for kind, number, data in farm:
                    of_farm.append((kind, number, data))
                    if kind in ("job.done", "job.failed") and data["id"] in ends:
                        return
            except Wrong as e:
                failures.append(str(e))
                print("FAILED:", e, flush=True)

        body, once = self.job("out", external_id="mine", priority=70, backup=self.place("copy")), {"Idempotency-Key": "mine"}
        new = api.call("submitJob", 201, who="news", headers=once, body=body)
        expect("one job a key", api.call("submitJob", 200, who="news", headers=once, body=body)["id"] == new["id"])
        api.there["job"] = new["id"]
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        for kind, number, data in api.events("followJob", who="news", job=new["id"]):
            seen.append((kind, number, data))
            api.call("showNode", 200, node="one")
            api.call("explainJob", 200, who="news", job=new["id"])
            api.call("listAttempts", 200, who="news", job=new["id"])
        expect("the stream begins with the job", seen[0][0] == "job")
        expect(f"and ends with its end, not with {seen[-1]}", seen[-1][0] == "job.done" and seen[-1][2]["state"] == "done")
        numbers = [int(n) for _, n, _ in seen if n]
        expect("ids grow", numbers == sorted(numbers) and len(numbers) > 3)
        again = [(k, n) for k, n, _ in api.events("followJob", who="news", last=numbers[0], job=new["id"])]
        expect("what followed is said again", [n for _, n in again if n] == [str(n) for n in numbers[1:]])
        thread.join(30)
        expect("the farm's stream has the end", of_farm and of_farm[-1][0] == "job.done")
        first = next(n for k, n, d in of_farm if n and d["id"] == new["id"])
        kind, number, data = next(api.events("followFarm", last=first))
        expect("and again what followed", kind.startswith("job.") and int(number) > int(first))
        expect("or says that it can't", next(api.events("followFarm", last=1 << 60))[0] == "reset")

    def reading(self):
        api, job = self.api, self.api.there["job"]
        api.call("showJob", 200, who="news", job=job)
        api.call("showReport", 200, who="news", job=job)
        api.call("listTasks", 200, who="news", job=job)
        page = api.call("listAttempts", 200, who="news", query={"limit": 1}, job=job)
        expect("a page of one", len(page["attempts"]) == 1 and page["next"] == 1)
        api.call("listAttempts", 200, query={"after": page["next"]}, job=job)
        page = api.call("listLogs", 200, who="news", query={"limit": 1}, job=job)
        api.call("listLogs", 200, query={"after": page["next"]}, job=job)
        for query in ({"light": 1}, {"state": "done"}, {"tenant": "news"}, {"pipeline": "small"}, {"external_id": "mine"}, {"q": "CLIP"}):
            jobs = api.call("listJobs", 200, query=query)["jobs"]
            expect(f"the job is in the list of {query}", [j["id"] for j in jobs] == [job])
        expect("another tenant has none", api.call("listJobs", 200, who="sport")["jobs"] == [])
        expect("the asset", api.call("listAssets", 200, who="news")["assets"][0]["job"] == job)
        api.call("listNodes", 200)

    def files(self):
        api, job = self.api, self.api.there["job"]
        op, connection, response = api.request("getFile", job=job, path="master.m3u8")
        body, tag = response.read(), response.getheader("ETag")
        api.check(op, response, body, "getFile")
        connection.close()
        expect("it is the playlist", body.startswith(b"#EXTM3U"))
        api.call("getFile", 206, headers={"Range": "bytes=0-6"}, job=job, path="master.m3u8")
        api.call("getFile", 304, headers={"If-None-Match": tag}, job=job, path="master.m3u8")
        api.call("getFile", 416, headers={"Range": "bytes=99999999-"}, job=job, path="master.m3u8")
        api.call("getFile", 404, "api.not_found", job=job, path="nothing")
        op, connection, response = api.request("getTitleFile", job=job, path="master.m3u8")
        title = response.read()
        api.check(op, response, title, "getTitleFile")
        connection.close()
        expect("the title has the same", title == body)
        api.call("getTitleFile", 206, headers={"Range": "bytes=0-6"}, job=job, path="master.m3u8")
        api.call("getTitleFile", 416, headers={"Range": "bytes=99999999-"}, job=job, path="master.m3u8")
        api.call("getTitleFile", 404, "api.not_found", job=job, path="nothing")
        op, connection, response = api.request("getFile", method="HEAD", job=job, path="master.m3u8")
        expect("HEAD has no body", response.status == 200 and response.read() == b"")
        connection.close()

    def conflicts(self):
        api, job = self.api, self.api.there["job"]
        for name in ("cancelJob", "retryJob", "setPriority"):
            api.call(name, 409, "api.conflict", body=api.bodies.get(name), job=job)
        api.call("submitJob", 409, "api.conflict", at="", body=self.job("other", id=job))
        api.call("submitJob", 409, "storage.title_exists", body=self.job("out", pipeline="vod-h264", tenant="news"))

    def waiting_jobs(self):
        """On a farm whose one node drains: cancelled, made again, followed by two."""
        api = self.api
        api.call("drainNode", 202, node="one")
        job = api.call("submitJob", 201, body=self.job("second", tenant="news", plan_only=False, replace=True, deadline=4102444800000))["id"]
        api.call("setPriority", 202, body={"priority": 3}, job=job)
        api.call("explainJob", 200, job=job)
        api.call("cancelJob", 202, job=job)
        wait_for("it is cancelled", lambda: api.call("showJob", 200, job=job)["state"] == "cancelled")
        once = {"Idempotency-Key": '"of the retry"'}
        again = api.call("retryJob", 201, headers=once, job=job)
        expect("one retry a key", api.call("retryJob", 200, headers=once, job=job)["id"] == again["id"])
        api.call("submitJob", 422, "api.key_reused", headers=once, body=self.job("x", tenant="news"))
        api.call("retryJob", 422, "api.key_reused", headers={"Idempotency-Key": "mine"}, job=job)
        expect("it says of which", again["retry_of"] == job)
        api.call("showReport", 200, job=again["id"])
        expect("nobody else's", api.call("cancelJob", 404, who="sport", job=again["id"])["detail"] == "no job is called " + again["id"])
        api.call("cancelJob", 202, body={}, job=again["id"])
        api.call("resumeNode", 202, node="one")

    def refusals(self):
        api = self.api
        api.call("submitJob", 404, "input.missing", at="/source", body=self.job("x", source=self.place("none.mp4")))
        api.call("submitJob", 404, "api.not_found", at="/pipeline", body=self.job("x", pipeline="nobody"))
        api.call("submitJob", 422, "input.empty", at="/source", body=self.job("x", source=self.place("empty.mp4")))
        api.call("submitJob", 403, "storage.denied", at="/destination", body=self.job("x", destination="file:///etc"))
        api.call("submitJob", 403, "storage.denied", at="/source", body=self.job("x", source="file:///etc/passwd"))
        api.call("submitJob", 403, "auth.denied", at="/tenant", who="news", body=self.job("x", tenant="sport"))
        api.call("submitJob", 400, "usage.invalid", at="/backup", body=self.job("x", backup=self.place("x/y")))
        api.call("submitJob", 400, "usage.invalid", at="/destination", body=self.job("x", destination="nothing"))
        api.call("submitJob", 400, "config.invalid", at="/pipeline/yaml", body=self.job("x", pipeline={"yaml": "name: 1\ntasks: 2"}))
        yaml = self.at["pipeline"]
        api.call("submitJob", 400, at="/pipeline/assets/a~1b.png", body=self.job("x", pipeline={"yaml": yaml, "assets": {"a/b.png": "?"}}))
        api.call("submitJob", 413, "limit.exceeded", claims=17 << 20)
        for _ in range(12):
            api.call("submitJob", who="fast", body=self.job("x", priority=-1))
        expect("a tenant's rate", ("submitJob", "429") in api.met)

    def streams(self):
        """A tenant may have 128 of them."""
        api, job = self.api, self.api.there["waiting"]
        path, open_ = f"/v1/jobs/{job}/events", []
        host, port = api.host.split(":")
        for _ in range(128):
            s = socket.create_connection((host, int(port)))
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.tokens['news']}\r\n\r\n".encode())
            open_.append(s)
        for s in open_:
            s.recv(1)
        api.call("followJob", 429, "api.busy", who="news", job=job)
        for s in open_:
            s.close()

    def nodes(self):
        api = self.api
        device = api.call("showNode", 200, node="one")["devices"][0]["id"]
        api.call("quarantineNode", 202, body={"reason": "looked at", "device": device}, node="one")
        expect("it says why", api.call("showNode", 200, node="one")["devices"][0]["quarantine"]["why"] == "looked at")
        api.call("listNodes", 200)
        api.call("resumeNode", 202, body={"device": device}, node="one")
        api.call("resumeNode", 404, "api.not_found", body={"device": device}, node="one")
        api.call("quarantineNode", 404, "api.not_found", body={"reason": "x", "device": "none"}, node="one")
        api.call("quarantineNode", 202, body={"reason": "x"}, node="one")
        api.call("resumeNode", 202, body={}, node="one")

    def sweeping(self):
        api = self.api
        done = api.call("sweep", 200, body={"dry_run": True})
        expect("it has ended", done["state"] == "ended")
        api.call("sweep", 404, "api.not_found", body={"sweep": 1 << 40})
        api.call("sweep", 200)

    def takedown(self):
        """While the node drains: who is to write there comes first."""
        api, title = self.api, self.api.there["job"]
        api.call("showAsset", 200, who="news", job=title)
        other = api.call("submitJob", 201, body=self.job("out", tenant="news"))["id"]
        api.call("deleteAsset", 409, "api.conflict", job=title)
        api.call("cancelJob", 202, job=other)
        wait_for("it is cancelled", lambda: api.call("showJob", 200, job=other)["state"] == "cancelled")
        expect("nobody else's", api.call("deleteAsset", 404, who="sport", job=title)["code"] == "api.not_found")
        expect("it goes", api.call("deleteAsset", 202, who="news", job=title)["removing"] is not None)
        wait_for("it is gone", lambda: all(a["job"] != title for a in api.call("listAssets", 200)["assets"]))
        expect("its job says so", api.call("showJob", 200, job=title)["removed"])

    def outbox(self):
        api = self.api
        expect("nothing is dead", api.call("listDead", 200)["deliveries"] == [])
        expect("nothing waits", api.call("listWaiting", 200)["waiting"] == 0)
        expect("nothing is sent again", api.call("redeliver", 202)["redelivered"] == 0)
        api.call("redeliver", 404, "api.not_found", body={"id": "none"})
        api.call("submitJob", 403, "storage.denied", at="/webhook", body=self.job("x", webhook="https://example.com/"))

    def restart(self):
        """Last: the node goes. A job that is under way would find no other."""
        api = self.api
        api.call("resumeNode", 202, node="one")
        job = api.call("submitJob", 201, body=self.job("last"))["id"]
        wait_for("it runs", lambda: api.call("showJob", 200, job=job)["state"] == "running")
        api.call("restartNode", 409, "api.conflict", node="one")
        api.call("restartNode", 202, body={"force": True}, node="one")

    # ---- uploads

    def uploads(self):
        api = self.api
        wait_for("the bucket is listed", lambda: api.request("listUploads")[2].status == 200)
        parts = [os.urandom(1000), os.urandom(500)]
        hashes = [hashlib.sha256(p).hexdigest() for p in parts]
        md5s = [base64.b64encode(hashlib.md5(p).digest()).decode() for p in parts]
        named = [{"index": i, "sha256": h} for i, h in enumerate(hashes)]
        new = api.call("createUpload", 201, who="news", body={"name": "film.mp4", "size": 1500, "part_size": 1000})
        up = api.there["upload"] = new["id"]
        api.bodies.update(grantParts={"parts": [dict(named[0], md5=md5s[0])]}, tellParts={"parts": named[:1]})
        grants = api.call("grantParts", 200, who="news", body={"parts": [dict(n, md5=m) for n, m in zip(named, md5s)]}, upload=up)["grants"]
        api.call("tellParts", 409, "api.conflict", body={"parts": named[:1]}, upload=up)
        api.call("completeUpload", 409, "api.conflict", upload=up)
        api.call("grantParts", 409, "api.conflict", body={"parts": [{"index": 0, "sha256": hashes[1]}]}, upload=up)
        api.call("grantParts", 413, "limit.exceeded", body=b" " * (2 << 20), upload=up)
        for grant, part in zip(grants, parts):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                urllib.request.Request(grant["url"], data=part, method="PUT", headers=dict(grant["headers"], **{"Content-Type": ""})))
        expect("both are told", api.call("tellParts", 200, who="news", body={"parts": named}, upload=up)["there"] == 2)
        expect("it is there", "there" in api.call("grantParts", 200, body={"parts": named[:1]}, upload=up)["grants"][0])
        expect("hashes", len(api.call("showUpload", 200, query={"parts": 1}, upload=up)["hashes"]) == 2)
        expect("the list has it", [u["id"] for u in api.call("listUploads", 200, who="news")["uploads"]] == [up])
        for name in ("showUpload", "deleteUpload", "grantParts", "tellParts", "completeUpload"):
            api.call(name, 404, "api.not_found", who="sport", body=api.bodies.get(name), upload=up)
        api.call("createUpload", 403, "auth.denied", who="news", body={"name": "a", "size": 1, "whole": True, "tenant": "sport"})
        api.call("createUpload", 413, "limit.exceeded", at="/size", body={"name": "a", "size": 1 << 50, "whole": True})

    def uploads_end(self):
        api, up = self.api, self.api.there["upload"]
        expect("complete", api.call("completeUpload", 200, who="news", upload=up)["state"] == "complete")
        api.call("completeUpload", 200, upload=up)
        api.call("deleteUpload", 200, who="news", upload=up)
        whole = [api.call("createUpload", 201, body={"name": "a", "size": 1, "whole": True}) for _ in range(3)]
        expect("a URL", whole[0]["url"])
        api.call("createUpload", 429, "api.busy", body={"name": "a", "size": 1, "whole": True})
        for u in whole:
            api.call("deleteUpload", 200, upload=u["id"])

    def bucket(self):
        """A result in a bucket is read there."""
        api = self.api
        api.call("resumeNode", 202, node="one")
        job = api.call("submitJob", 201, body=self.job("x", destination="s3://results/title"))["id"]
        wait_for("it is done", lambda: api.call("showJob", 200, job=job)["state"] == "done")
        path = next(o["path"] for o in api.call("showReport", 200, job=job)["outputs"] if o["path"].endswith(".mp4"))
        api.call("getFile", 302, job=job, path=path)


UNTRIED = {("ready", "503"): "who is ready says so; scheduler/test_http and failover.sh have the others",
           ("sweep", "202"): "takes a store that is slow for 20 s: scheduler/test_http",
           ("getTitleFile", "302"): "as getFile's",
           ("retryJob", "202"): "takes a job that failed after its inspection: retry.sh",
           ("retryJob", "429"): "as submitJob's"}
UNTRIED_UPLOADS = {"createUpload", "listUploads", "showUpload", "deleteUpload", "grantParts", "tellParts", "completeUpload"}


def untried(api):
    for name, op in api.document.operations.items():
        for status in op["responses"]:
            if status == "default" or (name, status) in api.met or (name, status) in UNTRIED:
                continue
            if not api.uploads and (name in UNTRIED_UPLOADS or (name, status) == ("getFile", "302")):
                continue
            yield f"{name} {status}"


def main():
    document = Document(sys.argv[1])
    with open(sys.argv[3], encoding="utf-8") as f:
        setting = json.load(f)
    api = Api(document, setting["url"], setting["tokens"])
    api.uploads = setting["uploads"]
    api.there = {"node": "one"}
    story = Story(api, setting)
    api.bodies = {"submitJob": story.job("x", backup=story.place("y"), priority=1, tenant="news", deadline=4102444800000, external_id="x", plan_only=True,
                                         replace=True, id=NOBODY), "setPriority": {"priority": 1}, "restartNode": {"force": False}, "sweep": {"dry_run": True, "sweep": 1}, "redeliver": {"id": "x", "job": NOBODY},
                  "resumeNode": {"device": "x"}, "quarantineNode": {"reason": "x", "device": "x"},
                  "checkPipeline": {"yaml": setting["pipeline"], "name": "x", "assets": {"a.png": "aaaa"}},
                  "storePipeline": {"yaml": setting["pipeline"], "name": "x", "assets": {"a.png": "aaaa"}},
                  "createUpload": {"name": "a", "size": 1, "part_sizes": [1], "tenant": "news"}, "grantParts": {"parts": [{"index": 0, "sha256": "0" * 64}]},
                  "tellParts": {"parts": [{"index": 0, "sha256": "0" * 64}]}}
    check("the server's routes and roles are the document's", lambda: routes_agree(document, sys.argv[2]))
    steps = [story.health, story.pipelines, story.whole_job, story.reading, story.files, story.conflicts, story.waiting_jobs, story.refusals, story.nodes, story.sweeping, story.outbox]
    steps += [story.uploads] if api.uploads else []
    for step in steps:
        check(step.__name__, step)
    api.call("drainNode", 202, node="one")
    api.there["waiting"] = api.call("submitJob", 201, who="news", body=story.job("waits"))["id"]
    for name, op in document.operations.items():
        check(f"{name}: tokens", lambda: tokens_are_asked_for(api, name, op))
        check(f"{name}: parameters", lambda: parameters_are_strict(api, name, op))
        check(f"{name}: what is not there", lambda: what_is_not_there(api, name, op))
        check(f"{name}: bodies", lambda: bodies_are_strict(api, name, op))
    for path, item in document.doc["paths"].items():
        methods = {m.upper(): item[m]["operationId"] for m in item if m in ("get", "post", "put", "delete")}
        check(f"{path}: other methods", lambda: other_methods_are_refused(api, path, methods))
    for step in [story.streams] + ([story.uploads_end, story.bucket] if api.uploads else []) + [story.takedown, story.restart]:
        check(step.__name__, step)
    check("each status was brought about", lambda: expect("not so: " + ", ".join(untried(api)), not list(untried(api))))
    print(f"{checks} checks, {api.calls} calls, {len(api.met)} of {sum(len(o['responses']) - ('default' in o['responses']) for o in document.operations.values())}"
          f" answers, {len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
