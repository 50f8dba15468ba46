//! Interleaved rounds and their table.

use std::time::{Duration, Instant};

use crate::case::Case;
use crate::{PEERS, dunlin};

/// How long a peer's turn lasts: long beside the clock's steps, short beside the machine's moods.
const TURN: Duration = Duration::from_millis(3);

/// Ours, and what each is compared with; `best` is the fastest peer that is not ours.
const OURS: [&str; 2] = [dunlin::PEER, dunlin::SHARED];
const RIVALS: [&str; 3] = ["best", crate::prost::PEER, crate::BUFFA];

/// The cases that stand beside each other: one operation on one message.
pub struct Row {
    pub name: String,
    pub cases: Vec<Case>,
}

/// The cases by message and operation, in the order in which these first appear.
pub fn rows(cases: Vec<Case>) -> Vec<Row> {
    let messages = first_appearances(&cases, |case| case.message);
    let operations = first_appearances(&cases, |case| case.operation);
    let mut rows: Vec<Row> = Vec::new();
    for message in messages {
        for operation in &operations {
            rows.push(Row { name: format!("{message}/{operation}"), cases: Vec::new() });
        }
    }
    for case in cases {
        let name = format!("{}/{}", case.message, case.operation);
        let row = rows.iter_mut().find(|row| row.name == name).expect("there is a row for every name");
        row.cases.push(case);
    }
    rows.retain(|row| !row.cases.is_empty());
    rows
}

fn first_appearances(cases: &[Case], name: impl Fn(&Case) -> &'static str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for case in cases {
        if !names.contains(&name(case)) {
            names.push(name(case));
        }
    }
    names
}

/// The heads of a table's columns.
pub fn columns(names: &[&str], width: usize) -> String {
    names.iter().map(|name| format!("{name:>width$}")).collect()
}

/// Prints the median time per operation in nanoseconds, and ours as a multiple of the others': the
/// median and the quartiles of the rounds' ratios.
pub fn times(cases: Vec<Case>, rounds: usize) {
    let ours: Vec<&str> =
        OURS.into_iter().filter(|ours| cases.iter().any(|case| case.peer == *ours)).collect();
    println!("median nanoseconds per operation, {rounds} rounds");
    let heads: Vec<String> =
        ours.iter().flat_map(|ours| RIVALS.map(|rival| format!("{ours}/{rival}"))).collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    println!("{:26}{}{}", "", columns(&PEERS, 10), columns(&heads, 20));
    for mut row in rows(cases) {
        let times = measure(&mut row.cases, rounds);
        print!("{:26}", row.name);
        let of = |peer: &str| Some(&times[row.cases.iter().position(|case| case.peer == peer)?]);
        for peer in PEERS {
            print!("{:>10}", of(peer).map_or("-".to_owned(), |times| format!("{:.0}", median(times))));
        }
        let others = row.cases.iter().zip(&times).filter(|(case, _)| !OURS.contains(&case.peer));
        let best = others.map(|(_, times)| times).min_by(|a, b| median(a).total_cmp(&median(b)));
        for ours in &ours {
            for rival in RIVALS {
                let theirs = if rival == "best" { best } else { of(rival) };
                let both = of(ours).zip(theirs);
                print!("{:>20}", both.map_or("-".to_owned(), |(ours, theirs)| ratio(ours, theirs)));
            }
        }
        println!();
    }
}

/// Prints binary beside JSON for one small message and one of a kilobyte: what is on the wire, the
/// time, and the memory asked for. The formats take turns.
pub fn formats(mut cases: Vec<(usize, Case)>, rounds: usize) {
    cases.sort_by_key(|(_, case)| (case.message, case.operation.trim_start_matches("json_")));
    println!(
        "median nanoseconds per operation, {rounds} rounds; calls of alloc and realloc, bytes asked for"
    );
    println!("{:10}{:10}{:>8}{}", "", "", "", columns(&["binary", "JSON", "JSON/binary"], 20));
    // Binary and JSON of one operation stand behind each other.
    while cases.len() >= 2 {
        let mut pair: Vec<(usize, Case)> = cases.drain(..2).collect();
        pair.sort_by_key(|(_, case)| case.operation.starts_with("json_"));
        let (sizes, mut pair): (Vec<usize>, Vec<Case>) = pair.into_iter().unzip();
        let times = measure(&mut pair, rounds);
        let memory: Vec<(u64, u64)> = pair.iter_mut().map(crate::allocations::count).collect();
        let line = |what: &str, values: [String; 3]| {
            let values = values.each_ref().map(String::as_str);
            println!("{:10}{:10}{what:>8}{}", pair[0].message, pair[0].operation, columns(&values, 20));
        };
        let part = |a: f64, b: f64| format!("{:.2}", b / a);
        let (binary, json) = (median(&times[0]), median(&times[1]));
        line("ns", [format!("{binary:.0}"), format!("{json:.0}"), ratio(&times[1], &times[0])]);
        let wire = part(sizes[0] as f64, sizes[1] as f64);
        line("bytes", [sizes[0].to_string(), sizes[1].to_string(), wire]);
        let shown = |(calls, bytes): (u64, u64)| format!("{calls}, {bytes}");
        let calls = part(memory[0].0 as f64, memory[1].0 as f64);
        line("memory", [shown(memory[0]), shown(memory[1]), calls]);
    }
}

/// The times of each case, one per round.
fn measure(cases: &mut [Case], rounds: usize) -> Vec<Vec<f64>> {
    let iterations: Vec<u64> = cases.iter_mut().map(calibrate).collect();
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    for round in 0..rounds {
        for turn in 0..cases.len() {
            // Each round another one begins, so that none always follows the same.
            let peer = (round + turn) % cases.len();
            let start = Instant::now();
            (cases[peer].run)(iterations[peer]);
            times[peer].push(start.elapsed().as_nanos() as f64 / iterations[peer] as f64);
        }
    }
    times
}

/// How often the operation fits in a turn. It has run warm by then.
fn calibrate(case: &mut Case) -> u64 {
    let mut iterations = 1;
    loop {
        let start = Instant::now();
        (case.run)(iterations);
        let elapsed = start.elapsed();
        if elapsed >= TURN / 2 {
            let fitting = iterations as f64 * TURN.as_secs_f64() / elapsed.as_secs_f64();
            return (fitting as u64).max(1);
        }
        iterations *= 2;
    }
}

fn ratio(ours: &[f64], theirs: &[f64]) -> String {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    format!("{:.2} ({:.2}-{:.2})", median(&ratios), quantile(&ratios, 0.25), quantile(&ratios, 0.75))
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}
