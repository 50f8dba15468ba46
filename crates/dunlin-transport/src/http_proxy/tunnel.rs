//! CONNECT: the request, and reading no more of the answer than its head.

use bytes::{Buf, Bytes};
use tokio::io::AsyncWriteExt;

use super::HttpProxy;
use crate::io::{self, Io};

/// The longest response head in bytes that a proxy may send.
pub const MAX_RESPONSE_HEAD: usize = 8 * 1024;

/// Why a proxy gave no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunnelError {
    /// The proxy answered with another status than 2xx.
    #[error("proxy refused CONNECT to {authority}: {status_line}{}", hint(*.status))]
    Refused {
        /// What was asked for, host and port.
        authority: String,
        /// The status code.
        status: u16,
        /// The whole status line, with everything unprintable escaped.
        status_line: String,
    },
    /// What came is not a response head of HTTP/1.
    #[error("proxy did not answer CONNECT to {authority} in HTTP/1: {seen}")]
    NotHttp {
        /// What was asked for, host and port.
        authority: String,
        /// The first line, at most 100 bytes, with everything unprintable escaped.
        seen: String,
    },
    /// The response head is longer than [`MAX_RESPONSE_HEAD`].
    #[error("proxy answered CONNECT to {authority} with a head of more than {limit} bytes")]
    HeadTooLong {
        /// What was asked for, host and port.
        authority: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The proxy closed the connection before the end of its answer.
    #[error("proxy closed the connection before answering CONNECT to {authority}")]
    Closed {
        /// What was asked for, host and port.
        authority: String,
    },
    /// The host's name would not stay within the request's first line.
    #[error("`{}` cannot stand in a CONNECT request", .authority.escape_debug())]
    InvalidAuthority {
        /// What was asked for, host and port.
        authority: String,
    },
    /// The connection to the proxy failed.
    #[error("connection to the proxy lost before its answer to CONNECT to {authority}")]
    Io {
        /// What was asked for, host and port.
        authority: String,
        /// The connection's error.
        source: std::io::Error,
    },
}

fn hint(status: u16) -> &'static str {
    match status {
        407 => "; it wants credentials, as in http://user:password@proxy:port",
        _ => "",
    }
}

impl HttpProxy {
    /// Asks the proxy at the other end of `connection` for a tunnel to `authority`, which is host and
    /// port with an IPv6 address in brackets.
    ///
    /// It waits for as long as the proxy is silent; the caller brings the timeout. Dropping the
    /// future drops the connection.
    ///
    /// # Errors
    ///
    /// See [`TunnelError`].
    pub async fn tunnel(&self, mut connection: Io, authority: &str) -> Result<Io, TunnelError> {
        if authority.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(TunnelError::InvalidAuthority { authority: authority.to_owned() });
        }
        let lost = |source| TunnelError::Io { authority: authority.to_owned(), source };
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str("Proxy-Authorization: ");
            request.push_str(authorization);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        connection.write_all(request.as_bytes()).await.map_err(lost)?;
        connection.flush().await.map_err(lost)?;

        let mut seen = Vec::new();
        let head = loop {
            if let Some(len) = head_len(&seen) {
                break len;
            }
            if !begins_as_http(&seen) {
                return Err(TunnelError::NotHttp {
                    authority: authority.to_owned(),
                    seen: first_line(&seen),
                });
            }
            if seen.len() >= MAX_RESPONSE_HEAD {
                let limit = MAX_RESPONSE_HEAD;
                return Err(TunnelError::HeadTooLong { authority: authority.to_owned(), limit });
            }
            if io::read_more(&mut connection, &mut seen, MAX_RESPONSE_HEAD).await.map_err(lost)? == 0 {
                return Err(TunnelError::Closed { authority: authority.to_owned() });
            }
        };
        check_status(&seen[..head], authority)?;
        // RFC 9110 §9.3.6: the tunnel begins right behind the head, whatever its fields say of a body.
        let mut rest = Bytes::from(seen);
        rest.advance(head);
        Ok(connection.with_prefix(rest))
    }
}

/// The length of the response head with the empty line at its end, once that is there. A line may
/// end in a lone line feed (RFC 9112 §2.2).
fn head_len(seen: &[u8]) -> Option<usize> {
    let ends = |at: &usize| seen[*at] == b'\n';
    (0..seen.len()).filter(ends).find_map(|at| match &seen[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

fn begins_as_http(seen: &[u8]) -> bool {
    let signature = b"HTTP/1.";
    let len = seen.len().min(signature.len());
    seen[..len] == signature[..len]
}

/// RFC 9112 §4: `HTTP/1.x`, a space, three digits, and then nothing or a space and a reason.
fn check_status(head: &[u8], authority: &str) -> Result<(), TunnelError> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or(head);
    let status = match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor, b' ', code @ ..] if minor.is_ascii_digit() => {
            let (digits, rest) = code.split_at(code.len().min(3));
            let whole = matches!(rest.first(), None | Some(b' ' | b'\r'));
            let digits = str::from_utf8(digits)
                .ok()
                .filter(|text| whole && text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<u16>().ok())
        }
        _ => None,
    };
    match status {
        Some(200..=299) => Ok(()),
        Some(status) => Err(TunnelError::Refused {
            authority: authority.to_owned(),
            status,
            status_line: first_line(head),
        }),
        None => Err(TunnelError::NotHttp { authority: authority.to_owned(), seen: first_line(head) }),
    }
}

/// The first line, fit to be printed.
fn first_line(seen: &[u8]) -> String {
    let line = seen.split(|byte| *byte == b'\n').next().unwrap_or(seen);
    line.trim_ascii_end()[..line.trim_ascii_end().len().min(100)].escape_ascii().to_string()
}
