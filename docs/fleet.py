"""fleet.py NODE ADD_SECRET SET_SECRET BACKUP, for the controller WGFLEET_URL, with WGFLEET_TOKEN.
NODE is a node's id; the shell commands ADD_SECRET and SET_SECRET give its agent the secret on their
standard input, as a second one and as the only one; BACKUP is the file for a copy of the store."""
import contextlib, json, os, secrets, subprocess, sys, time, uuid
import requests
NODE, ADD_SECRET, SET_SECRET, BACKUP = sys.argv[1:]
API, RUN = os.environ["WGFLEET_URL"] + "/api/v1", str(uuid.uuid4())
session = requests.Session()
session.headers["Authorization"] = "Bearer " + os.environ["WGFLEET_TOKEN"]
def call(method, path, body=None, stream=False, last=None, **query):
    headers = {"Idempotency-Key": str(uuid.uuid4()), "Last-Event-ID": last}
    request = {"params": query, "json": body, "headers": headers, "stream": stream, "timeout": 60}
    for _ in range(300):  # One key: one change, however often it has to be sent.
        try:
            answer = session.request(method, API + path, **request)
            size = None if stream else answer.headers.get("Content-Length")
            if answer.ok and (size is None or int(size) == len(answer.content)):
                return answer
            if not answer.ok and answer.status_code not in (409, 429, 503):  # 409: still under way
                sys.exit(f"{method} {path}: {answer.text}")
            time.sleep(int(answer.headers.get("Retry-After", 1)))
        except requests.RequestException:  # away, or killed while it answered
            time.sleep(1)
    sys.exit(f"{method} {path}: no good answer in 300 tries")
def listed(path, cursor=None, **query):  # all pages
    page = call("GET", path, limit=200, cursor=cursor, **query).json()
    return page["items"] + (page["next_cursor"] and listed(path, page["next_cursor"], **query) or [])
def events(last=None, **query):
    while True:  # Where a stream breaks, the next one goes on.
        piece, stream = {}, call("GET", "/events", stream=True, last=last, **query)
        with contextlib.suppress(requests.RequestException):
            for line in stream.iter_lines():
                name, _, piece[name] = line.decode().partition(": ")
                if not line and "id" in piece:  # An event, or a comment that moves the id on.
                    last, data, piece = piece["id"], piece.get("data", "null"), {}
                    yield json.loads(data)
changes = events(kind="peer.sync")
next(changes)  # The stream is open before anything happens.
try:
    peers = [{"name": f"laptop {n}", "labels": {"run": RUN}} for n in range(1000)]
    created = call("POST", "/peers/bulk/create", {"peers": peers}).json()["results"]
    waiting = {one["peer"]["id"] for one in created if one["status"] == 201}
    while waiting:
        change = next(changes)
        if change and change["sync"]["state"] == "applied":
            waiting.discard(change["peer_id"])
    found = len(listed("/peers", label="run=" + RUN, sync="applied"))
    print(found, "peers are on their nodes")
    if found != len(peers): sys.exit(f"{len(peers)} were asked for")
    secret = secrets.token_urlsafe(32)
    subprocess.run(ADD_SECRET, shell=True, check=True, input=secret + "\n", text=True)
    while not call("POST", f"/nodes/{NODE}/secret", {"secret": secret}).json()["completed"]:
        time.sleep(1)  # The agent has not read it yet.
    subprocess.run(SET_SECRET, shell=True, check=True, input=secret + "\n", text=True)
    print("the secret is rotated")
    with open(BACKUP, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(call("POST", "/backup").content)
finally:
    ids = [peer["id"] for peer in listed("/peers", label="run=" + RUN)]
    print(call("POST", "/peers/bulk/delete", {"ids": ids}).json()["succeeded"], "peers are deleted")
