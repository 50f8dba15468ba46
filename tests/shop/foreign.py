"""Clients of other people's gRPC, with code that is generated from the schemas of the shop."""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from opened import GOOGLE, HERE, ORACLES, SCHEMA, WORK, Failure, Shop, environment, equal, prepare

CASES = [line.split()[0] for line in (HERE / "cases.txt").read_text().splitlines() if line[:1] not in ("", "#")]
LIMIT = 300  # seconds, for all cases of a client
# So long that a deadline can be shorter.
MARKET = ["--market-latency", "2500"]
# Reflection has two versions, of which a client needs one; `List` of health is newer than some clients.
OTHERS = re.compile(r"/grpc\.(reflection\..*|health\.v1\.Health/List)")


@dataclass
class Client:
    """A client as client.py describes it: its command, variables, and whether it shows a certificate."""

    name: str
    command: list
    variables: dict = field(default_factory=dict)
    has_certificate: bool = True

    def start(self, certificates, mode, *arguments):
        flags = []
        if certificates:
            flags = ["--ca", certificates / "ca.pem"]
            if self.has_certificate:
                flags += ["--cert", certificates / "client.pem", "--key", certificates / "client.key"]
        return subprocess.Popen(
            [str(part) for part in [*self.command, *flags, mode, *arguments]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(**self.variables),
        )

    def finish(self, process, limit=LIMIT):
        """All that it still says, once it has ended; it is ended if it does not."""
        try:
            return process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0] + f"\nno end within {limit} s"

    def said(self, mode, *arguments):
        process = self.start(None, mode, *arguments)
        said = self.finish(process)
        if process.returncode != 0:
            raise Failure(f"{self.name} {mode} ends with {process.returncode}:\n{said}")
        return said


def protos(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.proto"))


def python(work, dunlin):
    """With what grpcio-tools generates."""
    generated = work / "python"
    generated.mkdir()
    folders = [ORACLES / name for name in ["grpcio", "grpcio-services", "grpcio-tools", "protobuf-python"]]
    variables = {"PYTHONPATH": ":".join(str(folder) for folder in [*folders, generated])}
    paths = [f"-I{folder}" for folder in (SCHEMA, GOOGLE, ORACLES / "grpcio-tools/grpc_tools/_proto")]
    out = [f"--{name}={generated}" for name in ["python_out", "grpc_python_out"]]
    files = [*protos(SCHEMA), "google/rpc/status.proto", "google/rpc/error_details.proto"]
    prepare(sys.executable, "-m", "grpc_tools.protoc", *paths, *out, *files, env=environment(**variables))
    # Over TLS it shows no certificate, so that there is one client that does not.
    return Client("python", [sys.executable, HERE / "python/client.py"], variables, has_certificate=False)


def go(work, dunlin):
    """With what the plugins of Go generate, which `dunlin protoc` runs."""
    source = WORK / "go"
    generated = source / "gen"
    subprocess.run(["rm", "-rf", source], check=True)
    generated.mkdir(parents=True)
    for path in [*(HERE / "go").glob("*.go"), *(HERE / "go").glob("go.*")]:
        (source / path.name).write_bytes(path.read_bytes())
    options = ["paths=source_relative", *(f"M{name}=shop-clients/gen/shop/v1" for name in protos(SCHEMA))]
    plugins = [f"--plugin={ORACLES / 'protoc-gen-go/bin' / name}" for name in ["protoc-gen-go", "protoc-gen-go-grpc"]]
    out = [f"--{name}={','.join(options)}:{generated}" for name in ["go_out", "go-grpc_out"]]
    prepare(dunlin, "protoc", *plugins, f"-I{SCHEMA}", *out, *protos(SCHEMA))
    # The cache of builds is in the home folder, which is another for tools.
    prepare("go", "build", "-trimpath", "-o", WORK / "go-client", ".", cwd=source)
    return Client("go", [WORK / "go-client"])


def js(work, dunlin):
    """With what proto-loader makes of the schemas."""
    return Client("js", ["node", HERE / "js/client.js", ORACLES / "grpc-js/node_modules", SCHEMA, GOOGLE])


FOREIGN = {
    "python": (python, ["grpcio", "grpcio-services", "grpcio-tools", "protobuf-python"]),
    "go": (go, ["protoc-gen-go"]),
    "js": (js, ["grpc-js"]),
}


@dataclass
class Report:
    """What a client says of its cases."""

    said: str
    ended: dict  # by name: whether well, and seconds
    listed: set
    called: set


def tls(certificates, asks):
    """Flags of a shop that shows a certificate, and may ask its clients for one."""
    shown = ["--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key"]
    return [*shown, "--tls-client-ca", certificates / "ca.pem"] if asks else shown


def all_cases(client, program, work, certificates=None):
    """Runs all cases of a client with shops of their own."""
    flags = tls(certificates, asks=client.has_certificate) if certificates else []
    (work / "limited").mkdir(exist_ok=True)
    with Shop(program, work, *MARKET, *flags) as shop:
        with Shop(program, work / "limited", "--seed", 10, "--rate-limit", 5, *flags) as limited:
            said = client.finish(client.start(certificates, "all", shop.address, limited.address))
    found = re.findall(r"(?m)^case (\S+) (\S+) (\S+)$", said)
    ended = {name: (how == "ok", float(seconds)) for name, how, seconds in found}
    return Report(said, ended, *(set(re.findall(rf"(?m)^{word} (\S+)$", said)) for word in ["method", "called"]))


def cases(client, program, work, certificates):
    report = all_cases(client, program, work)

    def one(name):
        if name not in report.ended:
            raise Failure(f"there is no such case:\n{report.said[-3000:]}")
        is_well, seconds = report.ended[name]
        if not is_well:
            before = report.said[: report.said.index(f"\ncase {name} ")]
            raise Failure(before[before.rfind("\ncase ") + 1 :])
        return seconds

    for name in CASES:
        yield name, lambda name=name: one(name)

    def every_method():
        equal(sorted(set(report.ended) - set(CASES)), [])
        # What is new in the schema has to be called by every client.
        asked = {method for method in report.listed if not OTHERS.match(method)}
        equal((len(asked) > 18, sorted(asked - report.called)), (True, []))

    yield "every method of the schema was called", every_method

    def over_tls():
        found = all_cases(client, program, work, certificates)
        faults = [name for name in CASES if not found.ended.get(name, (False, 0))[0]]
        if faults:
            raise Failure(f"{', '.join(faults)}:\n{found.said}")

    yield "all of it over TLS" + (" with certificates on both sides" if client.has_certificate else ""), over_tls
    yield "streams end, and calls do, when the shop closes", lambda: ends(client, program, work)
    yield "all is there when the shop was killed", lambda: killed(client, program, work)


def ends(client, program, work):
    with Shop(program, work, *MARKET, data=work / f"{client.name}-ends") as shop:
        process = client.start(None, "ends", shop.address)
        try:
            first = process.stdout.readline()
            shop.terminate()
        finally:
            said = first + client.finish(process, 30)
        if (process.returncode, said) != (0, "watching\n"):
            raise Failure(f"{client.name} ends with {process.returncode}:\n{said}")
    audit(program, work / f"{client.name}-ends")


def killed(client, program, work):
    data = work / f"{client.name}-killed"
    with Shop(program, work, data=data) as shop:
        ids = client.said("keep", shop.address).split()
        shop.kill()
    equal(len(ids), 3)
    with Shop(program, work, data=data) as shop:
        client.said("kept", shop.address, *ids)
    audit(program, data)


def audit(program, data: Path):
    """The books of a shop are right."""
    prepare(program, "audit", "--data", data)
