//! One call that was recorded.

use std::fmt;

use bytes::Bytes;
use dunlin_grpc::intercept::{Direction, Side};
use dunlin_grpc::{Code, Metadata, Method, Status};
use dunlin_protobuf::Message;

/// A call, as far as it had come when it was asked for.
///
/// Its messages are kept as bytes and read as the types that are asked for.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    side: Side,
    method: Method,
    metadata: Metadata,
    requests: Vec<RecordedMessage>,
    responses: Vec<RecordedMessage>,
    headers: Metadata,
    trailers: Metadata,
    result: Option<Result<(), Status>>,
}

/// A message, and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct RecordedMessage {
    bytes: Bytes,
    /// Empty if nobody knows.
    type_name: Box<str>,
    text: Box<str>,
}

impl RecordedMessage {
    pub(crate) fn new(bytes: Bytes, type_name: &str, text: String) -> Self {
        Self { bytes, type_name: type_name.into(), text: text.into() }
    }

    /// Bytes of a message that nobody has read.
    pub(crate) fn unread(bytes: Bytes) -> Self {
        let shown = &bytes[..bytes.len().min(SHOWN)];
        let more = if bytes.len() > SHOWN { "…" } else { "" };
        let text = format!("\"{}{more}\"", shown.escape_ascii());
        Self { bytes, type_name: Box::default(), text: text.into() }
    }
}

/// Bytes of a message that are shown where nobody knows its type.
const SHOWN: usize = 64;

/// As `name: "cup" cents: 500`, with the type if it is known.
impl fmt::Display for RecordedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.type_name.is_empty() {
            return f.write_str(&self.text);
        }
        let text: Vec<&str> = self.text.split_whitespace().collect();
        write!(f, "{} {{ {} }}", self.type_name, text.join(" "))
    }
}

impl RecordedCall {
    pub(crate) fn new(side: Side, method: Method, metadata: Metadata) -> Self {
        Self {
            side,
            method,
            metadata,
            requests: Vec::new(),
            responses: Vec::new(),
            headers: Metadata::new(),
            trailers: Metadata::new(),
            result: None,
        }
    }

    pub(crate) fn add(&mut self, direction: Direction, message: RecordedMessage) {
        match (self.side, direction) {
            (Side::Client, Direction::Sent) | (Side::Server, Direction::Received) => {
                self.requests.push(message);
            }
            (Side::Client, Direction::Received) | (Side::Server, Direction::Sent) => {
                self.responses.push(message);
            }
        }
    }

    pub(crate) fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    pub(crate) fn set_response_metadata(&mut self, headers: Option<Metadata>, trailers: Metadata) {
        if let Some(headers) = headers {
            self.headers = headers;
        }
        self.trailers = trailers;
    }

    pub(crate) fn set_result(&mut self, result: Result<(), Status>) {
        self.result.get_or_insert(result);
    }

    /// The side that it was seen on.
    pub fn side(&self) -> Side {
        self.side
    }

    /// What was called.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The metadata of the request.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The metadata that the server sent before its messages; empty where it was recorded on a server.
    pub fn headers(&self) -> &Metadata {
        &self.headers
    }

    /// The metadata behind the messages.
    pub fn trailers(&self) -> &Metadata {
        &self.trailers
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.result.is_some()
    }

    /// How it has ended; `None` if it has not. A call that was cancelled has ended with CANCELLED.
    pub fn result(&self) -> Option<Result<(), &Status>> {
        self.result.as_ref().map(|result| result.as_ref().copied())
    }

    /// The code that it has ended with; `None` if it has not ended.
    pub fn code(&self) -> Option<Code> {
        self.result().map(|result| result.map_or_else(Status::code, |()| Code::Ok))
    }

    /// The number of requests.
    pub fn request_count(&self) -> usize {
        self.requests.len()
    }

    /// The number of responses.
    pub fn response_count(&self) -> usize {
        self.responses.len()
    }

    /// All requests.
    ///
    /// # Panics
    /// If they are of another type.
    #[track_caller]
    pub fn requests<M: Message>(&self) -> Vec<M> {
        self.read(&self.requests)
    }

    /// The one request.
    ///
    /// # Panics
    /// If there are others, none, or it is of another type.
    #[track_caller]
    pub fn request<M: Message>(&self) -> M {
        self.one("request", self.requests())
    }

    /// All responses.
    ///
    /// # Panics
    /// If they are of another type.
    #[track_caller]
    pub fn responses<M: Message>(&self) -> Vec<M> {
        self.read(&self.responses)
    }

    /// The one response.
    ///
    /// # Panics
    /// If there are others, none, or it is of another type.
    #[track_caller]
    pub fn response<M: Message>(&self) -> M {
        self.one("response", self.responses())
    }

    #[track_caller]
    fn read<M: Message>(&self, messages: &[RecordedMessage]) -> Vec<M> {
        let mut read = Vec::with_capacity(messages.len());
        for message in messages {
            let is_type = message.type_name.is_empty() || *message.type_name == *M::FULL_NAME;
            match M::decode(&message.bytes) {
                Ok(message) if is_type => read.push(message),
                Ok(_) => panic!("{message} is read as {}, in {self}", M::FULL_NAME),
                Err(error) => panic!("{message} is no {}: {error}, in {self}", M::FULL_NAME),
            }
        }
        read
    }

    #[track_caller]
    fn one<M>(&self, what: &str, mut messages: Vec<M>) -> M {
        let count = messages.len();
        match messages.pop() {
            Some(message) if count == 1 => message,
            _ => panic!("wanted one {what}, saw {count}, in {self}"),
        }
    }

    /// Panics unless this is the one request.
    #[track_caller]
    pub fn assert_request<M: Message>(&self, wanted: &M) -> &Self {
        self.assert_requests(std::slice::from_ref(wanted))
    }

    /// Panics unless these are the requests.
    #[track_caller]
    pub fn assert_requests<M: Message>(&self, wanted: &[M]) -> &Self {
        let found = self.requests::<M>();
        assert!(found == wanted, "wanted the requests {wanted:#?}, saw {found:#?}, in {self}");
        self
    }

    /// Panics unless this is the one response.
    #[track_caller]
    pub fn assert_response<M: Message>(&self, wanted: &M) -> &Self {
        self.assert_responses(std::slice::from_ref(wanted))
    }

    /// Panics unless these are the responses.
    #[track_caller]
    pub fn assert_responses<M: Message>(&self, wanted: &[M]) -> &Self {
        let found = self.responses::<M>();
        assert!(found == wanted, "wanted the responses {wanted:#?}, saw {found:#?}, in {self}");
        self
    }

    /// Panics unless the request had this metadata.
    #[track_caller]
    pub fn assert_metadata(&self, name: &str, wanted: &str) -> &Self {
        let found: Vec<&str> = self.metadata.get_all(name).collect();
        assert!(found == [wanted], "wanted `{name}: {wanted}`, saw {found:?}, in {self}");
        self
    }

    /// Panics unless the request had no metadata of this name.
    #[track_caller]
    pub fn assert_no_metadata(&self, name: &str) -> &Self {
        assert!(!self.metadata.contains(name), "wanted no `{name}`, in {self}");
        self
    }

    /// Panics unless it has ended with this code.
    #[track_caller]
    pub fn assert_code(&self, wanted: Code) -> &Self {
        assert!(self.code() == Some(wanted), "wanted {wanted}, in {self}");
        self
    }
}

/// As `/shop.v1.ShopService/GetProduct(shop.v1.GetProductRequest { id: "1" }) -> NOT_FOUND: no product 1`.
impl fmt::Display for RecordedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, messages: &[RecordedMessage]| {
            for (place, message) in messages.iter().take(MESSAGES).enumerate() {
                let comma = if place == 0 { "" } else { ", " };
                write!(f, "{comma}{message}")?;
            }
            match messages.len().checked_sub(MESSAGES) {
                None | Some(0) => Ok(()),
                Some(more) => write!(f, " and {more} more"),
            }
        };
        write!(f, "{}(", self.method)?;
        list(f, &self.requests)?;
        f.write_str(") -> ")?;
        if !self.responses.is_empty() {
            f.write_str("(")?;
            list(f, &self.responses)?;
            f.write_str(") ")?;
        }
        match &self.result {
            None => f.write_str("at work"),
            Some(Ok(())) => f.write_str("OK"),
            Some(Err(status)) => write!(f, "{status}"),
        }
    }
}

/// Messages that are shown of each side.
const MESSAGES: usize = 5;
