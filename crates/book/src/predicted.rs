//! What a program must print: chains of lines, each in its order, in any mixture.
//!
//! Invariant: every line that a program prints is in a chain, and every chain is there whole.

use std::fmt;

/// Chains of lines. A line may be in several of them: so an order between chains is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicted(Vec<Vec<String>>);

impl Predicted {
    /// These chains, each with one line of the program in a line.
    pub fn chains(chains: &[&str]) -> Self {
        Self(chains.iter().map(|chain| chain.lines().map(str::to_owned).collect()).collect())
    }

    /// This output and no other.
    pub fn exactly(lines: impl IntoIterator<Item = String>) -> Self {
        Self(vec![lines.into_iter().collect()])
    }
}

/// What an output lacks or has too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A line that nobody predicted.
    Unknown(String),
    /// A chain, and what there was of it.
    Order {
        /// What must be, in this order.
        predicted: Vec<String>,
        /// What was.
        observed: Vec<String>,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(line) => write!(f, "nobody predicted `{line}`"),
            Self::Order { predicted, observed } => {
                write!(f, "predicted `{}`, observed `{}`", predicted.join(" / "), observed.join(" / "))
            }
        }
    }
}

impl std::error::Error for Mismatch {}

/// Whether an output is as predicted.
///
/// # Errors
///
/// The first thing that is not.
pub fn judge(predicted: &Predicted, output: &str) -> Result<(), Mismatch> {
    let known = |line: &str| predicted.0.iter().flatten().any(|known| known == line);
    if let Some(line) = output.lines().find(|line| !known(line)) {
        return Err(Mismatch::Unknown(line.to_owned()));
    }
    for chain in &predicted.0 {
        let observed: Vec<String> = output
            .lines()
            .filter(|line| chain.iter().any(|known| known == line))
            .map(str::to_owned)
            .collect();
        if observed != *chain {
            return Err(Mismatch::Order { predicted: chain.clone(), observed });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_may_mix_but_not_change() {
        let predicted = Predicted::chains(&["a\nb\nb\nc", "1\n2", "b\nb\n2"]);
        for good in ["a\nb\nb\nc\n1\n2\n", "1\na\nb\nb\n2\nc"] {
            assert_eq!(judge(&predicted, good), Ok(()), "{good}");
        }
        for bad in
            ["", "a\nb\nb\nc", "a\nb\nc\n1\n2", "b\na\nb\nc\n1\n2", "a\nb\n1\n2\nb\nc", "a\nb\nb\nc\n1\n2\n2"]
        {
            assert!(matches!(judge(&predicted, bad), Err(Mismatch::Order { .. })), "{bad}");
        }
        assert_eq!(judge(&predicted, "a\nx"), Err(Mismatch::Unknown("x".into())));
    }
}
