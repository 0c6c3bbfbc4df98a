//! The macros of `countersign`: `#[guarded]` and `#[derive(Action)]`.
//!
//! Use them through `countersign`, which re-exports them and holds the run-time half: the generated
//! code names `::countersign` and is made for the library of exactly the same version.
//!
//! [`guarded`] is read in `parse` and written in `expand`; the derive stands in `derive`.

mod derive;
mod expand;
mod parse;

use proc_macro::TokenStream;

/// Lets a function or method run only with a permit for the action that it is about to do.
///
/// ```text
/// #[guarded(action = RotateKey { key: key.to_owned() })]
/// async fn rotate(session: &Session, key: &str) -> Result<Version, ToolError> {
///     store.rotate(key).await // runs only after an allow that is on record
/// }
/// ```
///
/// | argument | meaning |
/// |---|---|
/// | `action = expression` | the action, made from the arguments of the function; required |
/// | `session = expression` | the session to ask, or a reference, `Arc`, `Rc` or `Box` of it; the argument called `session` if left out |
/// | `granted = name` | binds the `Granted` action in the body: what was decided on, with its resolved effects |
///
/// A call evaluates the session, then the action, asks, and runs the body only after an allow; the
/// outcome of the body is recorded before the function returns. `?`, `return`, `self`, generics and
/// patterns mean in the body what they mean without the attribute. Both expressions may use `?`, and
/// `.await` in an `async fn`.
///
/// The function returns `Result<T, E>` with `E: From<Refused>`. What stands in the way, be it a denial,
/// a deferral or a record that failed, comes back as such an `E`.
///
/// The action takes what it needs by value, or borrows from arguments that are references: it is kept
/// while the body runs.
///
/// # Security
///
/// The permit is for `action`, and nothing compares it with what the body does: build the action from
/// the very arguments that the body uses. Whatever can be changed in between, such as a cell or a
/// file name that is resolved twice, is better taken from the `granted` action.
///
/// Code that the body does not contain is not guarded: arguments are evaluated by the caller before,
/// and other attributes of the function may add code around it.
///
/// # Errors
///
/// `const`, `unsafe` and `extern` functions are refused, and so are functions without a body. On any
/// error in the attribute no function is left at all.
#[proc_macro_attribute]
pub fn guarded(arguments: TokenStream, item: TokenStream) -> TokenStream {
    parse::parse(arguments.into(), item.into())
        .map_or_else(syn::Error::into_compile_error, |guarded| expand::expand(&guarded))
        .into()
}

/// Makes a struct with named fields an action of the host's own.
///
/// ```text
/// #[derive(Action)]
/// #[action(domain = "infrastructure")]
/// struct RotateKey {
///     #[action(target)]
///     key: String,
///     grace_seconds: u32,
/// }
/// ```
///
/// It implements `HostAction`, whose `SPEC` is registered with the policy bundle, and `Action`. The
/// effect has the target, and every other field as a fact under its own name, in the types that
/// `IntoFact` is implemented for.
///
/// On the struct:
///
/// | argument | meaning |
/// |---|---|
/// | `domain = "…"` | `application`, `infrastructure`, `data` or `workload`; required |
/// | `kind = "…"` | the name of the kind; the name of the type if left out |
/// | `reversibility = "…"` | `reversible`, `compensable` or `irreversible`, which it is if left out |
/// | `effects = path` | a `fn(&Self, &EffectContext<'_>, &mut Effects)` that adds further effects |
///
/// On a field:
///
/// | argument | meaning |
/// |---|---|
/// | `target` | the field is what the action acts on: a `String`, `&str` or another `AsRef<str>`; on one field |
/// | `rename = "…"` | the name of the fact |
///
/// There is no way to leave a field out: whatever changes what running the action does has to be
/// decided on, and is described to the digest.
///
/// # Security
///
/// The derived effect says that something of this kind happens to the target, no more. An action that
/// also connects, reads or writes adds those effects through `effects = path`.
#[proc_macro_derive(Action, attributes(action))]
pub fn derive_action(item: TokenStream) -> TokenStream {
    derive::derive(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
