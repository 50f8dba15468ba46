//! What differs between operating systems: socket options and the meaning of error numbers.

use std::io;

use socket2::Socket;

/// What a failed `accept` says about the next one. Complete by definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptFailure {
    /// That one connection was lost; the next may be fine.
    Connection,
    /// The process or the system is out of descriptors or memory: it helps to wait.
    Exhausted,
    /// The listening socket itself is unusable.
    Fatal,
}

#[cfg(unix)]
pub(crate) fn accept_failure(error: &io::Error) -> AcceptFailure {
    let Some(number) = error.raw_os_error() else {
        return accept_failure_by_kind(error);
    };
    match number {
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => AcceptFailure::Exhausted,
        libc::EBADF | libc::ENOTSOCK | libc::EINVAL | libc::EFAULT => AcceptFailure::Fatal,
        // Linux hands the new connection's pending network errors to accept, and a firewall answers
        // EPERM; accept(2) asks to treat all of them like EAGAIN.
        _ => AcceptFailure::Connection,
    }
}

#[cfg(not(unix))]
pub(crate) fn accept_failure(error: &io::Error) -> AcceptFailure {
    match error.raw_os_error() {
        // WSAEMFILE and WSAENOBUFS.
        Some(10024 | 10055) => AcceptFailure::Exhausted,
        _ => accept_failure_by_kind(error),
    }
}

fn accept_failure_by_kind(error: &io::Error) -> AcceptFailure {
    match error.kind() {
        io::ErrorKind::OutOfMemory => AcceptFailure::Exhausted,
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => AcceptFailure::Fatal,
        _ => AcceptFailure::Connection,
    }
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
pub(crate) fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
pub(crate) fn set_reuse_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(crate) fn set_user_timeout(socket: &Socket, timeout: std::time::Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(timeout))
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(crate) fn set_user_timeout(_: &Socket, _: std::time::Duration) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn accept_failures_are_told_apart_by_whom_they_concern() {
        for (number, want) in [
            (libc::EMFILE, AcceptFailure::Exhausted),
            (libc::ENFILE, AcceptFailure::Exhausted),
            (libc::ENOBUFS, AcceptFailure::Exhausted),
            (libc::ENOMEM, AcceptFailure::Exhausted),
            (libc::ECONNABORTED, AcceptFailure::Connection),
            (libc::EINTR, AcceptFailure::Connection),
            (libc::EPERM, AcceptFailure::Connection), // a firewall's answer
            (libc::ENETUNREACH, AcceptFailure::Connection),
            (libc::EBADF, AcceptFailure::Fatal),
            (libc::EINVAL, AcceptFailure::Fatal), // not listening
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(accept_failure(&error), want, "{error}");
        }
    }
}
