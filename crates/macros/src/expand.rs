//! What comes of a function.
//!
//! The function goes unchanged into a plain one of the same name, so that the compiler checks it as it was written.

use crate::args::Args;
use crate::item::{self, AsyncFn, Place};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, GenericParam, Ident, Result, ReturnType};

pub(crate) fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute(args, item, "main", |args, function| {
        let names = arguments(&function);
        let types = function.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(&typed.ty),
            FnArg::Receiver(_) => None,
        });
        let mut outer = function.signature.clone();
        outer.asyncness = None;
        outer.inputs = syn::parse_quote!(#(#names: #types),*);
        let AsyncFn { attributes, visibility, .. } = &function;
        let (inner, name) = (function.inner(), &function.signature.ident);
        let (facade, builder) = (args.facade(), args.builder());
        let chosen = chosen(&function);
        Ok(quote! {
            #(#attributes)*
            #visibility #outer {
                #inner
                #facade::__macros::main(#builder, #name #chosen (#(#names),*))
            }
        })
    })
}

pub(crate) fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute(args, item, "test", |args, function| {
        if let Some(second) = function.attributes.iter().find(|attribute| item::is_test(attribute)) {
            return Err(Error::new_spanned(second, "this makes a second test of the same function"));
        }
        Ok(if args.all.is_some() { on_each(&args, &function) } else { on_one(&args, &function) })
    })
}

/// Reads what the attribute `name` was given, and expands it by `make`; an error, if there is one, and a stand-in.
fn attribute(
    args: TokenStream,
    item: TokenStream,
    name: &str,
    make: impl FnOnce(Args, AsyncFn) -> Result<TokenStream>,
) -> TokenStream {
    let function: AsyncFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            let what = format!("`#[polyloop::{name}]` goes on an `async fn`");
            let error =
                Error::new(item.into_iter().next().map_or_else(Span::call_site, |token| token.span()), what);
            return error.into_compile_error();
        }
    };
    let stand_in = function.stand_in();
    let expanded =
        function.check(name).and_then(|()| Args::parse(args, name)).and_then(|args| make(args, function));
    expanded.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote!(#error #stand_in)
    })
}

/// Names for the arguments of the plain function, which the inner one takes apart.
fn arguments(function: &AsyncFn) -> Vec<Ident> {
    (0..function.signature.inputs.len()).map(|index| local(&format!("argument_{index}"))).collect()
}

/// The types and numbers that the caller of the plain function has chosen, which need not follow from its arguments.
fn chosen(function: &AsyncFn) -> Option<TokenStream> {
    let chosen: Vec<_> = function
        .signature
        .generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            // What a lifetime is follows from the arguments, and often may not be said.
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    (!chosen.is_empty()).then(|| quote!(::<#(#chosen),*>))
}

/// A variable that the code of the user cannot see, so that it hides none of his names.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

fn on_one(args: &Args, function: &AsyncFn) -> TokenStream {
    let AsyncFn { attributes, visibility, signature, .. } = function;
    let (name, output) = (&signature.ident, &signature.output);
    let (inner, facade, builder) = (function.inner(), args.facade(), args.builder());
    quote! {
        #[::core::prelude::v1::test]
        #(#attributes)*
        #visibility fn #name() #output {
            #inner
            #facade::__macros::test(#builder, #name())
        }
    }
}

/// A function that runs the test on a combination, and, by the facade that knows which there are, a module of tests that call it.
/// Functions and modules have names apart, so that both may be called as the test is.
fn on_each(args: &Args, function: &AsyncFn) -> TokenStream {
    let AsyncFn { attributes, visibility, signature, .. } = function;
    let (name, output) = (&signature.ident, &signature.output);
    let combination = local("combination");
    let (inner, facade, builder) = (function.inner(), args.facade(), args.builder_of_each(&combination));
    let at =
        |places: &'static [Place]| attributes.iter().filter(move |&one| places.contains(&item::place(one)));
    let of_code = item::tokens(at(&[Place::Both, Place::Code]));
    let of_module = item::tokens(at(&[Place::Both]));
    let of_tests = item::tokens(at(&[Place::Test]));
    // A foreign attribute may be named by an import of the test's module.
    let imports = at(&[Place::Test]).any(|one| !item::is_built_in(one)).then(|| {
        quote!(
            use super::*;
        )
    });
    // The type may be named by an import, too, and is not needed: it is enough that the harness can judge it.
    let result = match output {
        ReturnType::Default => TokenStream::new(),
        ReturnType::Type(_, kind) => quote_spanned!(kind.span()=> -> impl ::std::process::Termination),
    };
    quote! {
        #[cfg(test)]
        #of_code
        #visibility fn #name(#combination: &'static ::core::primitive::str) #output {
            #inner
            #facade::__macros::test(#builder, #name())
        }

        #[cfg(test)]
        #of_module
        #facade::for_each_combination! { #facade::__tests, [#imports] [#of_tests] #name [#result] }
    }
}
