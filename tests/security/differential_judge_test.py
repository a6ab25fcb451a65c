#!/usr/bin/python3
"""Each fault the differential judge looks for, planted alone in a clean pair of logs."""
import copy
import unittest

import differential_judge as judge

STREAMS = [b"POST /r0~0000000a~ HTTP/1.1\r\nX-Tag: ~0000000a~\r\nContent-Length: 5\r\n\r\nhello",
           b"POST /r0~0000000b~ HTTP/1.1\r\nX-Tag: ~0000000b~\r\nContent-Length: 5\r\n\r\nworld"]


def record(request_id, tag):
    return {"request_id": request_id, "method": "POST", "path": f"/r0{tag}", "query": "",
            "host": "a.test", "request_bytes": 5, "failure": "", "endpoint": "node", "attempts": 1}


def seen(request_id, tag, body, *framing):
    return {"method": "POST", "url": f"/r0{tag}", "version": "1.1", "bytes": 5, "body": body,
            "headers": ["Host", "a.test", "X-Request-ID", request_id, "X-Tag", tag, *framing],
            "trailers": [], "complete": True}


class JudgeTest(unittest.TestCase):
    def setUp(self):
        self.records = [record("1", "~0000000a~"), record("2", "~0000000b~")]
        self.lines = [seen("1", "~0000000a~", "hello", "Content-Length", "5"),
                      seen("2", "~0000000b~", "world", "Transfer-Encoding", "chunked")]

    def found(self):
        return judge.problems(self.records, self.lines, STREAMS)

    def assert_found(self, text):
        found = self.found()
        self.assertTrue(any(text in problem for problem in found), found)

    def test_nothing_in_what_is_right(self):
        self.assertEqual(self.found(), [])

    def test_another_method_target_or_host(self):
        for key, value, text in (("method", "GET", "method"), ("url", "/admin", "target")):
            with self.subTest(key):
                self.setUp()
                self.lines[0][key] = value
                self.assert_found(text)
        self.setUp()
        self.lines[0]["headers"][1] = "b.test"
        self.assert_found("host")
        self.setUp()
        self.lines[0]["headers"] += ["Host", "a.test"]
        self.assert_found("host")

    def test_another_length(self):
        self.lines[0]["bytes"] = 4
        self.assert_found("bytes of body")

    def test_another_body_of_the_same_length(self):
        self.lines[0]["body"] = "hellO"
        self.assert_found("a body that was not sent")

    def test_chunks_out_of_order(self):
        self.lines[1]["body"] = "dlrow"
        self.assert_found("a body that was not sent")

    def test_bytes_of_another_connection(self):
        for where in ("body", "url", "headers", "trailers"):
            with self.subTest(where):
                self.setUp()
                line = self.lines[0]
                if where == "body":
                    line["body"] = "~0000000b~"
                    line["bytes"] = self.records[0]["request_bytes"] = 10
                elif where == "url":
                    line["url"] = self.records[0]["path"] = "/r0~0000000b~"
                else:
                    line[where] += ["X-Other", "~0000000b~"]
                self.assert_found("bytes of several connections")

    def test_a_request_nobody_made(self):
        self.lines.append(seen("3", "~0000000a~", "hello", "Content-Length", "5"))
        self.assert_found("knows nothing of")

    def test_a_request_that_arrives_twice(self):
        self.lines.append(copy.deepcopy(self.lines[0]))
        self.assert_found("arrived 2 times")

    def test_a_request_that_never_arrives(self):
        self.lines.pop()
        self.assert_found("never complete")

    def test_a_refused_request_that_arrives_whole(self):
        self.records[0]["failure"] = "bad_request"
        self.assert_found("refused, and complete")

    def test_what_cannot_be_parsed(self):
        self.lines.append({"error": "HPE_INVALID_HEADER_TOKEN", "raw": "x"})
        self.assert_found("could not be parsed")


if __name__ == "__main__":
    unittest.main()
