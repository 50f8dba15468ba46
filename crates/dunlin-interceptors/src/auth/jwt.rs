//! Bearer tokens that are JWTs (RFC 7519), with keys of a JWKS (RFC 7517).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use dunlin_grpc::Status;
use dunlin_grpc::intercept::CallView;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use tokio::time::Instant;

use super::{Authenticator, bearer_token};

/// What a token says.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(serde_json::Map<String, serde_json::Value>);

impl Claims {
    /// Whom it is about: `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Who made it: `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// The words of `scope`, or the texts of a claim that is a list.
    pub fn has(&self, name: &str, word: &str) -> bool {
        match self.0.get(name) {
            Some(serde_json::Value::String(text)) => text.split(' ').any(|found| found == word),
            Some(serde_json::Value::Array(all)) => all.iter().any(|found| found.as_str() == Some(word)),
            _ => false,
        }
    }

    /// All of them.
    pub fn as_map(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.0
    }
}

/// Keys that can not be used.
#[derive(Debug, thiserror::Error)]
#[error("unusable JWKS: {0}")]
pub struct InvalidJwks(String);

type Fetch = dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, Status>> + Send>> + Send + Sync;

/// Where keys come from.
#[derive(Clone)]
pub struct KeySource(Source);

#[derive(Clone)]
enum Source {
    Fixed,
    Fetched { fetch: Arc<Fetch>, refresh: Duration },
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySource")
    }
}

/// An [`Authenticator`] by JWTs; [`Claims`] are the identity.
///
/// A token has to be signed by one of the keys, with an algorithm of that key; to have `exp`, and neither that
/// nor `nbf` against it; and to be of the issuer and for the audience, where they are set.
///
/// ```no_run
/// use std::time::Duration;
///
/// use dunlin_interceptors::{Auth, Jwt};
///
/// # async fn get(_: &str) -> Result<String, dunlin_grpc::Status> { unimplemented!() }
/// let keys = || get("https://issuer.example/.well-known/jwks.json");
/// let jwt = Jwt::fetched(keys, Duration::from_secs(3600)).issuer("https://issuer.example").audience("shop");
/// let auth = Auth::new(jwt).allow(|_, claims| claims.has("scope", "shop.read"));
/// ```
#[derive(Debug)]
#[must_use]
pub struct Jwt {
    source: KeySource,
    keys: Mutex<Keys>,
    /// One fetch at a time.
    fetching: tokio::sync::Mutex<()>,
    issuers: Vec<String>,
    audiences: Vec<String>,
    leeway: Duration,
}

#[derive(Debug, Default)]
struct Keys {
    keys: Arc<[Key]>,
    fetched: Option<Instant>,
}

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A token with a key that is not known is no reason to ask for keys more often.
const MIN_REFRESH: Duration = Duration::from_secs(30);
/// Keys of a set that are read.
const MAX_KEYS: usize = 100;

/// Those that a key may be used with: never one of another kind, whatever a token says.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
    use jsonwebtoken::jwk::EllipticCurve;
    let of_kind: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[ES384],
        AlgorithmParameters::OctetKeyPair(_) => &[EdDSA],
        AlgorithmParameters::OctetKey(_) => &[HS256, HS384, HS512],
        _ => &[],
    };
    let named = jwk.common.key_algorithm.map(|named| named.to_string());
    let is_meant =
        |algorithm: &&Algorithm| named.as_ref().is_none_or(|named| *named == format!("{algorithm:?}"));
    of_kind.iter().filter(is_meant).copied().collect()
}

fn read(jwks: &str) -> Result<Arc<[Key]>, InvalidJwks> {
    let set: JwkSet = serde_json::from_str(jwks).map_err(|error| InvalidJwks(error.to_string()))?;
    let keys = set.keys.iter().take(MAX_KEYS).filter_map(|jwk| {
        // Keys for encryption, and kinds that are not known, are of no use here; others may be.
        let algorithms = algorithms(jwk);
        let key = DecodingKey::from_jwk(jwk).ok()?;
        (!algorithms.is_empty()).then(|| Key { id: jwk.common.key_id.clone(), algorithms, key })
    });
    let keys: Arc<[Key]> = keys.collect();
    if keys.is_empty() {
        return Err(InvalidJwks("it has no key for signatures of a kind that is known".to_owned()));
    }
    Ok(keys)
}

impl Jwt {
    fn new(source: Source, keys: Keys) -> Self {
        Self {
            source: KeySource(source),
            keys: Mutex::new(keys),
            fetching: tokio::sync::Mutex::default(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(60),
        }
    }

    /// With the keys of this JWKS, a JSON text.
    ///
    /// # Errors
    /// If it is none, or has no key that can be used.
    pub fn keys(jwks: &str) -> Result<Self, InvalidJwks> {
        Ok(Self::new(Source::Fixed, Keys { keys: read(jwks)?, fetched: None }))
    }

    /// With the keys of a JWKS that is fetched when it is first needed, and again after `refresh`, or when a
    /// token names a key that is not known, at most every 30 s. While fetching fails, what was fetched before
    /// is used; before anything was, calls end with UNAVAILABLE.
    pub fn fetched<F>(fetch: impl Fn() -> F + Send + Sync + 'static, refresh: Duration) -> Self
    where
        F: Future<Output = Result<String, Status>> + Send + 'static,
    {
        let fetch: Arc<Fetch> = Arc::new(move || Box::pin(fetch()));
        Self::new(Source::Fetched { fetch, refresh: refresh.max(MIN_REFRESH) }, Keys::default())
    }

    /// Tokens have to be of this issuer, or of another one that was given.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Tokens have to be for this audience, or for another one that was given. Without any, tokens that name
    /// an audience are refused.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// How far clocks may be apart. 60 s.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn state(&self) -> MutexGuard<'_, Keys> {
        match self.keys.lock() {
            Ok(keys) => keys,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// The keys, not older than that.
    async fn keys_of_age(&self, age: Duration) -> Result<Arc<[Key]>, Status> {
        let fresh = |keys: &Keys| {
            let is_fresh = keys.fetched.is_some_and(|fetched| fetched.elapsed() < age);
            (is_fresh || matches!(self.source.0, Source::Fixed)).then(|| Arc::clone(&keys.keys))
        };
        if let Some(keys) = fresh(&self.state()) {
            return Ok(keys);
        }
        let Source::Fetched { fetch, .. } = &self.source.0 else { return Ok(Arc::clone(&self.state().keys)) };
        let _turn = self.fetching.lock().await;
        if let Some(keys) = fresh(&self.state()) {
            return Ok(keys);
        }
        let found = fetch()
            .await
            .and_then(|text| read(&text).map_err(|error| Status::unavailable(error.to_string())));
        let mut state = self.state();
        match found {
            Ok(keys) => *state = Keys { keys, fetched: Some(Instant::now()) },
            Err(status) if state.keys.is_empty() => {
                let message = "the keys that tokens are verified with can not be fetched";
                return Err(Status::unavailable(message).with_source(status));
            }
            Err(status) => {
                tracing::warn!(%status, "can not fetch keys of tokens again");
                state.fetched = Some(Instant::now());
            }
        }
        Ok(Arc::clone(&state.keys))
    }

    async fn verify(&self, token: &str) -> Result<Claims, Status> {
        let invalid = |error: jsonwebtoken::errors::Error| {
            Status::unauthenticated(format!("the token is not valid: {error}")).with_source(error)
        };
        let header = jsonwebtoken::decode_header(token).map_err(invalid)?;
        let refresh = match &self.source.0 {
            Source::Fixed => Duration::MAX,
            Source::Fetched { refresh, .. } => *refresh,
        };
        let is_meant = |key: &Key| {
            key.algorithms.contains(&header.alg)
                && (header.kid.is_none() || key.id.is_none() || key.id == header.kid)
        };
        let mut keys = self.keys_of_age(refresh).await?;
        if !keys.iter().any(is_meant) {
            keys = self.keys_of_age(MIN_REFRESH).await?;
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = self.leeway.as_secs();
        validation.validate_nbf = true;
        if !self.issuers.is_empty() {
            validation.set_issuer(&self.issuers);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        if !self.audiences.is_empty() {
            validation.set_audience(&self.audiences);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        let mut last = Status::unauthenticated("the token is signed by no key that is known");
        // A token without the name of a key is tried with those of its algorithm.
        for key in keys.iter().filter(|key| is_meant(key)).take(MAX_TRIES) {
            match jsonwebtoken::decode::<serde_json::Map<String, serde_json::Value>>(
                token,
                &key.key,
                &validation,
            ) {
                Ok(found) => return Ok(Claims(found.claims)),
                Err(error) => last = invalid(error),
            }
        }
        Err(last)
    }
}

/// Signatures that are checked for one token.
const MAX_TRIES: usize = 8;

impl Authenticator for Jwt {
    type Identity = Claims;

    async fn authenticate(&self, call: &dyn CallView) -> Result<Claims, Status> {
        self.verify(bearer_token(call)?).await
    }
}
