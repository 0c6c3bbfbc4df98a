//! One loaded bundle, ready to decide: policies, schema, entities and index, swapped as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, RwLock};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy,
    PolicySet, Request, Response, Schema,
};

use crate::action::{Domain, Effect, Kind, Target};
use crate::digest::Digest;
use crate::identity::SpiffeId;
use crate::policy::entities::Store;
use crate::policy::index::{Index, Positions};
use crate::policy::labels::LabelRules;
use crate::policy::manifest::{BundleLimits, ElevationRules, Quorum};
use crate::policy::request::{RequestFacts, Types, action_uid, context};
use crate::reason::Reason;
use crate::tool::ToolManifest;

/// The stack that must be free before the engine runs: with less it errors or overflows.
/// The baseline bundle needs 224 KiB in a release build and five times that without optimisation. The
/// cases of a bundle run with exactly this much, so what needs more is refused when it is loaded.
pub(super) const STACK_RED_ZONE: usize = if cfg!(debug_assertions) { 8 << 20 } else { 512 << 10 };
const STACK_SIZE: usize = STACK_RED_ZONE + (1 << 20);

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
    pub(super) elevations: ElevationRules,
    /// From which trust domain to which a scope may be handed on.
    pub(super) trust_edges: Vec<(Box<str>, Box<str>)>,
    pub(super) limits: BundleLimits,
    pub(super) labels: LabelRules,
    /// The risk tiers, and the one of scopes that name none.
    pub(super) tiers: BTreeMap<String, BundleLimits>,
    pub(super) default_tier: Option<String>,
    pub(super) tools: ToolManifest,
    /// The registered kinds of hosts, each with its domain.
    pub(super) kinds: HashMap<&'static str, Domain>,
    pub(super) schema: Schema,
    pub(super) policies: Vec<Policy>,
    /// For each policy, the entities of the bundle that it names.
    pub(super) named: Vec<Vec<EntityUid>>,
    /// For each policy, the quorums whose approval matters to it, by their place in the manifest.
    pub(super) asks: Vec<Vec<usize>>,
    /// Whether any policy looks at the time.
    pub(super) reads_time: bool,
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
    /// Without what forbids whoever approves: all that matters once that was found not to forbid.
    liftable: PolicySet,
    entities: Vec<Entity>,
    /// The quorums whose approval matters to any of them, by their place in the manifest.
    asks: BTreeSet<usize>,
    /// The policies that forbid whoever approves.
    firm: HashSet<Box<str>>,
}

/// An agent instance as policies see it: below every class that its SPIFFE ID names, whichever of
/// them the scope was given to.
#[derive(Debug, Clone)]
pub struct Principal {
    agent: EntityUid,
    /// The class that has the instance's own id.
    class: EntityUid,
    above: Arc<PrincipalGroup>,
}

/// What instances below one class share: the classes above, the owner, the trust domain.
#[derive(Debug)]
pub struct PrincipalGroup {
    /// From the innermost class outwards.
    classes: Vec<EntityUid>,
    owner: EntityUid,
    trust_domain: EntityUid,
}

impl PrincipalGroup {
    /// Names the classes above `instance`, its owner and its trust domain.
    ///
    /// `None` when the id has more segments than a class may have.
    #[must_use]
    pub fn above(instance: &SpiffeId, owner: &str) -> Option<Self> {
        let mut classes = class_uids(instance.as_str())?;
        classes.remove(0);
        let trust_domain = uid("TrustDomain", instance.trust_domain())?;
        Some(Self { classes, owner: uid("Owner", owner)?, trust_domain })
    }
}

impl Principal {
    /// Names an instance alone; instances of one task better share what is above them.
    #[must_use]
    pub fn of(instance: &SpiffeId, owner: &str) -> Option<Self> {
        Self::new(instance, Arc::new(PrincipalGroup::above(instance, owner)?))
    }

    /// Names an instance below the classes of `above`.
    #[must_use]
    pub fn new(instance: &SpiffeId, above: Arc<PrincipalGroup>) -> Option<Self> {
        let agent = uid("Agent", instance.as_str())?;
        Some(Self { agent, class: uid("AgentClass", instance.as_str())?, above })
    }

    fn with_ancestors(&self) -> impl Iterator<Item = &EntityUid> {
        let PrincipalGroup { classes, owner, trust_domain } = &*self.above;
        [&self.agent, &self.class, owner, trust_domain].into_iter().chain(classes)
    }

    /// The entities that no other instance has.
    fn entities(&self) -> [Entity; 2] {
        let PrincipalGroup { classes, owner, trust_domain } = &*self.above;
        let outer = classes.first().unwrap_or(trust_domain).clone();
        let parents = HashSet::from([self.class.clone(), owner.clone(), trust_domain.clone()]);
        [
            Entity::new_no_attrs(self.agent.clone(), parents),
            Entity::new_no_attrs(self.class.clone(), HashSet::from([outer])),
        ]
    }
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    Some(EntityUid::from_type_name_and_id(kind.parse().ok()?, EntityId::new(id)))
}

/// The most segments of the path of a SPIFFE ID that policies see.
const MAX_CLASSES: usize = 16;

/// The classes of a SPIFFE ID: itself and every prefix of its path, from the inside outwards.
fn class_uids(id: &str) -> Option<Vec<EntityUid>> {
    let path =
        id.strip_prefix("spiffe://")?.find('/').map_or(id.len(), |at| at + "spiffe://".len());
    let mut classes = vec![uid("AgentClass", id)?];
    let mut rest = id;
    while let Some((outer, _)) = rest.rsplit_once('/').filter(|(outer, _)| outer.len() > path) {
        classes.push(uid("AgentClass", outer)?);
        rest = outer;
    }
    (classes.len() <= MAX_CLASSES).then_some(classes)
}

/// The entities of a class and of all above it, and of its trust domain.
fn class_entities(classes: &[EntityUid], trust_domain: &EntityUid) -> Vec<Entity> {
    let parents = classes.iter().skip(1).chain(std::iter::once(trust_domain));
    let chain = classes.iter().zip(parents);
    let mut entities: Vec<Entity> = chain
        .map(|(class, parent)| Entity::new_no_attrs(class.clone(), HashSet::from([parent.clone()])))
        .collect();
    entities.push(Entity::new_no_attrs(trust_domain.clone(), HashSet::new()));
    entities
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

    /// Returns from which trust domain to which a scope may be handed on, beside within each of them.
    #[must_use]
    pub fn trust_edges(&self) -> &[(Box<str>, Box<str>)] {
        &self.trust_edges
    }

    /// Tells whether a scope may be handed on from one agent to another, as trust domains go.
    pub(crate) fn check_edge(&self, from: &SpiffeId, to: &SpiffeId) -> Result<(), Reason> {
        let (from, to) = (from.trust_domain(), to.trust_domain());
        let known = |edge: &(Box<str>, Box<str>)| *edge.0 == *from && *edge.1 == *to;
        match from == to || self.trust_edges.iter().any(known) {
            true => Ok(()),
            false => Err(Reason::DelegationTrustDomain),
        }
    }

    /// Returns who may add to scopes for a while.
    #[must_use]
    pub const fn elevations(&self) -> &ElevationRules {
        &self.elevations
    }

    /// Returns the caps that the bundle puts on all scopes; [`caps`](Self::caps) are those of a tier too.
    #[must_use]
    pub const fn limits(&self) -> &BundleLimits {
        &self.limits
    }

    /// Returns the risk tier of a scope that names `tier`, or none: what it names, else the default of
    /// the bundle, else `""` where the bundle has no tiers.
    ///
    /// # Errors
    ///
    /// Returns [`Reason::ScopeTier`] for a tier that the bundle does not have.
    pub fn tier<'a>(&'a self, tier: Option<&str>) -> Result<&'a str, Reason> {
        let Some(tier) = tier else { return Ok(self.default_tier.as_deref().unwrap_or_default()) };
        let known = self.tiers.get_key_value(tier);
        known.map(|(name, _)| name.as_str()).ok_or(Reason::ScopeTier)
    }

    /// Returns the caps on a scope that names `tier`, or none: the smaller of the bundle's and the tier's. For a
    /// tier that the bundle does not have, under which nothing is allowed, those of the bundle.
    #[must_use]
    pub fn caps(&self, tier: Option<&str>) -> BundleLimits {
        match self.tier(tier).ok().and_then(|tier| self.tiers.get(tier)) {
            Some(caps) => self.limits.smaller(caps),
            None => self.limits,
        }
    }

    /// The labels that the bundle gives to `effect`: by its kind, and to what its tool returns.
    pub(crate) fn labels_of(&self, effect: &Effect) -> impl Iterator<Item = &str> {
        self.labels.of(effect)
    }

    /// Returns the registered tools.
    #[must_use]
    pub const fn tools(&self) -> &ToolManifest {
        &self.tools
    }

    /// Tells whether any policy looks at the time: without one, the same question has the same
    /// answer at any time.
    #[must_use]
    pub const fn reads_time(&self) -> bool {
        self.reads_time
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
        let answer = |set: &PolicySet, approvals: &[&str], schema: Option<&Schema>| {
            let context = context(effect, facts, approvals, shape)?;
            self.answer(&question, set, effect, context, schema)
        };
        let first = answer(&question.slice.set, &held, Some(&self.schema))?;
        let (reason, policies) = match first {
            Answer::Allow(policies) => return Ok(Verdict::Permit { policies }),
            Answer::Broken(reason, policies) => return Ok(Verdict::Refuse { reason, policies }),
            Answer::Deny(policies) if policies.is_empty() => (Reason::PolicyNoPermit, policies),
            Answer::Deny(policies) => (Reason::PolicyForbid, policies),
        };
        // What forbids it whoever approves, no approval lifts.
        if policies.iter().any(|id| question.slice.firm.contains(&**id)) {
            return Ok(Verdict::Refuse { reason, policies });
        }
        let asked = question.slice.asks.iter().filter_map(|index| self.quorums.get(*index));
        let asked = asked.map(|quorum| quorum.name.as_str());
        let mut missing: Vec<&str> = asked.filter(|name| !held.contains(name)).collect();
        let with = |missing: &[&str]| {
            // The request fits the schema, as the first did: it differs in names of quorums alone.
            let lifted = answer(&question.slice.liftable, &[&held, missing].concat(), None)?;
            Ok(matches!(lifted, Answer::Allow(_)))
        };
        if missing.is_empty() || !with(&missing)? {
            return Ok(Verdict::Refuse { reason, policies });
        }
        // Greedily without one after the other, in the order of the manifest. Without all it is denied.
        for name in missing.clone() {
            let fewer: Vec<&str> =
                missing.iter().filter(|other| **other != name).copied().collect();
            if !fewer.is_empty() && with(&fewer)? {
                missing = fewer;
            }
        }
        let quorums = missing.into_iter().map(Box::from).collect();
        Ok(Verdict::Approval { quorums, policies })
    }

    fn question(&self, principal: &Principal, effect: &Effect) -> Result<Question, Reason> {
        if let Kind::Host { name, domain } = effect.kind()
            && self.kinds.get(&**name) != Some(domain)
        {
            return Err(Reason::ActionUnknownKind);
        }
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
        // A class that is to be spawned is named by its SPIFFE ID, and what is above follows from it.
        let spawned = match effect.target() {
            Target::Agent(id) => Some(Spawned::of(id).ok_or(Reason::PolicyEntityMissing)?),
            _ if self.store.resolves(&resource) => None,
            _ => return Err(Reason::PolicyEntityMissing),
        };
        let above = spawned.iter().flat_map(|spawned| {
            spawned.classes.iter().chain(std::iter::once(&spawned.trust_domain))
        });
        let resources =
            std::iter::once(&resource).chain(self.store.ancestors(&resource)).chain(above);
        let types = (&self.types.agent, kind);
        let positions = self.index.lookup(&action, principal.with_ancestors(), resources, types);
        let slice = self.slice(positions)?;
        let entities = self.entities(principal, &action, &resource, &slice, spawned.as_ref())?;
        Ok(Question { principal: principal.agent.clone(), action, resource, slice, entities })
    }

    fn slice(&self, positions: Vec<u32>) -> Result<Arc<Slice>, Reason> {
        if let Some(slice) = self.slices.find(positions.as_slice()) {
            return Ok(slice);
        }
        let (mut asks, mut firm) = (BTreeSet::new(), HashSet::new());
        let mut roots = HashSet::new();
        let (mut policies, mut liftable) = (Vec::with_capacity(positions.len()), Vec::new());
        for position in &positions {
            let Ok(position) = usize::try_from(*position) else { continue };
            let Some(policy) = self.policies.get(position) else { continue };
            let asked = self.asks.get(position).map(Vec::as_slice).unwrap_or_default();
            asks.extend(asked);
            if asked.is_empty() && policy.effect() == cedar_policy::Effect::Forbid {
                firm.insert(AsRef::<str>::as_ref(policy.id()).into());
            } else {
                liftable.push(policy.clone());
            }
            roots.extend(self.named.get(position).into_iter().flatten().cloned());
            policies.push(policy.clone());
        }
        let mut entities = Vec::new();
        self.store.close(roots, &mut entities);
        let set = |policies| PolicySet::from_policies(policies).map_err(|_| Reason::PolicyError);
        let (set, liftable) = (set(policies)?, set(liftable)?);
        let slice = Slice { set, liftable, entities, asks, firm };
        Ok(self.slices.keep(positions.into(), slice))
    }

    /// The entities that the request can reach: principal, action and resource with their
    /// ancestors, and those that the slice names.
    fn entities(
        &self,
        principal: &Principal,
        action: &EntityUid,
        resource: &EntityUid,
        slice: &Slice,
        spawned: Option<&Spawned>,
    ) -> Result<Entities, Reason> {
        let missing = Reason::PolicyEntityMissing;
        let PrincipalGroup { classes, owner, trust_domain } = &*principal.above;
        let key = [
            classes.first().unwrap_or(trust_domain).clone(),
            owner.clone(),
            trust_domain.clone(),
            action.clone(),
        ];
        let base = match self.bases.find(&key) {
            Some(base) => base,
            None => {
                let mut base = class_entities(classes, trust_domain);
                base.push(Entity::new_no_attrs(owner.clone(), HashSet::new()));
                base.extend(self.store.actions.get(action).cloned());
                let groups = self.store.actions.ancestors(action).into_iter().flatten();
                base.extend(groups.filter_map(|group| self.store.actions.get(group)).cloned());
                self.bases.keep(key, Entities::from_entities(base, None).map_err(|_| missing)?)
            }
        };
        let mut own = slice.entities.clone();
        own.extend(principal.entities());
        self.store.close([resource.clone()], &mut own);
        if let Some(spawned) = spawned {
            // Those that the principal has too are in the store already, and the same.
            let known: HashSet<&EntityUid> = principal.with_ancestors().collect();
            let more = class_entities(&spawned.classes, &spawned.trust_domain);
            own.extend(more.into_iter().filter(|entity| !known.contains(&entity.uid())));
        }
        (*base).clone().add_entities(own, None).map_err(|_| missing)
    }

    fn answer(
        &self,
        question: &Question,
        set: &PolicySet,
        effect: &Effect,
        context: Context,
        schema: Option<&Schema>,
    ) -> Result<Answer, Reason> {
        let request = Request::new(
            question.principal.clone(),
            question.action.clone(),
            question.resource.clone(),
            context,
            schema,
        );
        let request = request.map_err(|_| match effect.kind() {
            Kind::Host { .. } => Reason::ActionSchema,
            Kind::ToolCall => Reason::ToolArgument,
            _ => Reason::PolicyRequest,
        })?;
        let response = self.engine.is_authorized(&request, set, &question.entities);
        Ok(Answer::of(&response))
    }
}

/// The classes and the trust domain of an agent that is to be started.
struct Spawned {
    classes: Vec<EntityUid>,
    trust_domain: EntityUid,
}

impl Spawned {
    fn of(id: &str) -> Option<Self> {
        let parsed = SpiffeId::parse(id).ok()?;
        let trust_domain = uid("TrustDomain", parsed.trust_domain())?;
        Some(Self { classes: class_uids(parsed.as_str())?, trust_domain })
    }
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
