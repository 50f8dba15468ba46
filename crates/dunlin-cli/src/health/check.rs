//! States of one moment, or once they are good.

use std::time::Duration;

use dunlin_grpc::{Code, Status};
use dunlin_services::{HealthClient, ServingStatus};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Probe;
use super::outcome::{Ended, Output, explain};
use crate::online::failure::Stage;

/// How long a server that is not ready is left alone.
const PAUSE: Duration = Duration::from_millis(100);

/// Which services to ask for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    All,
    Services(&'a [String]),
}

/// Asks once; or until all are serving, if there is a time to wait.
pub(super) async fn check(
    probe: &Probe<'_>,
    asked: Asked<'_>,
    wait: Option<Duration>,
    output: Output,
) -> Result<(), Ended> {
    let Some(wait) = wait else { return attempt(probe, asked).await.tell(asked, output) };
    let until = Instant::now() + wait;
    let mut last: Option<Attempt> = None;
    loop {
        // What one attempt may take is limited, but the time to wait may be less.
        let Ok(attempt) = timeout_at(until, attempt(probe, asked)).await else {
            // What is known is told, if anything is.
            if let Some(last) = last {
                return last.tell(asked, output);
            }
            let message = format!("no answer from {} within {wait:?}", probe.reach.address.target);
            return Err(Ended::Connection(Stage::Connect, message));
        };
        let is_final = match &attempt.states {
            Ok(_) => attempt.is_serving(),
            Err(ended) => matches!(ended, Ended::Arguments(_)),
        };
        if is_final || Instant::now() + PAUSE >= until {
            return attempt.tell(asked, output);
        }
        output.detail(|| format!("not yet: {}", attempt.short()));
        last = Some(attempt);
        sleep_until(Instant::now() + PAUSE).await;
    }
}

/// Services by name, and what was learned of each.
type States = Vec<(String, Result<ServingStatus, Status>)>;

/// What was found, and how long it took.
struct Attempt {
    states: Result<States, Ended>,
    connected: Duration,
    called: Duration,
    rpc_timeout: Duration,
}

async fn attempt(probe: &Probe<'_>, asked: Asked<'_>) -> Attempt {
    let start = Instant::now();
    let client = probe.client().await;
    let connected = start.elapsed();
    let states = match client {
        Ok(client) => states(&client, asked, probe.rpc_timeout).await,
        Err(ended) => Err(ended),
    };
    Attempt {
        states,
        connected,
        called: start.elapsed().saturating_sub(connected),
        rpc_timeout: probe.rpc_timeout,
    }
}

async fn states(
    client: &HealthClient,
    asked: Asked<'_>,
    timeout: Duration,
) -> Result<Vec<(String, Result<ServingStatus, Status>)>, Ended> {
    match asked {
        Asked::All => match client.list().await {
            Ok(states) => Ok(states.into_iter().map(|(name, state)| (name, Ok(state))).collect()),
            Err(status) if status.code() == Code::Unimplemented => Err(Ended::Rpc(
                "the server does not list its services (grpc.health.v1.Health/List is newer than it); \
                 ask for them by their names"
                    .to_owned(),
            )),
            Err(status) => Err(Ended::Rpc(explain(&status, "", timeout))),
        },
        Asked::Services(names) => {
            let mut states = Vec::with_capacity(names.len());
            for name in names {
                states.push((name.clone(), client.check(name).await));
            }
            Ok(states)
        }
    }
}

impl Attempt {
    fn is_serving(&self) -> bool {
        let is_serving = |state: &Result<ServingStatus, Status>| state.as_ref().is_ok_and(|s| s.is_serving());
        self.states.as_ref().is_ok_and(|states| states.iter().all(|(_, state)| is_serving(state)))
    }

    /// In a few words, while it is tried again.
    fn short(&self) -> String {
        match &self.states {
            Err(Ended::Connection(_, message) | Ended::Rpc(message) | Ended::Arguments(message)) => {
                message.clone()
            }
            Err(_) => String::new(),
            Ok(states) => {
                let shown = states.iter().map(|(name, state)| match state {
                    Ok(state) => format!("`{name}` {state}"),
                    Err(status) => format!("`{name}` {}", status.code().name()),
                });
                shown.collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn tell(self, asked: Asked<'_>, output: Output) -> Result<(), Ended> {
        let states = self.states?;
        output.detail(|| format!("time elapsed: connect={:?} rpc={:?}", self.connected, self.called));
        // One state is told where the probe tells it.
        if let ([(name, state)], Asked::Services(_), false) = (&states[..], asked, output.as_json) {
            return match state {
                Ok(state) if state.is_serving() => {
                    crate::print::complain(&format!("status: {state}"));
                    Ok(())
                }
                Ok(state) => {
                    Err(Ended::Unhealthy(Some(format!("service unhealthy (responded with \"{state}\")"))))
                }
                Err(status) => Err(Ended::Rpc(explain(status, name, self.rpc_timeout))),
            };
        }
        for (name, state) in &states {
            output.state(name, state)?;
        }
        let states: Vec<_> = states.into_iter().map(|(_, state)| state).collect();
        Ended::of_all(&states).map_or(Ok(()), Err)
    }
}
