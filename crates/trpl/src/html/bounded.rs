//! Reading a page in a bounded number of steps, however hostile it is.
//!
//! Invariant: *every step of the parser of which a byte of the page can cost more than a few is counted*, and past [`MOST`] of them no
//! more is read. Such are the searches in its stack of open elements, which ask the tree for each name and so are heard here; those in
//! its list of open formatting, which holds no more than the elements around a new one; and those among the attributes of one tag.
//!
//! The page is fed to the parser in pieces that begin with `<` or end with `>`, so that one piece holds one tag at most. Whether it was
//! one, and is over, only the parser knows: `<a` may stand in a comment, and `>` in a value. But of each tag that is over the tree
//! hears something.

use html5ever::driver::{self, ParseOpts};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, QualName};
use scraper::{Html, HtmlTreeSink};
use std::borrow::Cow;
use std::cell::Cell;

/// A page that people have made needs less than one step for each of its bytes. So many take a fraction of a second.
const MOST: u64 = 1 << 25;

/// What making an element counts, in steps: a short tag may bring back many elements that it is formatted by.
const ELEMENT: u64 = 16;

/// What comparing two tags with their attributes counts.
const COMPARED: u64 = 16;

type Node = <HtmlTreeSink as TreeSink>::Handle;

/// Reads `page`, or as much of it as [`MOST`] steps are enough for.
pub(super) fn read(page: &str) -> Html {
    let mut parser = driver::parse_document(Counting::default(), ParseOpts::default());
    let (mut tag, mut from) = (Tag::default(), 0);
    let whole = StrTendril::from(page);
    while from < page.len() {
        let piece = first_piece(&page.as_bytes()[from..]);
        let tree = &parser.tokenizer.sink.sink;
        tag.resume(piece, tree.heard.take());
        let begins_end = piece.starts_with(b"</");
        tree.count(if begins_end { tree.most_formatting.get() } else { 0 });
        if !piece.iter().all(|&byte| tree.count(tag.step(byte))) {
            break;
        }
        parser.process(whole.subtendril(from as u32, piece.len() as u32));
        from += piece.len();
    }
    parser.finish()
}

/// Up to the next `<`, or to the end of the next `>`.
fn first_piece(page: &[u8]) -> &[u8] {
    let ends = |at: usize| page[at] == b'>' || page.get(at + 1) == Some(&b'<');
    let length = (0..page.len()).find(|&at| ends(at)).map_or(page.len(), |at| at + 1);
    &page[..length]
}

/// The attributes of the tag that is read, as the parser tells them apart.
#[derive(Default)]
struct Tag {
    at: At,
    attributes: u64,
    /// An error came, and where the parser is cannot be known: whatever may begin an attribute is taken for one.
    lost: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum At {
    /// In no tag.
    #[default]
    Outside,
    /// Where people leave out what may look like thousands of tags.
    Comment,
    /// A doctype or the like, in which no comment begins, and which the first `>` ends.
    Declaration,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Quoted(u8),
    Unquoted,
}

impl Tag {
    /// A piece begins, of which the one before was `heard` of.
    fn resume(&mut self, piece: &[u8], heard: Heard) {
        if heard == Heard::Token {
            *self = Self::default();
        }
        // A comment is over with its token, and with nothing else.
        self.lost |= heard == Heard::Error && self.at != At::Comment;
        if self.at == At::Outside {
            self.at = match piece {
                [b'<', b'!', b'-', b'-', ..] => At::Comment,
                [b'<', b'!' | b'?', ..] => At::Declaration,
                [b'<', b'/' | b'a'..=b'z' | b'A'..=b'Z', ..] => At::Name,
                _ => At::Outside,
            };
        }
    }

    /// What the next byte counts: of a new attribute, as much as there are before it.
    fn step(&mut self, byte: u8) -> u64 {
        let is_space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c');
        if self.lost {
            let may_begin = is_space || matches!(byte, b'/' | b'"' | b'\'');
            self.attributes += u64::from(may_begin);
            return if may_begin { self.attributes } else { 0 };
        }
        let before = self.at;
        self.at = match (before, byte) {
            (At::Outside | At::Comment, _) => before,
            (At::Quoted(quote), _) if byte == quote => At::BeforeName,
            (At::Quoted(_), _) => before,
            (_, b'>') => At::Outside,
            (At::Declaration, _) => before,
            (At::BeforeName | At::Name | At::AfterName, b'/') => At::BeforeName,
            (At::Name | At::AfterName, b'=') => At::BeforeValue,
            (At::BeforeValue, b'"' | b'\'') => At::Quoted(byte),
            (At::Name, _) if is_space => At::AfterName,
            (At::Unquoted, _) if is_space => At::BeforeName,
            (_, _) if is_space => before,
            (At::BeforeName | At::AfterName | At::Name, _) => At::Name,
            (At::BeforeValue | At::Unquoted, _) => At::Unquoted,
        };
        if self.at != At::Name || before == At::Name {
            return 0;
        }
        self.attributes += 1;
        self.attributes
    }
}

/// What the tree has heard of since it was last asked.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    #[default]
    Nothing,
    /// Something is wrong with the page, which may be in the middle of a tag.
    Error,
    /// A tag, a text or a comment has ended.
    Token,
}

/// The tree, which counts what it is asked.
struct Counting {
    tree: HtmlTreeSink,
    steps: Cell<u64>,
    heard: Cell<Heard>,
    /// Around how many elements of formatting another one was put at most.
    most_formatting: Cell<u64>,
    /// How many attributes were added to elements that were there.
    added: Cell<u64>,
}

impl Default for Counting {
    fn default() -> Self {
        Self {
            tree: HtmlTreeSink::new(Html::new_document()),
            steps: Cell::default(),
            heard: Cell::default(),
            most_formatting: Cell::default(),
            added: Cell::default(),
        }
    }
}

impl Counting {
    /// Counts so many steps; whether there may be more.
    fn count(&self, steps: u64) -> bool {
        let all = self.steps.get().saturating_add(steps);
        self.steps.set(all);
        all <= MOST
    }

    /// As `count`, of what the parser does with a token.
    fn ask(&self, steps: u64) -> &HtmlTreeSink {
        self.heard.set(Heard::Token);
        self.count(steps);
        &self.tree
    }

    /// The cost of `child`, if it is an element of formatting: before it is put within `parent`, the parser compares it with those
    /// around it that are not closed.
    fn comparing(&self, parent: &Node, child: &NodeOrText<Node>) -> u64 {
        let html = self.tree.0.borrow();
        let is_formatting = |node: &Node| {
            let element = html.tree.get(*node).and_then(|node| node.value().as_element());
            element.is_some_and(|element| FORMATTING.contains(&element.name()))
        };
        let NodeOrText::AppendNode(node) = child else { return 1 };
        if !is_formatting(node) {
            return 1;
        }
        let parent = html.tree.get(*parent);
        let (mut around, mut formatting) = (0, 0);
        for ancestor in parent.iter().flat_map(|parent| parent.ancestors().chain([*parent])) {
            around += 1;
            formatting += u64::from(is_formatting(&ancestor.id()));
        }
        self.most_formatting.set(self.most_formatting.get().max(formatting + 1));
        around + COMPARED * formatting
    }
}

/// The elements that a parser opens again where they were closed by others.
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];

impl TreeSink for Counting {
    type Handle = Node;
    type Output = Html;
    type ElemName<'a> = <HtmlTreeSink as TreeSink>::ElemName<'a>;

    fn finish(self) -> Html {
        self.tree.finish()
    }

    fn parse_error(&self, message: Cow<'static, str>) {
        self.heard.set(self.heard.get().max(Heard::Error));
        self.tree.parse_error(message);
    }

    fn get_document(&self) -> Node {
        self.ask(1).get_document()
    }

    fn elem_name<'a>(&'a self, target: &'a Node) -> Self::ElemName<'a> {
        self.ask(1).elem_name(target)
    }

    fn same_node(&self, one: &Node, other: &Node) -> bool {
        self.ask(1).same_node(one, other)
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, flags: ElementFlags) -> Node {
        self.ask(ELEMENT).create_element(name, attributes, flags)
    }

    fn create_comment(&self, text: StrTendril) -> Node {
        self.ask(1).create_comment(text)
    }

    fn create_pi(&self, target: StrTendril, data: StrTendril) -> Node {
        self.ask(1).create_pi(target, data)
    }

    fn append(&self, parent: &Node, child: NodeOrText<Node>) {
        self.ask(self.comparing(parent, &child)).append(parent, child);
    }

    fn append_based_on_parent_node(&self, element: &Node, previous: &Node, child: NodeOrText<Node>) {
        let steps = self.comparing(element, &child).max(self.comparing(previous, &child));
        self.ask(steps).append_based_on_parent_node(element, previous, child);
    }

    fn append_before_sibling(&self, sibling: &Node, new: NodeOrText<Node>) {
        self.ask(self.comparing(sibling, &new)).append_before_sibling(sibling, new);
    }

    fn append_doctype_to_document(&self, name: StrTendril, public: StrTendril, system: StrTendril) {
        self.ask(1).append_doctype_to_document(name, public, system);
    }

    fn get_template_contents(&self, target: &Node) -> Node {
        self.ask(1).get_template_contents(target)
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.ask(1).set_quirks_mode(mode);
    }

    fn add_attrs_if_missing(&self, target: &Node, attributes: Vec<Attribute>) {
        // They are kept in order, so that each may move all the others.
        let more = attributes.len() as u64;
        self.added.set(self.added.get() + more);
        self.ask(more * self.added.get()).add_attrs_if_missing(target, attributes);
    }

    fn remove_from_parent(&self, target: &Node) {
        self.ask(1).remove_from_parent(target);
    }

    fn reparent_children(&self, node: &Node, new_parent: &Node) {
        let children = self.tree.0.borrow().tree.get(*node).map_or(0, |node| node.children().count());
        self.ask(children as u64).reparent_children(node, new_parent);
    }
}
