//! Header lists of HTTP/2 as the types of the crate `http`, and back.

use dunlin_http2::{Field, Fields, HeaderList, InvalidField, Malformed};
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};

/// Fields that only concern the connection that they came on (RFC 9113 §8.2.2).
pub(super) fn is_of_connection(name: &HeaderName) -> bool {
    matches!(*name, header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// The headers of a request as HTTP/2 has them.
///
/// # Errors
/// What makes it malformed.
pub(super) fn list_of_request(head: &Parts) -> Result<HeaderList, Malformed> {
    let authority = head.uri.authority().map(Authority::as_str);
    let host = || head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let pseudo = [
        (":method", head.method.as_str()),
        (":scheme", head.uri.scheme_str().unwrap_or("http")),
        (":path", path),
        (":authority", authority.or_else(host).unwrap_or_default()),
    ];
    let pseudo = pseudo.into_iter().filter(|(_, value)| !value.is_empty());
    let kept = head.headers.iter().filter(|(name, value)| match **name {
        // It is the authority, or differs from it.
        header::HOST => false,
        // Of the content as it came; what layers make of it may have another.
        header::CONTENT_LENGTH => false,
        header::TE => *value == "trailers",
        _ => !is_of_connection(name),
    });
    let kept = kept.map(|(name, value)| {
        let field = Field::new(name.as_str(), value.as_bytes());
        if value.is_sensitive() { field.sensitive() } else { field }
    });
    HeaderList::of_request(pseudo.map(|(name, value)| Field::new(name, value)).chain(kept))
}

/// A request as it came over HTTP/2; `None` if its target is none for the crate `http`.
pub(super) fn request_of_list(list: &HeaderList) -> Option<Request<()>> {
    let path = list.path().unwrap_or("/");
    let full = || {
        let scheme: Scheme = list.scheme()?.parse().ok()?;
        let authority: Authority = list.authority()?.parse().ok()?;
        Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
    };
    // A name that is no authority does not keep a call from being served.
    let uri = full().or_else(|| path.parse().ok())?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(list.method()?.as_bytes()).ok()?;
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = map_of_list(list);
    Some(request)
}

/// All fields but the pseudo-header fields. What the engine has taken is legal, so nothing is lost here
/// but values that the crate `http` has stricter rules for.
pub(super) fn map_of_list(list: &HeaderList) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(list.len());
    for field in list.iter().filter(|field| !field.name.starts_with(':')) {
        if let Ok((name, value)) = field_of(field.name, field.value, field.is_sensitive) {
            map.append(name, value);
        }
    }
    map
}

/// Fields to send: the status, if it is the head of a response, and the others.
///
/// # Errors
/// Names a field that can not be sent.
pub(super) fn map_of_fields(fields: Fields<'_>) -> Result<(Option<StatusCode>, HeaderMap), InvalidField> {
    let (mut status, mut map) = (None, HeaderMap::with_capacity(8));
    for field in fields.all() {
        if field.name == ":status" {
            status = StatusCode::from_bytes(field.value).ok();
            continue;
        }
        let (name, value) = field_of(field.name, field.value, field.is_sensitive)?;
        map.append(name, value);
    }
    Ok((status, map))
}

fn field_of(name: &str, value: &[u8], is_sensitive: bool) -> Result<(HeaderName, HeaderValue), InvalidField> {
    let invalid = || InvalidField { name: name.to_owned() };
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    let mut value = HeaderValue::from_bytes(value).map_err(|_| invalid())?;
    value.set_sensitive(is_sensitive);
    Ok((header, value))
}

/// Fields of a map, to be sent over HTTP/2.
pub(super) fn fields_of_map(map: &HeaderMap) -> impl Iterator<Item = Field<'_>> {
    map.iter().filter(|(name, _)| !is_of_connection(name)).map(|(name, value)| {
        let field = Field::new(name.as_str(), value.as_bytes());
        if value.is_sensitive() { field.sensitive() } else { field }
    })
}

/// Whether whoever asks knows what a gRPC status is.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    value.and_then(|value| value.split_at_checked(GRPC.len())).is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b';', ..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_to_http_types_and_back() {
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/shop.Shop/Buy?now"),
            (":authority", "shop.test:443"),
            ("te", "trailers"),
            ("x-tag", "one"),
            ("x-tag", "two"),
        ];
        let list = HeaderList::of_request(fields.map(|(name, value)| Field::new(name, value))).unwrap();
        let request = request_of_list(&list).unwrap();
        assert_eq!(request.uri(), "https://shop.test:443/shop.Shop/Buy?now");
        let back = list_of_request(&request.into_parts().0).unwrap();
        assert_eq!(back, list);
    }

    #[test]
    fn what_concerns_another_connection_does_not_come_along() {
        let request = Request::post("/a.B/C")
            .header("host", "shop.test")
            .header("connection", "keep-alive, te")
            .header("keep-alive", "timeout=5")
            .header("te", "gzip")
            .header("content-length", "7")
            .header("x-kept", "1");
        let list = list_of_request(&request.body(()).unwrap().into_parts().0).unwrap();
        let names: Vec<&str> = list.iter().map(|field| field.name).collect();
        assert_eq!(names, [":method", ":scheme", ":path", ":authority", "x-kept"]);
        assert_eq!(list.authority(), Some("shop.test"));
    }

    #[test]
    fn content_types_of_grpc_are_told_from_others() {
        for (value, wanted) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false), // it has trailers of its own kind
            ("text/html", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_grpc(&headers), wanted, "{value}");
        }
    }
}
