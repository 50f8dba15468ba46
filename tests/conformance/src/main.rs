//! Answers the requests of the Protocol Buffers conformance runner:
//! `conformance-testee generated|view|dynamic`.
//!
//! The argument says what messages are read into: generated types; views, which are written from
//! again by reflection (JSON and text input still goes through generated types); or dynamic
//! messages made from descriptors.

mod testee;

use std::io::{self, Read, Write};

use dunlin_protobuf::Message;
use testee::{Mode, Testee};

/// The generated types of the suite's schemas.
#[allow(missing_docs)]
pub mod schemas {
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

use schemas::conformance::ConformanceRequest;

fn main() -> io::Result<()> {
    let mode = match std::env::args().nth(1).as_deref() {
        Some("generated") => Mode::Generated,
        Some("view") => Mode::View,
        Some("dynamic") => Mode::Dynamic,
        _ => {
            eprintln!("usage: conformance-testee generated|view|dynamic");
            std::process::exit(2);
        }
    };
    let testee = Testee::new(mode);
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut len = [0; 4];
    while input.read_exact(&mut len).is_ok() {
        let mut request = vec![0; u32::from_le_bytes(len) as usize];
        input.read_exact(&mut request)?;
        let request = ConformanceRequest::decode(&request).map_err(io::Error::other)?;
        let response = testee.answer(&request).encode_to_vec();
        output.write_all(&(response.len() as u32).to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
    Ok(())
}
