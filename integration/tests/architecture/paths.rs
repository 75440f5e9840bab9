//! The paths a Rust source names: in its `use` declarations, and everywhere else.
//!
//! Not a parser: it knows comments, strings, `::` and the braces of `use`. That is enough to say
//! which crates and modules a file reaches for, without building the file.

use std::collections::HashMap;

/// Every path of `source` that has two segments or more, or is used or linked as a whole. A path
/// that begins with a name some `use` brought in is given from its origin on; a glob ends in `*`.
pub(crate) fn named(source: &str) -> Vec<String> {
    let tokens = tokens(&blanked(source));
    let mut scan = Scan {
        tokens: &tokens,
        at: 0,
    };
    let (mut imports, mut others) = (Vec::new(), Vec::new());
    while let Some(token) = scan.next() {
        match token {
            "use" => scan.use_tree("", &mut imports),
            "extern" if scan.peek() == Some("crate") => {
                scan.at += 1;
                imports.extend(scan.next().map(|name| (name.to_owned(), name.to_owned())));
            }
            name if is_name(name) => others.extend(scan.path_from(name)),
            _ => {}
        }
    }
    let origins: HashMap<_, _> = imports
        .iter()
        .map(|(path, alias)| (alias.as_str(), path.as_str()))
        .collect();
    let resolved = others.iter().map(|path| from_origin(path, &origins));
    imports
        .iter()
        .map(|(path, _)| path.clone())
        .chain(resolved)
        .collect()
}

fn from_origin(path: &str, origins: &HashMap<&str, &str>) -> String {
    let (first, rest) = path.split_once("::").unwrap_or((path, ""));
    match origins.get(first) {
        Some(origin) if *origin != first => format!("{origin}::{rest}"),
        _ => path.to_owned(),
    }
}

struct Scan<'a> {
    tokens: &'a [String],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Option<&'a str> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn skip_comma(&mut self) {
        if self.peek() == Some(",") {
            self.at += 1;
        }
    }

    /// The rest of a path after its first name; `None` when that was all.
    fn path_from(&mut self, first: &str) -> Option<String> {
        let mut path = first.to_owned();
        while self.peek() == Some("::") && self.tokens.get(self.at + 1).is_some_and(|t| is_name(t))
        {
            path = format!("{path}::{}", self.tokens[self.at + 1]);
            self.at += 2;
        }
        path.contains("::").then_some(path)
    }

    /// One tree of a `use` (after it, or inside braces): (path, name it brings in) for each leaf.
    fn use_tree(&mut self, prefix: &str, found: &mut Vec<(String, String)>) {
        let mut path = prefix.to_owned();
        while let Some(token) = self.next() {
            match token {
                "::" => {}
                "{" => {
                    while self.peek().is_some_and(|token| token != "}") {
                        self.use_tree(&path, found);
                    }
                    self.at += 1;
                    self.skip_comma();
                    return;
                }
                "as" => {
                    let alias = self.next().unwrap_or_default().to_owned();
                    self.skip_comma();
                    return found.push((path, alias));
                }
                // `self` in braces is the path itself, and a path's beginning elsewhere.
                "self" if !path.is_empty() => {}
                name if is_name(name) || name == "*" => {
                    path = if path.is_empty() {
                        name.into()
                    } else {
                        format!("{path}::{name}")
                    };
                }
                _ => break,
            }
            if matches!(self.peek(), Some("}" | "," | ";")) {
                self.skip_comma();
                break;
            }
        }
        if !path.is_empty() {
            let name = path.rsplit("::").next().unwrap_or_default().to_owned();
            found.push((path, name));
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("::") {
            2
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// `source` without comments, and with nothing in its strings and characters.
fn blanked(source: &str) -> String {
    let mut kept = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| literal(rest));
        if let Some(length) = skipped {
            kept.push(' ');
            rest = &rest[length..];
        } else if first.is_alphanumeric() || first == '_' {
            // Whole words, so that the `r` of a name does not begin a raw string.
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            kept.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept
}

/// The length of the comment `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| {
        let (mut depth, mut at) = (0, 0);
        while at < text.len() {
            let step = match &text.as_bytes()[at..] {
                [b'/', b'*', ..] => (2, 1),
                [b'*', b'/', ..] => (2, -1),
                _ => (1, 0),
            };
            at += step.0;
            depth += step.1;
            if depth == 0 {
                break;
            }
        }
        at
    })
}

/// The length of the string or character `text` begins with. A lifetime is neither.
fn literal(text: &str) -> Option<usize> {
    let marks = text
        .find(|c: char| !matches!(c, 'b' | 'c' | 'r'))
        .unwrap_or(0);
    let (marks, body) = text.split_at(marks.min(2));
    if marks.ends_with('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let close = format!("\"{}", "#".repeat(hashes));
        let inside = body[hashes..].strip_prefix('"')?;
        let end = inside.find(&close).map_or(text.len(), |end| {
            marks.len() + hashes + 1 + end + close.len()
        });
        return Some(end);
    }
    let quote = body
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''))?;
    let mut characters = body.char_indices().skip(1);
    if quote == '\'' {
        let mut ahead = body.chars().skip(1);
        let (first, second) = (ahead.next()?, ahead.next());
        if first != '\\' && second != Some('\'') {
            return None;
        }
    }
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return Some(marks.len() + at + 1);
        }
    }
    Some(text.len())
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let found = |source: &str| {
        let mut paths = named(source);
        paths.sort();
        paths
    };
    assert_eq!(found("use std::fs;"), ["std::fs"]);
    assert_eq!(
        found("pub(crate) use a::{self, b::{C, D as E, G}, f::*};"),
        ["a", "a::b::C", "a::b::D", "a::b::G", "a::f::*"]
    );
    assert_eq!(
        found("use ::rtnetlink::{Handle, new_connection,}; x"),
        ["rtnetlink::Handle", "rtnetlink::new_connection"]
    );
    assert_eq!(found("extern crate rusqlite;"), ["rusqlite"]);
    assert_eq!(
        found("fn f() { tokio::process::Command::new(); }"),
        ["tokio::process::Command::new"]
    );
    assert_eq!(
        found("fn f(x: &'a str) -> crate::store::Row<'a> { 'x' }"),
        ["crate::store::Row"]
    );
    assert_eq!(
        found("use std::process as p; fn f() { p::Command::new(x) }"),
        ["std::process", "std::process::Command::new"]
    );
    assert_eq!(
        found("use std::{net, process}; fn f() { process::exit(1) }"),
        ["std::net", "std::process", "std::process::exit"]
    );
    assert_eq!(found("#[tokio::main] async fn main() {}"), ["tokio::main"]);
}

#[test]
fn what_is_only_said_is_not_a_path() {
    let nothing = [
        "// std::fs::read",
        "/* std::fs /* nested */ std::net */",
        "/// [`std::fs`]\nfn f() {}",
        "\"std::fs \\\" std::net\"",
        "r#\"std::fs \" std::net\"#",
        "b\"a::b\" br\"a::b\" '\"' '\\'' b'\\''",
        "x for y",
    ];
    for source in nothing {
        assert_eq!(named(source), [""; 0], "{source}");
    }
}
