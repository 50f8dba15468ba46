//! Encoded messages, changed by fields, so that the lengths around a change stay right.

use dunlin_protobuf::wire::{Reader, WireType, write};

use super::Random;

/// Names and values that descriptors give a meaning to.
const TEXTS: &[&str] = &[
    "",
    "a",
    "b",
    "a.b",
    ".a.b",
    ".",
    "M",
    ".M",
    ".a.M",
    "proto2",
    "proto3",
    "editions",
    "a.proto",
    "b.proto",
    "google/protobuf/descriptor.proto",
    "google.protobuf",
    "FileOptions",
    ".google.protobuf.FieldOptions",
    "1",
    "-1",
    "inf",
    "nan",
    "true",
    "key",
    "value",
    "MEntry",
    "m",
    "x_y",
    "xY",
    "\u{e9}",
];

const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    3,
    4,
    5,
    8,
    9,
    10,
    11,
    14,
    15,
    17,
    18,
    99,
    998,
    999,
    1000,
    1001,
    1002,
    9999,
    18_999,
    19_000,
    50_000,
    536_870_911,
    536_870_912,
    0x7fff_fffe,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
    u64::MAX << 31,
];

/// A field, taken apart as far as it looks like a message.
#[derive(Clone)]
struct Field {
    number: u32,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Varint(u64),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
    /// Tag and all.
    Raw(Vec<u8>),
}

/// A changed message of at most `max` bytes, or nothing if the engine should change it itself.
pub fn wire(input: &[u8], max: usize, seed: u32) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    if random.one_in(4) {
        return None;
    }
    let mut fields = parse(input, 0)?;
    for _ in 0..1 + random.below(4) {
        change(&mut fields, max, &mut random);
    }
    let mut out = Vec::new();
    encode(&fields, &mut out);
    (out != input && out.len() <= max).then_some(out)
}

fn parse(bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut reader = Reader::new(bytes);
    let mut fields = Vec::new();
    loop {
        let start = reader.position();
        let Some(tag) = reader.tag().ok()? else { return Some(fields) };
        let value = match tag.wire_type {
            WireType::Varint => Value::Varint(reader.varint().ok()?),
            WireType::Len => {
                let bytes = reader.bytes().ok()?;
                // Text often looks like a message; what is plain ASCII is taken for text.
                let is_text = bytes.iter().all(|b| (0x20..0x7f).contains(b));
                match parse(bytes, depth + 1) {
                    Some(fields) if depth < 40 && !is_text => Value::Message(fields),
                    _ => Value::Bytes(bytes.to_vec()),
                }
            }
            _ => {
                reader.skip(tag).ok()?;
                Value::Raw(reader.slice(start, reader.position()).to_vec())
            }
        };
        fields.push(Field { number: tag.number, value });
    }
}

fn encode(fields: &[Field], out: &mut Vec<u8>) {
    for field in fields {
        match &field.value {
            Value::Varint(value) => write::varint_field(field.number, *value, out),
            Value::Bytes(bytes) => write::len_field(field.number, bytes, out),
            Value::Message(fields) => {
                let mut inner = Vec::new();
                encode(fields, &mut inner);
                write::len_field(field.number, &inner, out);
            }
            Value::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

fn change(fields: &mut Vec<Field>, max: usize, random: &mut Random) {
    let donor = {
        let list = descend(fields, random);
        (!list.is_empty()).then(|| random.pick(list).clone())
    };
    let list = descend(fields, random);
    let at = random.below(list.len() + 1);
    match random.below(8) {
        0 if at < list.len() => drop(list.remove(at)),
        1 if at < list.len() => {
            let copy = list[at].clone();
            let mut size = Vec::new();
            encode(std::slice::from_ref(&copy), &mut size);
            let room = (max / 2) / (size.len() + 1);
            let times = random.copies(room);
            list.splice(at..at, std::iter::repeat_n(copy, times));
        }
        2 if at + 1 < list.len() => list.swap(at, at + 1),
        3 => {
            let number = 1 + random.below(20) as u32;
            let value = match random.below(3) {
                0 => Value::Varint(*random.pick(NUMBERS)),
                1 => Value::Bytes(random.pick(TEXTS).as_bytes().to_vec()),
                _ => Value::Message(Vec::new()),
            };
            list.insert(at, Field { number, value });
        }
        4 => {
            if let Some(donor) = donor {
                list.insert(at, donor);
            }
        }
        5 if at < list.len() => {
            // A level more.
            let inner = list.remove(at);
            let number = if random.one_in(2) { inner.number } else { 3 };
            list.insert(at, Field { number, value: Value::Message(vec![inner]) });
        }
        _ if at < list.len() => {
            let by_donor = random.one_in(2);
            match (&mut list[at].value, donor.map(|d| d.value)) {
                (value @ Value::Bytes(_), Some(Value::Bytes(bytes))) if by_donor => {
                    *value = Value::Bytes(bytes)
                }
                (Value::Varint(value), Some(Value::Varint(other))) if by_donor => *value = other,
                (Value::Varint(value), _) if random.one_in(2) => *value = value.wrapping_add(1),
                (Value::Varint(value), _) => *value = *random.pick(NUMBERS),
                (Value::Bytes(bytes), _) => *bytes = random.pick(TEXTS).as_bytes().to_vec(),
                _ => list[at].number = 1 + random.below(20) as u32,
            }
        }
        _ => {}
    }
}

/// Some message in there, deeper ones as likely as shallow ones.
fn descend<'f>(mut fields: &'f mut Vec<Field>, random: &mut Random) -> &'f mut Vec<Field> {
    loop {
        let inner: Vec<usize> =
            (0..fields.len()).filter(|&at| matches!(fields[at].value, Value::Message(_))).collect();
        if inner.is_empty() || random.one_in(5) {
            return fields;
        }
        let at = *random.pick(&inner);
        let Value::Message(next) = &mut fields[at].value else { unreachable!("filtered above") };
        fields = next;
    }
}
