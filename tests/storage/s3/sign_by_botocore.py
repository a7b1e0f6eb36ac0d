"""Signs what test_sign_botocore.c wrote, by botocore: one request a line, tab-separated, texts in hex (UTF-8).

  method host key(bucket and key, not encoded) at(s) token('-': none) unsigned(0|1) body query headers -> Authorization
  the same with `url` before it                                                                        -> X-Amz-Signature of the URL
query and headers: name=value,name=value (each in hex). One answer a line.
"""
import datetime
import sys
from types import SimpleNamespace
from unittest import mock
from urllib.parse import parse_qs, quote, urlsplit

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def text(field):
    return bytes.fromhex(field).decode()


def fields(field):
    return {text(k): text(v) for k, v in (p.split("=") for p in field.split(",") if p)}


def main():
    for line in sys.stdin:
        way, method, host, key, at, token, unsigned, body, query, headers = line.rstrip("\n").split("\t")
        now = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=int(at))
        url = "https://" + text(host) + "/" + quote(text(key).encode(), safe="/~")
        request = AWSRequest(method=method, url=url, params=fields(query), data=bytes.fromhex(body), headers=fields(headers))
        request.context["client_config"] = SimpleNamespace(s3={"payload_signing_enabled": unsigned == "0"})
        keys = Credentials("AKIAEXAMPLE", "s3cr3t/+=", None if token == "-" else text(token))
        # Newer ones ask the function for the time, older ones the module.
        with mock.patch("botocore.auth.datetime") as clock, mock.patch("botocore.auth.get_current_datetime", lambda: now, create=True):
            clock.datetime.utcnow.return_value = now
            if way == "url":
                botocore.auth.S3SigV4QueryAuth(keys, "s3", "eu-west-9", expires=1234).add_auth(request)
                print(parse_qs(urlsplit(request.url).query)["X-Amz-Signature"][0])
            else:
                botocore.auth.S3SigV4Auth(keys, "s3", "eu-west-9").add_auth(request)
                print(request.headers["Authorization"])


main()
