//! A client of etcd: keys, transactions, watches and leases.
//!
//! [docs/from-tonic.md](https://github.com/dunlin-rs/dunlin/blob/main/docs/from-tonic.md) goes through it beside
//! the package `etcd-client`, which does the same with tonic.

mod schema {
    dunlin::include_generated!();
}

use std::convert::Infallible;
use std::time::Duration;

use dunlin::client::ChannelError;
use dunlin::protobuf::bytes::Bytes;
use dunlin::{Channel, Receiver, Status};
use schema::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use schema::etcdserverpb::{
    Compare, DeleteRangeRequest, KVClient, LeaseClient, LeaseGrantRequest, LeaseKeepAliveRequest,
    LeaseRevokeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, WatchClient, WatchCreateRequest,
    WatchRequest, WatchResponse, request_op, watch_request,
};
pub use schema::mvccpb::{Event, KeyValue, event::EventType};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One etcd, or a cluster of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Etcd {
    kv: KVClient,
    watch: WatchClient,
    lease: LeaseClient,
}

impl Etcd {
    /// Connects to `HOST:PORT`, or whatever else a [`Channel`] can reach.
    ///
    /// # Errors
    /// Nobody answers there.
    pub async fn connect(target: &str) -> Result<Self, ChannelError> {
        let channel = Channel::builder(target).connect().await?;
        Ok(Self {
            kv: KVClient::new(channel.clone()),
            watch: WatchClient::new(channel.clone()),
            lease: LeaseClient::new(channel),
        })
    }

    /// A key, if it is there.
    ///
    /// # Errors
    /// What etcd answers, or that it does not.
    pub async fn get(&self, key: &str) -> Result<Option<KeyValue>, Status> {
        let range = RangeRequest { key: bytes(key), ..Default::default() };
        Ok(self.kv.range(range).timeout(PATIENCE).await?.kvs.pop())
    }

    /// All keys that begin with `prefix`, in order.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn list(&self, prefix: &str) -> Result<Vec<KeyValue>, Status> {
        let range = RangeRequest {
            key: from(prefix),
            range_end: behind(prefix.as_bytes()).into(),
            ..Default::default()
        };
        Ok(self.kv.range(range).timeout(PATIENCE).await?.kvs)
    }

    /// Sets a key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn put(&self, key: &str, value: &str) -> Result<(), Status> {
        let put = PutRequest { key: bytes(key), value: bytes(value), ..Default::default() };
        self.kv.put(put).timeout(PATIENCE).await?;
        Ok(())
    }

    /// Takes a key away. Whether it was there.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, key: &str) -> Result<bool, Status> {
        let range = DeleteRangeRequest { key: bytes(key), ..Default::default() };
        Ok(self.kv.delete_range(range).timeout(PATIENCE).await?.deleted > 0)
    }

    /// Sets a key if its value is `expected`, in one step. Whether it was.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn compare_and_set(&self, key: &str, expected: &str, value: &str) -> Result<bool, Status> {
        let is_expected = Compare {
            key: bytes(key),
            target: CompareTarget::VALUE,
            result: CompareResult::EQUAL,
            target_union: Some(TargetUnion::Value(bytes(expected))),
            ..Default::default()
        };
        let put = PutRequest { key: bytes(key), value: bytes(value), ..Default::default() };
        let put =
            RequestOp { request: Some(request_op::Request::RequestPut(put.into())), ..Default::default() };
        let transaction = TxnRequest { compare: vec![is_expected], success: vec![put], ..Default::default() };
        Ok(self.kv.txn(transaction).timeout(PATIENCE).await?.succeeded)
    }

    /// All changes of keys that begin with `prefix`, from now on: the watch is in place when this returns.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn watch(&self, prefix: &str) -> Result<Changes, Status> {
        let create = WatchCreateRequest {
            key: from(prefix),
            range_end: behind(prefix.as_bytes()).into(),
            ..Default::default()
        };
        let create = watch_request::RequestUnion::CreateRequest(create.into());
        let (mut requests, mut answers) = self.watch.watch().await?;
        requests.send(WatchRequest { request_union: Some(create), ..Default::default() }).await?;
        match answers.next().await? {
            Some(answer) if answer.created => Ok(Changes { answers, _requests: requests, ready: Vec::new() }),
            Some(answer) => Err(Status::aborted(answer.cancel_reason)),
            None => Err(Status::unavailable("etcd has ended the watch")),
        }
    }

    /// Sets a key that goes away `ttl` after the lease is dropped or its owner dies.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn put_for_now(&self, key: &str, value: &str, ttl: Duration) -> Result<Lease, Status> {
        let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX).max(1);
        let granted = self.lease.lease_grant(LeaseGrantRequest { ttl: seconds, ..Default::default() });
        let id = granted.timeout(PATIENCE).await?.id;
        let put = PutRequest { key: bytes(key), value: bytes(value), lease: id, ..Default::default() };
        self.kv.put(put).timeout(PATIENCE).await?;
        let client = self.lease.clone();
        let renewing = tokio::spawn({
            let client = client.clone();
            async move {
                let (mut renew, mut renewed) = client.lease_keep_alive().await?;
                loop {
                    renew.send(LeaseKeepAliveRequest { id, ..Default::default() }).await?;
                    match renewed.next().await? {
                        Some(answer) if answer.ttl > 0 => {}
                        _ => return Err(Status::not_found("the lease is over")),
                    }
                    tokio::time::sleep(ttl / 3).await;
                }
            }
        });
        Ok(Lease { id, client, renewing })
    }
}

/// Changes as they come.
#[derive(Debug)]
pub struct Changes {
    answers: Receiver<WatchResponse>,
    /// The watch ends with it.
    _requests: dunlin::Sender<WatchRequest>,
    /// Of one answer, last first.
    ready: Vec<Event>,
}

impl Changes {
    /// The next one, or `None` if etcd has ended the watch.
    ///
    /// # Errors
    /// The stream broke, or etcd has cancelled the watch.
    pub async fn next(&mut self) -> Result<Option<Event>, Status> {
        loop {
            if let Some(event) = self.ready.pop() {
                return Ok(Some(event));
            }
            match self.answers.next().await? {
                Some(answer) if answer.canceled => return Err(Status::aborted(answer.cancel_reason)),
                Some(answer) => self.ready = answer.events.into_iter().rev().collect(),
                None => return Ok(None),
            }
        }
    }
}

/// Keeps a key alive until it is dropped or given back.
#[derive(Debug)]
pub struct Lease {
    id: i64,
    client: LeaseClient,
    /// Ends when the lease can not be renewed.
    renewing: tokio::task::JoinHandle<Result<Infallible, Status>>,
}

impl Lease {
    /// Waits until the lease is lost, and tells why: etcd has let go of it, or can not be reached.
    pub async fn lost(&mut self) -> Status {
        match (&mut self.renewing).await {
            Ok(Err(status)) => status,
            Ok(Ok(never)) => match never {},
            Err(error) => Status::internal(error.to_string()),
        }
    }

    /// Takes the key away at once.
    ///
    /// # Errors
    /// As [`Etcd::get`].
    pub async fn revoke(self) -> Result<(), Status> {
        self.renewing.abort();
        let revoke = LeaseRevokeRequest { id: self.id, ..Default::default() };
        self.client.lease_revoke(revoke).timeout(PATIENCE).await?;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

fn bytes(text: &str) -> Bytes {
    text.to_owned().into()
}

/// Where a range of a prefix begins: etcd knows no empty key.
fn from(prefix: &str) -> Bytes {
    if prefix.is_empty() { bytes("\0") } else { bytes(prefix) }
}

/// The first key behind all that begin with `prefix`; one zero octet if there is none.
fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

#[test]
fn the_range_of_a_prefix_ends_behind_its_last_key() {
    assert_eq!(behind(b"a/"), b"a0");
    assert_eq!(behind(b"a\xff\xff"), b"b");
    assert_eq!(behind(b"\xff"), [0]);
    assert_eq!(behind(b""), [0]);
}
