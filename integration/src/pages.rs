//! README and `docs/`, as a reader has them: their links, and the shell commands in their blocks.
//!
//! A command stands in a fenced block: `sh` is run by a test, `sh on node` and `sh on client` on the second
//! of two hosts, and `sh no-run` is for what no test can do; that it is not nonsense is checked all the
//! same. `console` has commands of `wgfleet` with what they answer, which `tests/cli` runs and compares.

use std::{fs, path::Path};

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// From the top of the repository.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the fence, such as `sh no-run`.
    pub info: String,
    /// Of the fence, from 1.
    pub line: usize,
    /// What is in it.
    pub text: String,
}

/// README and every page of `docs/`.
///
/// # Panics
/// When they can't be read.
#[must_use]
pub fn all() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).expect("the pages are there");
    let names = docs.map(|entry| entry.expect("an entry").file_name());
    let mut paths: Vec<_> = names
        .map(|name| format!("docs/{}", name.to_str().expect("our names are UTF-8")))
        // Beside pages, what they speak of.
        .filter(|path| path.ends_with(".md"))
        .collect();
    paths.sort();
    paths.push("README.md".to_owned());
    paths.iter().map(|path| page(path)).collect()
}

/// One page, by its path from the top of the repository.
///
/// # Panics
/// When it can't be read.
#[must_use]
pub fn page(path: &str) -> Page {
    let text = fs::read_to_string(root().join(path));
    Page {
        path: path.to_owned(),
        text: text.unwrap_or_else(|error| panic!("{path}: {error}")),
    }
}

/// The top of the repository.
///
/// # Panics
/// Never: this crate is in a workspace.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is in a workspace")
}

impl Page {
    /// Its fenced blocks.
    ///
    /// # Panics
    /// When one does not end.
    #[must_use]
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<(Block, usize)> = None;
        for (number, line) in self.text.lines().enumerate() {
            let ticks = line.len() - line.trim_start_matches('`').len();
            match &mut open {
                Some((block, fence)) if ticks >= *fence && line.trim_matches('`').is_empty() => {
                    blocks.push(block.clone());
                    open = None;
                }
                Some((block, _)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                None if ticks >= 3 => {
                    let block = Block {
                        info: line[ticks..].trim().to_owned(),
                        line: number + 1,
                        text: String::new(),
                    };
                    open = Some((block, ticks));
                }
                None => {}
            }
        }
        assert!(open.is_none(), "{}: a block does not end", self.path);
        blocks
    }

    /// Its text without fenced blocks; lines keep their numbers.
    #[must_use]
    pub fn prose(&self) -> String {
        let mut inside = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            let fence = line.starts_with("```");
            if !fence && !inside {
                prose.push_str(line);
            }
            inside ^= fence;
            prose.push('\n');
        }
        prose
    }

    /// Its commands as one script, those meant for the node or the client passed to `on_other`, a command
    /// that reads lines to run there.
    #[must_use]
    pub fn script(&self, on_other: &str) -> String {
        let mut script = String::new();
        for block in self.blocks() {
            let place = format!("echo '--- {} line {}'\n", self.path, block.line);
            match block.info.as_str() {
                "sh" => script += &(place + &block.text),
                "sh on node" | "sh on client" => {
                    let text = &block.text;
                    script += &format!("{place}{on_other} <<'ON_OTHER'\n{text}ON_OTHER\n");
                }
                _ => {}
            }
        }
        script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_prose_are_told_apart() {
        let text = "a\n\n```sh\nb\n```\nc\n````text\n```\n````\n```sh on node\nd\n```\n";
        let page = Page {
            path: "p".into(),
            text: text.into(),
        };
        let blocks = page.blocks();
        let infos: Vec<_> = blocks.iter().map(|block| block.info.as_str()).collect();
        assert_eq!(infos, ["sh", "text", "sh on node"]);
        assert_eq!((blocks[0].line, blocks[0].text.as_str()), (3, "b\n"));
        assert_eq!(blocks[1].text, "```\n");
        assert_eq!(page.prose().lines().count(), text.lines().count());
        assert!(!page.prose().contains('b'));
        let script = page.script("there");
        assert!(script.contains("line 3'\nb\n"), "{script}");
        assert!(
            script.contains("there <<'ON_OTHER'\nd\nON_OTHER\n"),
            "{script}"
        );
    }
}
