//! The schema of a server: what it tells by reflection, what files say, or both.

mod files;
mod found;

use std::sync::Arc;

use dunlin_client::{CallOptions, CallReport, Channel, Client};
use dunlin_grpc::{Code, Metadata, causes};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::MessageView;
use dunlin_protobuf::table::{FieldTable, TableRef};
use dunlin_protobuf::{Reflect, Registry};
use dunlin_services::ReflectionClient;
use dunlin_services::reflection::FetchError;

use super::failure::{Failure, Stage};
use super::flags::SourceArgs;
pub(crate) use found::{Element, Found};

/// Where names are looked up.
#[derive(Debug)]
pub(crate) struct Source {
    server: Option<ReflectionClient>,
    files: Option<Arc<DynamicPool>>,
}

/// Why a name was not found.
#[derive(Debug)]
pub(crate) enum LookupError {
    /// Nobody knows it.
    Unknown,
    /// It could not be looked up.
    Failure(Failure),
}

impl From<Failure> for LookupError {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Source {
    /// The schema of the files that the flags name.
    pub(crate) fn files(args: &SourceArgs) -> Result<Option<Arc<DynamicPool>>, Failure> {
        if args.has_files() { files::read(args).map(Some) } else { Ok(None) }
    }

    /// What files have, and what the server of the channel tells.
    pub(crate) fn new(
        files: Option<Arc<DynamicPool>>,
        channel: Option<&Channel>,
        headers: Metadata,
        deadline: Option<std::time::Instant>,
    ) -> Self {
        let server = channel.map(|channel| {
            let mut options = CallOptions::new().extend_metadata(&headers);
            if let Some(deadline) = deadline {
                options = options.deadline(deadline);
            }
            ReflectionClient::new(Client::new(channel.clone()).with_options(options))
        });
        Self { server, files }
    }

    /// The full names of all services, sorted.
    pub(crate) async fn services(&self) -> Result<Vec<String>, Failure> {
        let mut names = match (&self.server, &self.files) {
            (Some(server), _) => server.list_services().await.map_err(explain)?,
            (None, Some(pool)) => found::services(pool),
            (None, None) => Vec::new(),
        };
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The names of all types and services that can be had, sorted. A server is asked for its whole schema.
    pub(crate) async fn known_names(&self) -> Vec<String> {
        let of_server = match &self.server {
            Some(server) => server.pool().await.ok(),
            None => None,
        };
        let mut names = Vec::new();
        for pool in of_server.iter().chain(&self.files) {
            names.extend(found::services(pool));
            for file in pool.descriptors().files() {
                let messages = file.messages().filter(|view| !view.is_map_entry());
                names.extend(messages.map(|view| view.full_name()));
                names.extend(file.enums().map(|view| view.full_name()));
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// What this full name stands for.
    pub(crate) async fn find(&self, name: &str) -> Result<Found, LookupError> {
        let name = name.trim_start_matches('.');
        let mut refused = None;
        if let Some(server) = &self.server {
            match self.ask(server, name).await {
                Ok(found) => return Ok(found),
                Err(error) => refused = Some(error),
            }
        }
        if let Some(found) = self.files.as_ref().and_then(|pool| Found::in_pool(pool, name)) {
            return Ok(found);
        }
        Err(refused.unwrap_or(LookupError::Unknown))
    }

    async fn ask(&self, server: &ReflectionClient, name: &str) -> Result<Found, LookupError> {
        // Servers know messages and services; of what is inside of them, some know nothing.
        let mut asked = name;
        loop {
            match server.pool_for_symbol(asked).await {
                Ok(pool) => return Found::in_pool(&pool, name).ok_or(LookupError::Unknown),
                Err(FetchError::Refused { status, .. })
                    if matches!(status.code(), Code::NotFound | Code::Unknown | Code::InvalidArgument) => {}
                Err(error) => return Err(explain(error).into()),
            }
            match asked.rsplit_once('.') {
                Some((scope, _)) if asked.len() == name.len() && scope.contains('.') => asked = scope,
                _ => return Err(LookupError::Unknown),
            }
        }
    }

    /// The types that JSON and text may need beyond those of these messages: extensions that the sources know
    /// of them, and all types of the files.
    pub(crate) async fn types(&self, pool: &Arc<DynamicPool>, messages: &[&str]) -> Types {
        let mut types = Types::new(pool.clone());
        types.extend(self.files.clone());
        let Some(server) = &self.server else { return types };
        for name in with_extensions(pool, messages) {
            if !types.may_ask() {
                break;
            }
            // Servers that know nothing of extensions have none.
            let Ok(numbers) = server.extension_numbers(&name).await else { continue };
            for number in numbers {
                let is_known = |pool: &Arc<DynamicPool>| pool.extension_table(&name, number as u32).is_some();
                if types.pools.iter().any(is_known) {
                    continue;
                }
                if !types.may_ask() {
                    break;
                }
                let Ok(files) = server.file_containing_extension(&name, number).await else { continue };
                let declared = files.iter().find_map(|file| found::extension_in(file, &name, number));
                if let Some(declared) = declared
                    && let Ok(pool) = server.pool_for_symbol(&declared).await
                {
                    types.extend(Some(pool));
                }
            }
        }
        types
    }

    /// Learns the types in an `Any` that are not known yet.
    pub(crate) async fn learn(&self, types: &mut Types, full_name: &str) {
        if types.registry.table(full_name).is_some() || !types.asked.insert(full_name.to_owned()) {
            return;
        }
        let Some(server) = self.server.as_ref().filter(|_| types.may_ask()) else { return };
        if let Ok(pool) = server.pool_for_symbol(full_name).await {
            types.extend(Some(pool));
        }
    }
}

/// Types by name, from several pools.
#[derive(Clone, Debug)]
pub(crate) struct Types {
    pub(crate) registry: Registry,
    pools: Vec<Arc<DynamicPool>>,
    /// What the server was asked for already.
    asked: std::collections::BTreeSet<String>,
    questions: usize,
}

/// Questions about extensions and about types in `Any`s: a server can name as many as it likes.
const MOST_QUESTIONS: usize = 1_000;

/// An extension that a message has set.
pub(crate) struct SetExtension<'t> {
    pub(crate) field: &'t FieldTable,
    /// Where the types of its values are looked up.
    pub(crate) of: TableRef,
}

impl Types {
    /// The known extensions that are set in a message.
    pub(crate) fn extensions_of(&self, message: &dyn Reflect, full_name: &str) -> Vec<SetExtension<'_>> {
        let mut numbers = std::collections::BTreeSet::new();
        let mut reader = message.unknown_fields().reader();
        while let Ok(Some(tag)) = reader.tag() {
            numbers.insert(tag.number);
            if reader.skip(tag).is_err() {
                break;
            }
        }
        let find = |number: u32| {
            self.pools.iter().find_map(|pool| {
                let field = pool.extension_table(full_name, number)?;
                Some(SetExtension { field, of: pool.message(full_name)? })
            })
        };
        numbers.into_iter().filter_map(find).collect()
    }

    /// Whether one more question is in order.
    fn may_ask(&mut self) -> bool {
        self.questions += 1;
        self.questions <= MOST_QUESTIONS
    }

    /// Whether the server was asked for a type.
    pub(crate) fn was_asked(&self, full_name: &str) -> bool {
        self.asked.contains(full_name)
    }

    pub(crate) fn new(pool: Arc<DynamicPool>) -> Self {
        let mut types =
            Self { registry: Registry::new(), pools: Vec::new(), asked: Default::default(), questions: 0 };
        types.extend(Some(pool));
        // What every caller may meet in errors.
        dunlin_protobuf::wkt::register(&mut types.registry);
        dunlin_proto::google::rpc::register(&mut types.registry);
        types
    }

    fn extend(&mut self, pool: Option<Arc<DynamicPool>>) {
        if let Some(pool) = pool {
            self.registry.add_pool(pool.clone());
            self.pools.push(pool);
        }
    }
}

/// The messages that can have extensions, among these and what they contain.
fn with_extensions(pool: &Arc<DynamicPool>, messages: &[&str]) -> Vec<String> {
    use dunlin_protobuf::pool::FieldKind;
    let descriptors = pool.descriptors();
    let mut queue: Vec<MessageView<'_>> =
        messages.iter().filter_map(|name| descriptors.message(name)).collect();
    let mut seen: std::collections::HashSet<_> = queue.iter().map(MessageView::id).collect();
    let mut found = Vec::new();
    while let Some(message) = queue.pop() {
        if message.extension_ranges().next().is_some() {
            found.push(message.full_name());
        }
        for field in message.fields() {
            if let FieldKind::Message(inner) = field.kind()
                && seen.insert(inner.id())
            {
                queue.push(inner);
            }
        }
    }
    found
}

/// What a failed question to the server means, and what to do.
fn explain(error: FetchError) -> Failure {
    const FILES: &str = "give the schema with -proto FILE or -protoset FILE";
    match &error {
        FetchError::Unsupported { v1, v1_alpha } => {
            let both_missing = v1.code() == Code::Unimplemented && v1_alpha.code() == Code::Unimplemented;
            let why = if both_missing {
                "the server has no reflection".to_owned()
            } else {
                format!("the server does not tell its schema: v1: {v1}; v1alpha: {v1_alpha}")
            };
            let cure = match v1.code() {
                Code::Unauthenticated | Code::PermissionDenied => {
                    format!("say who you are with -H or -reflect-header, or {FILES}")
                }
                _ => FILES.to_owned(),
            };
            Failure::local(Stage::Reflection, format!("{why}; {cure}"))
        }
        FetchError::Call(status) => {
            let is_ours = std::error::Error::source(status).is_some_and(|source| source.is::<CallReport>());
            let cure = match status.code() {
                Code::DeadlineExceeded => "-max-time allows more".to_owned(),
                Code::Unauthenticated | Code::PermissionDenied => {
                    format!("say who you are with -H or -reflect-header, or {FILES}")
                }
                _ if is_ours => "is the server still there?".to_owned(),
                _ => FILES.to_owned(),
            };
            Failure::local(Stage::Reflection, format!("{status}; {cure}"))
        }
        error => Failure::local(Stage::Reflection, format!("{}; {FILES}", causes(error))),
    }
}
