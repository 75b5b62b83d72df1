//! As much TOML as our manifests use: tables, and one `key = value` per entry, with its line number.

/// One `key = value`.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    /// The header above it, without brackets: `dependencies`, `workspace.lints.rust`, `model`.
    pub(crate) table: String,
    /// Counts headers, so that two `[[model]]` stay apart.
    pub(crate) table_number: usize,
    /// The key as written: `version.workspace` stays one key.
    pub(crate) key: String,
    /// The value as written, without its comment.
    pub(crate) value: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Entry {
    /// The value without its quotes.
    pub(crate) fn text(&self) -> &str {
        self.value.trim_matches('"')
    }
}

/// Reads all entries of a file.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let (mut table, mut table_number, mut open) = (String::new(), 0, 0);
    for (index, line) in text.lines().enumerate() {
        let line = without_comment(line).trim();
        if open > 0 {
            // A list that goes on over several lines belongs to the entry it began in.
            if let Some(entry) = entries.last_mut() {
                entry.value.push_str(line);
            }
            open += depth(line);
        } else if line.starts_with('[') {
            table = line.trim_matches(|c| c == '[' || c == ']').trim().to_owned();
            table_number += 1;
        } else if let Some((key, value)) = line.split_once('=') {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            open = depth(&value);
            entries.push(Entry { table: table.clone(), table_number, key, value, line: index + 1 });
        }
    }
    entries
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

/// How many brackets a line leaves open.
fn depth(line: &str) -> i32 {
    let mut quoted = false;
    let mut depth = 0;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keys_and_lists_over_lines() {
        let found = entries("a = 1 # one\n[[m]]\nname = \"x#y\"\n[[m]]\nlist = [\n  \"a\",\n]\nb.c = true\n");
        let short: Vec<_> =
            found.iter().map(|e| (e.table_number, e.key.as_str(), e.text(), e.line)).collect();
        assert_eq!(
            short,
            [(0, "a", "1", 1), (1, "name", "x#y", 3), (2, "list", "[\"a\",]", 5), (2, "b.c", "true", 8)]
        );
        assert_eq!(found[1].table, "m");
    }
}
