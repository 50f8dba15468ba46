//! States as they change.

use dunlin_grpc::Status;
use dunlin_services::ServingStatus;
use tokio::sync::mpsc;

use super::Probe;
use super::outcome::{Ended, Output, explain};

/// Tells the state of each service, and every change, until the server says that it does not tell.
pub(super) async fn watch(probe: &Probe<'_>, services: &[String], output: Output) -> Result<(), Ended> {
    let client = probe.client().await?;
    // Standard output sets the pace; states in between are not made up for by memory.
    let (tell, mut told) = mpsc::channel::<(usize, Result<ServingStatus, Status>)>(services.len().max(1));
    for (index, service) in services.iter().enumerate() {
        let (tell, mut states) = (tell.clone(), client.watch(service.clone()));
        tokio::spawn(async move {
            loop {
                let state = states.next().await;
                let is_last = state.is_err();
                if tell.send((index, state)).await.is_err() || is_last {
                    return;
                }
            }
        });
    }
    drop(tell);
    while let Some((index, state)) = told.recv().await {
        let service = &services[index];
        match state {
            Err(status) if !output.as_json => {
                return Err(Ended::Rpc(explain(&status, service, probe.rpc_timeout)));
            }
            state => {
                output.state(service, &state)?;
                if state.is_err() {
                    return Ended::of_all(&[state]).map_or(Ok(()), Err);
                }
            }
        }
    }
    Ok(())
}
