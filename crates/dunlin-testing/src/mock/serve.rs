//! A call at a mock.

use std::sync::Arc;

use bytes::Bytes;
use dunlin_grpc::intercept::{Direction, Side};
use dunlin_grpc::{Method, Receiver, Sender, Status};
use dunlin_server::ServerContext;

use super::message::Mocked;
use super::rule::{Answer, Chosen, Rule};
use super::{State, TOLD};
use crate::record::{CallId, RecordedMessage};

/// What comes.
pub(super) enum Requests {
    One(Option<Mocked>),
    Many(Receiver<Mocked>),
    /// Of a method that was not known when the server began.
    Bytes(Receiver<Bytes>),
}

impl Requests {
    async fn next(&mut self) -> Result<Option<Mocked>, Status> {
        match self {
            Self::One(request) => Ok(request.take()),
            Self::Many(requests) => requests.next().await,
            Self::Bytes(requests) => Ok(requests.next().await?.map(Mocked::plain)),
        }
    }
}

/// Where responses go.
pub(super) enum Responses {
    One(Option<Mocked>),
    Many(Sender<Mocked>),
    Bytes(Sender<Bytes>),
}

impl Responses {
    async fn send(&mut self, message: Mocked) -> Result<(), Status> {
        match self {
            Self::One(place) => {
                *place = Some(message);
                Ok(())
            }
            Self::Many(sender) => sender.send(message).await,
            Self::Bytes(sender) => sender.send(message.bytes).await,
        }
    }
}

/// Answers a call; gives the one response too, if that is how it goes.
pub(super) async fn serve(
    state: Arc<State>,
    mut cx: ServerContext,
    requests: Requests,
    responses: Responses,
) -> (ServerContext, Result<(), Status>, Option<Mocked>) {
    let id = state.log.begin(Side::Server, cx.method().clone(), cx.metadata().clone());
    let end = End { state: Arc::clone(&state), id };
    let mut call = Call { state, id, requests, responses, chosen: None };
    let result = call.run(&mut cx).await;
    end.tell(result.clone());
    let response = match call.responses {
        Responses::One(response) => response,
        Responses::Many(_) | Responses::Bytes(_) => None,
    };
    (cx, result, response)
}

/// A call that is dropped was cancelled.
struct End {
    state: Arc<State>,
    id: CallId,
}

impl End {
    fn tell(&self, result: Result<(), Status>) {
        self.state.log.change(self.id, |call| call.set_result(result));
    }
}

impl Drop for End {
    /// The first result counts.
    fn drop(&mut self) {
        self.tell(Err(Status::cancelled("the call was cancelled")));
    }
}

struct Call {
    state: Arc<State>,
    id: CallId,
    requests: Requests,
    responses: Responses,
    chosen: Option<Chosen>,
}

impl Call {
    async fn next(&mut self) -> Result<Option<Mocked>, Status> {
        let request = self.requests.next().await?;
        if let Some(request) = &request {
            self.state.log.message(self.id, Direction::Received, request.record());
        }
        Ok(request)
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Status> {
        let table = self.chosen.as_ref().and_then(|chosen| chosen.responses.clone());
        let message = Mocked::typed(bytes, table)?;
        self.state.log.message(self.id, Direction::Sent, message.record());
        self.responses.send(message).await
    }

    async fn send_all(&mut self, messages: Vec<Bytes>) -> Result<(), Status> {
        for message in messages {
            self.send(message).await?;
        }
        Ok(())
    }

    async fn run(&mut self, cx: &mut ServerContext) -> Result<(), Status> {
        let method = cx.method().clone();
        let first = match self.state.has_one_request(&method) {
            true => self.next().await?.map(|request| request.bytes),
            false => None,
        };
        let chosen = self.state.choose(&method, first.as_ref())?;
        self.chosen = Some(chosen.clone());
        if !chosen.delay.is_zero() {
            tokio::time::sleep(chosen.delay).await;
        }
        cx.extend_headers(&chosen.headers)?;
        cx.trailers_mut().extend(&chosen.trailers);
        match &*chosen.answer {
            Answer::Fail(status) => Err(status.clone()),
            Answer::Never => std::future::pending().await,
            Answer::Messages(messages, end) => {
                if chosen.kind.has_one_response() {
                    while self.next().await?.is_some() {}
                    self.send_all(messages.clone()).await?;
                } else {
                    self.send_all(messages.clone()).await?;
                    end.clone()?;
                    while self.next().await?.is_some() {}
                }
                end.clone()
            }
            Answer::Of(answer) => {
                let messages = answer(first.unwrap_or_default())?;
                self.send_all(messages).await
            }
            Answer::OfAll(answer) => {
                let mut requests = Vec::new();
                while let Some(request) = self.next().await? {
                    requests.push(request.bytes);
                }
                let message = answer(requests)?;
                self.send(message).await
            }
            Answer::OfEach(answer) => {
                while let Some(request) = self.next().await? {
                    let messages = answer(request.bytes)?;
                    self.send_all(messages).await?;
                }
                Ok(())
            }
        }
    }
}

impl State {
    /// What the server knows of the method, or if it does not, the rules.
    fn has_one_request(&self, method: &Method) -> bool {
        let inner = self.inner();
        let rule = inner.rules.iter().find(|rule| rule.is_for(method.path()));
        rule.map_or(method.kind(), |rule| rule.chosen.kind).has_one_request()
    }

    /// The answer of the first rule that fits.
    fn choose(&self, method: &Method, request: Option<&Bytes>) -> Result<Chosen, Status> {
        // Conditions are functions of the test, which may ask the mock for something.
        let places: Vec<_> = {
            let inner = self.inner();
            let rules = inner.rules.iter().enumerate();
            rules
                .filter(|(_, rule)| rule.is_for(method.path()))
                .map(|(at, rule)| (at, rule.condition()))
                .collect()
        };
        for (place, condition) in &places {
            if Rule::accepts(condition.as_ref(), request)
                && let Some(rule) = self.inner().rules.get_mut(*place)
                && let Some(chosen) = rule.take()
            {
                return Ok(chosen);
            }
        }
        let why = match places.len() {
            0 => "the mock has no rule for it".to_owned(),
            count => format!("none of the mock's {count} rules is for this request, or is left"),
        };
        let request = request.map(|bytes| RecordedMessage::unread(bytes.clone()).to_string());
        let message = format!("unexpected call of {method}({}): {why}", request.unwrap_or_default());
        let mut inner = self.inner();
        inner.unexpected_count += 1;
        if inner.unexpected.len() < TOLD {
            inner.unexpected.push(message.clone());
        }
        Err(Status::unimplemented(message))
    }
}
