//! Unix sockets as the platform has them.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use crate::address::Address;
use crate::io::Io;
use crate::listener::BindError;
use crate::options::{ListenerOptions, SocketOptions};
use crate::tcp;

/// A listening unix socket, and the file to take away at its end.
#[derive(Debug)]
pub(crate) struct UnixListening {
    listener: UnixListener,
    local: Address,
    file: Option<SocketFile>,
}

/// A socket's file, known by its inode: when another server has put its own in the same place, that
/// one must stay.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

pub(crate) async fn bind(address: &Address, options: &ListenerOptions) -> Result<UnixListening, BindError> {
    let step = |step| move |source| BindError::Socket { address: address.clone(), step, source };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(step("socket"))?;
    tcp::set_buffer_sizes(&socket, &options.socket).map_err(step("SO_SNDBUF or SO_RCVBUF"))?;
    let name = system_name(address).map_err(step("bind"))?;
    let raw = SockAddr::unix(&name).map_err(step("bind"))?;
    if let Err(error) = socket.bind(&raw) {
        let Address::UnixPath(path) = address else { return Err(step("bind")(error)) };
        if error.kind() != ErrorKind::AddrInUse {
            return Err(step("bind")(error));
        }
        remove_stale(path, address).await?;
        socket.bind(&raw).map_err(step("bind"))?;
    }
    let file = match address {
        Address::UnixPath(path) => Some(SocketFile::of(path).map_err(step("stat"))?),
        _ => None,
    };
    // Nobody can connect before `listen`, so the permissions are in force for the first who tries.
    if let (Some(file), Some(mode)) = (&file, options.unix_mode) {
        fs::set_permissions(&file.path, fs::Permissions::from_mode(mode)).map_err(step("chmod"))?;
    }
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX)).map_err(step("listen"))?;
    socket.set_nonblocking(true).map_err(step("registration with the runtime"))?;
    let listener = UnixListener::from_std(socket.into()).map_err(step("registration with the runtime"))?;
    Ok(UnixListening { listener, local: address.clone(), file })
}

/// Removes a socket file on which nobody listens.
async fn remove_stale(path: &Path, address: &Address) -> Result<(), BindError> {
    let step = |step| move |source| BindError::Socket { address: address.clone(), step, source };
    let metadata = fs::symlink_metadata(path).map_err(step("stat"))?;
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_owned() });
    }
    // Connecting waits while a listener's backlog is full, and then somebody does listen.
    match tokio::time::timeout(Duration::from_secs(1), UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {}
        Ok(Err(error)) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(Err(error)) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(step("probing the socket that is already there")(error));
        }
        _ => return Err(BindError::InUse { address: address.clone() }),
    }
    // Two servers that start together may both find it stale; the second must not take away what the
    // first has put there since.
    if SocketFile::of(path).is_ok_and(|file| file.inode == (metadata.dev(), metadata.ino())) {
        fs::remove_file(path).map_err(step("removing the stale socket"))?;
    }
    Ok(())
}

pub(crate) async fn connect(address: &Address, options: &SocketOptions) -> io::Result<(Io, Address)> {
    let stream = UnixStream::connect(system_name(address)?).await?;
    tcp::set_buffer_sizes(&SockRef::from(&stream), options)?;
    let local = stream.local_addr().map_or(Address::UnixUnnamed, to_address);
    Ok((Io::Unix(stream), local))
}

impl UnixListening {
    /// A socket that somebody else has bound, whose file stays when it ends.
    pub(crate) fn from_std(listener: StdUnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let local = to_address(listener.local_addr()?);
        Ok(Self { listener, local, file: None })
    }

    pub(crate) fn local_addr(&self) -> Address {
        self.local.clone()
    }

    /// Cancel safe.
    pub(crate) async fn accept(&self) -> io::Result<(UnixStream, Address)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((stream, to_address(peer)))
    }
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), inode: (metadata.dev(), metadata.ino()) })
    }
}

impl Drop for UnixListening {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        if SocketFile::of(&file.path).is_ok_and(|now| now.inode == file.inode) {
            // Best effort: a file that stays is found stale by the next server.
            let _ = fs::remove_file(&file.path);
        }
    }
}

fn to_address(address: tokio::net::unix::SocketAddr) -> Address {
    if let Some(path) = address.as_pathname() {
        return Address::UnixPath(path.to_owned());
    }
    abstract_name(&address).map_or(Address::UnixUnnamed, |name| Address::UnixAbstract(name.into()))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(address: &tokio::net::unix::SocketAddr) -> Option<&[u8]> {
    address.as_abstract_name()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_: &tokio::net::unix::SocketAddr) -> Option<&[u8]> {
    None
}

/// The name as the system takes it: abstract ones begin with a zero byte.
fn system_name(address: &Address) -> io::Result<PathBuf> {
    match address {
        Address::UnixPath(path) => Ok(path.clone()),
        Address::UnixAbstract(name) if cfg!(any(target_os = "linux", target_os = "android")) => {
            let bytes: Vec<u8> = std::iter::once(0).chain(name.iter().copied()).collect();
            Ok(PathBuf::from(OsStr::from_bytes(&bytes)))
        }
        Address::UnixAbstract(_) => {
            Err(io::Error::new(ErrorKind::Unsupported, "only Linux has abstract socket names"))
        }
        Address::UnixUnnamed | Address::Ip(_) | Address::InProcess => {
            Err(io::Error::new(ErrorKind::InvalidInput, "not the name of a unix socket"))
        }
    }
}
