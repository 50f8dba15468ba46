//! The lexer, the parser, comments and literals.

use dunlin_compiler::syntax::comments::{Follower, sort};
use dunlin_compiler::syntax::{SyntaxFault, TokenKind, Tree, literal};

/// Lexes and parses any bytes: no token and no comment may be lost, nodes nest, and faults point
/// into the source.
pub fn tree(source: &[u8]) {
    let (tree, faults) = Tree::parse(source);
    assert_eq!(tree.text(), source);
    check_tokens(&tree);
    check_places(&tree);
    check_nodes(&tree);
    check_faults(source, &faults);
    for index in 0..tree.tokens().len() as u32 {
        check_gap(&tree, index);
        check_literal(&tree, index);
    }
}

fn check_tokens(tree: &Tree<'_>) {
    let mut text = Vec::with_capacity(tree.text().len());
    for index in 0..tree.tokens().len() as u32 {
        text.extend_from_slice(tree.gap_before(index));
        text.extend_from_slice(tree.bytes(index));
        let is_last = index as usize + 1 == tree.tokens().len();
        assert_eq!(tree.token(index).kind == TokenKind::End, is_last, "token {index}");
        assert_eq!(tree.bytes(index).is_empty(), is_last, "token {index}");
    }
    assert_eq!(text, tree.text(), "tokens and gaps give the source");
}

/// Lines and columns, against a count of our own. A NUL ends comments early, and what follows on
/// its line is not counted with care.
fn check_places(tree: &Tree<'_>) {
    if tree.text().contains(&0) {
        return;
    }
    let (mut at, mut line, mut column) = (0, 0, 0);
    let mut advance = |to: u32| {
        for &byte in &tree.text()[at..to as usize] {
            match byte {
                b'\n' => (line, column) = (line + 1, 0),
                b'\t' => column += 8 - column % 8,
                _ => column += 1,
            }
        }
        at = to as usize;
        (line, column)
    };
    for token in tree.tokens() {
        assert_eq!((token.line, token.column), advance(token.start), "{token:?}");
        assert_eq!(token.end_column, advance(token.end).1, "{token:?}");
    }
}

fn check_nodes(tree: &Tree<'_>) {
    // The root covers everything; who is still open, by its end.
    let mut open = vec![tree.root()];
    while let Some(id) = open.pop() {
        let node = *tree.node(id);
        assert!(node.first <= node.end && node.end as usize <= tree.tokens().len(), "{node:?}");
        assert!(node.next > id, "{node:?}");
        let mut from = node.first;
        for (child_id, child) in tree.children(id) {
            assert!(from <= child.first && child.end <= node.end, "{child:?} in {node:?}");
            assert!(child.next <= node.next, "{child:?} in {node:?}");
            from = child.end;
            open.push(child_id);
        }
    }
}

fn check_faults(source: &[u8], faults: &[SyntaxFault]) {
    for fault in faults {
        let span = fault.span;
        assert!(span.start <= span.end && span.end as usize <= source.len(), "{fault:?}");
        assert!(!fault.message.is_empty() && !fault.code.is_empty(), "{fault:?}");
    }
}

/// A gap holds no tokens, and sorting its comments makes no text up.
fn check_gap(tree: &Tree<'_>, index: u32) {
    let gap = tree.gap_before(index);
    if gap.is_empty() {
        return;
    }
    let (alone, _) = Tree::parse(gap);
    assert_eq!(alone.tokens().len(), 1, "{gap:?} holds no tokens");
    for follower in [Follower::End, Follower::Closing, Follower::Other] {
        let comments = sort(gap, index == 0, follower);
        let detached: usize = comments.detached.iter().map(Vec::len).sum();
        assert!(comments.trailing.len() + detached + comments.leading.len() <= gap.len(), "{gap:?}");
    }
}

fn check_literal(tree: &Tree<'_>, index: u32) {
    let bytes = tree.bytes(index);
    match tree.token(index).kind {
        TokenKind::Integer | TokenKind::Float => {
            let _ = literal::integer(bytes, u64::MAX);
            let Some(value) = literal::float(bytes) else { return };
            let printed = literal::print_double(value);
            let _ = literal::print_float(value as f32);
            if value.is_finite() {
                assert_eq!(printed.parse(), Ok(value), "{printed}");
            }
        }
        TokenKind::String => {
            let mut value = Vec::new();
            literal::append_string(bytes, &mut value);
            let quoted = format!("\"{}\"", literal::escape_c(&value));
            let mut again = Vec::new();
            literal::append_string(quoted.as_bytes(), &mut again);
            assert_eq!(again, value, "{quoted}");
        }
        _ => {}
    }
}
