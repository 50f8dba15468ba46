//! Names as users write them: full, or as much of their end as is enough.

use dunlin_grpc::dynamic::{MethodDescriptor, Schema};
use dunlin_protobuf::names::closest;

use super::failure::{Failure, Stage};
use super::schema::{Element, Found, LookupError, Source};

/// What the name stands for; an end of the name of a service or type is enough.
pub(crate) async fn any(source: &Source, name: &str) -> Result<Found, Failure> {
    match source.find(name).await {
        Ok(found) => return Ok(found),
        Err(LookupError::Failure(failure)) => return Err(failure),
        Err(LookupError::Unknown) => {}
    }
    let services = known_services(source).await;
    // `Svc/Method`, and the end of a service's name.
    let name = name.trim_start_matches(['.', '/']).replace('/', ".");
    if let Ok(found) = source.find(&name).await {
        return Ok(found);
    }
    let (head, method) = match name.rsplit_once('.') {
        Some((head, method)) => (head, Some(method)),
        None => (name.as_str(), None),
    };
    if let Some(service) = unique(&services, &name)? {
        return source.find(&service).await.map_err(|error| lookup(error, &service));
    }
    if let (Some(method), Some(service)) = (method, unique(&services, head)?)
        && let Ok(found) = source.find(&format!("{service}.{method}")).await
    {
        return Ok(found);
    }
    let known = source.known_names().await;
    if let Some(full) = unique(&known, &name)? {
        return source.find(&full).await.map_err(|error| lookup(error, &full));
    }
    Err(unknown("name", &name, if known.is_empty() { &services } else { &known }))
}

/// The service of this name.
pub(crate) async fn service(source: &Source, name: &str) -> Result<Found, Failure> {
    match source.find(name).await {
        Ok(found) if matches!(found.element, Element::Service(_)) => return Ok(found),
        Ok(found) => {
            return Err(Failure::local(
                Stage::Schema,
                format!("`{name}` is {}, not a service; `dunlin describe` shows it", found.kind()),
            ));
        }
        Err(LookupError::Failure(failure)) => return Err(failure),
        Err(LookupError::Unknown) => {}
    }
    let services = known_services(source).await;
    match unique(&services, name.trim_start_matches('.'))? {
        Some(full) => source.find(&full).await.map_err(|error| lookup(error, &full)),
        None => Err(unknown("service", name, &services)),
    }
}

/// The method of `pkg.Service/Method`, `pkg.Service.Method`, or an end of that.
pub(crate) async fn method(source: &Source, text: &str) -> Result<(Schema, MethodDescriptor), Failure> {
    let name = text.trim_start_matches(['.', '/']);
    let split = name.rsplit_once('/').or_else(|| name.rsplit_once('.'));
    let Some((service_name, method)) =
        split.filter(|(service, method)| !service.is_empty() && !method.is_empty())
    else {
        return method_alone(source, name).await;
    };
    let found = service(source, service_name).await?;
    let schema = Schema::new(found.pool.clone());
    let path = format!("{}/{method}", found.full_name);
    match schema.method(&path) {
        Ok(descriptor) => Ok((schema, descriptor)),
        Err(_) => {
            let methods: Vec<String> = schema
                .methods()
                .filter(|known| known.method().service() == found.full_name)
                .map(|known| known.method().name().to_owned())
                .collect();
            let is_same = |known: &&String| known.eq_ignore_ascii_case(method);
            let close = methods
                .iter()
                .find(is_same)
                .map(String::as_str)
                .or_else(|| closest(method, methods.iter().map(String::as_str)));
            let hint = match close {
                Some(close) => format!("did you mean `{}/{close}`?", found.full_name),
                None => format!("it has {}", list(&methods)),
            };
            Err(Failure::local(
                Stage::Schema,
                format!("service {} has no method `{method}`; {hint}", found.full_name),
            ))
        }
    }
}

/// A method without its service: the only one of that name.
async fn method_alone(source: &Source, name: &str) -> Result<(Schema, MethodDescriptor), Failure> {
    if name.is_empty() {
        return Err(Failure::Usage("the method is empty; write pkg.Service/Method".to_owned()));
    }
    let services = source.services().await?;
    let mut candidates = Vec::new();
    for service in &services {
        let Ok(found) = source.find(service).await else { continue };
        let schema = Schema::new(found.pool);
        if let Ok(method) = schema.method(&format!("{service}/{name}")) {
            candidates.push((schema, method));
        }
    }
    match candidates.len() {
        1 => Ok(candidates.remove(0)),
        0 => Err(Failure::local(
            Stage::Schema,
            format!(
                "no service has a method `{name}`; write pkg.Service/Method (`dunlin list` shows services)"
            ),
        )),
        _ => {
            let paths: Vec<String> = candidates
                .iter()
                .map(|(_, method)| method.method().path().trim_start_matches('/').to_owned())
                .collect();
            Err(Failure::local(Stage::Schema, format!("`{name}` could be {}", paths.join(" or "))))
        }
    }
}

/// What the sources list, for hints; nothing if they do not.
async fn known_services(source: &Source) -> Vec<String> {
    source.services().await.unwrap_or_default()
}

/// The only service whose name ends so.
fn unique(services: &[String], name: &str) -> Result<Option<String>, Failure> {
    let ending = format!(".{name}");
    let mut matching = services.iter().filter(|known| *known == name || known.ends_with(&ending));
    match (matching.next(), matching.next()) {
        (Some(only), None) => Ok(Some(only.clone())),
        (Some(one), Some(other)) => Err(Failure::local(
            Stage::Schema,
            format!("`{name}` could be {one} or {other}; write the whole name"),
        )),
        _ => Ok(None),
    }
}

fn lookup(error: LookupError, name: &str) -> Failure {
    match error {
        LookupError::Failure(failure) => failure,
        LookupError::Unknown => unknown("name", name, &[]),
    }
}

fn unknown(what: &str, name: &str, services: &[String]) -> Failure {
    let last = |full: &str| full.rsplit('.').next().unwrap_or(full).to_owned();
    let wanted = last(name);
    let same = services.iter().find(|known| last(known).eq_ignore_ascii_case(&wanted));
    let close = same.map(String::as_str).or_else(|| closest(name, services.iter().map(String::as_str)));
    let close = close.map(str::to_owned).or_else(|| {
        let ends: Vec<String> = services.iter().map(|known| last(known)).collect();
        let end = closest(&wanted, ends.iter().map(String::as_str))?.to_owned();
        services.iter().find(|known| last(known) == end).cloned()
    });
    let hint = match close {
        Some(close) => format!("did you mean `{close}`?"),
        None if services.is_empty() => "is it spelt right?".to_owned(),
        None => format!("known services are {}", list(services)),
    };
    Failure::local(Stage::Schema, format!("there is no {what} `{name}`; {hint}"))
}

/// As many names as help.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 10;
    match names {
        [] => "none".to_owned(),
        names if names.len() > SHOWN => {
            format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN)
        }
        names => names.join(", "),
    }
}
