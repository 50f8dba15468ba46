//! The `h2` crate, answering the same canned bytes as our `echo`: `h2-server ADDRESS:PORT`.

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};

async fn answer(request: Request<h2::RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        let len = data?.len();
        body.flow_control().release_capacity(len)?;
    }
    let mut numbers = path.split('/').skip(2).filter_map(|part| part.parse::<usize>().ok());
    let (count, size) = match (path.starts_with("/stream/"), numbers.next(), numbers.next()) {
        (true, Some(count), Some(size)) => (count, size),
        (_, size, _) => (1, size.unwrap_or(0)),
    };
    let mut message = vec![0; size + 5];
    message[1..5].copy_from_slice(&(size as u32).to_be_bytes());
    let message = Bytes::from(message);
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut stream = respond.send_response(response, false)?;
    for _ in 0..count {
        if count > 1 {
            stream.reserve_capacity(message.len());
            while stream.capacity() < message.len() {
                if std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.is_none() {
                    return Ok(());
                }
            }
        }
        stream.send_data(message.clone(), false)?;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

async fn serve(io: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::Builder::new()
        .initial_window_size(1 << 18)
        .initial_connection_window_size(1 << 20)
        .max_concurrent_streams(256)
        .handshake::<_, Bytes>(io)
        .await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        tokio::spawn(async move { drop(answer(request, respond).await) });
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            let (io, _) = listener.accept().await?;
            io.set_nodelay(true)?;
            tokio::spawn(async move { drop(serve(io).await) });
        }
    })
}
