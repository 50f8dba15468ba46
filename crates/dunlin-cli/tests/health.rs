//! `dunlin health` against servers of this process, over real sockets.

mod support;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use dunlin_grpc::intercept::{CallView, Interceptor, Interest};
use dunlin_grpc::{CallKind, Method, Status};
use dunlin_proto::grpc::health::v1::health_check_response::ServingStatus as WireStatus;
use dunlin_proto::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use dunlin_server::tls::{ClientCerts, ServerTls};
use dunlin_server::{Builder, Server, ServerContext, ShutdownHandle};
use dunlin_services::HealthReporter;
use dunlin_transport::tls::{Identity, TrustRoots};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::{Folder, Run};
use tokio::runtime::Runtime;

const CHECK: Method =
    Method::new("grpc.health.v1.Health", "Check", "/grpc.health.v1.Health/Check", CallKind::Unary);

/// A server that lives as long as this.
struct Served {
    address: String,
    handle: ShutdownHandle,
    _runtime: Runtime,
}

fn serve_on(address: &str, builder: Builder) -> Served {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bound = runtime.block_on(builder.bind(address)).unwrap();
    let (address, handle) = (bound.local_addr().to_string(), bound.shutdown_handle());
    runtime.spawn(bound.serve());
    Served { address, handle, _runtime: runtime }
}

fn serve(builder: Builder) -> Served {
    serve_on("127.0.0.1:0", builder)
}

/// `good` and the server itself serve, `bad` does not.
fn reporter() -> HealthReporter {
    let health = HealthReporter::new();
    health.set_serving("good");
    health.set_not_serving("bad");
    health
}

fn health() -> Served {
    serve(Server::builder().add_service(reporter().service()))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
    command.arg("health").args(arguments);
    // A proxy of the machine is not meant for loopback.
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command
}

fn dunlin(arguments: &[&str]) -> Run {
    support::run(&mut command(arguments))
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn one_service_is_told_as_the_probe_does() {
    let server = health();
    let to = server.address.as_str();
    let addr = format!("-addr={to}");
    let serving = "status: SERVING\n";
    let unhealthy = "service unhealthy (responded with \"NOT_SERVING\")\n";
    for (arguments, code, stderr) in [
        (vec![addr.as_str()], 0, serving),
        (vec![&addr, "-service=good"], 0, serving),
        (vec!["--addr", to, "--service", "good"], 0, serving),
        (vec!["-service", "bad", "-addr", to], 4, unhealthy),
        (vec![to], 0, serving),
        (vec![to, "good"], 0, serving),
        (vec!["good", &addr], 0, serving), // with -addr all the rest are services
        (vec![to, "-connect-timeout", "2s", "bad", "-rpc-timeout=1500ms"], 4, unhealthy),
        (vec![&addr, "-tls=false"], 0, serving),
        (vec![&addr, "-plaintext"], 0, serving),
    ] {
        assert_eq!(dunlin(&arguments), Run::new(code, "", stderr), "{arguments:?}");
    }
}

#[test]
fn several_services_are_data() {
    let server = health();
    let found = dunlin(&[&server.address, "good", "", "bad"]);
    assert_eq!(found, Run::new(4, "good: SERVING\n(server): SERVING\nbad: NOT_SERVING\n", ""));
    // A call that failed counts more.
    let found = dunlin(&[&server.address, "bad", "none"]);
    assert_eq!(found.code, 3);
    assert!(found.stdout.starts_with("bad: NOT_SERVING\nnone: NOT_FOUND: "), "{found:?}");
}

#[test]
fn json_has_an_object_for_each_line() {
    let server = health();
    let good = "{\"service\":\"good\",\"status\":\"SERVING\"}\n";
    assert_eq!(dunlin(&["--json", &server.address, "good"]), Run::new(0, good, ""));
    let found = dunlin(&["--json", &server.address, "good", "none"]);
    let lines: Vec<serde_json::Value> =
        found.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((found.code, lines.len(), found.stderr.as_str()), (3, 2, ""));
    assert_eq!(lines[1]["error"]["code"], 5);
    assert_eq!(lines[1]["error"]["name"], "NOT_FOUND");
    let found = dunlin(&["-json", &nobody(), "-connect-timeout=100ms"]);
    let object: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((found.code, &object["stage"], &object["exitCode"]), (2, &"connect".into(), &2.into()));
}

#[test]
fn all_services_are_listed() {
    let server = health();
    let found = dunlin(&[&server.address, "--list"]);
    assert_eq!(found, Run::new(4, "(server): SERVING\nbad: NOT_SERVING\ngood: SERVING\n", ""));
    let found = dunlin(&["--list", "--json", &server.address]);
    assert!(found.stdout.contains("{\"service\":\"bad\",\"status\":\"NOT_SERVING\"}\n"), "{found:?}");
}

#[test]
fn calls_that_fail_end_with_three_and_a_cure() {
    let server = health();
    let found = dunlin(&[&server.address, "none"]);
    assert_eq!((found.code, found.stdout.as_str()), (3, ""));
    assert!(found.stderr.contains("error: rpc: ") && found.stderr.contains("--list"), "{}", found.stderr);

    let empty = serve(Server::builder().methods(|_| {}));
    for arguments in [vec![empty.address.as_str()], vec![&empty.address, "--watch"]] {
        let found = dunlin(&arguments);
        assert_eq!(found.code, 3, "{arguments:?}: {found:?}");
        assert!(found.stderr.contains("has no grpc.health.v1.Health"), "{}", found.stderr);
    }
    let found = dunlin(&[&empty.address, "--list"]);
    assert!(found.code == 3 && found.stderr.contains("by their names"), "{found:?}");

    let slow = serve(Server::builder().methods(|methods| {
        methods.unary(CHECK, |cx: ServerContext, _: HealthCheckRequest| async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            (cx, Ok(HealthCheckResponse::default()))
        });
    }));
    let found = dunlin(&[&slow.address, "-rpc-timeout", "100ms"]);
    assert!(found.code == 3 && found.stderr.contains("-rpc-timeout allows more"), "{found:?}");
}

#[test]
fn headers_and_compressed_requests_arrive() {
    let server = serve(Server::builder().methods(|methods| {
        methods.unary(CHECK, |cx: ServerContext, _: HealthCheckRequest| async move {
            let agent = cx.metadata().get("user-agent").unwrap_or_default().to_owned();
            let is_right = cx.metadata().get("x-one") == Some("1: a")
                && cx.metadata().get("x-two") == Some("2")
                && cx.request_info().is_compressed
                && agent.starts_with("mine/1 ");
            let status = if is_right { WireStatus::SERVING } else { WireStatus::NOT_SERVING };
            (cx, Ok::<_, Status>(HealthCheckResponse { status, ..Default::default() }))
        });
    }));
    let headers = ["-rpc-header=X-One: 1: a", "-rpc-header", "x-two:2", "-user-agent=mine/1", "-gzip"];
    let found = dunlin(&[&[server.address.as_str(), "a service of some length, so that it is compressed at all: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], &headers[..]].concat());
    assert_eq!(found, Run::new(0, "", "status: SERVING\n"));
    assert_eq!(dunlin(&[&server.address]).code, 4, "the server does not look");
}

#[test]
fn without_a_connection_it_ends_with_two() {
    let closed = nobody();
    let found = dunlin(&[&closed, "-connect-timeout=150ms"]);
    assert_eq!(found.code, 2);
    assert!(found.stderr.contains("error: connect: ") && found.stderr.contains(&closed), "{}", found.stderr);

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let found = dunlin(&[&silent.local_addr().unwrap().to_string(), "-connect-timeout=200ms"]);
    assert!(found.code == 2 && found.stderr.contains("-connect-timeout allows more"), "{found:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn arguments_that_make_no_sense_end_with_one() {
    for (arguments, said) in [
        (vec![], "no address"),
        (vec!["-nope", "a:1"], "nope"),
        (vec!["a:1", "-connect-timeout=0s"], "greater than zero"),
        (vec!["a:1", "-rpc-timeout=soon"], "500ms"),
        (vec!["a:1", "-rpc-header=x"], "name: value"),
        (vec!["a:1", "-rpc-header=x y: 1"], "x y"),
        (vec!["a:1", "-tls-no-verify"], "add -tls"),
        (vec!["a:1", "-tls", "-plaintext"], "cannot be used with"),
        (vec!["a:1", "-tls-ca-cert=x"], "add -tls"),
        (vec!["a:1", "-tls-server-name=x"], "add -tls"),
        (vec!["a:1", "-tls", "-tls-client-cert=x"], "--tls-client-key"),
        (vec!["a:1", "-tls", "-tls-client-key=x"], "--tls-client-cert"),
        (vec!["a:1", "-tls", "-tls-no-verify", "-tls-ca-cert=x"], "cannot be used with"),
        (vec!["a:1", "-tls", "-tls-ca-cert=/no/such.pem"], "/no/such.pem"),
        (vec!["http://a:1", "-tls"], "clear text"),
        (vec!["http://a:1/p.S"], "nothing may follow"),
        (vec!["a:1", "--list", "x"], "--list"),
        (vec!["a:1", "--watch", "--wait", "1s"], "cannot be used with"),
    ] {
        let found = dunlin(&arguments);
        assert_eq!((found.code, found.stdout.as_str()), (1, ""), "{arguments:?}: {}", found.stderr);
        assert!(found.stderr.contains(said), "{arguments:?}: {}", found.stderr);
    }
    let help = dunlin(&["--help"]);
    assert!(help.code == 0 && help.stdout.contains("Exit codes: 0 serving"), "{help:?}");
}

/// Tells of each call that is asked.
struct Asked(Mutex<mpsc::Sender<()>>);

impl Interceptor for Asked {
    fn interest(&self) -> Interest {
        Interest::ENDS
    }

    fn on_start(&self, _: &dyn CallView) {
        // Whoever counted them may have gone.
        let _ = self.0.lock().unwrap().send(());
    }
}

#[test]
fn wait_ends_when_all_are_serving_or_the_time_is_over() {
    let reporter = reporter();
    let (asked, asks) = mpsc::channel();
    let server =
        serve(Server::builder().add_service(reporter.service()).interceptor(Asked(Mutex::new(asked))));
    let start = Instant::now();
    let found = dunlin(&["--wait", "1s", &server.address, "bad"]);
    assert_eq!(found.code, 4);
    assert!(start.elapsed() > Duration::from_millis(500));
    // What the server does not know may come.
    assert_eq!(dunlin(&["--wait", "1s", &server.address, "late"]).code, 3);

    asks.try_iter().for_each(drop);
    let mut waiting = command(&["--wait=30s", &server.address, "good", "bad"]);
    let mut waiting = waiting.stdout(Stdio::piped()).spawn().unwrap();
    // Each connection is given up before the next but one.
    for _ in 0..10 {
        asks.recv_timeout(Duration::from_secs(20)).unwrap();
    }
    assert_eq!(waiting.try_wait().unwrap(), None, "bad is not serving yet");
    assert!(server.handle.connection_count() <= 2, "{}", server.handle.connection_count());
    reporter.set_serving("bad");
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
}

#[test]
fn wait_is_for_servers_that_are_not_there_yet() {
    let address = nobody();
    let found = dunlin(&["--wait", "300ms", &address]);
    assert!(found.code == 2 && found.stderr.contains("error: connect: "), "{found:?}");

    let mut waiting = command(&["--wait", "30s", &address]).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(waiting.try_wait().unwrap(), None, "there is no server yet");
    let _server = serve_on(&address, Server::builder().add_service(reporter().service()));
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
}

/// A process that is ended with this.
struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watch_tells_changes_as_they_come() {
    let reporter = reporter();
    let server = serve(Server::builder().add_service(reporter.service()));
    let child = command(&["--watch", &server.address, "bad"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut watching = Watching(child);
    let mut lines = BufReader::new(watching.0.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "bad: NOT_SERVING");
    reporter.set_serving("bad");
    assert_eq!(next(), "bad: SERVING");
    reporter.remove("bad");
    assert_eq!(next(), "bad: SERVICE_UNKNOWN");
}

#[test]
fn watch_tells_of_several_services() {
    let server = health();
    let child = command(&["--watch", "--json", &server.address, "good", "bad"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut watching = Watching(child);
    let lines = BufReader::new(watching.0.stdout.take().unwrap()).lines();
    let mut found: Vec<String> = lines.take(2).map(Result::unwrap).collect();
    found.sort();
    let wanted = [r#"{"service":"bad","status":"NOT_SERVING"}"#, r#"{"service":"good","status":"SERVING"}"#];
    assert_eq!(found, wanted);
}

/// An authority, and files of what it signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key.
    fn signed(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn server(&self, certs: ClientCerts) -> Served {
        let (certificate, key) = self.signed("shop.test");
        let identity = Identity::from_pem(certificate, key);
        let tls = ServerTls::builder().identity(identity).client_certs(certs).build().unwrap();
        serve(Server::builder().tls(tls).add_service(reporter().service()))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn tls_checks_the_server_unless_it_is_told_not_to() {
    let authority = Authority::new();
    let server = authority.server(ClientCerts::None);
    let folder = Folder::new(&[("ca.pem", &authority.pem)]);
    let (to, ca) = (server.address.as_str(), folder.path().join("ca.pem"));
    let ca = format!("-tls-ca-cert={}", text(&ca));
    let serving = Run::new(0, "", "status: SERVING\n");
    assert_eq!(dunlin(&[to, "-tls", &ca, "-tls-server-name=shop.test"]), serving);
    assert_eq!(dunlin(&[to, "-tls", "-tls-no-verify"]), serving);
    assert_eq!(dunlin(&[&format!("grpcs://{to}"), "-tls-no-verify"]), serving);
    for (arguments, said) in [
        (vec![to, "-tls"], "-tls-ca-cert"),
        (vec![to, "-tls", &ca, "-tls-server-name=other.test"], "-tls-server-name"),
        (vec![to, "-connect-timeout=500ms"], "add -tls"),
    ] {
        let found = dunlin(&arguments);
        assert!(found.code == 2 && found.stderr.contains(said), "{arguments:?}: {found:?}");
    }
    let plain = health();
    let found = dunlin(&[&plain.address, "-tls", "-tls-no-verify"]);
    assert!(found.code == 2 && found.stderr.contains("leave out -tls"), "{found:?}");
}

#[test]
fn servers_that_want_to_know_who_asks_are_shown_a_certificate() {
    let authority = Authority::new();
    let server = authority.server(ClientCerts::Required(TrustRoots::from_pem(&authority.pem)));
    let (certificate, key) = authority.signed("probe");
    let (other_certificate, other_key) = Authority::new().signed("probe");
    let folder = Folder::new(&[
        ("client.pem", &certificate),
        ("client.key", &key),
        ("other.pem", &other_certificate),
        ("other.key", &other_key),
    ]);
    let ask = |certificate: &str, key: &str| {
        let certificate = format!("-tls-client-cert={}", text(&folder.path().join(certificate)));
        let key = format!("-tls-client-key={}", text(&folder.path().join(key)));
        dunlin(&[&server.address, "-tls", "-tls-no-verify", &certificate, &key])
    };
    assert_eq!(ask("client.pem", "client.key"), Run::new(0, "", "status: SERVING\n"));
    let strange = ask("other.pem", "other.key");
    assert!(strange.code == 2 && strange.stderr.contains("-tls-client-cert"), "{strange:?}");
    let nobody = dunlin(&[&server.address, "-tls", "-tls-no-verify"]);
    assert!(nobody.code == 2 && nobody.stderr.contains("-tls-client-cert"), "{nobody:?}");
    let mixed = ask("client.pem", "other.key");
    assert!(mixed.code == 1 && mixed.stderr.contains("client.pem"), "{mixed:?}");
}
