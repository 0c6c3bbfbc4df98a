//! Which policies can concern a request: looked up by action, principal and resource.
//!
//! A policy is left out only when its scope (the head, not the conditions) cannot match, which Cedar
//! would have found out by evaluating it. Decisions and errors therefore stay those of the whole set.

use std::collections::HashMap;

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, EntityUid, Policy, PrincipalConstraint,
    ResourceConstraint,
};

/// Positions of policies in the bundle's list.
pub(super) type Positions = Box<[u32]>;

/// What the head of a policy asks of a principal or resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Any,
    Type(EntityTypeName),
    /// The entity itself or one of its ancestors.
    Entity(EntityUid),
}

/// The index of all policies of a bundle.
#[derive(Debug)]
pub(super) struct Index {
    keys: HashMap<Key, u32>,
    any: u32,
    actions: HashMap<EntityUid, Cells>,
}

/// For one action: positions by the ids of the principal's and the resource's key.
#[derive(Debug, Default)]
struct Cells {
    cells: HashMap<(u32, u32), Vec<u32>>,
}

impl Index {
    /// Indexes `policies` by the actions of the schema, whose groups `actions` holds.
    pub(super) fn build(policies: &[Policy], actions: &Entities) -> Self {
        let mut index =
            Self { keys: HashMap::new(), any: 0, actions: HashMap::with_capacity(actions.len()) };
        index.any = index.intern(Key::Any);
        // Members of every group and every action, so that a head is expanded by one look.
        let mut members: HashMap<EntityUid, Vec<EntityUid>> = HashMap::new();
        for action in actions.iter() {
            let uid = action.uid();
            index.actions.insert(uid.clone(), Cells::default());
            members.entry(uid.clone()).or_default().push(uid.clone());
            for group in actions.ancestors(&uid).into_iter().flatten() {
                members.entry(group.clone()).or_default().push(uid.clone());
            }
        }
        let every: Vec<EntityUid> = index.actions.keys().cloned().collect();
        for (position, policy) in policies.iter().enumerate() {
            let Ok(position) = u32::try_from(position) else { break };
            let principal = index.intern(match policy.principal_constraint() {
                PrincipalConstraint::Any => Key::Any,
                PrincipalConstraint::Is(kind) => Key::Type(kind),
                PrincipalConstraint::In(uid)
                | PrincipalConstraint::Eq(uid)
                | PrincipalConstraint::IsIn(_, uid) => Key::Entity(uid),
            });
            let resource = index.intern(match policy.resource_constraint() {
                ResourceConstraint::Any => Key::Any,
                ResourceConstraint::Is(kind) => Key::Type(kind),
                ResourceConstraint::In(uid)
                | ResourceConstraint::Eq(uid)
                | ResourceConstraint::IsIn(_, uid) => Key::Entity(uid),
            });
            let mut add = |action: &EntityUid| {
                if let Some(cells) = index.actions.get_mut(action) {
                    let cell = cells.cells.entry((principal, resource)).or_default();
                    if cell.last() != Some(&position) {
                        cell.push(position);
                    }
                }
            };
            match policy.action_constraint() {
                ActionConstraint::Any => every.iter().for_each(add),
                // `==` matches the action itself, not the members of a group of that name.
                ActionConstraint::Eq(uid) => add(&uid),
                ActionConstraint::In(groups) => {
                    groups.iter().filter_map(|group| members.get(group)).flatten().for_each(add);
                }
            }
        }
        index
    }

    /// Returns the positions of the policies that can concern the request, ascending.
    pub(super) fn lookup<'a>(
        &self,
        action: &EntityUid,
        principal: impl Iterator<Item = &'a EntityUid>,
        resource: impl Iterator<Item = &'a EntityUid>,
        types: (&EntityTypeName, &EntityTypeName),
    ) -> Vec<u32> {
        let Some(cells) = self.actions.get(action) else { return Vec::new() };
        let resources = self.ids(resource, types.1);
        let mut found = Vec::new();
        for principal in self.ids(principal, types.0) {
            for resource in &resources {
                if let Some(cell) = cells.cells.get(&(principal, *resource)) {
                    found.extend_from_slice(cell);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn ids<'a>(
        &self,
        entities: impl Iterator<Item = &'a EntityUid>,
        kind: &EntityTypeName,
    ) -> Vec<u32> {
        let mut ids = vec![self.any];
        ids.extend(self.keys.get(&Key::Type(kind.clone())));
        ids.extend(entities.filter_map(|uid| self.keys.get(&Key::Entity(uid.clone()))));
        ids
    }

    fn intern(&mut self, key: Key) -> u32 {
        let next = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        *self.keys.entry(key).or_insert(next)
    }
}
