//! Pages, read as browsers read them.

mod bounded;

use scraper::error::SelectorErrorKind;
use scraper::{ElementRef, Selector};

/// A page. However broken the text is, it is read as a browser would.
///
/// # Examples
///
/// ```
/// use trpl::Html;
///
/// let page = Html::parse("<title>Fish &amp; chips</title><p>one<p>two");
/// assert_eq!(page.select_first("title").unwrap().inner_html(), "Fish &amp; chips");
/// assert_eq!(page.select_first("p:last-of-type").unwrap().inner_html(), "two");
/// assert!(page.select_first("h1").is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Html(scraper::Html);

impl Html {
    /// Reads a whole page, in time in proportion to its size.
    ///
    /// A page may be made so that it would take much longer: with elements nested thousands deep, hundreds of them that format one
    /// another, or a tag of thousands of attributes. **Such a page is read as far as a fraction of a second is enough for**; what comes
    /// after that is missing.
    pub fn parse(source: &str) -> Self {
        Self(bounded::read(source))
    }

    /// The first element for which a CSS selector holds, in the order of the page.
    ///
    /// # Panics
    ///
    /// If this is no selector.
    #[track_caller]
    pub fn select_first<'a>(&'a self, selector: &'a str) -> Option<ElementRef<'a>> {
        match Selector::parse(selector) {
            Ok(selector) => self.0.select(&selector).next(),
            // What the parser says of these is two lines, and asks to be told to its authors.
            Err(SelectorErrorKind::UnexpectedSelectorParseError(why)) => {
                panic!("{}: {why:?}", refused(selector))
            }
            Err(error) => panic!("{}: {error}", refused(selector)),
        }
    }
}

fn refused(selector: &str) -> String {
    format!("`{selector}` is no CSS selector, such as `title` or `p.note`")
}
