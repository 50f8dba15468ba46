//! What the client checks: a function for each case.

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use dunlin::client::{Client, Response};
use dunlin::{Code, Encoding, MessageOptions, Metadata, Receiver, Status};

use crate::proto::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse, TestServiceClient,
    UnimplementedServiceClient, test_service,
};
use crate::{ECHO_INITIAL, ECHO_TRAILING, bool_value, zeros};

/// Why a case failed.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A case, for a client whose channel is connected.
pub type Case = for<'c> fn(&'c TestServiceClient) -> Running<'c>;

/// A case that is running.
pub type Running<'c> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'c>>;

const CASES: &[(&str, Case)] = &[
    ("empty_unary", |client| Box::pin(empty_unary(client))),
    ("large_unary", |client| Box::pin(large_unary(client))),
    ("client_compressed_unary", |client| Box::pin(client_compressed_unary(client))),
    ("server_compressed_unary", |client| Box::pin(server_compressed_unary(client))),
    ("client_streaming", |client| Box::pin(client_streaming(client))),
    ("client_compressed_streaming", |client| Box::pin(client_compressed_streaming(client))),
    ("server_streaming", |client| Box::pin(server_streaming(client))),
    ("server_compressed_streaming", |client| Box::pin(server_compressed_streaming(client))),
    ("ping_pong", |client| Box::pin(ping_pong(client))),
    ("empty_stream", |client| Box::pin(empty_stream(client))),
    ("custom_metadata", |client| Box::pin(custom_metadata(client))),
    ("status_code_and_message", |client| Box::pin(status_code_and_message(client))),
    ("special_status_message", |client| Box::pin(special_status_message(client))),
    ("unimplemented_method", |client| Box::pin(unimplemented_method(client))),
    ("unimplemented_service", |client| Box::pin(unimplemented_service(client))),
    ("cancel_after_begin", |client| Box::pin(cancel_after_begin(client))),
    ("cancel_after_first_response", |client| Box::pin(cancel_after_first_response(client))),
    ("timeout_on_sleeping_server", |client| Box::pin(timeout_on_sleeping_server(client))),
    ("pick_first_unary", |client| Box::pin(pick_first_unary(client))),
];

/// No call may outlast this: what is known then says more than a client that is killed.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The case of this name.
pub fn find(name: &str) -> Option<Case> {
    CASES.iter().find(|(of, _)| *of == name).map(|(_, case)| *case)
}

const REQUEST_SIZE: usize = 271_828;
const RESPONSE_SIZE: usize = 314_159;

// ---------------------------------------------------------------- one request, one response

async fn empty_unary(client: &TestServiceClient) -> Result<(), Failure> {
    let response = client.empty_call(Empty::default()).response().await?;
    equal("the response's bytes", &response.info().wire_len, &0)?;
    equal("the response", response.message(), &Empty::default())
}

async fn large_unary(client: &TestServiceClient) -> Result<(), Failure> {
    let response = client.unary_call(large_request()).response().await?;
    has_large_body(&response)
}

async fn client_compressed_unary(client: &TestServiceClient) -> Result<(), Failure> {
    let request =
        |is_compressed| SimpleRequest { expect_compressed: bool_value(is_compressed), ..large_request() };
    // A server that does not look at the compression of requests is found out by this.
    ends_with(Code::InvalidArgument, client.unary_call(request(true)).await)?;
    has_large_body(&client.unary_call(request(true)).encoding(Encoding::Gzip).response().await?)?;
    has_large_body(&client.unary_call(request(false)).response().await?)
}

async fn server_compressed_unary(client: &TestServiceClient) -> Result<(), Failure> {
    for is_compressed in [true, false] {
        let request = SimpleRequest { response_compressed: bool_value(is_compressed), ..large_request() };
        let response = client.unary_call(request).response().await?;
        equal("the response's compression", &response.info().is_compressed, &is_compressed)?;
        has_large_body(&response)?;
    }
    Ok(())
}

// ---------------------------------------------------------------- streams

async fn client_streaming(client: &TestServiceClient) -> Result<(), Failure> {
    let mut upload = client.streaming_input_call().await?;
    for size in [27182, 8, 1828, 45904] {
        upload.send(input(size)).await?;
    }
    equal("aggregated_payload_size", &upload.finish().await?.aggregated_payload_size, &74922)
}

async fn client_compressed_streaming(client: &TestServiceClient) -> Result<(), Failure> {
    let request = |size, is_compressed| StreamingInputCallRequest {
        expect_compressed: bool_value(is_compressed),
        ..input(size)
    };
    // As in `client_compressed_unary`.
    let mut upload = client.streaming_input_call().await?;
    upload.send(request(27182, true)).await?;
    ends_with(Code::InvalidArgument, upload.finish().await)?;

    let mut upload = client.streaming_input_call().encoding(Encoding::Gzip).await?;
    upload.send(request(27182, true)).await?;
    upload.send_with(request(45904, false), MessageOptions::new().compress(false)).await?;
    equal("aggregated_payload_size", &upload.finish().await?.aggregated_payload_size, &73086)
}

async fn server_streaming(client: &TestServiceClient) -> Result<(), Failure> {
    let sizes = [31415, 9, 2653, 58979];
    let mut receiver = client.streaming_output_call(output(&sizes, None)).await?;
    for size in sizes {
        next_has_body(&mut receiver, size).await?;
    }
    is_over(&mut receiver).await
}

async fn server_compressed_streaming(client: &TestServiceClient) -> Result<(), Failure> {
    let wanted = [(31415, true), (92653, false)];
    let mut request = output(&wanted.map(|(size, _)| size), None);
    for (parameters, (_, is_compressed)) in request.response_parameters.iter_mut().zip(wanted) {
        parameters.compressed = bool_value(is_compressed);
    }
    let mut receiver = client.streaming_output_call(request).await?;
    for (size, is_compressed) in wanted {
        next_has_body(&mut receiver, size).await?;
        equal("the response's compression", &receiver.info().is_compressed, &is_compressed)?;
    }
    is_over(&mut receiver).await
}

async fn ping_pong(client: &TestServiceClient) -> Result<(), Failure> {
    let (mut sender, mut receiver) = client.full_duplex_call().await?;
    for (response_size, request_size) in [(31415, 27182), (9, 8), (2653, 1828), (58979, 45904)] {
        sender.send(output(&[response_size], Some(request_size))).await?;
        next_has_body(&mut receiver, response_size).await?;
    }
    sender.finish();
    is_over(&mut receiver).await
}

async fn empty_stream(client: &TestServiceClient) -> Result<(), Failure> {
    let (sender, mut receiver) = client.full_duplex_call().await?;
    sender.finish();
    is_over(&mut receiver).await
}

// ---------------------------------------------------------------- metadata and status

async fn custom_metadata(client: &TestServiceClient) -> Result<(), Failure> {
    const INITIAL: &str = "test_initial_metadata_value";
    const TRAILING: [u8; 3] = [0xab; 3];

    fn check(headers: &Metadata, trailers: &Metadata) -> Result<(), Failure> {
        let initial: Vec<&str> = headers.get_all(ECHO_INITIAL).collect();
        equal("the initial metadata", &*initial, &[INITIAL])?;
        let trailing: Vec<Vec<u8>> = trailers.get_all_bin(ECHO_TRAILING).collect();
        equal("the trailing metadata", &*trailing, &[TRAILING.to_vec()])
    }

    let call = client.unary_call(large_request());
    let call = call.metadata(ECHO_INITIAL, INITIAL).metadata_bin(ECHO_TRAILING, TRAILING);
    let response = call.response().await?;
    has_large_body(&response)?;
    check(response.headers(), response.trailers())?;

    let call = client.full_duplex_call();
    let call = call.metadata(ECHO_INITIAL, INITIAL).metadata_bin(ECHO_TRAILING, TRAILING);
    let (mut sender, mut receiver) = call.await?;
    sender.send(output(&[RESPONSE_SIZE], Some(REQUEST_SIZE))).await?;
    sender.finish();
    next_has_body(&mut receiver, RESPONSE_SIZE).await?;
    is_over(&mut receiver).await?;
    let headers = receiver.headers().await.clone();
    check(&headers, receiver.trailers())
}

async fn status_code_and_message(client: &TestServiceClient) -> Result<(), Failure> {
    const MESSAGE: &str = "test status message";
    let status = ends_with(Code::Unknown, client.unary_call(wants_status(MESSAGE)).await)?;
    equal("the status message", status.message(), MESSAGE)?;

    let (mut sender, mut receiver) = client.full_duplex_call().await?;
    let response_status = wants_status(MESSAGE).response_status;
    sender.send(StreamingOutputCallRequest { response_status, ..Default::default() }).await?;
    sender.finish();
    let status = ends_with(Code::Unknown, receiver.next().await)?;
    equal("the status message", status.message(), MESSAGE)
}

async fn special_status_message(client: &TestServiceClient) -> Result<(), Failure> {
    const MESSAGE: &str = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    let status = ends_with(Code::Unknown, client.unary_call(wants_status(MESSAGE)).await)?;
    equal("the status message", status.message(), MESSAGE)
}

async fn unimplemented_method(client: &TestServiceClient) -> Result<(), Failure> {
    ends_with(Code::Unimplemented, client.unimplemented_call(Empty::default()).await).map(drop)
}

async fn unimplemented_service(client: &TestServiceClient) -> Result<(), Failure> {
    let client = UnimplementedServiceClient::new(client.channel().clone());
    let call = client.unimplemented_call(Empty::default()).timeout(TIMEOUT);
    ends_with(Code::Unimplemented, call.await).map(drop)
}

// ---------------------------------------------------------------- calls that end early

// After each comes another call on the same channel: that one must not have suffered.

async fn cancel_after_begin(client: &TestServiceClient) -> Result<(), Failure> {
    // By hand: an upload is cancelled by dropping it, and then nobody is left to be told the code.
    let (sender, mut receiver) = Client::new(client.channel().clone())
        .bidi_streaming::<StreamingInputCallRequest, StreamingInputCallResponse>(
            test_service::STREAMING_INPUT_CALL,
        )
        .timeout(TIMEOUT)
        .await?;
    drop(sender);
    ends_with(Code::Cancelled, receiver.next().await)?;

    drop(client.streaming_input_call().await?);
    empty_unary(client).await
}

async fn cancel_after_first_response(client: &TestServiceClient) -> Result<(), Failure> {
    let (mut sender, mut receiver) = client.full_duplex_call().await?;
    sender.send(output(&[31415], Some(27182))).await?;
    next_has_body(&mut receiver, 31415).await?;
    drop(sender);
    ends_with(Code::Cancelled, receiver.next().await)?;
    empty_unary(client).await
}

async fn timeout_on_sleeping_server(client: &TestServiceClient) -> Result<(), Failure> {
    let call = async {
        let (mut sender, mut receiver) = client.full_duplex_call().timeout(Duration::from_millis(1)).await?;
        sender.send(output(&[], Some(27182))).await?;
        receiver.next().await
    };
    ends_with(Code::DeadlineExceeded, call.await)?;
    empty_unary(client).await
}

// ---------------------------------------------------------------- many calls

async fn pick_first_unary(client: &TestServiceClient) -> Result<(), Failure> {
    let mut first = None;
    for _ in 0..100 {
        let request = SimpleRequest {
            response_size: 1,
            payload: Some(zeros(1)),
            fill_server_id: true,
            ..Default::default()
        };
        let response = client.unary_call(request).await?;
        has_body(response.payload.as_ref(), 1)?;
        if response.server_id.is_empty() {
            return Err("the server has no id".into());
        }
        equal("the server", first.get_or_insert(response.server_id.clone()), &response.server_id)?;
    }
    Ok(())
}

// ---------------------------------------------------------------- requests

fn large_request() -> SimpleRequest {
    SimpleRequest {
        response_size: RESPONSE_SIZE as i32,
        payload: Some(zeros(REQUEST_SIZE)),
        ..Default::default()
    }
}

fn wants_status(message: &str) -> SimpleRequest {
    let status = EchoStatus { code: 2, message: message.into(), ..Default::default() };
    SimpleRequest { response_status: Some(status), ..Default::default() }
}

fn input(size: usize) -> StreamingInputCallRequest {
    StreamingInputCallRequest { payload: Some(zeros(size)), ..Default::default() }
}

/// Asks for responses of these sizes.
fn output(sizes: &[usize], request_size: Option<usize>) -> StreamingOutputCallRequest {
    let parameters = |&size| ResponseParameters { size: size as i32, ..Default::default() };
    StreamingOutputCallRequest {
        response_parameters: sizes.iter().map(parameters).collect(),
        payload: request_size.map(zeros),
        ..Default::default()
    }
}

// ---------------------------------------------------------------- checks

fn equal<T: PartialEq + Debug + ?Sized>(what: &str, seen: &T, wanted: &T) -> Result<(), Failure> {
    match seen == wanted {
        true => Ok(()),
        false => Err(format!("{what}: got {seen:?}, want {wanted:?}").into()),
    }
}

/// The call has to have failed with this code.
fn ends_with<T>(wanted: Code, result: Result<T, Status>) -> Result<Status, Failure> {
    match result {
        Ok(_) => Err(format!("the call succeeded; it has to end with {wanted}").into()),
        Err(status) if status.code() == wanted => Ok(status),
        Err(status) => Err(format!("the call ended with {status}; it has to end with {wanted}").into()),
    }
}

/// Nothing may follow but the status OK.
async fn is_over(receiver: &mut Receiver<StreamingOutputCallResponse>) -> Result<(), Failure> {
    match receiver.next().await? {
        None => Ok(()),
        Some(_) => Err("there are more responses than were asked for".into()),
    }
}

async fn next_has_body(
    receiver: &mut Receiver<StreamingOutputCallResponse>,
    size: usize,
) -> Result<(), Failure> {
    let response = receiver.next().await?;
    let response = response.ok_or_else(|| format!("the call is over; a response of {size} bytes is due"))?;
    has_body(response.payload.as_ref(), size)
}

fn has_large_body(response: &Response<SimpleResponse>) -> Result<(), Failure> {
    has_body(response.payload.as_ref(), RESPONSE_SIZE)
}

fn has_body(payload: Option<&Payload>, size: usize) -> Result<(), Failure> {
    let payload = payload.ok_or("the response has no payload")?;
    equal("the payload's type", &payload.r#type, &Default::default())?;
    equal("the size of the body", &payload.body.len(), &size)?;
    match payload.body.iter().all(|byte| *byte == 0) {
        true => Ok(()),
        false => Err("the body is not all zeros".into()),
    }
}
