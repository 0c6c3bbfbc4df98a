//! What a line would do, as a person would read it.

use std::fmt;
use std::ops::Range;

use crate::action::{Effect, Kind, Target};
use crate::shell::placed::Placed;
use crate::text::excerpt;

/// One effect of a line, and the part of the line that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    effect: Effect,
    span: Range<usize>,
    text: Box<str>,
}

impl Explained {
    /// Returns the effect.
    #[must_use]
    pub const fn effect(&self) -> &Effect {
        &self.effect
    }

    /// Returns the place in the line, in bytes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Returns the part of the line, escaped where a reader would not see it as it is.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.effect.target();
        let verb = match self.effect.kind() {
            Kind::Exec => "runs",
            Kind::Connect => "connects to",
            Kind::Listen => "listens at",
            Kind::Tunnel => "opens a tunnel to",
            Kind::RemoteShell => "hands a shell to",
            Kind::ReadData => "reads",
            Kind::WriteData => "writes",
            Kind::DeleteData => "deletes",
            Kind::InstallPackage => "installs",
            Kind::UseSecret => "uses the secret",
            Kind::ChangePrivilege => "takes the privilege",
            Kind::ChangeIdentity => "acts as",
            Kind::MutateInfrastructure => "changes",
            Kind::SendMessage => "sends a message to",
            Kind::Publish => "publishes",
            Kind::UseAccelerator => "uses",
            Kind::SubmitJob => "submits a job to",
            Kind::Opaque(_) => "does something that is not understood:",
            other => other.as_str(),
        };
        write!(f, "`{}` {verb} ", self.text)?;
        match target {
            Target::Unknown { reason, .. } => f.write_str(reason.sentence()),
            Target::Program { program, opaque: Some(reason) } => {
                write!(f, "{}, and {}", excerpt(program), reason.sentence())
            }
            Target::File { recursive: true, .. } | Target::Files { recursive: true, .. } => {
                write!(f, "{} and everything below", excerpt(&target.id()))
            }
            _ => f.write_str(&excerpt(&target.id())),
        }
    }
}

pub(super) fn explain(line: &str, placed: Placed) -> Vec<Explained> {
    let Placed { spans, effects, .. } = placed;
    spans
        .into_iter()
        .zip(effects)
        .map(|(span, effect)| {
            let span = span.start as usize..(span.end as usize).max(span.start as usize);
            let text = excerpt(line.get(span.clone()).unwrap_or_default()).into();
            Explained { effect, span, text }
        })
        .collect()
}
