//! Pages, read as browsers read them.

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
    /// Reads a whole page. That takes time in proportion to its size, and to the square of how deep its elements are nested.
    pub fn parse(source: &str) -> Self {
        Self(scraper::Html::parse_document(source))
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
            Err(error) => panic!("`{selector}` is no CSS selector, such as `title` or `p.note`: {error}"),
        }
    }
}
