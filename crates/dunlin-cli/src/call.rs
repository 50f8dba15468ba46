//! `dunlin call`: calls a method whose schema is learned on the spot.

mod exchange;
mod report;
mod status;

use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use dunlin_client::{CallOptions, Client};
use dunlin_grpc::Encoding;
use tokio::sync::Mutex;

use crate::online::failure::{self, Failure};
use crate::online::output::{Printer, Style};
use crate::online::requests::{Format, Requests, Setting};
use crate::online::session::OnlineArgs;
use crate::online::{Channels, block_on, export, symbols};
use crate::source;
use report::{Report, Shape, Times};

/// Calls a method: one request or a stream of them, one response or a stream of them.
///
/// METHOD is pkg.Service/Method or pkg.Service.Method; an end of it is enough where only one method has it.
/// The schema comes from the server by reflection, or from files. The flags are grpcurl's, with one dash or two,
/// anywhere on the line. Responses are printed as they come.
#[derive(Args, Debug)]
#[command(
    visible_alias = "curl",
    args_override_self = true,
    override_usage = "dunlin call [OPTIONS] ADDRESS METHOD\n       dunlin call [OPTIONS] URL",
    after_help = "Examples:\n  \
        dunlin call -plaintext localhost:50051 shop.v1.ProductService/GetProduct -d '{\"id\": \"p-1\"}'\n  \
        dunlin call grpc://localhost:50051/shop.v1.ProductService/ListProducts --json\n  \
        cat products.json | dunlin call -plaintext localhost:50051 BulkCreateProducts -d @\n  \
        dunlin call -H 'authorization: Bearer ${TOKEN}' -expand-headers shop.example:443 ProductService/GetProduct\n\n\
        Exit codes: 0 ok, 1 could not call, 2 usage, 64 + N the call ended with status N, 130 interrupted."
)]
pub(crate) struct CallArgs {
    /// The server (host:port, dns:///, unix:/path), and the method; or one URL with both
    #[arg(value_names = ["ADDRESS", "METHOD"], num_args = 1..=2, required = true)]
    given: Vec<String>,
    /// The requests: JSON values one behind the other, `@` for standard input, `@FILE` for a file
    #[arg(short = 'd', long = "data", alias = "d", value_name = "DATA", allow_hyphen_values = true)]
    data: Option<String>,
    /// Set a field of the requests: a.b[0]=VALUE, or a=@FILE for the content of a file
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = Setting::parse)]
    set: Vec<Setting>,
    /// How requests and responses are written; text has U+001E between messages
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: WireFormat,
    /// Skip what is in requests and the type does not have
    #[arg(long)]
    allow_unknown_fields: bool,
    /// Print fields also where they have their default
    #[arg(long)]
    emit_defaults: bool,
    /// Print the error of a call as google.rpc.Status, in -format
    #[arg(long)]
    format_error: bool,
    /// Print what else there is: the method, metadata, trailers; twice: sizes and times
    #[arg(short = 'v', long, alias = "v", action = clap::ArgAction::Count)]
    verbose: u8,
    /// How responses are printed, if not as -format says
    #[arg(long, value_name = "FORMAT")]
    output_format: Option<OutputFormat>,
    /// Print one JSON object per line: messages, and the end with headers, trailers, status and times
    #[arg(long)]
    json: bool,
    /// Compress requests with gzip
    #[arg(long)]
    gzip: bool,
    /// Wait for the server to be there, until -connect-timeout
    #[arg(long)]
    wait_for_ready: bool,
    #[command(flatten)]
    export: export::ExportArgs,
    #[command(flatten)]
    online: OnlineArgs,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WireFormat {
    Json,
    Text,
}

/// How responses are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutputFormat {
    /// JSON on many lines
    Pretty,
    /// JSON, one message to a line
    Ndjson,
    /// Text format
    Text,
    /// Bytes; in streams each message behind its length as a varint
    Binpb,
    /// As --json
    Json,
}

pub(crate) fn main(args: &CallArgs) -> ExitCode {
    failure::exit_code(
        "call",
        block_on(async |channels| until_interrupted(args, channels).await),
        args.is_json(),
    )
}

async fn until_interrupted(args: &CallArgs, channels: &Channels) -> Result<(), Failure> {
    tokio::select! {
        result = run(args, channels) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    }
}

impl CallArgs {
    fn is_json(&self) -> bool {
        self.json || self.output_format == Some(OutputFormat::Json)
    }

    fn shape(&self) -> Shape {
        match self.output_format {
            _ if self.is_json() => Shape::Objects,
            Some(OutputFormat::Binpb) => Shape::Binary,
            _ => Shape::Messages,
        }
    }

    fn style(&self) -> Style {
        match (self.output_format, self.format) {
            _ if self.is_json() => Style::Line,
            (Some(OutputFormat::Ndjson), _) => Style::Line,
            (Some(OutputFormat::Pretty), _) => Style::Pretty,
            (Some(OutputFormat::Text), _) | (_, WireFormat::Text) => Style::Text,
            _ => Style::Pretty,
        }
    }

    fn check(&self) -> Result<(), Failure> {
        if self.emit_defaults && self.style() == Style::Text {
            crate::print::complain("warning: -emit-defaults is for JSON; text has no defaults");
        }
        if self.online.source.use_reflection == Some(false) && !self.online.source.has_files() {
            return self.online.source.check();
        }
        Ok(())
    }
}

async fn run(args: &CallArgs, channels: &Channels) -> Result<(), Failure> {
    let began = Instant::now();
    args.check()?;
    let (address, method) = args.online.call_positionals(&args.given)?;
    let metadata = args.online.headers.for_calls()?;
    let mut session = args.online.start_call(address, args.wait_for_ready, channels).await?;
    let connected = began.elapsed();
    let Some(channel) = session.channel.take() else {
        return Err(Failure::Usage("no address; write host:port".to_owned()));
    };
    let source = &session.source;
    let (schema, method) = symbols::method(source, &method).await?;
    let pool = schema.pool().clone();
    let names = [method.request_type().full_name(), method.response_type().full_name()];
    let types = Mutex::new(source.types(&pool, &names).await);
    let format = match args.format {
        WireFormat::Json => Format::Json,
        WireFormat::Text => Format::Text,
    };
    let printer = Printer::new(source, args.style(), args.emit_defaults);
    let path = method.method().path();
    let times = Times { began, tls_setup: session.tls_setup, connected };
    let mut report = Report::new(args.shape(), args.verbose, printer, path, times);
    report.method(|| source::method(&pool, path))?;
    report.request_metadata(&metadata)?;
    let names = [method.method().service().to_owned()];
    args.export.write(source, &names).await?;

    let is_stream = !method.kind().has_one_request();
    let data = args.data.as_deref();
    let is_asked = is_stream && args.set.is_empty();
    let requests = Requests::new(data, format, args.allow_unknown_fields, is_asked)?.set(&args.set, data)?;
    let mut options = CallOptions::new().extend_metadata(&metadata).wait_for_ready(args.wait_for_ready);
    if let Some(bytes) = args.online.connection.max_msg_sz {
        options = options.max_response_size(bytes);
    }
    if let Some(deadline) = session.deadline {
        options = options.deadline(deadline);
    }
    if args.gzip {
        options = options.encoding(Encoding::Gzip);
    }
    let client = Client::new(channel).with_options(options);
    let exchange = exchange::Exchange { client, method: &method, source, types: &types };
    let ended = exchange.run(requests, &mut report).await?;
    report.end(&ended, args.format_error, &types).await?;
    match ended.result {
        Ok(()) => Ok(()),
        Err(status) => Err(Failure::Rpc(status)),
    }
}
