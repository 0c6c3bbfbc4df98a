//! Labels: what a session has touched stays on it.

use super::*;

const ONE: &[(Domain, &[Verdict])] = &[(Domain::Data, &[Verdict::Allow])];
const TWO: &[(Domain, &[Verdict])] =
    &[(Domain::Data, &[Verdict::Allow]), (Domain::Workload, &[Verdict::Deny])];

/// A call with the labels `before`, then what `between` tells, then one with the labels `after`.
fn story(
    before: &'static [&'static str],
    between: fn(&mut Story),
    after: &'static [&'static str],
) -> Story {
    let mut story = Story::new(Signing::Every);
    story.labels = before;
    story.call(TWO);
    between(&mut story);
    story.labels = after;
    story.call(TWO);
    story
}

/// What may stand between two calls.
const BETWEEN: [fn(&mut Story); 6] = [
    |_| {},
    |story| {
        story.call(ONE);
        story.outcome(2, OutcomeStatus::Succeeded);
    },
    |story| story.resume_in_place(),
    |story| story.restart(),
    // The group before lacks its last line: its labels stand all the same.
    |story| {
        story.lines.pop();
        story.resume_in_place();
    },
    |story| {
        story.lines.pop();
        story.restart();
        story.restart();
    },
];

#[test]
fn labels_stay_or_grow() {
    let check = |before, after: &'static [&'static str]| {
        for between in BETWEEN {
            let story = story(before, between, after);
            let verified = story.verified();
            assert_eq!(verified.sessions[0].labels, after);
            let position = verified.session_position(session(4)).expect("it is open");
            assert_eq!(position.labels, after);
        }
    };
    check(&[], &[]);
    check(&[], &["secret"]);
    check(&["secret"], &["secret"]);
    check(&["secret"], &["personal", "secret"]);
    check(&["personal"], &["personal", "secret"]);
    check(&["personal", "secret"], &["inner", "personal", "public", "secret", "ä"]);
}

#[test]
fn a_label_that_falls_off_is_found() {
    let check = |before, after| {
        for between in BETWEEN {
            let mut story = story(before, between, after);
            let at = story.lines.len() - 1;
            refused(&story.lines, Check::Labels, at);
            // Nor does one line of the next group suffice.
            story.lines.pop();
            refused(&story.lines, Check::Labels, at);
        }
    };
    check(&["secret"], &[]);
    check(&["secret"], &["public"]);
    check(&["secret"], &["Secret"]);
    check(&["secret"], &["secret "]);
    check(&["personal", "secret"], &["secret"]);
    check(&["personal", "secret"], &["personal"]);
    check(&["personal", "secret"], &["personal", "public", "secrets"]);
}

#[test]
fn every_line_of_a_group_has_the_same_labels() {
    let whole = story(&["secret"], |_| {}, &["personal", "secret"]);
    for labels in ["[]", "[\"secret\"]", "[\"personal\",\"secret\",\"x\"]"] {
        let mut lines = whole.lines.clone();
        let at = lines.len() - 1;
        lines[at] = reseal(&lines[at], &EPOCHS[0], |body| {
            body.replace("[\"personal\",\"secret\"]", labels)
        });
        refused(&lines, Check::Group, at + 1);
    }
}

#[test]
fn refused_and_torn_calls_leave_their_labels() {
    let mut story = Story::new(Signing::Heads);
    assert!(story.verified().sessions[0].labels.is_empty());
    story.labels = &["secret"];
    story.call(&[(Domain::Data, &[Verdict::Deny])]);
    assert_eq!(story.verified().sessions[0].labels, ["secret"]);
    story.labels = &["personal", "secret"];
    story.call(TWO);
    story.lines.pop();
    let report = &story.verified().sessions[0];
    assert_eq!((report.incomplete_groups, report.labels.len()), (1, 2));
    assert!(report.to_string().contains("2 labels"), "{report}");
}

#[test]
fn labels_of_one_session_do_not_bind_another() {
    let mut story = Story::new(Signing::Every);
    story.labels = &["secret"];
    story.call(ONE);
    let first = std::mem::replace(
        &mut story.chain,
        begin(&story.journal, session(5), &story.scope, story.now).0,
    );
    let line = begin(&story.journal, session(5), &story.scope, story.now).1;
    let time = Timestamp::from_millis(story.now);
    let open = story.journal.open(session(5), AGENT, line.link(), time).expect("an open");
    story.push(open);
    story.push(line);
    story.labels = &[];
    story.call(ONE);
    let labels = |n| story.verified().session(session(n)).expect("a session").labels.clone();
    assert_eq!((labels(4), labels(5)), (vec!["secret".to_owned()], vec![]));
    story.chain = first;
    story.call(ONE);
    refused(&story.lines, Check::Labels, story.lines.len());
}

#[test]
fn as_many_and_as_long_as_permitted_can_be_written_and_read() {
    let mut story = Story::new(Signing::Every);
    let labels: Vec<Text<'_>> =
        (0..MAX_LABELS).map(|n| format!("{n:02}{}", "x".repeat(MAX_LABEL - 2)).into()).collect();
    let effects = [effect(Verdict::Allow, &[], &[])];
    let domains = [DomainRecord { domain: Domain::Data, effects: &effects }];
    let scope = story.scope;
    let mut call = record(&scope, &domains);
    call.labels = &labels;
    let key = story.journal.epoch_key().clone();
    let group = story.chain.append_call(&key, &call).expect("at the limit");
    story.push(group);
    story.now += 10;
    assert_eq!(story.verified().sessions[0].labels, labels);
    story.call(ONE);
    let error = verify(&story.lines).expect_err("all are gone");
    assert_eq!(error.check(), Check::Labels);
    assert!(error.expected().len() < 100, "{error}");
    assert!(!error.meaning().is_empty());
}
