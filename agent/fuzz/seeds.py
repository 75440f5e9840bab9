#!/usr/bin/env python3
"""Writes the seeds in corpus/: the contract's vectors, and dumps as the kernel sends them.

Run it after the vectors have changed (python3 seeds.py). What fuzzing finds beside them is not kept
here, but what once crashed a target is: name it crash-….
"""

import hashlib
import json
import pathlib
import socket
import struct

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent.parent / "wire-contract" / "vectors"
SECRETS = {
    "your-shared-secret": "current",
    "gemeinsames Geheimnis: söt 🔑": "next",
    "not-your-shared-secret": "stranger",
}
# A seed is small, or it is no seed.
MAX_BYTES = 2048
FAMILY, PORT_ID = 0x1D, 4711


def cases(topic):
    return json.loads((VECTORS / f"{topic}.json").read_text())["cases"]


def headers():
    for case in cases("signing"):
        right = SECRETS.get(case["secret"])
        if right is None:
            continue
        signature = "{%s}" % right if case["verdict"] == "accepted" else case["signature"]
        if case["signature"].isupper():
            signature = "{CURRENT}"
        yield request(case["method"], case["target"], signature, case["timestamp"], case["body"])
    for case in cases("time-window"):
        if case["now"] == 1_700_000_000:
            yield request("GET", "/health", "{current}", case["timestamp"], "")
    twice = request("GET", "/health", "{current}", "1700000000", "")
    yield twice.replace(b"x-signature: {current}\n", b"x-signature: {current}\n" * 2)
    yield twice.replace(b"\n\n", b"\nx-timestamp: 1700000000\n\n")
    yield twice.replace(b"\n\n", b"\ncontent-length: 0\ntransfer-encoding: chunked\n\n")


def request(method, target, signature, timestamp, body):
    head = f"{method} {target}\nx-signature: {signature}\nx-timestamp: {timestamp}\n\n"
    return (head + body).encode()


def bodies():
    for case in cases("requests"):
        yield case["body"].encode()
    for topic in ("responses", "errors"):
        for case in cases(topic):
            yield json.dumps(case["body"]).encode()


def paths():
    for case in cases("targets"):
        yield case["target"].encode()


def padded(data):
    return data + bytes(-len(data) % 4)


def attribute(kind, payload):
    return padded(struct.pack("=HH", len(payload) + 4, kind) + payload)


def nest(kind, *parts):
    return attribute(kind | 0x8000, b"".join(parts))


def message(kind, payload, flags=0):
    # Sequence number and port id are filled in by the target.
    return padded(struct.pack("=IHHII", 16 + len(payload), kind, flags, 0, 0) + payload)


def allowed_ip(text):
    address, prefix_len = text.split("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    return nest(
        0,
        attribute(1, struct.pack("=H", family)),
        attribute(2, packed),
        attribute(3, bytes([int(prefix_len)])),
    )


def endpoint(address, port):
    if ":" in address:
        packed = socket.inet_pton(socket.AF_INET6, address)
        fields = struct.pack("=H", socket.AF_INET6) + struct.pack(">H", port)
        return fields + struct.pack("=I", 0) + packed + struct.pack("=I", 0)
    packed = socket.inet_pton(socket.AF_INET, address)
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + packed + bytes(8)


def peer(key, allowed_ips, where=None):
    parts = [
        attribute(1, bytes([key]) * 32),
        attribute(2, bytes([0 if where is None else 0x5A]) * 32),
        attribute(6, struct.pack("=qq", 1_700_000_000, 5)),
        attribute(5, struct.pack("=H", 25)),
        attribute(8, struct.pack("=Q", 1 << 40)),
        attribute(7, struct.pack("=Q", key)),
        attribute(10, struct.pack("=I", 1)),
    ]
    if where is not None:
        parts.append(attribute(4, endpoint(*where)))
    parts.append(nest(9, *map(allowed_ip, allowed_ips)))
    return nest(0, *parts)


def rest_of_peer(key, allowed_ips):
    return nest(0, attribute(1, bytes([key]) * 32), nest(9, *map(allowed_ip, allowed_ips)))


DEVICE = (
    attribute(6, struct.pack("=H", 51820))
    + attribute(7, struct.pack("=I", 7))
    + attribute(1, struct.pack("=I", 3))
    + attribute(2, b"wg0\0")
    + attribute(3, b"\xa5" * 32)
    + attribute(4, b"\x09" * 32)
)


def dump_message(*attributes, flags=2):
    return message(FAMILY, bytes([1, 1, 0, 0]) + b"".join(attributes), flags)


def done(errno=0, flags=2):
    return message(3, struct.pack("=i", -errno), flags)


def acknowledgement(errno=0):
    return message(2, struct.pack("=i", -errno) + bytes(16))


def dumps():
    one = peer(1, ["10.0.0.1/32", "fd00::/64"], ("192.0.2.7", 4500))
    two = peer(2, ["10.0.0.2/32", "0.0.0.0/0", "::/0"], ("2001:db8::7", 51820))
    yield dump_message(DEVICE) + done()
    yield dump_message(DEVICE, nest(8, one)) + done()
    yield dump_message(DEVICE, nest(8, one, two)) + done()
    yield dump_message(DEVICE, nest(8, peer(3, []))) + dump_message(nest(8, one, two)) + done()
    parts = dump_message(DEVICE, nest(8, peer(4, ["10.1.0.1/32", "10.1.0.2/32"])))
    parts += dump_message(DEVICE, nest(8, rest_of_peer(4, ["10.1.0.3/32", "fd01::1/128"])))
    yield parts + dump_message(nest(8, one)) + done()
    # An allowed IP under two peers, and twice under one.
    same = [peer(5, ["10.2.0.1/32", "10.2.0.1/32"]), peer(6, ["10.2.0.1/32"])]
    yield dump_message(DEVICE, nest(8, *same)) + done()
    yield dump_message(DEVICE, nest(8, one), flags=0x12) + done()
    yield dump_message(DEVICE, nest(8, one)) + done(flags=0x12)
    yield dump_message(DEVICE, nest(8, one)) + done(errno=105)
    yield acknowledgement(19)
    yield message(1, b"") + dump_message(DEVICE) + done()
    yield dump_message(DEVICE, nest(8, rest_of_peer(7, ["10.0.0.1/32"]))) + done()


def answer(datagram, kind=0):
    return struct.pack("<BH", kind, len(datagram)) + datagram


FAMILY_ANSWER = message(
    0x10,
    bytes([1, 2, 0, 0]) + attribute(2, b"wireguard\0") + attribute(1, struct.pack("=H", FAMILY)),
)


def exchanges():
    dump, change, ask_family = 0, 1, 2
    for seed in dumps():
        yield bytes([dump]) + answer(seed)
    whole = dump_message(DEVICE, nest(8, peer(1, ["10.0.0.1/32"])))
    yield bytes([dump | ask_family]) + answer(FAMILY_ANSWER) + answer(whole + done())
    yield bytes([dump | ask_family]) + answer(acknowledgement(2))
    yield bytes([dump]) + answer(whole) + answer(done())
    # From somebody else; cut short; refused by the system with ENOBUFS; then good.
    bad = answer(whole, 1) + answer(whole, 2) + answer(b"", 3 | 105 << 2 & 0xFF)
    yield bytes([dump]) + bad + answer(whole + done())
    yield bytes([dump]) + answer(whole + done(flags=0x12)) + answer(whole + done())
    yes, no = answer(acknowledgement()), answer(acknowledgement(22))
    for answers in (no + yes * 3, yes * 4, no * 3, no + yes + answer(acknowledgement(19))):
        yield bytes([change]) + answers
    yield bytes([change | ask_family]) + answer(FAMILY_ANSWER) + no + yes * 3
    yield bytes([change]) + answer(acknowledgement(2)) + no + yes * 3


def write(target, seeds):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("seed-*"):
        old.unlink()
    for seed in seeds:
        if len(seed) <= MAX_BYTES:
            name = hashlib.sha256(seed).hexdigest()[:12]
            (folder / f"seed-{name}").write_bytes(seed)


if __name__ == "__main__":
    write("headers", headers())
    write("bodies", bodies())
    write("paths", paths())
    write("netlink_dump", dumps())
    write("netlink_exchange", exchanges())
