//! Says what a server tells of itself: `services-client ADDRESS COMMAND ARGUMENT...`.
//!
//! | command | prints |
//! |---|---|
//! | `check SERVICE` | its state |
//! | `list` | all states |
//! | `watch SERVICE COUNT` | as many states, one a line |
//! | `services` | the services that reflection lists |
//! | `file PATH` | the files that come with it |
//! | `symbol NAME` | the files that come with it |
//! | `extensions MESSAGE` | their numbers |
//! | `schema` | all services of the whole schema, with their methods |
//! | `call SERVICE/METHOD JSON` | the response of a method that is known by reflection only |

use std::process::ExitCode;
use std::time::Duration;

use dunlin::Channel;
use dunlin::client::Backoff;
use dunlin::client::dynamic::{DynamicClient, Schema};
use dunlin::protobuf::descriptor::FileDescriptorProto;
use dunlin::services::{HealthClient, ReflectionClient};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn paths(files: Vec<FileDescriptorProto>) -> Vec<String> {
    files.into_iter().filter_map(|file| file.name).collect()
}

async fn run(arguments: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut arguments = arguments.iter().map(String::as_str);
    let (Some(address), Some(command)) = (arguments.next(), arguments.next()) else {
        return Err("usage: services-client ADDRESS COMMAND ARGUMENT...".into());
    };
    let (first, second) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let channel = Channel::builder(address).connect_lazy()?;
    let health = HealthClient::new(channel.clone());
    let reflection = ReflectionClient::new(channel.clone());
    Ok(match command {
        "check" => vec![health.check(first).await?.to_string()],
        "list" => health.list().await?.iter().map(|(name, state)| format!("{name}={state}")).collect(),
        "watch" => {
            let mut watch =
                health.backoff(Backoff::default().initial(Duration::from_millis(100))).watch(first);
            let mut states = Vec::new();
            for _ in 0..second.parse()? {
                states.push(watch.next().await?.to_string());
            }
            states
        }
        "services" => reflection.list_services().await?,
        "file" => paths(reflection.file_by_name(first).await?),
        "symbol" => paths(reflection.file_containing_symbol(first).await?),
        "extensions" => reflection.extension_numbers(first).await?.iter().map(ToString::to_string).collect(),
        "schema" => {
            let schema = Schema::new(reflection.pool().await?);
            schema.methods().map(|method| format!("{} {}", method.method(), method.kind())).collect()
        }
        "call" => {
            let (service, _) = first.split_once('/').ok_or("no SERVICE/METHOD")?;
            let client = DynamicClient::new(channel, reflection.pool_for_symbol(service).await?);
            let method = client.method(first)?;
            let response = method.unary(method.request_from_json(second)?)?.await?;
            vec![method.to_json(&response)?]
        }
        other => return Err(format!("no command {other}").into()),
    })
}
