//! Who calls, by the certificate of the client.

use std::any::Any;
use std::fmt;

use dunlin_grpc::Status;
use dunlin_grpc::intercept::CallView;
use dunlin_transport::ConnectionInfo;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Authenticator;

/// The names in a certificate that was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// The common name of the subject, if it has one. Old, and free of any form: prefer the others.
    pub common_name: Option<String>,
    /// DNS names (subject alternative names).
    pub dns_names: Vec<String>,
    /// URIs (subject alternative names), such as `spiffe://example.org/shop`.
    pub uris: Vec<String>,
    /// Mail addresses (subject alternative names).
    pub emails: Vec<String>,
    /// The number that its issuer gave it, as hexadecimal digits.
    pub serial: String,
}

impl Certificate {
    /// The names in a certificate, which is not verified by this.
    ///
    /// # Errors
    /// UNAUTHENTICATED if it is none.
    pub fn from_der(der: &[u8]) -> Result<Self, Status> {
        let unreadable =
            |why: String| Status::unauthenticated(format!("unreadable client certificate: {why}"));
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| unreadable(error.to_string()))?;
        let name = parsed.subject().iter_common_name().next();
        let mut found = Self {
            common_name: name.and_then(|name| name.as_str().ok()).map(str::to_owned),
            serial: format!("{:x}", parsed.serial),
            ..Self::default()
        };
        let names = parsed.subject_alternative_name().map_err(|error| unreadable(error.to_string()))?;
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => found.dns_names.push((*name).to_owned()),
                GeneralName::URI(uri) => found.uris.push((*uri).to_owned()),
                GeneralName::RFC822Name(email) => found.emails.push((*email).to_owned()),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// An [`Authenticator`] by the certificate that the client's connection was made with. The server has to ask
/// for certificates and to verify them.
pub struct MutualTls<I = Certificate> {
    identify: Box<dyn Fn(Certificate) -> Result<I, Status> + Send + Sync>,
}

impl<I> fmt::Debug for MutualTls<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MutualTls")
    }
}

impl MutualTls {
    /// The certificate itself is the identity.
    pub fn new() -> Self {
        Self::by(Ok)
    }
}

impl Default for MutualTls {
    fn default() -> Self {
        Self::new()
    }
}

impl<I> MutualTls<I> {
    /// The identity is what this makes of a certificate.
    pub fn by(identify: impl Fn(Certificate) -> Result<I, Status> + Send + Sync + 'static) -> Self {
        Self { identify: Box::new(identify) }
    }
}

impl<I: Any + Send + Sync> Authenticator for MutualTls<I> {
    type Identity = I;

    async fn authenticate(&self, call: &dyn CallView) -> Result<I, Status> {
        let connection =
            call.connection().and_then(|connection| connection.downcast::<ConnectionInfo>().ok());
        let tls = connection.as_ref().and_then(|connection| connection.tls.as_ref());
        let Some(tls) = tls else {
            return Err(Status::unauthenticated(
                "the connection has no TLS, so there is no client certificate",
            ));
        };
        let Some(certificate) = tls.peer_certificates.first() else {
            return Err(Status::unauthenticated("the client has shown no certificate"));
        };
        if !tls.peer_verified {
            return Err(Status::unauthenticated("the client certificate was not verified by this server"));
        }
        (self.identify)(Certificate::from_der(certificate)?)
    }
}
