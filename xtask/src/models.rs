//! The loom models of a crate are listed in its `loom.toml`, each with the mutants that it must fail on.
//!
//! ```toml
//! [[model]]
//! name = "loom_wake_against_poll"
//! mutant = "wake_relaxed"
//! ```

use crate::toml;

/// One pair of a `loom.toml`: this model fails when this mutant is built in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pair {
    pub(crate) model: String,
    pub(crate) mutant: String,
    /// Where it stands, counted from 1.
    pub(crate) line: usize,
}

/// Reads a `loom.toml`.
///
/// # Errors
///
/// The line and what is wrong with it.
pub(crate) fn read(text: &str) -> Result<Vec<Pair>, (usize, String)> {
    let mut pairs: Vec<(usize, Pair)> = Vec::new();
    for entry in toml::entries(text) {
        if entry.table != "model" {
            return Err((entry.line, "an entry outside of `[[model]]`".into()));
        }
        if pairs.last().is_none_or(|(number, _)| *number != entry.table_number) {
            let pair = Pair { model: String::new(), mutant: String::new(), line: entry.line };
            pairs.push((entry.table_number, pair));
        }
        let Some((_, pair)) = pairs.last_mut() else { continue };
        match entry.key.as_str() {
            "name" => pair.model = entry.text().to_owned(),
            "mutant" => pair.mutant = entry.text().to_owned(),
            key => return Err((entry.line, format!("`{key}` is neither `name` nor `mutant`"))),
        }
    }
    match pairs.iter().find(|(_, pair)| pair.model.is_empty() || pair.mutant.is_empty()) {
        Some((_, pair)) => Err((pair.line, "a model needs both `name` and `mutant`".into())),
        None => Ok(pairs.into_iter().map(|(_, pair)| pair).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_in_order() {
        let text = "# why\n[[model]]\nname = \"loom_a\"\nmutant = \"x\"\n\n[[model]]\nname = \"loom_a\"\nmutant = \"y\"\n";
        let pairs = read(text).unwrap();
        let short: Vec<_> = pairs.iter().map(|p| (p.model.as_str(), p.mutant.as_str(), p.line)).collect();
        assert_eq!(short, [("loom_a", "x", 3), ("loom_a", "y", 7)]);
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn half_a_pair_is_an_error() {
        assert_eq!(read("[[model]]\nname = \"loom_a\"\n").unwrap_err().0, 2);
        assert_eq!(read("[[model]]\nnom = \"loom_a\"\n").unwrap_err().0, 2);
        assert_eq!(read("name = \"loom_a\"\n").unwrap_err().0, 1);
    }
}
