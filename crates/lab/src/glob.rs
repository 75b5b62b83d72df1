//! Patterns on case paths: `*` is any text, also across `/`; `?` is one character; a whole leading part selects all
//! below it, so that `starvation/race` means `starvation/race/*`.

/// Whether `pattern` selects `path`.
pub(crate) fn selects(pattern: &str, path: &str) -> bool {
    let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
    let whole: Vec<char> = path.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    matches(&pattern, &whole)
        || whole.iter().enumerate().any(|(at, c)| *c == '/' && matches(&pattern, &whole[..at]))
}

/// The classic two-pointer match: on a mismatch the last `*` takes one character more.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::selects;

    #[test]
    fn stars_cross_slashes_and_parts_select_what_is_below() {
        for (pattern, path, expected) in [
            ("*", "yield", true),
            ("yield", "yield", true),
            ("yield", "yields", false),
            ("starvation", "starvation/race/yields/seed", true),
            ("starvation/race/", "starvation/race/yields/seed", true),
            ("starv", "starvation/race", false),
            ("*/yields/*", "starvation/race/yields/seed", true),
            ("*/yields/*", "starvation/race/no-yields/seed", false),
            ("*yields", "starvation/race/no-yields/seed", true),
            ("tcp_echo/conns=?4*", "tcp_echo/conns=64/bytes=64", true),
            ("tcp_echo/conns=?", "tcp_echo/conns=64/bytes=64", false),
            ("a*b*c", "aXbXbXc", true),
            ("", "yield", false),
        ] {
            assert_eq!(selects(pattern, path), expected, "{pattern} on {path}");
        }
    }
}
