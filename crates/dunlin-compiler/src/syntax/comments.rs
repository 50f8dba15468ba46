//! Which element a comment belongs to.

/// The comments between the end of a declaration and the next token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GapComments {
    /// On the line of what ends, or right below it.
    pub trailing: Vec<u8>,
    /// Belonging to neither.
    pub detached: Vec<Vec<u8>>,
    /// Right above what follows.
    pub leading: Vec<u8>,
}

/// What follows the gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follower {
    /// The end of the source.
    End,
    /// A closing bracket: like the end, nothing that a comment could lead.
    Closing,
    /// Anything else.
    Other,
}

/// Sorts the comments of `gap`, the text between two tokens.
///
/// `at_start` says that there is no token before. The rules are those of source code info:
/// comments on the line of the token before are trailing, and so is a block right below it with a
/// blank line after; the last block is leading if nothing stands between it and the next token.
pub fn sort(gap: &[u8], at_start: bool, follower: Follower) -> GapComments {
    let mut sorter = Sorter { can_trail: !at_start, ..Sorter::default() };
    let mut scan = Scan { gap, pos: 0, line: 0 };
    if at_start && gap.starts_with(b"\xef\xbb\xbf") {
        scan.pos = 3;
    }
    let mut trailing_end_line = None;
    if !at_start {
        scan.skip_blanks();
        if scan.at_line_comment() {
            scan.line_comment(sorter.line_block());
            sorter.flush();
        } else if scan.at_block_comment() {
            scan.block_comment(sorter.new_block());
            trailing_end_line = Some(scan.line);
            scan.skip_blanks();
            sorter.flush();
        } else if !scan.take_newline() {
            return GapComments::default();
        }
    }
    loop {
        scan.skip_blanks();
        if scan.at_line_comment() {
            scan.line_comment(sorter.line_block());
        } else if scan.at_block_comment() {
            scan.block_comment(sorter.new_block());
            // The rest of the line is not a blank line.
            scan.skip_blanks();
            scan.take_newline();
        } else if scan.take_newline() {
            sorter.flush();
            sorter.can_trail = false;
        } else {
            break;
        }
    }
    if follower != Follower::Other {
        sorter.flush();
    }
    let same_line = !at_start && scan.line == 0 || trailing_end_line == Some(scan.line);
    sorter.finish(same_line && follower != Follower::End)
}

#[derive(Default)]
struct Sorter {
    out: GapComments,
    block: Option<Block>,
    /// How many blocks have been settled.
    settled: usize,
    has_trailing: bool,
    can_trail: bool,
}

struct Block {
    text: Vec<u8>,
    of_lines: bool,
}

impl Sorter {
    // Line comments on successive lines are one block.
    fn line_block(&mut self) -> &mut Vec<u8> {
        if self.block.as_ref().is_some_and(|block| !block.of_lines) {
            self.flush();
        }
        &mut self.block.get_or_insert_with(|| Block { text: Vec::new(), of_lines: true }).text
    }

    fn new_block(&mut self) -> &mut Vec<u8> {
        self.flush();
        &mut self.block.insert(Block { text: Vec::new(), of_lines: false }).text
    }

    // The block is complete and does not belong to what follows.
    fn flush(&mut self) {
        let Some(block) = self.block.take() else { return };
        if self.can_trail {
            self.out.trailing.extend_from_slice(&block.text);
            self.has_trailing = true;
            self.can_trail = false;
        } else {
            self.out.detached.push(block.text);
        }
        self.settled += 1;
    }

    fn finish(mut self, same_line: bool) -> GapComments {
        // Between two tokens on one line it is unclear to which a single comment belongs.
        if same_line && self.settled + usize::from(self.block.is_some()) == 1 {
            if self.has_trailing {
                let trailing = std::mem::take(&mut self.out.trailing);
                self.out.detached.insert(0, trailing);
            }
            self.flush();
        }
        if let Some(block) = self.block {
            self.out.leading = block.text;
        }
        self.out
    }
}

struct Scan<'g> {
    gap: &'g [u8],
    pos: usize,
    line: u32,
}

impl Scan<'_> {
    fn skip_blanks(&mut self) {
        while self.gap.get(self.pos).is_some_and(|b| matches!(b, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)) {
            self.pos += 1;
        }
    }

    fn take_newline(&mut self) -> bool {
        let newline = self.gap.get(self.pos) == Some(&b'\n');
        if newline {
            self.pos += 1;
            self.line += 1;
        }
        newline
    }

    fn at_line_comment(&self) -> bool {
        self.gap[self.pos..].starts_with(b"//")
    }

    fn at_block_comment(&self) -> bool {
        self.gap[self.pos..].starts_with(b"/*")
    }

    // Everything after the slashes, the line end included.
    fn line_comment(&mut self, out: &mut Vec<u8>) {
        self.pos += 2;
        let rest = &self.gap[self.pos..];
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..len]);
        self.pos += len;
        if self.take_newline() {
            out.push(b'\n');
        }
    }

    // Everything between the delimiters; following lines lose blanks and one star at their start.
    fn block_comment(&mut self, out: &mut Vec<u8>) {
        self.pos += 2;
        loop {
            let rest = &self.gap[self.pos..];
            let Some(len) = memchr::memchr2(b'\n', b'*', rest) else {
                // Not closed; the lexer says so.
                out.extend_from_slice(rest);
                self.pos = self.gap.len();
                return;
            };
            out.extend_from_slice(&rest[..len]);
            self.pos += len;
            if rest[len] == b'*' {
                self.pos += 1;
                if self.gap.get(self.pos) == Some(&b'/') {
                    self.pos += 1;
                    return;
                }
                out.push(b'*');
                continue;
            }
            self.take_newline();
            out.push(b'\n');
            self.skip_blanks();
            if self.gap.get(self.pos) == Some(&b'*') {
                self.pos += 1;
                if self.gap.get(self.pos) == Some(&b'/') {
                    self.pos += 1;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(text: &str) -> (String, Vec<String>, String) {
        let sorted = sort(text.as_bytes(), false, Follower::Other);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(sorted.trailing), sorted.detached.into_iter().map(text).collect(), text(sorted.leading))
    }

    #[test]
    fn comments_go_to_their_neighbours() {
        for (source, trailing, detached, leading) in [
            (" // same line\n", " same line\n", &[][..], ""),
            ("\n// above next\n", "", &[], " above next\n"),
            ("\n// below\n\n", " below\n", &[], ""),
            ("\n\n// one\n\n// two\n", "", &[" one\n"], " two\n"),
            (" // t\n\n// d\n\n/* l\n * m */\n", " t\n", &[" d\n"], " l\n m "),
            ("\n// a\n// b\n", "", &[], " a\n b\n"),
            // one comment between tokens on one line belongs to neither
            (" /* x */ ", "", &[" x "], ""),
        ] {
            let want =
                (trailing.to_owned(), detached.iter().map(|s| (*s).to_owned()).collect(), leading.to_owned());
            assert_eq!(gap(source), want, "{source:?}");
        }
    }

    #[test]
    fn nothing_leads_a_closing_brace() {
        let sorted = sort(b"\n  // last\n", false, Follower::Closing);
        assert_eq!(sorted.trailing, b" last\n");
        assert_eq!(sorted.leading, b"");
    }
}
