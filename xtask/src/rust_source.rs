//! As much of Rust's grammar as the text checks need: what is code, what is a test, where a
//! function ends.
//!
//! A masked copy of the source has blanks in place of comments, strings and character literals,
//! so that words can be looked for in code alone. Lines keep their numbers.

use std::ops::Range;

/// One source file, masked once.
#[derive(Debug)]
pub struct RustSource {
    code: Vec<char>,
    line_of: Vec<usize>,
    tests: Vec<Range<usize>>,
}

/// A function's name and its first and last line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name after `fn`.
    pub name: String,
    /// Line of `fn`.
    pub first: usize,
    /// Line of the closing brace.
    pub last: usize,
    /// Whether it stands inside an item under `#[cfg(test)]` or `#[test]`.
    pub is_test: bool,
}

impl RustSource {
    /// Reads `text`; broken text gives wrong answers, never a panic.
    pub fn new(text: &str) -> Self {
        let code = mask(text);
        let mut line = 1;
        let mut line_of = Vec::with_capacity(code.len());
        for &c in &code {
            line_of.push(line);
            line += usize::from(c == '\n');
        }
        let mut source = Self {
            code,
            line_of,
            tests: Vec::new(),
        };
        source.tests = source.test_ranges();
        source
    }

    /// Lines outside of items under `#[cfg(test)]`.
    pub fn lines_of_code(&self) -> usize {
        let all = self.line_of.last().copied().unwrap_or(0);
        let in_tests: usize = self
            .tests
            .iter()
            .map(|range| self.line(range.end) + 1 - self.line(range.start))
            .sum();
        all - in_tests
    }

    /// Lines (from 1) where `word` stands as a whole word in code; `true` marks test code.
    pub fn word(&self, word: &str) -> Vec<(usize, bool)> {
        self.positions(word)
            .map(|at| (self.line(at), self.in_test(at)))
            .collect()
    }

    /// Lines where a floating-point literal stands.
    pub fn float_literals(&self) -> Vec<(usize, bool)> {
        let code = &self.code;
        let digit = |at: usize| code.get(at).is_some_and(char::is_ascii_digit);
        let mut found = Vec::new();
        for at in 1..code.len() {
            if code[at] != '.' || !digit(at - 1) || !digit(at + 1) {
                continue;
            }
            let mut start = at - 1;
            while start > 0 && (is_word(code[start - 1])) {
                start -= 1;
            }
            // `pair.0.1` is a path of fields, `0..1` a range, `x1.0` a field of a name.
            let after_dot = start > 0 && code[start - 1] == '.';
            if digit(start) && !after_dot {
                found.push((self.line(at), self.in_test(at)));
            }
        }
        found
    }

    /// Every function with a body.
    pub fn functions(&self) -> Vec<Function> {
        let starts: Vec<usize> = self.positions("fn").collect();
        starts
            .into_iter()
            .filter_map(|at| self.function(at))
            .collect()
    }

    /// First and last line of each item under `#[cfg(test)]` or `#[test]`.
    pub fn test_lines(&self) -> Vec<(usize, usize)> {
        self.tests
            .iter()
            .map(|range| (self.line(range.start), self.line(range.end)))
            .collect()
    }

    fn function(&self, at: usize) -> Option<Function> {
        let name: String = self.code[at + 2..]
            .iter()
            .skip_while(|c| c.is_whitespace())
            .take_while(|&&c| is_word(c))
            .collect();
        let open = self.body(at)?;
        let last = self.line(self.closing(open));
        let named = !name.is_empty();
        named.then(|| Function {
            name,
            first: self.line(at),
            last,
            is_test: self.in_test(at),
        })
    }

    /// The brace that opens the item at `from`, unless a `;` ends it first.
    fn body(&self, from: usize) -> Option<usize> {
        let mut depth = 0_i32;
        for (at, c) in self.code.iter().enumerate().skip(from) {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                '{' if depth == 0 => return Some(at),
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }

    fn closing(&self, open: usize) -> usize {
        let mut depth = 0_i32;
        for (at, c) in self.code.iter().enumerate().skip(open) {
            match c {
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        self.code.len().saturating_sub(1)
    }

    fn test_ranges(&self) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for mark in ["#[cfg(test)]", "#[test]"] {
            let mark: Vec<char> = mark.chars().collect();
            for (at, window) in self.code.windows(mark.len()).enumerate() {
                if window == mark.as_slice()
                    && let Some(open) = self.body(at + mark.len())
                {
                    ranges.push(at..self.closing(open));
                }
            }
        }
        ranges.sort_by_key(|range| range.start);
        let mut outer: Vec<Range<usize>> = Vec::new();
        for range in ranges {
            if outer.last().is_none_or(|last| last.end < range.start) {
                outer.push(range);
            }
        }
        outer
    }

    fn positions(&self, word: &str) -> impl Iterator<Item = usize> {
        let word: Vec<char> = word.chars().collect();
        let code = &self.code;
        let boundary = |at: Option<&char>| at.is_none_or(|&c| !is_word(c));
        code.windows(word.len())
            .enumerate()
            .filter_map(move |(at, window)| {
                let before = at.checked_sub(1).and_then(|i| code.get(i));
                let whole = boundary(before) && boundary(code.get(at + word.len()));
                (window == word.as_slice() && whole).then_some(at)
            })
    }

    fn in_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    fn line(&self, at: usize) -> usize {
        self.line_of.get(at).copied().unwrap_or(0)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `text` with comments, strings and character literals blanked.
fn mask(text: &str) -> Vec<char> {
    let source: Vec<char> = text.chars().collect();
    let mut code = source.clone();
    let mut at = 0;
    while at < source.len() {
        let end = literal_end(&source, at);
        if end > at {
            for c in &mut code[at..end] {
                if *c != '\n' {
                    *c = ' ';
                }
            }
            at = end;
        } else {
            at += 1;
        }
    }
    code
}

/// End of the comment or literal that starts at `at`, or `at` when none does.
fn literal_end(source: &[char], at: usize) -> usize {
    let next = source.get(at + 1).copied();
    match (source[at], next) {
        ('/', Some('/')) => find(source, at, |c| c == '\n'),
        ('/', Some('*')) => block_comment_end(source, at),
        ('"', _) => string_end(source, at + 1),
        ('r', Some('"' | '#')) if !preceded_by_word(source, at) => raw_string_end(source, at),
        ('\'', Some('\\')) => find(source, at + 3, |c| c == '\'') + 1,
        ('\'', Some(_)) if source.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
    .min(source.len())
}

fn preceded_by_word(source: &[char], at: usize) -> bool {
    // `br"..."` is a raw string too.
    at > 0 && is_word(source[at - 1]) && source[at - 1] != 'b'
}

fn find(source: &[char], from: usize, wanted: impl Fn(char) -> bool) -> usize {
    (from..source.len())
        .find(|&i| wanted(source[i]))
        .unwrap_or(source.len())
}

fn block_comment_end(source: &[char], start: usize) -> usize {
    let mut depth = 0_i32;
    let mut at = start;
    while at + 1 < source.len() {
        match (source[at], source[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    source.len()
}

fn string_end(source: &[char], from: usize) -> usize {
    let mut at = from;
    while at < source.len() {
        match source[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    source.len()
}

fn raw_string_end(source: &[char], start: usize) -> usize {
    let hashes = source[start + 1..]
        .iter()
        .take_while(|&&c| c == '#')
        .count();
    let open = start + 1 + hashes;
    if source.get(open) != Some(&'"') {
        return start;
    }
    let closes = |at: usize| {
        let tail = source.get(at + 1..at + 1 + hashes);
        source[at] == '"' && tail.is_some_and(|tail| tail.iter().all(|&c| c == '#'))
    };
    (open + 1..source.len())
        .find(|&at| closes(at))
        .map_or(source.len(), |at| at + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r##"//! unsafe in a comment
fn short<'a>(x: &'a str) -> char { /* f64 /* nested */ unsafe */
    let _ = "unsafe \" f32"; let _ = r#"f64 "unsafe"#; let c = '"'; let e = '\'';
    c
}
fn declared();
#[cfg(test)]
mod tests {
    fn inside() {
        let y = 1.5_f64;
    }
}
"##;

    #[test]
    fn words_in_comments_and_literals_are_not_code() {
        let source = RustSource::new(SAMPLE);
        assert!(source.word("unsafe").is_empty());
        assert!(source.word("f32").is_empty());
        assert_eq!(source.word("mod"), [(8, true)]);
    }

    #[test]
    fn functions_end_at_their_own_brace_and_declarations_have_none() {
        let functions = RustSource::new(SAMPLE).functions();
        let lines: Vec<_> = functions
            .iter()
            .map(|f| (f.name.as_str(), f.first, f.last))
            .collect();
        assert_eq!(lines, [("short", 2, 5), ("inside", 9, 11)]);
        assert!(functions[1].is_test && !functions[0].is_test);
    }

    #[test]
    fn float_literals_are_told_from_fields_and_ranges() {
        let lines = |text| RustSource::new(text).float_literals().len();
        assert_eq!(lines("let x = 1.5;"), 1);
        assert_eq!(lines("let x = pair.0.1; for i in 0..10 {} x1.0"), 0);
    }

    #[test]
    fn test_items_do_not_count_as_lines_of_code() {
        assert_eq!(RustSource::new(SAMPLE).lines_of_code(), 6);
    }
}
