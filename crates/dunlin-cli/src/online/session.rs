//! What a command that asks about a schema starts with: its arguments made sense of, a channel if one is
//! needed, and the schema's source.

use std::time::{Duration, Instant};

use clap::Args;
use dunlin_client::Channel;

use super::Channels;
use super::dial::Reach;
use super::failure::Failure;
use super::flags::{ConnectionArgs, HeaderArgs, SourceArgs};
use super::schema::Source;
use super::target::Address;

/// The flags that all commands with a schema have.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OnlineArgs {
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) headers: HeaderArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// A server, or only what files say of one.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) channel: Option<Channel>,
    pub(crate) source: Source,
    /// When all has to be over.
    pub(crate) deadline: Option<Instant>,
    /// How long certificates and keys took, if there is TLS.
    pub(crate) tls_setup: Option<Duration>,
}

impl OnlineArgs {
    /// An address and a symbol, out of what stands on the line without a flag: either may be missing where
    /// files have the schema, and a URL may hold both.
    pub(crate) fn positionals(&self, given: &[String]) -> Result<(Option<Address>, Option<String>), Failure> {
        self.source.check()?;
        let is_alone = given.len() == 1;
        let is_symbol = is_alone
            && self.source.has_files()
            && self.source.use_reflection != Some(true)
            && !self.connection.unix
            && !Address::is_likely(&given[0]);
        let (address, symbol) = match given {
            [] => (None, None),
            [symbol] if is_symbol => (None, Some(symbol.clone())),
            [address] => (Some(address), None),
            [address, symbol] => (Some(address), Some(symbol.clone())),
            _ => return Err(Failure::Usage("too many arguments; write ADDRESS SYMBOL".to_owned())),
        };
        let address = address.map(|text| Address::parse(text, self.connection.unix)).transpose()?;
        if address.is_none() && self.source.asks_server() {
            return Err(Failure::Usage(
                "no address; write host:port, or give the schema with -proto or -protoset".to_owned(),
            ));
        }
        match (address.as_ref().and_then(|address| address.symbol.clone()), symbol) {
            (Some(_), Some(symbol)) => Err(Failure::Usage(format!(
                "the address has a name behind the host already, and there is `{symbol}` too; leave out one of them"
            ))),
            (of_address, symbol) => Ok((address, of_address.or(symbol))),
        }
    }

    /// The address and the method of a call.
    pub(crate) fn call_positionals(&self, given: &[String]) -> Result<(Address, String), Failure> {
        self.source.check()?;
        let address = given.first().map(|text| Address::parse(text, self.connection.unix)).transpose()?;
        let Some(address) = address else {
            return Err(Failure::Usage("no address; write host:port pkg.Service/Method".to_owned()));
        };
        match (address.symbol.clone(), given.get(1)) {
            (Some(of_address), None) => Ok((address, of_address)),
            (None, Some(method)) if method == "list" || method == "describe" => Err(Failure::Usage(format!(
                "`{method}` is a command of its own: dunlin {method} {} ...",
                given[0]
            ))),
            (None, Some(method)) => Ok((address, method.clone())),
            (Some(_), Some(method)) => Err(Failure::Usage(format!(
                "the address has a method behind the host already, and there is `{method}` too; leave out one of them"
            ))),
            (None, None) => Err(Failure::Usage(
                "no method; write pkg.Service/Method behind the address (`dunlin list` shows services)"
                    .to_owned(),
            )),
        }
    }

    /// Reads the files with the schema, and connects if the server is asked for it.
    pub(crate) async fn start(
        &self,
        address: Option<Address>,
        channels: &Channels,
    ) -> Result<Session, Failure> {
        let address = address.filter(|_| self.source.asks_server());
        self.start_with(address, false, channels).await
    }

    /// The same, for a call: it needs the server in any case.
    pub(crate) async fn start_call(
        &self,
        address: Address,
        wait_for_ready: bool,
        channels: &Channels,
    ) -> Result<Session, Failure> {
        self.start_with(Some(address), wait_for_ready, channels).await
    }

    async fn start_with(
        &self,
        address: Option<Address>,
        wait_for_ready: bool,
        channels: &Channels,
    ) -> Result<Session, Failure> {
        let deadline =
            self.connection.max_time.filter(|time| !time.is_zero()).map(|time| Instant::now() + time);
        let headers = self.headers.for_reflection()?;
        let began = Instant::now();
        let reach = address.map(|address| self.connection.reach(address)).transpose()?;
        let tls_setup = reach.as_ref().and_then(|reach| reach.tls.as_ref()).map(|_| began.elapsed());
        let files = Source::files(&self.source)?;
        let channel = match reach {
            Some(reach) => Some(Reach { wait_for_ready, ..reach }.connect(channels).await?),
            None => None,
        };
        let asked = channel.as_ref().filter(|_| self.source.asks_server());
        let source = Source::new(files, asked, headers, deadline);
        Ok(Session { channel, source, deadline, tls_setup })
    }
}
