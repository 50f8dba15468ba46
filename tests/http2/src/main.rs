//! `attack ADDRESS:PORT [--pid PID] [--path PATH] [--large PATH] [--only NAME]... [--patience SECONDS]`
//!
//! Runs the attacks, one after the other, and prints a table. `--path` is what they ask for, `--large`
//! has an answer of megabytes.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use dunlin_attack::{ATTACKS, HEAD, Target, row, run};

const USAGE: &str = "usage: attack ADDRESS:PORT [--pid PID] [--path PATH] [--large PATH] [--only NAME]... \
                     [--patience SECONDS] [--list]";

fn main() -> ExitCode {
    match parse().and_then(|(target, only)| attack(&target, &only)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("attack: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<(Target, Vec<String>), String> {
    let mut target = Target::new(SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut only = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--list" {
            ATTACKS.iter().for_each(|attack| println!("{:32} {}", attack.name, attack.known_as));
            std::process::exit(0);
        }
        if !argument.starts_with("--") {
            target.address = number(&argument)?;
            continue;
        }
        let value = arguments.next().ok_or(USAGE)?;
        match argument.as_str() {
            "--pid" => target.pid = Some(number(&value)?),
            "--path" => (target.path, target.honest_path) = (value.clone(), value),
            "--large" => target.large = Some(value),
            "--only" => only.push(value),
            "--patience" => target.patience = Duration::from_secs(number(&value)?),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if target.address.port() == 0 { Err(USAGE.to_owned()) } else { Ok((target, only)) }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not what it should be; {USAGE}"))
}

fn attack(target: &Target, only: &[String]) -> Result<(), String> {
    if let Some(name) = only.iter().find(|name| ATTACKS.iter().all(|attack| attack.name != **name)) {
        return Err(format!("there is no attack {name}; --list shows all"));
    }
    println!("{HEAD}");
    for attack in
        ATTACKS.iter().filter(|attack| only.is_empty() || only.iter().any(|name| name == attack.name))
    {
        let report = run(attack, target).map_err(|error| format!("{}: {error}", attack.name))?;
        println!("{}", row(&report));
    }
    Ok(())
}
