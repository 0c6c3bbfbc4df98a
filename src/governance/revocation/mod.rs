//! Revocation: what was good and is no more, and the switch that stops everything.
//!
//! People sign [lists](RevocationList); [`Revocations`] is what all newest lists say together; a
//! session asks it about its [`Subjects`]. `docs/governance.md` specifies the document.

mod entry;
mod list;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

pub use self::entry::Revoked;
pub use self::list::{
    MAX_REVOKED, RevocationDraft, RevocationError, RevocationList, VerifiedRevocations,
};

use self::entry::Hashes;
use crate::digest::Digest;
use crate::identity::SpiffeId;
use crate::reason::Reason;
use crate::receipt::{SessionId, TrustedKey};
use crate::scope::{CompiledScope, Scope, ScopeIssuer};
use crate::time::Timestamp;

/// The most entries of all lists together, which is about 200 MB.
pub const MAX_REVOKED_IN_ALL: usize = 4 * MAX_REVOKED;

/// Under what name the state of all lists is hashed.
const GENERATION_CONTEXT: &str = "countersign 2026-11 generation of revocations v1";

/// Everything that is revoked: the newest list of each issuer, joined.
///
/// It never changes; [`with`](Self::with) makes the next one, so that a host swaps a pointer and nobody
/// waits. Cloning it copies a pointer.
///
/// # Security
///
/// A list that is older than the one before is refused, but only against what was loaded: a host that
/// starts again begins with nothing, so it must load the newest lists that it has kept before it opens
/// sessions. A list never expires; [`lists`](Self::lists) tells how old they are. What somebody said who
/// is no longer in the directory stays in force until the state is built again from
/// [`none`](Self::none).
///
/// # Examples
///
/// ```
/// use countersign::Reason;
/// use countersign::governance::{
///     Directory, Revocations, RevocationDraft, RevocationList, Revoked, Subjects,
/// };
/// use countersign::identity::SpiffeId;
/// use countersign::receipt::{IdentityKey, SessionId};
/// use countersign::testing::NOW;
///
/// let key = IdentityKey::from_seed(&[1; 32]);
/// let directory = Directory::parse(format!(r#"{{
///     "directory": "countersign/directory/v1",
///     "people": [{{"id": "user:dana@example.org", "kind": "human", "keys": ["{}"], "revokes": true}}]
/// }}"#, key.trusted()).as_bytes())?;
///
/// let instance = SpiffeId::parse("spiffe://example.org/agent/coder/7")?;
/// let session = Subjects::new(&instance, SessionId::from_bytes([1; 16]));
/// let none = Revocations::none();
/// assert_eq!(none.check(&session), None);
///
/// let text = RevocationDraft::new("user:dana@example.org", 1, NOW)
///     .revoke(Revoked::Agent(SpiffeId::parse("spiffe://example.org/agent/coder")?))
///     .sign(&key)?;
/// let list = RevocationList::parse(text.as_bytes())?.verify(&directory, NOW)?;
/// assert_eq!(none.with(&list)?.check(&session), Some(Reason::RevokedAgent));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Revocations {
    inner: Arc<Inner>,
}

struct Inner {
    /// By issuer.
    lists: BTreeMap<Box<str>, Arc<RevocationList>>,
    revoked: HashSet<u128, BuildHasherDefault<HalfHash>>,
    halted: bool,
    generation: Generation,
}

/// Which lists a [`Revocations`] was made of. Another state is another generation, and the same lists
/// are the same one, in whatever order they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(u128);

/// Entries are hashes already; half of one is a hash for the table.
#[derive(Debug, Default)]
struct HalfHash(u64);

impl Hasher for HalfHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = u64::try_from(hash >> 64).unwrap_or_default();
    }
}

impl Revocations {
    /// Returns the state in which nothing is revoked.
    #[must_use]
    pub fn none() -> Self {
        Self::of(BTreeMap::new())
    }

    /// Returns this state with one list more, which takes the place of an older one of its issuer.
    ///
    /// The same list again changes nothing. Which list comes first does not matter, as long as none
    /// revokes the signer of another.
    ///
    /// # Errors
    ///
    /// Returns [`RevocationError::Rollback`] for a list that is older than one of the same issuer here,
    /// [`RevocationError::Conflict`] for another one of the same version,
    /// [`RevocationError::RevokedSigner`] where what is here revokes the key or the issuer of the list,
    /// and [`RevocationError::TooMany`] above [`MAX_REVOKED_IN_ALL`]. This state stays as it is.
    ///
    /// # Security
    ///
    /// What a revoked signer said before stays in force, and nothing that it says later counts: whoever
    /// stole its key can lift nothing. A person whose key was revoked goes on with another key.
    pub fn with(&self, verified: &VerifiedRevocations) -> Result<Self, RevocationError> {
        let list = &verified.list;
        if let Some(newest) = self.inner.lists.get(list.issuer()) {
            if list.version() < newest.version() {
                return Err(RevocationError::Rollback);
            }
            if list.version() == newest.version() {
                let same = list.digest() == newest.digest();
                return same.then(|| self.clone()).ok_or(RevocationError::Conflict);
            }
        }
        let signer = [Revoked::Key(*list.key().as_bytes()), Revoked::Issuer(list.issuer().into())];
        if signer.iter().any(|signer| self.is_revoked(signer)) {
            return Err(RevocationError::RevokedSigner);
        }
        let mut lists = self.inner.lists.clone();
        lists.insert(list.issuer().into(), Arc::clone(list));
        let entries: usize = lists.values().map(|list| list.len()).sum();
        if entries > MAX_REVOKED_IN_ALL {
            return Err(RevocationError::TooMany);
        }
        Ok(Self::of(lists))
    }

    fn of(lists: BTreeMap<Box<str>, Arc<RevocationList>>) -> Self {
        let mut state = Vec::new();
        let entries = lists.values().map(|list| list.len()).sum();
        let mut revoked = HashSet::with_capacity_and_hasher(entries, BuildHasherDefault::default());
        for list in lists.values() {
            state.extend_from_slice(list.digest().as_bytes());
            revoked.extend(list.entries());
        }
        let state = Digest::of(GENERATION_CONTEXT, &state);
        let (half, _) = state.as_bytes().split_first_chunk().unwrap_or((&[0; 16], &[]));
        let generation = Generation(u128::from_le_bytes(*half));
        let halted = lists.values().any(|list| list.halts());
        Self { inner: Arc::new(Inner { lists, revoked, halted, generation }) }
    }

    /// Finds out whether anything that a session rests on is revoked, and returns the first reason in
    /// the order of the table of reasons.
    ///
    /// # Examples
    ///
    /// See [`Revocations`].
    #[must_use]
    pub fn check(&self, subjects: &Subjects) -> Option<Reason> {
        if self.inner.halted {
            return Some(Reason::RevokedHalt);
        }
        if self.inner.revoked.is_empty() {
            return None;
        }
        let revoked = |(_, hash): &&(Reason, u128)| self.inner.revoked.contains(hash);
        subjects.hashes.iter().find(revoked).map(|(reason, _)| *reason)
    }

    /// Tells whether the approval with this digest is revoked.
    #[must_use]
    pub fn is_approval_revoked(&self, approval: Digest) -> bool {
        self.is_revoked(&Revoked::Approval(approval))
    }

    /// Tells whether a list has this very entry. An instance is not looked for among classes.
    #[must_use]
    pub fn is_revoked(&self, entry: &Revoked) -> bool {
        let revoked = &self.inner.revoked;
        !revoked.is_empty() && revoked.contains(&Hashes::new().of(entry.to_string().as_bytes()))
    }

    /// Tells whether everything is stopped.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.inner.halted
    }

    /// Returns which lists this is made of. Subjects need to be checked again only when it changes.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.inner.generation
    }

    /// Returns how many different entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.revoked.len()
    }

    /// Tells whether nothing is revoked by name; everything may still be halted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.revoked.is_empty()
    }

    /// Iterates over the lists, by issuer, with their version and date.
    pub fn lists(&self) -> impl Iterator<Item = (&str, u64, Timestamp)> {
        self.inner.lists.values().map(|list| (list.issuer(), list.version(), list.issued_at()))
    }
}

impl Default for Revocations {
    fn default() -> Self {
        Self::none()
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("lists", &self.inner.lists)
            .field("entries", &self.inner.revoked.len())
            .field("halted", &self.inner.halted)
            .finish_non_exhaustive()
    }
}

/// Everything that a session rests on and that can be revoked, hashed once.
///
/// A delegate rests on all that its ancestors rest on: put their instances, scopes, issuers, keys and
/// sessions in, and a revocation above cascades at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects {
    // INVARIANT: sorted, each once, so that the reason does not depend on the order of building.
    hashes: Vec<(Reason, u128)>,
}

impl Subjects {
    /// Begins with an instance, every class that it lies in, and its session.
    #[must_use]
    pub fn new(instance: &SpiffeId, session: SessionId) -> Self {
        Self { hashes: Vec::new() }.with_instance(instance).with_session(session)
    }

    /// Adds another instance with its classes, such as the one that delegates.
    #[must_use]
    pub fn with_instance(self, instance: &SpiffeId) -> Self {
        let hashes = Hashes::new();
        let id = instance.as_str();
        let mut own = vec![(Reason::RevokedInstance, line(&hashes, "instance", id))];
        // Every class: the id of the trust domain, and the id up to each `/` behind it.
        let path = id.len().saturating_sub(instance.path().len());
        let ends = id.match_indices('/').map(|(at, _)| at).filter(|at| *at >= path);
        for class in ends.chain([id.len()]).filter_map(|end| id.get(..end)) {
            own.push((Reason::RevokedAgent, line(&hashes, "agent", class)));
        }
        self.and(own)
    }

    /// Adds another session, such as the one that delegates.
    #[must_use]
    pub fn with_session(self, session: SessionId) -> Self {
        self.and_entry(Reason::RevokedSession, &Revoked::Session(session))
    }

    /// Adds a scope, with its task and with its owner as its issuer.
    #[must_use]
    pub fn with_scope(self, scope: &CompiledScope) -> Self {
        self.with_task(scope.owner(), scope.task(), scope.digest())
    }

    /// As [`with_scope`](Self::with_scope), for one that is not compiled.
    pub(super) fn with_document(self, scope: &Scope) -> Self {
        self.with_task(scope.owner(), &scope.descriptor().task, scope.digest())
    }

    /// Adds who signed a scope, with the key.
    #[must_use]
    pub fn with_issuer(self, issuer: &ScopeIssuer) -> Self {
        self.and_entry(Reason::RevokedIssuer, &Revoked::Issuer(issuer.person().into()))
            .with_key(issuer.key())
    }

    /// Adds a key, such as the one that an instance has proven to hold.
    #[must_use]
    pub fn with_key(self, key: &TrustedKey) -> Self {
        self.and_entry(Reason::RevokedKey, &Revoked::Key(*key.as_bytes()))
    }

    fn with_task(self, owner: &str, task: &str, digest: Digest) -> Self {
        let task = Revoked::Task { owner: owner.into(), task: task.into() };
        self.and_entry(Reason::RevokedTask, &task)
            .and_entry(Reason::RevokedScope, &Revoked::Scope(digest))
            .and_entry(Reason::RevokedIssuer, &Revoked::Issuer(owner.into()))
    }

    fn and_entry(self, reason: Reason, entry: &Revoked) -> Self {
        self.and([(reason, Hashes::new().of(entry.to_string().as_bytes()))])
    }

    fn and(mut self, more: impl IntoIterator<Item = (Reason, u128)>) -> Self {
        self.hashes.extend(more);
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self
    }
}

fn line(hashes: &Hashes, kind: &str, id: &str) -> u128 {
    hashes.of(format!("{kind} {id}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::path::PurePaths;
    use crate::governance::{Directory, SignedScope};
    use crate::receipt::IdentityKey;
    use crate::testing::{NOW, SCOPE};

    fn key(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&[seed; 32])
    }

    /// Dana (1, 2) and Erin (3) may revoke; Dana issues.
    fn directory() -> Directory {
        let text = format!(
            r#"{{"directory":"countersign/directory/v1","people":[
                {{"id":"user:dana@example.org","kind":"human","keys":["{}","{}"],"revokes":true,"issues":["spiffe://example.org"]}},
                {{"id":"user:erin@example.org","kind":"human","keys":["{}"],"revokes":true}}]}}"#,
            key(1).trusted(),
            key(2).trusted(),
            key(3).trusted(),
        );
        Directory::parse(text.as_bytes()).unwrap()
    }

    fn list(person: &str, seed: u8, version: u64, entries: &[&str]) -> VerifiedRevocations {
        let issuer = format!("user:{person}@example.org");
        let draft =
            entries.iter().fold(RevocationDraft::new(issuer, version, NOW), |draft, line| {
                if *line == "halt" {
                    draft.halt()
                } else {
                    draft.revoke(Revoked::parse(line).unwrap())
                }
            });
        let text = draft.sign(&key(seed)).unwrap();
        RevocationList::parse(text.as_bytes()).unwrap().verify(&directory(), NOW).unwrap()
    }

    fn dana(version: u64, entries: &[&str]) -> VerifiedRevocations {
        list("dana", 1, version, entries)
    }

    fn subjects() -> (Subjects, String) {
        let scope = Scope::parse(SCOPE.as_bytes()).unwrap();
        let scope = SignedScope::sign(&scope, &key(1)).unwrap();
        let trusted = scope.verify(&directory(), NOW, None).unwrap();
        let compiled = CompiledScope::compile(&trusted, &PurePaths::new()).unwrap();
        let instance = SpiffeId::parse("spiffe://example.org/agent/coder/i-1").unwrap();
        let subjects = Subjects::new(&instance, SessionId::from_bytes([7; 16]))
            .with_scope(&compiled)
            .with_issuer(trusted.issuer().unwrap())
            .with_key(&key(9).trusted());
        (subjects, compiled.digest().to_string())
    }

    #[test]
    fn each_subject_has_its_reason() {
        let (subjects, digest) = subjects();
        let check = |entry: &str, expected: Option<Reason>| {
            let state = Revocations::none().with(&dana(1, &[entry])).unwrap();
            assert_eq!(state.check(&subjects), expected, "{entry}");
        };
        let task = Scope::parse(SCOPE.as_bytes()).unwrap().descriptor().task.clone();
        let owner = Scope::parse(SCOPE.as_bytes()).unwrap().descriptor().owner.clone();
        assert_eq!(owner, "user:dana@example.org");
        check("halt", Some(Reason::RevokedHalt));
        check("instance spiffe://example.org/agent/coder/i-1", Some(Reason::RevokedInstance));
        check("instance spiffe://example.org/agent/coder", None);
        check("instance spiffe://example.org/agent/coder/i-11", None);
        check("agent spiffe://example.org/agent/coder/i-1", Some(Reason::RevokedAgent));
        check("agent spiffe://example.org/agent/coder", Some(Reason::RevokedAgent));
        check("agent spiffe://example.org/agent", Some(Reason::RevokedAgent));
        check("agent spiffe://example.org", Some(Reason::RevokedAgent));
        check("agent spiffe://example.org/agent/coder/i-1/x", None);
        check("agent spiffe://example.org/age", None);
        check("agent spiffe://example", None);
        check(&format!("task {owner} {task}"), Some(Reason::RevokedTask));
        check(&format!("task user:erin@example.org {task}"), None);
        check(&format!("scope {digest}"), Some(Reason::RevokedScope));
        check(&format!("approval {digest}"), None);
        check("issuer user:dana@example.org", Some(Reason::RevokedIssuer));
        check(&format!("key {}", key(1).trusted()), Some(Reason::RevokedKey));
        check(&format!("key {}", key(9).trusted()), Some(Reason::RevokedKey));
        check(&format!("key {}", key(2).trusted()), None);
        check(&format!("session {}", "07".repeat(16)), Some(Reason::RevokedSession));
        check(&format!("session {}", "08".repeat(16)), None);
    }

    #[test]
    fn what_a_delegate_rests_on_cascades() {
        let child = SpiffeId::parse("spiffe://example.org/agent/tester/1").unwrap();
        let parent = SpiffeId::parse("spiffe://example.org/agent/coder/1").unwrap();
        let subjects = Subjects::new(&child, SessionId::from_bytes([1; 16]))
            .with_instance(&parent)
            .with_session(SessionId::from_bytes([2; 16]));
        let check = |entry: &str, expected: Reason| {
            let state = Revocations::none().with(&dana(1, &[entry])).unwrap();
            assert_eq!(state.check(&subjects), Some(expected), "{entry}");
        };
        check("instance spiffe://example.org/agent/coder/1", Reason::RevokedInstance);
        check("agent spiffe://example.org/agent/coder", Reason::RevokedAgent);
        check(&format!("session {}", "02".repeat(16)), Reason::RevokedSession);
        let again = Subjects::new(&parent, SessionId::from_bytes([2; 16]))
            .with_session(SessionId::from_bytes([1; 16]))
            .with_instance(&child);
        assert_eq!(again, subjects, "the order of building does not show");
    }

    #[test]
    fn the_newest_list_of_each_issuer_counts() {
        let none = Revocations::none();
        let first = none.with(&dana(1, &["issuer user:a"])).unwrap();
        let second = first.with(&dana(5, &["issuer user:b"])).unwrap();
        let a = Revoked::Issuer("user:a".into());
        let b = Revoked::Issuer("user:b".into());
        assert!(first.is_revoked(&a) && !first.is_revoked(&b));
        assert!(!second.is_revoked(&a) && second.is_revoked(&b));
        let code = |state: &Revocations, list| state.with(&list).map(|_| ()).unwrap_err().code();
        assert_eq!(code(&second, dana(4, &["issuer user:b", "halt"])), "revocation.rollback");
        assert_eq!(code(&second, dana(1, &[])), "revocation.rollback");
        assert_eq!(code(&second, dana(5, &["issuer user:a"])), "revocation.conflict");
        let same = second.with(&dana(5, &["issuer user:b"])).unwrap();
        assert_eq!(same.generation(), second.generation());
        let both = second.with(&list("erin", 3, 1, &["issuer user:a"])).unwrap();
        assert!(both.is_revoked(&a) && both.is_revoked(&b));
        assert_eq!((both.len(), both.lists().count()), (2, 2));
        let states = [&none, &first, &second, &both].map(Revocations::generation);
        for (at, one) in states.iter().enumerate() {
            assert!(states[at + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn a_halt_lasts_until_its_issuer_lifts_it() {
        let (subjects, _) = subjects();
        let halted = Revocations::none().with(&dana(1, &["halt"])).unwrap();
        let erin = halted.with(&list("erin", 3, 9, &[])).unwrap();
        assert_eq!(erin.check(&subjects), Some(Reason::RevokedHalt));
        assert!(erin.is_halted() && erin.is_empty());
        let lifted = erin.with(&dana(2, &[])).unwrap();
        assert_eq!(lifted.check(&subjects), None);
    }

    #[test]
    fn a_stolen_key_lifts_nothing() {
        let stolen = format!("key {}", key(1).trusted());
        let said = Revocations::none().with(&dana(1, &["issuer user:x"])).unwrap();
        let known = said.with(&list("erin", 3, 1, &[&stolen])).unwrap();
        let thief = known.with(&dana(2, &[])).unwrap_err();
        assert_eq!(thief, RevocationError::RevokedSigner);
        assert!(known.is_revoked(&Revoked::Issuer("user:x".into())));
        // Dana goes on with her other key.
        let next = known.with(&list("dana", 2, 2, &["issuer user:y"])).unwrap();
        assert!(next.is_revoked(&Revoked::Issuer("user:y".into())));
        let out = next.with(&list("erin", 3, 2, &["issuer user:dana@example.org"])).unwrap();
        let refused = out.with(&list("dana", 2, 3, &[])).unwrap_err();
        assert_eq!(refused, RevocationError::RevokedSigner);
        // A last word: the key revokes itself.
        let own = Revocations::none().with(&dana(1, &[&stolen])).unwrap();
        assert_eq!(own.with(&dana(2, &[])).unwrap_err(), RevocationError::RevokedSigner);
    }

    #[test]
    fn approvals_are_looked_up_by_their_digest() {
        let digest = Digest::from_bytes([3; 32]);
        let state = Revocations::none().with(&dana(1, &[&format!("approval {digest}")])).unwrap();
        assert!(state.is_approval_revoked(digest));
        assert!(!state.is_approval_revoked(Digest::from_bytes([4; 32])));
    }
}
