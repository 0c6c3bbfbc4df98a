//! An authorizer with one session, which starts anew before either grows old.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;

use countersign::action::path::PurePaths;
use countersign::identity::{SpiffeId, VerifiedIdentity};
use countersign::policy::Enforced;
use countersign::receipt::{Durability, FileSink, MemorySink, Openings, Signing};
use countersign::scope::TrustedScope;
use countersign::{Authorizer, Session, Sink, testing};
use criterion::BatchSize;

use super::scope;

/// How many calls are timed together. What they return is dropped after the clock was stopped: a
/// permit that is dropped unused writes its outcome, which is another line than the one measured.
pub const BATCH: BatchSize = BatchSize::NumIterations(64);

/// After how many calls a session is replaced. The fixed clock makes its rate window grow, which in
/// real time forgets after a minute.
const CALLS: u32 = 512;

/// Where the lines of a desk go.
#[derive(Debug, Clone, Copy)]
pub enum Store {
    /// To a [`MemorySink`], which is emptied between the timed parts.
    Memory,
    /// To a [`FileSink`] below the target directory, which is replaced now and then.
    File(Durability),
}

/// An authorizer and the session that the next calls are asked in.
#[derive(Debug)]
pub struct Desk {
    bundle: Enforced,
    signing: Signing,
    openings: Openings,
    store: Store,
    scope: TrustedScope,
    folder: Option<tempfile::TempDir>,
    files: Cell<u32>,
    calls: Cell<u32>,
    open: RefCell<Open>,
}

#[derive(Debug)]
struct Open {
    authorizer: Authorizer,
    session: Session,
    memory: Arc<MemorySink>,
    file: Option<PathBuf>,
}

impl Desk {
    /// Opens a desk around `bundle` that stores in memory and keeps openings, as is the default.
    pub fn new(bundle: &Enforced, signing: Signing) -> Self {
        Self::with(bundle, signing, Openings::Keep, Store::Memory)
    }

    /// Opens a desk.
    pub fn with(bundle: &Enforced, signing: Signing, openings: Openings, store: Store) -> Self {
        let folder = match store {
            Store::Memory => None,
            Store::File(_) => Some(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()),
        };
        let scope = scope(0);
        let memory = Arc::new(MemorySink::new());
        let file = folder.as_ref().map(|folder| folder.path().join("0.ndjson"));
        let authorizer = build(bundle, signing, openings, sink(store, &memory, file.as_ref()));
        let session = authorizer.open(&scope, testing::agent()).unwrap();
        let open = RefCell::new(Open { authorizer, session, memory, file });
        let (bundle, files, calls) = (bundle.clone(), Cell::new(0), Cell::new(0));
        Self { bundle, signing, openings, store, scope, folder, files, calls, open }
    }

    /// Returns the session to ask in. Call it outside of the timed part.
    pub fn session(&self) -> Session {
        let calls = self.calls.get();
        self.calls.set(calls + 1);
        if calls % CALLS == CALLS - 1 {
            self.renew();
        }
        self.open.borrow().session.clone()
    }

    /// Replaces the session, and before it what was stored.
    fn renew(&self) {
        let mut open = self.open.borrow_mut();
        open.memory.clear();
        if let (Some(folder), Store::File(_)) = (&self.folder, self.store) {
            self.files.set(self.files.get() + 1);
            let file = folder.path().join(format!("{}.ndjson", self.files.get()));
            let sink = sink(self.store, &open.memory, Some(&file));
            open.authorizer = build(&self.bundle, self.signing, self.openings, sink);
            if let Some(old) = open.file.replace(file) {
                std::fs::remove_file(old).unwrap();
            }
        }
        open.session = open.authorizer.open(&self.scope, testing::agent()).unwrap();
    }
}

/// Builds an authorizer as the fixtures do: fixed clock, pure paths, entropy that is none.
pub fn build(bundle: &Enforced, signing: Signing, openings: Openings, sink: Sink) -> Authorizer {
    Authorizer::builder()
        .policy(bundle.clone())
        .identity(testing::identity_key())
        .sink(sink)
        .with_clock(testing::clock())
        .with_entropy(testing::entropy())
        .with_paths(PurePaths::new())
        .with_environment("test")
        .with_signing(signing)
        .with_openings(openings)
        .build()
        .unwrap()
}

/// Returns instance `number` of the agent that the scopes are given to.
pub fn agent(number: usize) -> VerifiedIdentity {
    let id = format!("spiffe://example.org/agent/coder/i-{number}");
    SpiffeId::parse(&id).unwrap().dangerous().assume_verified()
}

fn sink(store: Store, memory: &Arc<MemorySink>, file: Option<&PathBuf>) -> Sink {
    match (store, file) {
        (Store::File(durability), Some(file)) => {
            let openings = file.with_extension("openings");
            let sink = FileSink::create(file, durability).unwrap();
            // The openings of all files go to one place, so that they are written like the lines.
            let openings = openings.with_file_name("openings.ndjson");
            Sink::blocking(sink.with_openings(openings).unwrap())
        }
        _ => Sink::blocking(Arc::clone(memory)),
    }
}
