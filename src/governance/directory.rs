//! Who may sign what: people with their keys and roles, and other authorizers.
//!
//! A directory is pinned by the host, as a bundle is. Everything that is signed is held against it: a
//! key that is not in it is nobody's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;

use crate::digest::Digest;
use crate::hex;
use crate::identity::{SpiffeId, SpiffeIdError};
use crate::receipt::{KeyError, TrustedKey};
use crate::text;
use crate::value::{self, JsonError, Limits, Value};

/// The version that a directory names.
const VERSION: &str = "countersign/directory/v1";

/// Under what name directories are hashed.
const DIGEST_CONTEXT: &str = "countersign 2026-11 directory v1";

/// The most people, and the most authorizers, of a directory.
pub const MAX_PEOPLE: usize = 4096;

/// The most keys, roles or classes of one person.
pub const MAX_PER_PERSON: usize = 64;

/// The longest id of a person or name of a role, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// People and authorizers with their keys. Cloning it copies a pointer.
///
/// # Security
///
/// Whoever can write a directory decides who may approve, issue and revoke. Take it from a place that
/// no agent can write to.
///
/// # Examples
///
/// ```
/// use countersign::governance::Directory;
///
/// let directory = Directory::parse(br#"{
///     "directory": "countersign/directory/v1",
///     "people": [{
///         "id": "user:dana@example.org", "kind": "human",
///         "keys": ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"],
///         "roles": ["sre"], "issues": ["spiffe://example.org/agent"], "revokes": true
///     }]
/// }"#)?;
/// assert_eq!(directory.people().count(), 1);
/// # Ok::<(), countersign::governance::DirectoryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    inner: Arc<Inner>,
}

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    digest: Digest,
    people: Vec<Person>,
    /// By key, the place of its person.
    keys: HashMap<[u8; 32], usize>,
    authorizers: BTreeMap<[u8; 32], Peer>,
}

/// Another authorizer: of which trust domain, and whether its word hands scopes on.
#[derive(Debug, PartialEq, Eq)]
struct Peer {
    trust_domain: Box<str>,
    delegates: bool,
}

/// What kind of party a person is. Agents are in no directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PersonKind {
    /// A natural person. Two keys of one person are one person.
    Human,
    /// A role whose key several people hold; it counts as one person.
    Role,
    /// A machine. It may issue and revoke, and never approves.
    Service,
}

/// One party with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// Its id, such as `user:dana@example.org`.
    pub id: Box<str>,
    /// What kind of party it is.
    pub kind: PersonKind,
    /// Its keys.
    pub keys: Vec<TrustedKey>,
    /// Its roles, which quorums name.
    pub roles: BTreeSet<Box<str>>,
    /// The classes of agents that it may issue scopes for.
    pub issues: Vec<SpiffeId>,
    /// Whether it may revoke.
    pub revokes: bool,
}

impl Person {
    /// Tells whether this party can be the approver of anything: a machine cannot.
    #[must_use]
    pub const fn approves(&self) -> bool {
        matches!(self.kind, PersonKind::Human | PersonKind::Role)
    }
}

/// Why a text is no directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// No JSON, or members that a directory does not have.
    #[error("the directory cannot be read")]
    Json(#[from] JsonError),
    /// Another version.
    #[error("`directory` must be `{VERSION}`")]
    Version,
    /// An id that is empty, too long, invisible, an agent's, or there twice.
    #[error("the id `{id}` is refused: {why}")]
    Id {
        /// The id, escaped and cut short.
        id: String,
        /// Why.
        why: &'static str,
    },
    /// A key that is refused.
    #[error("a key of `{id}` is refused")]
    Key {
        /// Whose.
        id: String,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A key that two parties have, or one party twice: it would be nobody's.
    #[error("a key of `{id}` is there twice")]
    SharedKey {
        /// Whose.
        id: String,
    },
    /// A class that is no SPIFFE ID.
    #[error("a class of agents of `{id}` is no SPIFFE ID")]
    Class {
        /// Whose.
        id: String,
        /// Why.
        #[source]
        source: SpiffeIdError,
    },
    /// More people, keys, roles or classes than a directory holds.
    #[error("the directory holds too many of them")]
    TooMany,
}

impl DirectoryError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "directory.json",
            Self::Version => "directory.version",
            Self::Id { .. } => "directory.id",
            Self::Key { .. } => "directory.key",
            Self::SharedKey { .. } => "directory.shared_key",
            Self::Class { .. } => "directory.class",
            Self::TooMany => "directory.too_many",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDirectory {
    directory: String,
    #[serde(default)]
    people: Vec<RawPerson>,
    #[serde(default)]
    authorizers: Vec<RawAuthorizer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerson {
    id: String,
    kind: PersonKind,
    keys: Vec<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    issues: Vec<String>,
    #[serde(default)]
    revokes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAuthorizer {
    key: String,
    trust_domain: String,
    #[serde(default)]
    delegates: bool,
}

impl Directory {
    /// Parses a directory from JSON.
    ///
    /// # Errors
    ///
    /// Returns [`DirectoryError`]; the first thing that is wrong.
    pub fn parse(text: &[u8]) -> Result<Self, DirectoryError> {
        let document = Value::parse(text, &Limits::DOCUMENT)?;
        let raw: RawDirectory = value::from_value(&document)?;
        if raw.directory != VERSION {
            return Err(DirectoryError::Version);
        }
        if raw.people.len().max(raw.authorizers.len()) > MAX_PEOPLE {
            return Err(DirectoryError::TooMany);
        }
        let mut keys = HashMap::new();
        let mut ids = BTreeSet::new();
        let mut people = Vec::with_capacity(raw.people.len());
        for raw in raw.people {
            let person = read_person(raw)?;
            if !ids.insert(person.id.clone()) {
                return Err(bad_id(&person.id, "it is there twice"));
            }
            for key in &person.keys {
                if keys.insert(*key.as_bytes(), people.len()).is_some() {
                    return Err(DirectoryError::SharedKey { id: text::excerpt(&person.id) });
                }
            }
            people.push(person);
        }
        let mut authorizers = BTreeMap::new();
        for RawAuthorizer { key, trust_domain, delegates } in raw.authorizers {
            let id = || text::excerpt(&trust_domain);
            let class = SpiffeId::parse(&format!("spiffe://{trust_domain}"))
                .map_err(|source| DirectoryError::Class { id: id(), source })?;
            let key = TrustedKey::parse_hex(&key)
                .map_err(|source| DirectoryError::Key { id: id(), source })?;
            let taken = keys.contains_key(key.as_bytes());
            let peer = Peer { trust_domain: class.trust_domain().into(), delegates };
            if !class.path().is_empty() {
                return Err(bad_id(&trust_domain, "it is no trust domain"));
            }
            if taken || authorizers.insert(*key.as_bytes(), peer).is_some() {
                return Err(DirectoryError::SharedKey { id: id() });
            }
        }
        let digest = Digest::of(DIGEST_CONTEXT, document.to_canonical().as_bytes());
        Ok(Self { inner: Arc::new(Inner { digest, people, keys, authorizers }) })
    }

    /// Returns a directory of nobody: nothing signed is accepted.
    #[must_use]
    pub fn empty() -> Self {
        let digest = Digest::of(DIGEST_CONTEXT, b"");
        let (people, keys, authorizers) = (Vec::new(), HashMap::new(), BTreeMap::new());
        Self { inner: Arc::new(Inner { digest, people, keys, authorizers }) }
    }

    /// Finds whose key it is.
    #[must_use]
    pub fn person(&self, key: &TrustedKey) -> Option<&Person> {
        self.inner.people.get(*self.inner.keys.get(key.as_bytes())?)
    }

    /// Finds the key of a person by its 64 hex digits.
    pub(super) fn key(&self, digits: &str) -> Option<TrustedKey> {
        let bytes = hex::parse(digits.as_bytes())?;
        let person = self.inner.people.get(*self.inner.keys.get(&bytes)?)?;
        person.keys.iter().find(|key| *key.as_bytes() == bytes).copied()
    }

    /// Finds the trust domain of the authorizer that signs with `key`, such as what came back of a delegation.
    #[must_use]
    pub fn authorizer(&self, key: &TrustedKey) -> Option<&str> {
        self.inner.authorizers.get(key.as_bytes()).map(|peer| &*peer.trust_domain)
    }

    /// Finds the trust domain of the authorizer that signs with `key`, where its word hands scopes on
    /// (`"delegates": true`).
    ///
    /// # Security
    ///
    /// The scopes of a token stand on the word of who signs it: such a key can hand on whatever its trust
    /// domain could have been given. One that only takes delegations up needs no more than to sign returns.
    #[must_use]
    pub fn delegator(&self, key: &TrustedKey) -> Option<&str> {
        let peer = self.inner.authorizers.get(key.as_bytes()).filter(|peer| peer.delegates);
        peer.map(|peer| &*peer.trust_domain)
    }

    /// Iterates over all people, in the order of the document.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.inner.people.iter()
    }

    /// Returns the digest of the document.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }
}

fn read_person(raw: RawPerson) -> Result<Person, DirectoryError> {
    let RawPerson { id, kind, keys, roles, issues, revokes } = raw;
    check_id(&id)?;
    if keys.len().max(roles.len()).max(issues.len()) > MAX_PER_PERSON {
        return Err(DirectoryError::TooMany);
    }
    let shown = || text::excerpt(&id);
    let keys = keys.iter().map(|key| {
        TrustedKey::parse_hex(key).map_err(|source| DirectoryError::Key { id: shown(), source })
    });
    let keys: Vec<TrustedKey> = keys.collect::<Result<_, _>>()?;
    let issues = issues.iter().map(|class| {
        SpiffeId::parse(class).map_err(|source| DirectoryError::Class { id: shown(), source })
    });
    let issues = issues.collect::<Result<_, _>>()?;
    let mut held = BTreeSet::new();
    for role in roles {
        check_id(&role)?;
        held.insert(role.into());
    }
    Ok(Person { id: id.into(), kind, keys, roles: held, issues, revokes })
}

fn check_id(id: &str) -> Result<(), DirectoryError> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        return Err(bad_id(id, "it is empty or too long"));
    }
    if text::check_visible(id).is_err() {
        return Err(bad_id(id, "it holds a character that nobody sees"));
    }
    let scheme = id.split_at_checked(7).map_or("", |(scheme, _)| scheme);
    if scheme.eq_ignore_ascii_case("spiffe:") {
        return Err(bad_id(id, "agents are in no directory"));
    }
    Ok(())
}

fn bad_id(id: &str, why: &'static str) -> DirectoryError {
    DirectoryError::Id { id: text::excerpt(id), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::IdentityKey;

    fn key(seed: u8) -> String {
        IdentityKey::from_seed(&[seed; 32]).trusted().to_string()
    }

    fn person(id: &str, keys: &[String], more: &str) -> String {
        format!(r#"{{"id":"{id}","kind":"human","keys":{keys:?}{more}}}"#)
    }

    fn document(people: &[String], authorizers: &str) -> String {
        let people = people.join(",");
        format!(
            r#"{{"directory":"countersign/directory/v1","people":[{people}],"authorizers":[{authorizers}]}}"#
        )
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = Directory::parse(text.as_bytes());
        assert_eq!(found.as_ref().map_or_else(DirectoryError::code, |_| ""), expected, "{text}");
    }

    #[test]
    fn people_are_found_by_their_keys() {
        let dana = person(
            "user:dana@example.org",
            &[key(1), key(2)],
            r#","roles":["sre"],"issues":["spiffe://example.org/agent"]"#,
        );
        let authorizer = format!(r#"{{"key":"{}","trust_domain":"Other.example"}}"#, key(9));
        let directory = Directory::parse(document(&[dana], &authorizer).as_bytes()).unwrap();
        let trusted = |seed: u8| IdentityKey::from_seed(&[seed; 32]).trusted();
        for seed in [1, 2] {
            let found = directory.person(&trusted(seed)).unwrap();
            assert_eq!(&*found.id, "user:dana@example.org");
            assert!(found.roles.contains("sre") && found.approves() && !found.revokes);
        }
        assert!(directory.person(&trusted(3)).is_none());
        assert!(directory.person(&trusted(9)).is_none());
        assert_eq!(directory.authorizer(&trusted(9)), Some("other.example"));
        assert_eq!(directory.delegator(&trusted(9)), None);
        assert_eq!(directory.authorizer(&trusted(1)), None);
        assert!(Directory::empty().person(&trusted(1)).is_none());
    }

    #[test]
    fn directories_are_read_strictly() {
        let good = |id: &str| person(id, &[key(1)], "");
        check(&document(&[good("user:dana")], ""), "");
        check("{}", "directory.json");
        check(r#"{"directory":"countersign/directory/v2"}"#, "directory.version");
        check(&document(&[person("user:a", &[key(1)], r#","admin":true"#)], ""), "directory.json");
        check(&document(&[good("")], ""), "directory.id");
        check(&document(&[good("spiffe://example.org/agent/1")], ""), "directory.id");
        check(&document(&[good("SPIFFE://example.org/agent/1")], ""), "directory.id");
        check(&document(&[good("user:\u{202e}anad")], ""), "directory.id");
        check(&document(&[good(&"x".repeat(257))], ""), "directory.id");
        let twice = [person("user:a", &[key(1)], ""), person("user:a", &[key(2)], "")];
        check(&document(&twice, ""), "directory.id");
        let shared = [person("user:a", &[key(1)], ""), person("user:b", &[key(1)], "")];
        check(&document(&shared, ""), "directory.shared_key");
        check(&document(&[person("user:a", &[key(1), key(1)], "")], ""), "directory.shared_key");
        check(&document(&[person("user:a", &["00".repeat(32)], "")], ""), "directory.key");
        check(&document(&[person("user:a", &[key(1).to_uppercase()], "")], ""), "directory.key");
        let class = r#","issues":["https://example.org"]"#;
        check(&document(&[person("user:a", &[key(1)], class)], ""), "directory.class");
        let many: Vec<String> = (0..=MAX_PER_PERSON).map(|n| format!("role-{n}")).collect();
        let roles = format!(r#","roles":{many:?}"#);
        check(&document(&[person("user:a", &[key(1)], &roles)], ""), "directory.too_many");
        let own = format!(r#"{{"key":"{}","trust_domain":"a.example"}}"#, key(1));
        check(&document(&[good("user:a")], &own), "directory.shared_key");
        let path = format!(r#"{{"key":"{}","trust_domain":"a.example/x"}}"#, key(2));
        check(&document(&[], &path), "directory.id");
    }
}
