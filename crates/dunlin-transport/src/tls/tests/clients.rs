//! What clients check and show.

use super::*;

#[tokio::test]
async fn a_server_is_verified_by_its_issuer_its_name_and_its_dates() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (server, host, hint) in [
        (authority.server(&["shop.test"]), "shop.test", None),
        (authority.server(&["shop.test"]), "shop.test.", None), // an absolute name
        (authority.server(&["192.0.2.1"]), "192.0.2.1", None),
        (authority.server(&["*.shop.test"]), "eu.shop.test", None),
        (authority.server(&["*.shop.test"]), "shop.test", Some("another name")),
        (authority.server(&["shop.test"]), "other.test", Some("another name")),
        (stranger.server(&["shop.test"]), "shop.test", Some("no trusted root")),
        (authority.expired_server(&["shop.test"]), "shop.test", Some("expired")),
        (authority.authority(&["shop.test"]), "shop.test", Some("CA:TRUE")),
        (authority.ed25519_server(&["shop.test"]), "shop.test", None),
    ] {
        let (client, server) = (client_of(&authority).build().unwrap(), server_for(&server).build().unwrap());
        let outcome = handshake(&client, &server, host).await;
        match hint {
            None => {
                outcome.both().await;
            }
            Some(hint) => {
                let error = outcome.client.unwrap_err();
                assert!(matches!(error, TlsHandshakeError::PeerCertificate { .. }), "{error}");
                assert!(error.to_string().contains(hint), "{error}");
                // The server is told by an alert, and can say of whom it comes.
                let error = outcome.server.unwrap_err();
                assert!(matches!(error, TlsHandshakeError::Refused { .. }), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn another_name_can_stand_in_for_the_one_dialled() {
    let authority = Authority::new();
    let server = server_for(&authority.server(&["shop.test"])).build().unwrap();
    let client = client_of(&authority).server_name("shop.test").build().unwrap();
    let (_, info) = handshake(&client, &server, "10.0.0.7").await.both().await;
    assert_eq!(info.server_name.as_deref(), Some("shop.test"));
    let error = client_of(&authority).server_name("not a name").build().unwrap_err();
    assert!(matches!(error, TlsConfigError::ServerName { .. }), "{error}");
}

#[tokio::test]
async fn a_host_that_no_certificate_can_name_is_refused_before_dialling() {
    let client = client_of(&Authority::new()).build().unwrap();
    let (near, _far) = pipe::pair(64);
    let error = client.connect(Io::Pipe(near), "un nameable").await.unwrap_err();
    assert!(matches!(error, TlsHandshakeError::ServerName { .. }), "{error}");
}

#[tokio::test]
async fn any_certificate_is_taken_only_when_that_is_asked_for() {
    let server = server_for(&Authority::new().expired_server(&["other.test"])).build().unwrap();
    let client = ClientTls::builder().danger_accept_any_certificate(true).build().unwrap();
    let (info, _) = handshake(&client, &server, "shop.test").await.both().await;
    assert_eq!((info.peer_certificates.len(), info.peer_verified), (1, false));

    let both = client_of(&Authority::new()).danger_accept_any_certificate(true).build().unwrap_err();
    assert!(matches!(both, TlsConfigError::Contradiction { .. }), "{both}");
}

#[test]
fn roots_must_be_there_and_be_certificates() {
    for (roots, want) in [
        (TrustRoots::from_pem(""), "no certificate"),
        (TrustRoots::from_pem_file("/no/such/file.pem"), "/no/such/file.pem"),
        (TrustRoots::from_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "root"),
        (TrustRoots::from_pem("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), "base64"),
        (TrustRoots::from_pem("-----BEGIN CERTIFICATE-----\nAAAA\n"), "no end"),
        (TrustRoots::default(), "no trusted roots"),
    ] {
        let error = ClientTls::builder().roots(roots).build().unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn several_sources_of_roots_add_up() {
    let (one, other) = (Authority::new(), Authority::new());
    let roots = TrustRoots::from_pem(one.pem()).and_pem(other.pem());
    ClientTls::builder().roots(roots).build().unwrap();
    let bundle = format!("{}{}", one.pem(), other.pem());
    ClientTls::builder().roots(TrustRoots::from_pem(bundle)).build().unwrap();
}
