//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// A shop: services with a database, to be called by any gRPC client.
///
/// Without any flags it listens on 127.0.0.1:50051, keeps its state in the folder `shop-data`, and begins with
/// a few thousand products. Exit codes: 0 ended as asked, 1 something failed, 2 the command line is wrong.
#[derive(Clone, Debug, Parser)]
#[command(name = "shop", version, max_term_width = 100)]
pub struct Config {
    /// The address to listen on: HOST:PORT or unix:PATH. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50051")]
    pub listen: String,

    /// A second address that answers health checks only, in clear text and without a token.
    #[arg(long, value_name = "ADDRESS")]
    pub probe_listen: Option<String>,

    /// The folder for the database and for files.
    #[arg(long, value_name = "FOLDER", default_value = "shop-data", global = true)]
    pub data: PathBuf,

    /// Keeps everything in memory; it is gone at the end.
    #[arg(long, conflicts_with = "data")]
    pub memory: bool,

    /// How many products an empty shop begins with.
    #[arg(long, value_name = "NUMBER", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub seed: u32,

    /// The tokens of callers: a file with a line `TOKEN ROLE NAME` for each, where ROLE is `customer` or
    /// `admin`. Without it there are two that everybody knows, on addresses of this machine only.
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,

    /// Serves TLS, with this certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Lets in only clients with a certificate that these vouch for (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,

    /// Calls per second of one caller, or of one address without a token; 0 for any number.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub rate_limit: u32,

    /// The largest file that is taken, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    pub max_upload: u32,

    /// How long the market takes to tell a price, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub market_latency: u64,

    /// How long calls may go on at the end, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub grace: u64,

    /// What is logged, to standard error: `info` has a line for each call.
    #[arg(long, value_name = "LEVEL", default_value = "info", global = true)]
    pub log: LogLevel,

    /// Something else than to serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Something else than to serve.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Checks the books of a shop that is closed or open: whether stock and money are where they should be.
    Audit,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What went wrong here.
    Error,
    /// What may become trouble, too.
    Warn,
    /// A line for each call, too.
    Info,
    /// What happens in between, too.
    Debug,
}

impl From<LogLevel> for tracing_subscriber::filter::LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

impl Config {
    /// That of a command line; ends the process if it is wrong.
    pub fn from_args() -> Self {
        Self::parse()
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.data.join("shop.db")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Config::command().debug_assert();
        let parse = |line: &str| Config::try_parse_from(line.split(' '));
        assert!(parse("shop --tls-cert a").is_err());
        assert!(parse("shop --memory --data x").is_err());
        assert_eq!(parse("shop audit --data x").unwrap().database(), PathBuf::from("x/shop.db"));
        assert!(parse("shop --memory").unwrap().memory);
    }
}
