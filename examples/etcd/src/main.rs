//! `etcd-example TARGET get KEY | list PREFIX | put KEY VALUE | put-for SECONDS KEY VALUE | delete KEY |
//! set-if KEY EXPECTED VALUE | watch PREFIX COUNT`: what etcdctl does, by the library beside it.

// What a program says is its interface.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use etcd_example::{Etcd, EventType, KeyValue};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments).await {
        Ok(is_done) => ExitCode::from(u8::from(!is_done)),
        Err(error) => {
            eprintln!("etcd-example: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether it was as asked.
async fn run(arguments: &[&str]) -> Result<bool, Box<dyn Error>> {
    let [target, command @ ..] = arguments else { return Err("no target".into()) };
    let etcd = Etcd::connect(target).await?;
    match command {
        ["get", key] => {
            let found = etcd.get(key).await?;
            found.iter().for_each(show);
            Ok(found.is_some())
        }
        ["list", prefix] => {
            etcd.list(prefix).await?.iter().for_each(show);
            Ok(true)
        }
        ["put", key, value] => Ok(etcd.put(key, value).await.map(|()| true)?),
        ["put-for", seconds, key, value] => {
            let mut lease = etcd.put_for_now(key, value, Duration::from_secs(seconds.parse()?)).await?;
            // Longer than etcd would keep the key of one that does not renew.
            let time = Duration::from_secs(seconds.parse::<u64>()? * 2);
            if let Ok(why) = tokio::time::timeout(time, lease.lost()).await {
                return Err(why.into());
            }
            let is_kept = etcd.get(key).await?.is_some();
            lease.revoke().await?;
            Ok(is_kept && etcd.get(key).await?.is_none())
        }
        ["delete", key] => Ok(etcd.delete(key).await?),
        ["set-if", key, expected, value] => Ok(etcd.compare_and_set(key, expected, value).await?),
        ["watch", prefix, count] => {
            let mut changes = etcd.watch(prefix).await?;
            println!("watching");
            for _ in 0..count.parse::<usize>()? {
                let Some(event) = changes.next().await? else { return Ok(false) };
                print!("{} ", if event.r#type == EventType::DELETE { "delete" } else { "put" });
                event.kv.as_deref().into_iter().for_each(show);
            }
            Ok(true)
        }
        _ => Err("no such command".into()),
    }
}

fn show(pair: &KeyValue) {
    println!("{} = {}", String::from_utf8_lossy(&pair.key), String::from_utf8_lossy(&pair.value));
}
