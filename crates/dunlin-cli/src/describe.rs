//! `dunlin describe`: what a name of a schema stands for, as proto source.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use dunlin_protobuf::Reflect;
use serde_json::json;

use crate::online::failure::{self, Failure};
use crate::online::flags::CallOnlyArgs;
use crate::online::output::{Printer, Style, template};
use crate::online::schema::{Element, Found};
use crate::online::session::{OnlineArgs, Session};
use crate::online::{Channels, block_on, export, symbols};
use crate::{print, source};

/// Shows services, methods, messages, fields and enums of a server as proto source.
///
/// SYMBOL is a full name, or the end of the name of a service or type; without one, all services are shown. The schema
/// comes from the server by reflection, or from files. The flags are grpcurl's, with one dash or two, anywhere on
/// the line.
#[derive(Args, Debug)]
#[command(
    args_override_self = true,
    override_usage = "dunlin describe [OPTIONS] ADDRESS [SYMBOL]\n       dunlin describe [OPTIONS] -proto FILE [SYMBOL]",
    after_help = "Examples:\n  \
        dunlin describe -plaintext localhost:50051\n  \
        dunlin describe -plaintext localhost:50051 shop.v1.Product -msg-template\n  \
        dunlin describe -proto shop.proto shop.v1.ProductService.GetProduct"
)]
pub(crate) struct DescribeArgs {
    /// The server (host:port, dns:///, unix:/path, http(s)://, grpc(s)://), and a name of its schema
    #[arg(value_names = ["ADDRESS", "SYMBOL"], num_args = 0..=2)]
    given: Vec<String>,
    /// Show messages also as a request that can be filled in
    #[arg(long)]
    msg_template: bool,
    /// How the template is written
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: Format,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    export: export::ExportArgs,
    #[command(flatten)]
    online: OnlineArgs,
    #[command(flatten)]
    unused: CallOnlyArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Text,
}

pub(crate) fn main(args: &DescribeArgs) -> ExitCode {
    failure::exit_code("describe", block_on(async |channels| run(args, channels).await), args.json)
}

async fn run(args: &DescribeArgs, channels: &Channels) -> Result<(), Failure> {
    args.unused.warn();
    let (address, symbol) = args.online.positionals(&args.given)?;
    let session = args.online.start(address, channels).await?;
    let names = match symbol {
        Some(symbol) => vec![symbol],
        None => session.source.services().await?,
    };
    if names.is_empty() && !args.json {
        print::write("Server returned an empty list of exposed services\n")?;
    }
    let mut shown = Vec::new();
    for name in &names {
        let found = symbols::any(&session.source, name).await?;
        describe(args, &session, &found).await?;
        shown.push(found.full_name);
    }
    args.export.write(&session.source, &shown).await
}

async fn describe(args: &DescribeArgs, session: &Session, found: &Found) -> Result<(), Failure> {
    let kind = found.described_kind();
    let text = source::element(found);
    let template = match (&found.element, args.msg_template) {
        (Element::Message(_), true) => template_text(args, session, found).await,
        _ => None,
    };
    if args.json {
        let object = json!({
            "name": found.full_name,
            "kind": kind.trim_start_matches("an ").trim_start_matches("a "),
            "file": found.pool.descriptors().file(found.file).path(),
            "source": text,
            "template": template,
        });
        print::write(&format!("{object}\n"))?;
        return Ok(());
    }
    let mut out = format!("{} is {kind}:\n{text}\n", found.full_name);
    if let Some(template) = template {
        out.push_str(&format!("\nMessage template:\n{template}\n"));
    }
    print::write(&out)?;
    Ok(())
}

async fn template_text(args: &DescribeArgs, session: &Session, found: &Found) -> Option<String> {
    let mut types = session.source.types(&found.pool, &[&found.full_name]).await;
    let message = template(&found.pool, &found.full_name, &types)?;
    let style = if args.format == Format::Json { Style::Pretty } else { Style::Text };
    let printer = Printer::new(&session.source, style, true);
    let message: &dyn Reflect = &message;
    printer.print(message, &mut types).await.ok()
}
