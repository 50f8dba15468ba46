//! `--encode`, `--decode` and `--decode_raw`: one message from standard input to standard output.

use std::io::{Read, Write};
use std::sync::Arc;

use dunlin_compiler::Compilation;
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::{DecodeErrorKind, DecodeOptions, EncodeOptions, Message, Reflect, Registry, text, wkt};

use super::Failure;
use super::arguments::{Arguments, Transcode};
use crate::print::complain;

const MALFORMED: &str = "Failed to parse input.";

pub(super) fn decode_raw() -> Result<(), Failure> {
    let message = wkt::Empty::decode(&read()?).map_err(|_| MALFORMED)?;
    let options = text::EncodeOptions::new().print_unknown_fields(true).ascii(true);
    write(options.to_string(&message).as_bytes())
}

pub(super) fn run(
    compilation: Compilation,
    transcode: &Transcode,
    arguments: &Arguments,
) -> Result<(), Failure> {
    let (Transcode::Encode(name) | Transcode::Decode(name)) = transcode else { return decode_raw() };
    let pool = DynamicPool::new(compilation.into_pool());
    let table = pool.message(name).ok_or_else(|| format!("Type not defined: {name}"))?;
    let mut message = DynamicMessage::new(table);
    let mut registry = Registry::new();
    let input = read()?;
    if let Transcode::Encode(_) = transcode {
        registry.add_pool(pool);
        let options = text::DecodeOptions::new().registry(&registry).partial();
        options.merge_bytes(&mut message, &input).map_err(|error| format!("input:{error}\n{MALFORMED}"))?;
        let mut options = EncodeOptions::new();
        if arguments.deterministic_output {
            options = options.deterministic();
        }
        let bytes = options.encode_to_vec(&message);
        warn_of_missing_fields(&message, &bytes);
        return write(&bytes);
    }
    DecodeOptions::new().partial().merge_into(&mut message, &input).map_err(|_| MALFORMED)?;
    warn_of_missing_fields(&message, &input);
    // protoc prints extensions by name but leaves an `Any` closed. With the types of the pool at
    // hand, the printer would open it; so it gets them only if there are extensions to name.
    if has_extensions(&pool, name) {
        registry.add_pool(pool);
    }
    let options = text::EncodeOptions::new().registry(&registry).print_unknown_fields(true).ascii(true);
    write(options.to_string(&message).as_bytes())
}

/// True if extensions could be in a message of this type; those of options are only in descriptors.
fn has_extensions(pool: &Arc<DynamicPool>, name: &str) -> bool {
    let is_descriptor = |name: &str| name.starts_with("google.protobuf.");
    pool.descriptors().files().flat_map(|file| file.fields().collect::<Vec<_>>()).any(|field| {
        field.is_extension()
            && field
                .containing_message()
                .is_some_and(|of| is_descriptor(name) || !is_descriptor(&of.full_name()))
    })
}

fn warn_of_missing_fields(message: &DynamicMessage, bytes: &[u8]) {
    let Err(error) = DynamicMessage::decode(message.table(), bytes) else { return };
    if let DecodeErrorKind::MissingRequired(fields) = error.kind() {
        complain(&format!("warning:  Input message is missing required fields:  {}", fields.join(", ")));
    }
}

fn read() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match std::io::stdin().lock().read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("cannot read standard input: {error}")),
    }
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot write to standard output: {error}"))
}
