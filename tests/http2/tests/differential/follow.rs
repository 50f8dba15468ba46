//! What a client and a server do to follow a script, whatever engine is below.

use bytes::Bytes;

use crate::script::{Begin, Body, Ending, Exchange, Fields};

/// The start line and the fields of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Method, scheme, authority and path, or the status.
    pub(crate) start: String,
    pub(crate) fields: Fields,
}

/// How a stream ended for one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// END_STREAM.
    Clean,
    /// The peer has reset it.
    Reset(u32),
    /// The script wants that this side resets it.
    Own(u32),
    /// This side's engine has reset it, because of what the peer sent.
    Fault(u32),
    /// The peer goes away, and has not processed it.
    Unprocessed,
    /// In no way that a script asks for.
    Lost(String),
}

/// What a receiver gets, one after the other.
#[derive(Debug)]
pub(crate) enum Incoming {
    Informational(Head),
    Head(Head),
    Data(Bytes),
    Trailers(Fields),
    End(End),
}

/// What one side has seen of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) informational: Vec<Head>,
    pub(crate) head: Option<Head>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<Fields>,
    pub(crate) end: End,
}

impl Seen {
    fn new(head: Option<Head>) -> Self {
        Self { informational: Vec::new(), head, body: Vec::new(), trailers: None, end: End::Clean }
    }

    fn ended(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// The receiving half of a stream.
pub(crate) trait Receive {
    async fn next(&mut self) -> Incoming;
}

/// The sending half of a stream. What can not be sent anymore is dropped.
pub(crate) trait Send {
    fn informational(&mut self, status: u16, fields: &Fields);
    fn headers(&mut self, status: u16, fields: &Fields, end: bool);
    /// Waits until more may be queued. Whether the stream still lives.
    async fn room(&mut self, len: usize) -> bool;
    /// Whether the stream still lives.
    fn data(&mut self, data: Bytes, end: bool) -> bool;
    fn trailers(&mut self, fields: &Fields);
    fn reset(&mut self, code: u32);
    /// Waits until the peer resets the stream.
    async fn stopped(&mut self) -> End;
}

/// A client's connection.
pub(crate) trait Client {
    type Send: Send;
    type Receive: Receive;

    async fn open(&self, exchange: &Exchange) -> Result<(Self::Send, Self::Receive), End>;
}

/// Follows the script as the client.
pub(crate) async fn request<C: Client>(client: &C, exchange: &Exchange) -> Seen {
    let seen = &mut Seen::new(None);
    let (mut send, mut receive) = match client.open(exchange).await {
        Ok(halves) => halves,
        Err(end) => return Seen::new(None).ended(end),
    };
    let body = &exchange.request;
    let end = match exchange.ending {
        Ending::ClientGivesUp { code, chunks } => {
            content(&mut send, body, chunks).await;
            send.reset(code);
            End::Own(code)
        }
        Ending::ClientReset { code, ends_request } => {
            let sending = async {
                content(&mut send, body, usize::MAX).await;
                if ends_request {
                    finish(&mut send, body);
                }
            };
            match tokio::join!(sending, read_head(&mut receive, seen)).1 {
                End::Clean => {
                    send.reset(code);
                    End::Own(code)
                }
                end => end,
            }
        }
        Ending::ClientLetsGo => match tokio::join!(all(&mut send, body), read_head(&mut receive, seen)).1 {
            End::Clean => End::Own(8),
            end => end,
        },
        _ => tokio::join!(all(&mut send, body), read(&mut receive, seen)).1,
    };
    seen.clone().ended(end)
}

/// Follows the script as the server.
pub(crate) async fn respond(
    head: Head,
    mut send: impl Send,
    mut receive: impl Receive,
    exchange: &Exchange,
) -> Seen {
    let seen = &mut Seen::new(Some(head));
    let is_waiting = exchange.begin == Begin::AfterRequest;
    if is_waiting {
        match read(&mut receive, seen).await {
            End::Clean => {}
            end => return seen.clone().ended(end),
        }
    }
    let response = &exchange.response;
    let end = match exchange.ending {
        Ending::Early => {
            begin(&mut send, exchange, response.is_none());
            all(&mut send, response).await;
            End::Clean
        }
        Ending::ServerReset { code, chunks } => {
            if let Some(chunks) = chunks {
                begin(&mut send, exchange, false);
                content(&mut send, response, chunks).await;
            }
            send.reset(code);
            End::Own(code)
        }
        Ending::ClientReset { .. } | Ending::ClientGivesUp { .. } | Ending::ClientLetsGo => {
            begin(&mut send, exchange, false);
            let sending = content(&mut send, response, usize::MAX);
            let end = match is_waiting {
                true => {
                    sending.await;
                    End::Clean
                }
                false => tokio::join!(sending, read(&mut receive, seen)).1,
            };
            match end {
                End::Clean => send.stopped().await,
                end => end,
            }
        }
        Ending::Clean | Ending::WrongRequestLength | Ending::WrongResponseLength => {
            begin(&mut send, exchange, response.is_none());
            let sending = all(&mut send, response);
            match is_waiting {
                true => {
                    sending.await;
                    End::Clean
                }
                false => tokio::join!(sending, read(&mut receive, seen)).1,
            }
        }
    };
    seen.clone().ended(end)
}

fn begin(send: &mut impl Send, exchange: &Exchange, end: bool) {
    for (status, fields) in &exchange.informational {
        send.informational(*status, fields);
    }
    send.headers(exchange.status, &exchange.response_fields, end);
}

/// All behind the headers.
async fn all(send: &mut impl Send, body: &Body) {
    if !body.is_none() && content(send, body, body.chunks.len()).await {
        finish(send, body);
    }
}

/// Whether the stream still lives. The last chunk is left to [`finish`] if it is to carry END_STREAM.
async fn content(send: &mut impl Send, body: &Body, chunks: usize) -> bool {
    let last = if ends_with_chunk(body) { body.chunks.len() - 1 } else { body.chunks.len() };
    for chunk in body.chunks[..last].iter().take(chunks) {
        if body.is_patient && !send.room(chunk.len()).await {
            return false;
        }
        if !send.data(chunk.clone(), false) {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

fn ends_with_chunk(body: &Body) -> bool {
    !body.has_empty_end && body.trailers.is_none() && !body.chunks.is_empty()
}

fn finish(send: &mut impl Send, body: &Body) {
    match (&body.trailers, body.chunks.last()) {
        (Some(trailers), _) => send.trailers(trailers),
        (None, Some(chunk)) if ends_with_chunk(body) => drop(send.data(chunk.clone(), true)),
        (None, _) if body.is_none() => {}
        (None, _) => drop(send.data(Bytes::new(), true)),
    }
}

async fn read(receive: &mut impl Receive, seen: &mut Seen) -> End {
    loop {
        match receive.next().await {
            Incoming::Informational(head) => seen.informational.push(head),
            Incoming::Head(head) => seen.head = Some(head),
            Incoming::Data(data) => seen.body.extend_from_slice(&data),
            Incoming::Trailers(fields) => seen.trailers = Some(fields),
            Incoming::End(end) => return end,
        }
    }
}

/// Up to the final headers: [`End::Clean`] if they came.
async fn read_head(receive: &mut impl Receive, seen: &mut Seen) -> End {
    while seen.head.is_none() {
        match receive.next().await {
            Incoming::Informational(head) => seen.informational.push(head),
            Incoming::Head(head) => seen.head = Some(head),
            Incoming::End(end) => return end,
            incoming => return End::Lost(format!("{incoming:?} before the headers")),
        }
    }
    End::Clean
}

/// Brings fields into an order that every engine keeps.
pub(crate) fn normal(mut fields: Fields) -> Fields {
    // RFC 9110 §5.3: only fields of one name have an order; `http::HeaderMap` keeps no other.
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    // RFC 9113 §8.2.3: a cookie may be split into crumbs, and is joined again.
    let mut joined: Fields = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match joined.last_mut() {
            Some((last, crumbs)) if name == "cookie" && last == "cookie" => {
                crumbs.extend_from_slice(b"; ");
                crumbs.extend_from_slice(&value);
            }
            _ => joined.push((name, value)),
        }
    }
    joined
}
