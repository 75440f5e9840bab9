#!/usr/bin/env python3
"""Writes the golden cases beside it; `--check` only compares and names what differs.

Nothing here is derived from the Rust code: signatures come from the signing function as the contract
documents it, addresses in their normal form from Python's `ipaddress`. Standard library only.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
NOW = 1_700_000_000

# Keys with every kind of character base64 has: none special, `/`, `+` and both.
KEY = base64.b64encode(bytes([1] * 32)).decode()
KEY_SLASH = base64.b64encode(bytes([0xFF] * 32)).decode()
KEY_PLUS = base64.b64encode(bytes([0xFB, 0xEF, 0xBE] * 10 + [0xFB, 0xEF])).decode()
KEY_BOTH = base64.b64encode(bytes([0xFB, 0xFF] * 16)).decode()
PSK = base64.b64encode(bytes([5] * 32)).decode()
ZERO_KEY = base64.b64encode(bytes(32)).decode()


def documented_signature(method, path, body, timestamp, secret):
    """The body of this function is the contract's own."""
    message = f"{method}|{path}|{body}|{timestamp}"
    signature = hmac.new(
        secret.encode('utf-8'),
        message.encode('utf-8'),
        hashlib.sha256
    ).hexdigest()
    return signature


def percent_encoded(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


# --- signing -----------------------------------------------------------------------------------

SECRET = "your-shared-secret"
LONG_SECRET = "q7Xw0bM1m0yJ6l8T3cVZ2nRkEo5uHsPdFgAiYtBxLrC"
UTF8_SECRET = "gemeinsames Geheimnis: söt 🔑"


def signed(name, method, target, body="", timestamp=str(NOW), secret=SECRET):
    signature = documented_signature(method, target, body, timestamp, secret)
    return {
        "name": name, "secret": secret, "method": method, "target": target, "body": body,
        "timestamp": timestamp, "signature": signature, "verdict": "accepted",
    }


def but(case, name, verdict="wrong_signature", **changed):
    return {**case, "name": name, **changed, "verdict": verdict}


def signing():
    add = json.dumps({"public_key": KEY, "allowed_ips": ["10.0.1.2/32"]})
    utf8 = json.dumps({"public_key": KEY, "note": "zażółć 🐉 \u0000"}, ensure_ascii=False)
    bar = json.dumps({"public_key": KEY, "note": "a|b||c|1700000000"})
    get = signed("GET with an empty body", "GET", "/health")
    post = signed("POST with a JSON body", "POST", "/wg/wg0/peers", add)
    barred = signed("a | in the body", "POST", "/wg/wg0/peers", bar)
    peer = f"/wg/wg0/peers/{KEY_BOTH}"
    encoded = f"/wg/wg0/peers/{percent_encoded(KEY_BOTH)}"
    slashes_encoded = "/wg/wg0/peers/" + KEY_BOTH.replace("/", "%2F")
    put_encoded = signed("PUT, key fully percent-encoded", "PUT", encoded, '{"persistent_keepalive":30}')
    cases = [
        get,
        signed("GET under /v1", "GET", "/v1/wg/wg0/dump"),
        signed("a query is signed", "GET", "/wg/wg0/dump?n=17&x="),
        signed("a bare ? is signed", "GET", "/wg/wg0/dump?"),
        post,
        signed("POST with UTF-8 in the body", "POST", "/wg/wg0/peers", utf8),
        signed("POST with a byte order mark and CRLF", "POST", "/wg/wg0/peers", "\ufeff{}\r\n"),
        signed("POST with a large body", "POST", "/wg/wg0/peers", " " * 5000 + "{}"),
        barred,
        signed("a body that is a lone |", "POST", "/wg/wg0/peers", "|"),
        signed("PUT, key with / + = as they are", "PUT", peer, '{"persistent_keepalive":30}'),
        put_encoded,
        signed("PUT, only the / encoded", "PUT", slashes_encoded, "{}"),
        signed("PUT, lower-case percent-encoding", "PUT", encoded.lower(), "{}"),
        signed("DELETE", "DELETE", f"/wg/wg0/peers/{KEY_SLASH}"),
        signed("DELETE under /v1 with a counter", "DELETE", f"/v1/wg/wg0/peers/{KEY_PLUS}?n=2"),
        signed("a %7C in the target", "GET", "/wg/a%7Cb/dump"),
        signed("leading zeros in the timestamp are signed", "GET", "/health", timestamp="001700000000"),
        signed("timestamp 0", "GET", "/health", timestamp="0"),
        signed("a long secret", "POST", "/wg/wg0/peers", add, secret=LONG_SECRET),
        signed("a secret longer than a hash block", "GET", "/health", secret=LONG_SECRET * 3),
        signed("a secret with UTF-8", "GET", "/health", secret=UTF8_SECRET),
        but(get, "the signature in upper-case hex", "accepted", signature=get["signature"].upper()),
        but(get, "another secret", secret="not-your-shared-secret"),
        but(get, "another method", method="DELETE"),
        but(get, "the method in lower case", method="get"),
        but(get, "a query added", target="/health?x=1"),
        but(get, "another timestamp", timestamp=str(NOW + 1)),
        but(get, "a zero added before the timestamp", timestamp=f"0{NOW}"),
        but(get, "a body added", body=" "),
        but(get, "the last hex digit changed", signature=flipped(get["signature"])),
        but(post, "the body reformatted", body=add.replace(" ", "")),
        but(post, "the target decoded", target="/wg/wg%30/peers"),
        but(put_encoded, "the target normalised", target=peer),
        but(get, "63 hex digits", "malformed_signature", signature=get["signature"][1:]),
        but(get, "65 hex digits", "malformed_signature", signature=get["signature"] + "0"),
        but(get, "no hex", "malformed_signature", signature="g" * 64),
        but(get, "spaces around the hex", "malformed_signature", signature=f" {get['signature']} "),
        but(get, "an empty signature", "malformed_signature", signature=""),
        moved("the | moved from the body into the target", "POST", "/wg/wg0/peers", "a|b"),
        moved("the | moved so that a query swallows it", "PUT", "/wg/wg0/peers/k?", "x|{}"),
        but(get, "no path", "bad_target", target="health"),
        but(get, "absolute form", "bad_target", target="http://node/health"),
    ]
    return {"window_seconds": 300, "cases": cases}


def flipped(signature):
    return signature[:-1] + ("0" if signature[-1] != "0" else "1")


def moved(name, method, target, body):
    """The same message under the same signature, cut at another `|`."""
    case = signed(name, method, target, body)
    head, tail = body.split("|", 1)
    moved_case = but(case, name, "bad_target", target=f"{target}|{head}", body=tail)
    again = documented_signature(
        method, moved_case["target"], moved_case["body"], str(NOW), SECRET)
    assert again == case["signature"], "the message must stay the same"
    return moved_case


# --- the time window ---------------------------------------------------------------------------


def time_window():
    def case(name, timestamp, verdict, now=NOW):
        return {"name": name, "now": now, "timestamp": timestamp, "verdict": verdict}

    def at(offset, verdict):
        return case(f"{offset:+} s", str(NOW + offset), verdict)

    malformed = {
        "empty": "",
        "a plus sign": f"+{NOW}",
        "negative": f"-{NOW}",
        "minus zero": "-0",
        "a space before": f" {NOW}",
        "a space after": f"{NOW} ",
        "a space between": "1700 000000",
        "a line feed after": f"{NOW}\n",
        "exponent": "1e9",
        "fraction": f"{NOW}.0",
        "hexadecimal": "0x6553f100",
        "underscores": "1_700_000_000",
        "13 digits (milliseconds)": f"{NOW}000",
        "13 digits, zeros before": f"000{NOW}",
        "20 digits": "9" * 20,
        "200 digits": "1" * 200,
        "Arabic-Indic digits": "١٧٠٠٠٠٠٠٠٠",
        "fullwidth digits": "１７００００００００",
        "mathematical digits": "𝟏𝟕𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎",
        "NUL": f"{NOW}\u0000",
        "words": "now",
    }
    cases = [at(0, "accepted"), at(300, "accepted"), at(-300, "accepted"), at(299, "accepted")]
    cases += [at(301, "outside_window"), at(-301, "outside_window"), at(86400, "outside_window")]
    cases += [
        case("12 digits, zeros before", f"00{NOW}", "accepted"),
        case("12 digits", "9" * 12, "outside_window"),
        case("the epoch", "0", "outside_window"),
        case("the epoch, at the epoch", "0", "accepted", now=0),
        case("the epoch, 300 s later", "0", "accepted", now=300),
        case("the epoch, 301 s later", "0", "outside_window", now=301),
    ]
    cases += [case(name, text, "malformed") for name, text in malformed.items()]
    return {"window_seconds": 300, "cases": cases}


# --- request bodies ----------------------------------------------------------------------------


def networks(texts):
    """Host bits cleared, each once, in the order given."""
    return list(dict.fromkeys(str(ipaddress.ip_interface(text).network) for text in texts))


def normal_add(body):
    """The AddPeer that `body` means, every default filled in."""
    given = {name: value for name, value in body.items() if value is not None}
    normal = {
        "public_key": given["public_key"],
        "allowed_ips": networks(given.get("allowed_ips", [])),
        "persistent_keepalive": given.get("persistent_keepalive", 0),
    }
    if given.get("preshared_key", ZERO_KEY) != ZERO_KEY:
        normal["preshared_key"] = given["preshared_key"]
    if "endpoint" in given:
        normal["endpoint"] = given["endpoint"]
    return normal


def normal_update(body):
    """The UpdatePeer that `body` means; what is absent stays absent."""
    known = ("allowed_ips", "preshared_key", "persistent_keepalive", "endpoint")
    normal = {name: body[name] for name in known if name in body}
    if "allowed_ips" in normal:
        normal["allowed_ips"] = networks(normal["allowed_ips"])
    if normal.get("preshared_key") == ZERO_KEY:
        normal["preshared_key"] = None
    return normal


def accepted(name, request, /, **body):
    normal = {"AddPeer": normal_add, "UpdatePeer": normal_update}[request](body)
    text = json.dumps(body, ensure_ascii=False)
    return {"name": name, "request": request, "body": text, "normal": normal}


def refused(name, request, text, field):
    """`field` is what the message begins with; null where no field is to blame."""
    return {"name": name, "request": request, "body": text, "refused": field}


def add_cases():
    def ok(name, /, **body):
        return accepted(name, "AddPeer", public_key=KEY, **body)

    return [
        ok("the key alone"),
        ok("as documented", allowed_ips=["10.0.1.2/32"], preshared_key=PSK, persistent_keepalive=25),
        ok("null is absent", allowed_ips=None, preshared_key=None, persistent_keepalive=None, endpoint=None),
        ok("no networks", allowed_ips=[]),
        ok("an address alone", allowed_ips=["10.0.0.5", "fd00::5"]),
        ok("host bits", allowed_ips=["10.0.0.5/24", "fd00::5/64", "192.168.77.9/17"]),
        ok("duplicates", allowed_ips=["10.0.0.1", "10.0.0.0/24", "10.0.0.1/32", "10.0.0.9/24"]),
        ok("IPv6 spelt out", allowed_ips=["FD00:0000:0000::0001/128", "2001:0DB8::/32"]),
        ok("everything", allowed_ips=["0.0.0.0/0", "::/0", "10.1.2.3/0"]),
        ok("the all-zero preshared key is none", preshared_key=ZERO_KEY),
        ok("longest keepalive", persistent_keepalive=65535),
        ok("IPv4 endpoint", endpoint="192.0.2.7:51820"),
        ok("IPv6 endpoint", endpoint="[2001:db8::7]:65535"),
        ok("unknown fields", name="phone", nested={"deep": [1, {"public_key": "no"}]}, big=10**30),
    ]


def update_cases():
    def ok(name, /, **body):
        return accepted(name, "UpdatePeer", **body)

    return [
        ok("nothing"),
        ok("as documented", allowed_ips=["10.0.1.2/32", "10.0.1.3/32"], persistent_keepalive=30),
        ok("the list emptied", allowed_ips=[]),
        ok("preshared key set", preshared_key=PSK),
        ok("preshared key removed", preshared_key=None),
        ok("preshared key removed by the all-zero key", preshared_key=ZERO_KEY),
        ok("keepalive off", persistent_keepalive=0),
        ok("endpoint", endpoint="192.0.2.7:1"),
        ok("unknown fields", comment="a|b", tags=[None]),
    ]


def refused_in_both():
    """(name, members of an object, field)"""
    return [
        ("allowed_ips is a text", '"allowed_ips":"10.0.0.1/32"', "allowed_ips"),
        ("allowed_ips is an object", '"allowed_ips":{}', "allowed_ips"),
        ("null in allowed_ips", '"allowed_ips":[null]', "allowed_ips: item 0"),
        ("a number in allowed_ips", '"allowed_ips":["10.0.0.1",7]', "allowed_ips: item 1"),
        ("an empty text in allowed_ips", '"allowed_ips":[""]', "allowed_ips: item 0"),
        ("octet 256", '"allowed_ips":["10.0.0.1","10.0.0.256"]', "allowed_ips: item 1"),
        ("three octets", '"allowed_ips":["10.0.0/24"]', "allowed_ips: item 0"),
        ("/33", '"allowed_ips":["10.0.0.0/33"]', "allowed_ips: item 0"),
        ("/129", '"allowed_ips":["fd00::/129"]', "allowed_ips: item 0"),
        ("/-1", '"allowed_ips":["10.0.0.0/-1"]', "allowed_ips: item 0"),
        ("/+8", '"allowed_ips":["10.0.0.0/+8"]', "allowed_ips: item 0"),
        ("a netmask", '"allowed_ips":["10.0.0.0/255.0.0.0"]', "allowed_ips: item 0"),
        ("a list in one text", '"allowed_ips":["10.0.0.1, 10.0.0.2"]', "allowed_ips: item 0"),
        ("a lone surrogate in allowed_ips", '"allowed_ips":["\\ud800"]', "allowed_ips: item 0"),
        ("allowed_ips twice", '"allowed_ips":[],"allowed_ips":[]', "allowed_ips"),
        ("preshared key too short", '"preshared_key":"AAAA"', "preshared_key"),
        ("preshared key empty", '"preshared_key":""', "preshared_key"),
        ("preshared key a number", '"preshared_key":1', "preshared_key"),
        ("preshared key twice", '"preshared_key":null,"preshared_key":null', "preshared_key"),
        ("keepalive -1", '"persistent_keepalive":-1', "persistent_keepalive"),
        ("keepalive 65536", '"persistent_keepalive":65536', "persistent_keepalive"),
        ("keepalive 1e400", '"persistent_keepalive":1e400', "persistent_keepalive"),
        ("keepalive 25.5", '"persistent_keepalive":25.5', "persistent_keepalive"),
        ("keepalive a text", '"persistent_keepalive":"25"', "persistent_keepalive"),
        ("keepalive a boolean", '"persistent_keepalive":true', "persistent_keepalive"),
        ("endpoint without a port", '"endpoint":"192.0.2.7"', "endpoint"),
        ("endpoint with port 0", '"endpoint":"192.0.2.7:0"', "endpoint"),
        ("endpoint with port 65536", '"endpoint":"192.0.2.7:65536"', "endpoint"),
        ("endpoint with a host name", '"endpoint":"node.example:51820"', "endpoint"),
        ("IPv6 endpoint without brackets", '"endpoint":"2001:db8::7:51820"', "endpoint"),
        ("endpoint empty", '"endpoint":""', "endpoint"),
    ]


def requests():
    cases = add_cases() + update_cases()
    for name, members, field in refused_in_both():
        cases.append(refused(name, "AddPeer", f'{{"public_key":"{KEY}",{members}}}', field))
        cases.append(refused(name, "UpdatePeer", f"{{{members}}}", field))
    for field in ("allowed_ips", "persistent_keepalive", "endpoint"):
        cases.append(refused(f"{field} null", "UpdatePeer", f'{{"{field}":null}}', field))
    for name, value in {
        "key absent": None,
        "key null": "null",
        "key a number": "7",
        "key empty": '""',
        "key of 31 bytes": json.dumps(base64.b64encode(bytes(31)).decode()),
        "key of 33 bytes": json.dumps(base64.b64encode(bytes(33)).decode()),
        "key without padding": json.dumps(KEY[:-1]),
        "key in the URL alphabet": json.dumps(KEY_BOTH.replace("+", "-").replace("/", "_")),
        "key with trailing bits set": json.dumps(KEY[:-2] + "F="),
        "key with a line feed": json.dumps(KEY + "\n"),
        "key twice": f'"{KEY}","public_key":"{KEY}"',
        "key twice, once escaped": f'"{KEY}","public\\u005fkey":"{KEY}"',
    }.items():
        text = "{}" if value is None else f'{{"public_key":{value}}}'
        cases.append(refused(name, "AddPeer", text, "public_key"))
    for name, text in {
        "empty": "", "null": "null", "a list": "[]", "a text": '"{}"', "cut off": '{"allowed_ips":[',
        "something after": "{}{}", "a byte order mark": "\ufeff{}", "single quotes": "{'a':1}",
        "a trailing comma": '{"a":1,}', "a comment": "{}//",
    }.items():
        cases.append(refused(name, "AddPeer", text, None))
        cases.append(refused(name, "UpdatePeer", text, None))
    return {"cases": cases}


# --- responses ---------------------------------------------------------------------------------


def responses():
    peer = {
        "public_key": KEY, "endpoint": "1.2.3.4:51820", "allowed_ips": ["10.0.1.2/32"],
        "latest_handshake": 1234567890, "transfer_rx": 1024000, "transfer_tx": 2048000,
        "persistent_keepalive": 25,
    }
    unseen = {
        "public_key": KEY_SLASH, "endpoint": None, "allowed_ips": [], "latest_handshake": 0,
        "transfer_rx": 0, "transfer_tx": 0, "persistent_keepalive": 0,
    }
    large = {**peer, "public_key": KEY_BOTH, "endpoint": "[2001:db8::7]:51820",
             "allowed_ips": ["10.0.1.2/32", "fd00::/64", "0.0.0.0/0"], "transfer_rx": 2**64 - 1}
    health = {"status": "ok", "timestamp": 1234567890, "uptime": 86400, "version": "1.0.0"}
    device = {
        "interface": "wg0", "public_key": KEY, "listen_port": 51820, "fwmark": 0,
        "addresses": ["10.8.0.1/24", "fd00::1/64"], "mtu": 1420, "up": True, "peer_count": 3,
        "backend": "kernel", "ifindex": 7, "boot_id": "5f3c0f9e-6a0e-4a52-8d4e-2f2b7ad0a6f1",
    }
    added = {"public_key": KEY, "allowed_ips": ["10.0.1.2/32"]}

    def case(name, response, body, means=None):
        return {"name": name, "response": response, "body": body, "means": means or body}

    def in_the_field(name, /, **odd):
        dump = {"interface": "wg0", "peers": [{**unseen, **odd}]}
        return case(name, "Dump", dump, {"interface": "wg0", "peers": [unseen]})

    bare = {"interface": "wg0", "peers": [{"public_key": KEY_SLASH}]}
    return {"cases": [
        case("as documented", "Health", health, {**health, "capabilities": []}),
        case("with extensions", "Health",
             {**health, "backend": "kernel", "capabilities": ["device", "nonce"]}),
        case("as documented", "Dump", {"interface": "wg0", "peers": [peer]}),
        case("several peers", "Dump", {"interface": "wg0", "peers": [large, unseen, peer]}),
        case("no peers", "Dump", {"interface": "wg0", "peers": []}),
        in_the_field("(none) for no networks", allowed_ips=["(none)"]),
        in_the_field("null for no networks", allowed_ips=None),
        in_the_field("null for never", latest_handshake=None),
        in_the_field("off for no keepalive", persistent_keepalive="off"),
        in_the_field("null for no keepalive", persistent_keepalive=None),
        in_the_field("(none) for no endpoint", endpoint="(none)"),
        in_the_field("null for no bytes", transfer_rx=None, transfer_tx=None),
        in_the_field("a field more", name="phone"),
        case("fields left out", "Dump", bare, {"interface": "wg0", "peers": [unseen]}),
        case("as documented", "PeerAdded",
             {"status": "success", "message": "Peer added successfully", "peer": added}),
        case("updated", "PeerChanged", {"status": "success", "message": "Peer updated successfully"}),
        case("removed", "PeerChanged", {"status": "success", "message": "Peer removed successfully"}),
        case("extension", "Interfaces", {"interfaces": [{"interface": "wg0", "backend": "kernel"}]}),
        case("extension, none", "Interfaces", {"interfaces": []}),
        case("extension", "Device", device),
        case("extension, no key yet", "Device",
             {**device, "public_key": None, "listen_port": 0, "addresses": [], "up": False}),
    ]}


# --- errors ------------------------------------------------------------------------------------


def errors():
    table = [
        (400, "bad_request", "allowed_ips: item 1: \"10.0.0.256\" is not an address"),
        (401, "unauthorized", "the request is not authenticated"),
        (404, "interface_not_found", "there is no WireGuard interface wg7 on this node"),
        (404, "peer_not_found", "wg0 has no peer with this public key"),
        (404, "not_found", "no such route"),
        (405, "method_not_allowed", "PATCH is not allowed here; see Allow"),
        (408, "timeout", "the request came too slowly"),
        (409, "peer_exists", "wg0 has this peer with other settings; change it with PUT"),
        (409, "allowed_ip_conflict", "10.0.0.5/32 belongs to another peer of wg0"),
        (409, "replayed", "this request was seen before; sign it anew"),
        (413, "too_large", "the body is larger than 262144 bytes"),
        (415, "unsupported_media_type", "send application/json"),
        (422, "own_key", "this is the public key of wg0 itself"),
        (429, "rate_limited", "too many failed requests; see Retry-After"),
        (500, "internal", "a bug; the agent's log has the detail"),
        (503, "kernel_unavailable", "the kernel gave no consistent answer; try again"),
    ]
    return {"cases": [
        {"status": status, "error": code,
         "body": {"status": "error", "error": code, "message": message}}
        for status, code, message in table
    ]}


# --- targets -----------------------------------------------------------------------------------


def targets():
    def means(target, kind, interface=None, public_key=None):
        resource = {"kind": kind}
        if interface is not None:
            resource["interface"] = interface
        if public_key is not None:
            resource["public_key"] = public_key
        return {"target": target, "resource": resource}

    def peer(written, public_key, prefix="/wg/wg0"):
        return means(f"{prefix}/peers/{written}", "peer", "wg0", public_key)

    cases = [
        means("/health", "health"),
        means("/v1/health", "health"),
        means("/health?x=1&health", "health"),
        means("/wg", "interfaces"),
        means("/v1/wg", "interfaces"),
        means("/wg/wg0", "device", "wg0"),
        means("/wg/wg0/dump", "dump", "wg0"),
        means("/v1/wg/wg0/dump?", "dump", "wg0"),
        means("/wg/wg0/peers", "peers", "wg0"),
        means("/v1/wg/wg0/peers?n=3", "peers", "wg0"),
        means("/wg/%77g0/dump", "dump", "wg0"),
        means("/wg/wg%2520/dump", "dump", "wg%20"),
        means("/wg/dump/dump", "dump", "dump"),
        means("/wg/peers", "device", "peers"),
        means("/wg/w%C3%A4g/peers", "peers", "wäg"),
        means("/wg/fifteen-letters/dump", "dump", "fifteen-letters"),
        peer(KEY, KEY, "/v1/wg/wg0"),
        peer(KEY + "?n=1", KEY),
    ]
    for key in (KEY, KEY_SLASH, KEY_PLUS, KEY_BOTH):
        cases.append(peer(key, key))
        cases.append(peer(key.replace("/", "%2F"), key))
        cases.append(peer(key.replace("/", "%2f").replace("=", "%3d"), key))
        cases.append(peer(percent_encoded(key), key))
    refusals = {
        "malformed": ["", "health", "*", "http://node/health", "/health|", "/wg/wg0/dump?a|b"],
        "no_such_route": [
            "/", "//", "/Health", "/health/", "/health/x", "//health", "/./health", "/v1", "/v1/",
            "/v2/health", "/v1/v1/health", "/v1health", "/%761/health", "/%68ealth", "/wgx",
            "/wg/wg0/", "/wg/wg0/dump/", "/wg/wg0/peers/", "/wg/wg0//dump", "/wg/wg0/./dump",
            "/wg/wg0/Dump", "/wg/wg0/dump/x", "/wg/wg0%2Fdump/x", "/wg/../wg/wg0/dump",
            f"//wg/wg0/peers/{KEY}", f"/wg/wg0//peers/{KEY}", f"/wg/wg0/peer/{KEY}",
        ],
        "interface": [
            "/wg/", "/wg//dump", "/wg/./dump", "/wg/../dump", "/wg/%2e%2e/dump", "/wg/%2E/peers",
            "/wg/wg0%00/dump", "/wg/wg%200/dump", "/wg/wg0%2Fx/dump", "/wg/a:b/dump", "/wg/wg%/dump",
            "/wg/wg%zz/dump", "/wg/%ff/dump", "/wg/sixteen-letters-/dump", "/wg/wg0%0A",
        ],
        "public_key": [
            "/wg/wg0/peers/x", f"/wg/wg0/peers/{KEY}/", f"/wg/wg0/peers//{KEY}",
            f"/wg/wg0/peers/./{KEY}", f"/wg/wg0/peers/{KEY}/dump", f"/wg/wg0/peers/{KEY}%00",
            f"/wg/wg0/peers/{KEY[:-1]}", f"/wg/wg0/peers/{KEY[:-2]}F=",
            f"/wg/wg0/peers/{KEY_SLASH.replace('/', '%252F')}",
            f"/wg/wg0/peers/{percent_encoded(percent_encoded(KEY))}",
            f"/wg/wg0/peers/{KEY_BOTH.replace('+', '-').replace('/', '_')}",
            f"/wg/wg0/peers/{KEY_PLUS.replace('+', '%20')}", f"/wg/wg0/peers/{KEY[:-1]}%3",
        ],
    }
    for why, texts in refusals.items():
        cases += [{"target": text, "refused": why} for text in texts]
    return {"cases": cases}


# -----------------------------------------------------------------------------------------------

TOPICS = {
    "signing": signing, "time-window": time_window, "requests": requests, "responses": responses,
    "errors": errors, "targets": targets,
}


def main():
    stale = []
    for topic, generate in TOPICS.items():
        file = HERE / f"{topic}.json"
        text = json.dumps(generate(), indent=1, ensure_ascii=True) + "\n"
        if sys.argv[1:] != ["--check"]:
            file.write_text(text, encoding="utf-8", newline="\n")
        elif not file.exists() or file.read_bytes() != text.encode():
            stale.append(file.name)
    if stale:
        sys.exit(f"not what generate.py writes: {', '.join(stale)}")


if __name__ == "__main__":
    main()
