//! Cuts what comes into values, as soon as one is complete.

use super::Format;

/// What stands between messages in text format.
const SEPARATOR: u8 = 0x1e;

/// The text of one message, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) bytes: Vec<u8>,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// Bytes that have come and are no complete message yet.
#[derive(Debug)]
pub(super) struct Splitter {
    format: Format,
    held: Vec<u8>,
    /// Where the next message begins in `held`. What lies before is taken away when more comes, and not with
    /// every message, which would take long for many small ones.
    start: usize,
    /// How far `held` was looked at.
    seen: usize,
    state: State,
    is_finished: bool,
    has_given: bool,
    line: usize,
    column: usize,
}

/// Where the next byte of JSON stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between values.
    Between,
    /// In a number, `true`, `null`, or what is no JSON at all.
    Word,
    /// In a string, so many brackets deep.
    Text { depth: usize, is_escaped: bool },
    /// In an object or an array.
    Inside { depth: usize },
}

impl Splitter {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            held: Vec::new(),
            start: 0,
            seen: 0,
            state: State::Between,
            is_finished: false,
            has_given: false,
            line: 1,
            column: 1,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.held.drain(..self.start);
        self.seen -= self.start;
        self.start = 0;
        self.held.extend_from_slice(bytes);
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self) {
        self.is_finished = true;
    }

    /// The next message, if it is complete; behind the end, whatever is left, for the parser to complain.
    pub(super) fn next(&mut self) -> Option<Part> {
        match self.format {
            Format::Json => self.next_json(),
            Format::Text => self.next_text(),
        }
    }

    fn next_text(&mut self) -> Option<Part> {
        let end = self.held[self.seen..].iter().position(|byte| *byte == SEPARATOR).map(|at| self.seen + at);
        match end {
            Some(end) => {
                let part = self.cut(end);
                self.skip_to(self.start + 1);
                // A message follows, if only an empty one.
                self.has_given = false;
                Some(part)
            }
            None if self.is_finished && !self.has_given => {
                self.has_given = true;
                Some(self.cut(self.held.len()))
            }
            None => {
                self.seen = self.held.len();
                None
            }
        }
    }

    fn next_json(&mut self) -> Option<Part> {
        if self.state == State::Between {
            let rest = &self.held[self.start..];
            let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.skip_to(self.start + space);
        }
        while let Some(&byte) = self.held.get(self.seen) {
            let (state, is_end) = step(self.state, byte);
            self.state = state;
            match is_end {
                End::No => self.seen += 1,
                End::Behind => return Some(self.cut_value(self.seen + 1)),
                End::Before => return Some(self.cut_value(self.seen)),
            }
        }
        if self.is_finished && self.start < self.held.len() {
            return Some(self.cut_value(self.held.len()));
        }
        None
    }

    fn cut_value(&mut self, end: usize) -> Part {
        self.state = State::Between;
        self.cut(end)
    }

    fn cut(&mut self, end: usize) -> Part {
        let part = Part { bytes: self.held[self.start..end].to_vec(), line: self.line, column: self.column };
        self.skip_to(end);
        part
    }

    /// Goes on from there, and counts the lines before.
    fn skip_to(&mut self, end: usize) {
        for byte in &self.held[self.start..end] {
            match byte {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                // The bytes behind the first of a character.
                0x80..0xc0 => {}
                _ => self.column += 1,
            }
        }
        self.start = end;
        self.seen = end;
    }
}

/// Whether a value ends at a byte.
enum End {
    No,
    /// It is the last of the value.
    Behind,
    /// It belongs to what follows.
    Before,
}

fn step(state: State, byte: u8) -> (State, End) {
    match state {
        State::Between => match byte {
            b'{' | b'[' => (State::Inside { depth: 1 }, End::No),
            b'"' => (State::Text { depth: 0, is_escaped: false }, End::No),
            _ => (State::Word, End::No),
        },
        State::Word if byte.is_ascii_whitespace() || matches!(byte, b'{' | b'[' | b'"') => {
            (State::Between, End::Before)
        }
        State::Word => (State::Word, End::No),
        State::Text { depth, is_escaped: true } => (State::Text { depth, is_escaped: false }, End::No),
        State::Text { depth, .. } => match byte {
            b'\\' => (State::Text { depth, is_escaped: true }, End::No),
            b'"' if depth == 0 => (State::Between, End::Behind),
            b'"' => (State::Inside { depth }, End::No),
            _ => (state, End::No),
        },
        State::Inside { depth } => match byte {
            b'{' | b'[' => (State::Inside { depth: depth + 1 }, End::No),
            b'}' | b']' if depth == 1 => (State::Between, End::Behind),
            b'}' | b']' => (State::Inside { depth: depth - 1 }, End::No),
            b'"' => (State::Text { depth, is_escaped: false }, End::No),
            _ => (state, End::No),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(format: Format, chunks: &[&str]) -> Vec<(String, usize, usize)> {
        let mut splitter = Splitter::new(format);
        let mut parts = Vec::new();
        for chunk in chunks {
            splitter.push(chunk.as_bytes());
            parts.extend(std::iter::from_fn(|| splitter.next()));
        }
        splitter.finish();
        parts.extend(std::iter::from_fn(|| splitter.next()));
        parts.into_iter().map(|p| (String::from_utf8(p.bytes).unwrap(), p.line, p.column)).collect()
    }

    #[test]
    fn json_values_end_where_they_are_complete() {
        for (chunks, want) in [
            (&["{}{}"][..], &[("{}", 1, 1), ("{}", 1, 3)][..]),
            (&["{\"a\":", "\"}\"}\n", " [1]"], &[("{\"a\":\"}\"}", 1, 1), ("[1]", 2, 2)]),
            (&["1 \"a b\"true\n"], &[("1", 1, 1), ("\"a b\"", 1, 3), ("true", 1, 8)]),
            (&["{\"\\\"", "{\": 1}2"], &[("{\"\\\"{\": 1}", 1, 1), ("2", 1, 11)]),
            (&["  \n"], &[]),
            (&[""], &[]),
            (&["{"], &[("{", 1, 1)]), // for the parser to complain about
            (&["}x {}"], &[("}x", 1, 1), ("{}", 1, 4)]),
        ] {
            let got = split(Format::Json, chunks);
            let got: Vec<(&str, usize, usize)> = got.iter().map(|(t, l, c)| (t.as_str(), *l, *c)).collect();
            assert_eq!(got, want, "{chunks:?}");
        }
    }

    #[test]
    fn text_ends_at_separators_and_an_empty_one_is_a_message() {
        let texts = |chunks: &[&str]| -> Vec<String> {
            split(Format::Text, chunks).into_iter().map(|(text, ..)| text).collect()
        };
        assert_eq!(texts(&["a: 1\u{1e}a: ", "2"]), ["a: 1", "a: 2"]);
        assert_eq!(texts(&["a: 1\u{1e}"]), ["a: 1", ""]);
        assert_eq!(texts(&[""]), [""]);
    }

    #[test]
    fn many_small_values_take_no_longer_than_a_large_one() {
        let mut splitter = Splitter::new(Format::Json);
        splitter.push(&b"{}".repeat(1 << 20));
        let mut count = 0;
        while splitter.next().is_some() {
            count += 1;
        }
        assert_eq!(count, 1 << 20); // within a second, not within hours
    }

    #[test]
    fn a_value_is_given_before_the_next_one_comes() {
        let mut splitter = Splitter::new(Format::Json);
        splitter.push(b"{\"a\": 1}");
        assert!(splitter.next().is_some());
        assert!(splitter.next().is_none());
    }
}
