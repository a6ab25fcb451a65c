"""Request streams between valid and hostile, by a seeded generator."""
import h2_frames as h2

NUMBERS = ("0", "1", "5", "10", "05", "+5", "-0", "-5", " 5", "5 ", "5 5", "5,5", "5, 6", "0x5",
           "5.0", "", "\t5", "99999999999999999999", "18446744073709551621", "5;a=b", "5\x00",
           "\uff15")
CODINGS = ("chunked", "Chunked", "CHUNKED", " chunked", "chunked ", "\tchunked", "chunked,",
           ",chunked", "identity", "identity, chunked", "gzip, chunked", "chunked, gzip",
           "chunked, chunked", "xchunked", "chunked;q=1", "\"chunked\"", "chun ked", "chunked\x0b",
           "chunked\x00", "", "trailers")
SIZES = ("5", "05", "000000005", "5 ", " 5", "\t5", "5\t", "+5", "-5", "0x5", "5;a", "5;a=b",
         "5 ; a=\"b\"", "5;a=\"\r\n0\r\n\r\n\"", "5;\n", "a", "A", "5g", "", "100000000000000005",
         "FFFFFFFFFFFFFFFF", "5,5")
TARGETS = ("/", "/a", "/a?b=c", "/a?", "//", "//evil.test/a", "/a/../b", "/a/./b", "/%2e%2e/a",
           "/a%2fb", "/a%00", "/a;b", "/a#b", "/a b", "/a\tb", "/\\a", "*", "a", "http://a.test/a",
           "http://b.test/a", "https://a.test", "http://a.test:80/x?y", "HTTP://a.test/",
           "http://u@a.test/", "/ä", "/%zz", "/" + "a" * 300, "a.test:80", "")
METHODS = ("GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get",
           "G ET", "GET\x00", "FOO", "M-SEARCH", "")
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/1.1 ", "HTTP/1.2", "HTTP/01.1", "http/1.1", "HTTP/1",
            "HTTP/2.0", "HTTP/0.9", "HTTP/1.1\x00", "")
HOSTS = ("a.test", "A.TEST", "a.test:80", "b.test", "a.test, b.test", "a.test b.test", "u@a.test",
         "a.test/", "[::1]", "", "a.test.", "a..test", "a.test:", "a.test:x", "a_b.test",
         "%61.test")
ENDS = ("\r\n", "\n", "\r", "\n\r", "\r\r\n", "\r\n ", "\r\n\t", " \r\n", "\x00\r\n", "\x0b\r\n")
NAMES = ("X-A", "x_a", "X A", "X-A ", " X-A", "X-A\t", "X:A", "", "X-\x00", "X-\xe4", "\"X\"",
         "Content_Length", "Content-Length\x0b", "Transfer-Encoding\x00", "Transfer_Encoding",
         "Te")
CONNECTIONS = ("close", "keep-alive", "Transfer-Encoding", "Content-Length", "close, Host",
               "X-Request-ID", "upgrade", "keep-alive, X-A", "", ",")
EXTRAS = ("Expect: 100-continue", "Expect: 200-ok", "Upgrade: websocket", "Upgrade: h2c",
          "Trailer: Host", "TE: trailers", "X-Request-ID: mine", "Content-Encoding: gzip",
          "Host: b.test", "X-A: a\rb", "X-A: a\x00b", "X-A: \xff", "X-Forwarded-For: 1.1.1.1",
          "Keep-Alive: timeout=5", "Proxy-Connection: close", "Max-Forwards: 0")
TRAILERS = ("X-Sum: a", "Host: b.test", "Content-Length: 5", "X A: b", "X-Sum : a",
            "Transfer-Encoding: chunked")
SHARP = b"\r\n\0 \t:;,/GETHTTP/1.10123456789abcdefx\xff"


def usually(random, plain, others, chance=0.12):
    return random.choice(others) if random.random() < chance else plain


def new_tag(random):
    """Whose bytes these are: one of each connection."""
    return f"~{random.randrange(1 << 32):08x}~"


def bodies(tag):
    return (b"hello", b"0\r\n\r\n", tag.encode(),
            f"GET /smuggled{tag} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())


def chunked_body(random, tag):
    out = b""
    for _ in range(random.randrange(3)):
        end = usually(random, "\r\n", ENDS, 0.05)
        data = random.choice(("hello", "0\r\n\r\n", "GET /", tag))
        size = usually(random, f"{len(data):x}", SIZES)
        out += (size + end + data + usually(random, "\r\n", ENDS, 0.05)).encode("utf-8")
    out += b"0\r\n"
    if random.random() < 0.2:
        out += random.choice(TRAILERS).encode() + b"\r\n"
    return out + b"\r\n"


def request(random, number, tag):
    """One request, with a fault here and there."""
    lines, body = [], b""
    has_body = random.random() < 0.6
    method = usually(random, random.choice(("POST", "PUT")) if has_body else "GET", METHODS)
    target = usually(random, f"/r{number}{tag}", TARGETS)
    version = usually(random, "HTTP/1.1", VERSIONS, 0.06)
    lines.append(f"{method} {target} {version}")
    lines.append(f"X-Tag: {tag}")
    if random.random() > 0.02:
        lines.append("Host: " + usually(random, "a.test", HOSTS, 0.08))
    if has_body and random.random() < 0.5:
        body = chunked_body(random, tag)
        lines.append("Transfer-Encoding: " + usually(random, "chunked", CODINGS))
    elif has_body:
        body = random.choice((b"", *bodies(tag)))
        lines.append("Content-Length: " + usually(random, str(len(body)), NUMBERS))
    if random.random() < 0.12:
        lines.append("Content-Length: " + random.choice(NUMBERS))
    if random.random() < 0.08:
        lines.append("Transfer-Encoding: " + random.choice(CODINGS))
    if random.random() < 0.1:
        lines.append(random.choice(NAMES) + ": " + random.choice(("1", "chunked", "a")))
    if random.random() < 0.1:
        lines.append("Connection: " + random.choice(CONNECTIONS))
    if random.random() < 0.1:
        lines.append(random.choice(EXTRAS))
    fields = lines[1:]
    random.shuffle(fields)
    lines[1:] = fields
    head = "".join(line + usually(random, "\r\n", ENDS, 0.01) for line in lines)
    return (head + usually(random, "\r\n", ENDS, 0.02)).encode("utf-8", "surrogateescape") + body


def mutate(random, data):
    """A fault that no grammar foresees."""
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(data) + 1)
        what = random.randrange(4)
        if what == 0:
            data[at:at] = bytes((random.choice(SHARP),))
        elif what == 1:
            del data[at:at + random.choice((1, 1, 2, 8))]
        elif what == 2 and at < len(data):
            data[at] = random.choice(SHARP)
        else:
            begin = random.randrange(len(data) + 1)
            data[at:at] = data[begin:begin + random.randrange(40)]
    return bytes(data)


def stream(random):
    """What one connection sends."""
    tag = new_tag(random)
    data = b"".join(request(random, i, tag) for i in range(random.choice((1, 1, 2, 3))))
    return mutate(random, data) if random.random() < 0.25 else data


# --- The same by HTTP/2, whose fields may hold what a line of HTTP/1 cannot.

H2_VALUES = ("a", "", " a", "a ", "a\r\nX-B: b", "a\nb", "a\rb", "a\x00b",
             "a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", "\xff", "chunked", "5", "0")
H2_TARGETS = ("/a\r\nX: y", "/a HTTP/1.1\r\nX: y", "/\n")
H2_NAMES = ("x-a", "X-A", "x a", "x-a:", "", "x\r\ny", "x-a\x00", "transfer-encoding",
            "content-length", "connection", "upgrade", "host", "te", "keep-alive",
            "proxy-connection", ":path", ":method", ":fake", "cookie", "x:a")


def h2_request(random, number, stream_id, tag):
    """Frames of one stream."""
    has_body = random.random() < 0.5
    body = random.choice(bodies(tag)) if has_body else b""
    fields = [(":method", usually(random, "POST" if has_body else "GET", METHODS)),
              (":scheme", usually(random, "http", ("https", "", "a b", "HTTP"), 0.04)),
              (":authority", usually(random, "a.test", HOSTS + H2_VALUES)),
              (":path", usually(random, f"/r{number}{tag}", TARGETS + H2_TARGETS)),
              ("x-tag", tag)]
    if random.random() < 0.05:
        fields.pop(random.randrange(len(fields)))
    for _ in range(random.choice((0, 0, 1, 2))):
        fields.append((random.choice(H2_NAMES), random.choice(H2_VALUES)))
    if has_body and random.random() < 0.4:
        fields.append(("content-length", usually(random, str(len(body)), NUMBERS, 0.3)))
    if random.random() < 0.05:
        random.shuffle(fields)
    block = b"".join(field(name, value) for name, value in fields)
    end = 0 if has_body else h2.END_STREAM
    out = h2.frame(h2.HEADERS, h2.END_HEADERS | end, stream_id, block)
    if has_body:
        trailers = random.random() < 0.15
        out += h2.frame(h2.DATA, 0 if trailers else h2.END_STREAM, stream_id, body)
        if trailers:
            out += h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, stream_id,
                            field(random.choice(H2_NAMES), random.choice(H2_VALUES)))
    return out


def field(name, value):
    bytes_each = (text.encode("utf-8", "surrogateescape")[:126] for text in (name, value))
    return h2.literal(*(text.decode("latin-1") for text in bytes_each))


def h2_stream(random):
    tag = new_tag(random)
    requests = [h2_request(random, i, 2 * i + 1, tag) for i in range(random.choice((1, 2, 4)))]
    return h2.PREFACE + h2.settings() + b"".join(requests)
