//! Laws: what is written is read; what is read is written the same.

use proptest::prelude::*;

use super::form::{Field, Reader};
use super::*;

fn text() -> impl Strategy<Value = Text<'static>> {
    prop_oneof!["[a-z./:]{1,12}", "\\PC{1,8}", "[\u{0}-\u{1f}\"\\\\/\u{7f}é💥]{1,6}"]
        .prop_map(Text::Owned)
}

fn integer() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..=MAX_INTEGER, Just(MAX_INTEGER), Just(0)]
}

fn hash() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![Just(Verdict::Allow), Just(Verdict::Defer), Just(Verdict::Deny)]
}

prop_compose! {
    fn some_effect()(
        commit in hash(), decision in verdict(), kind in text(),
        policies in prop::collection::btree_set(text(), 0..4), provenance in text(),
        quorums in prop::collection::vec(text(), 0..3), reasons in prop::collection::vec(text(), 0..3),
    ) -> Effect<'static> {
        Effect {
            commit, decision, kind, provenance,
            policies: policies.into_iter().collect(), quorums: quorums.into(), reasons: reasons.into(),
            reversibility: Reversibility::Compensable,
        }
    }
}

prop_compose! {
    fn receipt()(
        (commit, facts, bundle, prev) in (hash(), hash(), hash(), hash()),
        (kind, agent, owner, on_behalf_of, task) in (text(), text(), text(), text(), text()),
        (call, seq, time) in (1..=MAX_INTEGER, 1..=MAX_INTEGER, integer()),
        counters in prop::collection::btree_map("[A-Za-z0-9._:/-]{1,10}", integer(), 0..5),
        approvals in prop::collection::vec((text(), hash(), text()), 0..3),
        effects in prop::collection::vec(some_effect(), 1..4),
        (call_decision, decision) in (verdict(), verdict()),
        scope in prop::collection::vec(hash(), 1..3),
        (cause, until) in (any::<bool>(), prop::option::of(integer())),
        (traceparent, txn) in (prop::option::of(text()), prop::option::of(text())),
        session in any::<[u8; 16]>(), epoch in integer(),
        labels in prop::collection::btree_set(text(), 0..4),
    ) -> Receipt<'static> {
        Receipt {
            action: Action { commit, kind },
            after: Counters::new(
                counters.into_iter().map(|(name, n)| (Text::Owned(name), n)).collect::<Vec<_>>(),
            ).expect("sorted by the map"),
            agent,
            approvals: approvals
                .into_iter()
                .map(|(approver, id, quorum)| Approval { approver, id, quorum })
                .collect(),
            bundle, call, call_decision,
            cause: cause.then_some(seq - 1),
            decision, domain: Domain::Infrastructure, effects: effects.into(), epoch, facts,
            index: 1, labels: labels.into_iter().collect(), of: 3, on_behalf_of, owner,
            permit_until: until.filter(|_| call_decision == Verdict::Allow),
            prev, scope: scope.into(), seq, session: SessionId::from_bytes(session), task, time,
            traceparent, txn,
        }
    }
}

fn written(receipt: &Receipt<'_>, sign: Option<&line::Sign<'_>>) -> Line {
    Line::write(Kind::Receipt, receipt, 0, sign).expect("it fits")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_read(receipt in receipt(), signed in any::<bool>()) {
        let sign = |_: &[u8]| Ok([0xab; 64]);
        let line = written(&receipt, signed.then_some(&sign));
        let parsed = line.parsed().expect("it is of the form");
        prop_assert_eq!(parsed.signature.is_some(), signed);
        prop_assert_eq!(&parsed.body, &Body::Receipt(receipt.clone()));
        prop_assert_eq!(&Line::parse(line.as_str()).expect("a line"), &line);
        prop_assert_eq!(line.link(), Digest::of("countersign 2026-11 receipt line v1", line.as_str().as_bytes()));
        // Any JSON reader agrees with ours on what stands there.
        let json: serde_json::Value = serde_json::from_str(line.as_str()).expect("it is JSON");
        prop_assert_eq!(json["receipt"]["task"].as_str(), Some(&*receipt.task));
        prop_assert_eq!(json["receipt"]["call"].as_u64(), Some(receipt.call));
    }

    #[test]
    fn what_is_read_is_written_the_same(
        receipt in receipt(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>(),
    ) {
        let line = written(&receipt, None);
        let mut bytes = line.as_str().as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.remove(at); } else { bytes[at] = with; }
        if let Ok(parsed) = ParsedLine::parse(&bytes) {
            let Body::Receipt(receipt) = &parsed.body else { panic!("another kind") };
            let again = written(receipt, None);
            prop_assert_eq!(again.as_str().as_bytes(), bytes);
        }
    }

    #[test]
    fn texts_are_spelled_as_json_is(text in text()) {
        let mut written = String::new();
        text.write(&mut written);
        prop_assert_eq!(&serde_json::to_string(&text).expect("JSON"), &written);
        prop_assert_eq!(Text::read(&mut Reader::new(&written)), Ok(text));
    }

    #[test]
    fn nothing_makes_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), noise in "\\PC{0,100}") {
        let _ = ParsedLine::parse(&bytes);
        let _ = ParsedLine::parse(format!("{{\"receipt\":{noise}").as_bytes());
        let _ = Opening::parse(&noise);
        let _ = Verifier::new(trusted()).verify(bytes.as_slice());
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    for signing in [Signing::Every, Signing::Heads] {
        assert_eq!(Story::of(9, signing).lines, Story::of(9, signing).lines);
    }
}

#[test]
fn members_stand_in_the_order_of_their_bytes() {
    for members in [
        Epoch::MEMBERS,
        Open::MEMBERS,
        Head::MEMBERS,
        Close::MEMBERS,
        Begin::MEMBERS,
        Receipt::MEMBERS,
        Action::MEMBERS,
        Approval::MEMBERS,
        Effect::MEMBERS,
        Outcome::MEMBERS,
        Resume::MEMBERS,
        End::MEMBERS,
        position::Kept::MEMBERS,
    ] {
        assert!(members.is_sorted_by(|a, b| a < b), "{members:?}");
    }
}

#[test]
fn integers_are_spelled_plainly() {
    for number in [0, 1, 9, 10, 99, 100, 12_345, MAX_INTEGER] {
        let mut written = String::new();
        number.write(&mut written);
        assert_eq!(written, number.to_string());
        assert_eq!(u64::read(&mut Reader::new(&written)), Ok(number));
    }
}
