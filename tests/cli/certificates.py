"""Certificates for one run: an authority, a server and a client that it vouches for, and a stranger."""

import shutil
import subprocess
import sys

# What the certificate of the server is for.
NAMES = ["aviary.test", "localhost"]
ADDRESSES = ["127.0.0.1"]
CLIENT = "keeper"


def certificates(folder, modules):
    """Writes ca, server, client and stranger, each as .pem and .key, and other-ca.pem, which signed the stranger. MODULES is where a library is installed if there is no openssl."""
    if shutil.which("openssl"):
        with_openssl(folder)
    else:
        with_trustme(folder, modules)


def call(*command):
    command = [str(part) for part in command]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"cli: failed: {' '.join(command)}\n{done.stdout}")


def with_openssl(folder):
    names = [f"DNS:{name}" for name in NAMES] + [f"IP:{address}" for address in ADDRESSES]
    # A file of our own: what the system's says differs from one to the next.
    config = folder / "openssl.cnf"
    config.write_text(
        f"""
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
subjectAltName = {", ".join(names)}
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
subjectAltName = DNS:{CLIENT}
"""
    )
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", config]

    def authority(name):
        files = ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
        call("openssl", "req", "-x509", *key, *files, "-days", "2", "-subj", f"/CN=aviary {name}", "-extensions", "ca")

    def issued(name, subject, by):
        request = folder / f"{name}.csr"
        call("openssl", "req", "-new", *key, "-keyout", folder / f"{name}.key", "-out", request, "-subj", f"/CN={subject}")
        signed = ["-CA", folder / f"{by}.pem", "-CAkey", folder / f"{by}.key", "-CAcreateserial", "-days", "2", "-sha256"]
        kind = "server" if name == "server" else "client"
        call(
            *("openssl", "x509", "-req", "-in", request, "-out", folder / f"{name}.pem", *signed),
            *("-extfile", config, "-extensions", kind),
        )

    authority("ca")
    authority("other-ca")
    issued("server", NAMES[0], "ca")
    issued("client", CLIENT, "ca")
    issued("stranger", CLIENT, "other-ca")


def with_trustme(folder, modules):
    packages = ["trustme==1.2.1", "cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12", "idna==3.20"]
    if not modules.is_dir():
        call(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", modules, *packages)
    sys.path.insert(0, str(modules))
    import trustme

    def written(name, issued):
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")

    known, other = trustme.CA(), trustme.CA()
    known.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other-ca.pem")
    written("server", known.issue_cert(*NAMES, *ADDRESSES))
    written("client", known.issue_cert(CLIENT, common_name=CLIENT))
    written("stranger", other.issue_cert(CLIENT, common_name=CLIENT))
