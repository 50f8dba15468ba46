//! Which trace a call belongs to, as headers say it.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dunlin_grpc::{InvalidMetadata, Metadata};

/// The header of W3C that has the trace and the span.
const TRACEPARENT: &str = "traceparent";
/// The header of W3C that has what tracing systems add to it.
const TRACESTATE: &str = "tracestate";
/// The header that gRPC had before.
const TRACE_BIN: &str = "grpc-trace-bin";

/// What every system has to pass on (W3C Trace Context §3.3.1.5); what is longer is left out.
const MAX_STATE_BYTES: usize = 512;
/// Members of `tracestate` (§3.3.1.1).
const MAX_STATE_MEMBERS: usize = 32;

const SAMPLED: u8 = 1;

/// A span of a trace, to be told to others: what W3C's `traceparent` and `tracestate` have.
///
/// ```
/// use dunlin_telemetry::TraceContext;
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let context = TraceContext::from_traceparent(text).unwrap();
/// assert!(context.is_sampled());
/// assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
/// assert_eq!(context.traceparent(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
    pub(crate) flags: u8,
    pub(crate) state: Option<Arc<str>>,
}

thread_local! {
    static CURRENT: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
}

/// Puts back what was there.
struct Restore(Option<TraceContext>);

impl Drop for Restore {
    fn drop(&mut self) {
        let before = self.0.take();
        let _ = CURRENT.try_with(|current| current.replace(before));
    }
}

impl TraceContext {
    /// The begin of a new trace. The numbers are random, but nothing to keep secrets by.
    pub fn root(is_sampled: bool) -> Self {
        let trace = fastrand::u128(1..).to_be_bytes();
        let flags = if is_sampled { SAMPLED } else { 0 };
        Self { trace, span: new_span(), flags, state: None }
    }

    /// A new span within this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span: new_span(), ..self.clone() }
    }

    /// Out of a `traceparent`; `None` if it is none. Of versions to come, what is known is read (§3.2.4).
    pub fn from_traceparent(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (known, rest) = bytes.split_at_checked(55)?;
        let is_version_0 = known.starts_with(b"00");
        if is_version_0 && !rest.is_empty() || !rest.is_empty() && rest[0] != b'-' {
            return None;
        }
        let is_separated = [2, 35, 52].into_iter().all(|at| known[at] == b'-');
        let [version] = hex(&known[..2])?;
        let trace: [u8; 16] = hex(&known[3..35])?;
        let span: [u8; 8] = hex(&known[36..52])?;
        let [flags] = hex(&known[53..])?;
        let is_valid = is_separated && version != 0xff && trace != [0; 16] && span != [0; 8];
        is_valid.then_some(Self { trace, span, flags, state: None })
    }

    /// Out of the 29 bytes of `grpc-trace-bin`: a version, and three fields behind their numbers. `None` if
    /// they are not those.
    pub fn from_trace_bin(bytes: &[u8]) -> Option<Self> {
        let [0, 0, rest @ ..] = bytes else { return None };
        let (trace, rest) = rest.split_first_chunk::<16>()?;
        let [1, rest @ ..] = rest else { return None };
        let (span, rest) = rest.split_first_chunk::<8>()?;
        let flags = match rest {
            [2, flags, ..] => *flags,
            _ => 0,
        };
        let is_valid = *trace != [0; 16] && *span != [0; 8];
        is_valid.then_some(Self { trace: *trace, span: *span, flags, state: None })
    }

    /// Out of the metadata of a call: `traceparent` with `tracestate`, or else `grpc-trace-bin`. What is
    /// malformed, or there twice, is as if it were not there.
    pub fn from_metadata(metadata: &Metadata) -> Option<Self> {
        let mut all = metadata.get_all(TRACEPARENT);
        if let (Some(text), None) = (all.next(), all.next())
            && let Some(context) = Self::from_traceparent(text)
        {
            return Some(Self { state: state(metadata), ..context });
        }
        Self::from_trace_bin(&metadata.get_bin(TRACE_BIN)?)
    }

    /// Writes `traceparent` and `tracestate`, in place of what is there.
    ///
    /// # Errors
    /// Never, unless names like these are no metadata any longer.
    pub fn write_to(&self, metadata: &mut Metadata) -> Result<(), InvalidMetadata> {
        metadata.insert(TRACEPARENT, self.traceparent())?;
        match &self.state {
            Some(state) => metadata.insert(TRACESTATE, &**state),
            None => {
                metadata.remove(TRACESTATE);
                Ok(())
            }
        }
    }

    /// Writes `grpc-trace-bin`, in place of what is there.
    pub fn write_bin_to(&self, metadata: &mut Metadata) {
        metadata.remove(TRACE_BIN);
        metadata.push_reserved_bin(TRACE_BIN, &self.trace_bin());
    }

    /// As `traceparent` has it.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", Hex(&self.trace), Hex(&self.span), self.flags)
    }

    /// As `grpc-trace-bin` has it.
    pub fn trace_bin(&self) -> [u8; 29] {
        let mut out = [0; 29];
        out[2..18].copy_from_slice(&self.trace);
        out[18] = 1;
        out[19..27].copy_from_slice(&self.span);
        (out[27], out[28]) = (2, self.flags);
        out
    }

    /// The number of the trace, 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        Hex(&self.trace).to_string()
    }

    /// The number of the span, 16 hexadecimal digits.
    pub fn span_id(&self) -> String {
        Hex(&self.span).to_string()
    }

    /// What tracing systems have added, as `tracestate` has it.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Whether the caller may have kept the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Of the call that is being handled on this thread.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// Runs `run` with this as the [current](Self::current) one.
    pub fn enter<R>(&self, run: impl FnOnce() -> R) -> R {
        let before = CURRENT.try_with(|current| current.replace(Some(self.clone()))).ok().flatten();
        let _restore = Restore(before);
        run()
    }

    /// A future within which this is the [current](Self::current) one, wherever it runs: for what a method
    /// spawns.
    pub fn scope<F: Future>(self, future: F) -> InTrace<F> {
        InTrace { context: self, future: Box::pin(future) }
    }
}

/// A future that belongs to a trace; see [`TraceContext::scope`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct InTrace<F> {
    context: TraceContext,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for InTrace<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { context, future } = &mut *self;
        context.enter(|| future.as_mut().poll(cx))
    }
}

fn new_span() -> [u8; 8] {
    fastrand::u64(1..).to_be_bytes()
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Lower-case digits alone, as §3.2.2 wants it.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

/// The members of all `tracestate` headers; `None` if there are none, too many, or one that is malformed.
fn state(metadata: &Metadata) -> Option<Arc<str>> {
    let (mut out, mut members) = (String::new(), 0);
    for header in metadata.get_all(TRACESTATE) {
        for member in header.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            members += 1;
            let separator = usize::from(!out.is_empty());
            let is_too_much =
                members > MAX_STATE_MEMBERS || out.len() + separator + member.len() > MAX_STATE_BYTES;
            if is_too_much || !is_member(member) {
                return None;
            }
            if separator > 0 {
                out.push(',');
            }
            out.push_str(member);
        }
    }
    (!out.is_empty()).then(|| out.into())
}

/// `KEY=VALUE` (§3.3.1.3).
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let is_key_byte = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@')
    };
    let has_key = key.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    has_key
        && key.len() <= 256
        && key.bytes().all(is_key_byte)
        && !value.is_empty()
        && value.len() <= 256
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn metadata(pairs: &[(&str, &str)]) -> Metadata {
        let mut metadata = Metadata::new();
        pairs.iter().for_each(|(name, value)| metadata.append(name, value).unwrap());
        metadata
    }

    #[test]
    fn a_traceparent_has_its_grammar_and_nothing_else() {
        let valid = format!("00-{TRACE}-{SPAN}-01");
        for (text, want) in [
            (valid.clone(), true),
            (format!("00-{TRACE}-{SPAN}-00"), true),
            (format!("00-{TRACE}-{SPAN}-ff"), true), // flags that are not known yet
            (format!("01-{TRACE}-{SPAN}-01"), true), // a version to come
            (format!("01-{TRACE}-{SPAN}-01-more"), true),
            (format!("01-{TRACE}-{SPAN}-01more"), false),
            (format!("00-{TRACE}-{SPAN}-01-more"), false),
            (format!("ff-{TRACE}-{SPAN}-01"), false), // never a version
            (valid.to_uppercase(), false),
            (format!("00-{}-{SPAN}-01", "0".repeat(32)), false),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), false),
            (format!("00_{TRACE}-{SPAN}-01"), false),
            (format!("00-{TRACE}-{SPAN}-0"), false),
            (format!("00-{TRACE}-{SPAN}-0g"), false),
            (format!("00-{TRACE}-{SPAN}-é"), false), // two bytes
            (String::new(), false),
        ] {
            assert_eq!(TraceContext::from_traceparent(&text).is_some(), want, "{text}");
        }
        assert_eq!(TraceContext::from_traceparent(&valid).unwrap().traceparent(), valid);
    }

    #[test]
    fn the_binary_header_goes_there_and_back() {
        let context = TraceContext::from_traceparent(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        let bytes = context.trace_bin();
        assert_eq!((bytes[0], bytes[1], bytes[18], bytes[27], bytes[28]), (0, 0, 1, 2, 1));
        assert_eq!(TraceContext::from_trace_bin(&bytes), Some(context.clone()));
        // Without the flags they are none.
        let without = TraceContext::from_trace_bin(&bytes[..27]).unwrap();
        assert_eq!((without.trace_id(), without.is_sampled()), (TRACE.to_owned(), false));
        for len in 0..27 {
            assert_eq!(TraceContext::from_trace_bin(&bytes[..len]), None, "{len} bytes");
        }
        let mut other = bytes;
        other[0] = 1;
        assert_eq!(TraceContext::from_trace_bin(&other), None, "a version that is not known");
        assert_eq!(TraceContext::from_trace_bin(&[0; 29]), None, "no ids");
    }

    #[test]
    fn what_peers_send_is_taken_as_far_as_it_is_well_formed() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let bin = TraceContext::root(true);
        let from = |pairs: &[(&str, &str)]| TraceContext::from_metadata(&metadata(pairs));
        let with_state = |state: &str| {
            let context = from(&[("traceparent", &parent), ("tracestate", state)]).unwrap();
            context.state().map(str::to_owned)
        };
        assert_eq!(with_state("a=1, b=2,,c@d=x y").as_deref(), Some("a=1,b=2,c@d=x y"));
        for state in ["", "a", "A=1", "a=", "=1", "a=1=2", "a=1,B=2"] {
            assert_eq!(with_state(state), None, "{state:?}");
        }
        let many = |count: usize| (0..count).map(|at| format!("k{at}=v,")).collect::<String>();
        assert!(with_state(&many(32)).is_some());
        assert_eq!(with_state(&many(33)), None);
        assert!(with_state(&format!("a={},b={}", "x".repeat(250), "y".repeat(250))).is_some());
        assert_eq!(with_state(&format!("a={},b={},c=z", "x".repeat(254), "y".repeat(254))), None);
        // Two of them can not both be right.
        assert_eq!(from(&[("traceparent", &parent), ("traceparent", &parent)]), None);
        assert_eq!(from(&[]), None);
        // The older header counts where the newer one does not.
        let mut both = metadata(&[("traceparent", "00-nonsense")]);
        bin.write_bin_to(&mut both);
        assert_eq!(TraceContext::from_metadata(&both), Some(bin.clone()));
        both.insert("traceparent", &parent).unwrap();
        assert_eq!(TraceContext::from_metadata(&both).unwrap().trace_id(), TRACE);
    }

    #[test]
    fn a_context_replaces_what_metadata_had() {
        let mut metadata = metadata(&[("traceparent", "old"), ("tracestate", "a=1"), ("x-other", "stays")]);
        let root = TraceContext::root(false);
        root.write_to(&mut metadata).unwrap();
        assert_eq!(TraceContext::from_metadata(&metadata), Some(root));
        assert_eq!((metadata.len(), metadata.contains("x-other")), (2, true));
    }

    #[test]
    fn the_current_one_is_what_it_was_behind_a_panic() {
        let (outer, inner) = (TraceContext::root(true), TraceContext::root(true));
        outer.enter(|| {
            let _ = std::panic::catch_unwind(|| inner.enter(|| panic!("within")));
            assert_eq!(TraceContext::current(), Some(outer.clone()));
        });
        assert_eq!(TraceContext::current(), None);
    }
}
