//! What a receipt says and a replay does not.

use std::fmt;

use crate::receipt::{Counters, Domain};
use crate::text::escape_visible;

/// One thing that a receipt says and that does not come out again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    place: Place,
    what: What,
    recorded: Box<str>,
    replayed: Box<str>,
}

/// Where in a call something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Line 0 of the session.
    Begin,
    /// The call as a whole: all its lines say it.
    Call,
    /// The line of one domain.
    Line(Domain),
    /// One effect of a line, counted from 0 as in the name of its commitment.
    Effect(Domain, usize),
}

macro_rules! whats {
    ($($(#[$doc:meta])* $name:ident = $words:literal from $source:literal;)*) => {
        /// What differs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum What { $($(#[$doc])* $name,)* }

        impl What {
            /// Returns the name, as people read it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }

            /// Returns who says otherwise.
            const fn source(self) -> &'static str {
                match self { $(Self::$name => $source,)* }
            }
        }
    };
}

whats! {
    /// The decision on the call.
    CallDecision = "decision" from "deciding again gives";
    /// The decision on a line or an effect.
    Decision = "decision" from "deciding again gives";
    /// The reasons.
    Reasons = "reasons" from "deciding again gives";
    /// The policies that decided.
    Policies = "policies" from "deciding again gives";
    /// The quorums that could still approve.
    Quorums = "quorums" from "deciding again gives";
    /// The approvals that were used.
    Approvals = "approvals" from "deciding again takes";
    /// The labels of the session after the call.
    Labels = "labels" from "deciding again gives";
    /// The counters of the session after the call.
    Counters = "counters" from "deciding again gives";
    /// The end of the permit.
    PermitUntil = "end of the permit" from "deciding again gives";
    /// The kind of the action, which has effects of that kind or describes itself as such.
    ActionKind = "kind of action" from "the openings are of";
    /// What the opening of `action` holds of an act, which is what that of its effect holds.
    Value = "value" from "the opening of the effect holds";
    /// The domain of an effect.
    Domain = "domain" from "the opening says";
    /// The kind of an effect.
    Kind = "kind" from "the opening says";
    /// Whether an effect can be undone.
    Reversibility = "reversibility" from "the opening says";
    /// Who proposed the action.
    Provenance = "provenance" from "the opening says";
    /// The time of the decision.
    Time = "time" from "the opening says";
    /// The agent, which the scope must have been given to.
    Agent = "agent" from "the scope was given to";
    /// The name of the task.
    Task = "task" from "the scope says";
    /// The purpose of the task.
    Purpose = "purpose" from "the scope says";
    /// Who answers for the task.
    Owner = "owner" from "the scope says";
    /// For whom the task is done.
    OnBehalfOf = "person that it is done for" from "the scope says";
    /// The schema that the bundle is in force with.
    Schema = "schema" from "the bundle has";
    /// The end of the task: that of the first scope of the chain that ends.
    Expires = "end of the task" from "the scopes end at";
    /// When the session was opened, which is before its scope has ended.
    Opened = "time" from "a session may be opened before";
    /// A scope of the chain, which must be one that the scope above hands on.
    HandedOn = "scope" from "the scope above refuses it as";
    /// The session's own scope, which must be one that the bundle admits.
    Admitted = "scope" from "the bundle admits none:";
    /// The agent of a call, which is that of the session.
    AgentBefore = "agent" from "the beginning of the session says";
    /// The scopes of a call, which are those of the session.
    ScopesBefore = "scopes" from "the beginning of the session says";
    /// That an act was accepted, which the acts before it and the document itself must allow.
    Accepted = "act" from "what stands before it refuses it with";
    /// An approval that the call names, which an act before it must have brought, for this very action, and which
    /// no call before it must have used up.
    Brought = "approval" from "the acts before bring";
    /// A quorum that had approved, for which acts before must have brought enough.
    BroughtQuorum = "quorum that approved" from "the acts before bring";
    /// Something that was added to a scope for a while, which an act before must have brought.
    BroughtElevation = "elevation" from "the acts before bring";
    /// A label that policies do not see, which an act before must have taken away.
    BroughtLabel = "declassified label" from "the acts before bring";
    /// The end of a permit, which is no later than that of what people signed.
    PermitSigned = "end of the permit" from "what people signed ends at";
    /// The counters before the call, which are those after the line before.
    CountersBefore = "counters before the call" from "the lines before say";
    /// The labels before the call, among which are all of the lines before.
    LabelsBefore = "labels before the call" from "the lines before say";
}

impl Difference {
    pub(super) fn new(
        place: Place,
        what: What,
        recorded: impl Into<Box<str>>,
        replayed: impl Into<Box<str>>,
    ) -> Self {
        Self { place, what, recorded: recorded.into(), replayed: replayed.into() }
    }

    /// Returns where it is.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Returns what differs.
    #[must_use]
    pub const fn what(&self) -> What {
        self.what
    }

    /// Returns what is on record.
    #[must_use]
    pub fn recorded(&self) -> &str {
        &self.recorded
    }

    /// Returns what should be, by the bundle, the scope, the openings or the lines before.
    #[must_use]
    pub fn replayed(&self) -> &str {
        &self.replayed
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin => f.write_str("the beginning of the session"),
            Self::Call => f.write_str("the call"),
            Self::Line(domain) => write!(f, "the {domain} line"),
            Self::Effect(domain, index) => write!(f, "effect {index} of the {domain} line"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One sentence: ``effect 0 of the data line: its decision is recorded as `allow`; deciding again gives `deny` ``.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what, recorded, replayed } = self;
        let are = if what.as_str().ends_with('s') || what.as_str().contains("s before") {
            "are"
        } else {
            "is"
        };
        write!(f, "{place}: its {what} {are} recorded as {}; ", Quoted(recorded))?;
        write!(f, "{} {}", what.source(), Quoted(replayed))
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A line may hold any text: what is shown to people must not act on their terminal.
        if self.0.is_empty() {
            f.write_str("none")
        } else {
            write!(f, "`{}`", escape_visible(self.0))
        }
    }
}

/// Collects differences of one call.
#[derive(Debug, Default)]
pub(super) struct Differences(pub(super) Vec<Difference>);

impl Differences {
    pub(super) fn text(&mut self, place: Place, what: What, recorded: &str, replayed: &str) {
        if recorded != replayed {
            self.0.push(Difference::new(place, what, recorded, replayed));
        }
    }

    pub(super) fn list<A: AsRef<str>, B: AsRef<str>>(
        &mut self,
        place: Place,
        what: What,
        recorded: &[A],
        replayed: &[B],
    ) {
        let same = recorded.len() == replayed.len()
            && recorded.iter().zip(replayed).all(|(one, other)| one.as_ref() == other.as_ref());
        if !same {
            self.0.push(Difference::new(place, what, join(recorded), join(replayed)));
        }
    }

    pub(super) fn counters(
        &mut self,
        what: What,
        recorded: &Counters<'_>,
        replayed: &Counters<'_>,
    ) {
        if !recorded.iter().eq(replayed.iter()) {
            let show = |counters: &Counters<'_>| {
                let each = counters.iter().map(|(name, count)| format!("{name} {count}"));
                each.collect::<Vec<_>>().join(", ")
            };
            self.0.push(Difference::new(Place::Call, what, show(recorded), show(replayed)));
        }
    }
}

fn join<T: AsRef<str>>(list: &[T]) -> String {
    list.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}
