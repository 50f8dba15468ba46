//! `dunlin health`: whether the services of a server can be used. Does what grpc_health_probe does with its
//! flags, and ends with its exit codes.

mod check;
mod outcome;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use dunlin_client::{CallOptions, Client};
use dunlin_grpc::{Encoding, Metadata};
use dunlin_services::HealthClient;

use crate::online::dial::{Cure, Reach};
use crate::online::failure::Failure;
use crate::online::flags::TlsFiles;
use crate::online::target::{Address, Security};
use crate::online::times;
use crate::online::{Channels, block_on};
use outcome::{Ended, Output};

pub(crate) use outcome::ARGUMENTS;

/// Asks a server whether its services can be used.
///
/// The flags are those of grpc_health_probe, with one dash or two, anywhere on the line; without -tls it
/// is clear text. A state is told on standard error, as the probe does; more than one, and those of --list,
/// --watch and --json, are on standard output, a line each.
#[derive(Args, Debug)]
#[command(
    args_override_self = true,
    after_help = "Exit codes: 0 serving, 1 arguments, 2 no connection, 3 the call failed, 4 not serving.\n\n\
        Examples:\n  \
        dunlin health localhost:50051\n  \
        dunlin health localhost:50051 shop.v1.ProductService shop.v1.OrderService\n  \
        dunlin health -addr=localhost:50051 -service=shop.v1.OrderService -connect-timeout 250ms\n  \
        dunlin health --wait 30s localhost:50051 && cargo test\n  \
        dunlin health --list --json localhost:50051"
)]
pub(crate) struct HealthArgs {
    /// The server (host:port, dns:///, unix:/path, grpcs://), and services; the server itself if there are none
    #[arg(value_names = ["ADDRESS", "SERVICE"], num_args = 0..)]
    given: Vec<String>,
    /// The server; what else is on the line are services then
    #[arg(long, value_name = "ADDRESS")]
    addr: Option<String>,
    /// A service
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    service: Vec<String>,
    /// Ask for the states of all services
    #[arg(long, conflicts_with_all = ["service", "watch"])]
    list: bool,
    /// Tell every change of a state, until it is interrupted
    #[arg(long, conflicts_with = "wait")]
    watch: bool,
    /// Try again until all are serving, for so long at most
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    wait: Option<Duration>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Say how long it took
    #[arg(short, long)]
    verbose: bool,

    /// How long connecting may take
    #[arg(long, value_name = "TIME", value_parser = positive, default_value = "1s", help_heading = "Connection")]
    connect_timeout: Duration,
    /// How long a call may take
    #[arg(long, value_name = "TIME", value_parser = positive, default_value = "1s", help_heading = "Connection")]
    rpc_timeout: Duration,
    /// A header `name: value` of calls
    #[arg(long, value_name = "HEADER", action = clap::ArgAction::Append, help_heading = "Connection")]
    rpc_header: Vec<String>,
    /// What comes first in the header `user-agent`
    #[arg(long, value_name = "TEXT", help_heading = "Connection")]
    user_agent: Option<String>,
    /// Compress requests by gzip
    #[arg(long, help_heading = "Connection")]
    gzip: bool,

    /// Use TLS
    #[arg(long, help_heading = "TLS")]
    tls: bool,
    /// Use no TLS, which is so without -tls, too: for fingers that know the other commands
    #[arg(long, conflicts_with = "tls", help_heading = "TLS")]
    plaintext: bool,
    /// Take any certificate of the server; whoever is on the way can read along
    #[arg(long, conflicts_with_all = ["tls_ca_cert", "tls_server_name"], help_heading = "TLS")]
    tls_no_verify: bool,
    /// Trust the roots in this PEM file instead of those of the system
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    tls_ca_cert: Option<String>,
    /// The certificate to show to the server, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_client_key", help_heading = "TLS")]
    tls_client_cert: Option<String>,
    /// The private key of -tls-client-cert, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_client_cert", help_heading = "TLS")]
    tls_client_key: Option<String>,
    /// The name that the server's certificate must have
    #[arg(long, value_name = "NAME", help_heading = "TLS")]
    tls_server_name: Option<String>,
}

fn positive(text: &str) -> Result<Duration, String> {
    match times::parse(text)? {
        Duration::ZERO => Err("the time must be greater than zero".to_owned()),
        time => Ok(time),
    }
}

pub(crate) fn main(args: &HealthArgs) -> ExitCode {
    let output = Output { as_json: args.json, is_verbose: args.verbose };
    output.exit_code(block_on(async |channels| run(args, output, channels).await))
}

async fn run(args: &HealthArgs, output: Output, channels: &Channels) -> Result<(), Ended> {
    let (address, services) = args.positionals()?;
    let probe = Probe {
        channels,
        reach: args.reach(&address)?,
        options: args.options()?,
        rpc_timeout: args.rpc_timeout,
    };
    if args.watch {
        return watch::watch(&probe, &services, output).await;
    }
    let asked = if args.list { check::Asked::All } else { check::Asked::Services(&services) };
    check::check(&probe, asked, args.wait, output).await
}

/// How the server is asked.
#[derive(Debug)]
struct Probe<'c> {
    channels: &'c Channels,
    reach: Reach,
    options: CallOptions,
    rpc_timeout: Duration,
}

impl Probe<'_> {
    async fn client(&self) -> Result<HealthClient, Ended> {
        let channel = self.reach.connect(self.channels).await.map_err(|failure| match failure {
            Failure::Local(stage, message) => Ended::Connection(stage, message),
            failure => failure.into(),
        })?;
        let client = Client::new(channel).with_options(self.options.clone());
        Ok(HealthClient::new(client).timeout(self.rpc_timeout))
    }
}

impl HealthArgs {
    /// The address, and the services to ask for.
    fn positionals(&self) -> Result<(String, Vec<String>), Ended> {
        let mut given = self.given.iter().cloned();
        let Some(address) = self.addr.clone().or_else(|| given.next()) else {
            return Err(Ended::Arguments(
                "no address; write `dunlin health ADDRESS`, with host:port".to_owned(),
            ));
        };
        let mut services: Vec<String> = self.service.iter().cloned().chain(given).collect();
        if self.list && !services.is_empty() {
            return Err(Ended::Arguments("--list is for all services; leave out their names".to_owned()));
        }
        if services.is_empty() {
            services.push(String::new());
        }
        Ok((address, services))
    }

    fn reach(&self, address: &str) -> Result<Reach, Ended> {
        let address = Address::parse(address, false)?;
        let is_tls = match address.security {
            Some(Security::Plaintext) if self.tls => {
                return Err(Ended::Arguments(
                    "the address says clear text, and -tls says TLS; leave out one of them".to_owned(),
                ));
            }
            Some(security) => security == Security::Tls,
            None => self.tls && !self.plaintext,
        };
        if address.symbol.is_some() {
            return Err(Ended::Arguments("behind the host of the address nothing may follow".to_owned()));
        }
        let of_tls = [
            ("-tls-no-verify", self.tls_no_verify),
            ("-tls-ca-cert", self.tls_ca_cert.is_some()),
            ("-tls-client-cert", self.tls_client_cert.is_some()),
            ("-tls-server-name", self.tls_server_name.is_some()),
        ];
        if let Some((flag, _)) = of_tls.iter().find(|(_, is_given)| *is_given && !is_tls) {
            return Err(Ended::Arguments(format!("{flag} is for TLS; add -tls")));
        }
        let files = TlsFiles {
            accept_any: self.tls_no_verify,
            roots: self.tls_ca_cert.as_deref(),
            identity: self.tls_client_cert.as_deref().zip(self.tls_client_key.as_deref()),
            server_name: self.tls_server_name.as_deref(),
        };
        Ok(Reach {
            address,
            tls: is_tls.then(|| files.build()).transpose()?,
            authority: None,
            user_agent: self.user_agent.clone(),
            connect_timeout: self.connect_timeout,
            keepalive: None,
            // It may just be being started.
            wait_for_ready: true,
            cure: Cure {
                to_plaintext: "leave out -tls",
                to_tls: "add -tls",
                to_trust: "trust its issuer with -tls-ca-cert FILE, give the name in it with -tls-server-name, or skip the check with -tls-no-verify",
                to_identify: "if it wants to know who asks, give -tls-client-cert FILE and -tls-client-key FILE that it trusts",
            },
        })
    }

    fn options(&self) -> Result<CallOptions, Ended> {
        let mut metadata = Metadata::new();
        for header in &self.rpc_header {
            let Some((name, value)) = header.split_once(':') else {
                return Err(Ended::Arguments(format!(
                    "-rpc-header '{header}': write -rpc-header 'name: value'"
                )));
            };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim_start());
            let added = match name.ends_with("-bin") {
                true => metadata.append_bin(&name, value),
                false => metadata.append(&name, value),
            };
            added.map_err(|error| Ended::Arguments(format!("-rpc-header '{header}': {error}")))?;
        }
        let options = CallOptions::new().extend_metadata(&metadata);
        Ok(if self.gzip { options.encoding(Encoding::Gzip) } else { options })
    }
}

/// Arguments and files that are not what they should be.
impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Usage(message) => Self::Arguments(message),
            Failure::Local(stage, message) => Self::Arguments(format!("{stage}: {message}")),
            Failure::ClosedPipe => Self::ClosedPipe,
            Failure::Rpc(_) | Failure::Told | Failure::Interrupted => Self::Told(ARGUMENTS),
        }
    }
}
