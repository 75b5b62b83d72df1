//! The arguments of an attribute.

use crate::combination::{self, MAX_WORKERS};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitBool, LitInt, LitStr, Meta, Path, Result, Token};

const KNOWN: &str = "`combination`, `workers`, `worker_threads`, `start_paused`, `flavor`, `crate`";

/// What was said, and where.
#[derive(Default)]
pub(crate) struct Args {
    is_test: bool,
    /// One test for each combination.
    pub(crate) all: Option<Span>,
    combination: Option<LitStr>,
    flavor: Option<(LitStr, &'static str)>,
    workers: Option<LitInt>,
    start_paused: Option<LitBool>,
    path: Option<Path>,
}

impl Args {
    /// Reads the arguments of the attribute `name`.
    pub(crate) fn parse(tokens: TokenStream, name: &str) -> Result<Self> {
        let mut args = Self { is_test: name == "test", ..Self::default() };
        for meta in Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens)? {
            args.take(meta, name)?;
        }
        args.check()?;
        Ok(args)
    }

    fn take(&mut self, meta: Meta, name: &str) -> Result<()> {
        let key = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
        let pair = match meta {
            Meta::Path(path) if key == "all" => {
                if name != "test" {
                    return Err(Error::new_spanned(path, "`all` goes with `#[polyloop::test]` only"));
                }
                return once(&mut self.all, path.span(), path.span(), &key);
            }
            Meta::NameValue(pair) => pair,
            other => return Err(Error::new_spanned(&other, lacking(&key, name))),
        };
        let at = pair.path.span();
        match key.as_str() {
            "combination" => {
                let text = string(pair.value, "\"fifo+poll+heap\"")?;
                combination::check(&text.value()).map_err(|what| Error::new_spanned(&text, what))?;
                once(&mut self.combination, text, at, &key)
            }
            "flavor" => {
                let text = string(pair.value, "\"multi_thread\"")?;
                let executor = executor_of(&text)?;
                once(&mut self.flavor, (text, executor), at, &key)
            }
            "workers" | "worker_threads" => once(&mut self.workers, number(pair.value)?, at, "workers"),
            "start_paused" => match pair.value {
                Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) => {
                    once(&mut self.start_paused, value, at, &key)
                }
                other => Err(Error::new_spanned(other, "`true` or `false` is expected here")),
            },
            "crate" => {
                let path = match pair.value {
                    Expr::Path(path) => path.path,
                    value => string(value, "\"my_polyloop\"")?.parse()?,
                };
                once(&mut self.path, path, at, &key)
            }
            "unhandled_panic" => {
                let what = "a panic reaches whoever awaits the task's `JoinHandle`; there is no `unhandled_panic` here";
                Err(Error::new(at, what))
            }
            _ => Err(Error::new(at, unknown(&key, name))),
        }
    }

    /// What does not go together.
    fn check(&self) -> Result<()> {
        if let (Some(_), Some((flavor, executor))) = (&self.combination, &self.flavor) {
            let what = format!("`flavor` says `{executor}`, and `combination` says it all: take one of them");
            return Err(Error::new_spanned(flavor, what));
        }
        if let (Some(workers), Some((_, "fifo"))) = (&self.workers, &self.flavor) {
            let what =
                "this flavor has one thread; take `flavor = \"multi_thread\"`, or no number of workers";
            return Err(Error::new_spanned(workers, what));
        }
        let chosen = self.combination.as_ref().or(self.flavor.as_ref().map(|(text, _)| text));
        if let (Some(_), Some(chosen)) = (self.all, chosen) {
            return Err(Error::new_spanned(chosen, "`all` takes each combination; this would choose one"));
        }
        Ok(())
    }

    /// Where the facade is.
    pub(crate) fn facade(&self) -> TokenStream {
        self.path.as_ref().map_or_else(|| quote!(::polyloop), ToTokens::to_token_stream)
    }

    /// The builder that was asked for.
    pub(crate) fn builder(&self) -> TokenStream {
        let facade = self.facade();
        let executor = self.flavor.as_ref().map(|(text, executor)| LitStr::new(executor, text.span()));
        let chosen = self.combination.as_ref().or(executor.as_ref());
        let start = match (chosen, &self.workers) {
            (Some(name), _) => quote!(#facade::Builder::new().combination(#name)),
            (None, Some(_)) => quote!(#facade::Builder::new()),
            (None, None) => quote!(#facade::Builder::from_env()),
        };
        let workers = self.workers.iter();
        let clock = self.clock();
        quote!(#start #(.worker_threads(#workers))* #clock)
    }

    /// The builder for the combination that the variable `combination` names.
    pub(crate) fn builder_of_each(&self, combination: &Ident) -> TokenStream {
        let (facade, clock) = (self.facade(), self.clock());
        let workers = match &self.workers {
            Some(workers) => quote!(::core::option::Option::Some(#workers)),
            None => quote!(::core::option::Option::None),
        };
        quote!(#facade::__macros::builder(#combination, #workers) #clock)
    }

    /// A test may pause its clock at any time.
    fn clock(&self) -> TokenStream {
        let paused = self.start_paused.iter();
        let pausable = self.is_test.then(|| quote!(.pausable_clock(true)));
        quote!(#pausable #(.start_paused(#paused))*)
    }
}

fn once<T>(place: &mut Option<T>, value: T, at: Span, key: &str) -> Result<()> {
    if place.replace(value).is_some() {
        return Err(Error::new(at, format!("`{key}` is said twice")));
    }
    Ok(())
}

/// The executor that tokio's flavor stands for.
fn executor_of(flavor: &LitStr) -> Result<&'static str> {
    match flavor.value().as_str() {
        "current_thread" | "local" => Ok("fifo"),
        "multi_thread" => Ok("steal"),
        other => {
            let what = format!(
                "unknown flavor `{other}`; there are `current_thread`, `local` and `multi_thread`, and \
                 `combination` names any executor"
            );
            Err(Error::new_spanned(flavor, what))
        }
    }
}

fn string(value: Expr, example: &str) -> Result<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text),
        other => Err(Error::new_spanned(other, format!("a string is expected here, such as `{example}`"))),
    }
}

fn number(value: Expr) -> Result<LitInt> {
    let what = format!("a number of workers is expected here, 1 to {MAX_WORKERS}");
    match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. })
            if number.base10_parse().is_ok_and(|n: usize| (1..=MAX_WORKERS).contains(&n))
                && matches!(number.suffix(), "" | "usize") =>
        {
            Ok(number)
        }
        other => Err(Error::new_spanned(other, what)),
    }
}

/// An argument that stands alone, or with parentheses.
fn lacking(key: &str, name: &str) -> String {
    match key {
        "multi_thread" | "current_thread" | "local" => {
            format!("write `#[polyloop::{name}(flavor = \"{key}\")]`")
        }
        key if KNOWN.contains(&format!("`{key}`")) => format!("`{key}` needs a value: `{key} = …`"),
        key => unknown(key, name),
    }
}

fn unknown(key: &str, name: &str) -> String {
    let all = if name == "test" { "`all`, " } else { "" };
    format!("unknown argument `{key}`; there are {all}{KNOWN}")
}
