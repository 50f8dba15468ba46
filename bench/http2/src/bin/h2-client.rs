//! A client on the `h2` crate: `h2-client ADDRESS:PORT IN_FLIGHT COUNT SIZE` sends unary calls with messages of
//! SIZE bytes on one connection, of `/canned/SIZE`.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderValue, Request};
use tokio::net::TcpStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn call(client: &mut SendRequest<Bytes>, request: Request<()>, message: Bytes) -> Result<(), Failure> {
    let (response, mut stream) = client.send_request(request, false)?;
    stream.send_data(message, true)?;
    let response = response.await?;
    if response.status() != 200 {
        return Err(format!("status {}", response.status()).into());
    }
    let mut body = response.into_body();
    while let Some(data) = body.data().await {
        let len = data?.len();
        body.flow_control().release_capacity(len)?;
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    match trailers.get("grpc-status") {
        Some(status) if status == "0" => Ok(()),
        status => Err(format!("grpc-status {status:?}").into()),
    }
}

async fn run(address: &str, in_flight: usize, count: usize, size: usize) -> Result<(), Failure> {
    let io = TcpStream::connect(address).await?;
    io.set_nodelay(true)?;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 18)
        .initial_connection_window_size(1 << 20)
        .handshake::<_, Bytes>(io)
        .await?;
    let connection = tokio::spawn(connection);
    let mut message = vec![0; size + 5];
    message[1..5].copy_from_slice(&(size as u32).to_be_bytes());
    let message = Bytes::from(message);
    let mut request = Request::post(format!("http://localhost/canned/{size}")).body(())?;
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let callers: Vec<_> = (0..in_flight)
        .map(|caller| {
            let calls = count / in_flight + usize::from(caller < count % in_flight);
            let (client, request, message) = (client.clone(), request.clone(), message.clone());
            tokio::spawn(async move {
                let mut client = client.ready().await?;
                for _ in 0..calls {
                    call(&mut client, request.clone(), message.clone()).await?;
                    client = client.ready().await?;
                }
                Ok::<(), Failure>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    drop(client);
    connection.abort();
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(arguments.first().ok_or("no address")?, number(1), number(2), number(3)))
}
