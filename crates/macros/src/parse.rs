//! Reads `#[guarded(…)]` and the function below it, and refuses what cannot be guarded.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Error, Expr, Ident, PatIdent, Result, ReturnType, Signature, Token, Type,
    Visibility, braced, parse_quote_spanned, parse2,
};

/// A function and how it is guarded.
pub(crate) struct Guarded {
    /// The expression that makes the action.
    pub(crate) action: Expr,
    /// The expression that names the session.
    pub(crate) session: Expr,
    /// What the granted action is called in the body.
    pub(crate) granted: Option<Ident>,
    /// The function itself.
    pub(crate) function: Function,
}

/// A function whose body is left as it was written.
pub(crate) struct Function {
    /// Attributes above the function.
    pub(crate) outer: Vec<Attribute>,
    /// Its visibility.
    pub(crate) visibility: Visibility,
    /// Everything from its qualifiers to its `where` clause.
    pub(crate) signature: Signature,
    /// The type that stands after `->`.
    pub(crate) output: Type,
    /// Attributes at the beginning of its body.
    pub(crate) inner: Vec<Attribute>,
    /// The statements of its body.
    pub(crate) body: TokenStream,
}

/// Reads attribute and function, the function first: what stands below is the larger mistake.
pub(crate) fn parse(arguments: TokenStream, item: TokenStream) -> Result<Guarded> {
    let function: Function = parse2(item)?;
    let Arguments { action, session, granted } = Arguments::parse.parse2(arguments)?;
    let action = action.ok_or_else(|| {
        let missing =
            "`#[guarded]` needs `action = …`, the action that the function is about to do";
        Error::new(Span::call_site(), missing)
    })?;
    let session = session.map_or_else(|| session_argument(&function.signature), Ok)?;
    Ok(Guarded { action, session, granted, function })
}

/// The arguments of the attribute as they were given.
#[derive(Default)]
struct Arguments {
    action: Option<Expr>,
    session: Option<Expr>,
    granted: Option<Ident>,
}

const ACCEPTED: &str = "`#[guarded]` accepts `action = …`, `session = …` and `granted = name`";

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            if !input.peek(Ident::peek_any) {
                return Err(input.error(format!("expected an argument; {ACCEPTED}")));
            }
            let key = input.call(Ident::parse_any)?;
            match key.to_string().as_str() {
                "action" => read(&mut arguments.action, &key, input)?,
                "session" => read(&mut arguments.session, &key, input)?,
                "granted" => read(&mut arguments.granted, &key, input)?,
                _ => {
                    return Err(Error::new(
                        key.span(),
                        format!("unknown argument `{key}`; {ACCEPTED}"),
                    ));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

fn read<T: Parse>(slot: &mut Option<T>, key: &Ident, input: ParseStream<'_>) -> Result<()> {
    if slot.is_some() {
        return Err(Error::new(key.span(), format!("repeated argument `{key}`; {ACCEPTED}")));
    }
    if !input.peek(Token![=]) {
        return Err(Error::new(key.span(), format!("`{key}` needs a value; {ACCEPTED}")));
    }
    input.parse::<Token![=]>()?;
    *slot = Some(input.parse()?);
    Ok(())
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let outer = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        if !starts_a_function(input) {
            return Err(input.error("`#[guarded]` stands on a function or a method"));
        }
        let signature: Signature = input.parse()?;
        refuse_qualifiers(&signature)?;
        if input.peek(Token![;]) {
            let no_body = "a function without a body cannot be guarded; guard its implementations";
            return Err(Error::new(signature.ident.span(), no_body));
        }
        let output = result_type(&signature)?;
        let content;
        braced!(content in input);
        let inner = content.call(Attribute::parse_inner)?;
        Ok(Self { outer, visibility, signature, output, inner, body: content.parse()? })
    }
}

fn starts_a_function(input: ParseStream<'_>) -> bool {
    input.peek(Token![fn])
        || input.peek(Token![async])
        || input.peek(Token![unsafe])
        || input.peek(Token![extern])
        || input.peek(Token![const])
}

fn refuse_qualifiers(signature: &Signature) -> Result<()> {
    if let Some(token) = signature.constness {
        return Err(Error::new(
            token.span,
            "a `const fn` cannot be guarded: it has no session to ask",
        ));
    }
    if let Some(token) = signature.unsafety {
        let refused = "an `unsafe fn` cannot be guarded; guard a safe function that calls it";
        return Err(Error::new(token.span, refused));
    }
    if let Some(abi) = &signature.abi {
        let refused =
            "an `extern` function cannot be guarded; guard a plain function that it calls";
        return Err(Error::new(abi.extern_token.span, refused));
    }
    Ok(())
}

/// Returns the type after `->` if it can name a `Result`; an alias can, so the compiler has the last word.
fn result_type(signature: &Signature) -> Result<Type> {
    let expected = "a guarded function returns `Result<T, E>`, where `E: From<Refused>`";
    match &signature.output {
        ReturnType::Default => Err(Error::new(signature.ident.span(), expected)),
        ReturnType::Type(_, output) => match &**output {
            named @ (Type::Path(_)
            | Type::Macro(_)
            | Type::Group(_)
            | Type::Paren(_)
            | Type::Verbatim(_)) => Ok(named.clone()),
            other => Err(Error::new_spanned(other, expected)),
        },
    }
}

/// Returns the argument that is called `session`.
fn session_argument(signature: &Signature) -> Result<Expr> {
    struct Find(Option<Ident>);

    impl<'ast> Visit<'ast> for Find {
        fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
            if pattern.ident == "session" {
                self.0 = Some(pattern.ident.clone());
            }
            visit::visit_pat_ident(self, pattern);
        }
    }

    let mut find = Find(None);
    signature.inputs.iter().for_each(|input| find.visit_fn_arg(input));
    let session = find.0.ok_or_else(|| {
        let missing = "no argument is called `session`; name one with `session = …`, such as \
                       `session = self.session`";
        Error::new(signature.ident.span(), missing)
    })?;
    Ok(parse_quote_spanned!(session.span()=> #session))
}
