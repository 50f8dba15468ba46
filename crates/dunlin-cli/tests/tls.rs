//! The online commands with servers that speak TLS, and with those that do not.

mod kennel;
mod support;

use dunlin_server::tls::{ClientCerts, ServerTls};
use dunlin_transport::tls::{Identity, TrustRoots};
use kennel::{Served, kennel, reflection, serve, serve_on};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::{Folder, Run};

/// An authority, and a folder with its certificates: `ca.pem`, and `me.pem` with `me.key`.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: Folder,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let new = Self { issuer: Issuer::new(params, key), folder: Folder::new(&[("ca.pem", &pem)]), pem };
        let (certificate, key) = new.signed("me.test");
        new.folder.write("me.pem", certificate);
        new.folder.write("me.key", key);
        new
    }

    fn signed(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A server called `kennel.test`.
    fn serve(&self, certs: ClientCerts) -> Served {
        let (certificate, key) = self.signed("kennel.test");
        let identity = Identity::from_pem(certificate, key);
        let tls = ServerTls::builder().identity(identity).client_certs(certs).build().unwrap();
        serve_on("127.0.0.1:0", kennel().tls(tls).add_service(reflection()))
    }

    fn run(&self, server: &Served, arguments: &[&str]) -> Run {
        server.run_in(&self.folder, arguments, "")
    }
}

const LISTED: &str = "kennel.v1.Kennel\n";

#[test]
fn servers_are_known_by_their_certificates() {
    let authority = Authority::new();
    let server = authority.serve(ClientCerts::None);
    for arguments in [
        vec!["list", "ADDRESS", "-cacert", "ca.pem", "-authority", "kennel.test"],
        vec!["list", "ADDRESS", "-cacert", "ca.pem", "-servername", "kennel.test"],
        vec!["list", "ADDRESS", "-insecure"],
        vec!["list", "https://ADDRESS", "-insecure"],
        vec!["list", "grpcs://ADDRESS", "-insecure=true"],
    ] {
        assert_eq!(authority.run(&server, &arguments), Run::new(0, LISTED, ""), "{arguments:?}");
    }
    let found = authority.run(&server, &["call", "-insecure", "ADDRESS", "Kennel/Echo"]);
    assert_eq!(found, Run::new(0, "{}\n", ""));
}

#[test]
fn what_goes_wrong_with_certificates_is_told_with_the_cure() {
    let authority = Authority::new();
    let server = authority.serve(ClientCerts::None);
    for (arguments, parts) in [
        (vec!["list", "ADDRESS", "-cacert", "ca.pem"], ["error: tls: ", "-authority"]),
        (
            vec!["list", "ADDRESS", "-cacert", "me.pem", "-authority", "kennel.test"],
            ["error: tls: ", "-cacert"],
        ),
        (vec!["list", "ADDRESS", "-cacert", "none.pem"], ["error: tls: ", "none.pem"]),
        (vec!["list", "ADDRESS", "-cacert", "me.key"], ["error: tls: ", "no certificate"]),
    ] {
        let found = authority.run(&server, &arguments);
        assert_eq!(found.code, 1, "{arguments:?}: {found:?}");
        assert!(parts.iter().all(|part| found.stderr.contains(part)), "{arguments:?}: {found:?}");
        assert_eq!(found.stderr.lines().count(), 1, "{found:?}");
    }
}

#[test]
fn clients_show_theirs_where_servers_want_to_know() {
    let authority = Authority::new();
    let server = authority.serve(ClientCerts::Required(TrustRoots::from_pem(&authority.pem)));
    let found =
        authority.run(&server, &["list", "-insecure", "-cert", "me.pem", "-key", "me.key", "ADDRESS"]);
    assert_eq!(found, Run::new(0, LISTED, ""));
    let found = authority.run(&server, &["list", "-insecure", "ADDRESS"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.starts_with("error: tls: ") && found.stderr.contains("-cert FILE"), "{found:?}");
}

#[test]
fn clear_text_and_tls_that_meet_are_told_apart() {
    let authority = Authority::new();
    let (tls, plain) = (authority.serve(ClientCerts::None), serve());
    let found = authority.run(&tls, &["list", "-plaintext", "ADDRESS"]);
    assert_eq!(found.code, 1);
    assert!(
        found.stderr.contains("speaks TLS") && found.stderr.contains("leave out -plaintext"),
        "{found:?}"
    );
    let found = authority.run(&plain, &["list", "-insecure", "ADDRESS"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.starts_with("error: tls: ") && found.stderr.contains("add -plaintext"), "{found:?}");
}

#[test]
fn secrets_are_logged_for_those_who_record_traffic() {
    let authority = Authority::new();
    let server = authority.serve(ClientCerts::None);
    let log = authority.folder.path().join("keys.log");
    let mut command = kennel::command(&authority.folder);
    command.env("SSLKEYLOGFILE", &log).args(["list", "-insecure", &server.address]);
    assert_eq!(support::run(&mut command).code, 0);
    assert!(std::fs::read_to_string(log).unwrap().contains("CLIENT_TRAFFIC_SECRET"));
}
