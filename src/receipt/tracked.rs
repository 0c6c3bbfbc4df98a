//! What a verifier keeps of one session while it reads, and the checks that need it
//! (receipt-format §8.2 step 10, §8.3).

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Display;

use super::HEAD_WINDOW;
use super::body::{Begin, Domain, EndStatus, Open, Outcome, Receipt, Signing, Verdict};
use super::check::{Chain, Check, VerifyError, show, show_text};
use super::form::{Counters, Field as _, Reader};
use super::journal::SessionHead;
use super::line::Body;
use super::report::SessionReport;
use super::tree::{Frontier, TreeHash};
use super::verify::Held;
use crate::digest::Digest;
use crate::time::Timestamp;

/// What a verifier keeps of one session.
pub(super) struct SessionState {
    pub(super) report: SessionReport,
    pub(super) begin: Digest,
    about: Option<Box<About>>,
    group: Option<OpenGroup>,
    pending: BTreeSet<u64>,
    /// The last counters, as text: they are needed only when the session is resumed.
    after: String,
    /// Link hashes and leaves of the last lines, the last at the back.
    recent: VecDeque<(Digest, TreeHash)>,
    /// The tree over the lines before those.
    settled: Frontier,
    /// Heads whose line has not come.
    heads: VecDeque<SessionHead>,
    last_count: u64,
    /// The last signature, where one stands for many.
    pub(super) held: Held,
    /// Position of the first line of the last unit: of a group, or a line by itself.
    unit: u64,
}

/// What the receipts of a session repeat.
struct About {
    owner: String,
    on_behalf_of: String,
    scope: Vec<Digest>,
    expires: u64,
}

/// A group whose last line has not come.
struct OpenGroup {
    call: u64,
    of: u64,
    next: u64,
    domain: Domain,
    worst: Verdict,
    /// What all its lines have in common, as a body of its own.
    common: String,
}

/// A failed check of a kind's own, before it is known where.
pub(super) struct Wrong {
    check: Check,
    expected: String,
    found: String,
}

impl Wrong {
    pub(super) fn at(self, line: u64, chain: Chain) -> VerifyError {
        VerifyError::new(Some(line), chain, self.check, self.expected, self.found)
    }
}

fn wrong<T>(check: Check, expected: impl Display, found: impl Display) -> Result<T, Wrong> {
    Err(Wrong { check, expected: expected.to_string(), found: found.to_string() })
}

impl SessionState {
    pub(super) fn new(open: &Open<'_>) -> Self {
        Self {
            report: SessionReport {
                session: open.session,
                agent: open.agent.to_string(),
                task: String::new(),
                scope: Vec::new(),
                signing: Signing::Every,
                lines: 0,
                proven_lines: 0,
                head: Digest::from_bytes([0; 32]),
                epoch: open.epoch,
                begun: None,
                time: Timestamp::from_millis(open.time),
                ended: None,
                closed: None,
                calls: 0,
                allowed: 0,
                deferred: 0,
                denied: 0,
                incomplete_groups: 0,
                pending: Vec::new(),
                resumed: 0,
                unconfirmed_lines: 0,
                after: None,
                labels: Vec::new(),
                tree: Frontier::new(),
            },
            begin: open.begin,
            about: None,
            group: None,
            pending: BTreeSet::new(),
            after: String::new(),
            recent: VecDeque::new(),
            settled: Frontier::new(),
            heads: VecDeque::new(),
            last_count: 0,
            held: Held::default(),
            unit: 0,
        }
    }

    /// Takes a `head` of the journal, or a `close` if there is a `status`.
    pub(super) fn head(
        &mut self,
        told: SessionHead,
        status: Option<EndStatus>,
        signed: bool,
    ) -> Result<(), Wrong> {
        let SessionHead { session, count, head, tree } = told;
        if let Some(status) = self.report.closed {
            let expected = format_args!("nothing after the close as {status}");
            return wrong(Check::Ended, expected, format_args!("more of session {session}"));
        }
        if count < self.last_count {
            let expected = format_args!("a count of at least {}", self.last_count);
            return wrong(Check::Head, expected, count);
        }
        self.last_count = count;
        self.report.closed = status;
        let lines = self.report.lines;
        if count > lines {
            if self.heads.len() >= MAX_HEADS {
                let expected = format_args!("at most {MAX_HEADS} heads before their lines");
                return wrong(Check::Limit, expected, "more");
            }
            self.heads.push_back(told);
            return Ok(());
        }
        let behind = usize::try_from(lines - count).unwrap_or(usize::MAX);
        let at = behind.checked_add(1).and_then(|back| self.recent.len().checked_sub(back));
        let Some((link, _)) = at.and_then(|at| self.recent.get(at)) else {
            let expected = format_args!("a head at most {HEAD_WINDOW} lines after its line");
            return wrong(Check::Head, expected, format_args!("one {behind} lines after"));
        };
        if *link != head {
            return wrong(Check::Head, link, head);
        }
        self.check_tree(count, &tree)?;
        if let Some(status) = status {
            if lines > count && (status != EndStatus::Poisoned || self.unit > count) {
                let expected = format_args!("{count} lines in session {session}");
                return wrong(Check::Ended, expected, lines);
            }
            self.report.unconfirmed_lines = lines - count;
            let end = self.report.ended.filter(|_| lines == count);
            if let Some(expected) = misfit(status, end) {
                return wrong(Check::Head, expected, show(end));
            }
        }
        self.proves(count, signed);
        Ok(())
    }

    /// Tells whether a `close` that was read forbids a line with this body (receipt-format §8.3).
    pub(super) fn is_closed_to(&self, body: &Body<'_>) -> bool {
        let lines = self.report.lines;
        match self.report.closed {
            Some(EndStatus::Poisoned) if lines > self.last_count => {
                !matches!(body, Body::Receipt(receipt) if receipt.index > 0)
            }
            Some(EndStatus::Poisoned) | None => false,
            Some(_) => lines >= self.last_count,
        }
    }

    pub(super) fn begin(&mut self, begin: &Begin<'_>) -> Result<(), Wrong> {
        self.report.task = begin.task.to_string();
        self.report.scope = begin.scope.to_vec();
        self.report.signing = begin.signing;
        self.report.begun = Some(Timestamp::from_millis(begin.time));
        self.about = Some(Box::new(About {
            owner: begin.owner.to_string(),
            on_behalf_of: begin.on_behalf_of.to_string(),
            scope: begin.scope.to_vec(),
            expires: begin.expires,
        }));
        Ok(())
    }

    pub(super) fn receipt(&mut self, receipt: &Receipt<'_>) -> Result<(), Wrong> {
        self.check_fields(receipt)?;
        self.check_group(receipt)?;
        self.check_labels(receipt)?;
        let worst = receipt.effects.iter().map(|effect| effect.decision).max();
        if worst != Some(receipt.decision) {
            return wrong(Check::Verdict, show(worst), receipt.decision);
        }
        let expires = self.about.as_ref().map_or(0, |about| about.expires);
        if receipt.call_decision == Verdict::Allow && receipt.time > expires {
            let expected = format_args!("no allow after {expires} ms");
            return wrong(Check::Verdict, expected, receipt.time);
        }
        let so_far = self.group.as_ref().map_or(Verdict::Allow, |group| group.worst);
        let worst = so_far.max(receipt.decision);
        let last = receipt.index + 1 == receipt.of;
        if worst > receipt.call_decision || last && worst != receipt.call_decision {
            return wrong(Check::Verdict, worst, receipt.call_decision);
        }
        self.after.clear();
        receipt.after.write(&mut self.after);
        // None is gone, so that as many are the same.
        if receipt.labels.len() > self.report.labels.len() {
            self.report.labels = receipt.labels.iter().map(|label| label.to_string()).collect();
        }
        self.report.calls = receipt.call;
        if !last {
            let common = match self.group.take() {
                Some(group) => group.common,
                None => common(receipt),
            };
            self.group = Some(OpenGroup {
                call: receipt.call,
                of: receipt.of,
                next: receipt.index + 1,
                domain: receipt.domain,
                worst,
                common,
            });
            return Ok(());
        }
        self.group = None;
        match receipt.call_decision {
            Verdict::Allow => {
                self.report.allowed += 1;
                self.pending.insert(receipt.call);
                if self.pending.len() > MAX_PENDING {
                    let expected = format_args!("at most {MAX_PENDING} calls without outcome");
                    return wrong(Check::Limit, expected, "more");
                }
            }
            Verdict::Defer => self.report.deferred += 1,
            Verdict::Deny => self.report.denied += 1,
        }
        Ok(())
    }

    fn check_fields(&self, receipt: &Receipt<'_>) -> Result<(), Wrong> {
        let Some(about) = &self.about else {
            return Ok(());
        };
        for (name, expected, found) in [
            ("agent", &self.report.agent, &receipt.agent),
            ("task", &self.report.task, &receipt.task),
            ("owner", &about.owner, &receipt.owner),
            ("on_behalf_of", &about.on_behalf_of, &receipt.on_behalf_of),
        ] {
            if expected != found {
                let expected = format_args!("`{name}` to be `{}`", show_text(expected));
                return wrong(Check::Fields, expected, format_args!("`{}`", show_text(found)));
            }
        }
        if about.scope != *receipt.scope {
            return wrong(Check::Fields, "the `scope` of `begin`", "another");
        }
        Ok(())
    }

    fn check_group(&self, receipt: &Receipt<'_>) -> Result<(), Wrong> {
        let Receipt { call, index, of, domain, .. } = receipt;
        let found = || format!("line {index} of {of} of call {call}, domain {domain}");
        match &self.group {
            None if *index == 0 && *call == self.report.calls + 1 => Ok(()),
            None => {
                let expected = format_args!("line 0 of call {}", self.report.calls + 1);
                wrong(Check::Group, expected, found())
            }
            Some(group) => {
                let continues = *call == group.call && *index == group.next && *of == group.of;
                if !continues || *domain <= group.domain {
                    let OpenGroup { call, next, of, domain, .. } = group;
                    let expected =
                        format_args!("line {next} of {of} of call {call}, a domain after {domain}");
                    return wrong(Check::Group, expected, found());
                }
                if common(receipt) != group.common {
                    return wrong(Check::Group, "what the group's lines share", "another value");
                }
                Ok(())
            }
        }
    }

    /// Checks that no label has fallen off since the last receipt, whether or not its group is
    /// complete. The lines of one group have the same labels.
    fn check_labels(&self, receipt: &Receipt<'_>) -> Result<(), Wrong> {
        let labels = &receipt.labels;
        let gone = |label: &&String| labels.binary_search_by(|other| (**other).cmp(label)).is_err();
        match self.report.labels.iter().find(gone) {
            None => Ok(()),
            Some(label) => {
                let expected = format_args!("`{}` among the `labels`", show_text(label));
                wrong(Check::Labels, expected, format_args!("{} without it", labels.len()))
            }
        }
    }

    pub(super) fn outcome(&mut self, outcome: &Outcome<'_>) -> Result<(), Wrong> {
        self.no_group("an outcome")?;
        if !self.pending.remove(&outcome.call) {
            let expected = "a call that was allowed and has no outcome yet";
            return wrong(Check::Outcome, expected, format_args!("call {}", outcome.call));
        }
        self.after.clear();
        outcome.after.write(&mut self.after);
        Ok(())
    }

    pub(super) fn resume(&mut self) -> Result<(), Wrong> {
        self.report.incomplete_groups += u64::from(self.group.take().is_some());
        self.report.resumed += 1;
        Ok(())
    }

    pub(super) fn end(&mut self, status: EndStatus) -> Result<(), Wrong> {
        self.no_group("an end")?;
        self.report.ended = Some(status);
        Ok(())
    }

    fn no_group(&self, found: &str) -> Result<(), Wrong> {
        match &self.group {
            None => Ok(()),
            Some(OpenGroup { call, next, of, .. }) => {
                wrong(Check::Group, format_args!("line {next} of {of} of call {call}"), found)
            }
        }
    }

    /// Takes the line as the chain's last and holds it against the journal's heads.
    pub(super) fn moves(
        &mut self,
        body: &Body<'_>,
        link: Digest,
        leaf: TreeHash,
        signed: bool,
    ) -> Result<(), Wrong> {
        if !matches!(body, Body::Receipt(receipt) if receipt.index > 0) {
            self.unit = body.seq();
        }
        let report = &mut self.report;
        report.lines = body.seq() + 1;
        report.head = link;
        report.epoch = body.epoch();
        report.time = Timestamp::from_millis(body.time());
        let lines = report.lines;
        if report.closed.is_some() && lines > self.last_count {
            report.unconfirmed_lines += 1;
        }
        if self.recent.len() > HEAD_WINDOW
            && let Some((_, oldest)) = self.recent.pop_front()
        {
            self.settled.push(oldest);
        }
        self.recent.push_back((link, leaf));
        while let Some(SessionHead { count, head, tree, .. }) = self.heads.front().copied()
            && count == lines
        {
            if head != link {
                return wrong(Check::Head, head, link);
            }
            self.check_tree(count, &tree)?;
            self.heads.pop_front();
            self.proves(lines, signed);
        }
        if let Some(status) = self.report.closed
            && lines == self.last_count
            && let Some(expected) = misfit(status, self.report.ended)
        {
            return wrong(Check::Head, expected, show(self.report.ended));
        }
        if self.report.signing == Signing::Every || lines == 1 {
            self.proves(lines, signed);
        }
        Ok(())
    }

    /// Returns how many lines the journal counts, if they are not all there.
    pub(super) fn awaited(&self) -> Option<u64> {
        self.heads.back().map(|head| head.count)
    }

    /// Checks that `tree` is the root over the first `count` lines, the last of which is recent.
    fn check_tree(&self, count: u64, tree: &TreeHash) -> Result<(), Wrong> {
        let root = self.tree_of(count).root();
        if root != *tree {
            return wrong(Check::Tree, root, tree);
        }
        Ok(())
    }

    fn tree_of(&self, count: u64) -> Frontier {
        let mut tree = self.settled.clone();
        for (_, leaf) in &self.recent {
            if tree.size() == count {
                break;
            }
            tree.push(*leaf);
        }
        tree
    }

    /// Reports what is so at the end of the file.
    pub(super) fn finish(mut self) -> SessionReport {
        self.report.tree = self.tree_of(self.report.lines);
        self.report.incomplete_groups += u64::from(self.group.is_some());
        self.report.pending = self.pending.into_iter().collect();
        let after = Counters::read(&mut Reader::new(&self.after));
        self.report.after = after.ok().map(Counters::into_owned);
        self.report
    }

    /// Notes that a signature stands for the first `lines` lines.
    fn proves(&mut self, lines: u64, signed: bool) {
        if signed {
            self.report.proven_lines = self.report.proven_lines.max(lines);
        }
    }
}

/// Returns what was expected if a `close` with `status` cannot follow `end` as the last counted line.
fn misfit(status: EndStatus, end: Option<EndStatus>) -> Option<String> {
    let needs_end = matches!(status, EndStatus::Finished | EndStatus::Expired);
    let fits = match end {
        Some(end) => end == status,
        None => !needs_end,
    };
    (!fits).then(|| format!("an `end` as {status}"))
}

/// Returns the body with everything left out that may differ between the lines of a group.
fn common(receipt: &Receipt<'_>) -> String {
    let mut receipt = receipt.clone();
    receipt.decision = Verdict::Allow;
    receipt.domain = Domain::Application;
    receipt.effects = Vec::new().into();
    receipt.index = 0;
    receipt.prev = Digest::from_bytes([0; 32]);
    receipt.seq = 0;
    let mut out = String::new();
    receipt.write(&mut out);
    out
}

/// Most allowed calls of a session that wait for their outcome.
const MAX_PENDING: usize = 65_536;

/// Most heads of a session whose line has not come.
const MAX_HEADS: usize = 65_536;
