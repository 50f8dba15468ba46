//! The call itself. All four kinds are one: requests go out while responses come in.

use dunlin_client::Client;
use dunlin_grpc::dynamic::MethodDescriptor;
use dunlin_grpc::{Metadata, Receiver, Sender, Status};
use dunlin_protobuf::dynamic::DynamicMessage;
use tokio::sync::Mutex;

use super::report::Report;
use crate::online::failure::{Failure, Stage};
use crate::online::requests::Requests;
use crate::online::schema::{Source, Types};

/// A call that can be made.
pub(super) struct Exchange<'a> {
    pub(super) client: Client,
    pub(super) method: &'a MethodDescriptor,
    pub(super) source: &'a Source,
    pub(super) types: &'a Mutex<Types>,
}

/// How a call ended.
pub(super) struct Ended {
    pub(super) result: Result<(), Status>,
    pub(super) trailers: Metadata,
    /// Requests that were given.
    pub(super) requests: usize,
}

impl Exchange<'_> {
    /// Makes the call, and prints what comes.
    pub(super) async fn run(
        &self,
        mut requests: Requests,
        report: &mut Report<'_>,
    ) -> Result<Ended, Failure> {
        if self.method.kind().has_one_request() {
            let request = self.only_request(&mut requests).await?;
            let call = self.client.server_streaming_with(
                self.method.method().clone(),
                request,
                self.method.request_codec(),
                self.method.response_codec(),
            );
            return match call.await {
                Ok(responses) => self.receive(responses, report, &requests).await,
                Err(status) => Ok(self.not_begun(status, &requests)),
            };
        }
        let call = self.client.bidi_streaming_with(
            self.method.method().clone(),
            self.method.request_codec(),
            self.method.response_codec(),
        );
        let (sender, responses) = match call.await {
            Ok(halves) => halves,
            Err(status) => return Ok(self.not_begun(status, &requests)),
        };
        let mut ended = {
            let send = self.send(sender, &mut requests);
            let receive = self.responses(responses, report);
            tokio::pin!(send, receive);
            let mut is_sending = true;
            loop {
                tokio::select! {
                    ended = &mut receive => break ended?,
                    sent = &mut send, if is_sending => {
                        sent?;
                        is_sending = false;
                    }
                }
            }
        };
        ended.requests = requests.count;
        Ok(ended)
    }

    fn not_begun(&self, status: Status, requests: &Requests) -> Ended {
        Ended { trailers: status.metadata().clone(), result: Err(status), requests: requests.count }
    }

    /// The request of a method that has one: an empty one if none is given.
    async fn only_request(&self, requests: &mut Requests) -> Result<DynamicMessage, Failure> {
        let Some(request) = requests.next(self.method, self.source, self.types).await? else {
            return Ok(self.method.request());
        };
        if requests.next(self.method, self.source, self.types).await?.is_some() {
            return Err(Failure::local(
                Stage::Encode,
                format!(
                    "{} takes one request, and more than one is given; is there a value too many?",
                    self.method.method().path()
                ),
            ));
        }
        Ok(request)
    }

    async fn send(&self, mut sender: Sender<DynamicMessage>, requests: &mut Requests) -> Result<(), Failure> {
        while let Some(request) = requests.next(self.method, self.source, self.types).await? {
            // If the call is over, the responses end with its status.
            if sender.send(request).await.is_err() {
                return Ok(());
            }
        }
        sender.finish();
        Ok(())
    }

    async fn receive(
        &self,
        responses: Receiver<DynamicMessage>,
        report: &mut Report<'_>,
        requests: &Requests,
    ) -> Result<Ended, Failure> {
        let ended = self.responses(responses, report).await?;
        Ok(Ended { requests: requests.count, ..ended })
    }

    async fn responses(
        &self,
        mut responses: Receiver<DynamicMessage>,
        report: &mut Report<'_>,
    ) -> Result<Ended, Failure> {
        let is_one = self.method.kind().has_one_response();
        report.headers(responses.headers().await)?;
        let mut count = 0;
        let result = loop {
            match responses.next().await {
                Ok(Some(response)) => {
                    count += 1;
                    report.response(&response, responses.info(), is_one, self.types).await?;
                }
                Ok(None) if is_one && count == 0 => {
                    break Err(Status::unimplemented("no response for a call that has exactly one"));
                }
                Ok(None) => break Ok(()),
                Err(status) => break Err(status),
            }
        };
        Ok(Ended { result, trailers: responses.trailers().clone(), requests: 0 })
    }
}
