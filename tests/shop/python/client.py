"""Python's client of the shop, in a MODE:

    client.py [--ca FILE] [--cert FILE --key FILE] MODE ADDRESS...

    all ADDRESS LIMITED   every case; LIMITED is a shop that takes 5 calls a second
    ends ADDRESS          prints `watching` and expects to be told that the shop closes
    keep ADDRESS          prints the ids of what it has left in the shop
    kept ADDRESS ID...    finds all of it
"""

import argparse
import pathlib
import sys
import time
import traceback

import access
import calls
import chat
import files
import lasting
import orders
import prices
import products
import services
from check import CASES
from clients import CALLED, Shop

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
for flag in ["--ca", "--cert", "--key"]:
    parser.add_argument(flag, type=pathlib.Path)
parser.add_argument("mode", choices=["all", "ends", "keep", "kept"])
parser.add_argument("address")
parser.add_argument("rest", nargs="*")
args = parser.parse_args()


def all_cases(shop, limited):
    is_failed = False
    for name, case in CASES.items():
        started = time.monotonic()
        try:
            case(limited if name == "access/rate" else shop)
            said = "ok"
        except Exception:
            traceback.print_exc(file=sys.stdout)
            said, is_failed = "failed", True
        print(f"case {name} {said} {time.monotonic() - started:.1f}", flush=True)
    for method in services.methods(shop):
        print(f"method {method}")
    for method in sorted(CALLED):
        print(f"called {method}")
    return is_failed


shop = Shop(args.address, args.ca, args.cert, args.key)
match args.mode:
    case "all":
        limited = Shop(args.rest[0], args.ca, args.cert, args.key)
        sys.exit(1 if all_cases(shop, limited) else 0)
    case "ends":
        lasting.ends(shop)
    case "keep":
        print(*lasting.keep(shop))
    case "kept":
        lasting.kept(shop, *args.rest)
