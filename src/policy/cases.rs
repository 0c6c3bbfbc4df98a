//! The bundle's own cases, in the format of `cedar run-tests` (cedar-policy-cli 4.14).
//!
//! An array of `{"name"?, "request": {"principal", "action", "resource", "context"}, "entities",
//! "decision": "allow" | "deny", "reason": [policy ids], "num_errors"}`. `entities` is an array, or
//! the name of a file beside the cases. `reason` names policies that must be among the deciding ones.
//!
//! Beyond what the command line checks: each case is asked of the whole set and of the indexed
//! slice, and both must agree; and an allow beside an error is refused, because the authorizer would
//! deny it.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{
    Context, Decision, Entities, EntityTypeName, EntityUid, PolicySet, Request, Schema,
};
use serde::Deserialize;

use crate::policy::LoadError;
use crate::policy::entities::refuse_unknowns;
use crate::policy::snapshot::{STACK_RED_ZONE, Snapshot};
use crate::policy::source::Files;
use crate::text::{excerpt, said};
use crate::value::{Limits, Value};

/// The most cases of a bundle.
const MAX_CASES: usize = 20_000;
/// The limits of one case file.
const LIMITS: Limits = Limits { max_bytes: 8 << 20, max_depth: 24, max_nodes: 1 << 20 };

/// A case of a bundle that did not come out as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("case `{name}`: expected {expected}, found {found}")]
pub struct CaseFailure {
    /// The name of the case, or its file and position.
    pub name: String,
    /// What the case expects.
    pub expected: String,
    /// What came out.
    pub found: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    name: Option<String>,
    request: CaseRequest,
    entities: serde_json::Value,
    decision: Expected,
    reason: BTreeSet<String>,
    num_errors: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRequest {
    principal: String,
    action: String,
    resource: String,
    context: serde_json::Value,
}

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

/// Runs every case; returns how many there are.
pub(super) fn run(files: &Files, snapshot: &Snapshot) -> Result<usize, LoadError> {
    let whole = PolicySet::from_policies(snapshot.policies.iter().cloned());
    let whole = whole.map_err(|error| LoadError::Policy(said(&error)))?;
    let mut shared = HashMap::new();
    let mut count = 0;
    for file in files.cases() {
        let text = files.text(file)?;
        let malformed = |what: String| LoadError::Cases(format!("`{file}`: {what}"));
        // Parsed twice: strictly, so that a repeated key cannot hide a case, and then as cases.
        let strict = Value::parse(text.as_bytes(), &LIMITS);
        let strict = strict.map_err(|error| malformed(said(&error)))?;
        refuse_unknowns(&strict).map_err(malformed)?;
        if is_entity_list(&strict) {
            continue;
        }
        let cases: Vec<Case> =
            serde_json::from_str(text).map_err(|error| malformed(said(&error)))?;
        for (index, case) in cases.into_iter().enumerate() {
            count += 1;
            if count > MAX_CASES {
                return Err(LoadError::TooLarge(format!("more than {MAX_CASES} cases")));
            }
            let name = case.name.clone().unwrap_or_else(|| format!("{file}[{index}]"));
            let entities = entities(files, &snapshot.schema, &mut shared, &case.entities, &name)?;
            run_one(snapshot, &whole, case, &entities, &name)?;
        }
    }
    if count == 0 {
        return Err(LoadError::Cases("there is none: a bundle proves itself".into()));
    }
    Ok(count)
}

/// A file that only holds entities for cases: every element has a `uid`.
fn is_entity_list(value: &Value) -> bool {
    value.as_array().is_some_and(|items| {
        let is_entity = |item: &Value| {
            let item = item.as_object();
            item.is_some_and(|item| item.get("uid").is_some() && item.get("request").is_none())
        };
        !items.is_empty() && items.iter().all(is_entity)
    })
}

/// The entities of a case: its own, or those of a file, which is parsed once for all cases.
fn entities(
    files: &Files,
    schema: &Schema,
    shared: &mut HashMap<String, Entities>,
    stated: &serde_json::Value,
    name: &str,
) -> Result<Entities, LoadError> {
    let malformed = |what: String| LoadError::Cases(format!("`{name}`: {what}"));
    let parse = |json: serde_json::Value| {
        Entities::from_json_value(json, Some(schema)).map_err(|error| malformed(said(&error)))
    };
    let Some(file) = stated.as_str() else { return parse(stated.clone()) };
    if let Some(entities) = shared.get(file) {
        return Ok(entities.clone());
    }
    let json = serde_json::from_str(files.text(file)?);
    let entities = parse(json.map_err(|error| malformed(format!("`{file}`: {}", said(&error))))?)?;
    shared.insert(file.to_owned(), entities.clone());
    Ok(entities)
}

fn run_one(
    snapshot: &Snapshot,
    whole: &PolicySet,
    case: Case,
    entities: &Entities,
    name: &str,
) -> Result<(), LoadError> {
    let malformed = |what: String| LoadError::Cases(format!("`{name}`: {what}"));
    let uid = |text: &str| -> Result<EntityUid, LoadError> {
        text.parse().map_err(|error| malformed(format!("`{}`: {}", excerpt(text), said(&error))))
    };
    let principal = uid(&case.request.principal)?;
    let action = uid(&case.request.action)?;
    let resource = uid(&case.request.resource)?;
    let schema = &snapshot.schema;
    let context = Context::from_json_value(case.request.context, Some((schema, &action)));
    let context = context.map_err(|error| malformed(said(&error)))?;
    let request =
        Request::new(principal.clone(), action.clone(), resource.clone(), context, Some(schema));
    let request = request.map_err(|error| malformed(said(&error)))?;

    let ask = |policies: &PolicySet| {
        // With the least stack that a decision can have: what needs more fails here, not in force.
        let response = stacker::grow(STACK_RED_ZONE, || {
            snapshot.engine.is_authorized(&request, policies, entities)
        });
        let reasons: BTreeSet<String> =
            response.diagnostics().reason().map(ToString::to_string).collect();
        (response.decision(), reasons, response.diagnostics().errors().count())
    };
    let (decision, reasons, errors) = ask(whole);
    let found = describe(decision, &reasons, errors);
    let failed = |expected: String, found: String| {
        let name = name.to_owned();
        Err(LoadError::Case(CaseFailure { name, expected, found }))
    };
    let expected = match case.decision {
        Expected::Allow => Decision::Allow,
        Expected::Deny => Decision::Deny,
    };
    let holds =
        decision == expected && errors == case.num_errors && case.reason.is_subset(&reasons);
    if !holds {
        return failed(describe(expected, &case.reason, case.num_errors), found);
    }
    if decision == Decision::Allow && errors > 0 {
        return failed(
            "a deny: the authorizer denies whatever stands beside an error".into(),
            found,
        );
    }
    let ancestors = |uid: &EntityUid| -> Vec<EntityUid> {
        let above = entities.ancestors(uid).into_iter().flatten().cloned();
        std::iter::once(uid.clone()).chain(above).collect()
    };
    let (principals, resources) = (ancestors(&principal), ancestors(&resource));
    let types: (&EntityTypeName, &EntityTypeName) = (principal.type_name(), resource.type_name());
    let positions = snapshot.index.lookup(&action, principals.iter(), resources.iter(), types);
    let policies = positions.iter().filter_map(|position| {
        usize::try_from(*position).ok().and_then(|at| snapshot.policies.get(at)).cloned()
    });
    let slice = PolicySet::from_policies(policies);
    let slice = slice.map_err(|error| malformed(said(&error)))?;
    let sliced = ask(&slice);
    if sliced != (decision, reasons, errors) {
        let (decision, reasons, errors) = sliced;
        return failed(found, format!("{} by index", describe(decision, &reasons, errors)));
    }
    Ok(())
}

fn describe(decision: Decision, reasons: &BTreeSet<String>, errors: usize) -> String {
    let decision = match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
    };
    let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
    format!("{decision} by [{}] with {errors} errors", reasons.join(", "))
}
