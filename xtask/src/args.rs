//! A command line is flags, options with a value, and the rest; anything unknown is refused.

use crate::stop::Stop;

/// What a command was given.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Args {
    flags: Vec<String>,
    options: Vec<(String, String)>,
    /// The arguments that are neither a flag nor an option, in order.
    pub(crate) free: Vec<String>,
}

impl Args {
    /// Splits `raw`. `--name value` and `--name=value` are the same.
    ///
    /// # Errors
    ///
    /// `Stop::Help` for `--help`; `Stop::Usage` for an unknown name or a missing value.
    pub(crate) fn parse(
        raw: Vec<String>,
        help: &'static str,
        flags: &[&str],
        options: &[&str],
    ) -> Result<Self, Stop> {
        let mut args = Self::default();
        let mut raw = raw.into_iter();
        while let Some(word) = raw.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) if name.starts_with('-') => (name.to_owned(), Some(value.to_owned())),
                _ => (word, None),
            };
            if matches!(name.as_str(), "--help" | "-h") {
                return Err(Stop::Help(help));
            } else if flags.contains(&name.as_str()) && value.is_none() {
                args.flags.push(name);
            } else if options.contains(&name.as_str()) {
                let value = value.or_else(|| raw.next());
                let value = value.ok_or_else(|| Stop::Usage(format!("`{name}` wants a value")))?;
                args.options.push((name, value));
            } else if name.starts_with('-') {
                return Err(Stop::Usage(format!("`{name}` is not known here")));
            } else {
                args.free.push(name);
            }
        }
        Ok(args)
    }

    /// Whether the flag was given.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }

    /// Every value of a repeatable option.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |option| option.0 == name).map(|option| option.1.as_str())
    }

    /// The last value of an option as a number of at least 1, or `default`.
    pub(crate) fn number(&self, name: &str, default: u32) -> Result<u32, Stop> {
        let Some(value) = self.values(name).last() else { return Ok(default) };
        match value.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(Stop::Usage(format!("`{name}` wants a number of at least 1, not `{value}`"))),
        }
    }

    /// Refuses free arguments, for a command that takes none.
    pub(crate) fn nothing_else(&self) -> Result<(), Stop> {
        match self.free.first() {
            None => Ok(()),
            Some(word) => Err(Stop::Usage(format!("`{word}` is not known here"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, Stop> {
        let raw = line.split_whitespace().map(str::to_owned).collect();
        Args::parse(raw, "the help", &["--mutants"], &["-p", "--repeat"])
    }

    #[test]
    fn flags_options_and_the_rest() {
        let args = parse("core --mutants -p a --repeat=3 -p b").unwrap();
        assert!(args.flag("--mutants"));
        assert_eq!(args.values("-p").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(args.number("--repeat", 1), Ok(3));
        assert_eq!(args.number("--other", 7), Ok(7));
        assert_eq!(args.free, ["core"]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        assert_eq!(parse("--help"), Err(Stop::Help("the help")));
        assert!(matches!(parse("--mutant"), Err(Stop::Usage(_))));
        assert!(matches!(parse("-p"), Err(Stop::Usage(_))));
        assert!(parse("--repeat 0").unwrap().number("--repeat", 1).is_err());
        assert!(parse("core").unwrap().nothing_else().is_err());
    }
}
