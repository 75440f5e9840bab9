"""Puts ids of things that are there into what schemathesis makes up.

The last of each kind is the one that may be deleted; the token that asks is never revoked.
"""

import json
import os

import schemathesis

IDS = json.loads(os.environ["WGFLEET_IDS"])
OWN_TOKEN = os.environ["WGFLEET_OWN_TOKEN"]


def kind(operation):
    return (operation.path.split("/") + [""] * 3)[3]


def known(operation, text):
    ids = IDS.get(kind(operation), [])
    ids = ids[-1:] if operation.method.upper() == "DELETE" else ids[:-1]
    return ids[sum(map(ord, text)) % len(ids)] if ids else text


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    text = str((path_parameters or {}).get("id", ""))
    # Some stay ids of nobody.
    if text and text[-1] not in "01":
        path_parameters["id"] = known(context.operation, text)
    return path_parameters


@schemathesis.hook
def before_call(context, case, kwargs):
    # Found in a list of tokens.
    if kind(case.operation) == "tokens" and (case.path_parameters or {}).get("id") == OWN_TOKEN:
        case.path_parameters["id"] = known(case.operation, OWN_TOKEN)
