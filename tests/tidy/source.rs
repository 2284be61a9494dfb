//! A Rust source as text, and the same text with comments and literals blanked out, so that a rule
//! never trips over a word in a sentence.

/// One file.
#[derive(Debug)]
pub struct Source {
    /// Relative to the repository's root, with `/`.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// Of the same length in bytes and lines, with every byte of a comment, string or character
    /// replaced by a space.
    pub code: String,
}

/// An identifier and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    pub text: &'a str,
    pub at: usize,
}

impl Source {
    pub fn new(path: &str, text: String) -> Self {
        let code = blank(&text);
        Self {
            path: path.to_owned(),
            text,
            code,
        }
    }

    /// The line that byte `at` is on, from 1.
    pub fn line_no(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }

    /// All identifiers and keywords of the code, in order.
    pub fn words(&self) -> Vec<Word<'_>> {
        let mut words = Vec::new();
        let mut begun = None;
        for (at, byte) in self.code.bytes().chain([b' ']).enumerate() {
            match (begun, is_word(byte)) {
                (None, true) => begun = Some(at),
                (Some(start), false) => {
                    words.push(Word {
                        text: &self.code[start..at],
                        at: start,
                    });
                    begun = None;
                }
                _ => {}
            }
        }
        words
    }

    /// The code after `at`, without leading white space.
    pub fn after(&self, at: usize) -> &str {
        self.code[at..].trim_start()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// What a stretch of source is.
enum Piece {
    Code(usize),
    Other(usize),
}

fn blank(text: &str) -> String {
    let mut code = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let (length, keep) = match piece(
            &text.as_bytes()[at..],
            at > 0 && is_word(text.as_bytes()[at - 1]),
        ) {
            Piece::Code(length) => (length, true),
            Piece::Other(length) => (length, false),
        };
        for byte in &text.as_bytes()[at..at + length] {
            code.push(if keep || *byte == b'\n' { *byte } else { b' ' });
        }
        at += length;
    }
    String::from_utf8(code).expect("only whole literals and comments were blanked")
}

fn piece(rest: &[u8], in_word: bool) -> Piece {
    match rest {
        [b'/', b'/', ..] => Piece::Other(until(rest, 0, b"\n")),
        [b'/', b'*', ..] => Piece::Other(block_comment(rest)),
        [b'"', ..] => Piece::Other(string(rest, 1)),
        [b'b' | b'c', b'"', ..] if !in_word => Piece::Other(string(rest, 2)),
        [b'\'', ..] => literal_or_lifetime(rest),
        [b'r' | b'b' | b'c', ..] if !in_word => {
            raw_string(rest).map_or(Piece::Code(1), Piece::Other)
        }
        _ => Piece::Code(1),
    }
}

/// Up to and without `end`, searched from `from`; everything if it does not come.
fn until(rest: &[u8], from: usize, end: &[u8]) -> usize {
    (from..rest.len())
        .find(|at| rest[*at..].starts_with(end))
        .unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn string(rest: &[u8], mut at: usize) -> usize {
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"`, `br#"…"#` and their kin; `None` if it is an identifier.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let marks = rest
        .iter()
        .take_while(|byte| matches!(byte, b'r' | b'b' | b'c'))
        .count();
    if marks > 2 || rest[marks - 1] != b'r' {
        return None;
    }
    let hashes = rest[marks..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let open = marks + hashes;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    Some((until(rest, open + 1, &end) + end.len()).min(rest.len()))
}

/// `'a'` and `'\n'` are characters, `'a` without a closing quote is a lifetime.
fn literal_or_lifetime(rest: &[u8]) -> Piece {
    if rest.get(1) == Some(&b'\\') {
        return Piece::Other((until(rest, 3, b"'") + 1).min(rest.len()));
    }
    let wide = match rest.get(1) {
        Some(byte) if *byte >= 0xf0 => 4,
        Some(byte) if *byte >= 0xe0 => 3,
        Some(byte) if *byte >= 0xc0 => 2,
        _ => 1,
    };
    if rest.get(1 + wide) == Some(&b'\'') {
        Piece::Other(2 + wide)
    } else {
        Piece::Code(1)
    }
}

#[test]
fn comments_and_literals_are_blanked_and_nothing_else() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x \" y")"#, "f(        )"),
        (r##"f(r#"x " y"#, b"z")"##, "f(          ,     )"),
        (
            "fn f<'a>(x: &'a str, y: char) { y == 'b' || y == '\\'' }",
            "fn f<'a>(x: &'a str, y: char) { y ==     || y ==      }",
        ),
        ("let rr = br;", "let rr = br;"),
        ("'ä' b", "     b"),
    ];
    for (text, code) in cases {
        assert_eq!(Source::new("x.rs", text.to_owned()).code, code);
    }
}
