//! Where the text of a child is wider than that of its parent.
//!
//! A question to whoever writes the child, as the other lint is one: it decides nothing.

use crate::action::path::PurePaths;
use crate::scope::compiled::{AllGrants, CompiledScope, DataGrants, GrantedExport};
use crate::scope::constraint::Arguments;
use crate::scope::grants::HostGrants;
use crate::scope::lint::Warning;
use crate::scope::pattern::{Beyond, Pattern};
use crate::scope::{Scope, TaskLimits};
use crate::value::Decimal;

/// Lists where `child` is not provably within `parent`, of which it was or will be handed on.
///
/// The codes are `lint.wider` (an element that nothing in the parent contains),
/// `lint.lost_subtraction` (the parent subtracts what the child does not), `lint.more` (a larger limit)
/// and `lint.longer` (it begins earlier or ends later).
///
/// It decides nothing: a delegate may do only what every scope of its chain grants, so a wider child
/// gains nothing by it, and is only harder to read. The comparison errs on the side of a question: an
/// element may be asked about that a cleverer reader would see to be narrower. Paths are judged by
/// their text, without a look at the file system.
///
/// # Examples
///
/// ```
/// use countersign::scope::{Scope, lint_child};
/// use countersign::testing::SCOPE;
///
/// let parent = Scope::parse(SCOPE.as_bytes())?;
/// let mut child = parent.descriptor().clone();
/// child.reach.connect.push("*:443".into());
/// let child = Scope::from_descriptor(&child)?;
///
/// assert!(lint_child(&parent, &parent).is_empty());
/// let found = lint_child(&parent, &child);
/// assert!(found.iter().any(|warning| warning.code() == "lint.wider"));
/// # Ok::<(), countersign::scope::ScopeError>(())
/// ```
#[must_use]
pub fn lint_child(parent: &Scope, child: &Scope) -> Vec<Warning> {
    let paths = PurePaths::new();
    let compiled = [parent, child].map(|scope| CompiledScope::compile_untrusted(scope, &paths));
    let [Ok(parent), Ok(child)] = compiled else {
        let sentence = "the scopes could not be compiled, so nothing was looked at";
        return vec![Warning::new("lint.unchecked", "", sentence)];
    };
    let mut found = Vec::new();
    frame(&parent, &child, &mut found);
    simple(&parent.grants, &child.grants, &mut found);
    structured(&parent, &child, &mut found);
    limits(parent.limits(), child.limits(), &mut found);
    found
}

fn wider(field: impl Into<Box<str>>) -> Warning {
    Warning::new("lint.wider", field, "nothing in the parent is seen to contain it")
}

fn frame(parent: &CompiledScope, child: &CompiledScope, found: &mut Vec<Warning>) {
    let mut longer = |field: &str, longer: bool| {
        if longer {
            let sentence = "it lives longer than its parent, and may not be handed on as it is";
            found.push(Warning::new("lint.longer", field, sentence));
        }
    };
    longer("not_before", child.not_before() < parent.not_before());
    longer("expires", child.expires() > parent.expires());
}

/// The lists of patterns.
fn simple(parent: &AllGrants, child: &AllGrants, found: &mut Vec<Warning>) {
    let mut list = |field: &str, beyond: Beyond| {
        found.extend(beyond.places.iter().map(|index| wider(format!("{field}[{index}]"))));
        if beyond.lost {
            let sentence = "the parent subtracts what the child does not";
            found.push(Warning::new("lint.lost_subtraction", field, sentence));
        }
    };
    list("do.apis", child.apis.beyond(&parent.apis));
    list("do.workflows", child.workflows.beyond(&parent.workflows));
    list("do.messages", child.messages.beyond(&parent.messages));
    list("do.remote_shells", child.remote_shells.beyond(&parent.remote_shells));
    for (field, own, theirs) in [
        ("touch.read", &child.read, &parent.read),
        ("touch.write", &child.write, &parent.write),
        ("touch.delete", &child.delete, &parent.delete),
    ] {
        list(field, data(own, theirs));
    }
    list("touch.memory.read", child.memory_read.beyond(&parent.memory_read));
    list("touch.memory.write", child.memory_write.beyond(&parent.memory_write));
    list("touch.secrets", child.secrets.beyond(&parent.secrets));
    list("reach.connect", child.connect.beyond(&parent.connect));
    list("reach.listen", child.listen.beyond(&parent.listen));
    list("reach.packages", child.packages.beyond(&parent.packages));
    list("reach.privilege", child.privilege.beyond(&parent.privilege));
    list("reach.identity", child.identity.beyond(&parent.identity));
    list("reach.infrastructure", child.infrastructure.beyond(&parent.infrastructure));
    list("run.models", child.models.beyond(&parent.models));
    list("run.accelerators", child.accelerators.beyond(&parent.accelerators));
    list("run.jobs", child.jobs.beyond(&parent.jobs));
    list("run.training", child.training.beyond(&parent.training));
}

fn data(own: &DataGrants, other: &DataGrants) -> Beyond {
    let kinds = [
        own.files.beyond(&other.files),
        own.tables.beyond(&other.tables),
        own.objects.beyond(&other.objects),
    ];
    let lost = kinds.iter().any(|beyond| beyond.lost);
    let mut places: Vec<u16> = kinds.into_iter().flat_map(|beyond| beyond.places).collect();
    places.sort_unstable();
    Beyond { places, lost }
}

/// The lists of objects: an element is within one element of the parent, member by member.
fn structured(parent: &CompiledScope, child: &CompiledScope, found: &mut Vec<Warning>) {
    let (theirs, own) = (&parent.grants, &child.grants);
    // Arguments that are paths are resolved from the workspace.
    let same_place = parent.workspace() == child.workspace();
    let arguments = |outer: &Arguments, inner: &Arguments| {
        (same_place || *outer == Arguments::any()) && outer.contains(inner)
    };
    programs(parent, child, found);
    each("do.tools", &own.tools, &theirs.tools, found, |outer, inner| {
        opens(outer.server.as_ref(), inner.server.as_ref())
            && outer.name.contains(&inner.name)
            && arguments(&outer.arguments, &inner.arguments)
    });
    each("do.payments", &own.payments, &theirs.payments, found, |outer, inner| {
        outer.to.contains(&inner.to) && outer.currency == inner.currency && inner.max <= outer.max
    });
    each("do.publish", &own.publish, &theirs.publish, found, |outer, inner| {
        outer.place.contains(&inner.place)
            && outer.name.contains(&inner.name)
            && (outer.public || !inner.public)
    });
    each("do.spawn", &own.spawn, &theirs.spawn, found, |outer, inner| outer.contains(inner));
    each("do.actions", &own.actions, &theirs.actions, found, |outer, inner| {
        outer.kind == inner.kind
            && outer.target.contains(&inner.target)
            && arguments(&outer.facts, &inner.facts)
    });
    each("touch.export", &own.export, &theirs.export, found, |outer, inner| {
        inner.subtracts
            || (!outer.subtracts
                && data(&inner.from, &outer.from).is_nothing()
                && outer.to.contains(&inner.to))
    });
    let mut subtracted = theirs.export.iter().filter(|export| export.subtracts);
    let same = |export| own.export.iter().any(|own| same_export(own, export));
    if own.export.iter().any(|export| !export.subtracts) && !subtracted.all(same) {
        let sentence = "the parent subtracts what the child does not";
        found.push(Warning::new("lint.lost_subtraction", "touch.export", sentence));
    }
    each("reach.tunnel", &own.tunnel, &theirs.tunnel, found, |outer, inner| {
        outer.direction == inner.direction
            && HostGrants::beyond(&inner.to, &outer.to).is_nothing()
            && opens(outer.exposes.as_ref(), inner.exposes.as_ref())
    });
}

fn same_export(one: &GrantedExport, other: &GrantedExport) -> bool {
    one.subtracts && one.to == other.to && one.from.subtracts_the_same(&other.from)
}

/// Reports whether a pattern that may be absent, and then means everything, contains another one.
fn opens(outer: Option<&Pattern>, inner: Option<&Pattern>) -> bool {
    outer.is_none_or(|outer| inner.is_some_and(|inner| outer.contains(inner)))
}

fn each<T>(
    field: &str,
    own: &[T],
    theirs: &[T],
    found: &mut Vec<Warning>,
    contains: impl Fn(&T, &T) -> bool,
) {
    for (index, inner) in own.iter().enumerate() {
        if !theirs.iter().any(|outer| contains(outer, inner)) {
            found.push(wider(format!("{field}[{index}]")));
        }
    }
}

fn programs(parent: &CompiledScope, child: &CompiledScope, found: &mut Vec<Warning>) {
    let (theirs, own) = (&parent.grants, &child.grants);
    for program in &own.programs {
        let listed = theirs.programs.iter().find(|outer| outer.name == program.name);
        if listed.is_none_or(|outer| program.opaque && !outer.opaque) {
            found.push(wider(format!("do.programs[{}]", program.index)));
        }
    }
    if own.workspace_code {
        let inside = child.workspace().starts_with(parent.workspace());
        let opaque = own.workspace_code_opaque;
        // What the parent lists by its path may be granted with less than workspace code is.
        let clear =
            theirs.programs.iter().all(|outer| outer.opaque || !outer.name.starts_with('/'));
        let within =
            theirs.workspace_code && inside && (!opaque || (theirs.workspace_code_opaque && clear));
        if !within {
            found.push(wider("do.workspace_code"));
        }
    }
}

fn limits(parent: &TaskLimits, child: &TaskLimits, found: &mut Vec<Warning>) {
    let mut more = |field: &str, more: bool| {
        if more {
            let sentence = "the limit is larger than that of the parent, whose counters it shares";
            found.push(Warning::new("lint.more", field, sentence));
        }
    };
    more("limits.actions", child.actions > parent.actions);
    more("limits.per_minute", child.per_minute > parent.per_minute);
    more("limits.denials", child.denials > parent.denials);
    more("limits.distinct_targets", child.distinct_targets > parent.distinct_targets);
    more("limits.egress_bytes", child.egress_bytes > parent.egress_bytes);
    more("limits.delegation_depth", child.delegation_depth > parent.delegation_depth);
    more("limits.delegates", child.delegates > parent.delegates);
    more("run.accelerator_seconds", child.accelerator_seconds > parent.accelerator_seconds);
    for (currency, amount) in &child.spend {
        let own = parent.spend.get(currency).copied().unwrap_or(Decimal::ZERO);
        more(&format!("limits.spend.{currency}"), *amount > own);
    }
}
