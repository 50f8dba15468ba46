//! Who calls, by tokens and certificates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use dunlin_client::{Channel, Client};
use dunlin_grpc::{CallKind, Code, Method, Status};
use dunlin_interceptors::{Auth, Certificate, Claims, Jwt, MutualTls};
use dunlin_protobuf::wkt::StringValue;
use dunlin_server::{InProcess, Server, ServerContext};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const WHO: Method = Method::new("test.Echo", "Who", "/test.Echo/Who", CallKind::Unary);

async fn who(cx: ServerContext, _: StringValue) -> (ServerContext, Result<StringValue, Status>) {
    let value = match (cx.extension::<Claims>(), cx.extension::<Certificate>()) {
        (Some(claims), _) => claims.subject().unwrap_or_default().to_owned(),
        (_, Some(certificate)) => certificate.uris.join(","),
        _ => "nobody".to_owned(),
    };
    (cx, Ok(StringValue { value, ..Default::default() }))
}

fn serve(jwt: Jwt) -> (InProcess, Client) {
    let auth = Auth::new(jwt).allow(|_, claims| claims.has("scope", "shop"));
    let server = Server::builder().methods(|methods| methods.unary(WHO, who)).interceptor(auth);
    let server = server.build().unwrap().in_process();
    let client = Client::new(Channel::in_process(server.connector()));
    (server, client)
}

async fn ask(client: &Client, token: &str) -> Result<String, Status> {
    let call = client.unary::<_, StringValue>(WHO, StringValue::default());
    call.metadata("authorization", format!("Bearer {token}")).await.map(|reply| reply.value)
}

fn code(result: Result<String, Status>) -> Code {
    result.map_or_else(|status| status.code(), |_| Code::Ok)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

struct Signer {
    id: &'static str,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let point = pair.public_key_raw();
        let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..65]));
        let jwk =
            json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id, "x": x, "y": y});
        Self { id, key: EncodingKey::from_ec_der(&pair.serialize_der()), jwk }
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.id.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

fn set(keys: &[&Signer]) -> String {
    json!({"keys": keys.iter().map(|signer| &signer.jwk).collect::<Vec<_>>()}).to_string()
}

fn claims(changes: Value) -> Value {
    let mut claims = json!({"sub": "ann", "iss": "me", "aud": "shop", "exp": now() + 600, "scope": "a shop"});
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

#[tokio::test]
async fn tokens_are_taken_that_are_signed_meant_for_us_and_not_too_old() {
    let signer = Signer::new("k1");
    let jwt = Jwt::keys(&set(&[&signer])).unwrap().issuer("me").audience("shop");
    let (_server, client) = serve(jwt);
    assert_eq!(ask(&client, &signer.sign(&claims(json!({})))).await.unwrap(), "ann");
    for (why, changes, want) in [
        ("within the leeway", json!({"exp": now() - 30}), Code::Ok),
        ("too old", json!({"exp": now() - 120}), Code::Unauthenticated),
        ("without an end", json!({"exp": null}), Code::Unauthenticated),
        ("not yet", json!({"nbf": now() + 120}), Code::Unauthenticated),
        ("another issuer", json!({"iss": "you"}), Code::Unauthenticated),
        ("no issuer", json!({"iss": null}), Code::Unauthenticated),
        ("another audience", json!({"aud": "bank"}), Code::Unauthenticated),
        ("no audience", json!({"aud": null}), Code::Unauthenticated),
        ("one of many audiences", json!({"aud": ["bank", "shop"]}), Code::Ok),
        ("no right", json!({"scope": "shopping"}), Code::PermissionDenied),
        ("a list of rights", json!({"scope": ["shop"]}), Code::Ok),
    ] {
        assert_eq!(code(ask(&client, &signer.sign(&claims(changes))).await), want, "{why}");
    }
    let token = signer.sign(&claims(json!({})));
    let other = Signer { id: "k1", ..Signer::new("x") };
    assert_eq!(code(ask(&client, &other.sign(&claims(json!({})))).await), Code::Unauthenticated);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let none = BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let body = signed.split_once('.').unwrap().1;
    for bad in
        ["", "a", "a.b", "a.b.c", signed, &format!("{none}.{body}."), &format!("{none}.{body}.{signature}")]
    {
        assert_eq!(code(ask(&client, bad).await), Code::Unauthenticated, "{bad}");
    }
}

#[tokio::test]
async fn a_token_does_not_choose_the_kind_of_its_key() {
    // The public key as the secret of a MAC: the classic confusion.
    let signer = Signer::new("k1");
    let (_server, client) = serve(Jwt::keys(&set(&[&signer])).unwrap().audience("shop"));
    for secret in [signer.jwk.to_string(), signer.jwk["x"].as_str().unwrap().to_owned()] {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some("k1".into());
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&header, &claims(json!({})), &key).unwrap();
        assert_eq!(code(ask(&client, &token).await), Code::Unauthenticated);
    }
    assert!(Jwt::keys("{}").is_err());
    assert!(Jwt::keys(r#"{"keys": []}"#).is_err());
    assert!(Jwt::keys(r#"{"keys": [{"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}]}"#).is_err());
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_when_they_are_needed_and_not_more_often() {
    let (first, second) = (Signer::new("k1"), Signer::new("k2"));
    let sets = [set(&[&first]), set(&[&first, &second])];
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let fetch = move || {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let found = match number {
            0 => Err(Status::unavailable("no route")),
            1 => Ok(sets[0].clone()),
            2 => Ok(sets[1].clone()),
            _ => Err(Status::unavailable("no route")),
        };
        std::future::ready(found)
    };
    let (_server, client) = serve(Jwt::fetched(fetch, Duration::from_secs(3600)).audience("shop"));
    let (old, new) = (first.sign(&claims(json!({}))), second.sign(&claims(json!({}))));
    assert_eq!(code(ask(&client, &old).await), Code::Unavailable);
    for _ in 0..3 {
        assert_eq!(code(ask(&client, &old).await), Code::Ok);
    }
    // A key that is not known is no reason to ask at once.
    for _ in 0..3 {
        assert_eq!(code(ask(&client, &new).await), Code::Unauthenticated);
    }
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(code(ask(&client, &new).await), Code::Ok);
    assert_eq!(fetches.load(Ordering::SeqCst), 3);
    // What is there stays in use while fetching fails.
    tokio::time::advance(Duration::from_secs(3601)).await;
    assert_eq!(code(ask(&client, &new).await), Code::Ok);
    assert_eq!(fetches.load(Ordering::SeqCst), 4);
}

#[test]
fn the_names_in_a_certificate_are_found() {
    let mut params = rcgen::CertificateParams::new(vec!["shop.example".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "shop");
    let uri = "spiffe://example.org/shop".try_into().unwrap();
    params.subject_alt_names.push(rcgen::SanType::URI(uri));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let found = Certificate::from_der(certificate.der()).unwrap();
    assert_eq!(found.common_name.as_deref(), Some("shop"));
    assert_eq!(found.dns_names, ["shop.example"]);
    assert_eq!(found.uris, ["spiffe://example.org/shop"]);
    assert_eq!(Certificate::from_der(b"no certificate").unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn without_a_certificate_nobody_is_known() {
    let server = Server::builder().methods(|methods| methods.unary(WHO, who));
    let server = server.interceptor(Auth::new(MutualTls::new())).build().unwrap().in_process();
    let client = Client::new(Channel::in_process(server.connector()));
    let status = client.unary::<_, StringValue>(WHO, StringValue::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("no TLS"), "{status}");
}
