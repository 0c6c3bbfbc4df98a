//! Decides, before an AI agent acts, whether that one act may happen, and leaves a record that a
//! stranger can check.
//!
//! A host program (an agent runtime, a tool server, a CI worker) describes a task once, asks before
//! every act, and runs it only with the permit that comes out. There is no service, no network and no
//! storage here: the host links a library, and stores lines of text.
//!
//! # Example: one act that is allowed, one that is not
//!
//! ```
//! use std::time::Duration;
//!
//! use countersign::action::{Connect, ReadData};
//! use countersign::entropy::{Entropy, SystemEntropy};
//! use countersign::identity::SpiffeId;
//! use countersign::policy::Authored;
//! use countersign::receipt::{IdentityKey, MemorySink};
//! use countersign::scope::{Descriptor, Scope};
//! use countersign::time::{Clock, SystemClock};
//! use countersign::{Authorizer, Decision, Reason, Sink};
//!
//! // What the owner gives to one kind of agent: two hours, and one directory to read.
//! let ends = SystemClock::new()?.now()?.plus(Duration::from_secs(2 * 3600)).to_string();
//! let (owner, class) = ("user:dana@example.org", "spiffe://example.org/agent/writer");
//! let mut scope = Descriptor::new("summarise-notes", owner, class, ends, "/srv/notes");
//! scope.touch.read.push("/srv/notes/**".into());
//! let scope = Scope::from_descriptor(&scope)?.dangerous().trust_unsigned();
//!
//! // The instance at work, and the key that signs for the host.
//! let agent = SpiffeId::parse("spiffe://example.org/agent/writer/1")?.dangerous().assume_verified();
//! let mut seed = [0; 32];
//! SystemEntropy.fill(&mut seed)?;
//!
//! let authorizer = Authorizer::builder()
//!     .policy(Authored::baseline().load()?)
//!     .identity(IdentityKey::from_seed(&seed))
//!     .sink(Sink::blocking(MemorySink::new()))
//!     .build()?;
//! let session = authorizer.open(&scope, agent)?;
//!
//! match session.authorize(ReadData::new("week-47.md"))? {
//!     Decision::Allow(permit) => permit.run(|granted| {
//!         assert!(granted.path().is_some_and(|path| path.as_str() == "/srv/notes/week-47.md"));
//!         Ok::<_, std::io::Error>(()) // here the host opens that very path
//!     })?,
//!     Decision::Defer(deferral) => panic!("{deferral}"),
//!     Decision::Deny(denial) => panic!("{denial}"),
//! }
//! let answer = session.authorize(Connect::new("198.51.100.7", 22))?;
//! assert_eq!(answer.reasons(), [Reason::ScopeConnect]);
//! session.close()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it fits together
//!
//! ```text
//!                     ┌ lifecycle: clock, beginning and end of the scope
//! Action ──▶ Effects ─┤ scope:     what the task may do, touch, reach, run
//!                     │ limits:    how often, how many, how much
//!                     └ policy:    Cedar, once per effect, fail closed
//!                          │ worst of all effects: Deny > Defer > Allow
//!                     receipts, one per domain ──▶ stored by the host's sink
//!                          │ only then
//!                     Decision::Allow(Permit) ──▶ run ──▶ outcome receipt
//! ```
//!
//! - An [`Action`](trait@Action) is what an agent proposes, such as [`action::Connect`] or a type of
//!   the host's own. It has [effects](action::Effect) in four [domains](action::Domain):
//!   application, infrastructure, data, workload. Making an action never fails; what cannot be
//!   understood is an effect of the kind [`Opaque`](action::Kind::Opaque), which no scope grants.
//! - A [`shell::Shell`] is a line of bash as an action, with every effect that running it would have.
//! - A [`scope::Scope`] is the descriptor of one task. Everything that it does not say is denied.
//! - A policy bundle ([`policy::Authored`] to [`policy::Enforced`]) holds Cedar policies with their
//!   schema and their own cases; it decides only after it passed them.
//! - An [`Authorizer`] joins a bundle, an identity key and a [`Sink`]. A [`Session`] is one agent
//!   instance at work on one scope, with its own chain of receipts, counters and labels.
//! - A [`Decision`] is a [`Permit`], a [`Deferral`] or a [`Denial`], each with its [`Reason`]s. A denial
//!   is a value; an [`AuthorizeError`] means that the question could not be put or its record not
//!   kept. Nothing runs after either.
//! - A [`Permit`] gives out its action only by running it, once, within seconds. The attribute
//!   `#[guarded]` does the asking and the running around the body of a function, which gives its
//!   own error type from a [`Refused`].
//! - A [`governance::Directory`] says whose key is whose. People sign scopes, approvals of what was deferred
//!   ([`Session::authorize_or_ask`]), additions for minutes, and what is revoked ([`Authorizer::revoke`]);
//!   all of it is an [act](session::Act) on the session's chain. A session [delegates](Session::delegate) a
//!   narrower scope to another instance, which may do what both grant; [`Authorizer::halt`] stops at once.
//! - [Receipts](receipt) are lines that are hash-chained, signed, and stored before a permit is
//!   released. A [`receipt::Verifier`] checks them with nothing but a public key, and an
//!   [`audit::replay::Replayer`] decides the same calls again, years later.
//! - [`audit::correlate`] lays receipts beside telemetry, and finds what nothing allowed.
//!
//! # What it does not do
//!
//! It mediates only code that takes its permit. It is no sandbox, and sees nothing of what an allowed
//! program does. It does not detect a hijacked goal and does not judge the truth of what an agent
//! remembers. A path can change between decision and use: open [`Granted::path`] without following
//! links. Lines that were cut off the end leave no trace unless a checkpoint is held elsewhere.
//!
//! A signature shows a key and not who sat there. Revoking and halting bind the next call and permits that have
//! not started; what runs is not interrupted. Not there yet: X.509-SVIDs. README and SECURITY.md say more.
//!
//! # Crate features
//!
//! A feature adds API and never changes a decision or a byte.
//!
//! - `macros` (default): `#[guarded]` and `#[derive(Action)]`.
//! - `jwt`: `identity::jwt`, identities from JWT-SVIDs and tokens of OpenID Connect issuers.
//! - `testing`: fixed clock, keys and entropy, fixtures and proptest strategies, for the tests of
//!   hosts.

#[cfg(test)]
extern crate self as countersign;

pub mod action;
pub mod audit;
pub mod authorizer;
pub mod digest;
pub mod entropy;
pub mod governance;
pub mod guard;
mod hex;
pub mod identity;
pub mod interop;
pub mod policy;
pub mod reason;
pub mod receipt;
pub mod scope;
pub mod session;
pub mod shell;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
pub mod time;
pub mod tool;
pub mod value;

pub use crate::action::Action;
pub use crate::authorizer::{
    AuthorizeError, Authorizer, Decision, Deferral, Denial, Granted, Permit, Sink,
};
pub use crate::guard::Refused;
pub use crate::reason::Reason;
pub use crate::session::Session;
#[cfg(feature = "macros")]
pub use countersign_macros::{Action, guarded};

/// The Rust code of the pages beside this documentation, compiled and run with its own.
#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/approvals.md")]
#[doc = include_str!("../docs/correlate.md")]
#[doc = include_str!("../docs/design.md")]
#[doc = include_str!("../docs/identity.md")]
#[doc = include_str!("../docs/replay.md")]
#[derive(Debug)]
pub struct Pages;
