//! Text that is shown: counted, broken into lines, and free of what would steer a terminal.

/// `1 poll`, `2 polls`.
#[must_use]
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Names and reasons come from outside: a control character or a change of direction must not reach the terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if odd(c) { '\u{fffd}' } else { c }).collect()
}

/// The text in lines of at most `room` characters, broken between words.
#[must_use]
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    packed(text.split_whitespace(), " ", room)
}

/// The pieces in lines of at most `room` characters, with `gap` between those of a line.
pub(crate) fn packed<P: AsRef<str>>(
    pieces: impl IntoIterator<Item = P>,
    gap: &str,
    room: usize,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        let piece = piece.as_ref();
        match lines.last_mut() {
            Some(line) if line.chars().count() + gap.len() + piece.chars().count() <= room => {
                *line += gap;
                *line += piece;
            }
            _ => lines.push(piece.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_broken_between_words() {
        assert_eq!(wrapped("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrapped("longer than room", 3), ["longer", "than", "room"]);
        assert_eq!(wrapped("", 3), [""; 0]);
        assert_eq!(packed(["a b", "c d", "e"], "  ", 8), ["a b  c d", "e"]);
    }
}
