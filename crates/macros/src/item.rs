//! The function under an attribute.
//!
//! Invariant: its body is passed on as it was written and never parsed, so that an error in it is the compiler's, at its place.

use proc_macro2::{Group, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, FnArg, Result, Signature, Visibility};

pub(crate) struct AsyncFn {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

impl Parse for AsyncFn {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        Ok(Self { attributes, visibility: input.parse()?, signature: input.parse()?, body: input.parse()? })
    }
}

impl AsyncFn {
    /// Says why this attribute can make nothing of the function. `name` is the attribute's.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let signature = &self.signature;
        if signature.asyncness.is_none() {
            let what = format!("`#[polyloop::{name}]` goes on an `async fn`; the `async` is missing");
            return Err(Error::new_spanned(signature.fn_token, what));
        }
        if let Some(word) = &signature.constness {
            return Err(Error::new_spanned(
                word,
                format!("`#[polyloop::{name}]` does not go on a `const fn`"),
            ));
        }
        if let syn::Safety::Unsafe(word) = &signature.safety {
            return Err(Error::new_spanned(
                word,
                format!("`#[polyloop::{name}]` does not go on an `unsafe fn`"),
            ));
        }
        if let Some(abi) = &signature.abi {
            return Err(Error::new_spanned(
                abi,
                format!("`#[polyloop::{name}]` does not go on an `extern fn`"),
            ));
        }
        if let Some(FnArg::Receiver(receiver)) = signature.inputs.first() {
            let what = format!("`#[polyloop::{name}]` goes on a function, not on a method");
            return Err(Error::new_spanned(receiver, what));
        }
        let stands_alone = name == "test" || signature.ident == "main";
        let noun = if name == "test" { "a test" } else { "`main`" };
        if stands_alone && !signature.generics.params.is_empty() {
            let what = format!("{noun} has no generic parameters: nobody could choose them");
            return Err(Error::new_spanned(&signature.generics, what));
        }
        if stands_alone && !signature.inputs.is_empty() {
            let what = format!("{noun} has no arguments: nobody could pass them");
            return Err(Error::new_spanned(&signature.inputs, what));
        }
        Ok(())
    }

    /// In the place of a function of which nothing can be made, so that no second error says that there is none.
    pub(crate) fn stand_in(&self) -> TokenStream {
        let (visibility, name) = (&self.visibility, &self.signature.ident);
        quote!(#[allow(dead_code)] #visibility fn #name() {})
    }

    /// The function itself, to be put into a plain one of the same name.
    pub(crate) fn inner(&self) -> TokenStream {
        let (signature, body) = (&self.signature, &self.body);
        quote!(#signature #body)
    }
}

/// What an attribute of a fanned-out test belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// To whether there is a test at all: to everything that comes of it.
    Both,
    /// To the code that was written: lints and documentation.
    Code,
    /// To each of the tests.
    Test,
}

pub(crate) fn place(attribute: &Attribute) -> Place {
    let path = attribute.path();
    let is = |names: &[&str]| names.iter().any(|name| path.is_ident(name));
    if is(&["cfg"]) {
        Place::Both
    } else if is(&["allow", "expect", "warn", "deny", "forbid", "doc"]) || path.segments[0].ident == "clippy"
    {
        Place::Code
    } else {
        Place::Test
    }
}

/// Whether the compiler gives the attribute its meaning, whatever was imported.
pub(crate) fn is_built_in(attribute: &Attribute) -> bool {
    ["cfg", "cfg_attr", "should_panic", "ignore"].iter().any(|name| attribute.path().is_ident(name))
}

/// Whether the attribute makes a test of its own.
pub(crate) fn is_test(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|last| last.ident == "test")
}

pub(crate) fn tokens<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> TokenStream {
    attributes.map(ToTokens::to_token_stream).collect()
}
