//! The wire format itself, with what its values could mean.

use std::fmt::Write;

use dunlin_protobuf::wire::{Reader, Tag, WireError, WireType};

/// Length-delimited fields in one another are tried as messages to this depth.
const MAX_DEPTH: usize = 32;
/// Longer bytes are cut in the output.
const SHOWN_BYTES: usize = 64;

/// Prints the fields of a message, one to a line, with the offset of each; returns the fault that
/// ended it, if one did.
pub(super) fn print(bytes: &[u8], out: &mut String) -> Option<WireError> {
    fields(Reader::new(bytes), 0, out).err()
}

fn fields(mut reader: Reader<'_>, depth: usize, out: &mut String) -> Result<(), WireError> {
    loop {
        let offset = reader.offset();
        let Some(tag) = reader.tag()? else { return Ok(()) };
        // Writing to a string does not fail.
        let _ = write!(out, "{offset:6}  {:indent$}{}: ", "", tag.number, indent = depth * 2);
        if let Err(error) = value(&mut reader, tag, depth, out) {
            out.push_str("(cut off)\n");
            return Err(error);
        }
    }
}

fn value(reader: &mut Reader<'_>, tag: Tag, depth: usize, out: &mut String) -> Result<(), WireError> {
    let _ = match tag.wire_type {
        WireType::Varint => {
            let value = reader.varint()?;
            writeln!(out, "varint {value}{}", varint_guesses(value))
        }
        WireType::I32 => {
            let value = reader.fixed32()?;
            let float = f32::from_bits(value);
            writeln!(out, "i32 {value:#010x}  # int {}, float {float:?}", value as i32)
        }
        WireType::I64 => {
            let value = reader.fixed64()?;
            let double = f64::from_bits(value);
            writeln!(out, "i64 {value:#018x}  # int {}, double {double:?}", value as i64)
        }
        WireType::Len => {
            // The readers of messages count the offset from the start of all.
            let mut ahead = reader.clone();
            let inner = ahead.message();
            let bytes = reader.bytes()?;
            let nested = inner.ok().filter(|_| !bytes.is_empty() && depth < MAX_DEPTH);
            let nested = nested.and_then(|inner| {
                let mut text = String::new();
                fields(inner, depth + 1, &mut text).ok().map(|()| text)
            });
            let text = printable(bytes);
            match (nested, text) {
                // Short text often reads as a message too; text that looks like text is text.
                (_, Some(text)) if !bytes.is_empty() => writeln!(out, "len {} {text:?}", bytes.len()),
                (Some(nested), _) => write!(out, "len {} message\n{nested}", bytes.len()),
                _ => {
                    let shown: String =
                        bytes.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
                    let more = if bytes.len() > SHOWN_BYTES { ".." } else { "" };
                    writeln!(out, "len {} {shown}{more}{}", bytes.len(), packed_guess(bytes))
                }
            }
        }
        WireType::StartGroup => {
            let inner = reader.group(tag.number)?;
            out.push_str("group\n");
            if depth < MAX_DEPTH {
                fields(inner, depth + 1, out)?;
            }
            Ok(())
        }
        WireType::EndGroup => writeln!(out, "end of a group that was not opened"),
    };
    Ok(())
}

fn varint_guesses(value: u64) -> String {
    let zigzag = (value >> 1) as i64 ^ -((value & 1) as i64);
    let signed = value as i64;
    let mut guesses = Vec::new();
    if signed < 0 {
        guesses.push(format!("int {signed}"));
    }
    if zigzag < 0 {
        guesses.push(format!("sint {zigzag}"));
    }
    if guesses.is_empty() { String::new() } else { format!("  # {}", guesses.join(", ")) }
}

/// Bytes as text, if they look like it.
fn printable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')).then_some(text)
}

/// Numbers in one run, if the bytes are all varints.
fn packed_guess(bytes: &[u8]) -> String {
    let mut reader = Reader::new(bytes);
    let mut values = Vec::new();
    while !reader.rest().is_empty() {
        match reader.varint() {
            Ok(value) => values.push(value.to_string()),
            Err(_) => return String::new(),
        }
    }
    if values.is_empty() || values.len() > SHOWN_BYTES {
        return String::new();
    }
    format!("  # packed {}", values.join(" "))
}
