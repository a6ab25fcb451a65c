"""What the proxy says it forwarded, against what an independent parser read of it."""
import collections
import re

# The client's own fault, found behind the head: the request must never look complete.
BROKEN_OFF = {"bad_request", "body_too_large", "request_timeout", "head_too_large",
              "unknown_transfer_coding"}
# What a connection that the proxy has cut on purpose looks like.
CUT = {"HPE_INVALID_EOF_STATE", "ECONNRESET", "EPIPE"}


TAG = re.compile(rb"~[0-9a-f]{8}~")

# A method is any token (RFC 9110 section 9.1); node has a list.
UNKNOWN_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\r\n]* HTTP/1\.1\r\n(?:.*\r\n)*?"
                            r"X-Request-ID: ([^\r\n]*)\r\n")


def host_of(authority):
    """Without a port and a root's dot, in lower case: what routes see, and the log has."""
    name = authority.rsplit("@", 1)[-1]
    if ":" in name and not name.endswith("]"):
        name = name.rsplit(":", 1)[0]
    return name.lower().removesuffix(".")


def fields_of(seen, name):
    raw = seen["headers"]
    return [raw[i + 1] for i in range(0, len(raw), 2) if raw[i].lower() == name]


def targets_of(record):
    if record["query"]:
        return {f"{record['path']}?{record['query']}"}
    return {record["path"], record["path"] + "?"}


def difference(record, seen):
    """None, or in what the two differ."""
    if seen["method"] != record["method"]:
        return f"method {seen['method']!r}, not {record['method']!r}"
    if seen["url"] not in targets_of(record):
        return f"target {seen['url']!r}, not {record['path']!r} with query {record['query']!r}"
    hosts = fields_of(seen, "host")
    if len(hosts) != 1 or (record["host"] and host_of(hosts[0]) != host_of(record["host"])):
        return f"host {hosts}, not {record['host']!r}"
    if seen["complete"] and seen["bytes"] != record["request_bytes"]:
        return f"{seen['bytes']} bytes of body, not {record['request_bytes']}"
    if "switched" in seen:
        return "a switch of protocols"
    return None


def foreign(seen, streams, owners):
    """None, or which of the bytes no single connection has sent."""
    body = seen["body"].encode("latin-1")
    text = [seen["url"], *seen["headers"], *seen.get("trailers", ())]
    tags = TAG.findall("\n".join(text).encode("latin-1", "replace") + b"\n" + body)
    senders = {owners[tag] for tag in tags if tag in owners}
    if len(senders) > 1:
        return "bytes of several connections"
    for sender in senders:
        sent = streams[sender]
        if fields_of(seen, "content-length"):
            if body not in sent:
                return f"a body that was not sent, {body!r}"
        else:
            rest = iter(sent)  # Chunks apart from one another, yet in their order.
            if not all(byte in rest for byte in body):
                return f"a body that was not sent, {body!r}"
    return None


def problems(records, lines, streams):
    """`records`: the proxy's access log; `lines`: the parser's; `streams`: what was sent, one of
    each connection."""
    found = []
    owners = {tag: i for i, data in enumerate(streams) for tag in TAG.findall(data)}
    logged = {record["request_id"]: record for record in records}
    seen_by_id = collections.defaultdict(list)
    for line in lines:
        if "error" in line:
            unknown = UNKNOWN_METHOD.match(line["raw"])
            if unknown and line["error"] == "HPE_INVALID_METHOD":
                logged.pop(unknown[1], None)
            elif line["error"] not in CUT:
                found.append(f"could not be parsed: {line['error']} in {line['raw'][:300]!r}")
            continue
        ids = fields_of(line, "x-request-id")
        if len(ids) != 1 or ids[0] not in logged:
            found.append(f"a request that the proxy knows nothing of: {line}")
            continue
        seen_by_id[ids[0]].append(line)
    for request_id, record in logged.items():
        seen = seen_by_id[request_id]
        complete = [line for line in seen if line["complete"]]
        for line in seen:
            what = difference(record, line) or foreign(line, streams, owners)
            if what:
                found.append(f"{what}: {record} {line}")
        if len(complete) > record["attempts"]:
            found.append(f"arrived {len(complete)} times: {record}")
        if complete and record["failure"] in BROKEN_OFF:
            found.append(f"refused, and complete at the upstream: {record}")
        if not complete and not record["failure"] and record["endpoint"]:
            found.append(f"forwarded, and never complete at the upstream: {record}")
    return found
