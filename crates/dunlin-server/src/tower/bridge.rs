//! The client's side of the connection within the process.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dunlin_http2::{Config, Connection, ErrorCode, Event, Field, HeaderList, HeadersKind, StreamKey};
use dunlin_transport::{CloseReason, ConnectionHandler};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Frame;

use super::{Exchange, is_of_connection};

/// What requests ask of the connection.
pub(crate) enum Operation {
    Begin(Arc<Exchange>, Box<Parts>),
    Data(Arc<Exchange>, Bytes),
    End(Arc<Exchange>),
    Consumed(Arc<Exchange>, usize),
    Cancel(Arc<Exchange>),
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin(..) => "Begin",
            Self::Data(..) => "Data",
            Self::End(_) => "End",
            Self::Consumed(..) => "Consumed",
            Self::Cancel(_) => "Cancel",
        })
    }
}

/// The server's own limits hold; these are for a peer that is trusted.
pub(crate) fn config() -> Config {
    Config::default().connection_window_size(16 << 20).max_header_list_size(1 << 20)
}

/// All requests that are on their way.
#[derive(Default)]
pub(crate) struct Bridge {
    calls: Vec<Option<(StreamKey, Arc<Exchange>)>>,
    /// Requests that wait until the server allows more streams.
    waiting: VecDeque<(Arc<Exchange>, Box<Parts>)>,
}

impl Bridge {
    fn exchange(&self, key: StreamKey) -> Option<Arc<Exchange>> {
        let (found, exchange) = self.calls.get(key.slot as usize)?.as_ref()?;
        (*found == key).then(|| Arc::clone(exchange))
    }

    fn key(&self, exchange: &Arc<Exchange>) -> Option<StreamKey> {
        self.calls.iter().flatten().find(|(_, other)| Arc::ptr_eq(other, exchange)).map(|(key, _)| *key)
    }

    /// Opens those that wait, as far as the server allows it.
    fn open(&mut self, connection: &mut Connection) {
        while connection.available_streams() > 0
            && let Some((exchange, head)) = self.waiting.pop_front()
        {
            self.begin(connection, exchange, &head);
        }
    }

    fn begin(&mut self, connection: &mut Connection, exchange: Arc<Exchange>, head: &Parts) {
        let authority = head.uri.authority().map(|authority| authority.as_str().to_owned()).or_else(|| {
            let host = head.headers.get(header::HOST)?;
            host.to_str().ok().map(str::to_owned)
        });
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = authority.unwrap_or_else(|| "in-process".to_owned());
        let mut fields = vec![
            Field::new(":method", head.method.as_str()),
            Field::new(":scheme", head.uri.scheme_str().unwrap_or("http")),
            Field::new(":path", path),
            Field::new(":authority", &authority),
        ];
        let kept = head.headers.iter().filter(|(name, _)| !is_of_connection(name));
        fields.extend(kept.map(|(name, value)| {
            let field = Field::new(name.as_str(), value.as_bytes());
            if value.is_sensitive() { field.sensitive() } else { field }
        }));
        match connection.open(&fields[..], false) {
            Ok(key) => {
                let slot = key.slot as usize;
                if self.calls.len() <= slot {
                    self.calls.resize_with(slot + 1, || None);
                }
                // Now its content may come.
                exchange.change(|state| state.queued = 0);
                self.calls[slot] = Some((key, exchange));
            }
            Err(error) => end(&exchange, Some(error.to_string())),
        }
    }

    fn finish(&mut self, connection: &mut Connection, key: StreamKey, failure: Option<String>) {
        if let Some(exchange) = self.exchange(key) {
            self.calls[key.slot as usize] = None;
            end(&exchange, failure);
        }
        connection.forget(key, ErrorCode::CANCEL);
    }
}

fn end(exchange: &Exchange, failure: Option<String>) {
    exchange.change(|state| {
        state.has_ended = true;
        state.failure = failure;
    });
}

/// What a server of ours sends is legal, so nothing is lost here.
fn header_map(headers: &HeaderList) -> HeaderMap {
    let fields = headers.iter().filter(|field| !field.name.starts_with(':'));
    fields
        .filter_map(|field| {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            let mut value = HeaderValue::from_bytes(field.value).ok()?;
            value.set_sensitive(field.is_sensitive);
            Some((name, value))
        })
        .collect()
}

impl ConnectionHandler for Bridge {
    type Operation = Operation;

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        match event {
            Event::Headers { stream, kind, headers, end_stream } => {
                if let Some(exchange) = self.exchange(stream) {
                    let map = header_map(&headers);
                    exchange.change(|state| match kind {
                        HeadersKind::Trailers => state.frames.push_back(Frame::trailers(map)),
                        HeadersKind::Response => {
                            let status =
                                headers.status().and_then(|status| StatusCode::from_u16(status).ok());
                            state.head = Some((status.unwrap_or(StatusCode::BAD_GATEWAY), map));
                        }
                        _ => {}
                    });
                }
                if end_stream {
                    self.finish(connection, stream, None);
                }
            }
            Event::Data { stream, data, end_stream } => {
                match self.exchange(stream) {
                    Some(exchange) => exchange.change(|state| {
                        state.frames.push_back(Frame::data(Bytes::copy_from_slice(data)));
                    }),
                    None => connection.release(stream, data.len()),
                }
                if end_stream {
                    self.finish(connection, stream, None);
                }
            }
            Event::Drained { stream } => {
                if let Some(exchange) = self.exchange(stream) {
                    let queued = connection.queued(stream);
                    exchange.change(|state| state.queued = queued);
                }
            }
            Event::Reset { stream, reason } => {
                self.finish(connection, stream, Some(format!("the stream was reset: {reason:?}")));
            }
            Event::Settings | Event::Capacity => self.open(connection),
            _ => {}
        }
        // An ended stream makes room.
        if !self.waiting.is_empty() {
            self.open(connection);
        }
    }

    fn operation(&mut self, connection: &mut Connection, operation: Operation, _: Instant) {
        match operation {
            Operation::Begin(exchange, head) => {
                self.waiting.push_back((exchange, head));
                self.open(connection);
            }
            Operation::Data(exchange, data) => {
                let Some(key) = self.key(&exchange) else { return };
                if connection.send_data(key, data, false).is_err() {
                    return;
                }
                // Otherwise `Drained` tells it.
                if !connection.is_congested(key) {
                    let queued = connection.queued(key);
                    exchange.change(|state| state.queued = queued);
                }
            }
            Operation::End(exchange) => {
                if let Some(key) = self.key(&exchange) {
                    // Closed: the response is complete already.
                    let _ = connection.send_data(key, Bytes::new(), true);
                }
            }
            Operation::Consumed(exchange, bytes) => {
                if let Some(key) = self.key(&exchange) {
                    connection.release(key, bytes);
                }
            }
            Operation::Cancel(exchange) => {
                self.waiting.retain(|(other, _)| !Arc::ptr_eq(other, &exchange));
                if let Some(key) = self.key(&exchange) {
                    self.finish(connection, key, Some("the request was cancelled".to_owned()));
                }
                self.open(connection);
            }
        }
    }

    fn refused(&mut self, operation: Operation) {
        if let Operation::Begin(exchange, _) = operation {
            end(&exchange, Some("the connection within the process has ended".to_owned()));
        }
    }

    fn closed(&mut self, _: &Connection, reason: &CloseReason) {
        let waiting = self.waiting.drain(..).map(|(exchange, _)| exchange);
        for exchange in self.calls.drain(..).flatten().map(|(_, exchange)| exchange).chain(waiting) {
            end(&exchange, Some(reason.to_string()));
        }
    }
}
