"""Writes plain data as the block YAML an operator would write. Strings are quoted as in JSON."""
import json


def dump(value, depth=0):
    pad = "  " * depth
    if isinstance(value, dict) and value:
        return "".join(_entry(pad + json.dumps(key)[1:-1] + ":", item, depth)
                       for key, item in value.items())
    if isinstance(value, (list, tuple)) and value:
        out = []
        for item in value:
            text = dump(item, depth + 1)
            if isinstance(item, dict) and item:
                out.append(pad + "- " + text[len(pad) + 2:])
            elif isinstance(item, (list, tuple)) and item:
                out.append(pad + "-\n" + text)
            else:
                out.append(pad + "- " + text + "\n")
        return "".join(out)
    return json.dumps(value, ensure_ascii=False)


def _entry(head, item, depth):
    if isinstance(item, (dict, list, tuple)) and item:
        return head + "\n" + dump(item, depth + 1)
    return f"{head} {dump(item)}\n"
