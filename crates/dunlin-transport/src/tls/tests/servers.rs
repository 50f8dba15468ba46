//! What servers show and ask for.

use super::*;

/// Which certificate a client has.
#[derive(Clone, Copy, Debug)]
enum Client {
    Without,
    Known,
    Stranger,
}

#[tokio::test]
async fn client_certificates_are_judged_as_the_setting_says() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let roots = || TrustRoots::from_pem(authority.pem());
    let none = || ClientCerts::None;
    let asked = || ClientCerts::Requested;
    let optional = || ClientCerts::VerifiedIfGiven(roots());
    let required = || ClientCerts::Required(roots());
    // What the server says: how many certificates it saw and whether they are verified, or why not.
    type Want = std::result::Result<(usize, bool), &'static str>;
    let table: [(ClientCerts, Client, Want); 12] = [
        (none(), Client::Without, Ok((0, false))),
        (none(), Client::Known, Ok((0, false))),
        (none(), Client::Stranger, Ok((0, false))),
        (asked(), Client::Without, Ok((0, false))),
        (asked(), Client::Known, Ok((1, false))),
        (asked(), Client::Stranger, Ok((1, false))),
        (optional(), Client::Without, Ok((0, false))),
        (optional(), Client::Known, Ok((1, true))),
        (optional(), Client::Stranger, Err("no trusted root")),
        (required(), Client::Without, Err("sent no certificate")),
        (required(), Client::Known, Ok((1, true))),
        (required(), Client::Stranger, Err("no trusted root")),
    ];
    let pair = authority.server(&["shop.test"]);
    let (known, unknown) = (authority.client(), stranger.client());
    for (setting, who, want) in table {
        let case = format!("{setting:?}, {who:?}");
        let server = server_for(&pair).client_certs(setting).build().unwrap();
        let client = match who {
            Client::Without => client_of(&authority),
            Client::Known => client_of(&authority).identity(known.identity()),
            Client::Stranger => client_of(&authority).identity(unknown.identity()),
        };
        let outcome = handshake(&client.build().unwrap(), &server, "shop.test").await;
        match want {
            Ok(want) => {
                let (_, info) = outcome.both().await;
                assert_eq!((info.peer_certificates.len(), info.peer_verified), want, "{case}");
            }
            Err(hint) => {
                let error = outcome.server.unwrap_err().to_string();
                assert!(error.contains(hint), "{case}: {error}");
                // In TLS 1.3 the client has finished by then, and hears of it when it reads.
                let (mut io, _) = outcome.client.unwrap();
                io.read_u8().await.expect_err("the server has sent an alert");
            }
        }
    }
}

#[tokio::test]
async fn a_client_of_tls_1_2_is_served_unless_the_server_wants_more() {
    let authority = Authority::new();
    let pair = authority.server(&["shop.test"]);
    let mut roots = rustls::RootCertStore::empty();
    use rustls::pki_types::pem::PemObject;
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let mut old = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    old.alpn_protocols = vec![ALPN_H2.to_vec()];
    let old = tokio_rustls::TlsConnector::from(Arc::new(old));
    for (min_version, served) in [(TlsVersion::Tls12, true), (TlsVersion::Tls13, false)] {
        let server = server_for(&pair).min_version(min_version).build().unwrap();
        let (near, far) = pipe::pair(64 * 1024);
        let name = "shop.test".try_into().unwrap();
        let (_client, server) = tokio::join!(old.connect(name, near), server.accept(Io::Pipe(far)));
        match server {
            Ok((_, info)) => {
                assert!(served);
                assert_eq!(info.version, TlsVersion::Tls12);
                assert!(info.cipher_suite.starts_with("TLS_ECDHE_ECDSA_"), "{}", info.cipher_suite);
            }
            Err(error) => {
                assert!(!served);
                assert!(matches!(error, TlsHandshakeError::Incompatible { .. }), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn the_name_asked_for_chooses_the_identity() {
    let authority = Authority::new();
    let first = authority.server(&["first.test"]);
    let second = authority.server(&["second.test", "also.second.test"]);
    let given = authority.server(&["unrelated.test"]);
    let server = server_for(&first)
        .identity(second.identity())
        .identity(given.identity().server_names(["Given.test", "*.given.test"]));
    let shown = |info: &TlsInfo, pair: &Pair| {
        use rustls::pki_types::pem::PemObject;
        info.peer_certificates[0] == CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()
    };
    let client = ClientTls::builder().danger_accept_any_certificate(true).build().unwrap();
    for (unknown, host, want) in [
        (UnknownName::UseFirst, "first.test", Some(&first)),
        (UnknownName::UseFirst, "SECOND.test", Some(&second)), // by its certificate
        (UnknownName::UseFirst, "also.second.test", Some(&second)),
        (UnknownName::UseFirst, "given.test", Some(&given)), // by the name given
        (UnknownName::UseFirst, "eu.given.test", Some(&given)),
        (UnknownName::UseFirst, "a.b.given.test", Some(&first)), // a star is one label
        (UnknownName::UseFirst, "unrelated.test", Some(&first)), // given names replace its own
        (UnknownName::UseFirst, "192.0.2.1", Some(&first)),      // addresses are not asked for
        (UnknownName::Refuse, "unknown.test", None),
        (UnknownName::Refuse, "given.test", Some(&given)),
        (UnknownName::Refuse, "192.0.2.1", Some(&first)),
    ] {
        let server = server.clone().unknown_name(unknown).build().unwrap();
        let outcome = handshake(&client, &server, host).await;
        match want {
            Some(pair) => assert!(shown(&outcome.both().await.0, pair), "{host}"),
            None => {
                outcome.client.expect_err(host);
            }
        }
    }
}

#[test]
fn every_usual_key_format_is_read() {
    let authority = Authority::new();
    let pair = authority.server(&["shop.test"]);
    server_for(&pair).build().unwrap(); // PKCS#8
    let sec1 = sec1_of(&pair.key);
    ServerTls::builder().identity(Identity::from_pem(&pair.certificate, sec1)).build().unwrap();
    // One file with both, in either order.
    for both in [format!("{}{}", pair.certificate, pair.key), format!("{}{}", pair.key, pair.certificate)] {
        ServerTls::builder().identity(Identity::from_pem(&both, &both)).build().unwrap();
    }
}

/// The key inside of a PKCS#8 wrapping, which is SEC1 for elliptic curves, under its own label. It
/// begins with the sequence that holds version 1.
fn sec1_of(pkcs8: &str) -> String {
    use rustls::pki_types::pem::PemObject;
    let der = rustls::pki_types::PrivatePkcs8KeyDer::from_pem_slice(pkcs8.as_bytes()).unwrap();
    let der = der.secret_pkcs8_der();
    let is_inner = |at: &usize| der[*at] == 0x30 && der[*at + 2..].starts_with(&[2, 1, 1, 4, 32]);
    let at = (3..der.len() - 7).find(is_inner).expect("the inner key follows the outer one's algorithm");
    // The parameters that name the curve stand in the wrapping; rustls tries the curves.
    let body = crate::http_proxy::base64(&der[at..]);
    format!("-----BEGIN EC PRIVATE KEY-----\n{body}\n-----END EC PRIVATE KEY-----\n")
}

#[test]
fn a_server_without_a_usable_identity_says_what_is_missing() {
    let authority = Authority::new();
    let (one, other) = (authority.server(&["one.test"]), authority.server(&["other.test"]));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old_encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
                         AAAA\n-----END RSA PRIVATE KEY-----\n";
    for (builder, want) in [
        (ServerTls::builder(), "at least one identity"),
        (ServerTls::builder().identity(Identity::from_pem_files("/no/c.pem", "/no/k.pem")), "/no/c.pem"),
        (ServerTls::builder().identity(Identity::from_pem("", &one.key)), "no certificate"),
        (ServerTls::builder().identity(Identity::from_pem(&one.certificate, "")), "no private key"),
        (ServerTls::builder().identity(Identity::from_pem(&one.certificate, encrypted)), "encrypted"),
        (ServerTls::builder().identity(Identity::from_pem(&one.certificate, old_encrypted)), "encrypted"),
        (ServerTls::builder().identity(Identity::from_pem(&one.certificate, &other.key)), "together"),
        (server_for(&one).identity(other.identity().server_names(["no name"])), "`no name`"),
        (
            ServerTls::builder()
                .identity(one.identity().server_names(["a.test"]))
                .identity(other.identity().server_names(["A.test"])),
            "two identities",
        ),
        (server_for(&one).client_certs(ClientCerts::Required(TrustRoots::default())), "client"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn keys_are_not_shown() {
    let pair = Authority::new().server(&["shop.test"]);
    let shown = format!("{:?}", server_for(&pair).build().unwrap());
    let line = pair.key.lines().nth(1).unwrap();
    assert!(!shown.contains(line) && !shown.contains("PRIVATE"), "{shown}");
}
