//! Laws of revocation: it only ever takes away, and nothing but its issuer gives back.

use std::collections::BTreeMap;

use countersign::digest::Digest;
use countersign::governance::{
    Directory, RevocationDraft, RevocationError, RevocationList, Revocations, Revoked, Subjects,
    VerifiedRevocations,
};
use countersign::identity::SpiffeId;
use countersign::receipt::{IdentityKey, SessionId};
use countersign::testing::NOW;
use proptest::prelude::*;

const PEOPLE: u8 = 3;

fn key(person: u8) -> IdentityKey {
    IdentityKey::from_seed(&[person + 1; 32])
}

fn directory() -> Directory {
    let people: Vec<String> = (0..PEOPLE)
        .map(|person| {
            let key = key(person).trusted();
            format!(r#"{{"id":"user:{person}","kind":"human","keys":["{key}"],"revokes":true}}"#)
        })
        .collect();
    let people = people.join(",");
    let text = format!(r#"{{"directory":"countersign/directory/v1","people":[{people}]}}"#);
    Directory::parse(text.as_bytes()).unwrap()
}

/// A few of everything, so that lists and subjects meet. None of the signers is among them.
fn entries() -> impl Strategy<Value = Revoked> {
    let id = (0..3_u8, 0..3_u8).prop_map(|(class, instance)| agent(class, instance));
    let class = (0..3_u8).prop_map(|class| agent(class, 0).to_string());
    let class = class.prop_map(|id| SpiffeId::parse(id.rsplit_once('/').unwrap().0).unwrap());
    let digest = (0..4_u8).prop_map(|number| Digest::from_bytes([number; 32]));
    prop_oneof![
        id.prop_map(Revoked::Instance),
        class.prop_map(Revoked::Agent),
        ("user:[ab]", "t[ab]")
            .prop_map(|(owner, task)| Revoked::Task { owner: owner.into(), task: task.into() }),
        digest.clone().prop_map(Revoked::Scope),
        digest.prop_map(Revoked::Approval),
        "user:[ab]".prop_map(|person| Revoked::Issuer(person.into())),
        (0..4_u8).prop_map(|byte| Revoked::Key([byte; 32])),
        (0..4_u8).prop_map(|byte| Revoked::Session(SessionId::from_bytes([byte; 16]))),
    ]
}

fn agent(class: u8, instance: u8) -> SpiffeId {
    SpiffeId::parse(&format!("spiffe://example.org/agent/{class}/{instance}")).unwrap()
}

#[derive(Debug, Clone)]
struct Said {
    person: u8,
    version: u64,
    halt: bool,
    entries: Vec<Revoked>,
}

fn said() -> impl Strategy<Value = Said> {
    let entries = prop::collection::vec(entries(), 0..6);
    (0..PEOPLE, 1..5_u64, prop::bool::weighted(0.1), entries)
        .prop_map(|(person, version, halt, entries)| Said { person, version, halt, entries })
}

fn signed(said: &Said) -> VerifiedRevocations {
    let draft = RevocationDraft::new(format!("user:{}", said.person), said.version, NOW);
    let draft = said.entries.iter().cloned().fold(draft, RevocationDraft::revoke);
    let draft = if said.halt { draft.halt() } else { draft };
    let text = draft.sign(&key(said.person)).unwrap();
    RevocationList::parse(text.as_bytes()).unwrap().verify(&directory(), NOW).unwrap()
}

fn sessions() -> impl Strategy<Value = Vec<Subjects>> {
    let one = (0..3_u8, 0..3_u8, 0..4_u8).prop_map(|(class, instance, session)| {
        Subjects::new(&agent(class, instance), SessionId::from_bytes([session; 16]))
    });
    prop::collection::vec(one, 1..4)
}

/// Loads everything that is not refused.
fn load(lists: &[VerifiedRevocations]) -> Revocations {
    lists.iter().fold(Revocations::none(), |state, list| state.with(list).unwrap_or(state))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn more_entries_never_let_anything_pass(
        list in said(),
        more in prop::collection::vec(entries(), 0..6),
        others in prop::collection::vec(said(), 0..3),
        sessions in sessions(),
    ) {
        let others: Vec<_> =
            others.iter().filter(|other| other.person != list.person).map(signed).collect();
        let mut wider = list.clone();
        wider.entries.extend(more);
        let before = load(&[others.clone(), vec![signed(&list)]].concat());
        let after = load(&[others, vec![signed(&wider)]].concat());
        for session in &sessions {
            prop_assert!(before.check(session).is_none() || after.check(session).is_some());
        }
        for entry in &list.entries {
            prop_assert!(after.is_revoked(entry));
        }
    }

    #[test]
    fn the_order_of_loading_does_not_matter(
        lists in prop::collection::vec(said(), 1..7),
        seed in any::<u64>(),
        sessions in sessions(),
    ) {
        // Of two lists of one version one is a forgery of its issuer's, and the first that comes wins.
        let mut once = BTreeMap::new();
        for list in lists {
            once.entry((list.person, list.version)).or_insert(list);
        }
        let lists: Vec<_> = once.values().map(signed).collect();
        let mut shuffled = lists.clone();
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, (seed.rotate_left(at as u32) % (at as u64 + 1)) as usize);
        }
        let (one, other) = (load(&lists), load(&shuffled));
        prop_assert_eq!(one.generation(), other.generation());
        prop_assert_eq!(one.len(), other.len());
        for session in &sessions {
            prop_assert_eq!(one.check(session), other.check(session));
        }
    }

    /// Against a model that keeps the newest list of each issuer as it was said.
    #[test]
    fn what_is_revoked_is_what_the_newest_lists_say(
        lists in prop::collection::vec(said(), 0..8),
        asked in prop::collection::vec(entries(), 1..12),
    ) {
        let mut state = Revocations::none();
        let mut model: BTreeMap<u8, Said> = BTreeMap::new();
        for said in lists {
            let answer = state.with(&signed(&said));
            match model.get(&said.person) {
                Some(newest) if newest.version > said.version => {
                    prop_assert_eq!(answer.unwrap_err(), RevocationError::Rollback);
                }
                Some(newest) if newest.version == said.version => {
                    let set = |said: &Said| {
                        let lines = said.entries.iter().map(ToString::to_string);
                        (said.halt, lines.collect::<std::collections::BTreeSet<_>>())
                    };
                    if set(newest) == set(&said) {
                        prop_assert_eq!(answer.unwrap().generation(), state.generation());
                    } else {
                        prop_assert_eq!(answer.unwrap_err(), RevocationError::Conflict);
                    }
                }
                _ => {
                    let next = answer.unwrap();
                    prop_assert_ne!(next.generation(), state.generation());
                    state = next;
                    model.insert(said.person, said);
                }
            }
        }
        for entry in &asked {
            let expected = model.values().any(|said| said.entries.contains(entry));
            prop_assert_eq!(state.is_revoked(entry), expected, "{}", entry);
        }
        prop_assert_eq!(state.is_halted(), model.values().any(|said| said.halt));
    }

    #[test]
    fn a_list_with_a_byte_changed_is_refused(
        list in said(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let draft = RevocationDraft::new(format!("user:{}", list.person), list.version, NOW);
        let draft = list.entries.iter().cloned().fold(draft, RevocationDraft::revoke);
        let mut text = draft.sign(&key(list.person)).unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] ^= flip;
        prop_assert!(RevocationList::parse(&text).is_err());
    }
}

#[test]
fn a_large_list_is_read_from_a_stream() {
    let draft = RevocationDraft::new("user:0", 1, NOW);
    let scopes =
        (0..20_000_u32).map(|number| Revoked::Scope(Digest::of("a test", &number.to_le_bytes())));
    let text = scopes.clone().fold(draft, RevocationDraft::revoke).sign(&key(0)).unwrap();
    let stream = std::io::BufReader::with_capacity(4096, text.as_bytes());
    let list = RevocationList::read(stream).unwrap().verify(&directory(), NOW).unwrap();
    let state = Revocations::none().with(&list).unwrap();
    assert_eq!(state.len(), 20_000);
    assert!(scopes.step_by(997).all(|scope| state.is_revoked(&scope)));
}
