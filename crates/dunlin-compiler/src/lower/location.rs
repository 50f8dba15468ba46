//! Where everything stands: source code info, or spans for diagnostics.

use std::collections::HashMap;

use dunlin_protobuf::wire::{WireType, write};

use crate::syntax::comments::{Follower, GapComments, sort};
use crate::syntax::{Span, TokenKind, Tree};

/// What to note while lowering.
#[derive(Debug)]
pub(crate) enum Recorder {
    /// Nothing.
    Off,
    /// The encoded `SourceCodeInfo`.
    Encode(Box<SourceInfo>),
    /// The bytes that each path stands for.
    Spans(HashMap<Vec<i32>, Span>),
}

/// An encoded `SourceCodeInfo` in the making. Where options stand is known now, but under which
/// path they will be found only after they are interpreted; so those entries wait in `gaps`.
#[derive(Debug, Default)]
pub(crate) struct SourceInfo {
    encoded: Vec<u8>,
    gaps: Vec<OptionLocation>,
    upcoming: GapComments,
}

/// The location of an option or of a list of options, to be inserted into the encoded bytes.
#[derive(Debug)]
pub(crate) struct OptionLocation {
    /// Where to insert it.
    pub(crate) at: usize,
    /// The options it belongs to, as an index into the list of pending options.
    pub(crate) pending: u32,
    /// Which statement; `None` for all of the element's options.
    pub(crate) statement: Option<u32>,
    place: Place,
    comments: Option<Box<(Vec<u8>, GapComments)>>,
}

/// A start and an end, in lines and columns.
#[derive(Clone, Copy, Debug)]
struct Place {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

impl Recorder {
    /// Takes in the comments before the first token.
    pub(crate) fn begin(&mut self, tree: &Tree<'_>) {
        if let Self::Encode(info) = self {
            info.upcoming = gap(tree, 0);
        }
    }

    /// The location of the whole file, in tokens.
    pub(crate) fn root(&mut self, tree: &Tree<'_>, first: u32, end: u32) {
        match self {
            Self::Off => {}
            Self::Spans(spans) => {
                spans.insert(Vec::new(), tree.span(first, end));
            }
            Self::Encode(info) => {
                let start = tree.token(first);
                let mut place =
                    Place { start_line: start.line, start_column: start.column, end_line: 0, end_column: 0 };
                // A file without tokens ends where it starts: before its first character.
                if end > first {
                    let last = tree.token(end - 1);
                    (place.end_line, place.end_column) = (last.line, last.end_column);
                }
                encode(&[], &[], place, None, &mut info.encoded);
            }
        }
    }

    pub(crate) fn locate(&mut self, tree: &Tree<'_>, path: &[i32], steps: &[i32], first: u32, end: u32) {
        match self {
            Self::Off => {}
            Self::Spans(spans) => {
                // Of two places for one path the first is the wider one.
                spans.entry([path, steps].concat()).or_insert_with(|| tree.span(first, end));
            }
            Self::Encode(info) => encode(path, steps, place(tree, first, end), None, &mut info.encoded),
        }
    }

    pub(crate) fn declare(
        &mut self,
        tree: &Tree<'_>,
        path: &[i32],
        steps: &[i32],
        first: u32,
        end: u32,
        end_token: u32,
    ) {
        let Self::Encode(info) = self else { return self.locate(tree, path, steps, first, end) };
        let comments = info.take_comments(tree, end_token);
        encode(path, steps, place(tree, first, end), comments.as_deref(), &mut info.encoded);
    }

    /// The location of option `statement`, or of all options, of an element.
    pub(crate) fn option(
        &mut self,
        tree: &Tree<'_>,
        path: &[i32],
        (pending, statement): (u32, Option<u32>),
        (first, end): (u32, u32),
        end_token: Option<u32>,
    ) {
        match self {
            Self::Off => {}
            Self::Spans(_) => {
                let steps = statement.map(|index| [999, index as i32]);
                self.locate(tree, path, steps.as_ref().map_or(&[], |s| &s[..]), first, end);
            }
            Self::Encode(info) => {
                let comments = end_token.and_then(|token| info.take_comments(tree, token));
                info.gaps.push(OptionLocation {
                    at: info.encoded.len(),
                    pending,
                    statement,
                    place: place(tree, first, end),
                    comments,
                });
            }
        }
    }

    /// A statement without a location ends at `token`.
    pub(crate) fn pass(&mut self, tree: &Tree<'_>, token: u32) {
        let Self::Encode(info) = self else { return };
        let after = gap(tree, token + 1);
        info.upcoming.leading = after.leading;
        info.upcoming.detached.extend(after.detached);
    }

    /// A block ends at `token`; comments that were waiting in it are dropped.
    pub(crate) fn close(&mut self, tree: &Tree<'_>, token: u32) {
        let Self::Encode(info) = self else { return };
        info.upcoming = gap(tree, token + 1);
    }
}

impl SourceInfo {
    /// Source info that is encoded already.
    pub(crate) fn encoded(encoded: Vec<u8>) -> Self {
        Self { encoded, ..Self::default() }
    }

    // The comments that led up to a declaration, and the one that trails its end.
    fn take_comments(&mut self, tree: &Tree<'_>, end_token: u32) -> Option<Box<(Vec<u8>, GapComments)>> {
        let quiet = self.upcoming.leading.is_empty() && self.upcoming.detached.is_empty();
        if quiet && !tree.token(end_token + 1).after_comment {
            return None;
        }
        let mut after = gap(tree, end_token + 1);
        let trailing = std::mem::take(&mut after.trailing);
        let before = std::mem::replace(&mut self.upcoming, after);
        Some(Box::new((trailing, before)))
    }

    /// The encoded bytes, with every option's location under the path that `path_of` gives for
    /// it; `None` leaves it out.
    pub(crate) fn finish(&self, mut path_of: impl FnMut(u32, Option<u32>) -> Option<Vec<i32>>) -> Vec<u8> {
        if self.gaps.is_empty() {
            return self.encoded.clone();
        }
        let mut out = Vec::with_capacity(self.encoded.len() + self.gaps.len() * 24);
        let mut done = 0;
        for gap in &self.gaps {
            out.extend_from_slice(&self.encoded[done..gap.at]);
            done = gap.at;
            if let Some(path) = path_of(gap.pending, gap.statement) {
                encode(&path, &[], gap.place, gap.comments.as_deref(), &mut out);
            }
        }
        out.extend_from_slice(&self.encoded[done..]);
        out
    }
}

fn place(tree: &Tree<'_>, first: u32, end: u32) -> Place {
    let (start, last) = (tree.token(first), tree.token(end - 1));
    Place {
        start_line: start.line,
        start_column: start.column,
        end_line: last.line,
        end_column: last.end_column,
    }
}

// The comments between a token and the one before it.
fn gap(tree: &Tree<'_>, token: u32) -> GapComments {
    let next = tree.token(token);
    if !next.after_comment {
        return GapComments::default();
    }
    let follower = match (next.kind, next.symbol) {
        (TokenKind::End, _) => Follower::End,
        (_, b'}' | b']' | b')') => Follower::Closing,
        _ => Follower::Other,
    };
    sort(tree.gap_before(token), token == 0, follower)
}

fn encode(
    path: &[i32],
    steps: &[i32],
    place: Place,
    comments: Option<&(Vec<u8>, GapComments)>,
    out: &mut Vec<u8>,
) {
    let one_line = place.start_line == place.end_line;
    let span: &[u32] = if one_line {
        &[place.start_line, place.start_column, place.end_column]
    } else {
        &[place.start_line, place.start_column, place.end_line, place.end_column]
    };
    let numbers = || path.iter().chain(steps).map(|&step| step as u64);
    let path_len: usize = numbers().map(write::varint_len).sum();
    let span_len: usize = span.iter().map(|&n| write::varint_len(u64::from(n))).sum();
    let field_len = |len: usize| 1 + write::varint_len(len as u64) + len;
    let texts = comments.map(|(trailing, before)| {
        let detached = before.detached.iter().map(|text| (6, text));
        let optional = [(3, &before.leading), (4, trailing)];
        optional.into_iter().filter(|(_, text)| !text.is_empty()).chain(detached)
    });
    let texts_len: usize = texts.clone().into_iter().flatten().map(|(_, text)| field_len(text.len())).sum();
    let len = if path_len == 0 { 0 } else { field_len(path_len) } + field_len(span_len) + texts_len;
    write::tag(1, WireType::Len, out);
    write::varint(len as u64, out);
    if path_len > 0 {
        write::tag(1, WireType::Len, out);
        write::varint(path_len as u64, out);
        numbers().for_each(|n| write::varint(n, out));
    }
    write::tag(2, WireType::Len, out);
    write::varint(span_len as u64, out);
    span.iter().for_each(|&n| write::varint(u64::from(n), out));
    for (number, text) in texts.into_iter().flatten() {
        write::len_field(number, text, out);
    }
}
