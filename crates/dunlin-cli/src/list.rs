//! `dunlin list`: what a server offers.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use dunlin_grpc::dynamic::{MethodDescriptor, Schema};
use serde_json::json;

use crate::online::failure::{self, Failure};
use crate::online::flags::CallOnlyArgs;
use crate::online::session::{OnlineArgs, Session};
use crate::online::{Channels, block_on, export, symbols};

/// Lists the services of a server, or the methods of a service.
///
/// The schema comes from the server by reflection, or from files. The flags are grpcurl's, with one dash or
/// two, anywhere on the line.
#[derive(Args, Debug)]
#[command(
    args_override_self = true,
    override_usage = "dunlin list [OPTIONS] ADDRESS [SERVICE]\n       dunlin list [OPTIONS] -proto FILE [SERVICE]",
    after_help = "Examples:\n  \
        dunlin list -plaintext localhost:50051\n  \
        dunlin list -plaintext localhost:50051 shop.v1.ProductService\n  \
        dunlin list --tree grpc://localhost:50051\n  \
        dunlin list -proto shop.proto"
)]
pub(crate) struct ListArgs {
    /// The server (host:port, dns:///, unix:/path, http(s)://, grpc(s)://), and a service
    #[arg(value_names = ["ADDRESS", "SERVICE"], num_args = 0..=2)]
    given: Vec<String>,
    /// Print services with their methods, and what these take and give
    #[arg(long)]
    tree: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    #[arg(long, hide = true, value_parser = ["json", "text"])]
    format: Option<String>,
    #[arg(long, hide = true)]
    msg_template: bool,
    #[command(flatten)]
    export: export::ExportArgs,
    #[command(flatten)]
    online: OnlineArgs,
    #[command(flatten)]
    unused: CallOnlyArgs,
}

pub(crate) fn main(args: &ListArgs) -> ExitCode {
    failure::exit_code("list", block_on(async |channels| run(args, channels).await), args.json)
}

async fn run(args: &ListArgs, channels: &Channels) -> Result<(), Failure> {
    args.unused.warn();
    let (address, service) = args.online.positionals(&args.given)?;
    let session = args.online.start(address, channels).await?;
    match service {
        Some(service) => methods(args, &session, &service).await,
        None => services(args, &session).await,
    }
}

async fn services(args: &ListArgs, session: &Session) -> Result<(), Failure> {
    let names = session.source.services().await?;
    let mut out = String::new();
    if args.tree || args.json {
        for name in &names {
            let found = symbols::service(&session.source, name).await?;
            let methods = methods_of(&Schema::new(found.pool.clone()), name);
            print_service(args, name, &methods, &mut out);
        }
    } else if names.is_empty() {
        out.push_str("(No services)\n");
    } else {
        names.iter().for_each(|name| out.push_str(&format!("{name}\n")));
    }
    crate::print::write(&out)?;
    args.export.write(&session.source, &names).await
}

async fn methods(args: &ListArgs, session: &Session, service: &str) -> Result<(), Failure> {
    let found = symbols::service(&session.source, service).await?;
    let methods = methods_of(&Schema::new(found.pool.clone()), &found.full_name);
    let mut out = String::new();
    if args.tree || args.json {
        print_service(args, &found.full_name, &methods, &mut out);
    } else if methods.is_empty() {
        out.push_str("(No methods)\n");
    } else {
        let mut names: Vec<String> = methods
            .iter()
            .map(|method| method.method().path().trim_start_matches('/').replace('/', "."))
            .collect();
        names.sort();
        names.iter().for_each(|name| out.push_str(&format!("{name}\n")));
    }
    crate::print::write(&out)?;
    args.export.write(&session.source, &[found.full_name]).await
}

fn methods_of(schema: &Schema, service: &str) -> Vec<MethodDescriptor> {
    schema.methods().filter(|method| method.method().service() == service).collect()
}

fn print_service(args: &ListArgs, name: &str, methods: &[MethodDescriptor], out: &mut String) {
    let kind =
        |method: &MethodDescriptor| (!method.kind().has_one_request(), !method.kind().has_one_response());
    if args.json {
        let methods: Vec<_> = methods
            .iter()
            .map(|method| {
                let (client, server) = kind(method);
                json!({
                    "name": method.method().name(),
                    "path": method.method().path(),
                    "request": method.request_type().full_name(),
                    "response": method.response_type().full_name(),
                    "clientStreaming": client,
                    "serverStreaming": server,
                })
            })
            .collect();
        let _ = writeln!(out, "{}", json!({ "service": name, "methods": methods }));
        return;
    }
    let _ = writeln!(out, "{name}");
    for (index, method) in methods.iter().enumerate() {
        let branch = if index + 1 == methods.len() { "└──" } else { "├──" };
        let stream = |streams: bool| if streams { "stream " } else { "" };
        let (client, server) = kind(method);
        let _ = writeln!(
            out,
            "{branch} {}({}{}) -> {}{}",
            method.method().name(),
            stream(client),
            method.request_type().full_name(),
            stream(server),
            method.response_type().full_name()
        );
    }
}
