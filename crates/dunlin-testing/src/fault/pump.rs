//! Moves octets between a client and a server, through a [`Relay`].

use std::future::poll_fn;
use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use dunlin_transport::pipe::PipeConnector;
use dunlin_transport::{Io, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;

use super::Faults;
use super::relay::Relay;

/// Accepts connections for a server behind, with faults in between.
pub(crate) async fn stand_before(mut listener: Listener, behind: PipeConnector, faults: Faults) {
    let mut pumps = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // It concerns one connection only, or the system lacks something and may have it later.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        while pumps.try_join_next().is_some() {}
        if faults.refuses() {
            continue;
        }
        if let Ok((server, _)) = behind.connect().await {
            pumps.spawn(pump(client, server, faults.clone()));
        }
    }
}

/// How long nothing is accepted when the system has refused to.
const PAUSE: Duration = Duration::from_millis(10);
/// Octets that wait to be written on a side, before no more are read for it.
const LIMIT: usize = 64 << 10;

/// Goes on until both sides are closed, one fails, or a fault closes both.
pub(super) async fn pump(client: Io, server: Io, faults: Faults) {
    let mut relay = Relay::new(faults);
    let (mut client, mut server) = (End::new(client), End::new(server));
    let mut buffer = vec![0; 16 << 10];
    let turn = |cx: &mut Context<'_>| -> Poll<Result<()>> {
        loop {
            client.write(&mut relay.to_client, cx)?;
            server.write(&mut relay.to_server, cx)?;
            if relay.is_cut {
                if relay.to_client.is_empty() && relay.to_server.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                return Poll::Pending;
            }
            if client.is_at_end && relay.to_server.is_empty() {
                server.close(cx)?;
            }
            if server.is_at_end && relay.to_client.is_empty() {
                client.close(cx)?;
            }
            if client.is_closed && server.is_closed {
                return Poll::Ready(Ok(()));
            }
            let mut is_any = false;
            if relay.to_server.len() < LIMIT
                && let Poll::Ready(read) = client.read(&mut buffer, cx)?
            {
                relay.client_sent(read);
                is_any = true;
            }
            if relay.to_client.len() < LIMIT
                && let Poll::Ready(read) = server.read(&mut buffer, cx)?
            {
                relay.server_sent(read);
                is_any = true;
            }
            if !is_any {
                return Poll::Pending;
            }
        }
    };
    // A side that fails takes the other with it, as both are dropped.
    let _ = poll_fn(turn).await;
}

/// One side.
struct End {
    io: Io,
    /// Nothing more comes from it.
    is_at_end: bool,
    /// Nothing more goes to it.
    is_closed: bool,
}

impl End {
    fn new(io: Io) -> Self {
        Self { io, is_at_end: false, is_closed: false }
    }

    /// Pending if there is nothing, also at the end.
    fn read<'b>(&mut self, buffer: &'b mut [u8], cx: &mut Context<'_>) -> Result<Poll<&'b [u8]>> {
        if self.is_at_end {
            return Ok(Poll::Pending);
        }
        let mut read = ReadBuf::new(buffer);
        if Pin::new(&mut self.io).poll_read(cx, &mut read)?.is_pending() {
            return Ok(Poll::Pending);
        }
        let count = read.filled().len();
        self.is_at_end = count == 0;
        Ok(Poll::Ready(&buffer[..count]))
    }

    /// Writes as much as is taken.
    fn write(&mut self, bytes: &mut Vec<u8>, cx: &mut Context<'_>) -> Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match Pin::new(&mut self.io).poll_write(cx, &bytes[written..])? {
                Poll::Ready(count) => written += count,
                Poll::Pending => break,
            }
        }
        bytes.drain(..written);
        Ok(())
    }

    fn close(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if !self.is_closed {
            self.is_closed = Pin::new(&mut self.io).poll_shutdown(cx)?.is_ready();
        }
        Ok(())
    }
}
