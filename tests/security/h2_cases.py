"""The catalogue's HTTP/2 cases: frames in hex, sent behind the preface."""
import os

import yaml

import h2_frames as h2

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = ("h2", "h2-flood")

# What RFC 9113 names for each, where it is not PROTOCOL_ERROR. More than one: it allows both, or two
# rules of it meet.
CODES = {
    "h2-headers-lower-id": (h2.PROTOCOL_ERROR, h2.STREAM_CLOSED),  # 5.1.1; 5.1 "closed".
    "h2-data-after-end": (h2.STREAM_CLOSED,),                      # 5.1 "half-closed (remote)".
    "h2-frame-too-large": (h2.FRAME_SIZE_ERROR,),                  # 4.2.
    "h2-settings-bad-len": (h2.FRAME_SIZE_ERROR,),                 # 6.5.
    "h2-settings-window-big": (h2.FLOW_CONTROL_ERROR,),            # 6.5.2.
    "h2-wu-overflow-conn": (h2.FLOW_CONTROL_ERROR,),               # 6.9.1.
    "h2-hpack-bad-index": (h2.COMPRESSION_ERROR,),                 # 4.3.
    "h2-hpack-int-overflow": (h2.COMPRESSION_ERROR,),
    "h2-hpack-huffman-eos": (h2.COMPRESSION_ERROR,),
}


class H2Case:
    def __init__(self, data):
        self.id = self.base_id = data["id"]
        self.group = data["group"]
        self.hex = bytes.fromhex(data.get("hex", ""))
        self.block = bytes.fromhex(data.get("block", ""))
        self.send = self.hex
        if self.id == "h2-frame-too-large":
            self.send += b"x" * 16385
        self.classes = [data["expect"], *data.get("also", [])]
        self.status = data.get("status")
        self.must = data.get("must", [])
        self.must_not = data.get("must_not", [])
        self.requests = data.get("requests")
        self.codes = CODES.get(self.id, (h2.PROTOCOL_ERROR,))
        self.why = data["why"]
        frames = h2.Reader().feed(self.send)
        streams = [f.stream for f in frames if f.stream % 2]
        self.stream = streams[-1] if streams else 1
        # Whether the client has ended that stream: its message is fully framed.
        self.ended = any(f.stream == self.stream and f.type in (h2.HEADERS, h2.DATA)
                         and f.flags & h2.END_STREAM for f in frames)
        self.streams_end = max(streams, default=-1) + 2  # Free from here on.
        # Where one frame is too long, splitting at every byte shows nothing that pieces do not.
        self.piece = 1 if len(self.send) < 4096 else 64


def load(groups=GROUPS, only=None):
    with open(os.path.join(HERE, "cases.yaml"), encoding="utf-8") as f:
        catalogue = yaml.safe_load(f)
    return [H2Case(data) for data in catalogue["cases"]
            if data["group"] in GROUPS and data["group"] in groups and (not only or data["id"] in only)]
