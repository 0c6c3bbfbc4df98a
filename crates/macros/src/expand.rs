//! Writes the guarded function: its signature as it was, its body inside the permit.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{GenericArgument, PathArguments, Type, TypeInfer};

use crate::parse::{Function, Guarded};

/// Writes the function out.
///
/// Session and action have a statement each, so that what they borrow and lock on the way is let go
/// before the session is asked. The body stands in the closure and nowhere else.
pub(crate) fn expand(guarded: &Guarded) -> TokenStream {
    let Guarded { action, session, granted, function } = guarded;
    let Function { outer, visibility, signature, output, inner, body } = function;

    // Names of ours cannot meet names of the user: they are resolved where the macro is defined.
    // The call stands at the return type, because that is what it is most often wrong about.
    let ours = Span::mixed_site();
    let at_output = ours.located_at(output.span());
    let at_session = ours.located_at(session.span());

    let granted = granted.as_ref().map_or_else(|| quote!(_), ToTokens::to_token_stream);
    let output = without_impl(output);
    let run = if signature.asyncness.is_some() {
        // An async block cannot say what it returns, and coercions want to know: its first `return` does.
        quote_spanned! {at_output=>
            ::countersign::guard::run_async(session, action, move |#granted| async move {
                if let ::core::option::Option::Some(output) = ::core::option::Option::None::<#output> {
                    return output;
                }
                #body
            })
            .await
        }
    } else {
        quote_spanned! {at_output=>
            ::countersign::guard::run(session, action, |#granted| -> #output { #body })
        }
    };
    let session = quote_spanned!(at_session=> ::countersign::guard::session(&#session));
    let statements = quote_spanned! {ours=>
        #(#inner)*
        let session = #session;
        let action = #action;
        #run
    };
    quote! {
        #(#outer)*
        #visibility #signature {
            #statements
        }
    }
}

/// Puts `_` where `output` says `impl Trait`, which a closure cannot say.
fn without_impl(output: &Type) -> Type {
    let inner = |inner: &Type| Box::new(without_impl(inner));
    match output.clone() {
        Type::ImplTrait(hidden) => {
            Type::Infer(TypeInfer { underscore_token: syn::Token![_](hidden.span()) })
        }
        Type::Array(mut array) => {
            array.elem = inner(&array.elem);
            Type::Array(array)
        }
        Type::Group(mut group) => {
            group.elem = inner(&group.elem);
            Type::Group(group)
        }
        Type::Paren(mut paren) => {
            paren.elem = inner(&paren.elem);
            Type::Paren(paren)
        }
        Type::Reference(mut reference) => {
            reference.elem = inner(&reference.elem);
            Type::Reference(reference)
        }
        Type::Tuple(mut tuple) => {
            tuple.elems = tuple.elems.iter().map(without_impl).collect::<Punctuated<_, _>>();
            Type::Tuple(tuple)
        }
        Type::Path(mut path) => {
            for segment in &mut path.path.segments {
                if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                    for argument in &mut arguments.args {
                        if let GenericArgument::Type(argument) = argument {
                            *argument = without_impl(argument);
                        }
                    }
                }
            }
            Type::Path(path)
        }
        other => other,
    }
}
