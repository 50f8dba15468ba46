//! The flags of all online commands, under grpcurl's names.

use std::time::Duration;

use clap::Args;
use dunlin_client::ClientTls;
use dunlin_grpc::causes;
use dunlin_transport::tls::{Identity, TrustRoots};

use super::dial::{Cure, Reach};
use super::failure::{Failure, Stage};
use super::target::{Address, Security};
use super::times;

/// How the server is reached.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// No TLS: HTTP/2 in clear text
    #[arg(long)]
    pub(crate) plaintext: bool,
    /// TLS, but take any certificate of the server; whoever is on the way can read along
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Trust the roots in this PEM file instead of those of the system
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<String>,
    /// The certificate to show to the server, as PEM; with -key
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<String>,
    /// The private key of -cert, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<String>,
    /// What the server is called by (`:authority`), and the name its certificate must have
    #[arg(long, value_name = "NAME")]
    pub(crate) authority: Option<String>,
    /// The name that the server's certificate must have; -authority is better
    #[arg(long, value_name = "NAME")]
    pub(crate) servername: Option<String>,
    /// The address is the path of a unix socket
    #[arg(long)]
    pub(crate) unix: bool,
    /// How long connecting may take
    #[arg(long, value_name = "TIME", value_parser = times::parse, default_value = "10", allow_negative_numbers = true)]
    pub(crate) connect_timeout: Duration,
    /// How long all of it may take, the call included
    #[arg(long, value_name = "TIME", value_parser = times::parse, allow_negative_numbers = true)]
    pub(crate) max_time: Option<Duration>,
    /// Send a PING after so long a silence; 10 s at least
    #[arg(long, value_name = "TIME", value_parser = times::parse, allow_negative_numbers = true)]
    pub(crate) keepalive_time: Option<Duration>,
    /// Bytes of a response message at most [default: 4194304]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    pub(crate) max_msg_sz: Option<usize>,
    /// What comes first in the header `user-agent`
    #[arg(long, value_name = "TEXT")]
    pub(crate) user_agent: Option<String>,
    // Known by name, so that whoever brings a line of grpcurl's hears what is the matter.
    #[arg(long, hide = true)]
    pub(crate) alts: bool,
    #[arg(long, hide = true, value_name = "ADDRESS")]
    pub(crate) alts_handshaker_service: Option<String>,
    #[arg(long, hide = true, value_name = "ACCOUNT")]
    pub(crate) alts_target_service_account: Vec<String>,
}

impl ConnectionArgs {
    /// How this server is reached, by its address and these flags; a scheme counts more than flags.
    pub(crate) fn reach(&self, address: Address) -> Result<Reach, Failure> {
        let usage = |message: &str| Err(Failure::Usage(message.to_owned()));
        if self.alts || self.alts_handshaker_service.is_some() || !self.alts_target_service_account.is_empty()
        {
            return usage(
                "ALTS, which works within Google Cloud alone, is not supported; leave out -alts, and TLS is used",
            );
        }
        let is_plain = match address.security {
            Some(Security::Tls) if self.plaintext => {
                return usage("the address says TLS, and -plaintext says none; leave out one of them");
            }
            Some(security) => security == Security::Plaintext,
            None => self.plaintext,
        };
        if is_plain && self.insecure {
            return usage("-insecure is for TLS, and there is none; leave it out, or -plaintext");
        }
        if is_plain && (self.cert.is_some() || self.key.is_some()) {
            return usage("-cert and -key are for TLS, and there is none; leave them out, or -plaintext");
        }
        if self.cert.is_some() != self.key.is_some() {
            return usage("-cert and -key go together; give both");
        }
        if self.max_msg_sz == Some(0) {
            return usage("-max-msg-sz 0 lets no message through; leave it out for 4 MiB");
        }
        let mut authority = self.authority.clone();
        let mut tls = None;
        if !is_plain {
            match (&self.authority, &self.servername) {
                (Some(authority), Some(name)) if authority != name => {
                    return usage(
                        "-authority and -servername say different names; -authority alone is enough",
                    );
                }
                (None, Some(name)) => authority = Some(name.clone()),
                _ => {}
            }
            let files = TlsFiles {
                accept_any: self.insecure,
                roots: self.cacert.as_deref(),
                identity: self.cert.as_deref().zip(self.key.as_deref()),
                server_name: None,
            };
            tls = Some(files.build()?);
        }
        Ok(Reach {
            address,
            tls,
            authority,
            user_agent: self.user_agent.clone(),
            // No time at all is how grpcurl says that none was given.
            connect_timeout: match self.connect_timeout {
                Duration::ZERO => Duration::from_secs(10),
                time => time,
            },
            keepalive: self.keepalive_time,
            wait_for_ready: false,
            cure: Cure {
                to_plaintext: "add -plaintext",
                to_tls: "leave out -plaintext, or write https:// instead of http://",
                to_trust: "trust its issuer with -cacert FILE, give the name in it with -authority, or skip the check with -insecure",
                to_identify: "if it wants to know who calls, give -cert FILE and -key FILE that it trusts",
            },
        })
    }
}

/// What TLS is made of, as files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TlsFiles<'a> {
    /// Any certificate of the server will do.
    pub(crate) accept_any: bool,
    /// Trusted roots; those of the system by default.
    pub(crate) roots: Option<&'a str>,
    /// Our certificate and its key.
    pub(crate) identity: Option<(&'a str, &'a str)>,
    /// The name that the server has to have, if not that of the address.
    pub(crate) server_name: Option<&'a str>,
}

impl TlsFiles<'_> {
    /// Reads the files. The environment variable `SSLKEYLOGFILE` is honoured.
    pub(crate) fn build(&self) -> Result<ClientTls, Failure> {
        let mut builder = ClientTls::builder().key_log(std::env::var_os("SSLKEYLOGFILE").is_some());
        if self.accept_any {
            builder = builder.danger_accept_any_certificate(true);
        } else if let Some(file) = self.roots {
            builder = builder.roots(TrustRoots::from_pem_file(file));
        }
        if let Some((certificate, key)) = self.identity {
            builder = builder.identity(Identity::from_pem_files(certificate, key));
        }
        if let Some(name) = self.server_name {
            builder = builder.server_name(name);
        }
        builder.build().map_err(|error| Failure::local(Stage::Tls, causes(&error)))
    }
}

/// Metadata of calls.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Headers")]
pub(crate) struct HeaderArgs {
    /// A header `name: value`, or `@FILE` with one a line; for the call and for reflection
    #[arg(short = 'H', long = "header", alias = "H", value_name = "HEADER", allow_hyphen_values = true)]
    pub(crate) header: Vec<String>,
    /// A header for the call alone
    #[arg(long, value_name = "HEADER")]
    pub(crate) rpc_header: Vec<String>,
    /// A header for reflection alone
    #[arg(long, value_name = "HEADER")]
    pub(crate) reflect_header: Vec<String>,
    /// Replace `${NAME}` in headers by environment variables
    #[arg(long)]
    pub(crate) expand_headers: bool,
}

/// Flags of calls that grpcurl takes with `list` and `describe` too, where they mean nothing.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CallOnlyArgs {
    #[arg(short = 'd', long = "data", alias = "d", hide = true, allow_hyphen_values = true)]
    data: Option<String>,
    #[arg(short = 'v', long, alias = "v", hide = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[arg(long, hide = true)]
    allow_unknown_fields: bool,
    #[arg(long, hide = true)]
    emit_defaults: bool,
    #[arg(long, hide = true)]
    format_error: bool,
}

impl CallOnlyArgs {
    /// Says so, where somebody may have meant something.
    pub(crate) fn warn(&self) {
        if self.data.is_some() {
            crate::print::complain("warning: -d is for `dunlin call`, and not used here");
        }
    }
}

/// Where the schema comes from.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Schema")]
pub(crate) struct SourceArgs {
    /// A .proto file with the schema, instead of asking the server
    #[arg(long, value_name = "FILE")]
    pub(crate) proto: Vec<String>,
    /// A folder in which -proto files are searched, and imports
    #[arg(long, value_name = "FOLDER")]
    pub(crate) import_path: Vec<String>,
    /// A descriptor set with the schema, instead of asking the server
    #[arg(long, value_name = "FILE")]
    pub(crate) protoset: Vec<String>,
    /// The schema as `dunlin build` takes it: a folder with or without buf.yaml, a file, a descriptor set
    #[arg(long, value_name = "INPUT")]
    pub(crate) schema: Vec<String>,
    /// Ask the server (reflection v1, then v1alpha), also if there are files; `=false` never does
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = super::boolean
    )]
    pub(crate) use_reflection: Option<bool>,
}

impl SourceArgs {
    /// Whether a schema is given that needs no server.
    pub(crate) fn has_files(&self) -> bool {
        !(self.proto.is_empty() && self.protoset.is_empty() && self.schema.is_empty())
    }

    /// Whether the server is asked.
    pub(crate) fn asks_server(&self) -> bool {
        self.use_reflection.unwrap_or(!self.has_files())
    }

    /// What contradicts itself.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if !self.protoset.is_empty() && !self.proto.is_empty() {
            return Err(Failure::Usage("give either -protoset or -proto, not both".to_owned()));
        }
        if !self.has_files() && !self.asks_server() {
            return Err(Failure::Usage(
                "-use-reflection=false leaves no schema; give -proto, -protoset or --schema".to_owned(),
            ));
        }
        Ok(())
    }
}
