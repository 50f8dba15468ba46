//! The four kinds of calls, and what travels with them.

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::{Channel, Encoding, Receiver, Status};

use crate::harness::{
    ADDED, CHAT, LIST, UNARY, UPLOAD, ask, code, in_process, metadata, over_tcp, soon, text,
};

#[tokio::test]
async fn a_unary_call_is_answered() {
    for (client, _) in [over_tcp().await, in_process()] {
        assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
        assert_eq!(soon(ask(&client, "yield later")).await.unwrap(), "later");
        for _ in 0..100 {
            assert_eq!(soon(ask(&client, "again")).await.unwrap(), "echo again");
        }
    }
}

#[tokio::test]
async fn metadata_goes_both_ways() {
    let (client, _) = over_tcp().await;
    let call = client.unary::<_, StringValue>(UNARY, text("metadata x-a")).metadata("x-a", "1, 2");
    let response = soon(call.response()).await.unwrap();
    assert_eq!(response.message().value, "1, 2");
    let mut headers = response.headers().clone();
    ADDED.iter().for_each(|name| headers.remove(name));
    assert_eq!(headers, metadata(&[("x-header", "1, 2")]));
    assert_eq!(response.trailers().get_bin("x-trailer-bin"), Some(b"1, 2".to_vec()));
}

#[tokio::test]
async fn tools_are_shown_the_fields_of_the_protocol_too() {
    let (client, _) = over_tcp().await;
    let channel = Channel::builder(client.channel().target().as_str()).show_protocol_fields(true);
    let shown = Client::new(channel.connect_lazy().unwrap());
    let response = soon(shown.unary::<_, StringValue>(UNARY, text("hi")).response()).await.unwrap();
    assert_eq!(response.headers().get("content-type"), Some("application/grpc"));
    assert!(
        response.headers().get("grpc-status").is_none() && response.trailers().get("grpc-status").is_none()
    );
    let status = soon(ask(&shown, "fail it")).await.unwrap_err();
    assert_eq!(
        status.metadata().get_bin("grpc-status-details-bin"),
        None,
        "a status has its details for itself"
    );
    // All others see what is the application's.
    let response = soon(client.unary::<_, StringValue>(UNARY, text("hi")).response()).await.unwrap();
    assert_eq!(response.headers().get("content-type"), None);
}

#[tokio::test]
async fn a_status_comes_with_all_that_it_has() {
    let (client, _) = over_tcp().await;
    let status = soon(ask(&client, "fail no such thing ☺")).await.unwrap_err();
    assert_eq!(status.to_string(), "NOT_FOUND: no such thing ☺");
    assert_eq!(&status.details()[..], b"\x08\x05");
    assert_eq!(status.metadata().get("x-why"), Some("because"));
}

#[tokio::test]
async fn messages_larger_than_all_windows_come_through() {
    let (client, _) = over_tcp().await;
    let size = 3 << 20;
    assert_eq!(soon(ask(&client, &format!("large {size}"))).await.unwrap().len(), size);
    assert_eq!(soon(ask(&client, &"y".repeat(size))).await.unwrap().len(), size + 5);
    let call =
        client.unary::<_, StringValue>(UNARY, text(format!("large {size}"))).max_response_size(1 << 20);
    let (found, message) = code(soon(call).await);
    assert_eq!(found, dunlin::Code::ResourceExhausted, "{message}");
    let (found, message) = code(soon(ask(&client, &"y".repeat(5 << 20))).await);
    assert_eq!(found, dunlin::Code::ResourceExhausted, "{message}");
    assert_eq!(soon(ask(&client, "still there")).await.unwrap(), "echo still there");
}

#[tokio::test]
async fn requests_and_responses_may_be_compressed() {
    let (client, _) = over_tcp().await;
    let call = |request: &str| client.unary::<_, StringValue>(UNARY, text(request));
    assert_eq!(soon(call("compressed ")).await.unwrap().value, "false");
    assert_eq!(soon(call("compressed ").encoding(Encoding::Gzip)).await.unwrap().value, "true");
    let response = soon(call("gzip 100000").response()).await.unwrap();
    assert!(response.info().is_compressed && response.info().wire_len < 1000);
    assert_eq!(response.message().value.len(), 100_000);
}

async fn all(receiver: &mut Receiver<StringValue>) -> Result<Vec<String>, Status> {
    let mut out = Vec::new();
    while let Some(message) = receiver.next().await? {
        out.push(message.value);
    }
    Ok(out)
}

#[tokio::test]
async fn a_server_sends_a_stream() {
    for (client, _) in [over_tcp().await, in_process()] {
        for (count, size) in [(0, 1), (1, 1), (1000, 100), (50, 70_000), (3, 3 << 20)] {
            let mut list: Receiver<StringValue> =
                soon(client.server_streaming(LIST, text(format!("{count} {size}")))).await.unwrap();
            let messages = soon(all(&mut list)).await.unwrap();
            assert_eq!(messages.len(), count);
            assert!(messages.iter().enumerate().all(|(number, message)| {
                message.len() == size && message.parse::<usize>() == Ok(number)
            }));
        }
        let mut list: Receiver<StringValue> =
            soon(client.server_streaming(LIST, text("2 13"))).await.unwrap();
        let status = soon(all(&mut list)).await.unwrap_err();
        assert_eq!(status.to_string(), "DATA_LOSS: thirteen");
        assert_eq!(soon(list.next()).await.unwrap_err().to_string(), "DATA_LOSS: thirteen");
    }
}

#[tokio::test]
async fn a_client_sends_a_stream() {
    for (client, _) in [over_tcp().await, in_process()] {
        for (count, size) in [(0, 1), (1, 1), (1000, 100), (50, 70_000), (2, 3 << 20)] {
            let mut upload = soon(client.client_streaming::<StringValue, StringValue>(UPLOAD)).await.unwrap();
            for _ in 0..count {
                soon(upload.send(text("z".repeat(size)))).await.unwrap();
            }
            let summary = soon(upload.finish()).await.unwrap();
            assert_eq!(summary.value, format!("{count} {}", count * size));
        }
    }
}

#[tokio::test]
async fn a_server_may_end_a_stream_that_is_still_sent() {
    let (client, _) = over_tcp().await;
    let mut upload = soon(client.client_streaming::<StringValue, StringValue>(UPLOAD)).await.unwrap();
    soon(upload.send(text("enough"))).await.unwrap();
    let status = soon(async {
        loop {
            if let Err(status) = upload.send(text("more".repeat(1000))).await {
                return status;
            }
        }
    });
    assert_eq!(status.await.to_string(), "OUT_OF_RANGE: that is enough");
    assert_eq!(soon(upload.finish()).await.unwrap_err().to_string(), "OUT_OF_RANGE: that is enough");
}

#[tokio::test]
async fn both_sides_stream_and_the_server_speaks_first() {
    for (client, _) in [over_tcp().await, in_process()] {
        let (mut sender, mut receiver) =
            soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await.unwrap();
        assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, "hello");
        for number in 0..100 {
            soon(sender.send(text(number.to_string()))).await.unwrap();
            assert_eq!(soon(receiver.next()).await.unwrap().unwrap().value, number.to_string());
        }
        sender.finish();
        assert_eq!(soon(receiver.next()).await.unwrap(), None);
    }
}
