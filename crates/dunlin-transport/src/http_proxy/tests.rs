use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::io::Io;
use crate::pipe;

#[test]
fn base64_is_that_of_the_rfc() {
    for (bytes, want) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
        ("\u{7ff}\u{7fe}", "37/fvg=="),
    ] {
        assert_eq!(base64(bytes.as_bytes()), want);
    }
}

#[test]
fn proxies_are_read_as_environments_write_them() {
    let plain = |endpoint: &str| HttpProxy::new(endpoint.parse().unwrap());
    for (given, want) in [
        ("http://proxy.corp:3128", Ok(plain("proxy.corp:3128"))),
        ("HTTP://proxy.corp:3128/", Ok(plain("proxy.corp:3128"))),
        ("proxy.corp:3128", Ok(plain("proxy.corp:3128"))),
        ("http://proxy.corp", Ok(plain("proxy.corp:80"))),
        ("http://[::1]:3128", Ok(plain("[::1]:3128"))),
        ("http://[::1]", Ok(plain("[::1]:80"))),
        ("http://bob:s%40cret@proxy:1", Ok(plain("proxy:1").basic_auth("bob", "s@cret"))),
        ("http://bob:a:b@proxy:1", Ok(plain("proxy:1").basic_auth("bob", "a:b"))),
        ("http://bob@proxy:1", Ok(plain("proxy:1").basic_auth("bob", ""))),
        ("http://bob:1%zz@proxy:1", Err(ProxyConfigError::UserInfo)),
        ("http://bob:1%4@proxy:1", Err(ProxyConfigError::UserInfo)),
        ("http://bob:%ff@proxy:1", Err(ProxyConfigError::UserInfo)), // not UTF-8
        ("https://proxy:1", Err(ProxyConfigError::Scheme { scheme: "https".into() })),
        ("socks5://proxy:1", Err(ProxyConfigError::Scheme { scheme: "socks5".into() })),
        ("http://", Err(ProxyConfigError::Endpoint(EndpointError::Empty))),
    ] {
        assert_eq!(given.parse::<HttpProxy>(), want, "{given}");
    }
}

#[test]
fn credentials_are_not_shown() {
    let proxy: HttpProxy = "http://bob:secret@proxy:1".parse().unwrap();
    let shown = format!("{proxy:?}");
    assert!(!shown.contains("secret") && !shown.contains("Basic"), "{shown}");
}

#[test]
fn no_proxy_matches_as_its_table_says() {
    for (list, host, port, want) in [
        ("", "example.com", 443, false),
        ("example.com", "example.com", 443, true),
        ("example.com", "EXAMPLE.com.", 443, true),
        ("example.com", "www.example.com", 443, true),
        ("example.com", "badexample.com", 443, false), // a suffix, but not below
        ("example.com", "example.com.evil.net", 443, false),
        (".example.com", "example.com", 443, false),
        (".example.com", "www.example.com", 443, true),
        ("*.example.com", "a.b.example.com", 443, true),
        ("*.example.com", "example.com", 443, false),
        ("*", "example.com", 443, true),
        ("*", "192.0.2.1", 443, true),
        ("*:80", "example.com", 443, false),
        ("other.net, example.com", "example.com", 443, true), // comma and space
        ("other.net example.com", "example.com", 443, true),
        ("example.com:443", "example.com", 443, true),
        ("example.com:443", "example.com", 80, false),
        ("example.com:https", "example.com", 443, false), // no port, so no host either
        ("192.0.2.1", "192.0.2.1", 443, true),
        ("192.0.2.1", "192.0.2.10", 443, false),
        ("0.2.1", "192.0.0.2.1", 443, true), // a name that looks like a piece of an address
        ("2.1", "192.0.2.1", 443, false),    // and is not one
        ("192.0.2.1:80", "192.0.2.1", 443, false),
        ("192.0.2.0/24", "192.0.2.77", 443, true),
        ("192.0.2.0/24", "192.0.3.77", 443, false),
        ("192.0.2.0/24", "host.example", 443, false), // nothing is looked up
        ("2001:db8::/32", "2001:db8::7", 443, true),
        ("2001:db8::7", "2001:db8:0::7", 443, true),
        ("[2001:db8::7]:443", "2001:db8::7", 443, true),
        ("[2001:db8::7]:443", "2001:db8::7", 80, false),
        ("", "localhost", 443, true),
        ("", "127.8.8.8", 443, true),
        ("", "::1", 443, true),
        ("", "::ffff:127.0.0.1", 443, true),
        (".", "example.com", 443, false),
    ] {
        assert_eq!(NoProxy::parse(list).matches(host, port), want, "{list:?} {host} {port}");
    }
}

#[test]
fn settings_choose_the_proxy_per_endpoint() {
    let settings = ProxySettings::from_values(Some("http://proxy:1"), Some("direct.net")).unwrap();
    for (endpoint, want) in [
        ("shop.test:443", true),
        ("direct.net:443", false),
        ("192.0.2.1:443", true),
        ("127.0.0.1:443", false),
        ("unix:/run/a.sock", false),
    ] {
        assert_eq!(settings.proxy_for(&endpoint.parse().unwrap()).is_some(), want, "{endpoint}");
    }
    for absent in [None, Some(""), Some("  ")] {
        assert_eq!(ProxySettings::from_values(absent, None), Ok(ProxySettings::default()));
    }
}

/// Asks a proxy that answers with `answer` and then closes; gives what the proxy saw, too.
async fn ask(proxy: &HttpProxy, answer: &[u8]) -> (String, Result<String, TunnelError>) {
    let (near, mut far) = pipe::pair(64 * 1024);
    far.write_all(answer).await.unwrap();
    far.shutdown().await.unwrap();
    let result = match proxy.tunnel(Io::Pipe(near), "shop.test:443").await {
        Ok(mut io) => {
            let mut rest = String::new();
            io.read_to_string(&mut rest).await.unwrap();
            Ok(rest)
        }
        Err(error) => Err(error),
    };
    let mut request = String::new();
    far.read_to_string(&mut request).await.unwrap();
    (request, result)
}

fn proxy() -> HttpProxy {
    "http://proxy:1".parse().unwrap()
}

#[tokio::test]
async fn the_request_names_the_host_and_carries_the_credentials() {
    let (request, result) = ask(&proxy(), b"HTTP/1.1 200 OK\r\n\r\n").await;
    assert_eq!(request, "CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test:443\r\n\r\n");
    assert_eq!(result.unwrap(), "");
    let (request, _) = ask(&proxy().basic_auth("Aladdin", "open sesame"), b"HTTP/1.1 200 OK\r\n\r\n").await;
    assert!(request.ends_with("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"));
}

#[tokio::test]
async fn what_follows_the_head_belongs_to_the_tunnel() {
    for head in [
        "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n",
        "HTTP/1.0 200\r\n\r\n",
        "HTTP/1.1 299 \r\ncontent-length: 4\r\n\r\n", // a body's length means nothing here
        "HTTP/1.1 200 OK\n\n",                        // lone line feeds
        "HTTP/1.1 200 OK\r\nA: b\n\r\n",
    ] {
        let (_, result) = ask(&proxy(), format!("{head}SETTINGS").as_bytes()).await;
        assert_eq!(result.unwrap(), "SETTINGS", "{head:?}");
    }
}

#[tokio::test]
async fn each_refusal_says_what_the_proxy_said() {
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(MAX_RESPONSE_HEAD));
    for (answer, want) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\nbody", "HTTP/1.1 403 Forbidden"),
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "http://user:password@proxy:port"),
        ("HTTP/1.1 502 \x1b[31mred\r\n\r\n", "502 \\x1b[31mred"), // cannot paint a terminal
        ("HTTP/1.1 20 OK\r\n\r\n", "did not answer"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "did not answer"),
        ("HTTP/1.1  200 OK\r\n\r\n", "did not answer"),
        ("SSH-2.0-OpenSSH\r\n", "SSH-2.0-OpenSSH"),
        ("HTTP/2 200\r\n\r\n", "did not answer"),
        ("HTTP/1.1 200 OK\r\n", "closed the connection"),
        ("", "closed the connection"),
        (&endless, "8192 bytes"),
    ] {
        let (_, result) = ask(&proxy(), answer.as_bytes()).await;
        let error = result.expect_err(answer).to_string();
        assert!(error.contains(want) && error.contains("shop.test:443"), "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn a_host_cannot_smuggle_header_lines_into_the_request() {
    let (near, _far) = pipe::pair(64);
    let error = proxy().tunnel(Io::Pipe(near), "shop.test:1\r\nX: y").await.unwrap_err();
    assert!(matches!(error, TunnelError::InvalidAuthority { .. }));
}
