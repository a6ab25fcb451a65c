#!/usr/bin/python3
"""One line per request, each valid JSON whatever strangers send; reopened on SIGHUP."""
import datetime
import json
import os
import signal
import unittest  # noqa: F401

import _path  # noqa: F401
import load
import rig
from upstream import reply


class AccessLogTest(rig.FleetTest):
    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()
        cls.up = cls.rig.upstream(on_request=lambda c, q: reply("12345"))
        cls.rig.apply(rig.document(rig.service(cls.port, [
            rig.route("api", [cls.up], "main", path_prefix="/api"),
            rig.route("all", [cls.up], "main", path_prefix="/x")])))

    def record(self, **wanted):
        return self.proxy.wait_record(lambda r: all(r.get(k) == v for k, v in wanted.items()),
                                      f"a record with {wanted}")

    def test_a_record_tells_the_request(self):
        self.get("/api/told?q=1", headers=["User-Agent: tester/1"], method="POST", body=b"abc")
        record = self.record(path="/api/told")
        self.assertEqual((record["method"], record["host"], record["status"], record["route"],
                          record["upstream"], record["endpoint"]),
                         ("POST", "a.test", 200, "api", "main", self.up.address))
        self.assertEqual(record["client"], "127.0.0.1")
        self.assertTrue(record["request_id"])
        self.assertEqual(int(record["version"]), self.rig.ctl.revision())
        self.assertIn("tester/1", record.values())
        self.assertIn(5, [v for k, v in record.items() if "bytes" in k])
        self.assertIn(3, [v for k, v in record.items() if "bytes" in k])
        durations = [k for k in record if "duration" in k]
        self.assertTrue(durations)
        when = record["time"]
        parsed = datetime.datetime.fromisoformat(when.replace("Z", "+00:00"))
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - parsed).total_seconds()), 120)

    def test_lines_stay_json_whatever_is_sent(self):
        before = len(self.proxy.access_records())
        nasty = [b'GET /x/%22%5c HTTP/1.1\r\nHost: a.test\r\nUser-Agent: "},{"x":"\xff\xfe\\\r\n\r\n',
                 b"GET /x/\xc3\xa9 HTTP/1.1\r\nHost: a.test\r\nReferer: \xf0\x28\x8c\x28\r\n\r\n",
                 b'GET /x?a="b"&\\ HTTP/1.1\r\nHost: a.test\r\n\r\n',
                 b"GET /x HTTP/1.1\r\nHost: a.test\r\nUser-Agent: \t\x80\xbf\r\n\r\n",
                 b"G\x01T / HTTP/1.1\r\nHost: a.test\r\n\r\n",
                 b"\x16\x03\x01garbage\r\n\r\n"]
        for data in nasty:
            client = self.client()
            client.send(data)
            client.half_close()
            client.at_end()
        # json.loads and strict UTF-8 in access_records() are the test.
        rig.wait_for("the records", lambda: len(self.proxy.access_records()) >= before + 4)

    def test_refused_requests_have_a_reason(self):
        self.get("/nowhere")
        self.assertEqual(self.record(path="/nowhere")["failure"], "no_route")

    def test_reopened_on_sighup(self):
        self.get("/rotate/before")
        self.record(path="/rotate/before")
        rotated = self.proxy.access_log + ".1"
        os.rename(self.proxy.access_log, rotated)
        self.proxy.signal(signal.SIGHUP)
        rig.wait_for("the new file", lambda: os.path.exists(self.proxy.access_log))
        # The file is changed behind the requests: the first lines may still go to the old one.
        sent = ["/rotate/before"]

        def arrives():
            sent.append(f"/rotate/after-{len(sent)}")
            self.get(sent[-1])
            return any(r["path"].startswith("/rotate/after") for r in self.proxy.access_records())
        rig.wait_for("a line in the new file", arrives)
        self.record(path=sent[-1])
        with open(rotated) as f:
            lines = [json.loads(line) for line in f] + self.proxy.access_records()
        self.assertCountEqual([r["path"] for r in lines if r["path"].startswith("/rotate/")], sent)

    def test_every_request_has_one_line(self):
        before = len(self.proxy.access_records())
        clients = 8
        each = 200

        def run(_):
            with self.client() as client:
                for _ in range(each):
                    client.ask(rig.request("/x/counted"))
        load.burst(run, clients, clients)
        count = lambda: len(self.proxy.access_records()) - before  # noqa: E731
        rig.wait_for("all lines", lambda: count() >= clients * each)
        self.assertEqual(count(), clients * each)
        ids = [r["request_id"] for r in self.proxy.access_records() if r["path"] == "/x/counted"]
        self.assertEqual(len(set(ids)), len(ids))

    def test_text_format_and_chosen_fields(self):
        for extra, check in (
                ({"format": "text"}, lambda line: "/x/format" in line and not line.startswith("{")),
                ({"format": "json", "fields": ["status", "path"]},
                 lambda line: list(json.loads(line)) == ["status", "path"])):
            port = self.rig.port()
            path = self.rig.path(f"chosen-{port}.log")
            own = rig.Rig()
            self.addCleanup(own.close)
            own.start_controller()
            # Without the flag, which would win over the document.
            proxy = own_proxy(own, port)
            own.apply(rig.document(
                rig.service(port, [rig.route("all", path_prefix="/", respond={"status": 200})]),
                logging={"access_log": {"enabled": True, "path": path, **extra}}))
            self.get("/x/format", port=port, at=proxy.host)

            def last():
                with open(path) as f:
                    return f.read()
            rig.wait_for("the line", lambda: os.path.exists(path) and "\n" in last())
            self.assertTrue(check(last().splitlines()[-1]), last())


def own_proxy(own, port):
    proxy = rig.Proxy(own, f"log-{port}")
    at = proxy.argv.index("--access-log")
    del proxy.argv[at:at + 2]
    own.parts.append(proxy)
    own.proxies.append(proxy)
    proxy.start()
    own.wait_nodes(proxy.node)
    return proxy


if __name__ == "__main__":
    rig.main()
