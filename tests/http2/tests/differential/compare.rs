//! What has to be equal, and what may differ by nature.

use crate::follow::{End, Head, Seen, normal};
use crate::script::{Begin, Body, Ending, Exchange, Fields, Script};

/// What both ends have seen of one run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) client: Vec<Option<Seen>>,
    pub(crate) server: Vec<Option<Seen>>,
    /// Why the run as a whole is wrong.
    pub(crate) faults: Vec<String>,
}

/// An exchange without what may differ: nothing if it was not processed.
type Certain = Option<(Seen, Option<Seen>)>;

/// All that is wrong with a run by itself, and what is to be compared with other runs of the script.
pub(crate) fn judge(script: &Script, outcome: &Outcome) -> (Vec<String>, Vec<Certain>) {
    let mut faults = outcome.faults.clone();
    let mut certain = Vec::new();
    for (index, exchange) in script.exchanges.iter().enumerate() {
        let (client, server) = (&outcome.client[index], &outcome.server[index]);
        let Some(client) = client else {
            faults.push(format!("exchange {index}: the client has not ended"));
            certain.push(None);
            continue;
        };
        let of_exchange = |fault: String| format!("exchange {index}: {fault}");
        faults.extend(faults_of_client(exchange, client).into_iter().map(of_exchange));
        if let Some(server) = server {
            faults.extend(faults_of_server(exchange, server).into_iter().map(of_exchange));
        }
        if client.end == End::Unprocessed {
            // RFC 9113 §6.8: what a GOAWAY leaves out depends on what was on its way. It is never seen.
            if script.shutdown_after.is_none() {
                faults.push(of_exchange("not processed, though nobody goes away".to_owned()));
            }
            if server.is_some() {
                faults.push(of_exchange("accepted by the server, and not processed".to_owned()));
            }
            certain.push(None);
            continue;
        }
        let may_be_unseen = matches!(exchange.ending, Ending::ClientGivesUp { .. });
        if server.is_none() && !may_be_unseen {
            faults.push(of_exchange("the server has not seen it to its end".to_owned()));
        }
        certain.push(Some((
            certain_of_client(exchange, client.clone()),
            server.clone().map(|seen| certain_of_server(exchange, seen)).filter(|_| !may_be_unseen),
        )));
    }
    (faults, certain)
}

/// Differences between two runs of one script, exchange by exchange.
pub(crate) fn differences(one: &[Certain], other: &[Certain]) -> Vec<String> {
    let both = one.iter().zip(other).enumerate();
    both.filter_map(|(index, pair)| match pair {
        (Some(one), Some(other)) if one != other => {
            Some(format!("exchange {index} differs:\n      {}\n      {}", brief(one), brief(other)))
        }
        _ => None,
    })
    .collect()
}

fn certain_of_client(exchange: &Exchange, mut seen: Seen) -> Seen {
    match exchange.ending {
        // RFC 9113 §8.1: NO_ERROR behind a complete response takes nothing away from it. `h2` reports it
        // in place of the end if it comes before the response is read.
        Ending::Early if seen.end == End::Reset(0) => seen.end = End::Clean,
        // RFC 9113 §5.1: what is queued behind a reset need not be sent, and what came before may be
        // thrown away: a race how much of the response is there.
        Ending::ServerReset { .. } => {
            (seen.head, seen.trailers) = (None, None);
            (seen.informational, seen.body) = (Vec::new(), Vec::new());
        }
        // RFC 9113 §8.1.1: content may be handed on before it is known to be malformed.
        Ending::WrongResponseLength => seen.body = Vec::new(),
        _ => {}
    }
    seen
}

fn certain_of_server(exchange: &Exchange, mut seen: Seen) -> Seen {
    let is_whole = exchange.begin == Begin::AfterRequest;
    match exchange.ending {
        // RFC 9113 §5.1: as above, unless the client has waited for an answer to all of it.
        Ending::ClientReset { .. } | Ending::ClientGivesUp { .. } | Ending::ClientLetsGo if !is_whole => {
            (seen.body, seen.trailers) = (Vec::new(), None);
        }
        Ending::WrongRequestLength => seen.body = Vec::new(),
        Ending::WrongResponseLength => {
            // RFC 9113 §5.1: a stream that is closed for the server does not hear of the reset.
            if seen.end == End::Reset(1) {
                seen.end = End::Clean;
            }
            if !is_whole {
                (seen.body, seen.trailers) = (Vec::new(), None);
            }
        }
        _ => {}
    }
    seen
}

fn faults_of_client(exchange: &Exchange, seen: &Seen) -> Vec<String> {
    let mut faults = Vec::new();
    let ends: &[End] = match exchange.ending {
        Ending::Clean => &[End::Clean],
        Ending::Early => &[End::Clean, End::Reset(0)],
        Ending::ClientReset { code, .. } | Ending::ClientGivesUp { code, .. } => &[End::Own(code)],
        Ending::ClientLetsGo => &[End::Own(8)],
        Ending::ServerReset { code, .. } => &[End::Reset(code)],
        Ending::WrongRequestLength => &[End::Reset(1)],
        Ending::WrongResponseLength => &[End::Fault(1)],
    };
    if seen.end != End::Unprocessed && !ends.contains(&seen.end) {
        faults.push(format!("the client's end is {:?}, and not one of {ends:?}", seen.end));
    }
    for (index, head) in seen.informational.iter().enumerate() {
        let wanted = exchange.informational.get(index);
        let wanted = wanted.map(|(status, fields)| head_of(&status.to_string(), fields));
        if wanted.as_ref() != Some(head) {
            faults.push(format!("the client saw {head:?} for {wanted:?}"));
        }
    }
    let wanted = head_of(&exchange.status.to_string(), &exchange.response_fields);
    check(&mut faults, "client", seen, &wanted, &exchange.response);
    let is_whole = matches!(exchange.ending, Ending::Clean | Ending::Early);
    if is_whole && seen.end != End::Unprocessed {
        check_whole(&mut faults, "client", seen, &exchange.response);
        if seen.informational.len() != exchange.informational.len() {
            faults.push("the client misses informational responses".to_owned());
        }
    }
    faults
}

fn faults_of_server(exchange: &Exchange, seen: &Seen) -> Vec<String> {
    let mut faults = Vec::new();
    let ends: &[End] = match exchange.ending {
        Ending::Clean | Ending::Early => &[End::Clean],
        Ending::ClientReset { code, .. } | Ending::ClientGivesUp { code, .. } => &[End::Reset(code)],
        Ending::ClientLetsGo => &[End::Reset(8)],
        Ending::ServerReset { code, .. } => &[End::Own(code)],
        Ending::WrongRequestLength => &[End::Fault(1)],
        Ending::WrongResponseLength => &[End::Clean, End::Reset(1)],
    };
    if !ends.contains(&seen.end) {
        faults.push(format!("the server's end is {:?}, and not one of {ends:?}", seen.end));
    }
    let start = format!("{} http example.com {}", exchange.method, exchange.path);
    check(&mut faults, "server", seen, &head_of(&start, &exchange.request_fields), &exchange.request);
    if exchange.ending == Ending::Clean {
        check_whole(&mut faults, "server", seen, &exchange.request);
    }
    faults
}

fn head_of(start: &str, fields: &Fields) -> Head {
    Head { start: start.to_owned(), fields: normal(fields.clone()) }
}

/// Whatever came is what was sent.
fn check(faults: &mut Vec<String>, side: &str, seen: &Seen, head: &Head, body: &Body) {
    if let Some(seen) = &seen.head
        && seen != head
    {
        faults.push(format!("the {side} saw {seen:?} for {head:?}"));
    }
    if !body.content().starts_with(&seen.body) {
        faults.push(format!("the {side} saw content that was not sent, in {} octets", seen.body.len()));
    }
    let trailers = body.trailers.clone().map(normal);
    if seen.trailers.is_some() && seen.trailers != trailers {
        faults.push(format!("the {side} saw trailers {:?} for {trailers:?}", seen.trailers));
    }
}

fn check_whole(faults: &mut Vec<String>, side: &str, seen: &Seen, body: &Body) {
    let wanted = body.content().len();
    if seen.head.is_none() || seen.body.len() != wanted || seen.trailers.is_some() != body.trailers.is_some()
    {
        let (len, trailers) = (seen.body.len(), seen.trailers.is_some());
        let head = seen.head.is_some();
        faults.push(format!(
            "the {side} misses a part: {len} of {wanted} octets, head {head}, trailers {trailers}"
        ));
    }
}

fn brief((client, server): &(Seen, Option<Seen>)) -> String {
    let of = |seen: &Seen| {
        let hash = seen.body.iter().fold(0_u32, |hash, &octet| hash.rotate_left(5) ^ u32::from(octet));
        format!(
            "{:?}, {} informational, head {:?}, {} octets ({hash:08x}), trailers {:?}",
            seen.end,
            seen.informational.len(),
            seen.head,
            seen.body.len(),
            seen.trailers
        )
    };
    format!("client: {}; server: {}", of(client), server.as_ref().map_or("unseen".to_owned(), of))
}
