//! The frame of the page: escaping, style sheet, script.

/// Text as text, in an element or in a quoted attribute. Control characters and changes of direction become a visible
/// sign, so that a name cannot rearrange what stands beside it.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in polyloop_timeline::text::clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// A path or a combination, which may go on in the next line after each of its parts.
pub(super) fn breakable(name: &str) -> String {
    name.split_inclusive(['/', '+', ',']).map(escape).collect::<Vec<_>>().join("<wbr>")
}

/// What colours mean: the class of each, and a word that stays beside it.
pub(super) fn legend(keys: &[(&str, &str)]) -> String {
    keys.iter()
        .map(|(class, what)| format!(" <span class=key><i class={class}></i>{}</span>", escape(what)))
        .collect()
}

/// The whole file.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
         <meta name=viewport content='width=device-width, initial-scale=1'>\n\
         <meta name=color-scheme content='light dark'>\n<link rel=icon href='data:,'>\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(title)
    )
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_place() {
        assert_eq!(escape("</script>\"'&\u{202e}\u{7}"), "&lt;/script&gt;&quot;&#39;&amp;\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_page_asks_nothing_of_a_network() {
        let page = page("t", "b");
        for needle in ["http://", "https://", "//cdn", "@import", "fetch(", "XMLHttp"] {
            assert!(!page.contains(needle), "{needle}");
        }
    }
}
