//! The interop server: serves the test service until it is ended by SIGTERM or SIGINT. `--layers=true` puts
//! layers of tower-http around it.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use dunlin::Server;
use dunlin::server::{ServerTls, shutdown_signal};
use dunlin_interop::flags::Flags;
use dunlin_interop::proto::TestServiceServer;
use dunlin_interop::service::Interop;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::TraceLayer;

const FLAGS: &[&str] = &["port", "use_tls", "tls_cert_file", "tls_key_file", "layers"];

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error + Send + Sync>> {
    let flags = Flags::from_env(FLAGS)?;
    let mut server = Server::builder().add_service(TestServiceServer::new(Interop::new()));
    if flags.parsed("use_tls", false)? {
        let (certificate, key) = (flags.required("tls_cert_file")?, flags.required("tls_key_file")?);
        server = server.tls(ServerTls::from_pem_files(certificate, key)?);
    }
    if flags.parsed("layers", false)? {
        server = server
            .layer(TraceLayer::new_for_grpc())
            .layer(CorsLayer::permissive())
            .layer(CompressionLayer::new())
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(PropagateRequestIdLayer::x_request_id());
    }
    let port: u16 = flags.parsed("port", 10000)?;
    let server = server.bind(&format!("127.0.0.1:{port}")).await?;
    // Who started us reads the port from a pipe or a file, where a line may wait for others.
    println!("listening on {}", server.local_addr());
    std::io::stdout().flush()?;
    let drained = server.serve_until(shutdown_signal()).await?;
    match drained.cut_off {
        0 => Ok(()),
        calls => Err(format!("{calls} calls were cut off").into()),
    }
}
