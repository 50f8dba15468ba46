//! An acceptor in a process that is out of descriptors. It has a file, and so a process, of its own:
//! the limit is one of the whole process.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::net::TcpStream;

use dunlin_transport::{Acceptor, Listener, ListenerOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[tokio::test]
async fn out_of_descriptors_an_acceptor_waits_and_goes_on_when_there_are_some() {
    let endpoint = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&endpoint, &ListenerOptions::default()).await.unwrap();
    let mut acceptor = Acceptor::builder().build(listener);
    let address = acceptor.local_addr().ip().unwrap();
    let handle = acceptor.handle();

    // The kernel completes these; their other ends do not need descriptors until they are accepted.
    let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    // Room for one connection: new descriptors must be below the limit, and all below it are taken.
    let room = File::open("/dev/null").unwrap();
    let limit = u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&room)).unwrap() + 1;
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), ..before }).unwrap();
    let mut fillers = Vec::new();
    while let Ok(filler) = File::open("/dev/null") {
        fillers.push(filler);
    }
    drop(room);

    let first = acceptor.next().await.unwrap().expect("nobody has stopped it");
    assert_eq!(handle.counts().exhausted, 0);
    let out = async {
        while handle.counts().exhausted < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        accepted = acceptor.next() => panic!("accepted without a descriptor: {accepted:?}"),
        () = out => {}
    }
    drop(first);
    let second = acceptor.next().await.unwrap().expect("nobody has stopped it");
    setrlimit(Resource::Nofile, before).unwrap();
    let third = acceptor.next().await.unwrap().expect("nobody has stopped it");
    let peers: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap().into()).collect();
    assert_eq!([&second.info.peer, &third.info.peer], [&peers[1], &peers[2]]);
    assert_eq!(handle.counts().accepted, 3);
}
