//! `dunlin convert`, `dunlin encode` and `dunlin decode`: messages from one format to another.

mod guess;
mod messages;
mod raw;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use dunlin_compiler::DescriptorOptions;
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::table::TableRef;

use crate::build::{Failure, SchemaArgs, exit_code};
use crate::payload::{Format, Location};
use messages::{Codec, Unknown};

/// Converts messages between binary, JSON, text and framed streams.
///
/// Formats are binpb, json, txtpb, yaml, hex, base64, delimited (a stream, each message behind its length)
/// and grpc (a stream of gRPC frames). They follow from the file name or are said behind `#`:
/// `-#format=json`; else binary becomes JSON. Streams may also be JSON values one behind the other,
/// documents of YAML, or text with U+001E between messages.
#[derive(Args, Debug)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    messages: MessageArgs,
}

/// Encodes text or JSON to binary.
///
/// What begins with `{` is read as JSON, all else as text format.
#[derive(Args, Debug)]
pub(crate) struct EncodeArgs {
    #[command(flatten)]
    messages: MessageArgs,
}

#[derive(Args, Debug)]
struct MessageArgs {
    /// The schema: folder, .proto file, or descriptor set
    #[arg(default_value = ".")]
    input: String,
    /// The message type, by its full name or the end of it
    #[arg(long = "type", value_name = "NAME")]
    type_name: String,
    /// The messages to read
    #[arg(long, value_name = "FILE[#format]", default_value = "-")]
    from: String,
    /// Where to write them
    #[arg(long, value_name = "FILE[#format]", default_value = "-")]
    to: String,
    /// Skip fields in JSON, YAML and text that the type does not have
    #[arg(long)]
    ignore_unknown: bool,
    /// Write nothing unless the messages keep the rules of their schema (protovalidate)
    #[arg(long)]
    validate: bool,
    #[command(flatten)]
    schema: SchemaArgs,
}

/// Decodes binary to text for people.
///
/// Fields that the type does not have are printed by their numbers. Without a schema, `--raw` prints
/// the fields as they are on the wire, with what they could mean; with a schema but no idea of the
/// type, `--guess` ranks the types.
#[derive(Args, Debug)]
pub(crate) struct DecodeArgs {
    /// The schema: folder, .proto file, or descriptor set
    #[arg(default_value = ".")]
    input: String,
    /// The message type, by its full name or the end of it
    #[arg(long = "type", value_name = "NAME", required_unless_present_any = ["raw", "guess"])]
    type_name: Option<String>,
    /// The messages to read; binary unless it says otherwise
    #[arg(long, value_name = "FILE[#format]", default_value = "-")]
    from: String,
    /// Where to write them; text unless it says otherwise
    #[arg(long, value_name = "FILE[#format]", default_value = "-")]
    to: String,
    /// Print the wire format itself; needs no schema
    #[arg(long, conflicts_with_all = ["type_name", "guess"])]
    raw: bool,
    /// Rank the types of the schema by how well they fit
    #[arg(long, conflicts_with = "type_name")]
    guess: bool,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn convert(args: &ConvertArgs) -> ExitCode {
    args.messages.convert(Format::Binary, Format::Json)
}

pub(crate) fn encode(args: &EncodeArgs) -> ExitCode {
    args.messages.convert(Format::Text, Format::Binary)
}

impl MessageArgs {
    /// The formats are those of locations that say none.
    fn convert(&self, from: Format, to: Format) -> ExitCode {
        let run = Run {
            from: (&self.from, from),
            to: (&self.to, to),
            ignore_unknown: self.ignore_unknown,
            validate: self.validate,
            unknown: Unknown::Warn,
            schema: &self.schema,
            input: &self.input,
        };
        exit_code(run.run(&self.type_name), self.schema.error_format())
    }
}

pub(crate) fn decode(args: &DecodeArgs) -> ExitCode {
    let result = match &args.type_name {
        Some(type_name) => Run {
            from: (&args.from, Format::Binary),
            to: (&args.to, Format::Text),
            ignore_unknown: false,
            validate: false,
            unknown: Unknown::Print,
            schema: &args.schema,
            input: &args.input,
        }
        .run(type_name),
        None if args.raw => print_raw(args),
        None => print_guesses(args),
    };
    exit_code(result, args.schema.error_format())
}

struct Run<'a> {
    /// The location, and its format if it says none.
    from: (&'a str, Format),
    to: (&'a str, Format),
    ignore_unknown: bool,
    validate: bool,
    unknown: Unknown,
    schema: &'a SchemaArgs,
    input: &'a str,
}

impl Run<'_> {
    fn run(&self, type_name: &str) -> Result<(), Failure> {
        let from = Location::parse(self.from.0)?;
        let to = Location::parse(self.to.0)?;
        only_one_reads_standard_input(self.input, &from)?;
        let pool = if self.validate {
            pool_with_rules(self.schema, self.input)?
        } else {
            pool(self.schema, self.input)?
        };
        let table = find_type(&pool, type_name)?;
        let codec = Codec::new(pool, table, self.ignore_unknown);
        let bytes = from.read()?;
        let format = match (from.format, self.from.1) {
            (Some(format), _) => format,
            // No text format begins like this.
            (None, Format::Text) if bytes.trim_ascii_start().starts_with(b"{") => Format::Json,
            (None, format) => format,
        };
        let messages = codec.read(&bytes, format, from.shown())?;
        if self.validate {
            codec.validate(&messages, from.shown())?;
        }
        let format = to.format.unwrap_or(self.to.1);
        let out = codec.write(&messages, &to, format, self.unknown)?;
        let loses = matches!(format, Format::Json | Format::Yaml)
            || format == Format::Text && self.unknown == Unknown::Warn;
        let lost: usize = messages.iter().filter(|_| loses).map(|message| codec.unknown_bytes(message)).sum();
        if lost > 0 {
            self.schema
                .warn(&format!("{lost} bytes of unknown fields of {} are left out", codec.type_name()));
        }
        to.write(&out)
    }
}

fn print_raw(args: &DecodeArgs) -> Result<(), Failure> {
    let from = Location::parse(&args.from)?;
    let to = Location::parse(&args.to)?;
    let bytes = from.read()?;
    let messages = messages::split(&bytes, from.format.unwrap_or(Format::Binary), from.shown())?;
    let mut out = String::new();
    let mut fault = None;
    for (index, message) in messages.iter().enumerate() {
        if messages.len() > 1 {
            out.push_str(&format!("message {}, {} bytes\n", index + 1, message.len()));
        }
        fault = fault.or(raw::print(message, &mut out));
    }
    to.write(out.as_bytes())?;
    match fault {
        None => Ok(()),
        Some(error) => Err(Failure::Other(format!("decode: {}: {error}", from.shown()))),
    }
}

fn print_guesses(args: &DecodeArgs) -> Result<(), Failure> {
    let from = Location::parse(&args.from)?;
    let to = Location::parse(&args.to)?;
    only_one_reads_standard_input(&args.input, &from)?;
    let pool = pool(&args.schema, &args.input)?;
    let bytes = from.read()?;
    let messages = messages::split(&bytes, from.format.unwrap_or(Format::Binary), from.shown())?;
    let ranking = guess::rank(&pool, &messages);
    if ranking.is_empty() {
        return Err(Failure::Other(format!("decode: {}: no type of the schema fits", from.shown())));
    }
    to.write(guess::table(&ranking).as_bytes())
}

fn only_one_reads_standard_input(input: &str, from: &Location) -> Result<(), Failure> {
    let is_standard = input == "-" || input.starts_with("-#") || input.starts_with('#');
    if is_standard && from.is_standard() {
        return Err(Failure::Other(
            "the schema and the messages cannot both come from standard input; name a file with --from"
                .into(),
        ));
    }
    Ok(())
}

fn pool(schema: &SchemaArgs, input: &str) -> Result<Arc<DynamicPool>, Failure> {
    Ok(DynamicPool::new(schema.compile(input, false)?.into_pool()))
}

/// Rules are options, which what was compiled keeps in its descriptors only.
fn pool_with_rules(schema: &SchemaArgs, input: &str) -> Result<Arc<DynamicPool>, Failure> {
    let compilation = schema.compile(input, false)?;
    let options =
        DescriptorOptions { include_imports: true, retain_options: true, include_source_info: false };
    DynamicPool::from_file_descriptor_set(compilation.file_descriptor_set(options))
        .map_err(|errors| Failure::Other(format!("schema: {errors}")))
}

/// The type with this name, or the only one whose name ends so.
pub(crate) fn find_type(pool: &Arc<DynamicPool>, name: &str) -> Result<TableRef, Failure> {
    let name = name.trim_start_matches('.');
    if let Some(table) = pool.message(name) {
        return Ok(table);
    }
    let ending = format!(".{name}");
    let all: Vec<TableRef> = pool.messages().collect();
    let mut found: Vec<&TableRef> = all.iter().filter(|table| table.full_name().ends_with(&ending)).collect();
    match (found.pop(), found.is_empty()) {
        (Some(table), true) => return Ok(table.clone()),
        (Some(last), false) => {
            let mut names: Vec<&str> = found.iter().map(|table| table.full_name()).collect();
            names.push(last.full_name());
            return Err(Failure::Other(format!("schema: type `{name}` could be {}", names.join(" or "))));
        }
        (None, _) => {}
    }
    // Another case or another package is the usual mistake.
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_close = |full: &str| full.rsplit('.').next().is_some_and(|other| other.eq_ignore_ascii_case(last));
    let close = all.iter().map(|table| table.full_name()).find(|full| is_close(full));
    let hint = close.map(|full| format!("; did you mean `{full}`?")).unwrap_or_default();
    Err(Failure::Other(format!("schema: there is no message type `{name}`{hint}")))
}
