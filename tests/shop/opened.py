"""A shop that runs, and what every part of the suite needs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target/shop-clients"
ORACLES = Path(os.environ.get("ORACLES") or ROOT / "target/oracles").absolute()
SCHEMA = ROOT / "examples/shop/proto"
GOOGLE = ROOT / "crates/dunlin-proto/proto"

START_LIMIT = 30  # seconds, until a shop listens
END_LIMIT = 45  # seconds, until it has ended; it gives its calls 30

# Ann runs the shop, Bob and Eve buy there.
TOKENS = "ann-token admin ann\nbob-token customer bob\neve-token customer eve\n"


def die(message):
    sys.exit(f"shop: {message}")


class Failure(Exception):
    pass


def equal(found, wanted):
    if found != wanted:
        raise Failure(f"found  {found!r}\nwanted {wanted!r}")


def contains(text, *parts):
    for part in parts:
        if part not in text:
            raise Failure(f"wanted {part!r} in\n{text}")


def environment(**more):
    # A proxy of the machine is not meant for loopback, but not every tool knows.
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    # Tools keep their settings and histories there.
    home = {name: str(WORK / "home") for name in ["HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]}
    return clean | home | {"PYTHONPYCACHEPREFIX": str(WORK / "pycache"), "NO_COLOR": "1"} | more


def prepare(*command, **options):
    """Runs a command that prepares something, and shows its output only if it fails."""
    command = [str(part) for part in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
        die(f"failed: {' '.join(command)}")
    return done.stdout


def built(variable, package, name):
    """The program that a variable names, or a new one."""
    if named := os.environ.get(variable):
        return Path(named).absolute()
    prepare("cargo", "build", "--quiet", "--release", "--manifest-path", ROOT / "Cargo.toml", "-p", package)
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").absolute() / "release" / name


def run(*command, limit=60, stdin="", **more):
    """A process that has ended: what it says, and its exit code."""
    command = [str(part) for part in command]
    try:
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=environment(**more), timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"no end within {limit} s: {' '.join(command)}") from None


def values(text):
    """The values of JSON that follow each other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        value, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        found.append(value)
    return found


class Shop:
    """A shop of its own, open for as long as the block lasts: in memory, or in a folder. It has to end well."""

    def __init__(self, program, work, *flags, data=None):
        tokens = work / "tokens"
        tokens.write_text(TOKENS)
        place = ["--data", data] if data else ["--memory"]
        fixed = ["--listen", "127.0.0.1:0", "--tokens", tokens, "--log", "warn", "--max-upload", "1"]
        self.command = [str(part) for part in [program, *place, *fixed, *flags]]
        self.log = work / "shop.log"
        self.is_killed = False

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
            )
        try:
            self.address, self.probes = self.listening()
        except BaseException:
            self.kill()
            raise
        return self

    def listening(self):
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end and self.process.poll() is None:
            said = self.log.read_text()
            if "products in" in said:
                probes = re.search(r"health checks on (.*)\n", said)
                return re.search(r"listening on (.*)\n", said)[1], probes and probes[1]
            time.sleep(0.02)
        sys.stderr.write(self.log.read_text())
        die(f"the shop does not open: {' '.join(self.command)}")

    def terminate(self):
        """Asks it to end, as service managers do."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        self.is_killed = True
        self.process.kill()
        self.process.wait()

    def end(self):
        """It ends when it is asked to, well, and nothing went wrong in between."""
        self.terminate()
        try:
            code = self.process.wait(timeout=END_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"the shop does not end within {END_LIMIT} s") from None
        # How calls ended is for those to judge who have made them.
        is_wrong = re.compile(r"panicked|(WARN|ERROR) (?!dunlin::calls:)").search
        wrong = [line for line in self.log.read_text().splitlines() if is_wrong(line)]
        if code != 0 or wrong:
            raise Failure("\n".join([f"the shop ends with {code}:", *wrong]))

    def __exit__(self, kind, *_):
        if self.is_killed:
            return
        if kind is None:
            self.end()
        else:
            self.kill()
