//! The grammar of a combination: `executor[:workers]+reactor+timers[,key=value…]`.
//!
//! Invariant: whatever this refuses, `Combination`'s `FromStr` refuses, too. The reverse does not hold: which names there are is
//! known where the runtime is built.

/// More workers than this are a typing error, here as in the facade.
pub(crate) const MAX_WORKERS: usize = 1024;

/// Says what is wrong with the form of `text`.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let mut options = text.split(',');
    let parts: Vec<&str> = options.next().unwrap_or_default().split('+').map(str::trim).collect();
    if parts.len() > 3 {
        return Err(format!(
            "`{text}` has too many parts; it is executor[:workers]+reactor+timers[,key=value…]"
        ));
    }
    let (executor, workers) =
        parts[0].split_once(':').map_or((parts[0], None), |(name, number)| (name, Some(number)));
    if let Some(number) = workers
        && !number.parse().is_ok_and(|number: usize| (1..=MAX_WORKERS).contains(&number))
    {
        return Err(format!("`{number}` is not a number of workers; 1 to {MAX_WORKERS} are allowed"));
    }
    for (name, noun) in [executor].iter().chain(&parts[1..]).zip(["executor", "reactor", "timer queue"]) {
        if name.is_empty() {
            return Err(format!(
                "`{text}` names no {noun}; it is executor[:workers]+reactor+timers[,key=value…]"
            ));
        }
        if let Some(wrong) =
            name.chars().find(|letter| !letter.is_ascii_alphanumeric() && !"_-".contains(*letter))
        {
            return Err(format!("`{name}` is no name of an {noun}: `{wrong}` stands in none")
                .replace("an r", "a r")
                .replace("an t", "a t"));
        }
    }
    let mut said = Vec::new();
    for option in options {
        match option.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() && !value.is_empty() => {
                if said.contains(&key.trim()) {
                    return Err(format!("`{}` is said twice; once is allowed", key.trim()));
                }
                said.push(key.trim());
            }
            _ => return Err(format!("`{option}` is no option; one is key=value, such as block=none")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_names_in_the_right_form_pass() {
        for text in
            ["fifo", "steal:4+mio+wheel", "mine+my-reactor+my_timers,block=none", "fifo + poll + heap"]
        {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_wrong_form_is_told() {
        let said = |text: &str| check(text).unwrap_err();
        assert!(said("").contains("names no executor"));
        assert!(said("fifo+").contains("names no reactor"));
        assert!(said("fifo+mio+").contains("names no timer queue"));
        assert!(said("fifo+mio+heap+x").contains("too many parts"));
        assert!(said("steal:0").contains("1 to 1024"));
        assert!(said("steal:1025").contains("1 to 1024"));
        assert!(said("steal:+mio").contains("1 to 1024"));
        assert!(said("fifo/mio").contains("is no name of an executor: `/`"));
        assert!(said("fifo+m o").contains("is no name of a reactor"));
        assert!(said("steal,block").contains("key=value"));
        assert!(said("steal,").contains("key=value"));
        assert!(said("steal,block=none,lifo=off, block=detect").contains("`block` is said twice"));
    }

    /// The grammar here may be more generous than the facade's, never less.
    #[test]
    fn what_is_refused_here_is_refused_there() {
        let pieces = [
            "fifo", "steal", "global", "mio", "polling", "poll", "wheel", "heap", ":", "+", ",", "=", " ",
            "block", "lifo", "none", "detect", "handoff", "off", "10ms", "500us", "0", "4", "1024", "1025",
            "+4", "", "-", "_", "é",
        ];
        let mut random = 1_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % below
        };
        for _ in 0..200_000 {
            let text: String = (0..=next(11)).map(|_| pieces[next(pieces.len())]).collect();
            let there = text.parse::<polyloop::Combination>();
            assert!(
                check(&text).is_ok() || there.is_err(),
                "`{text}` is {there:?}, and here: {:?}",
                check(&text)
            );
        }
    }
}
