//! Who calls, and what they may do.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use dunlin::interceptors::Auth;
use dunlin::{Interceptor, Method, ServerContext, Status};
use sha2::{Digest, Sha256};

use crate::proto::product_service;

/// Methods that everyone may call; all others ask for a token.
const PUBLIC: [&str; 5] = [
    "shop.v1.ProductService/GetProduct",
    "shop.v1.ProductService/ListProducts",
    "shop.v1.ProductService/StreamProducts",
    "shop.v1.ProductService/WatchProducts",
    "shop.v1.PriceService",
];

/// Methods for admins. What else they may do beyond customers, the methods know themselves.
const FOR_ADMINS: [Method; 5] = [
    product_service::CREATE_PRODUCT,
    product_service::UPDATE_PRODUCT,
    product_service::DELETE_PRODUCT,
    product_service::BULK_CREATE_PRODUCTS,
    product_service::PROCESS_PRODUCT_BATCH,
];

/// What someone is to the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Buys, talks, and sees what is theirs.
    Customer,
    /// Runs the shop, and sees everything.
    Admin,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// A name that nobody else has.
    pub name: String,
    /// What they are to the shop.
    pub role: Role,
}

impl Caller {
    /// Who makes this call of a method that is not public.
    ///
    /// # Errors
    /// UNAUTHENTICATED if nobody has asked, since the method should not have been called then.
    pub fn of(cx: &ServerContext) -> Result<Arc<Self>, Status> {
        cx.extension().ok_or_else(|| Status::unauthenticated("this method needs a token"))
    }

    /// Whether this is someone's own business, or the shop's.
    pub fn may_see(&self, owner: &str) -> bool {
        self.role == Role::Admin || self.name == owner
    }
}

/// The tokens that are known, as their SHA-256: so the time of a look-up tells nothing of them.
#[derive(Clone, Debug, Default)]
pub struct Tokens(HashMap<[u8; 32], Caller>);

/// Why a file of tokens can not be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It can not be read.
    #[error("can not read the tokens in {path}; see --tokens")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A line that is none.
    #[error("{path}:{line}: not a token; write TOKEN ROLE NAME with the role `customer` or `admin`")]
    Line {
        /// The file.
        path: String,
        /// The number of the line.
        line: usize,
    },
}

impl Tokens {
    /// A customer `demo-customer` and an admin `demo-admin`, whose names are their tokens.
    pub fn demo() -> Self {
        Self::default().and("demo-customer", Role::Customer, "demo-customer").and(
            "demo-admin",
            Role::Admin,
            "demo-admin",
        )
    }

    /// With this token too.
    #[must_use]
    pub fn and(mut self, token: &str, role: Role, name: &str) -> Self {
        self.0.insert(Sha256::digest(token).into(), Caller { name: name.to_owned(), role });
        self
    }

    /// Those of a file with a line `TOKEN ROLE NAME` for each; lines with a `#` in front say nothing.
    pub fn from_file(path: &Path) -> Result<Self, TokensError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| TokensError::Read { path: shown.clone(), source })?;
        let mut tokens = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            tokens = match words[..] {
                [] => tokens,
                [first, ..] if first.starts_with('#') => tokens,
                [token, "customer", name] => tokens.and(token, Role::Customer, name),
                [token, "admin", name] => tokens.and(token, Role::Admin, name),
                _ => return Err(TokensError::Line { path: shown, line: number }),
            };
        }
        Ok(tokens)
    }

    fn caller(&self, token: &str) -> Result<Caller, Status> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        self.0.get(&digest).cloned().ok_or_else(|| Status::unauthenticated("the token is not known"))
    }
}

/// Lets those pass who may.
pub fn interceptor(tokens: Tokens) -> impl Interceptor {
    let tokens = Arc::new(tokens);
    let verify = move |token: String| {
        let tokens = Arc::clone(&tokens);
        async move { tokens.caller(&token) }
    };
    let is_for_admins = |method: &Method| FOR_ADMINS.iter().any(|other| other.path() == method.path());
    let auth = Auth::bearer(verify)
        .allow(move |call, caller: &Caller| caller.role == Role::Admin || !is_for_admins(call.method()));
    PUBLIC.into_iter().fold(auth.only("shop.v1.*"), |auth, public| auth.except(public))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_tokens_says_which_line_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "# staff\n s3cret  admin ann\n\nopen customer bob\n").unwrap();
        let tokens = Tokens::from_file(file.path()).unwrap();
        assert_eq!(tokens.caller("s3cret").unwrap(), Caller { name: "ann".into(), role: Role::Admin });
        assert_eq!(tokens.caller("ann").unwrap_err().code(), dunlin::Code::Unauthenticated);
        std::fs::write(&file, "a admin b\nx owner y\n").unwrap();
        let error = Tokens::from_file(file.path()).unwrap_err().to_string();
        assert!(error.contains(":2: not a token"), "{error}");
    }
}
