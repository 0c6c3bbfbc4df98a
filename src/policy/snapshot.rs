//! One loaded bundle, ready to decide: policies, schema, entities and index, swapped as a whole.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy,
    PolicySet, Request, Response, Schema,
};

use crate::action::{Effect, Kind, Target};
use crate::digest::Digest;
use crate::policy::entities::Store;
use crate::policy::index::{Index, Positions};
use crate::policy::manifest::{BundleLimits, Quorum};
use crate::policy::request::{RequestFacts, Types, action_uid, context};
use crate::reason::Reason;
use crate::tool::ToolManifest;

/// The stack that must be free before the engine runs: with less it errors or overflows.
/// The baseline bundle needs 224 KiB in a release build and five times that without optimisation.
const STACK_RED_ZONE: usize = if cfg!(debug_assertions) { 2 << 20 } else { 512 << 10 };
const STACK_SIZE: usize = 4 << 20;

/// The most slices and entity bases kept; past it both start anew. They hold no decisions.
const MAX_CACHED: usize = 4096;

/// A bundle that decides. Immutable; a reload makes another one.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) digest: Digest,
    pub(super) schema_digest: Digest,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) quorums: Vec<Quorum>,
    pub(super) limits: BundleLimits,
    pub(super) tools: ToolManifest,
    pub(super) schema: Schema,
    pub(super) policies: Vec<Policy>,
    /// For each policy, the entities of the bundle that it names.
    pub(super) named: Vec<Vec<EntityUid>>,
    /// For each policy, whether it depends on approvals.
    pub(super) asks_approval: Vec<bool>,
    pub(super) store: Store,
    pub(super) index: Index,
    pub(super) types: Types,
    pub(super) engine: Authorizer,
    pub(super) slices: Cache<Positions, Slice>,
    pub(super) bases: Cache<[EntityUid; 4], Entities>,
    pub(super) resource_types: HashMap<&'static str, EntityTypeName>,
}

/// A bounded map from what was asked to what was built for it.
#[derive(Debug)]
pub(super) struct Cache<K, V>(RwLock<HashMap<K, Arc<V>>>);

impl<K: std::hash::Hash + Eq, V> Cache<K, V> {
    pub(super) fn new() -> Self {
        Self(RwLock::new(HashMap::new()))
    }

    fn find<Q: std::hash::Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.read().ok()?.get(key).cloned()
    }

    fn keep(&self, key: K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        if let Ok(mut map) = self.0.write() {
            if map.len() >= MAX_CACHED {
                map.clear();
            }
            map.insert(key, Arc::clone(&value));
        }
        value
    }
}

/// The policies that can concern a request, and the entities of the bundle that they name.
#[derive(Debug)]
pub(super) struct Slice {
    set: PolicySet,
    entities: Vec<Entity>,
    asks_approval: bool,
}

/// An agent instance as policies see it. Instances of one task share all but their own name.
#[derive(Debug, Clone)]
pub struct Principal {
    agent: EntityUid,
    task: Arc<PrincipalGroup>,
}

/// The class, owner and trust domain of the instances of one task.
#[derive(Debug)]
pub struct PrincipalGroup {
    class: EntityUid,
    owner: EntityUid,
    trust_domain: EntityUid,
}

impl PrincipalGroup {
    /// Names a class, its owner and its trust domain.
    #[must_use]
    pub fn new(class: &str, owner: &str, trust_domain: &str) -> Option<Self> {
        Some(Self {
            class: principal_uid("AgentClass", class)?,
            owner: principal_uid("Owner", owner)?,
            trust_domain: principal_uid("TrustDomain", trust_domain)?,
        })
    }
}

fn principal_uid(kind: &str, id: &str) -> Option<EntityUid> {
    Some(EntityUid::from_type_name_and_id(kind.parse().ok()?, EntityId::new(id)))
}

impl Principal {
    /// Names an instance of `task`.
    #[must_use]
    pub fn new(agent: &str, task: Arc<PrincipalGroup>) -> Option<Self> {
        Some(Self { agent: principal_uid("Agent", agent)?, task })
    }

    fn with_ancestors(&self) -> impl Iterator<Item = &EntityUid> {
        let Self { agent, task } = self;
        [agent, &task.class, &task.owner, &task.trust_domain].into_iter()
    }

    fn entity(&self) -> Entity {
        let parents = [&self.task.class, &self.task.owner, &self.task.trust_domain];
        Entity::new_no_attrs(self.agent.clone(), parents.into_iter().cloned().collect())
    }
}

/// What the policies say of one effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Permitted, without any error.
    Permit {
        /// The policies that permit it, sorted.
        policies: Vec<Box<str>>,
    },
    /// Denied without any error, and permitted once these quorums have approved.
    Approval {
        /// A minimal set of quorums, in the order of the manifest.
        quorums: Vec<Box<str>>,
        /// The policies that deny it until then, sorted.
        policies: Vec<Box<str>>,
    },
    /// Denied.
    Refuse {
        /// Why.
        reason: Reason,
        /// The policies that forbid it or that failed, sorted.
        policies: Vec<Box<str>>,
    },
}

impl Verdict {
    const fn refuse(reason: Reason) -> Self {
        Self::Refuse { reason, policies: Vec::new() }
    }
}

impl Snapshot {
    /// Returns the digest of the bundle: of its files and of the generated part of its schema.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the digest of the whole schema.
    #[must_use]
    pub const fn schema_digest(&self) -> Digest {
        self.schema_digest
    }

    /// Returns the name of the bundle.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version that the manifest states.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns how many policies there are.
    #[must_use]
    pub fn policy_count(&self) -> usize {
        self.policies.len()
    }

    /// Returns the quorums of the manifest.
    #[must_use]
    pub fn quorums(&self) -> &[Quorum] {
        &self.quorums
    }

    /// Returns the caps that the bundle puts on scopes.
    #[must_use]
    pub const fn limits(&self) -> &BundleLimits {
        &self.limits
    }

    /// Returns the registered tools.
    #[must_use]
    pub const fn tools(&self) -> &ToolManifest {
        &self.tools
    }

    /// Asks the policies about one effect.
    ///
    /// A verdict other than [`Verdict::Permit`] is never an error of the caller's: whatever goes
    /// wrong refuses, with its own reason.
    #[must_use]
    pub fn decide(
        &self,
        principal: &Principal,
        effect: &Effect,
        facts: &RequestFacts<'_>,
    ) -> Verdict {
        stacker::maybe_grow(STACK_RED_ZONE, STACK_SIZE, || {
            self.ask(principal, effect, facts).unwrap_or_else(Verdict::refuse)
        })
    }

    fn ask(
        &self,
        principal: &Principal,
        effect: &Effect,
        facts: &RequestFacts<'_>,
    ) -> Result<Verdict, Reason> {
        let question = self.question(principal, effect)?;
        let held: Vec<&str> = facts.approvals.iter().map(AsRef::as_ref).collect();
        let shape = match effect.target() {
            Target::Tool { server, name, .. } => {
                let tool = self.tools.get(&format!("{server}/{name}"));
                Some(&tool.ok_or(Reason::ToolUnregistered)?.input)
            }
            _ => None,
        };
        let answer = |approvals: &[&str]| -> Result<Answer, Reason> {
            let context = context(effect, facts, approvals, shape)?;
            self.answer(&question, effect, context)
        };
        let first = answer(&held)?;
        let (reason, policies) = match first {
            Answer::Allow(policies) => return Ok(Verdict::Permit { policies }),
            Answer::Broken(reason, policies) => return Ok(Verdict::Refuse { reason, policies }),
            Answer::Deny(policies) if policies.is_empty() => (Reason::PolicyNoPermit, policies),
            Answer::Deny(policies) => (Reason::PolicyForbid, policies),
        };
        if question.slice.asks_approval {
            let every = self.quorums.iter().map(|quorum| quorum.name.as_str());
            let mut granted: Vec<&str> = every.collect();
            granted.extend(
                held.iter().filter(|name| !granted.contains(*name)).copied().collect::<Vec<_>>(),
            );
            if matches!(answer(&granted)?, Answer::Allow(_)) {
                // Greedily without one after the other, in the order of the manifest.
                for quorum in &self.quorums {
                    if held.contains(&quorum.name.as_str()) {
                        continue;
                    }
                    let without: Vec<&str> =
                        granted.iter().filter(|name| **name != quorum.name).copied().collect();
                    if matches!(answer(&without)?, Answer::Allow(_)) {
                        granted = without;
                    }
                }
                let missing = granted.into_iter().filter(|name| !held.contains(name));
                let quorums = missing.map(Box::from).collect();
                return Ok(Verdict::Approval { quorums, policies });
            }
        }
        Ok(Verdict::Refuse { reason, policies })
    }

    fn question(&self, principal: &Principal, effect: &Effect) -> Result<Question, Reason> {
        let action = action_uid(&self.types, effect);
        if self.store.actions.get(&action).is_none() {
            return Err(match effect.kind() {
                Kind::ToolCall => Reason::ToolUnregistered,
                _ => Reason::ActionUnknownKind,
            });
        }
        let kind = self.resource_types.get(effect.target().entity_type());
        let kind = kind.ok_or(Reason::PolicyRequest)?;
        let id = EntityId::new(effect.target().id());
        let resource = EntityUid::from_type_name_and_id(kind.clone(), id);
        if !self.store.resolves(&resource) && !self.is_session_type(effect) {
            return Err(Reason::PolicyEntityMissing);
        }
        let resources = std::iter::once(&resource).chain(self.store.ancestors(&resource).iter());
        let types = (&self.types.agent, kind);
        let positions = self.index.lookup(&action, principal.with_ancestors(), resources, types);
        let slice = self.slice(positions)?;
        let entities = self.entities(principal, &action, &resource, &slice, effect)?;
        Ok(Question { principal: principal.agent.clone(), action, resource, slice, entities })
    }

    /// Whether the target is of a type whose entities come with the session: an agent class that is
    /// to be spawned is named by its SPIFFE ID, and its trust domain follows from that.
    fn is_session_type(&self, effect: &Effect) -> bool {
        matches!(effect.target(), Target::Agent(_))
    }

    fn slice(&self, positions: Vec<u32>) -> Result<Arc<Slice>, Reason> {
        if let Some(slice) = self.slices.find(positions.as_slice()) {
            return Ok(slice);
        }
        let mut asks_approval = false;
        let mut roots = HashSet::new();
        let mut policies = Vec::with_capacity(positions.len());
        for position in &positions {
            let Ok(position) = usize::try_from(*position) else { continue };
            policies.extend(self.policies.get(position).cloned());
            asks_approval |= self.asks_approval.get(position).copied().unwrap_or(true);
            roots.extend(self.named.get(position).into_iter().flatten().cloned());
        }
        let mut entities = Vec::new();
        self.store.close(roots, &mut entities);
        let set = PolicySet::from_policies(policies).map_err(|_| Reason::PolicyError)?;
        Ok(self.slices.keep(positions.into(), Slice { set, entities, asks_approval }))
    }

    /// The entities that the request can reach: principal, action and resource with their
    /// ancestors, and those that the slice names.
    fn entities(
        &self,
        principal: &Principal,
        action: &EntityUid,
        resource: &EntityUid,
        slice: &Slice,
        effect: &Effect,
    ) -> Result<Entities, Reason> {
        let missing = Reason::PolicyEntityMissing;
        let key = [
            principal.task.class.clone(),
            principal.task.owner.clone(),
            principal.task.trust_domain.clone(),
            action.clone(),
        ];
        let base = match self.bases.find(&key) {
            Some(base) => base,
            None => {
                let [class, owner, trust_domain, _] = key.clone();
                let parents = HashSet::from([trust_domain.clone()]);
                let mut base = vec![
                    Entity::new_no_attrs(class, parents),
                    Entity::new_no_attrs(owner, HashSet::new()),
                    Entity::new_no_attrs(trust_domain, HashSet::new()),
                ];
                base.extend(self.store.actions.get(action).cloned());
                let groups = self.store.actions.ancestors(action).into_iter().flatten();
                base.extend(groups.filter_map(|group| self.store.actions.get(group)).cloned());
                self.bases.keep(key, Entities::from_entities(base, None).map_err(|_| missing)?)
            }
        };
        let mut own = slice.entities.clone();
        own.push(principal.entity());
        self.store.close([resource.clone()], &mut own);
        if let Target::Agent(id) = effect.target() {
            if *resource != principal.task.class {
                own.push(agent_class(resource, id).ok_or(missing)?);
                own.extend(
                    agent_trust_domain(id)
                        .filter(|domain| domain.uid() != principal.task.trust_domain),
                );
            }
        }
        (*base).clone().add_entities(own, None).map_err(|_| missing)
    }

    fn answer(
        &self,
        question: &Question,
        effect: &Effect,
        context: Context,
    ) -> Result<Answer, Reason> {
        let request = Request::new(
            question.principal.clone(),
            question.action.clone(),
            question.resource.clone(),
            context,
            Some(&self.schema),
        );
        let request = request.map_err(|_| match effect.kind() {
            Kind::Host { .. } => Reason::ActionSchema,
            Kind::ToolCall => Reason::ToolArgument,
            _ => Reason::PolicyRequest,
        })?;
        let response = self.engine.is_authorized(&request, &question.slice.set, &question.entities);
        Ok(Answer::of(&response))
    }
}

fn agent_class(uid: &EntityUid, id: &str) -> Option<Entity> {
    let domain = agent_trust_domain(id)?.uid();
    Some(Entity::new_no_attrs(uid.clone(), HashSet::from([domain])))
}

fn agent_trust_domain(id: &str) -> Option<Entity> {
    let domain = crate::governance::identity::SpiffeId::parse(id).ok()?;
    let uid = EntityUid::from_type_name_and_id(
        "TrustDomain".parse().ok()?,
        EntityId::new(domain.trust_domain()),
    );
    Some(Entity::new_no_attrs(uid, HashSet::new()))
}

struct Question {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    slice: Arc<Slice>,
    entities: Entities,
}

/// The answer of the engine, distrusted: any error makes it broken, whatever it says.
enum Answer {
    Allow(Vec<Box<str>>),
    Deny(Vec<Box<str>>),
    Broken(Reason, Vec<Box<str>>),
}

impl Answer {
    fn of(response: &Response) -> Self {
        let diagnostics = response.diagnostics();
        let mut failed: Vec<Box<str>> = diagnostics
            .errors()
            .map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                    AsRef::<str>::as_ref(error.policy_id()).into()
                }
            })
            .collect();
        if !failed.is_empty() {
            failed.sort_unstable();
            return Self::Broken(Reason::PolicyError, failed);
        }
        let mut policies: Vec<Box<str>> =
            diagnostics.reason().map(|id| AsRef::<str>::as_ref(id).into()).collect();
        policies.sort_unstable();
        match response.decision() {
            Decision::Allow if policies.is_empty() => {
                Self::Broken(Reason::PolicyNoReason, policies)
            }
            Decision::Allow => Self::Allow(policies),
            Decision::Deny => Self::Deny(policies),
        }
    }
}
