//! A receipt file of any length that is written while it is read: nothing of it is ever held.

use std::io::{self, BufRead, Read};

use countersign::digest::Digest;
use countersign::receipt::{
    About, BeginRecord, CallRecord, Counters, Domain, DomainRecord, EffectRecord, Journal, Line,
    Openings, Reversibility, SessionChain, SessionId, Signing, Verdict,
};
use countersign::testing;

/// One session in mode `heads` of one journal, with as many denied calls as make up the bytes.
pub struct Stream {
    journal: Journal,
    chain: SessionChain,
    digest: Digest,
    buffer: Vec<u8>,
    read: usize,
    left: u64,
    calls: u64,
    lines: u64,
    /// Called with the number of bytes that are left, now and then.
    watch: fn(u64),
}

impl Stream {
    /// Yields about `bytes` bytes, and calls `watch` every thousand lines.
    pub fn of(bytes: u64, watch: fn(u64)) -> Self {
        let identity = testing::identity_key();
        let (mut journal, epoch) =
            Journal::start(&identity, &[2; 32], Signing::Heads, testing::NOW).unwrap();
        let digest = testing::baseline().digest();
        let scope = [digest];
        let begin = BeginRecord {
            about: about(&scope),
            bundle: digest,
            schema: digest,
            expires: testing::NOW,
            time: testing::NOW,
        };
        let id = SessionId::from_bytes([4; 16]);
        let key = journal.epoch_key().clone();
        let (chain, first) =
            SessionChain::begin(&key, id, &[3; 32], Openings::Discard, &begin).unwrap();
        let open = journal.open(id, about(&scope).agent, first.link(), testing::NOW);
        let mut stream = Self {
            journal,
            chain,
            digest,
            buffer: Vec::new(),
            read: 0,
            left: bytes,
            calls: 0,
            lines: 0,
            watch,
        };
        [epoch, open.unwrap(), first].iter().for_each(|line| stream.push(line));
        stream
    }

    fn push(&mut self, line: &Line) {
        self.buffer.extend_from_slice(line.as_str().as_bytes());
        self.buffer.push(b'\n');
        self.left = self.left.saturating_sub(line.as_str().len() as u64 + 1);
        self.lines += 1;
        if self.lines.is_multiple_of(1000) {
            (self.watch)(self.left);
        }
    }

    /// Writes what comes next: a call, and a head of the journal every thousand calls.
    fn write(&mut self) {
        if self.left == 0 {
            return;
        }
        self.calls += 1;
        if self.calls.is_multiple_of(1000) {
            let head = self.journal.head(&self.chain.session_head(), testing::NOW);
            return self.push(&head.unwrap());
        }
        let scope = [self.digest];
        let policies = ["forbid.tunnels".into()];
        let reasons = ["policy.forbid".into()];
        let effects = [EffectRecord {
            decision: Verdict::Deny,
            kind: "Connect",
            value: "{\"kind\":\"Connect\"}",
            policies: &policies,
            provenance: "agent",
            quorums: &[],
            reasons: &reasons,
            reversibility: Reversibility::Irreversible,
        }];
        let call = CallRecord {
            about: about(&scope),
            kind: "Connect",
            action: "{}",
            facts: "{}",
            bundle: self.digest,
            domains: &[DomainRecord { domain: Domain::Infrastructure, effects: &effects }],
            approvals: &[],
            after: Counters::default(),
            labels: &[],
            cause: None,
            permit_until: None,
            traceparent: None,
            txn: None,
            time: testing::NOW,
        };
        let key = self.journal.epoch_key().clone();
        let group = self.chain.append_call(&key, &call).unwrap();
        group.lines.iter().for_each(|line| self.push(line));
    }
}

fn about(scope: &[Digest]) -> About<'_> {
    About {
        agent: "spiffe://example.org/agent/coder/7",
        on_behalf_of: "user:dana@example.org",
        owner: "user:dana@example.org",
        task: "fix-login-timeout",
        scope,
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
            self.write();
        }
        Ok(self.buffer.get(self.read..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.read += amount;
    }
}
