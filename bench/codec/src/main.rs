//! Times protobuf codecs beside each other on the same bytes, in one run.
//!
//! The question is how long one operation on one message takes with each peer. Held constant: the
//! input bytes, the compiler and its flags, the allocator. Peers take turns in short batches, so
//! that a slow moment of the machine meets all of them. Compare the ratios, not the times.
//!
//! `run` beside this crate builds and starts it, and says how to call it.

mod allocations;
#[cfg(feature = "peers")]
mod buffa;
mod case;
mod data;
mod dunlin;
mod measure;
mod prost;
#[cfg(feature = "peers")]
mod serde;
#[cfg(feature = "peers")]
mod upb;

use std::error::Error;

use case::Case;
use data::Data;

/// The peers in the order of the columns.
const PEERS: [&str; 6] = [dunlin::PEER, dunlin::SHARED, prost::PEER, BUFFA, UPB, "serde"];
const BUFFA: &str = "buffa";
const UPB: &str = "upb";

enum Mode {
    Times { rounds: usize },
    Allocations,
    Table,
    Once { case: [String; 3], iterations: u64 },
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mode, filters) = arguments(std::env::args().skip(1))?;
    let data = Data::new();
    let mut cases = cases(&data);
    cases.retain(|case| filters.is_empty() || filters.iter().any(|filter| case.matches(filter)));
    match mode {
        Mode::Times { rounds } => measure::times(cases, rounds),
        Mode::Allocations => allocations::print(cases),
        Mode::Table => measure::formats(dunlin::formats(&data), 41),
        Mode::Once { case: [peer, message, operation], iterations } => {
            let wanted = format!("{peer}/{message}/{operation}");
            let case = cases.iter_mut().find(|case| case.matches(&wanted));
            (case.ok_or("there is no such case")?.run)(iterations);
        }
    }
    Ok(())
}

fn cases(data: &Data) -> Vec<Case> {
    let mut cases = dunlin::cases(data);
    cases.extend(prost::cases(data));
    #[cfg(feature = "peers")]
    {
        cases.extend(buffa::cases(data));
        cases.extend(upb::cases(data));
        cases.extend(serde::cases(data));
    }
    cases
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<(Mode, Vec<String>), Box<dyn Error>> {
    let mut mode = Mode::Times { rounds: 21 };
    let mut filters = Vec::new();
    while let Some(word) = words.next() {
        let mut next = |what| words.next().ok_or_else(|| format!("{word} lacks its {what}"));
        match word.as_str() {
            "--rounds" => mode = Mode::Times { rounds: next("number")?.parse::<usize>()?.max(1) },
            "--allocations" => mode = Mode::Allocations,
            "--table" => mode = Mode::Table,
            "--once" => {
                let case = [next("peer")?, next("message")?, next("operation")?];
                mode = Mode::Once { case, iterations: next("number of iterations")?.parse()? };
            }
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}").into()),
            _ => filters.push(word),
        }
    }
    Ok((mode, filters))
}
