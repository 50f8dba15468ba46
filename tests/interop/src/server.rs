//! The interop server: serves the test service until it is ended by SIGTERM or SIGINT.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use dunlin::Server;
use dunlin::server::{ServerTls, shutdown_signal};
use dunlin_interop::flags::Flags;
use dunlin_interop::proto::TestServiceServer;
use dunlin_interop::service::Interop;

const FLAGS: &[&str] = &["port", "use_tls", "tls_cert_file", "tls_key_file"];

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
