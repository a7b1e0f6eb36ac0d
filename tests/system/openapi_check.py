"""docs/openapi.yaml as something to hold a server against: calls by operation, each answer checked; bodies that break a schema."""
import copy
import http.client
import json
import re
import urllib.parse

import jsonschema
import yaml

METHODS = ("get", "post", "put", "delete", "patch")


class Wrong(Exception):
    """The server and the document differ."""


class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.doc = yaml.safe_load(f)
        self.operations = {}
        for path_, item in self.doc["paths"].items():
            for method in METHODS:
                if method in item:
                    op = dict(item[method], path=path_, method=method.upper())
                    op["parameters"] = [self.resolve(p) for p in item.get("parameters", []) + op.get("parameters", [])]
                    op["responses"] = {status: self.resolve(r) for status, r in op["responses"].items()}
                    op["requestBody"] = self.resolve(op.get("requestBody", {}))
                    if op["operationId"] in self.operations:
                        raise Wrong("two operations are called " + op["operationId"])
                    self.operations[op["operationId"]] = op

    def resolve(self, node):
        while "$ref" in node:
            at = self.doc
            for step in node["$ref"].removeprefix("#/").split("/"):
                at = at[step]
            node = at
        return node

    def validate(self, value, schema, what):
        whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": self.doc["components"], "allOf": [schema]}
        error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(whole).iter_errors(value))
        if error is not None:
            where = "/".join(str(p) for p in error.absolute_path)
            raise Wrong(f"{what}: at /{where}: {error.message[:300]}")

    def routes(self):
        """As the server's table has them: METHOD PATH ROLE."""
        return {f"{o['method']} {re.sub('{[a-z]+}', 'x', o['path'])} {o['x-role']}" for o in self.operations.values()}

    def body_schema(self, op):
        content = op["requestBody"].get("content", {})
        return self.resolve(content["application/json"]["schema"]) if content else None


class Api:
    def __init__(self, document, url, tokens):
        self.document, self.tokens = document, tokens
        self.host = urllib.parse.urlsplit(url).netloc
        self.met = set()  # (operation, status)
        self.calls = 0

    def open(self, method, path, who, body=None, headers=None, claims=None):
        """claims: the body's length, of which nothing is sent."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        headers = dict(headers or {})
        if who:
            headers["Authorization"] = "Bearer " + self.tokens[who]
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if claims is not None:
            headers["Content-Length"] = str(claims)
        connection.request(method, path, body=body, headers=headers)
        self.calls += 1
        return connection, connection.getresponse()

    def path(self, op, args, query):
        path = re.sub("{([a-z]+)}", lambda m: args.get(m.group(1), "x"), op["path"])
        return path + ("?" + urllib.parse.urlencode(query) if query else "")

    def request(self, name, who="op", body=None, query=None, headers=None, method=None, claims=None, **args):
        op = self.document.operations[name]
        return op, *self.open(method or op["method"], self.path(op, args, query), who, body, headers, claims)

    def check(self, op, response, body, what):
        """The answer is one that the document has; its body, read."""
        status = str(response.status)
        described = op["responses"].get(status)
        if described is None:
            raise Wrong(f"{what}: {status} is not in the document: {body[:300]}")
        self.met.add((op["operationId"], status))
        for header, h in described.get("headers", {}).items():
            h, value = self.document.resolve(h), response.getheader(header)
            if value is None and h.get("required"):
                raise Wrong(f"{what}: {status} without {header}")
            if value is not None:
                self.document.validate(value, h["schema"], f"{what}: {header}")
        content = described.get("content", {})
        kind = (response.getheader("Content-Type") or "").split(";")[0]
        if not content or "*/*" in content:
            return body
        if kind not in content:
            raise Wrong(f"{what}: {status} as {kind}, which is not in the document")
        if not kind.endswith("json"):
            return body.decode()
        value = json.loads(body)
        self.document.validate(value, content[kind]["schema"], f"{what}: {status}")
        if kind == "application/problem+json" and value["status"] != response.status:
            raise Wrong(f"{what}: {status} says that it is {value['status']}")
        return value

    def call(self, name, want=None, code=None, at=None, **more):
        """want: the status; code, at: of the problem."""
        op, connection, response = self.request(name, **more)
        body = response.read()
        connection.close()
        what = f"{name} {more}"[:300]
        value = self.check(op, response, body, what)
        if want is not None and response.status != want:
            raise Wrong(f"{what}: {response.status} in place of {want}: {body[:300]}")
        if code is not None and value.get("code") not in ((code,) if isinstance(code, str) else code):
            raise Wrong(f"{what}: {value.get('code')} in place of {code}: {value.get('detail')}")
        if at is not None and value.get("at", "") not in ((at,) if isinstance(at, str) else at):
            raise Wrong(f"{what}: at {value.get('at')} in place of {at}: {value.get('detail')}")
        return value

    def events(self, name, who="op", last=None, **args):
        """Each event of a stream as (name, id, data), checked; ends with it, or when the caller ends."""
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        op, connection, response = self.request(name, who=who, headers=headers, **args)
        if response.status != 200:
            raise Wrong(f"{name}: {response.status}")
        self.met.add((name, "200"))
        (kind, content), = op["responses"]["200"]["content"].items()
        if response.getheader("Content-Type") != kind:
            raise Wrong(f"{name}: as {response.getheader('Content-Type')}")
        schemas = self.document.resolve(content["schema"])["x-events"]
        event = {}
        try:
            while line := response.readline().decode():
                line = line.rstrip("\n")
                if line == "" and "data" in event:
                    data = json.loads(event["data"])
                    if event["event"] not in schemas:
                        raise Wrong(f"{name}: event {event['event']} is not in the document")
                    self.document.validate(data, schemas[event["event"]], f"{name}: event {event['event']}")
                    yield event["event"], event.get("id"), data
                if line == "":
                    event = {}
                elif not line.startswith(":"):
                    field, _, value = line.partition(": ")
                    event[field] = value
        finally:
            connection.close()


def pointer(path):
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in path)


def put(body, path, value):
    body = copy.deepcopy(body)
    at = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return body


def without(body, path):
    body = copy.deepcopy(body)
    at = body
    for step in path[:-1]:
        at = at[step]
    at.pop(path[-1], None)
    return body


OF_TYPE = {"string": "text", "integer": 17, "boolean": True, "array": [], "object": {}, "null": None, "number": 1.5}


def wrong_values(schema):
    """What a schema refuses by itself: of other types, too small, too large, too long."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    for name, value in OF_TYPE.items():
        if name not in types and not (name == "integer" and "number" in types):
            yield value
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1
        yield 1 << 62
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if schema.get("minLength"):
        yield ""
    if "pattern" in schema:
        yield "/?"
        yield "x" * 300
    if schema.get("minItems"):
        yield []


def breaks(document, schema, body, path=(), itself=True):
    """(body, path) pairs: the body, wrong at one path. body is a good one that has all members that are to be tried."""
    schema = document.resolve(schema)
    here = body
    for step in path:
        here = here[step]
    if "oneOf" in schema:
        branch = [s for s in map(document.resolve, schema["oneOf"]) if s["type"] == ("string" if isinstance(here, str) else "object")][0]
        yield put(body, path, 17), path
        yield from breaks(document, branch, body, path, False) if branch["type"] == "object" else ()
        return
    if path and itself:
        for value in wrong_values(schema):
            yield put(body, path, value), path
    if schema["type"] == "object" and schema.get("additionalProperties") is False:
        yield put(body, path + ("nobody",), 1), path + ("nobody",)
        yield put(body, path + ("a/b~",), 1), path + ("a/b~",)
        for name in schema.get("required", []):
            yield without(body, path + (name,)), path + (name,)
    for name in here if schema["type"] == "object" else ():
        member = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        yield from breaks(document, member, body, path + (name,))
    if schema["type"] == "array" and here:
        yield from breaks(document, schema["items"], body, path + (0,))
