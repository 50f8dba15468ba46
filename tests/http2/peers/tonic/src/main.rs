//! A tonic server without services, to attack: `attack-tonic ADDRESS:PORT` prints
//! `listening on ADDR`. Any path answers UNIMPLEMENTED.

use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: attack-tonic ADDRESS:PORT")?;
    let incoming = TcpIncoming::bind(address.parse()?)?;
    println!("listening on {}", incoming.local_addr()?);
    Server::builder().add_routes(Routes::default()).serve_with_incoming(incoming).await?;
    Ok(())
}
