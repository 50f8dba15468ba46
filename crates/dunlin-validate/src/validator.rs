//! The validator and its settings.

use std::fmt;
use std::sync::{Arc, RwLock};

use dunlin_protobuf::Reflect;
use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::PoolErrors;
use dunlin_protobuf::wire::WireError;
use dunlin_protobuf::wkt::Timestamp;

use crate::ValidationError;
use crate::cel::time::Instant;
use crate::compile::{Arena, Sources};
use crate::run::Run;

/// Checks messages by the rules of their schemas.
///
/// Rules are compiled when a message type is seen first, and kept. A validator is meant to be made
/// once and shared.
///
/// ```
/// use dunlin_protobuf::wkt::Timestamp;
/// use dunlin_validate::Validator;
///
/// // A type without rules.
/// assert!(Validator::default().validate(&Timestamp::default()).is_ok());
/// ```
pub struct Validator {
    pub(crate) settings: Settings,
    sources: Sources,
    arena: RwLock<Arc<Arena>>,
}

/// What the limits are.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) fail_fast: bool,
    pub(crate) max_violations: usize,
    pub(crate) max_cost: u64,
    pub(crate) max_depth: usize,
    max_types: usize,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// The settings of a [`Validator`].
///
/// ```
/// use dunlin_validate::Validator;
///
/// let validator = Validator::builder()
///     .file_descriptor_set(dunlin_validate::FILE_DESCRIPTOR_SET)?
///     .fail_fast(true)
///     .build();
/// # let _ = validator;
/// # Ok::<(), dunlin_validate::InvalidDescriptors>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Builder {
    settings: Settings,
    pools: Vec<Arc<DynamicPool>>,
    allow_unknown: bool,
}

/// Descriptors that are none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDescriptors {
    /// The bytes are no `FileDescriptorSet`.
    #[error("the bytes are no FileDescriptorSet")]
    Decode(#[from] WireError),
    /// The files break rules of the language.
    #[error(transparent)]
    Link(#[from] PoolErrors),
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            settings: Settings {
                fail_fast: false,
                max_violations: 1_000,
                max_cost: 10_000_000,
                max_depth: 100,
                max_types: 10_000,
                clock: Arc::new(Timestamp::now),
            },
            pools: Vec::new(),
            allow_unknown: false,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .field("pools", &self.pools.len())
            .field("allow_unknown_rules", &self.allow_unknown)
            .finish()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("fail_fast", &self.fail_fast)
            .field("max_violations", &self.max_violations)
            .field("max_cost", &self.max_cost)
            .field("max_depth", &self.max_depth)
            .field("max_types", &self.max_types)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Adds the schemas of generated messages: an encoded `google.protobuf.FileDescriptorSet`, with
    /// all imports, as the generator's `FILE_DESCRIPTOR_SET` is. Messages in `Any` are looked up here
    /// too.
    ///
    /// # Errors
    /// When the bytes are no such set, or its files break rules of the language.
    pub fn file_descriptor_set(self, bytes: &[u8]) -> Result<Self, InvalidDescriptors> {
        let set = FileDescriptorSet::decode(bytes)?;
        Ok(self.pool(DynamicPool::from_file_descriptor_set(set)?))
    }

    /// Adds the schemas of generated messages. A dynamic message is validated by the schema of its
    /// own pool, whether that was added or not.
    pub fn pool(mut self, pool: Arc<DynamicPool>) -> Self {
        self.pools.push(pool);
        self
    }

    /// Whether to stop at the first rule that does not hold. Default: false, all are told.
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.settings.fail_fast = fail_fast;
        self
    }

    /// How many violations are told at most; after them the validation ends. Default: 1,000. What
    /// grows with it is the memory that a message with many faults costs.
    pub fn max_violations(mut self, max: usize) -> Self {
        self.settings.max_violations = max.max(1);
        self
    }

    /// What the expressions on one message may cost together: about one for each operation, and for
    /// each item or 16 bytes that are looked at. Default: 10,000,000, which is some tenths of a
    /// second. More is [`ValidationError::Cost`].
    pub fn max_cost(mut self, max: u64) -> Self {
        self.settings.max_cost = max;
        self
    }

    /// How deep messages may be nested. Default: 100, as in decoding. More is
    /// [`ValidationError::Depth`].
    pub fn max_depth(mut self, max: usize) -> Self {
        self.settings.max_depth = max;
        self
    }

    /// How many message types are kept compiled. Default: 10,000. Beyond it all are forgotten but the
    /// type that is asked for and those of its fields.
    pub fn max_types(mut self, max: usize) -> Self {
        self.settings.max_types = max;
        self
    }

    /// Whether rules are passed over that this version does not know, or whose extension no
    /// descriptor is known of. Default: false, as a rule that is not checked is no rule; they are
    /// [`ValidationError::Compilation`].
    pub fn allow_unknown_rules(mut self, allow: bool) -> Self {
        self.allow_unknown = allow;
        self
    }

    /// What time it is, for `now` and the rules that speak of it. It is asked once for each
    /// validation that needs it. Default: the system's clock.
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// The validator.
    #[must_use]
    pub fn build(self) -> Validator {
        Validator {
            settings: self.settings,
            sources: Sources { pools: self.pools, allow_unknown: self.allow_unknown },
            arena: RwLock::default(),
        }
    }
}

impl Default for Validator {
    /// For dynamic messages, with the default limits.
    fn default() -> Self {
        Builder::default().build()
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Validator {
    /// For messages of this pool, generated or dynamic, with the default limits.
    pub fn new(pool: Arc<DynamicPool>) -> Self {
        Builder::default().pool(pool).build()
    }

    /// With settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Checks a message and all messages in its fields; those in `Any` are not looked into.
    ///
    /// # Errors
    /// [`ValidationError::Violations`] if rules do not hold; the other kinds if that could not be
    /// found out.
    pub fn validate(&self, message: &dyn Reflect) -> Result<(), ValidationError> {
        let (arena, root) = self.compiled(message);
        let clock = || Instant::of(&(self.settings.clock)());
        Run::new(&self.settings, &arena, &clock).validate(root, message)
    }

    /// The compiled rules, and where those of the message's type are among them.
    fn compiled(&self, message: &dyn Reflect) -> (Arc<Arena>, u32) {
        let table = message.table();
        // What panicked while it held the lock had not changed anything yet.
        let arena = self.arena.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        if let Some(root) = arena.find(&table) {
            return (arena, root);
        }
        let mut place = self.arena.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(root) = place.find(&table) {
            return (place.clone(), root);
        }
        let mut grown = Arena::clone(&place);
        let mut root = grown.add(table.clone(), &self.sources);
        if grown.len() > self.settings.max_types {
            grown = Arena::default();
            root = grown.add(table, &self.sources);
        }
        *place = Arc::new(grown);
        (place.clone(), root)
    }
}
