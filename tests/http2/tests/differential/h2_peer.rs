//! The `h2` crate's side of the traits.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::DuplexStream;

use crate::follow::{Client, End, Head, Incoming, Receive, Send, normal};
use crate::script::{Exchange, Fields, Settings};

/// A client's handle to its connection.
pub(crate) struct H2Client(SendRequest<Bytes>);

pub(crate) async fn client(
    io: DuplexStream,
    settings: &Settings,
) -> Result<(H2Client, impl Future<Output = Result<(), String>> + use<>), h2::Error> {
    let (send, connection) = h2::client::Builder::new()
        .initial_window_size(settings.window)
        .initial_connection_window_size(settings.connection_window)
        .max_frame_size(settings.max_frame_size)
        .header_table_size(settings.header_table_size)
        .max_header_list_size(settings.max_header_list_size)
        .enable_push(false)
        // Before the server has said how many it takes, more could be refused (RFC 9113 §5.1.2).
        .initial_max_send_streams(1)
        .handshake(io)
        .await?;
    Ok((H2Client(send), async move { connection.await.or_else(|error| of_connection(&error)) }))
}

/// Accepts requests until the connection ends. `shutdown_after` that many it goes away.
pub(crate) async fn server(
    io: DuplexStream,
    settings: &Settings,
    shutdown_after: Option<usize>,
    mut accepted: impl FnMut(Head, H2Send, H2Receive),
) -> Result<(), String> {
    let connection = h2::server::Builder::new()
        .initial_window_size(settings.window)
        .initial_connection_window_size(settings.connection_window)
        .max_concurrent_streams(settings.max_concurrent)
        .max_frame_size(settings.max_frame_size)
        .header_table_size(settings.header_table_size)
        .max_header_list_size(settings.max_header_list_size)
        .handshake(io)
        .await;
    let mut connection = match connection {
        Ok(connection) => connection,
        Err(error) => return of_connection(&error),
    };
    let mut count = 0;
    while let Some(request) = connection.accept().await {
        let (request, respond) = match request {
            Ok(accepted) => accepted,
            Err(error) => return of_connection(&error),
        };
        count += 1;
        if Some(count) == shutdown_after {
            connection.graceful_shutdown();
        }
        let (parts, body) = request.into_parts();
        let uri = &parts.uri;
        let start = format!(
            "{} {} {} {}",
            parts.method,
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", |authority| authority.as_str()),
            uri.path_and_query().map_or("", |path| path.as_str())
        );
        let head = Head { start, fields: fields_of(&parts.headers) };
        accepted(head, H2Send { respond: Some(respond), stream: None }, H2Receive::Body(body));
    }
    Ok(())
}

/// That the transport is gone says nothing of the protocol; what it cost shows in the exchanges.
fn of_connection(error: &h2::Error) -> Result<(), String> {
    let is_fine = error.is_io() || (error.is_go_away() && error.reason() == Some(Reason::NO_ERROR));
    if is_fine { Ok(()) } else { Err(format!("h2: {error:?}")) }
}

fn end_of(error: &h2::Error) -> End {
    let code = error.reason().map_or(0, u32::from);
    match () {
        () if error.is_reset() && error.is_remote() => End::Reset(code),
        () if error.is_reset() && error.is_library() => End::Fault(code),
        () if error.is_reset() => End::Own(code),
        () if error.is_go_away() && code == 0 => End::Unprocessed,
        () => End::Lost(format!("h2: {error:?}")),
    }
}

fn map_of(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name of the script");
        map.append(name, HeaderValue::from_bytes(value).expect("a value of the script"));
    }
    map
}

fn fields_of(map: &HeaderMap) -> Fields {
    normal(map.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect())
}

fn response(status: u16, fields: &Fields) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status.try_into().expect("a status of the script");
    *response.headers_mut() = map_of(fields);
    response
}

fn head_of<T>(response: &Response<T>) -> Head {
    Head { start: response.status().as_str().to_owned(), fields: fields_of(response.headers()) }
}

impl Client for H2Client {
    type Send = H2Send;
    type Receive = H2Receive;

    async fn open(&self, exchange: &Exchange) -> Result<(H2Send, H2Receive), End> {
        let uri = format!("http://example.com{}", exchange.path);
        let mut request = Request::builder().method(exchange.method).uri(uri).body(()).expect("a request");
        *request.headers_mut() = map_of(&exchange.request_fields);
        let mut ready = self.0.clone().ready().await.map_err(|error| end_of(&error))?;
        let (response, stream) =
            ready.send_request(request, exchange.request.is_none()).map_err(|error| end_of(&error))?;
        Ok((H2Send { respond: None, stream: Some(stream) }, H2Receive::Response(response)))
    }
}

pub(crate) enum H2Receive {
    Response(ResponseFuture),
    Body(RecvStream),
    Ended(End),
}

impl Receive for H2Receive {
    async fn next(&mut self) -> Incoming {
        match self {
            Self::Response(future) => {
                let (incoming, next) = poll_fn(|cx| {
                    match future.poll_informational(cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(Ok(head))) => {
                            return Poll::Ready((Incoming::Informational(head_of(&head)), None));
                        }
                        Poll::Ready(_) => {}
                    }
                    Pin::new(&mut *future).poll(cx).map(|result| match result {
                        Ok(response) => {
                            (Incoming::Head(head_of(&response)), Some(Self::Body(response.into_body())))
                        }
                        Err(error) => (Incoming::End(end_of(&error)), None),
                    })
                })
                .await;
                if let Some(next) = next {
                    *self = next;
                }
                incoming
            }
            Self::Body(body) => match body.data().await {
                Some(Ok(data)) => {
                    let _ = body.flow_control().release_capacity(data.len());
                    Incoming::Data(data)
                }
                Some(Err(error)) => Incoming::End(end_of(&error)),
                None => match body.trailers().await {
                    Ok(Some(trailers)) => {
                        *self = Self::Ended(End::Clean);
                        Incoming::Trailers(fields_of(&trailers))
                    }
                    Ok(None) => Incoming::End(End::Clean),
                    Err(error) => Incoming::End(end_of(&error)),
                },
            },
            Self::Ended(end) => Incoming::End(end.clone()),
        }
    }
}

pub(crate) struct H2Send {
    respond: Option<SendResponse<Bytes>>,
    stream: Option<SendStream<Bytes>>,
}

// A stream that is gone takes nothing; its receiver tells why.
impl Send for H2Send {
    fn informational(&mut self, status: u16, fields: &Fields) {
        if let Some(respond) = &mut self.respond {
            let _ = respond.send_informational(response(status, fields));
        }
    }

    fn headers(&mut self, status: u16, fields: &Fields, end: bool) {
        let Some(respond) = &mut self.respond else { return };
        self.stream = respond.send_response(response(status, fields), end).ok();
    }

    async fn room(&mut self, len: usize) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        if len == 0 {
            return true;
        }
        stream.reserve_capacity(len);
        while stream.capacity() == 0 {
            if !matches!(poll_fn(|cx| stream.poll_capacity(cx)).await, Some(Ok(_))) {
                return false;
            }
        }
        true
    }

    fn data(&mut self, data: Bytes, end: bool) -> bool {
        self.stream.as_mut().is_some_and(|stream| stream.send_data(data, end).is_ok())
    }

    fn trailers(&mut self, fields: &Fields) {
        if let Some(stream) = &mut self.stream {
            let _ = stream.send_trailers(map_of(fields));
        }
    }

    fn reset(&mut self, code: u32) {
        match (&mut self.stream, &mut self.respond) {
            (Some(stream), _) => stream.send_reset(code.into()),
            (None, Some(respond)) => respond.send_reset(code.into()),
            (None, None) => {}
        }
    }

    async fn stopped(&mut self) -> End {
        let reset = match (&mut self.stream, &mut self.respond) {
            (Some(stream), _) => poll_fn(|cx| stream.poll_reset(cx)).await,
            (None, Some(respond)) => poll_fn(|cx| respond.poll_reset(cx)).await,
            (None, None) => return End::Lost("no stream".to_owned()),
        };
        reset.map_or_else(|error| end_of(&error), |code| End::Reset(code.into()))
    }
}
