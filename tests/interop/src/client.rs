//! The interop client: runs one case against a server; exit code 0 if all was as it has to be.

use std::process::ExitCode;

use dunlin::Channel;
use dunlin::client::tls::TrustRoots;
use dunlin::client::{CallOptions, ClientTls};
use dunlin_interop::cases::{self, Failure};
use dunlin_interop::flags::Flags;
use dunlin_interop::proto::TestServiceClient;

const FLAGS: &[&str] =
    &["server_host", "server_port", "server_host_override", "test_case", "use_tls", "use_test_ca", "ca_file"];

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("interop-client: {failure}");
            let mut cause = failure.source();
            while let Some(error) = cause {
                eprintln!("    because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let flags = Flags::from_env(FLAGS)?;
    let name = flags.text("test_case").unwrap_or("large_unary");
    let case = cases::find(name).ok_or_else(|| format!("there is no case {name}"))?;
    let client = TestServiceClient::new(connect(&flags).await?);
    case(&client.with_options(CallOptions::new().timeout(cases::TIMEOUT))).await
}

/// Connects first, so that no call has its time used up by that.
async fn connect(flags: &Flags) -> Result<Channel, Failure> {
    let host = flags.text("server_host").unwrap_or("localhost");
    let port: u16 = flags.parsed("server_port", 10000)?;
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut channel = Channel::builder(target);
    if let Some(name) = flags.text("server_host_override") {
        channel = channel.authority(name);
    }
    if flags.parsed("use_tls", false)? {
        let mut tls = ClientTls::builder();
        if flags.parsed("use_test_ca", false)? {
            tls = tls.roots(TrustRoots::from_pem_file(flags.required("ca_file")?));
        }
        channel = channel.tls(tls.build()?);
    }
    Ok(channel.connect().await?)
}
