"""Counts what holds and what does not, and says which."""

import asyncio
import json
import os
import traceback

lab = os.environ["EMULATOR_LAB"]
with open(os.path.join(lab, "serve.json")) as file:
    emulator = json.load(file)


def file(name):
    return os.path.join(lab, name)


def text(name):
    with open(file(name)) as opened:
        return opened.read()


def connection_string(service, policy):
    for string in emulator["connectionStrings"]:
        if string["service"].startswith(service) and string["policy"] == policy:
            return string["named"]
    raise KeyError(service)


results = {"passed": 0, "failed": 0}


def run(*checks):
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            outcome = check()
            if asyncio.iscoroutine(outcome):
                asyncio.run(asyncio.wait_for(outcome, 60))
            results["passed"] += 1
            print(f"ok      {name}", flush=True)
        except BaseException:
            results["failed"] += 1
            print(f"FAILED  {name}", flush=True)
            traceback.print_exc()
    print(f"RESULT {results['passed']} {results['failed']}", flush=True)
