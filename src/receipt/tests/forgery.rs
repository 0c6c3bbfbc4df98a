//! A producer that holds valid keys and lies, and keys that nobody should trust.

use super::*;

/// Replaces the last line by one that is edited and signed again.
#[track_caller]
fn check(lines: &[String], from: &str, to: &str, expected: Check) {
    let mut lines = lines.to_vec();
    let at = lines.len() - 1;
    let seed = if at == 0 { &IDENTITY } else { &EPOCHS[0] };
    lines[at] = reseal(&lines[at], seed, |body| body.replacen(from, to, 1));
    refused(&lines, expected, at + 1);
}

fn story(tell: impl Fn(&mut Story)) -> Vec<String> {
    let mut story = Story::new(Signing::Every);
    tell(&mut story);
    story.lines
}

#[test]
fn bodies_in_another_spelling_are_refused_though_signed() {
    let lines = story(|story| story.call(&[(Domain::Data, &[Verdict::Deny])]));
    for (from, to) in [
        ("{\"action\"", "{ \"action\""),
        ("\"call\":1", "\"call\": 1"),
        ("\"call\":1", "\"call\":1.0"),
        ("\"call\":1", "\"call\":1e0"),
        ("\"call\":1", "\"call\":01"),
        ("\"call\":1", "\"call\":+1"),
        ("\"denials\":0", "\"denials\":-0"),
        ("\"call\":1", "\"call\":9007199254740992"),
        ("\"call\":1", "\"call\":18446744073709551617"),
        ("\"call\":1", "\"call\":\"1\""),
        ("\"call\":1", "\"call\":true"),
        ("\"call\":1", "\"call\":null"),
        ("\"call\":1,", "\"call\":1,\"call\":1,"),
        ("\"call\":1,", "\"call\":1,\"calm\":1,"),
        ("\"call\":1,", ""),
        ("{\"action\"", "{\"abc\":1,\"action\""),
        ("{\"action\"", "{,\"action\""),
        ("{\"actions\":1,\"denials\":0}", "{\"denials\":0,\"actions\":1}"),
        ("{\"actions\":1,\"denials\":0}", "{\"actions\":1,\"actions\":1}"),
        ("{\"actions\":1,\"denials\":0}", "{\"actions\":1,\"denials\":0,}"),
        ("{\"actions\":1,\"denials\":0}", "{\"actions\":1,\"déni\":0}"),
        ("{\"actions\":1,\"denials\":0}", "[]"),
        ("txn-7", "txn\\u002d7"),
        ("txn-7", "txn\\/7"),
        ("txn-7", "txn\\u000A7"),
        ("txn-7", "txn\\u000a7"),
        ("txn-7", "txn\\ud8007"),
        ("txn-7", "txn\t7"),
        ("txn-7", ""),
        ("\"deny\"", "\"Deny\""),
        ("\"deny\"", "\"permit\""),
        ("\"domain\":\"data\"", "\"domain\":\"date\""),
        ("\"index\":0", "\"index\":1"),
        ("\"of\":1", "\"of\":0"),
        ("\"of\":1", "\"of\":5"),
        ("\"call\":1", "\"call\":0"),
        ("[\"forbid.tunnels\",\"permit.tests\"]", "[\"permit.tests\",\"forbid.tunnels\"]"),
        ("[\"forbid.tunnels\",\"permit.tests\"]", "[\"permit.tests\",\"permit.tests\"]"),
        ("[\"forbid.tunnels\",\"permit.tests\"]", "[\"permit.tests\",]"),
        ("[\"forbid.tunnels\",\"permit.tests\"]", "null"),
        ("\"owner\"", "\"permit_until\":1,\"owner\""),
        ("\"prev\"", "\"permit_until\":1,\"prev\""),
        ("\"call_decision\":\"deny\"", "\"call_decision\":\"deny\",\"cause\":1"),
        ("\"facts\":\"", "\"facts\":\"A"),
        ("\"labels\":[],", ""),
        ("\"labels\":[]", "\"labels\":null"),
        ("\"labels\":[]", "\"labels\":\"secret\""),
        ("\"labels\":[]", "\"labels\":[\"\"]"),
        ("\"labels\":[]", "\"labels\":[\"b\",\"a\"]"),
        ("\"labels\":[]", "\"labels\":[\"a\",\"a\"]"),
        ("\"labels\":[],\"of\":1", "\"of\":1,\"labels\":[]"),
    ] {
        check(&lines, from, to, Check::Form);
    }
    let long = format!("\"txn\":\"{}\"", "x".repeat(MAX_TEXT + 1));
    check(&lines, "\"txn\":\"txn-7\"", &long, Check::Form);
    let many = format!("[{}]", vec!["\"r\""; MAX_LIST + 1].join(","));
    check(&lines, "[\"policy.forbid\"]", &many, Check::Form);
    let long = format!("\"labels\":[\"{}\"]", "x".repeat(MAX_LABEL + 1));
    check(&lines, "\"labels\":[]", &long, Check::Form);
    let many: Vec<String> = (0..=MAX_LABELS).map(|n| format!("\"{n:03}\"")).collect();
    check(&lines, "\"labels\":[]", &format!("\"labels\":[{}]", many.join(",")), Check::Form);
    let deep = "[".repeat(100_000);
    check(&lines, "[\"policy.forbid\"]", &deep, Check::Form);
}

#[test]
fn versions_and_first_lines_are_what_they_must_be() {
    let first = story(|_| {})[..1].to_vec();
    check(&first, "\"v\":1", "\"v\":2", Check::Form);
    check(&first, "\"epoch\":1", "\"epoch\":2", Check::Epoch);
    check(&first, "\"seq\":0", "\"seq\":1", Check::Form);
    check(&first, "\"signing\":\"every\"", "\"signing\":\"none\"", Check::Form);
    let zero = "0".repeat(64);
    check(&first, "\"key\"", &format!("\"journal\":\"{zero}\",\"key\""), Check::Form);
    check(&first, "\"proof\"", &format!("\"prev\":\"{zero}\",\"proof\""), Check::Form);
    check(&first, "\"proof\":\"", "\"proof\":\"0", Check::Form);
    let begin = story(|_| {});
    check(&begin, "\"v\":1", "\"v\":2", Check::Form);
    check(&begin, "\"seq\":0", "\"seq\":1", Check::Form);
    check(&begin, "fix-login", "fix-logout", Check::Announced);
    let list = |text: &str| text.split_once("\"scope\":").expect("a scope").1[..135].to_owned();
    check(&begin, &list(&begin[2]), "[]", Check::Form);
}

#[test]
fn an_epoch_key_needs_its_holder_and_a_sound_point() {
    let first = story(|_| {})[..1].to_vec();
    let key = hex::text(&SigningKey::from_bytes(&EPOCHS[0]).verifying_key().to_bytes());
    let other = hex::text(&SigningKey::from_bytes(&EPOCHS[1]).verifying_key().to_bytes());
    check(&first, &key, &other, Check::Proof);
    let proof = |line: &str| line.split_once("\"proof\":\"").expect("a proof").1[..128].to_owned();
    check(&first, &proof(&first[0]), &"0".repeat(128), Check::Proof);
    for weak in WEAK_KEYS {
        check(&first, &key, weak, Check::Key);
    }
}

#[test]
fn weak_and_odd_keys_are_refused_at_load() {
    for weak in WEAK_KEYS {
        assert!(TrustedKey::parse_hex(weak).is_err(), "{weak}");
    }
    let good = hex::text(&identity().public_key());
    assert_eq!(TrustedKey::parse_hex(&good), Ok(trusted()));
    assert!(TrustedKey::parse_hex(&good.to_uppercase()).is_err());
    assert!(TrustedKey::parse_hex("").is_err());
}

/// Points of small order, their second encodings, no points, and one with a torsion component.
const WEAK_KEYS: [&str; 10] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "0200000000000000000000000000000000000000000000000000000000000000",
];

#[test]
fn a_group_is_in_one_piece() {
    const THREE: &[(Domain, &[Verdict])] = &[
        (Domain::Application, &[Verdict::Allow]),
        (Domain::Infrastructure, &[Verdict::Deny]),
        (Domain::Workload, &[Verdict::Defer]),
    ];
    let group = story(|story| story.call(THREE));
    let second = &group[..5];
    for (from, to, expected) in [
        ("\"call\":1,", "\"call\":2,", Check::Group),
        ("\"index\":1", "\"index\":2", Check::Group),
        ("\"of\":3", "\"of\":2", Check::Group),
        ("\"domain\":\"infrastructure\"", "\"domain\":\"application\"", Check::Group),
        ("\"txn\":\"txn-7\"", "\"txn\":\"txn-8\"", Check::Group),
        ("\"actions\":1", "\"actions\":2", Check::Group),
        ("\"labels\":[]", "\"labels\":[\"secret\"]", Check::Group),
        ("\"index\":1", "\"index\":0", Check::Group),
        ("\"owner\":\"user:dana", "\"owner\":\"user:mallory", Check::Fields),
        ("\"task\":\"fix", "\"task\":\"mix", Check::Fields),
        ("\"agent\":\"spiffe", "\"agent\":\"spoffe", Check::Fields),
        ("\"on_behalf_of\":\"user:dana", "\"on_behalf_of\":\"user:mallory", Check::Fields),
    ] {
        check(second, from, to, expected);
    }
    let commit = |line: &str| line.split_once("\"facts\":\"").expect("facts").1[..64].to_owned();
    check(second, &commit(&second[4]), &"0".repeat(64), Check::Group);
    // What may follow an incomplete group: its next line or a `resume`.
    for end in [4, 5] {
        assert_eq!(verify(&group[..end]).expect("incomplete").sessions[0].incomplete_groups, 1);
    }
    let mut broken = Story::new(Signing::Every);
    broken.call(THREE);
    broken.lines.pop();
    let end = broken.lines.clone();
    broken.resume_in_place();
    broken.allow();
    assert_eq!(broken.verified().sessions[0].incomplete_groups, 1);
    let report = &broken.verified().sessions[0];
    assert_eq!((report.calls, report.allowed, report.denied), (2, 1, 0));
    broken.lines.remove(end.len());
    refused(&broken.lines, Check::Sequence, end.len() + 1);
    // A new call, an outcome or an end after it.
    let after = |tell: fn(&mut Story), expected: Check| {
        let mut whole = Story::new(Signing::Every);
        whole.call(THREE);
        tell(&mut whole);
        // The line after the group is moved to where the group's last line was.
        let prev_of = |line: &str| line.split_once("\"prev\":\"").expect("prev").1[..64].to_owned();
        let (from, to) = (prev_of(&whole.lines[6]), prev_of(&whole.lines[5]));
        let line = reseal(&whole.lines[6], &EPOCHS[0], |body| {
            body.replace(&from, &to).replace("\"seq\":4", "\"seq\":3")
        });
        let mut lines = whole.lines[..5].to_vec();
        lines.push(line);
        refused(&lines, expected, 6);
    };
    after(|story| story.allow(), Check::Group);
    after(|story| story.outcome(1, OutcomeStatus::Succeeded), Check::Group);
    after(|story| story.end(EndStatus::Finished), Check::Group);
}

#[test]
fn decisions_do_not_contradict_themselves() {
    let deny = story(|story| story.call(&[(Domain::Data, &[Verdict::Allow, Verdict::Deny])]));
    let allow = |from: &str| from.replace("deny", "allow");
    check(
        &deny,
        "\"call_decision\":\"deny\"",
        &allow("\"call_decision\":\"deny\""),
        Check::Verdict,
    );
    let both = "\"call_decision\":\"deny\",\"decision\":\"deny\"";
    check(&deny, both, &allow(both), Check::Verdict);
    check(&deny, both, &both.replace("deny", "defer"), Check::Verdict);
    let single = story(|story| story.call(&[(Domain::Data, &[Verdict::Allow])]));
    check(&single, "\"call_decision\":\"allow\"", "\"call_decision\":\"defer\"", Check::Form);
    let defer = story(|story| story.call(&[(Domain::Data, &[Verdict::Defer])]));
    check(&defer, "\"call_decision\":\"defer\"", "\"call_decision\":\"deny\"", Check::Verdict);
    let late = story(|story| {
        story.now += 8_000_000;
        story.allow();
    });
    refused(&late, Check::Verdict, 4);
    let late = story(|story| {
        story.now += 8_000_000;
        story.call(&[(Domain::Data, &[Verdict::Deny])]);
    });
    assert!(verify(&late).is_ok());
}

#[test]
fn outcomes_belong_to_allowed_calls_once() {
    let twice = story(|story| {
        story.allow();
        story.outcome(1, OutcomeStatus::Succeeded);
        story.outcome(1, OutcomeStatus::Failed);
    });
    refused(&twice, Check::Outcome, 6);
    let denied = story(|story| {
        story.call(&[(Domain::Data, &[Verdict::Deny])]);
        story.outcome(1, OutcomeStatus::Succeeded);
    });
    refused(&denied, Check::Outcome, 5);
    let unknown = story(|story| {
        story.allow();
        story.outcome(1, OutcomeStatus::Succeeded);
    });
    check(&unknown, "\"call\":1", "\"call\":2", Check::Outcome);
    // Only receipts have labels.
    check(&unknown, ",\"prev\"", ",\"labels\":[],\"prev\"", Check::Form);
    let unfinished = story(|story| {
        story.allow();
        story.outcome(1, OutcomeStatus::Unfinished);
    });
    assert!(verify(&unfinished).expect("it is one").sessions[0].pending.is_empty());
    let then = story(|story| {
        story.allow();
        story.outcome(1, OutcomeStatus::Unfinished);
        story.outcome(1, OutcomeStatus::Succeeded);
    });
    refused(&then, Check::Outcome, 6);
    // The outcome of an incomplete group that was resumed over.
    let mut story = Story::new(Signing::Every);
    story.call(&[(Domain::Data, &[Verdict::Allow]), (Domain::Workload, &[Verdict::Allow])]);
    story.lines.pop();
    story.resume_in_place();
    story.outcome(1, OutcomeStatus::Succeeded);
    refused(&story.lines, Check::Outcome, 6);
}

#[test]
fn time_and_epochs_go_one_way() {
    let lines = story(|story| story.allow());
    let now = format!("\"time\":{}", START + 6);
    check(&lines, &now, &format!("\"time\":{}", START), Check::Time);
    check(&lines[..2], "\"epoch\":1", "\"epoch\":2", Check::Epoch);
    check(&lines, "\"epoch\":1", "\"epoch\":2", Check::Epoch);
    // The old key after a newer epoch, in the journal and in a session.
    let mut old = Story::new(Signing::Every);
    let (journal, chain) = (old.lines.len(), old.chain.lines());
    old.allow();
    old.restart();
    assert_eq!(old.verified().journal_position().epoch, 2);
    old.head();
    let mut lines = old.lines.clone();
    let at = lines.len() - 1;
    lines[at] = reseal(&lines[at], &EPOCHS[0], |body| body.replace("\"epoch\":2", "\"epoch\":1"));
    refused(&lines, Check::Epoch, at + 1);
    lines[at] =
        reseal(&old.lines[at], &EPOCHS[0], |body| body.replace("\"time\":17", "\"time\":18"));
    refused(&lines, Check::Signature, at + 1);
    old.allow();
    let mut lines = old.lines.clone();
    let at = lines.len() - 1;
    lines[at] = reseal(&lines[at], &EPOCHS[0], |body| body.replace("\"epoch\":2", "\"epoch\":1"));
    refused(&lines, Check::Epoch, at + 1);
    // A session that goes on in the new epoch without `resume`.
    let resume = journal + 2;
    assert!(old.lines[resume].starts_with("{\"resume\""), "{}", old.lines[resume]);
    let as_end = reseal(&old.lines[resume], &EPOCHS[1], |body| {
        body.replace(",\"time\"", ",\"status\":\"finished\",\"time\"")
    });
    let message_kind = as_end.replace("{\"resume\"", "{\"end\"");
    let mut lines = old.lines[..resume].to_vec();
    lines.push(message_kind);
    refused(&lines, Check::Epoch, resume + 1);
    // A resume into an epoch that nobody declared.
    let mut lines = old.lines[..=resume].to_vec();
    lines[resume] =
        reseal(&lines[resume], &EPOCHS[2], |body| body.replace("\"epoch\":2", "\"epoch\":3"));
    refused(&lines, Check::Epoch, resume + 1);
    assert_eq!(chain, 1);
}

#[test]
fn a_signature_of_one_kind_is_none_of_another() {
    let mut story = Story::of(3, Signing::Every);
    let head = story.lines.pop().expect("a head");
    let as_close = head
        .replace("{\"head\":", "{\"close\":")
        .replace(",\"time\"", ",\"status\":\"poisoned\",\"time\"");
    story.lines.push(as_close);
    refused(&story.lines, Check::Signature, story.lines.len());
}

#[test]
fn nothing_follows_an_end_or_a_close() {
    let mut story = Story::of(4, Signing::Every);
    let mut fork = Story::of(4, Signing::Every);
    story.end(EndStatus::Finished);
    fork.allow();
    let mut lines = story.lines.clone();
    lines.extend(fork.lines.last().cloned());
    refused(&lines, Check::Ended, lines.len());
    story.close(EndStatus::Finished);
    let closed = story.lines.len();
    for tell in [Story::head as fn(&mut Story), |story| story.close(EndStatus::Finished)] {
        let mut story = Story::of(4, Signing::Every);
        story.end(EndStatus::Finished);
        story.close(EndStatus::Finished);
        tell(&mut story);
        refused(&story.lines, Check::Ended, closed + 1);
    }
    // Closed without an end, and then one more line.
    for (status, expected) in [
        (EndStatus::Dropped, Err(Check::Ended)),
        (EndStatus::Poisoned, Ok(1)),
        (EndStatus::Finished, Err(Check::Head)),
        (EndStatus::Expired, Err(Check::Head)),
    ] {
        let mut story = Story::of(4, Signing::Every);
        story.close(status);
        story.allow();
        match (verify(&story.lines), expected) {
            (Ok(verified), Ok(unconfirmed)) => {
                assert_eq!(verified.sessions[0].unconfirmed_lines, unconfirmed);
                story.allow();
                refused(&story.lines, Check::Ended, story.lines.len());
            }
            (Err(error), Err(check)) => assert_eq!(error.check(), check, "{error}"),
            (result, _) => panic!("{status}: {result:?}"),
        }
    }
    // A poisoned close before or after the group that failed.
    for close_first in [true, false] {
        let mut story = Story::of(4, Signing::Every);
        let group =
            story.group(&[(Domain::Data, &[Verdict::Deny]), (Domain::Workload, &[Verdict::Deny])]);
        let stored = story.verified().session_position(session(4)).expect("open");
        let time = story.tick();
        let close = story
            .journal
            .close(&stored.session_head(), EndStatus::Poisoned, time)
            .expect("a close");
        if close_first {
            story.push(close.clone());
        }
        story.push(group);
        if !close_first {
            story.push(close);
        }
        assert_eq!(story.verified().sessions[0].unconfirmed_lines, 2);
        assert_eq!(story.verified().session_position(session(4)), None);
    }
}

#[test]
fn sessions_are_announced_once_and_as_they_are() {
    let story = Story::of(2, Signing::Every);
    let again = |agent: &str| {
        let mut journal = Story::of(2, Signing::Every);
        let time = journal.tick();
        let link = journal.chain.head();
        let open = journal.journal.open(session(4), agent, link, time).expect("an open");
        journal.push(open);
        journal.lines
    };
    refused(&again(AGENT), Check::Announced, story.lines.len() + 1);
    let unknown = |lines: &[String]| {
        let mut lines = lines.to_vec();
        let at = lines.len() - 1;
        let other = session(6).to_string();
        lines[at] =
            reseal(&lines[at], &EPOCHS[0], |body| body.replace(&session(4).to_string(), &other));
        refused(&lines, Check::Announced, at + 1);
    };
    unknown(&story.lines);
    unknown(&story.lines[..4]);
    // The open names another agent or another line 0 than the session has.
    for (from, to) in [("coder/7", "coder/8"), ("\"begin\":\"", "\"begin\":\"0")] {
        let mut lines = Story::new(Signing::Every).lines;
        lines[1] = reseal(&lines[1], &EPOCHS[0], |body| {
            let body = body.replace(from, to);
            match from {
                "coder/7" => body,
                _ => {
                    let (head, rest) = body.split_once(to).expect("the begin");
                    format!("{head}{to}{}{}", &rest[..63], &rest[64..])
                }
            }
        });
        refused(&lines, Check::Announced, 3);
    }
    // A second begin.
    let mut lines = story.lines.clone();
    lines.push(lines[2].clone());
    refused(&lines, Check::Sequence, lines.len());
}

#[test]
fn heads_tell_of_the_same_lines() {
    let story = Story::of(6, Signing::Heads);
    let head = story.lines.len() - 1;
    let with = |from: &str, to: &str| {
        let mut lines = story.lines.clone();
        lines[head] = reseal(&lines[head], &EPOCHS[0], |body| body.replacen(from, to, 1));
        lines
    };
    refused(&with("\"count\":6", "\"count\":5"), Check::Head, head + 1);
    refused(&with("\"count\":6", "\"count\":7"), Check::Cut, 0);
    refused(&with("\"count\":6", "\"count\":0"), Check::Form, head + 1);
    let hash = story.chain.head().to_string();
    refused(&with(&hash, &"0".repeat(64)), Check::Head, head + 1);
    // Counts that go back.
    let mut story = Story::of(6, Signing::Heads);
    let time = story.tick();
    let mut told = story.chain.session_head();
    told.count -= 1;
    let line = story.journal.head(&told, time).expect("a head");
    story.push(line);
    refused(&story.lines, Check::Head, story.lines.len());
    // A head before its line, and wrong.
    let mut story = Story::new(Signing::Heads);
    let time = story.tick();
    let told = SessionHead { count: 2, head: digest("x"), ..story.chain.session_head() };
    let line = story.journal.head(&told, time).expect("a head");
    story.push(line);
    story.allow();
    refused(&story.lines, Check::Head, story.lines.len());
}

#[test]
fn heads_name_the_tree_of_their_lines() {
    // Both before and behind the line that they count last, in both modes.
    for (signing, early) in
        [(Signing::Every, false), (Signing::Heads, false), (Signing::Heads, true)]
    {
        for status in [None, Some(EndStatus::Dropped)] {
            let mut story = Story::of(9, signing);
            let group = story.group(&[(Domain::Data, &[Verdict::Deny])]);
            let (head, time) = (story.chain.session_head(), story.tick());
            let told = SessionHead { tree: TreeHash::of_line(b"x"), ..head };
            let line = match status {
                None => story.journal.head(&told, time),
                Some(status) => story.journal.close(&told, status, time),
            };
            let line = line.expect("a head");
            let at = story.lines.len() + 2;
            if early {
                story.push(line);
                story.push(group);
            } else {
                story.push(group);
                story.push(line);
            }
            refused(&story.lines, Check::Tree, at);
        }
    }
}

#[test]
fn the_mode_of_a_session_is_that_of_its_epoch() {
    let (every, heads) = (Story::new(Signing::Every), Story::new(Signing::Heads));
    // The session's begin says `every` in an epoch of `heads`, properly announced.
    let (mut journal, epoch) =
        Journal::start(&identity(), &EPOCHS[0], Signing::Heads, Timestamp::from_millis(START))
            .expect("an epoch");
    assert_eq!(epoch.as_str(), heads.lines[0]);
    let journal_id = |story: &Story| story.journal.position().id.to_string();
    let begin = reseal(&every.lines[2], &EPOCHS[0], |body| {
        body.replace(&journal_id(&every), &journal_id(&heads))
    });
    let begin = Line::parse(begin).expect("a line");
    let time = Timestamp::from_millis(START);
    let open = journal.open(session(4), AGENT, begin.link(), time).expect("an open");
    let lines = [epoch, open, begin].map(|line| line.as_str().to_owned());
    refused(&lines, Check::Fields, 3);
}

#[test]
fn positions_that_the_caller_holds_are_checked() {
    let story = Story::of(3, Signing::Every);
    let file = ndjson(&story.lines);
    let verifier = Verifier::new(trusted());
    let held = verifier.clone().expect_journal_head(1, digest("another"));
    let error = held.verify(file.as_bytes()).expect_err("rewritten");
    assert_eq!((error.check(), error.line()), (Check::Position, Some(2)), "{error}");
    assert!(!error.meaning().is_empty());
    assert_eq!(
        verifier.max_sessions(0).verify(file.as_bytes()).expect_err("full").check(),
        Check::Limit
    );
}
