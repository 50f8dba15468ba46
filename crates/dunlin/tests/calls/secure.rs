//! Calls over TLS, and who is at the other end.

use dunlin::client::tls::{ClientTls, Identity, TrustRoots};
use dunlin::client::{Client, Credentials, Token};
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::ServerContext;
use dunlin::server::tls::{ClientCerts, ServerTls};
use dunlin::{Channel, Code, Server};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::harness::{UNARY, ask, code, soon, text};

/// Who signs all certificates of a test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::from_pem(certificate.pem(), key.serialize_pem())
    }

    fn roots(&self) -> TrustRoots {
        TrustRoots::from_pem(&self.pem)
    }
}

/// A server for `shop.test` that says whose certificate came with the call.
async fn server(authority: &Authority, certs: ClientCerts) -> String {
    let tls =
        ServerTls::builder().identity(authority.identity("shop.test")).client_certs(certs).build().unwrap();
    let server = Server::builder().tls(tls).methods(|methods| {
        methods.unary(UNARY, |cx: ServerContext, request: StringValue| async move {
            let tls = cx.peer().tls.as_ref().expect("the server speaks TLS only");
            let count = tls.peer_certificates.len();
            let reply = format!("{} {count} {}", request.value, tls.peer_verified);
            (cx, Ok(text(reply)))
        });
    });
    let bound = server.bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    address
}

fn client(address: &str, tls: ClientTls) -> Client {
    Client::new(Channel::builder(address).authority("shop.test").tls(tls).connect_lazy().unwrap())
}

#[tokio::test]
async fn a_server_knows_its_clients_by_their_certificates() {
    let authority = Authority::new();
    let address = server(&authority, ClientCerts::VerifiedIfGiven(authority.roots())).await;
    let plain = ClientTls::builder().roots(authority.roots()).build().unwrap();
    assert_eq!(soon(ask(&client(&address, plain), "hi")).await.unwrap(), "hi 0 false");
    let known =
        ClientTls::builder().roots(authority.roots()).identity(authority.identity("ann")).build().unwrap();
    let known = client(&address, known);
    assert_eq!(soon(ask(&known, "hi")).await.unwrap(), "hi 1 true");
    // Secrets may go where nobody else reads.
    let call =
        known.unary::<_, StringValue>(UNARY, text("token")).credentials(Credentials::new(Token::new("x")));
    assert_eq!(soon(call).await.unwrap().value, "token 1 true");
}

#[tokio::test]
async fn who_is_not_trusted_gets_no_connection() {
    let authority = Authority::new();
    let address = server(&authority, ClientCerts::Required(authority.roots())).await;
    let stranger = Authority::new();
    let wrong_server =
        ClientTls::builder().roots(stranger.roots()).identity(authority.identity("ann")).build();
    let (found, message) = code(soon(ask(&client(&address, wrong_server.unwrap()), "hi")).await);
    assert!(found == Code::Unavailable && message.contains("no TLS with"), "{found}: {message}");
    let wrong_client =
        ClientTls::builder().roots(authority.roots()).identity(stranger.identity("eve")).build();
    assert_eq!(code(soon(ask(&client(&address, wrong_client.unwrap()), "hi")).await).0, Code::Unavailable);
    let none = ClientTls::builder().roots(authority.roots()).build().unwrap();
    assert_eq!(code(soon(ask(&client(&address, none), "hi")).await).0, Code::Unavailable);
    let wrong_name =
        ClientTls::builder().roots(authority.roots()).identity(authority.identity("ann")).build();
    let builder = Channel::builder(&address).authority("other.test").tls(wrong_name.unwrap());
    let (found, message) = code(soon(ask(&Client::new(builder.connect_lazy().unwrap()), "hi")).await);
    assert!(found == Code::Unavailable && message.contains("no TLS with"), "{found}: {message}");
}
