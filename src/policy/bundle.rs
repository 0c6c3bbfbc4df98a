//! A policy bundle in its four states. Only the last one decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, EntityId, EntityUid, Policy, PolicyId, PolicySet, ValidationMode, Validator,
};

use crate::action::{ActionSpec, HostAction};
use crate::digest::Digest;
use crate::policy::cases::{self, CaseFailure};
use crate::policy::entities::Store;
use crate::policy::index::Index;
use crate::policy::labels::LabelRules;
use crate::policy::manifest::Manifest;
use crate::policy::polarity::{self, Survey};
use crate::policy::request::Types;
use crate::policy::schema;
use crate::policy::snapshot::{Cache, Snapshot};
use crate::policy::source::{ENTITIES, Files, MANIFEST, SCHEMA, check_nesting};
use crate::text::{excerpt, said};
use crate::tool::ToolManifest;

/// The most policies of a bundle.
const MAX_POLICIES: usize = 20_000;
/// The stack on which bundles are parsed and checked: within the caps on nesting it is ample.
const LOAD_STACK: usize = 64 << 20;

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file could not be read.
    #[error("the bundle cannot be read")]
    Read(#[source] std::io::Error),
    /// A file is missing, unknown or not text.
    #[error("file of the bundle: {0}")]
    File(String),
    /// The bundle is past a limit.
    #[error("the bundle is too large: {0}")]
    TooLarge(String),
    /// The manifest is malformed.
    #[error("the manifest is refused: {0}")]
    Manifest(String),
    /// The schema does not parse, warns, or differs from the vocabulary or from what is registered.
    #[error("the schema is refused: {0}")]
    Schema(String),
    /// A policy does not parse or has no name of its own.
    #[error("a policy is refused: {0}")]
    Policy(String),
    /// Strict validation found an error or a warning.
    #[error("the policies do not validate: {0}")]
    Validation(String),
    /// A policy turns more history into more rights, an approval into fewer, or cannot be understood.
    #[error("policy `{policy}` has the wrong polarity: {problem}")]
    Polarity {
        /// The policy.
        policy: String,
        /// What is wrong.
        problem: String,
    },
    /// The entities are malformed or a reference does not resolve.
    #[error("the entities are refused: {0}")]
    Entities(String),
    /// A case file is malformed, or there is none.
    #[error("the cases are refused: {0}")]
    Cases(String),
    /// A case did not come out as it says.
    #[error("the bundle fails its own test")]
    Case(#[source] CaseFailure),
}

/// A bundle as it was written: files, and the tools and host actions registered with it.
///
/// # Examples
///
/// ```
/// use countersign::policy::Authored;
///
/// let bundle = Authored::baseline().load()?;
/// assert_eq!(bundle.snapshot().name(), "baseline");
/// # Ok::<(), countersign::policy::LoadError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Authored {
    files: Files,
    tools: ToolManifest,
    actions: BTreeMap<&'static str, ActionSpec>,
}

impl Authored {
    /// Reads the bundle in `directory`: `manifest.json`, `schema.cedarschema`, `policies.cedar` or
    /// `policies/*.cedar`, `cases.json` or `cases/*.json`, and optionally `entities.json`.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] for a file that cannot be read, is unknown, or is too large.
    ///
    /// # Security
    ///
    /// Whoever can write this directory decides what agents may do.
    pub fn read_dir(directory: impl AsRef<Path>) -> Result<Self, LoadError> {
        Ok(Self { files: Files::read(directory.as_ref())?, ..Self::default() })
    }

    /// Takes the bundle from files in memory, by their names in the bundle.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] for a name that is unknown or repeated, or for too much text.
    pub fn from_files<'a, T: AsRef<[u8]>>(
        files: impl IntoIterator<Item = (&'a str, T)>,
    ) -> Result<Self, LoadError> {
        let mut bundle = Self::default();
        for (name, text) in files {
            bundle.files.add(name, text.as_ref())?;
        }
        Ok(bundle)
    }

    /// Returns the `baseline` bundle that comes with the library.
    #[must_use]
    pub fn baseline() -> Self {
        let mut files = Files::default();
        for (name, text) in BASELINE {
            let added = files.add(name, text.as_bytes());
            debug_assert!(added.is_ok(), "{name}: {added:?}");
        }
        Self { files, ..Self::default() }
    }

    /// Registers tools; calls of all others are refused.
    #[must_use]
    pub fn with_tools(mut self, tools: ToolManifest) -> Self {
        self.tools = tools;
        self
    }

    /// Registers a kind of action that the host brings; all others are refused.
    #[must_use]
    pub fn with_action<A: HostAction>(mut self) -> Self {
        self.actions.insert(A::SPEC.kind, A::SPEC);
        self
    }

    /// Checks everything that can be checked without a request: see [`Validated`].
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] for the first thing that is wrong.
    pub fn validate(self) -> Result<Validated, LoadError> {
        stacker::grow(LOAD_STACK, || self.validate_here())
    }

    /// Takes the bundle through all states: validates, tests and enforces it.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] for the first thing that is wrong.
    pub fn load(self) -> Result<Enforced, LoadError> {
        Ok(self.validate()?.test()?.enforce())
    }

    fn validate_here(self) -> Result<Validated, LoadError> {
        let manifest = Manifest::parse(self.files.bytes(MANIFEST)?)?;
        // The schema takes longest, so that what is cheap to refuse is refused before it.
        let policies = parse_policies(&self.files)?;
        let actions: Vec<ActionSpec> = self.actions.values().copied().collect();
        let schema_text = self.files.text(SCHEMA)?;
        let (schema, generated) = schema::build(schema_text, self.tools.iter(), &actions)?;
        let schema_json = schema::to_json(&format!("{schema_text}\n{generated}"))?;

        let set = PolicySet::from_policies(policies.iter().cloned());
        let set = set.map_err(|error| LoadError::Policy(said(&error)))?;
        let validation = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        if let Some(error) = validation.validation_errors().next() {
            return Err(LoadError::Validation(said(&error)));
        }
        if let Some(warning) = validation.validation_warnings().next() {
            return Err(LoadError::Validation(said(&warning)));
        }

        let entities = self.files.has(ENTITIES).then(|| self.files.bytes(ENTITIES)).transpose()?;
        let store = Store::load(entities, &self.tools, &schema, &schema_json)?;
        let known: BTreeSet<&str> = manifest.quorums.iter().map(|q| q.name.as_str()).collect();
        let (mut named, mut asks, mut reads_time) = (Vec::new(), Vec::new(), false);
        for policy in &policies {
            let survey = check_policy(policy, &known, &store)?;
            let asked = (0..)
                .zip(&manifest.quorums)
                .filter(|(_, quorum)| survey.any_quorum || survey.quorums.contains(&quorum.name));
            asks.push(asked.map(|(index, _)| index).collect());
            reads_time |= survey.reads_time;
            let literals = survey.literals.iter().filter_map(|(kind, id)| uid(kind, id));
            named.push(literals.collect());
        }

        let parse = |name: &str| {
            name.parse().map_err(|_| LoadError::Schema(format!("`{name}` is no entity type")))
        };
        let action = parse("Action")?;
        let labels = LabelRules::build(&manifest.labels, &self.tools, &store, &action)?;
        let mut resource_types = HashMap::new();
        for name in RESOURCE_TYPES {
            resource_types.insert(name, parse(name)?);
        }
        let schema_digest = Digest::of(
            "countersign 2026-11 bundle schema v1",
            format!("{schema_text}\n{generated}").as_bytes(),
        );
        let snapshot = Snapshot {
            digest: self.files.digest(&format!("{generated}{}", registered(&self.tools, &actions))),
            schema_digest,
            elevations: manifest.elevations(),
            trust_edges: manifest.trust_edges(),
            name: manifest.name,
            version: manifest.version,
            quorums: manifest.quorums,
            limits: manifest.limits,
            labels,
            tiers: manifest.tiers,
            default_tier: manifest.default_tier,
            tools: self.tools,
            kinds: actions.iter().map(|spec| (spec.kind, spec.domain)).collect(),
            index: Index::build(&policies, &store.actions),
            schema,
            policies,
            named,
            asks,
            reads_time,
            store,
            types: Types { action, agent: parse("Agent")? },
            engine: cedar_policy::Authorizer::new(),
            slices: Cache::new(),
            bases: Cache::new(),
            resource_types,
        };
        Ok(Validated { files: self.files, snapshot })
    }
}

/// A bundle whose parts fit together: strict validation without errors and warnings, every reference
/// resolved, every policy named, polarity right. It has not been tested.
#[derive(Debug)]
pub struct Validated {
    files: Files,
    snapshot: Snapshot,
}

impl Validated {
    /// Runs the bundle's own cases.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError::Case`] for the first that fails, [`LoadError::Cases`] when there is none.
    pub fn test(self) -> Result<Tested, LoadError> {
        let cases = stacker::grow(LOAD_STACK, || cases::run(&self.files, &self.snapshot))?;
        Ok(Tested { cases, snapshot: self.snapshot })
    }

    /// Returns the digest of the bundle.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.snapshot.digest
    }
}

/// A bundle that passed its own cases.
#[derive(Debug)]
pub struct Tested {
    cases: usize,
    snapshot: Snapshot,
}

impl Tested {
    /// Puts the bundle into force. What is enforced is what was tested: nothing is read again.
    #[must_use]
    pub fn enforce(self) -> Enforced {
        Enforced { snapshot: Arc::new(self.snapshot) }
    }

    /// Returns how many cases ran.
    #[must_use]
    pub const fn cases(&self) -> usize {
        self.cases
    }

    /// Returns the digest of the bundle.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.snapshot.digest
    }
}

/// A bundle in force: what an authorizer takes.
#[derive(Debug, Clone)]
pub struct Enforced {
    snapshot: Arc<Snapshot>,
}

impl Enforced {
    /// Returns what decides.
    #[must_use]
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Returns the digest of the bundle.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.snapshot.digest
    }
}

/// What is registered beside the schema that is generated for it, as text for the digest.
fn registered(tools: &ToolManifest, actions: &[ActionSpec]) -> String {
    let tools = tools.iter().map(|tool| {
        let hints = (tool.read_only, tool.destructive, tool.open_world);
        format!("// tool {} {} {hints:?}\n", tool.id(), tool.schema)
    });
    let actions = actions
        .iter()
        .map(|spec| format!("// action {} {}\n", spec.kind, spec.reversibility.as_str()));
    tools.chain(actions).collect()
}

fn parse_policies(files: &Files) -> Result<Vec<Policy>, LoadError> {
    let refuse = |what: String| LoadError::Policy(what);
    let mut policies: BTreeMap<String, Policy> = BTreeMap::new();
    for file in files.policies() {
        let text = files.text(file)?;
        check_nesting(file, text)?;
        let set: PolicySet = text
            .parse()
            .map_err(|error| refuse(format!("`{file}` does not parse: {}", said(&error))))?;
        if set.templates().next().is_some() {
            return Err(refuse(format!("`{file}` has a template, which nothing links")));
        }
        for policy in set.policies() {
            let id = policy.annotation("id").unwrap_or_default().to_owned();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if id.is_empty() || id.len() > 128 || !id.bytes().all(plain) {
                return Err(refuse(format!(
                    "one in `{file}` has no `@id(\"…\")` of 1 to 128 of `A-Z a-z 0-9 . _ -`"
                )));
            }
            let renamed = policy.new_id(PolicyId::new(&id));
            if policies.insert(id.clone(), renamed).is_some() {
                return Err(refuse(format!("`{id}` stands twice")));
            }
            if policies.len() > MAX_POLICIES {
                return Err(LoadError::TooLarge(format!("more than {MAX_POLICIES} policies")));
            }
        }
    }
    if policies.is_empty() {
        return Err(refuse("there is none".into()));
    }
    Ok(policies.into_values().collect())
}

fn check_policy(
    policy: &Policy,
    quorums: &BTreeSet<&str>,
    store: &Store,
) -> Result<Survey, LoadError> {
    let id = policy.id().to_string();
    let problem = |problem: String| LoadError::Polarity { policy: id.clone(), problem };
    let tree = policy.to_pst().map_err(|error| problem(said(&error)))?;
    let survey = polarity::survey(&tree).map_err(problem)?;
    if let Some(name) = survey.quorums.iter().find(|name| !quorums.contains(name.as_str())) {
        return Err(LoadError::Policy(format!(
            "`{id}` names the quorum `{}`, which the manifest does not",
            excerpt(name)
        )));
    }
    let tool_call = uid("Action", "ToolCall");
    let equals_tool_call = match policy.action_constraint() {
        ActionConstraint::Eq(action) => Some(&action) == tool_call.as_ref(),
        _ => false,
    };
    if equals_tool_call || survey.names_tool_call {
        return Err(LoadError::Policy(format!(
            "`{id}` names `Action::\"ToolCall\"`, which no request has: each tool has an \
             action of its own below it, so write `action in Action::\"ToolCall\"`"
        )));
    }
    for (kind, name) in &survey.read {
        let known = uid(kind, name).is_some_and(|uid| store.resolves(&uid));
        if !known {
            return Err(LoadError::Entities(format!(
                "`{id}` looks into `{kind}::\"{}\"`, which is not in the store",
                excerpt(name)
            )));
        }
    }
    Ok(survey)
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    Some(EntityUid::from_type_name_and_id(kind.parse().ok()?, EntityId::new(id)))
}

/// Every entity type that a target can have.
const RESOURCE_TYPES: [&str; 23] = [
    "Accelerator",
    "Account",
    "AgentClass",
    "Api",
    "Artifact",
    "Endpoint",
    "File",
    "Identity",
    "Infrastructure",
    "Memory",
    "Model",
    "Object",
    "Package",
    "Privilege",
    "Program",
    "Queue",
    "Recipient",
    "Resource",
    "Secret",
    "Table",
    "Tool",
    "Unknown",
    "Workflow",
];

/// The files of the baseline bundle.
const BASELINE: [(&str, &str); 5] = [
    (MANIFEST, include_str!("../../policies/baseline/manifest.json")),
    (SCHEMA, include_str!("../../policies/baseline/schema.cedarschema")),
    ("policies.cedar", include_str!("../../policies/baseline/policies.cedar")),
    ("cases.json", include_str!("../../policies/baseline/cases.json")),
    ("cases-entities.json", include_str!("../../policies/baseline/cases-entities.json")),
];
