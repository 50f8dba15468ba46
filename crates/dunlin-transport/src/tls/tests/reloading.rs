//! New files while serving.

use std::path::Path;
use std::time::Duration;

use super::*;

/// Files in a folder of their own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// At one stroke, so that a watcher sees either the old text or the new one.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn write_pair(&self, pair: &Pair) {
        self.write("tls.crt", &pair.certificate);
        self.write("tls.key", &pair.key);
    }

    fn identity(&self) -> Identity {
        Identity::from_pem_files(self.path("tls.crt"), self.path("tls.key"))
    }
}

/// Whether a client that trusts `authority` is served.
async fn serves(server: &ServerTls, authority: &Authority) -> bool {
    let client = client_of(authority).build().unwrap();
    handshake(&client, server, "shop.test").await.client.is_ok()
}

#[tokio::test]
async fn a_reload_replaces_the_certificate_and_a_bad_file_keeps_the_old_one() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = Folder::new();
    folder.write_pair(&old.server(&["shop.test"]));
    let server = ServerTls::builder().identity(folder.identity()).build().unwrap();
    assert!(serves(&server, &old).await);

    folder.write("tls.crt", "not PEM at all");
    let error = server.reload().unwrap_err();
    assert!(matches!(error, TlsConfigError::NoCertificate { .. }), "{error}");
    assert!(serves(&server, &old).await);

    folder.write_pair(&new.server(&["shop.test"]));
    server.reload().unwrap();
    assert!(serves(&server, &new).await && !serves(&server, &old).await);
    let counts = server.reload_counts();
    assert_eq!((counts.reloaded, counts.failed), (1, 1));
}

#[tokio::test]
async fn a_reload_replaces_the_authority_of_clients_and_forgets_the_sessions_it_vouched_for() {
    let (authority, next) = (Authority::new(), Authority::new());
    let folder = Folder::new();
    folder.write("ca.crt", authority.pem());
    let server = server_for(&authority.server(&["shop.test"]))
        .client_certs(ClientCerts::Required(TrustRoots::from_pem_file(folder.path("ca.crt"))))
        .build()
        .unwrap();
    let client = client_of(&authority).identity(authority.client().identity()).build().unwrap();
    handshake(&client, &server, "shop.test").await.both().await;
    // The authority is the same, and so the session goes on.
    server.reload().unwrap();
    let (_, info) = handshake(&client, &server, "shop.test").await.both().await;
    assert!(info.resumed);

    folder.write("ca.crt", next.pem());
    server.reload().unwrap();
    let error = handshake(&client, &server, "shop.test").await.server.unwrap_err();
    assert!(matches!(error, TlsHandshakeError::PeerCertificate { .. }), "{error}");
}

#[tokio::test]
async fn a_reload_of_the_client_replaces_its_roots_and_its_certificate() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = Folder::new();
    folder.write("ca.crt", old.pem());
    folder.write_pair(&old.client());
    let client = ClientTls::builder()
        .roots(TrustRoots::from_pem_file(folder.path("ca.crt")))
        .identity(folder.identity())
        .build()
        .unwrap();
    let server = server_for(&new.server(&["shop.test"]))
        .client_certs(ClientCerts::Required(TrustRoots::from_pem(new.pem())))
        .build()
        .unwrap();
    handshake(&client, &server, "shop.test").await.client.expect_err("its issuer is unknown yet");
    folder.write("ca.crt", new.pem());
    folder.write_pair(&new.client());
    client.reload().unwrap();
    handshake(&client, &server, "shop.test").await.both().await;
}

/// Waits, in the runtime's own time, until the counts are as wanted.
async fn until(server: &ServerTls, reloaded: u64, failed: u64) {
    let reached = async {
        while (server.reload_counts().reloaded, server.reload_counts().failed) != (reloaded, failed) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3600), reached).await.expect("the watcher has looked often");
}

#[tokio::test(start_paused = true)]
async fn watched_files_are_reloaded_when_they_change_and_reported_once_when_they_are_bad() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = Folder::new();
    folder.write_pair(&old.server(&["shop.test"]));
    let server = ServerTls::builder().identity(folder.identity()).build().unwrap();
    let watch = server.watch_files(Duration::from_secs(1));
    // The certificate comes first and does not fit the key; then the key comes.
    let pair = new.server(&["shop.test"]);
    folder.write("tls.crt", &pair.certificate);
    until(&server, 0, 1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.reload_counts().failed, 1);
    assert!(serves(&server, &old).await);
    folder.write("tls.key", &pair.key);
    until(&server, 1, 1).await;
    assert!(serves(&server, &new).await);

    drop(watch);
    // A look that was under way ends before the paused time goes on.
    tokio::time::sleep(Duration::from_secs(1)).await;
    std::fs::remove_file(folder.path("tls.key")).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(server.reload_counts().failed, 1);
}

#[tokio::test(start_paused = true)]
#[cfg(unix)]
async fn a_folder_exchanged_behind_a_link_is_noticed() {
    let (old, new) = (Authority::new(), Authority::new());
    let (one, two, links) = (Folder::new(), Folder::new(), Folder::new());
    one.write_pair(&old.server(&["shop.test"]));
    two.write_pair(&new.server(&["shop.test"]));
    let link = |to: &Path| std::os::unix::fs::symlink(to, links.path("data")).unwrap();
    link(one.0.path());
    let files = (links.path("data").join("tls.crt"), links.path("data").join("tls.key"));
    let server = ServerTls::from_pem_files(files.0, files.1).unwrap();
    server.watch_files(Duration::from_secs(1)).forever();
    std::fs::remove_file(links.path("data")).unwrap();
    link(two.0.path());
    until(&server, 1, server.reload_counts().failed).await;
    assert!(serves(&server, &new).await);
}
