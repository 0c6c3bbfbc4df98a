//! Crashes: the file ends at any byte, a sink fails in the middle of a group, tickets are dropped.

use std::fs;

use super::*;

/// The bytes of a file that was being written when its machine died, cut at every byte: it is
/// recovered, verified, resumed, written on and verified again.
#[test]
fn a_file_cut_at_any_byte_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut story = Story::new(Signing::Every);
    story.call(&[(Domain::Data, &[Verdict::Allow]), (Domain::Workload, &[Verdict::Allow])]);
    story.outcome(1, OutcomeStatus::Succeeded);
    story.head();
    let file = ndjson(&story.lines).into_bytes();
    // Every byte around a line end, and some inside of lines.
    let near = |at: usize| (at.saturating_sub(2)..at + 3).any(|at| file.get(at) == Some(&b'\n'));
    for cut in (1..=file.len()).filter(|cut| near(*cut) || cut % 127 == 0) {
        let path = folder.path().join(format!("cut-{cut}.ndjson"));
        fs::write(&path, &file[..cut]).expect("written");
        let recovered = FileSink::recover(&path).expect("recovered");
        assert_eq!(recovered.stored_bytes + recovered.torn_bytes, cut as u64);
        assert_eq!(recovered.torn_path.is_some(), recovered.torn_bytes > 0);
        if let Some(torn) = &recovered.torn_path {
            let stored = usize::try_from(recovered.stored_bytes).expect("small");
            assert_eq!(fs::read(torn).expect("kept"), &file[stored..cut]);
        }
        let stored = fs::read_to_string(&path).expect("text");
        let mut after =
            Story { lines: stored.lines().map(str::to_owned).collect(), ..copy(&story) };
        if after.lines.is_empty() {
            continue;
        }
        let before = after.linked();
        assert_eq!(before.torn_bytes, 0);
        let sink = FileSink::append_to(&path, Durability::ProcessCrash).expect("opened");
        let kept = after.lines.len();
        if before.session_position(session(4)).is_some() {
            after.restart();
            after.allow();
            after.outcome(after.chain.next_call() - 1, OutcomeStatus::Unused);
            after.head();
        }
        for line in &after.lines[kept..] {
            let line = Line::parse(line.as_str()).expect("a line");
            sink.append(&line.into()).expect("stored");
        }
        let stored = fs::read(&path).expect("text");
        let verified = Verifier::new(trusted()).verify(stored.as_slice()).expect("it goes on");
        assert_eq!(verified.lines, after.lines.len() as u64);
        if let Some(report) = verified.sessions.first().filter(|report| report.lines > 0) {
            let torn_group = before.sessions[0].incomplete_groups;
            assert_eq!(report.incomplete_groups, torn_group, "cut at {cut}");
            assert_eq!(report.resumed, 1);
        }
    }
}

fn copy(story: &Story) -> Story {
    let mut copy = Story::new(Signing::Every);
    copy.now = story.now;
    copy
}

#[test]
fn a_torn_tail_is_told_and_proves_nothing() {
    let mut story = Story::of(3, Signing::Every);
    let good = story.verified();
    story.allow();
    let file = ndjson(&story.lines);
    let torn = &file[..file.len() - 1];
    let verified = Verifier::new(trusted()).verify(torn.as_bytes()).expect("the rest is good");
    assert_eq!(verified.sessions, good.sessions);
    assert_eq!(verified.torn_bytes, story.lines[story.lines.len() - 1].len() as u64);
    assert!(verified.to_string().contains("are no line"));
}

#[test]
fn files_are_created_once_locked_and_not_torn() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("receipts.ndjson");
    let openings = folder.path().join("openings.ndjson");
    let mut story = Story::new(Signing::Every);
    let group = story.group(&[(Domain::Data, &[Verdict::Allow])]);
    for durability in [Durability::ProcessCrash, Durability::PowerLoss] {
        let _ = fs::remove_file(&path);
        let sink = FileSink::create(&path, durability).expect("created");
        assert!(FileSink::create(&path, durability).is_err());
        assert!(FileSink::append_to(&path, durability).is_err(), "it is locked");
        assert!(FileSink::recover(&path).is_err(), "it is locked");
        fs::write(&openings, "{\"opening\":{\"ca").expect("torn");
        let sink = sink.with_openings(&openings).expect("opened");
        for line in &story.lines {
            sink.append(&Line::parse(line.as_str()).expect("a line").into()).expect("stored");
        }
        sink.append(&group).expect("stored");
        drop(sink);
        let stored = fs::read(&path).expect("read");
        assert!(Verifier::new(trusted()).verify(stored.as_slice()).is_ok());
        let kept = fs::read_to_string(&openings).expect("read");
        let parsed: Vec<Opening> =
            kept.lines().filter_map(|line| Opening::parse(line).ok()).collect();
        assert_eq!(parsed, group.openings);
    }
    let recovered = FileSink::recover(&path).expect("nothing to do");
    assert_eq!((recovered.torn_bytes, recovered.torn_path), (0, None));
    let whole = fs::read(&path).expect("read");
    fs::write(&path, &whole[..whole.len() - 1]).expect("torn");
    let error = FileSink::append_to(&path, Durability::ProcessCrash).expect_err("torn");
    assert!(error.to_string().contains("receipts.ndjson"));
    fs::write(&path, vec![b'x'; MAX_LINE_BYTES * 2]).expect("not a receipt file");
    assert!(FileSink::recover(&path).is_err());
    fs::write(&path, "").expect("empty");
    assert_eq!(FileSink::recover(&path).expect("empty is whole").stored_bytes, 0);
    assert!(FileSink::append_to(folder.path().join("none"), Durability::ProcessCrash).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_poisons_the_sink() {
    let sink = FileSink::append_to("/dev/full", Durability::ProcessCrash);
    let Ok(sink) = sink else { return };
    let group =
        Group::from(Line::parse(Story::new(Signing::Every).lines[0].as_str()).expect("a line"));
    assert!(matches!(sink.append(&group), Err(SinkError::Store(_))));
    assert!(matches!(sink.append(&group), Err(SinkError::Poisoned)));
}

#[test]
fn groups_of_many_threads_share_syncs_and_are_all_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("receipts.ndjson");
    let sink = FileSink::create(&path, Durability::PowerLoss).expect("created");
    let line = Line::parse(Story::new(Signing::Every).lines[1].as_str()).expect("a line");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..8 {
                    sink.append(&Group::new(vec![line.clone(), line.clone()], vec![]))
                        .expect("stored");
                }
            });
        }
    });
    assert_eq!(fs::read_to_string(&path).expect("read").lines().count(), 64);
}

/// A sink that fails in the middle of a group leaves a prefix that verifies as incomplete.
#[test]
fn a_store_that_fails_in_the_middle_leaves_an_incomplete_group() {
    let stored = std::sync::Mutex::new(Vec::new());
    let sink = sink_fn(|group: &Group| {
        let mut stored = stored.lock().map_err(|_| SinkError::Poisoned)?;
        for line in &group.lines {
            if stored.len() == 5 {
                return Err(SinkError::new("disk full"));
            }
            stored.push(line.as_str().to_owned());
        }
        Ok(())
    });
    let mut story = Story::new(Signing::Every);
    for line in &story.lines {
        sink.append(&Line::parse(line.as_str()).expect("a line").into()).expect("stored");
    }
    let allow: &[Verdict] = &[Verdict::Allow];
    let group = story.group(&[
        (Domain::Application, allow),
        (Domain::Infrastructure, allow),
        (Domain::Data, allow),
    ]);
    assert!(sink.append(&group).is_err());
    let stored = stored.lock().expect("not poisoned").clone();
    let verified = verify(&stored).expect("a prefix");
    let report = &verified.sessions[0];
    assert_eq!((report.incomplete_groups, report.allowed, report.calls), (1, 0, 1));
    let mut after = Story { lines: stored, ..copy(&story) };
    after.restart();
    after.allow();
    after.end(EndStatus::Finished);
    after.close(EndStatus::Finished);
    assert_eq!(after.verified().sessions[0].allowed, 1);
}
