//! A piece of a scope: what elevations add, and the pattern of a standing grant.

use serde::{Deserialize, Serialize};

use crate::action::path::PathResolver;
use crate::governance::body::BodyError;
use crate::scope::descriptor::{Descriptor, Do, Reach, Run, Touch};
use crate::scope::{CompiledScope, Scope, ScopeError};
use crate::value::{self, Limits, Value};

/// The sections `do`, `touch`, `reach` and `run` of a scope, written as in one. What is absent says
/// nothing.
///
/// # Examples
///
/// ```
/// use countersign::governance::Fragment;
///
/// let mut fragment = Fragment::default();
/// fragment.touch.read.push("/srv/logs/**".into());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Fragment {
    /// What may be done.
    #[serde(rename = "do", skip_serializing_if = "is_default")]
    pub actions: Do,
    /// What may be touched.
    #[serde(skip_serializing_if = "is_default")]
    pub touch: Touch,
    /// What may be reached.
    #[serde(skip_serializing_if = "is_default")]
    pub reach: Reach,
    /// What may be run.
    #[serde(skip_serializing_if = "is_default")]
    pub run: Run,
}

impl Fragment {
    /// Reads a fragment that says something.
    pub(crate) fn read(value: &Value) -> Result<Self, BodyError> {
        let wrong = BodyError::new("grants");
        let fragment: Self = value::from_value(value).map_err(|_| wrong)?;
        if fragment == Self::default() { Err(wrong) } else { Ok(fragment) }
    }

    /// Writes the fragment. `None` if a number in it cannot be written exactly.
    pub(crate) fn to_value(&self) -> Option<Value> {
        let text = serde_json::to_vec(self).ok()?;
        Value::parse(&text, &Limits::DOCUMENT).ok()
    }

    /// Compiles the fragment as if it stood in `base`: with its workspace, and for its task alone.
    pub(crate) fn compile(
        &self,
        base: &CompiledScope,
        paths: &dyn PathResolver,
    ) -> Result<CompiledScope, ScopeError> {
        let mut descriptor = Descriptor::new(
            base.task(),
            base.owner(),
            base.agent().as_str(),
            base.expires().to_string(),
            base.workspace().as_str(),
        );
        descriptor.actions = self.actions.clone();
        descriptor.touch = self.touch.clone();
        descriptor.reach = self.reach.clone();
        descriptor.run = self.run.clone();
        CompiledScope::compile_untrusted(&Scope::from_descriptor(&descriptor)?, paths)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
