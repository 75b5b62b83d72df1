//! The files that are checked, read once. A line of Rust knows its code apart from its comment.

use std::fs;
use std::path::Path;

use crate::stop::Stop;
use crate::workspace::{Package, Workspace};

/// Both workspaces, that of the ecosystem being a folder of the other. Its packages come last.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    pub(crate) packages: Vec<Package>,
}

/// One text file. The path is relative to the root, with `/`.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    /// Only for Rust.
    pub(crate) lines: Vec<Line>,
}

/// A line of Rust. What is inside a string is blank in `code`, so a word found there is code.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) code: String,
    pub(crate) comment: String,
}

/// What is text and ours, by extension. The lock file is cargo's.
const TEXT: &[&str] = &["rs", "toml", "md", "sh", "yml", "yaml", "html", "js", "css"];
/// Hidden folders that are ours; others (and build output) are passed over.
const HIDDEN: &[&str] = &[".cargo", ".ci", ".github", ".config"];

impl Tree {
    pub(crate) fn load() -> Result<Self, Stop> {
        let mut workspace = Workspace::load()?;
        workspace.packages.extend(Workspace::ecosystem()?.packages);
        let mut files = Vec::new();
        walk(&workspace.root, "", &mut files)
            .map_err(|error| Stop::Failed(format!("the workspace cannot be read: {error}")))?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files, packages: workspace.packages })
    }

    /// The file at `path`.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is("rs"))
    }
}

impl File {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let mut file = Self { path: path.to_owned(), text: text.to_owned(), lines: Vec::new() };
        if file.is("rs") {
            file.lines = lines(text);
        }
        file
    }

    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }
}

fn walk(root: &Path, folder: &str, files: &mut Vec<File>) -> std::io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if entry.file_type()?.is_dir() {
            if name != "target" && (!name.starts_with('.') || HIDDEN.contains(&name.as_str())) {
                walk(root, &path, files)?;
            }
        } else if entry.file_type()?.is_file() {
            let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
            if TEXT.contains(&extension) || folder == ".ci" {
                files.push(File::new(&path, &fs::read_to_string(entry.path())?));
            }
        }
    }
    Ok(())
}

/// Where in Rust's grammar a character stands.
enum Place {
    Code,
    LineComment,
    BlockComment(u32),
    Text,
    RawText(usize),
}

/// Splits Rust into lines of code and comment.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let chars: Vec<char> = text.chars().collect();
    let mut lines = Vec::new();
    let mut line = Line::default();
    let mut place = Place::Code;
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let mut step = 1;
        if c == '\n' {
            lines.push(std::mem::take(&mut line));
            if matches!(place, Place::LineComment) {
                place = Place::Code;
            }
            at += 1;
            continue;
        }
        let rest = &chars[at..];
        match place {
            Place::Code if rest.starts_with(&['/', '/']) => {
                place = Place::LineComment;
                line.comment.push(c);
            }
            Place::Code if rest.starts_with(&['/', '*']) => {
                place = Place::BlockComment(1);
                step = 2;
            }
            Place::Code => {
                line.code.push(c);
                if c == '"' {
                    place = hashes_before(&chars[..at]).map_or(Place::Text, Place::RawText);
                } else if c == '\'' {
                    step = quoted_char(rest);
                    line.code.extend(std::iter::repeat_n(' ', step - 1));
                }
            }
            Place::LineComment => line.comment.push(c),
            Place::BlockComment(depth) if rest.starts_with(&['/', '*']) => {
                place = Place::BlockComment(depth + 1);
                step = 2;
            }
            Place::BlockComment(depth) if rest.starts_with(&['*', '/']) => {
                place = if depth == 1 { Place::Code } else { Place::BlockComment(depth - 1) };
                step = 2;
            }
            Place::BlockComment(_) => line.comment.push(c),
            Place::Text if c == '\\' && rest.get(1).is_some_and(|next| *next != '\n') => {
                line.code.push_str("  ");
                step = 2;
            }
            Place::Text if c == '"' => {
                line.code.push(c);
                place = Place::Code;
            }
            Place::RawText(hashes)
                if c == '"' && rest[1..].iter().take_while(|c| **c == '#').count() >= hashes =>
            {
                line.code.push(c);
                place = Place::Code;
            }
            Place::Text | Place::RawText(_) => line.code.push(' '),
        }
        at += step;
    }
    lines.push(line);
    lines
}

/// The number of `#` if what stands before a quote makes the string a raw one.
fn hashes_before(before: &[char]) -> Option<usize> {
    let hashes = before.iter().rev().take_while(|c| **c == '#').count();
    let mut prefix = before[..before.len() - hashes].iter().rev();
    if prefix.next() != Some(&'r') {
        return None;
    }
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    match prefix.next() {
        Some('b' | 'c') => (!is_word(prefix.next())).then_some(hashes),
        other => (!is_word(other)).then_some(hashes),
    }
}

/// How many characters a character literal has; 1 for the quote of a lifetime.
fn quoted_char(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', _, tail @ ..] => 3 + tail.iter().take_while(|c| **c != '\'').count() + 1,
        ['\'', _, '\'', ..] => 3,
        _ => 1,
    }
}

/// Whether `word` stands in `code` with no letter around it.
pub(super) fn has_word(code: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let cut = before.is_some_and(is_word) || word.ends_with(is_word) && after.is_some_and(is_word);
        !cut
    })
}

#[cfg(test)]
impl Tree {
    /// A tree of these files, without packages.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| File::new(path, text)).collect(), packages: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<String> {
        lines(text).into_iter().map(|line| line.code.trim_end().to_owned()).collect()
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        assert_eq!(code("a(); // todo\nb(/* x /* y */ z */);"), ["a();", "b();"]);
        assert_eq!(code("let s = \"to//do \\\" x\"; f"), ["let s = \"           \"; f"]);
        assert_eq!(code("r#\"a\"b\nc\"#; d"), ["r#\"   ", " \"#; d"].map(str::trim_end));
        assert_eq!(code("br\"\\\"; e"), ["br\" \"; e"]);
        assert_eq!(code("f('\"', '\\'', 'x); g"), ["f('  , '   , 'x); g"]);
        assert_eq!(lines("x // SAFETY: y").pop().unwrap().comment, "// SAFETY: y");
    }

    #[test]
    fn a_word_stands_alone() {
        assert!(has_word("x = unsafe { y }", "unsafe"));
        assert!(!has_word("unsafe_code", "unsafe"));
        assert!(has_word("  dbg!(x)", "dbg!"));
        assert!(!has_word("my_dbg!(x)", "dbg!"));
    }
}
