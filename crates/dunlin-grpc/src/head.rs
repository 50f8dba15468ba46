//! What stands before and behind messages: header lists of gRPC over HTTP/2.

use std::borrow::Cow;
use std::time::Duration;

use dunlin_http2::{ErrorCode, Field, HeaderBlock, HeaderList, InvalidField, ResetReason};

use crate::metadata::{broken_binary, decode_binary, encode_binary};
use crate::{Code, Encoding, Encodings, Metadata, Status, percent, timeout};

/// What a server has to know of a request before its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// What is left of the time that the client gives; `None` for all the time.
    pub timeout: Option<Duration>,
    /// What its compressed messages are compressed with.
    pub encoding: Encoding,
}

/// Why a request is not even looked at: the HTTP status, and what a gRPC client is told.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// `:status`.
    pub http_status: u16,
    /// Behind it.
    pub status: Status,
    /// The answer says which codings are supported.
    pub lists_encodings: bool,
}

impl Refusal {
    fn new(http_status: u16, status: Status) -> Self {
        Self { http_status, status, lists_encodings: false }
    }
}

/// What stands behind `application/grpc`.
enum SubType<'v> {
    Proto,
    Other(&'v [u8]),
    NotGrpc,
}

fn sub_type(content_type: &[u8]) -> SubType<'_> {
    const GRPC: &[u8] = b"application/grpc";
    match content_type.split_at_checked(GRPC.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(GRPC) => match rest {
            [] | [b';', ..] | b"+proto" => SubType::Proto,
            [b'+', rest @ ..] if rest.starts_with(b"proto;") => SubType::Proto,
            [b'+', rest @ ..] => SubType::Other(rest),
            _ => SubType::NotGrpc,
        },
        _ => SubType::NotGrpc,
    }
}

/// Reads the headers of a request.
///
/// # Errors
/// What to answer, if it is no gRPC request or can not be served.
pub fn read_request(headers: &HeaderList, encodings: &Encodings) -> Result<RequestHead, Refusal> {
    if headers.method() != Some("POST") {
        return Err(Refusal::new(405, Status::internal("the method of a gRPC request is POST")));
    }
    let (mut content_type, mut timeout, mut encoding) = (None, None, Encoding::Identity);
    let mut has_binary = false;
    for field in headers.iter() {
        match field.name {
            "content-type" => content_type = Some(field.value),
            "grpc-timeout" => {
                let parsed = timeout::parse(field.value);
                timeout = Some(parsed.map_err(|error| {
                    Refusal::new(400, Status::internal(error.to_string()).with_source(error))
                })?);
            }
            "grpc-encoding" => {
                encoding = encodings.find(field.value).ok_or_else(|| Refusal {
                    http_status: 200,
                    status: unsupported(Code::Unimplemented, field.value),
                    lists_encodings: true,
                })?;
            }
            name => has_binary |= name.ends_with("-bin"),
        }
    }
    match content_type.map(sub_type) {
        Some(SubType::Proto) => {}
        Some(SubType::Other(other)) => {
            let other = other.escape_ascii();
            let status = Status::unimplemented(format!(
                "content-type application/grpc+{other}: only +proto is served"
            ));
            return Err(Refusal::new(200, status));
        }
        Some(SubType::NotGrpc) | None => {
            let found = content_type.unwrap_or_default().escape_ascii();
            let status = Status::internal(format!("content-type `{found}` is not application/grpc"));
            return Err(Refusal::new(415, status));
        }
    }
    if has_binary && let Some(name) = broken_binary(headers) {
        return Err(Refusal::new(400, Status::internal(format!("the value of `{name}` is not base64"))));
    }
    Ok(RequestHead { timeout, encoding })
}

fn unsupported(code: Code, name: &[u8]) -> Status {
    Status::new(code, format!("messages compressed with `{}` are not supported", name.escape_ascii()))
}

/// The codings that the client says it takes, of those that we have.
pub fn accepted(headers: &HeaderList, encodings: &Encodings) -> Encodings {
    match headers.get("grpc-accept-encoding") {
        Some(first) => {
            let more: Vec<&[u8]> = headers.get_all("grpc-accept-encoding").skip(1).collect();
            match more.is_empty() {
                true => encodings.accepted(first),
                false => encodings.accepted(&[&[first], &more[..]].concat().join(&b","[..])),
            }
        }
        None => Encodings::none(),
    }
}

/// The headers of a response without metadata.
///
/// # Errors
/// When a custom coding has a name that no field can have.
pub fn response_block(encoding: Encoding, encodings: &Encodings) -> Result<HeaderBlock, InvalidField> {
    let mut block = HeaderBlock::builder()
        .field(Field::new(":status", "200"))
        .field(Field::new("content-type", "application/grpc"));
    if !encoding.is_identity() {
        block = block.field(Field::new("grpc-encoding", encoding.name()));
    }
    if let Some(names) = encodings.to_field() {
        block = block.field(Field::new("grpc-accept-encoding", &names));
    }
    block.build()
}

/// The headers of all requests of a method, but for metadata, timeout and coding.
///
/// # Errors
/// When a text has octets that no field can have.
pub fn request_block(
    scheme: &str,
    authority: &str,
    path: &str,
    user_agent: &str,
    encodings: &Encodings,
) -> Result<HeaderBlock, InvalidField> {
    let mut block = HeaderBlock::builder()
        .field(Field::new(":method", "POST"))
        .field(Field::new(":scheme", scheme))
        .field(Field::new(":path", path))
        .field(Field::new(":authority", authority))
        .field(Field::new("te", "trailers"))
        .field(Field::new("content-type", "application/grpc"))
        .field(Field::new("user-agent", user_agent));
    if let Some(names) = encodings.to_field() {
        block = block.field(Field::new("grpc-accept-encoding", &names));
    }
    block.build()
}

/// `user-agent`, behind the application's own if it has one.
pub fn user_agent(application: Option<&str>) -> String {
    let own = concat!("grpc-rust-dunlin/", env!("CARGO_PKG_VERSION"));
    application.map_or_else(|| own.to_owned(), |application| format!("{application} {own}"))
}

/// The end of a response as fields: status, message, details and metadata.
#[derive(Debug)]
pub struct EndFields<'s> {
    code: Code,
    message: Cow<'s, [u8]>,
    details: Option<String>,
    metadata: [&'s Metadata; 2],
}

impl<'s> EndFields<'s> {
    /// Of a status that is an error, or `None` for OK, and trailers besides.
    pub fn new(status: Option<&'s Status>, trailers: &'s Metadata) -> Self {
        const NONE: &Metadata = &Metadata::new();
        Self {
            code: status.map_or(Code::Ok, Status::code),
            message: status.map_or(Cow::Borrowed(b""), |status| percent::encode(status.message())),
            details: status
                .map(Status::details)
                .filter(|bytes| !bytes.is_empty())
                .map(|bytes| encode_binary(bytes)),
            metadata: [status.map_or(NONE, Status::metadata), trailers],
        }
    }

    /// The fields, in the order to send them.
    pub fn fields(&self) -> Vec<Field<'_>> {
        let mut fields = vec![Field::new("grpc-status", self.code.as_wire())];
        if !self.message.is_empty() {
            fields.push(Field::new("grpc-message", &*self.message));
        }
        if let Some(details) = &self.details {
            fields.push(Field::new("grpc-status-details-bin", details));
        }
        fields.extend(self.metadata.iter().flat_map(|metadata| metadata.fields()));
        fields
    }
}

/// The first header list of a response, as a client sees it.
#[derive(Debug)]
pub enum ResponseHead {
    /// Messages follow, compressed with this if they say that they are.
    Messages(Encoding),
    /// There are none: it is the end at once.
    End(Result<(), Status>),
    /// It is no gRPC response.
    Broken(Status),
}

/// Reads the first headers of a response.
pub fn read_response(headers: &HeaderList, end_stream: bool, encodings: &Encodings) -> ResponseHead {
    let http_status = headers.status().unwrap_or_default();
    if end_stream && headers.get("grpc-status").is_some() {
        return ResponseHead::End(read_status(headers));
    }
    let content_type = headers.get("content-type");
    let shown = || content_type.unwrap_or_default().escape_ascii().to_string();
    let message = || format!("HTTP status {http_status}, content-type `{}`", shown());
    if http_status != 200 {
        return ResponseHead::Broken(Status::new(code_of_http(http_status), message()));
    }
    match content_type.map(sub_type) {
        Some(SubType::Proto) => {}
        Some(SubType::Other(_)) => return ResponseHead::Broken(Status::internal(message())),
        Some(SubType::NotGrpc) | None => return ResponseHead::Broken(Status::unknown(message())),
    }
    if end_stream {
        return ResponseHead::Broken(Status::unknown("the response ended without `grpc-status`"));
    }
    if let Some(name) = broken_binary(headers) {
        return ResponseHead::Broken(Status::internal(format!("the value of `{name}` is not base64")));
    }
    match headers.get("grpc-encoding").map_or(Some(Encoding::Identity), |name| encodings.find(name)) {
        Some(encoding) => ResponseHead::Messages(encoding),
        None => {
            let name = headers.get("grpc-encoding").unwrap_or_default();
            ResponseHead::Broken(unsupported(Code::Internal, name))
        }
    }
}

/// The status that trailers say.
///
/// # Errors
/// The status, if it is not OK; UNKNOWN if there is none.
pub fn read_status(headers: &HeaderList) -> Result<(), Status> {
    let Some(code) = headers.get("grpc-status") else {
        return Err(Status::unknown("the response ended without `grpc-status`"));
    };
    if let Some(name) = broken_binary(headers) {
        return Err(Status::internal(format!("the value of `{name}` is not base64")));
    }
    let code = match Code::from_wire(code) {
        Code::Ok => return Ok(()),
        code => code,
    };
    let message = headers.get("grpc-message").map(percent::decode).unwrap_or_default();
    let details = headers.get("grpc-status-details-bin").and_then(decode_binary).unwrap_or_default();
    Err(Status::new(code, message).with_details_bytes(details).with_metadata(Metadata::from_headers(headers)))
}

/// The code for an HTTP status without a gRPC status.
pub fn code_of_http(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// The status of a call whose stream was reset.
pub fn status_of_reset(reason: &ResetReason) -> Status {
    match reason {
        ResetReason::Remote(code) => {
            let status = match *code {
                ErrorCode::REFUSED_STREAM => Code::Unavailable,
                ErrorCode::CANCEL => Code::Cancelled,
                ErrorCode::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
                ErrorCode::INADEQUATE_SECURITY => Code::PermissionDenied,
                ErrorCode(code) if code > 0xd => Code::Unknown,
                _ => Code::Internal,
            };
            Status::new(status, format!("the peer has reset the stream: {code}"))
        }
        ResetReason::Local(fault) => {
            let code = match fault {
                dunlin_http2::StreamFault::HeaderListTooLarge { .. } => Code::ResourceExhausted,
                _ => Code::Internal,
            };
            Status::new(code, format!("the peer broke the protocol: {fault}")).with_source(*fault)
        }
        ResetReason::NotProcessed => {
            Status::unavailable("the server goes away, and has not processed the call")
        }
        _ => Status::unknown("the stream was reset"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_grpc() {
        for (value, wanted) in [
            ("application/grpc", "proto"),
            ("application/grpc+proto", "proto"),
            ("application/grpc;charset=utf-8", "proto"),
            ("application/grpc+json", "json"),
            ("application/grpc-web+proto", "none"),
            ("application/grpcfoo", "none"),
            ("text/html", "none"),
            ("", "none"),
        ] {
            let found = match sub_type(value.as_bytes()) {
                SubType::Proto => "proto".to_owned(),
                SubType::Other(other) => other.escape_ascii().to_string(),
                SubType::NotGrpc => "none".to_owned(),
            };
            assert_eq!(found, wanted, "{value}");
        }
    }

    #[test]
    fn an_end_has_what_it_needs() {
        let none = Metadata::new();
        let names =
            |end: &EndFields<'_>| end.fields().iter().map(|field| field.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&EndFields::new(None, &none)), ["grpc-status"]);
        let mut status = Status::aborted("100%").with_details_bytes(&b"\x08\x0a"[..]);
        status.metadata_mut().insert("a", "1").unwrap();
        let mut trailers = Metadata::new();
        trailers.insert("b", "2").unwrap();
        let end = EndFields::new(Some(&status), &trailers);
        assert_eq!(names(&end), ["grpc-status", "grpc-message", "grpc-status-details-bin", "a", "b"]);
        assert_eq!(end.fields()[1].value, b"100%25");
    }
}
