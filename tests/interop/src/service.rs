//! What the server does.
//!
//! Everything that the interop specification asks of a server, but what needs an account or a load
//! balancer: user names, OAuth scopes, routes of grpclb, load reports.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dunlin::{Code, Encoding, MessageOptions, Receiver, ResultExt, Sender, ServerContext, Status};

use crate::proto::{
    BoolValue, EchoStatus, Empty, Payload, PayloadType, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse, TestService,
};
use crate::{ECHO_INITIAL, ECHO_TRAILING, zeros};

/// Bytes of a body at most, so that one request can not take all memory.
const MAX_BODY: usize = 64 << 20;

/// The test service.
#[derive(Debug)]
pub struct Interop {
    server_id: String,
}

impl Interop {
    /// A server with an id that no other one has.
    pub fn new() -> Self {
        Self { server_id: format!("dunlin-{}-{}", std::process::id(), now().as_nanos()) }
    }
}

impl Default for Interop {
    fn default() -> Self {
        Self::new()
    }
}

impl TestService for Interop {
    async fn empty_call(&self, cx: &mut ServerContext, _: Empty) -> Result<Empty, Status> {
        echo_metadata(cx)?;
        Ok(Empty::default())
    }

    async fn unary_call(
        &self,
        cx: &mut ServerContext,
        request: SimpleRequest,
    ) -> Result<SimpleResponse, Status> {
        echo_metadata(cx)?;
        check_compression(request.expect_compressed.as_ref(), cx.request_info().is_compressed)?;
        echo_status(request.response_status.as_ref())?;
        if is_true(request.response_compressed.as_ref()) {
            cx.set_encoding(Encoding::Gzip)?;
        }
        let mut response = SimpleResponse {
            payload: Some(body(request.response_type, request.response_size)?),
            ..Default::default()
        };
        if request.fill_server_id {
            response.server_id.clone_from(&self.server_id);
        }
        Ok(response)
    }

    async fn cacheable_unary_call(
        &self,
        cx: &mut ServerContext,
        _: SimpleRequest,
    ) -> Result<SimpleResponse, Status> {
        echo_metadata(cx)?;
        cx.insert_header("cache-control", "max-age=60, public")?;
        let payload = Payload { body: now().as_nanos().to_string().into(), ..Default::default() };
        Ok(SimpleResponse { payload: Some(payload), ..Default::default() })
    }

    async fn streaming_output_call(
        &self,
        cx: &mut ServerContext,
        request: StreamingOutputCallRequest,
        mut out: Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        begin_stream(cx)?;
        respond(cx, request, &mut out).await
    }

    async fn streaming_input_call(
        &self,
        cx: &mut ServerContext,
        mut messages: Receiver<StreamingInputCallRequest>,
    ) -> Result<StreamingInputCallResponse, Status> {
        echo_metadata(cx)?;
        let mut size = 0;
        while let Some(request) = messages.next().await? {
            check_compression(request.expect_compressed.as_ref(), messages.info().is_compressed)?;
            size += request.payload.unwrap_or_default().body.len();
        }
        let size = i32::try_from(size)
            .map_err(|_| Status::out_of_range(format!("{size} bytes are more than the response can tell")))?;
        Ok(StreamingInputCallResponse { aggregated_payload_size: size, ..Default::default() })
    }

    async fn full_duplex_call(
        &self,
        cx: &mut ServerContext,
        mut messages: Receiver<StreamingOutputCallRequest>,
        mut out: Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        begin_stream(cx)?;
        while let Some(request) = messages.next().await? {
            respond(cx, request, &mut out).await?;
        }
        Ok(())
    }

    async fn half_duplex_call(
        &self,
        cx: &mut ServerContext,
        mut messages: Receiver<StreamingOutputCallRequest>,
        mut out: Sender<StreamingOutputCallResponse>,
    ) -> Result<(), Status> {
        begin_stream(cx)?;
        let mut requests = Vec::new();
        while let Some(request) = messages.next().await? {
            requests.push(request);
        }
        for request in requests {
            respond(cx, request, &mut out).await?;
        }
        Ok(())
    }
}

/// What comes before the responses of a stream. Each of them says whether it is compressed, so the
/// stream has to have a coding.
fn begin_stream(cx: &mut ServerContext) -> Result<(), Status> {
    echo_metadata(cx)?;
    cx.set_encoding(Encoding::Gzip)
}

/// Sends the responses that a request asks for, or ends the call with the status that it asks for.
async fn respond(
    cx: &ServerContext,
    request: StreamingOutputCallRequest,
    out: &mut Sender<StreamingOutputCallResponse>,
) -> Result<(), Status> {
    echo_status(request.response_status.as_ref())?;
    for parameters in &request.response_parameters {
        pause(parameters).await;
        let mut response = StreamingOutputCallResponse {
            payload: Some(body(request.response_type, parameters.size)?),
            ..Default::default()
        };
        if is_true(parameters.fill_peer_socket_address.as_ref()) {
            response.peer_socket_address = cx.peer().peer.to_string();
        }
        let is_compressed = is_true(parameters.compressed.as_ref());
        out.send_with(response, MessageOptions::new().compress(is_compressed)).await?;
    }
    Ok(())
}

async fn pause(parameters: &ResponseParameters) {
    match u64::try_from(parameters.interval_us) {
        Ok(0) | Err(_) => {}
        Ok(micros) => tokio::time::sleep(Duration::from_micros(micros)).await,
    }
}

fn echo_metadata(cx: &mut ServerContext) -> Result<(), Status> {
    // Its metadata can be read while the context is changed.
    let call = cx.call();
    for value in call.metadata().get_all(ECHO_INITIAL) {
        cx.append_header(ECHO_INITIAL, value)?;
    }
    for value in call.metadata().get_all_bin(ECHO_TRAILING) {
        cx.trailers_mut().append_bin(ECHO_TRAILING, value).status(Code::Internal)?;
    }
    Ok(())
}

/// The status that a request asks for, as an error.
fn echo_status(wanted: Option<&EchoStatus>) -> Result<(), Status> {
    let Some(wanted) = wanted else { return Ok(()) };
    let code = u32::try_from(wanted.code).ok().and_then(Code::from_number).unwrap_or(Code::Unknown);
    match code {
        Code::Ok => Ok(()),
        code => Err(Status::new(code, wanted.message.clone())),
    }
}

fn check_compression(expected: Option<&BoolValue>, is_compressed: bool) -> Result<(), Status> {
    match expected {
        Some(expected) if expected.value != is_compressed => {
            let found = if is_compressed { "compressed" } else { "uncompressed" };
            Err(Status::invalid_argument(format!("the request came {found}")))
        }
        _ => Ok(()),
    }
}

fn body(kind: PayloadType, size: i32) -> Result<Payload, Status> {
    if kind != PayloadType::COMPRESSABLE {
        return Err(Status::invalid_argument(format!("there is no payload type {kind:?}")));
    }
    match usize::try_from(size) {
        Ok(size) if size <= MAX_BODY => Ok(zeros(size)),
        _ => Err(Status::invalid_argument(format!("a body has from 0 to {MAX_BODY} bytes, not {size}"))),
    }
}

fn is_true(value: Option<&BoolValue>) -> bool {
    value.is_some_and(|value| value.value)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
